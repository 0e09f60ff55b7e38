"""Whether samples tell anything of their labels: against the same labels shuffled."""

from __future__ import annotations

import numpy as np

from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.samples import Samples, all_samples, class_indices
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: Samples that are compared at most, and how many there must be.
_MOST, _FEWEST = 800, 60
#: From so many samples on, labels of which like samples tell less than this share are noise for the most part.
_MANY, _HARDLY = 200, 0.15
_NEIGHBOURS = (1, 5, 15)
_SHUFFLES = 40


def examine_relation(subject: Subject, *, seed: int = 0) -> Evidence:
    """Say whether labels of near samples are alike: with labels that belong to other samples they are not.

    Each label is guessed from the nearest samples and from a linear fit to the other half, and the
    guesses are compared with those for shuffled labels.
    """
    samples = _distinct(all_samples(subject))
    if samples is None or len(samples.x) < _FEWEST:
        n = "no samples" if samples is None else f"{len(samples.x)} samples"
        return Evidence(
            "labels",
            untested=(f"whether the labels belong to the samples: {n} are too few to tell, {_FEWEST} are needed",),
        )
    score = dependence(samples, np.random.default_rng(seed))
    if score is None:
        return Evidence("labels", untested=("whether the labels belong to the samples: there is one label only",))
    right, chance, deviation = score
    excess = (right - chance) / max(deviation, 1e-12)
    told = f"guessed from like samples {right:.1%} of what there is to explain, {chance:.1%} with shuffled labels"
    if excess > 3.0 and (right > _HARDLY or len(samples.x) < _MANY):
        return Evidence("labels", says=f"labels belong to the samples: {told}")
    share = "hardly anything" if excess > 3.0 else "nothing"
    says = f"the labels have {share} to do with the samples: {told}"
    finding = fault(
        "labels",
        "labels_unrelated",
        says,
        fix="shuffle samples and labels with one permutation: x, t = x[order], t[order]",
        excess=excess,
        experiment=(
            f"shuffling the labels changes {share}: {right:.1%} before, {chance:.1%} ± {deviation:.1%} after"
        ),
        lesson="A network can learn random labels by heart; it then knows nothing about other samples.",
    )
    return Evidence("labels", (finding,))


def _distinct(samples: Samples | None) -> Samples | None:
    """Return samples without repetitions, which would be their own nearest neighbours."""
    if samples is None:
        return None
    seen: dict[bytes, int] = {}
    for i, row in enumerate(samples.rows):
        seen.setdefault(row.tobytes(), i)
    kept = np.array(list(seen.values()))
    return Samples(samples.x[kept], samples.t[kept])


def dependence(samples: Samples, rng: np.random.Generator) -> tuple[float, float, float] | None:
    """Return how much of the labels near samples tell, and mean and deviation of the same for shuffled labels.

    The largest of several measures counts, for the labels as they are and for each shuffle.
    """
    chosen = rng.permutation(len(samples.x))[:_MOST]
    rows = samples.rows[chosen].astype(np.float64)
    labels = class_indices(samples.t[chosen])
    if labels is not None and len(np.unique(labels)) > max(20, len(labels) // 4):
        labels = None
    values = (
        np.eye(labels.max() - labels.min() + 1)[labels - labels.min()]
        if labels is not None
        else samples.t[chosen].reshape(len(chosen), -1).astype(np.float64)
    )
    values = values - values.mean(axis=0)
    if not values.any():
        return None
    spread = rows.std(axis=0)
    rows = (rows - rows.mean(axis=0))[:, spread > 0]
    forms = [rows, rows / spread[spread > 0]] if rows.shape[1] else []
    if not forms:
        return 0.0, 0.0, 1.0
    measures = [_Measure(form) for form in forms]
    return _compared(measures, values, rng)


def _compared(measures: list[_Measure], values: Array, rng: np.random.Generator) -> tuple[float, float, float]:
    actual = np.array([m.told(values) for m in measures])  # (forms, ways)
    shuffled = np.array(
        [
            [m.told(values[order]) for m in measures]
            for order in (rng.permutation(len(values)) for _ in range(_SHUFFLES))
        ]
    )
    middle, deviation = shuffled.mean(axis=0), shuffled.std(axis=0) + 1e-12
    excess = (actual - middle) / deviation
    best = np.unravel_index(int(excess.argmax()), excess.shape)
    return float(actual[best]), float(middle[best]), float(deviation[best])


class _Measure:
    """Guesses of labels from the nearest other samples, and from a linear fit to one half for the other."""

    def __init__(self, rows: Array) -> None:
        square = (rows**2).sum(axis=1)
        distances = square[:, None] + square - 2 * rows @ rows.T
        np.fill_diagonal(distances, np.inf)
        self.near = np.argsort(distances, axis=1)[:, : max(_NEIGHBOURS)]
        n, d = rows.shape
        self.half = n // 2
        a, b = rows[: self.half], rows[self.half :]
        ridge = 0.1 * float((a**2).sum()) / max(min(n, d), 1)
        inner = a @ a.T
        self.linear = b @ a.T @ np.linalg.inv(inner + ridge * np.eye(len(a)))

    def told(self, values: Array) -> Array:
        """Return the correlations of each way of guessing with the labels."""
        guesses = [values[self.near[:, :k]].mean(axis=1) for k in _NEIGHBOURS]
        found = [_alike(guess, values) for guess in guesses]
        found.append(_alike(self.linear @ values[: self.half], values[self.half :]))
        return np.array(found)


def _alike(guess: Array, values: Array) -> float:
    a, b = guess - guess.mean(axis=0), values - values.mean(axis=0)
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / size if size else 0.0

"""The parameters that a training starts from: units that are copies of each other, weights of unusual size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.samples import samples_of
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.trials import blank, run
from whygrad.typing import Array

#: How far weights may be from the usual size, as a factor, before they count as unusual.
_LARGE, _SMALL = 3.0, 5.0
#: What all layers together may leave of a deviation.
_FADED = 0.02
#: How much they may enlarge it where the first loss is far above what a blank network costs, and how far that is.
_ENLARGED, _FAR_ABOVE = 4.0, 5.0
#: What they may leave of it where the first loss is that of a blank network, and how near that is.
_LESSENED, _NEAR = 0.3, 1e-3
#: The size of a weight, as a multiple of the usual one, from which on it is drawn anew beside others.
_BESIDE = 1.3


class Unusual(NamedTuple):
    """A weight whose first values are of an unusual size."""

    name: str
    says: str
    large: bool
    together: bool = False  #: whether it is so only together with the other layers


def examine_start(subject: Subject, after: Mapping[str, Array] | None = None) -> Evidence:
    """Say which layers consist of equal units, before a training and after some of its steps.

    Args:
        subject: the training.
        after: the parameters after some steps; they are made if left out.
    """
    suspects = [n for n in subject.weights if equal_units(subject.params[n])]
    if not suspects:
        sizes = [u.says for u in unusual_weights(subject)]
        return Evidence(
            "start",
            says="; ".join(dict.fromkeys(sizes))
            or "the weights are of usual sizes, and no two units of a layer are equal",
        )
    if after is None:
        try:
            after = run(subject, "as given", subject.stepper(), steps=6).params
        except CallFailed as failed:
            return Evidence("start", untested=(f"whether equal units stay equal: {failed}",))
    still = [n for n in suspects if equal_units(after[n])]
    hidden = [n for n in still if n != subject.weights[-1]] if len(subject.weights) > 1 else []
    if not hidden:
        return Evidence(
            "start", says=f"{', '.join(suspects)} begin with equal units, which the first steps tell apart"
        )
    return Evidence("start", (_symmetric(subject, hidden, after),))


def _symmetric(subject: Subject, names: list[str], after: Mapping[str, Array]) -> Finding:
    zeros = [n for n in names if not np.any(subject.params[n])]
    label = "zero_initialisation" if zeros else "symmetric_initialisation"
    which = ", ".join(zeros or names)
    moved = max(float(np.abs(after[n] - subject.params[n]).max()) for n in names)
    what = "zeros" if zeros else "equal in all units"
    says = (
        f"{which} start{'s' if len(zeros or names) == 1 else ''} as {what}, and after the first steps the "
        "units are still equal"
    )
    says += " and have not moved at all" if moved == 0 else f", although they moved by {moved:.2g}"
    return fault(
        f"first values of {which}",
        label,
        says,
        fix="draw the weights at random: rng.normal(size=shape) * np.sqrt(2 / fan_in)",
        also="symmetric_initialisation" if zeros else "",
        lesson=(
            "Equal units get equal gradients and stay equal: a layer of them is one unit. With zeros on "
            "both sides of it not even that one learns."
        ),
    )


def equal_units(w: Array) -> bool:
    """Return whether the slices of a weight along its first or last axis are all equal.

    Example:
        >>> equal_units(np.full((3, 2), 0.5)), equal_units(np.array([[1.0, 2.0], [3.0, 4.0]]))
        (True, False)
    """
    size = float(np.abs(w).max(initial=0))
    if not size:
        return True
    axes = [axis for axis in (0, w.ndim - 1) if w.shape[axis] > 1]
    return any(float(np.ptp(w, axis=axis).max()) <= 1e-7 * size for axis in axes)


def fans(subject: Subject) -> dict[str, tuple[int, int, int]]:
    """Return of each weight how many numbers a unit takes, how many units there are, and their axis."""
    samples = samples_of(subject.batch)
    before = samples.rows.shape[1] if samples is not None else None
    found: dict[str, tuple[int, int, int]] = {}
    sizes = {a.size for a in subject.params.values() if a.ndim == 1 or 1 in a.shape}
    for name in subject.weights:
        w = subject.params[name]
        if w.ndim > 2:
            axis = 0 if w.shape[-1] == w.shape[-2] or w.shape[-1] <= 7 else w.ndim - 1
            found[name] = (w.size // w.shape[axis], w.shape[axis], axis)
            before = None
            continue
        matrix = [s for s in w.shape if s > 1] if w.ndim != 2 else list(w.shape)
        into = (
            0
            if before == matrix[0]
            else 1
            if before == matrix[1]
            else 1
            if matrix[0] in sizes and matrix[1] not in sizes
            else 0
        )
        found[name] = (matrix[into], matrix[1 - into], 1 - into)
        before = matrix[1 - into]
    return found


def unusual_weights(subject: Subject, params: Mapping[str, Array] | None = None) -> list[Unusual]:
    """Return which weights are far larger or smaller than those that keep the variance from layer to layer."""
    found = []
    for name, (into, units, _) in fans(subject).items():
        w = np.asarray((subject.params if params is None else params)[name], np.float64)
        if not np.isfinite(w).all() or not np.any(w) or into < 2:
            continue
        size = float(np.sqrt(np.mean(w**2)))
        low, high = np.sqrt(1 / max(into, units)), np.sqrt(2 / into)
        stretched = float(np.linalg.norm(w.reshape(w.shape[0], -1), 2)) / (high * (np.sqrt(into) + np.sqrt(units)))
        shown = (
            f"{name} has {size:.3g} in root mean square, and {high:.3g} (√(2/{into})) keeps the variance "
            "from layer to layer"
        )
        if size > _LARGE * high:
            found.append(Unusual(name, shown, True))
        elif stretched > _LARGE or (w.min() >= 0 and w.size > 8 and size > high):
            found.append(
                Unusual(
                    name,
                    f"{shown}; it stretches one direction {stretched:.2g} times as much as that"
                    + (", for all weights are positive" if w.min() >= 0 else ""),
                    True,
                )
            )
        elif size < min(low, high) / _SMALL:
            found.append(Unusual(name, shown, False))
    return found or _together(subject, params)


def _together(subject: Subject, params: Mapping[str, Array] | None) -> list[Unusual]:
    """Return all weights where each is a little small or large, and together they are far too much so."""
    gains = gains_of(subject, params)
    hidden = list(gains)[:-1]
    small = float(np.prod([min(gains[n], 1.0) for n in hidden]))
    large = float(np.prod([max(gains[n] / np.sqrt(2), 1.0) for n in hidden]))
    if len(hidden) < 3:
        return []
    shrunk = small <= _FADED or (small <= _LESSENED and _near_blank(subject, params))
    beyond = _far_above(subject, params) if large > _ENLARGED and not shrunk else ""
    if not shrunk and large < 1 / _FADED and not beyond:
        return []
    product = small if shrunk else large
    says = (
        f"each of {len(hidden)} layers multiplies the deviation of what passes by "
        f"{np.prod([gains[n] for n in hidden]) ** (1 / len(hidden)):.2g}, together by {product:.2g}"
        + ("" if shrunk else " more than ReLU needs")
    )
    return [Unusual(n, says + beyond, not shrunk, True) for n in hidden]


def gains_of(subject: Subject, params: Mapping[str, Array] | None = None) -> dict[str, float]:
    """Return by how much each weight multiplies the deviation of what it takes: √(fan_in·mean w²)."""
    found = {}
    for name, (into, _, _) in fans(subject).items():
        w = np.asarray((subject.params if params is None else params)[name], np.float64)
        found[name] = float(np.sqrt(np.mean(w**2) * into)) if np.isfinite(w).all() else 1.0
    return found


def _far_above(subject: Subject, params: Mapping[str, Array] | None) -> str:
    """Say how far the loss is above that of the same network with all parameters at 0; nothing where it is not."""
    try:
        value, chance = subject.loss(params), blank(subject)
    except CallFailed:
        return ""
    if not value > _FAR_ABOVE * chance > 0:
        return ""
    return f", and the loss is {value:.3g}, where a network that knows nothing has {chance:.3g}"


def _near_blank(subject: Subject, params: Mapping[str, Array] | None) -> bool:
    """Whether the loss is that of the same network with all parameters at 0: nothing of the samples arrives."""
    try:
        chance = blank(subject)
        return abs(subject.loss(params, subject.watched) - chance) < _NEAR * chance
    except CallFailed:
        return False


def to_redraw(subject: Subject, names: list[str]) -> list[str]:
    """Return weights and those beside them that are off in the same way, though less."""
    gains = {n: g / np.sqrt(2) for n, g in gains_of(subject).items() if g}
    large = max((gains[n] for n in names if n in gains), default=1.0) > 1
    off = [n for n, g in gains.items() if (g > _BESIDE if large else g < 0.5 / _BESIDE)]
    return [n for n in subject.weights if n in names or n in off]


def redrawn(subject: Subject, names: list[str], rng: np.random.Generator) -> dict[str, Array]:
    """Return the parameters with some weights drawn anew, with variance 2/fan_in."""
    sizes, new = fans(subject), dict(subject.params)
    for name in names:
        w = subject.params[name]
        new[name] = (rng.normal(size=w.shape) * np.sqrt(2 / sizes[name][0])).astype(w.dtype)
    return new

"""Learning itself: penalties that drown the data, samples that cannot be learned by heart, and evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.adaptive import Adaptive
from whygrad.diagnosis.training.batches import cast_batch, pair, rebuilt, sample_axes
from whygrad.diagnosis.training.data import normalisation, unusual_size
from whygrad.diagnosis.training.labels import outputs
from whygrad.diagnosis.training.penalty import penalty
from whygrad.diagnosis.training.report import Evidence, Trial, fault
from whygrad.diagnosis.training.samples import all_samples, class_indices, samples_of
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion
from whygrad.diagnosis.training.trials import constant_loss, run
from whygrad.typing import Array

#: Samples that every model, and that every network with a hidden layer, should be able to learn by heart.
_FEW, _BATCH = 4, 32


def suspect_inputs(subject: Subject) -> Iterator[Suspicion]:
    """Yield that the samples are of an unusual size."""
    samples = all_samples(subject)
    if samples is None:
        return
    says = unusual_size(samples.x)
    if says is None:
        return
    x = samples.x
    scale, how = normalisation(x)

    def through(batch: Any) -> Any:
        found = pair(batch)
        assert found is not None
        given = np.asarray(found[0])
        axes = sample_axes(given, np.asarray(found[1]))
        first = axes[0] if axes else 0
        scaled = np.moveaxis(scale(np.moveaxis(given, first, 0)), 0, first)
        return rebuilt(batch, scaled.astype(given.dtype if given.dtype.kind == "f" else np.float64), found[1])

    kind = f" as {x.dtype}" if x.dtype.kind in "iu" else ""
    finding = fault(
        "samples",
        "input_not_normalised",
        f"the samples are of an unusual size{kind}: {says}",
        lesson=(
            "The gradient of the first weights is multiplied by the samples: samples 100 times as large "
            "want a rate 10,000 times as small there."
        ),
    )
    yield Suspicion(
        finding,
        [
            Remedy(
                lambda: run(subject, f"with {how}", subject.stepper(), through=through),
                f"x = {how}, for training and for what is predicted later",
            )
        ],
    )


def suspect_labels(subject: Subject) -> Iterator[Suspicion]:
    """Yield that class numbers are compared with every output, where one-hot rows belong."""
    found, samples, count = subject.xt(), samples_of(subject.batch), outputs(subject)[0]
    if found is None or samples is None or not count or count < 3:
        return
    labels = class_indices(samples.t)
    if (
        labels is None
        or (samples.t.ndim > 1 and samples.t.shape[-1] > 1)
        or labels.min() < 0
        or labels.max() >= count
    ):
        return

    def through(batch: Any) -> Any:
        given = samples_of(batch)
        numbers = class_indices(given.t) if given is not None else None
        assert numbers is not None
        x, t = (np.asarray(part) for part in pair(batch) or (0, 0))
        axes = sample_axes(x, t)
        rows = np.eye(count)[numbers]
        return rebuilt(batch, x, rows.T if axes and axes[1] else rows)

    try:
        value, other = subject.loss(), subject.loss(subject.params, through(subject.batch))
        if not np.isfinite(other) or abs(value - other) <= 1e-5 * abs(value):  # it takes the one as the other
            return
    except (CallFailed, AssertionError):
        return
    says = f"the labels are class numbers up to {labels.max()}, and the code compares them with {count} outputs"
    finding = fault(
        "labels",
        "labels_one_hot",
        says,
        lesson="Numbers of classes are no amounts: outputs that come near to 7 say nothing about a seven.",
    )
    yield Suspicion(
        finding,
        [
            Remedy(
                lambda: run(subject, f"with np.eye({count})[t]", subject.stepper(), through=through),
                f"t = np.eye({count})[t]: that was run and learns",
            )
        ],
        other_loss=True,
    )


def suspect_penalty(subject: Subject, given: Trial) -> Iterator[Suspicion]:
    """Yield that a penalty on the parameters outweighs the data."""
    found = penalty(subject)
    if not found or subject.gradients_function is None:
        return
    size = sum(0.5 * lam * float((subject.params[n].astype(np.float64) ** 2).sum()) for n, lam in found.items())
    del given
    if size < 0.02 * abs(subject.loss()) and max(found.values()) < 0.02:
        return

    def without(params: dict[str, Array], batch: Any) -> float:
        return subject.loss(params, batch) - sum(
            0.5 * lam * float((np.asarray(params[n], np.float64) ** 2).sum()) for n, lam in found.items()
        )

    def change(gradients: dict[str, Array], params: dict[str, Array], batch: Any) -> dict[str, Array]:
        del batch
        return {n: g - found.get(n, 0.0) * params[n] for n, g in gradients.items()}

    told = ", ".join(f"{lam / 2:.3g}·Σ{n}²" for n, lam in found.items())
    finding = fault(
        "regulariser",
        "regularisation_too_strong",
        f"the loss has {told} beside the data, {size:.3g} of {subject.loss():.3g} at the start",
        lesson="A penalty that outweighs the data pulls the weights to 0, whatever the data say.",
    )
    fix = "lower the penalty a hundredfold; without it the loss of the data was run, and falls"
    yield Suspicion(
        finding,
        [
            Remedy(
                lambda: run(
                    subject,
                    "without the penalty, the loss of the data",
                    subject.stepper(change=change),
                    value=without,
                ),
                fix,
            )
        ],
    )


def suspect_precision(subject: Subject, given: Trial) -> Iterator[Suspicion]:
    """Yield that float32 is why a training fails."""
    narrow = [n for n in subject.names if subject.params[n].dtype in (np.float32, np.float16)]
    if not narrow:
        return
    wide = subject.exact()
    if wide is subject:
        return
    says = f"the parameters are {subject.params[narrow[0]].dtype}, and in float64 the same training learns"
    finding = fault(
        "numbers",
        "float32_precision",
        says,
        lesson=(
            "float32 has 7 digits, float16 three: small updates of large numbers are lost, and differences "
            "of near ones keep none."
        ),
        also=() if given.finite else ("overflow",),
    )
    yield Suspicion(
        finding,
        [
            Remedy(
                lambda: run(
                    subject,
                    "in float64",
                    subject.stepper(),
                    params=wide.params,
                    through=lambda b: cast_batch(b, np.float64),
                ),
                "compute what cancels or overflows in float64",
            )
        ],
    )


def examine_overfitting(subject: Subject) -> Evidence:
    """Say whether a few samples can be learned by heart, by gradient descent and Adam at several rates."""
    few, how = _few(subject)
    if few is None or subject.gradients_function is None:
        return Evidence("learning", untested=(f"whether a few samples can be learned by heart: {how}",))
    try:
        constant = constant_loss(subject, few)
        trials = [
            run(
                subject,
                f"{how} with Adam at {rate:g}",
                Adaptive(subject, rate),
                batch=few,
                steps=400,
                seconds=min(2.0, subject.clock.left / 5),
            )
            for rate in (0.01, 0.001, 0.1)
        ]
    except CallFailed as failed:
        return Evidence("learning", untested=(f"whether a few samples can be learned by heart: {failed}",))
    best = min(trials, key=lambda t: min(t.losses) if t.finite else np.inf)
    if not best.finite or min(best.losses) < 0.7 * constant or best.steps < 150:
        return Evidence("learning", says=f"{best}")
    says = (
        f"not even {how} can be learned by heart: at best the loss comes to {min(best.losses):.3g}, and "
        f"{constant:.3g} is what a constant answer costs"
    )
    fix = (
        "look at what limits the outputs: the last layer's unit, too few hidden units, equal samples with "
        "different labels"
    )
    return Evidence(
        "learning",
        (
            fault(
                "learning",
                "cannot_overfit",
                says,
                fix=fix,
                experiment="; ".join(map(str, trials)),
                lesson=(
                    "A network that can learn at all learns a few samples by heart. If it does not, the "
                    "data or the network rules it out, not the optimiser."
                ),
            ),
        ),
    )


def _few(subject: Subject) -> tuple[Any, str]:
    """Return a few samples of the batch, of several classes where there are classes."""
    samples = samples_of(subject.batch)
    if samples is None or len(samples.x) < 2:
        return None, "the batch cannot be divided"
    labels = class_indices(samples.t)
    order = np.arange(min(_FEW, len(samples.x)))
    if labels is not None and len(np.unique(labels)) > 1:
        hidden = len(subject.weights) > 1
        firsts = sorted(int(np.flatnonzero(labels == c)[0]) for c in np.unique(labels))
        order = np.arange(min(_BATCH, len(samples.x))) if hidden else np.array(firsts[:_FEW])
    return subject.part(order), f"{len(order)} samples"


def examine_evaluation(subject: Subject, after: Trial) -> Evidence:
    """Compare what the network predicts, and its loss in evaluation, with training's, after some steps."""
    findings: list[Finding] = []
    found, samples = subject.xt(), samples_of(subject.batch)
    if subject.scores_function is None and subject.evaluate_function is None:
        return Evidence(
            "evaluation", untested=("training against evaluation: neither predict nor evaluate was given",)
        )
    if not after.finite or after.last > 0.5 * after.first or samples is None or found is None:
        return Evidence("evaluation", untested=("training against evaluation: the loss did not fall far enough",))
    labels = class_indices(samples.t)
    try:
        if subject.evaluate_function is not None:
            value, trained = subject.evaluated(after.params), subject.loss(after.params)
            if value > 3 * max(trained, 0.05 * after.first) and value > 0.5 * after.first:
                findings.append(
                    _mismatch(
                        f"after {after.steps} steps the loss of the batch is {trained:.3g} in training and "
                        f"{value:.3g} in evaluation"
                    )
                )
        if labels is not None and subject.scores_function is not None and not findings:
            findings += _accuracy(subject, after, labels, found[0])
    except CallFailed as failed:
        return Evidence("evaluation", untested=(f"training against evaluation: {failed}",))
    return Evidence(
        "evaluation", tuple(findings), "what is predicted in evaluation agrees with the loss of training"
    )


def _accuracy(subject: Subject, after: Trial, labels: Array, x: Any) -> list[Finding]:
    scores = subject.scores(after.params, x)
    if scores.ndim == 2 and scores.shape[0] != len(labels) and scores.shape[1] == len(labels):
        scores = scores.T
    if scores.ndim == 2 and scores.shape[1] > 1:
        answers = scores.argmax(axis=1)
    elif scores.size == len(labels) and np.array_equal(scores, np.round(scores)):
        answers = scores.reshape(-1).astype(int)
    else:
        return []
    right = float(np.mean(answers == labels))
    frequent = float(np.unique(labels, return_counts=True)[1].max()) / len(labels)
    if after.last < 0.25 * after.first and right < max(0.5, 0.5 + frequent / 2):
        return [
            _mismatch(
                f"after {after.steps} steps the loss of the batch has fallen from {after.first:.3g} to "
                f"{after.last:.3g}, and only {right:.0%} of the same batch is predicted rightly"
            )
        ]
    return []


def _mismatch(says: str) -> Finding:
    return fault(
        "evaluation",
        "train_eval_mismatch",
        says,
        fix=(
            "give evaluation the same inputs, scaling and layers as training; dropout off, and the running "
            "statistics of batch normalisation kept"
        ),
        lesson=(
            "What is predicted must be computed as it was trained, but for dropout and the statistics of "
            "batch normalisation."
        ),
    )

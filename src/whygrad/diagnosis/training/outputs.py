"""What the loss is fed with and how it begins: probabilities for logits, a softmax twice, another formula."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.batches import rebuilt
from whygrad.diagnosis.training.blind import blind_loss
from whygrad.diagnosis.training.labels import outputs
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.samples import class_indices, samples_of
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.trials import blank
from whygrad.typing import Array

_TWICE = (
    "A loss that takes logits applies the softmax itself. Of probabilities it makes another, flatter "
    "softmax: with 10 classes the surest right answer still costs 1.46, and gradients are small."
)


def examine_outputs(subject: Subject) -> Evidence:
    """Compare the loss of a blank network, of huge last layers and of single samples with its formula's."""
    findings: list[Finding] = []
    samples = samples_of(subject.batch)
    labels = None if samples is None else class_indices(samples.t)
    count, _ = outputs(subject)
    untested: list[str] = []
    told = ""
    if samples is None or labels is None:
        return Evidence("loss", untested=("the formula of the loss: the labels are no classes",))
    twice = _flattened(subject, count, int(labels.max()) + 1)
    if twice is not None:
        findings.append(twice)
    elif count and count > 1 and len(labels) > 1:
        start = _at_chance(subject, count, len(labels))
        if isinstance(start, Finding):
            findings.append(start)
        else:
            told = start
    blind = blind_loss(subject, labels)
    if blind is not None and not findings:
        findings.append(blind)
    broadcast = _broadcast(subject)
    if broadcast is not None:
        findings.append(broadcast)
    return Evidence("loss", tuple(findings), told, tuple(untested))


def _sharpened(subject: Subject, name: str) -> list[dict[str, Array]]:
    """Return parameters with a weight drawn anew several times, and very large."""
    rng, w = np.random.default_rng(0), subject.params[name]
    return [{**subject.params, name: (1e4 * rng.normal(size=w.shape)).astype(w.dtype)} for _ in range(4)]


def _flattened(subject: Subject, count: int | None, seen: int) -> Finding | None:
    """Return the finding where single samples cost just what a softmax of a softmax costs, or a sigmoid's logits.

    With a huge last layer a softmax gives 1 for one class and 0 for the others, and a second one on top of that can
    cost log(e + K − 1) − 1 or log(e + K − 1), and nothing else.
    """
    known = [count] if count else []
    sizes = known + [
        k
        for k in (*(s for n in subject.weights[-1:] for s in subject.params[n].shape), seen)
        if k >= 2 and k not in known
    ]
    n = min(subject.count or 0, 6)
    if n < 2 or not subject.weights:
        return None
    for name in subject.weights[-1:]:
        values = []
        for params in _sharpened(subject, name):
            for i in range(n):
                part = subject.part(np.array([i]))
                try:
                    values.append(subject.loss(params, part))
                except CallFailed:
                    return None
        if not np.isfinite(values).all() or np.ptp(values) > 1e3:
            return None
        for k in sizes:
            pairs: dict[str, tuple[float, ...]] = {
                "softmax_applied_twice": (math.log(math.e + k - 1) - 1, math.log(math.e + k - 1))
            }
            flat = [math.log(m * math.e + k - m) - s for m in range(k + 1) for s in (0, 1)]
            pairs["probabilities_for_logits"] = tuple(flat)
            for label, allowed in pairs.items():
                if all(min(abs(v - a) for a in allowed) < 2e-4 for v in values) and np.ptp(values) > 0.5:
                    return _fed_with_probabilities(label, k, values)
        ones = (math.log1p(math.exp(-1.0)), math.log1p(math.e), math.log(2))
        if all(min(abs(v - a) for a in ones) < 2e-3 for v in values) and np.ptp(values) > 0.1:
            return _fed_with_probabilities("probabilities_for_logits", 1, values)
    return None


def _fed_with_probabilities(label: str, k: int, values: list[float]) -> Finding:
    shown = ", ".join(f"{v:.4f}" for v in sorted({round(v, 4) for v in values}))
    if label == "softmax_applied_twice":
        says = (
            "the loss applies a softmax to what is already one: with a last layer of the size 10⁴ each "
            f"sample costs {shown}, as the softmax of a softmax over {k} classes does; of logits it would "
            "cost 0 or thousands"
        )
    else:
        says = (
            "the loss wants logits and gets what a sigmoid gave: with a last layer of the size 10⁴ each "
            f"sample costs {shown}, as logits of 0 and 1 do; of real ones it would cost 0 or thousands"
        )
    other = {
        "softmax_applied_twice": "probabilities_for_logits",
        "probabilities_for_logits": "softmax_applied_twice",
    }[label]
    return fault(
        "loss",
        label,
        says,
        fix="leave out the last layer's softmax or sigmoid, or take the logarithm of its probabilities",
        also=other,
        lesson=_TWICE,
    )


def _at_chance(subject: Subject, k: int, n: int) -> Finding | str:
    """Compare the loss with all parameters at 0, where all classes are equally likely, with ln K."""
    value = blank(subject)
    chance = math.log(k)
    if not np.isfinite(value) or not value:
        return ""
    known = {
        "ln K": chance,
        "N·ln K": n * chance,
        "K·ln 2": k * math.log(2),
        "N·K·ln 2": n * k * math.log(2),
        "ln 2": math.log(2),
    }
    for name, size in known.items():
        if abs(value / size - 1) < 1e-4:
            return f"with all parameters at 0 it is {name} = {value:.4g}, as for {k} equally likely classes"
    wrong = {
        "has the opposite sign": (-1.0,),
        "is taken in base 10": (1 / math.log(10),),
        "is taken in base 2": (1 / math.log(2),),
        "is divided by N twice": (1 / n,),
    }
    for says, factors in wrong.items():
        for factor in factors:
            for size in (chance, n * chance):
                if n > 2 and abs(value / (factor * size) - 1) < 1e-4 and abs(value / chance - 1) > 1e-3:
                    return _formula(
                        f"the loss {says}: with all parameters at 0 it is {value:.5g}, and {k} equally likely "
                        f"classes cost ln {k} = {chance:.5g}",
                        factor,
                    )
    for size in (math.log(n), n * math.log(n)):
        if n > 2 and n != k and abs(value / size - 1) < 1e-4:
            return fault(
                "loss",
                "softmax_wrong_axis",
                f"with all parameters at 0 the loss is ln {n} = {value:.5g} and not ln {k}: the softmax is "
                f"taken over the {n} samples and not over the {k} classes",
                fix="sum over the axis of the classes, with keepdims=True",
                also="loss_formula_wrong",
            )
    return ""


def _formula(says: str, factor: float) -> Finding:
    fix = "loss = -np.log(p[np.arange(n), t]).mean()"
    return fault(
        "loss",
        "loss_formula_wrong",
        says,
        fix=fix,
        also="sign_error" if factor < 0 else "",
        lesson=(
            "With all parameters at 0 every class is equally likely: a cross-entropy then costs ln K a "
            "sample, whatever the network is."
        ),
    )


def _broadcast(subject: Subject) -> Finding | None:
    """Return that predictions (N, 1) and targets (N,) are broadcast against each other."""
    found = subject.xt()
    if found is None or (subject.count or 0) < 3:
        return None
    x, t = np.asarray(found[0]), np.asarray(found[1])
    if t.ndim != 1 or len(x) != len(t):
        return None
    try:
        whole = subject.loss()
        alone = [subject.loss(None, subject.part(np.array([i]))) for i in range(len(t))] if len(t) <= 64 else []
        column = subject.loss(None, _with(subject, x, t[:, None]))
    except CallFailed:
        return None
    if not alone or not np.isfinite([whole, column, *alone]).all():
        return None
    mean, total = float(np.mean(alone)), float(np.sum(alone))
    near = 1e-6 * max(abs(whole), abs(total), 1e-12)
    if (
        min(abs(whole - mean), abs(whole - total)) > 1e3 * near
        and min(abs(column - mean), abs(column - total)) <= 10 * near
    ):
        says = (
            f"targets of shape {t.shape} are broadcast against predictions of shape ({len(t)}, 1): the loss "
            f"is {whole:.5g}, and that of the samples one by one has the mean {mean:.5g}"
        )
        return fault(
            "loss",
            "loss_formula_wrong",
            says,
            fix="t = t[:, None]",
            experiment=f"with t[:, None] the loss is {column:.5g}",
            lesson=(
                "NumPy makes an (N, N) array of (N, 1) and (N,): every prediction is compared with every target."
            ),
        )
    return None


def _with(subject: Subject, x: Any, t: Any) -> Any:
    return rebuilt(subject.batch, x, t)

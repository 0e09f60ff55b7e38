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
from whygrad.diagnosis.training.squashed import squashed
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.trials import blank


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
    twice = squashed(subject, count, labels)
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

"""Weights that are updated before the gradient of the input is computed with them: dx belongs to w − η·dw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whygrad.diagnosis.catalogue import Mistake, Subject, mistake, predict
from whygrad.diagnosis.chains import Chain
from whygrad.diagnosis.hypotheses import Sample
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.outcomes import Outcome
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.typing import Array

LABEL = "weights_updated_before_dx"
FIX = "compute dx with the weights of the forward pass, and update them after that"
#: How exactly a learning rate has to explain what is there, and to be the same each time.
EXACT, SAME = 1e-6, 1e-5
#: Numbers that there have to be, since one rate fits one number whatever it is.
ENOUGH = 6


def updated(subject: Subject, output: str, known: Sequence[Sample]) -> Finding | None:
    """Return the finding if dx is that of w − η·dw, with one η at every probe, or with one over the batch.

    dx is linear in w, so η is a ratio: (dx of w − the dx that is claimed) / dx of dw.

    Args:
        subject: an operation with weights.
        output: "dx".
        known: what the code gave.
    """
    entries = sum(s.value.size for s in known if s.value is not None)
    if output != "dx" or "w" not in subject.inputs or "dw" not in subject.build or entries < ENOUGH:
        return None
    rates = [_rate(subject, sample) for sample in known]
    told = [rate for rate in rates if rate is not None]
    if not told or len(told) < len(rates):
        return None
    scaled = [rate * len(s.probe["x"]) for rate, s in zip(told, known, strict=True)]
    if np.ptp(told) <= SAME * abs(told[0]):
        what = f"{told[0]:.4g}·dw"
    elif np.ptp(scaled) <= SAME * abs(scaled[0]):
        what = f"{scaled[0]:.4g}/N·dw"
    else:
        return None
    return Finding(
        output=output, verdict=Judgement.WRONG, cause=LABEL,
        says=f"your dx is that of the weights w − {what}: they are updated before dx is computed",
        evidence={"misfit": 0.0, "probes": len(known), "rate": told[0], "entries": entries},
        fix=FIX, lesson=LESSONS[LABEL],
    )  # fmt: skip


def _rate(subject: Subject, sample: Sample) -> float | None:
    probe = sample.probe
    truth = probe.right["dx"]
    if sample.value is None or sample.value.shape != truth.shape:
        return None
    return ratio(truth - sample.value, subject.build["dx"](probe.changed(w=probe.right["dw"]), {}), sample.value)


def ratio(rest: Array, step: Array, value: Array) -> float | None:
    """Return c where rest is c times step, to rounding beside a value; None where it is nothing or is not."""
    c = float(rest.ravel() @ step.ravel()) / max(float(step.ravel() @ step.ravel()), 1e-300)
    size = float(np.abs(value).max(initial=1e-300))
    if abs(c) * float(np.abs(step).max(initial=0)) < 1e-4 * size:
        return None
    return c if float(np.abs(rest - c * step).max(initial=0)) <= EXACT * size else None


def updated_layers(chain: Chain, target: Subject, outcomes: Sequence[Outcome]) -> dict[str, Finding]:
    """Return findings for the gradients that were sent back through weights which had been updated already.

    One layer's weights are tried, and then all. The learning rate is read off the last gradients that are wrong,
    which are linear in it, and has to explain all the others.
    """
    layers = [k for k, stage in enumerate(chain.stages) if "w" in stage.params]
    names = list(target.build)
    known = [o for o in outcomes if all(o.result.outputs.get(n) is not None for n in target.inputs)]
    if len(known) < len(outcomes) or len(layers) < 2:
        return {}
    for k in reversed(layers[1:]):
        rate = _rate_behind(chain, k, layers, known[0])
        if rate is None:
            continue
        kinds = {chain.stages[j].kind for j in layers}
        for joints in ((f"{k}.dx",), tuple(f"every {kind}.dx" for kind in kinds)):
            made = [_through_updated(joint, rate, names) for joint in joints]
            told = _explained(made, target, known)
            if told:
                where = chain.stages[k].params["w"] if joints == (f"{k}.dx",) else "every layer"
                return {name: _finding(name, where, rate) for name in told}
    return {}


def _through_updated(joint: str, rate: float, names: Sequence[str]) -> Mistake:
    """Return going back through weights that are less by a rate times their gradient."""

    def dx(p: Probe) -> Array:
        build = p.subject.build
        return build["dx"](p.changed(w=p["w"] - rate * build["dw"](p, {})), {})

    return mistake(LABEL, tuple(names), joint, mistake(LABEL, "dx", "whole", dx, ""), "")


def _rate_behind(chain: Chain, k: int, layers: Sequence[int], outcome: Outcome) -> float | None:
    """Return the rate that the gradients of the layer before layer k tell."""
    before = chain.stages[layers[list(layers).index(k) - 1]].params["w"]
    probe, claimed = outcome.probe, outcome.result.outputs[before]
    one = predict(probe, before, [_through_updated(f"{k}.dx", 1.0, [before])])
    if claimed is None or one is None or claimed.shape != probe.right[before].shape:
        return None
    truth = probe.right[before]
    return ratio(truth - claimed, truth - one, claimed)


def _explained(made: Sequence[Mistake], target: Subject, known: Sequence[Outcome]) -> list[str]:
    """Return the parameters whose gradients are wrong, where the mistakes give all gradients; none where not."""
    wrong: dict[str, None] = {}
    for o in known:
        for name in target.inputs:
            value, guess = o.result.outputs[name], predict(o.probe, name, made)
            if value is None or guess is None or value.shape != guess.shape:
                return []
            bound = EXACT * float(np.abs(guess).max(initial=1e-300))
            if np.abs(value - guess).max(initial=0) > bound:
                return []
            if np.abs(value - o.probe.right[name]).max(initial=0) > bound:
                wrong[name] = None
    return list(wrong)


def _finding(name: str, where: str, rate: float) -> Finding:
    return Finding(
        output=name, verdict=Judgement.WRONG, cause=LABEL,
        says=f"your {name} is sent back through weights that are updated already: {where} less {rate:.4g} times "
        "its gradient",
        evidence={"misfit": 0.0, "rate": rate}, fix=FIX, lesson=LESSONS[LABEL],
    )  # fmt: skip

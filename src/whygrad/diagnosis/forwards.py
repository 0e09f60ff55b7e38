"""A person's forward pass, and whether the backward pass is the one that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from whygrad.diagnosis.adapting import Code
from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.differences import differences
from whygrad.diagnosis.judging import judge
from whygrad.diagnosis.outcomes import Outcome
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.typing import Array


def with_forward(
    subject: Subject, findings: list[Finding], code: Code, outcomes: Sequence[Outcome], source: str
) -> list[Finding]:
    """Return the findings with one about the value; a backward of another forward is judged by that one."""
    y = judge(subject, "y", outcomes, source)
    if y.verdict.good:
        return [*findings, y]
    if y.cause is None and y.verdict is Judgement.WRONG:
        y = replace(
            y, cause="forward_formula_wrong", says=f"your forward computes something else than {subject.name}"
        )
    if not findings:
        return [y]
    consistent = consistent_with_own(code, outcomes)
    own = {f.output for f in findings if consistent.get(f.output)}
    if own and all(f.output in own for f in findings):
        right = [
            Finding(output=f.output, verdict=Judgement.RIGHT, notes=("it is the gradient of your own forward",))
            for f in findings
        ]
        unknown = not y.evidence or y.cause in ("forward_formula_wrong", "im2col_column_order_mismatch")
        usual = f"your forward is not {subject.name} as it is usually defined"
        says = f"{usual}, and the backward pass belongs to it: {y.says}"
        return [*right, replace(y, verdict=Judgement.CONVENTION if unknown else y.verdict, says=says)]
    return [*findings, y]


def consistent_with_own(code: Code, outcomes: Sequence[Outcome]) -> dict[str, bool]:
    """Return for each output whether it is the gradient of the person's own forward, by differences."""
    usable = [o for o in outcomes if o.result.error is None and o.result.y is not None]
    if not usable:
        return {}
    small = min(usable, key=lambda o: (len(o.probe.tags) < 2, o.probe["x"].size))
    found = {}
    for output in small.result.outputs:
        name = output.removeprefix("d")
        claimed = small.result.outputs[output]
        if claimed is None or name not in small.probe.inputs:
            continue

        def value(array: Array, name: str = name) -> float:
            y = code(small.probe.changed(**{name: array})).y
            return (
                float("nan") if y is None or y.shape != small.probe.dy.shape else float((y * small.probe.dy).sum())
            )

        measured = differences(value, small.probe[name])
        found[output] = claimed.shape == measured.shape and bool(
            np.allclose(claimed, measured, rtol=1e-5, atol=1e-6)
        )
    return found

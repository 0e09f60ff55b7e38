"""What changes from call to call: results, inputs, weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from whygrad.diagnosis.adapting import Code
from whygrad.diagnosis.hypotheses import same
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.outcomes import RIGHT, Outcome
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.typing import Array


def changing(code: Code, outcomes: Sequence[Outcome]) -> dict[str, Finding]:
    """Return the findings about gradients that change when the same call is made again, by their names.

    Where the forward pass draws numbers anew, so that its value changes as well, nothing is said.
    """
    usable = [o for o in outcomes if any(a is not None for a in o.result.outputs.values())]
    if not usable:
        return {}
    if any(o.result.late for o in usable):
        return {code.outputs[0]: _late(code.outputs[0])}
    probe, calls = usable[0].probe, [usable[0].result]
    calls += [code(probe), code(probe)]
    values = [r.y for r in calls if r.y is not None]
    if any(a.shape != values[0].shape or not np.array_equal(a, values[0], equal_nan=True) for a in values[1:]):
        return {}
    found = {output: second_call(output, [r.outputs for r in calls], probe) for output in code.outputs}
    return {output: finding for output, finding in found.items() if finding is not None}


def with_proportion(finding: Finding, code: Code, outcomes: Sequence[Outcome]) -> Finding:
    """Return the finding about an unexplained gradient with a note if it is not in proportion to dy."""
    usable = [o for o in outcomes if o.result.outputs.get(finding.output) is not None and o.probe.dy.size]
    if finding.cause is not None or finding.verdict is not Judgement.WRONG or not usable:
        return finding
    probe, value = usable[0].probe, usable[0].result.outputs[finding.output]
    again = code(probe.changed(2 * probe.dy)).outputs.get(finding.output)
    if again is None or same(again, 2 * value, RIGHT):
        return finding
    note = "it is not in proportion to dy, as every gradient is: something is done to dy, or to the result, besides"
    return replace(finding, notes=(*finding.notes, note))


def of_what_is_left(finding: Finding, outcomes: Sequence[Outcome]) -> Finding:
    """Return the finding about a gradient that is right for the inputs as the code leaves them."""
    if finding.verdict is not Judgement.WRONG or not any(o.result.left for o in outcomes):
        return finding
    output, names = finding.output, sorted({n for o in outcomes for n in o.result.left} - {"dy"})
    for o in outcomes:
        value = o.result.outputs.get(output)
        inputs = {n: a for n, a in o.result.left.items() if n in o.probe.inputs}
        if value is None or not same(value, o.probe.changed(**inputs).right[output], RIGHT):
            return finding
    label = "cache_overwritten_in_place"
    return Finding(
        output=output, verdict=Judgement.WRONG, cause=label, also=tuple(dict.fromkeys((finding.cause or label,))),
        says=f"your {output} is that of another {' and '.join(names)}: the code writes to it before it is read",
        evidence={"misfit": 0.0, "probes": len(outcomes)}, fix=f"{names[0]} = {names[0]}.copy()",
        where=finding.where, lesson=LESSONS[label],
    )  # fmt: skip


def _late(output: str) -> Finding:
    label = "weights_updated_before_dx"
    return Finding(
        output=output, verdict=Judgement.WRONG, cause=label, lesson=LESSONS[label],
        says=f"your {output} changes with the learning rate: the weights are updated before it is computed",
        fix=f"compute {output} first, and update the weights after it",
    )  # fmt: skip


def second_call(output: str, results: Sequence[Mapping[str, Any]], probe: Probe) -> Finding | None:
    """Return the finding if calls with the same inputs give different gradients."""
    arrays: list[Array] = [r[output] for r in results if r.get(output) is not None]
    if len(arrays) < 3 or len({a.shape for a in arrays}) > 1:
        return None
    a, b, c = arrays
    if np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True) and np.allclose(
        b, c, rtol=1e-9, atol=1e-12, equal_nan=True
    ):
        return None
    truth = probe.right.get(output)
    step = None if truth is None or truth.shape != a.shape else truth
    grows = (
        step is not None
        and np.allclose(c - b, step, rtol=1e-6, atol=1e-9)
        and np.allclose(b - a, step, rtol=1e-6, atol=1e-9)
    )
    steady = np.allclose(c - b, b - a, rtol=1e-6, atol=1e-9)
    adds = grows or steady
    label = "gradients_not_zeroed" if adds else "cache_overwritten_in_place"
    also = ("gradient_buffer_not_zeroed",) if adds else ("stale_cache", "weights_updated_before_dx")
    says = (
        f"your {output} adds up from call to call: a second call with the same inputs gives the first one's "
        "gradient on top"
        if grows or steady
        else f"your {output} is another one when the same call is made again: something that it reads was changed "
        "in between"
    )
    return Finding(
        output=output, verdict=Judgement.WRONG, cause=label, also=also, says=says, lesson=LESSONS[label],
        fix=f"{output} = np.zeros_like(...) at the start of every backward pass" if adds else "work on x.copy()",
        where="right in the first call" if step is not None and np.allclose(a, step, rtol=1e-6, atol=1e-9) else "",
    )  # fmt: skip

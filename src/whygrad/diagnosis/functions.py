"""``diagnose``: anyone's backward pass, called at probes that hide nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from whygrad import engines
from whygrad.checking.time_limit import Limited
from whygrad.diagnosis import masks
from whygrad.diagnosis.adapting import NAMES, Code, Layout, Result, parameters, unread
from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.differences import differences
from whygrad.diagnosis.domains import domains
from whygrad.diagnosis.hints import source_of
from whygrad.diagnosis.hypotheses import same
from whygrad.diagnosis.joined import activation_inside, over
from whygrad.diagnosis.judging import RIGHT, Outcome, judge, judged
from whygrad.diagnosis.layer_objects import LayerCode, is_layer
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.local_factor import as_formula
from whygrad.diagnosis.own import own_subject, recognised
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.registry import subject as subject_of
from whygrad.diagnosis.report import Diagnosis, Finding, Judgement
from whygrad.errors import CheckError, OptionError
from whygrad.typing import Array

#: Seconds that one call of a person's function may take.
TIME_LIMIT = 10.0
#: The values of options that code may do without.
USUAL: dict[str, tuple[Any, ...]] = {"stride": (1, None), "padding": (0, None)}


def diagnose(
    backward: Any = None,
    op: str | None = None,
    forward: Callable[..., Any] | None = None,
    stride: Any = None,
    padding: Any = None,
    *,
    layout: str | None = None,
    weights: str | None = None,
    outputs: Sequence[str] | None = None,
    seed: int = 0,
    time_limit: float = TIME_LIMIT,
    **options: Any,
) -> Diagnosis:
    """Say what is wrong with a backward pass, and how to mend it.

    It is called at probes that hide nothing: sizes that all differ, strides with and without a remainder,
    unsymmetric kernels, ties, γ ≠ 1, twice in a row. Its numbers are compared with the right ones and, where they
    differ, with those that each known mistake gives.

    Args:
        backward: ``backward(dy, x, w, b, stride, pad)`` in any order of names that can be recognised,
            ``backward(dout, cache)`` with its forward, or an object with ``forward`` and ``backward``; None where
            only a forward is in question.
        op: the operation, "conv2d" or one of ``whygrad.ops``; None with a forward that is its own reference.
        forward: the forward that belongs to it.
        stride: where the code works for one stride only.
        padding: likewise.
        layout: "NHWC" where images have their channels last.
        weights: the order of the weights' axes: "HWIO", "OIHW"; of dense ones "IO" or "OI".
        outputs: which gradients are returned, in order; all that the operation has if left out.
        seed: of the probes.
        time_limit: seconds that one call may take.
        options: others of the operation: ``kernel_size``, ``negative_slope``, ``axis``, ...

    Returns:
        The diagnosis: ``d.healthy``, ``d.cause``, ``d.findings``.

    Raises:
        OptionError: neither a backward nor a forward, or an unknown operation.

    Example:
        >>> def backward(dy, x, w, b):  # y = x @ w + b
        ...     return dy @ w.T, x.T @ dy, dy.mean(axis=0)
        >>> d = diagnose(backward, "linear")
        >>> d.cause, d["db"].says
        ('batch_scale_wrong', 'your db is 1/N times what it should be')
    """
    if backward is None and forward is None:
        raise OptionError(
            "diagnose", "a backward, a forward or both", "neither", "pass the function in question first"
        )
    began = time.monotonic()
    backward, forward = _methods(backward, forward)
    limited = Limited(time_limit)
    given = {k: v for k, v in {"stride": stride, "padding": padding, **options}.items() if v is not None}

    def work() -> Diagnosis:
        with engines.engine("definition"):
            target = _subject(op, forward, backward, given)
            first = (
                limited.wrap("backward", backward) if callable(backward) and not is_layer(backward) else backward
            )
            second = forward if forward is None else limited.wrap("forward", forward)
            return _diagnosed(
                target, first, second, given, layout, weights, outputs, seed, source_of(backward, forward)
            )

    try:
        found = limited.run(work)
    except CheckError as error:
        found = _hung(op or "function", error)
    return Diagnosis(subject=found.subject, findings=found.findings, notes=found.notes, calls=found.calls,
                     seconds=time.monotonic() - began)  # fmt: skip


def _methods(backward: Any, forward: Any) -> tuple[Any, Any]:
    """Return an object in place of its method, so that its state is known; functions as they are."""
    owner = getattr(backward, "__self__", None)
    if owner is not None and callable(getattr(owner, "forward", None)) and not isinstance(owner, type):
        return owner, forward if getattr(forward, "__self__", None) is not owner else None
    return backward, forward


def _subject(op: str | None, forward: Any, backward: Any, options: Mapping[str, Any]) -> Subject:
    """Return the subject: the operation that is named, the one that the forward computes, or the forward itself."""
    if op is not None:
        return subject_of(op)
    if forward is None:
        if is_layer(backward):
            raise OptionError(
                "diagnose", "op, the operation that the layer is", "None", 'pass op="conv2d" or another'
            )
        raise OptionError(
            "diagnose", "op, or a forward as its reference", "neither", 'pass op="conv2d" or forward=f'
        )
    guessed = None if "inputs" in options else recognised(forward)
    return guessed or own_subject(forward, options.get("inputs"))


def _hung(name: str, error: CheckError) -> Diagnosis:
    finding = Finding(output="all", verdict=Judgement.ERROR, says=f"the code did not come back: {error}")
    return Diagnosis(subject=name, findings=(finding,))


def _code(subject: Subject, backward: Any, forward: Any, layout: Layout, outputs: Sequence[str] | None) -> Code:
    order = (*subject.inputs, *subject.options)
    names = list(outputs or subject.build)
    if is_layer(backward):
        return LayerCode(backward, order, names, layout)
    return Code(backward, forward, order, names, layout)


def _diagnosed(
    subject: Subject, backward: Any, forward: Any, given: Mapping[str, Any],
    layout: str | None, weights: str | None, outputs: Sequence[str] | None, seed: int, source: str,
) -> Diagnosis:  # fmt: skip
    every = subject.probes(subject, np.random.default_rng(seed), given)
    every = _of_rank(_taken(every, subject, backward, forward, given), layout)
    plain = _read(every, subject, backward)
    found = _judged(subject, backward, forward, plain, layout, weights, outputs, source)
    if found.healthy and len(plain) < len(every):
        found = _judged(subject, backward, forward, every, layout, weights, outputs, source)
    return found


def _read(probes: list[Probe], subject: Subject, backward: Any) -> list[Probe]:
    """Return the probes with the usual values of options that the code takes and never reads."""
    kept = probes
    names = (
        {name.lower() for name in unread(backward)} if backward is not None and not is_layer(backward) else set()
    )
    for role, values in USUAL.items():
        if role in subject.options and names & (NAMES[role] | {role}):
            kept = [p for p in kept if _is_usual(p, role, values)] or kept
    return kept


def _judged(
    subject: Subject, backward: Any, forward: Any, probes: list[Probe],
    layout: str | None, weights: str | None, outputs: Sequence[str] | None, source: str,
) -> Diagnosis:  # fmt: skip
    code, notes = _laid_out(subject, backward, forward, probes, layout, weights, outputs)
    outcomes = [Outcome(probe, code(probe)) for probe in probes]
    outcomes, said = _one_rank(outcomes)
    notes += said
    inside = activation_inside(subject, outcomes)
    if inside is not None:
        outcomes = [Outcome(over(o.probe, inside), o.result) for o in outcomes]
        subject = inside
        notes.append(f"read as {inside.name}, since that is what your forward computes")
    if subject.name == "dropout":
        outcomes = [masks.observed(outcome) for outcome in outcomes]
    findings: list[Finding] = []
    if backward is not None:
        findings = judged(subject, code.outputs, outcomes, source)
        findings = _excused(subject, conventions(findings), outcomes, source)
        findings = [as_formula(subject, finding, code, outcomes) for finding in findings]
        findings = [_of_what_is_left(f, outcomes) for f in findings]
        again = (
            masks.resampled(outcomes)
            if subject.name == "dropout" and findings[0].cause is None and not findings[0].fine
            else None
        )
        findings = [again] if again is not None else _states(findings, code, outcomes)
    if any(o.result.y is not None for o in outcomes) or backward is None:
        findings = with_forward(subject, findings, code, outcomes, source)
        if subject.name == "dropout":
            findings[-1] = masks.forward_scale(outcomes, findings[-1])
    notes += _remarks(outcomes)
    return Diagnosis(subject=subject.name, findings=tuple(findings), notes=tuple(notes), calls=code.calls)


def _taken(
    probes: list[Probe], subject: Subject, backward: Any, forward: Any, given: Mapping[str, Any]
) -> list[Probe]:
    """Return the probes that the code can know all options of: one without a stride works for the usual one."""
    kept = probes
    for role, values in USUAL.items():
        if (
            role in subject.options
            and role not in given
            and not _knows(backward, role)
            and not _knows(forward, role)
        ):
            plain = [p for p in kept if _is_usual(p, role, values)]
            kept = plain or kept
    return kept


def _of_rank(probes: list[Probe], layout: str | None) -> list[Probe]:
    """Return the probes of the rank that a declared layout has: "NC" rows, "NCHW" images."""
    if layout is None:
        return probes
    return [p for p in probes if "x" not in p.inputs or p["x"].ndim == len(layout)] or probes


def _one_rank(outcomes: list[Outcome]) -> tuple[list[Outcome], list[str]]:
    """Return the outcomes for rows or for images alone, where code is written for one of them."""
    groups = {tag: [o for o in outcomes if tag in o.probe.tags] for tag in ("rows", "images")}
    if not all(groups.values()):
        return outcomes, []
    runs = {tag: any(o.result.error is None for o in group) for tag, group in groups.items()}
    shaped = {tag: all(_shaped(o) for o in group) for tag, group in groups.items()}
    for good in (runs, shaped):
        if good["rows"] != good["images"]:
            chosen = "rows" if good["rows"] else "images"
            other = "images (N, C, H, W)" if chosen == "rows" else "rows (N, C)"
            return groups[chosen], [f"judged for {chosen}; it is not written for {other}"]
    return outcomes, []


def _shaped(outcome: Outcome) -> bool:
    """Whether a call gave what has the shapes that gradients have."""
    outputs = outcome.result.outputs
    return outcome.result.error is None and all(
        a is None or a.shape == outcome.probe.right[n].shape for n, a in outputs.items()
    )


def _is_usual(p: Probe, role: str, values: tuple[Any, ...]) -> bool:
    value = p.options.get(role)
    return value in values or (role == "stride" and value == p.options.get("kernel_size"))


def _knows(thing: Any, role: str) -> bool:
    """Return whether code is told an option: as a parameter, in a dictionary of options, or when it is made."""
    if thing is None:
        return False
    if is_layer(thing):
        kind = thing if isinstance(thing, type) else type(thing)
        names = {p.name.lower() for p in parameters(kind)} | {k.lower() for k in getattr(thing, "__dict__", {})}
    else:
        taken = parameters(thing)
        if not taken:
            return True
        names = {p.name.lower() for p in taken}
        recognised = sum(any(name in known for known in NAMES.values()) for name in names)
        if recognised < len(names) and len(names) > 4:  # told by position
            return True
    return bool(names & (NAMES[role] | NAMES["bundle"]))


def _laid_out(
    subject: Subject, backward: Any, forward: Any, probes: Sequence[Probe], layout: str | None, weights: str | None,
    outputs: Sequence[str] | None,
) -> tuple[Code, list[str]]:  # fmt: skip
    """Return the code with the layout that is declared, or else the first in which its results' shapes fit."""
    if layout or weights:
        images = (layout or "NCHW").upper()
        chosen = Layout("NCHW" if images == "NC" else images, (weights or default_weights(subject)).upper())
        return _code(subject, backward, forward, chosen, outputs), []
    best: tuple[float, Code, Layout] | None = None
    for candidate in layouts(subject):
        code = _code(subject, backward, forward, candidate, outputs)
        score = np.mean([_fits(p, code(p)) for p in probes[:3]])
        if best is None or score > best[0] + 1e-9:
            best = (float(score), code, candidate)
        if score == 1.0:
            break
    assert best is not None
    _, code, chosen = best
    return code, [] if chosen == layouts(subject)[0] else [read_as(subject, chosen)]


def read_as(subject: Subject, layout: Layout) -> str:
    """Return how arrays were read, as a note."""
    weights = {"IO": "(in, out)", "OI": "(out, in)"}.get(layout.weights, layout.weights)
    told = [f"images as {layout.images}"] if subject.name.endswith("2d") else []
    told += [f"weights as {weights}"] if "w" in subject.inputs else []
    return f"read with {' and '.join(told)}, which fits your shapes"


def _fits(probe: Probe, result: Result) -> float:
    """Return how well the shapes of the results fit, from 0 to 1; a little more where the numbers are right."""
    if result.error is not None:
        return 0.0
    shaped = [name for name, a in result.outputs.items() if a is not None and a.shape == probe.right[name].shape]
    numbers = [
        name for name in shaped if np.allclose(result.outputs[name], probe.right[name], rtol=1e-5, atol=1e-8)
    ]
    if result.y is not None:
        fits = result.y.shape == probe.y.shape
        right = fits and np.allclose(result.y, probe.y, rtol=1e-5, atol=1e-8)
        return (len(shaped) + len(numbers) + fits + right) / (2 * len(result.outputs) + 2)
    return (len(shaped) + len(numbers)) / max(2 * len(result.outputs), 1)


def layouts(subject: Subject) -> list[Layout]:
    """Return the layouts that code of this operation may have, the usual one first."""
    if subject.name == "linear":
        return [Layout(weights="IO"), Layout(weights="OI")]
    if subject.name in ("conv2d", "conv_transpose2d"):
        orders = [("NCHW", "FCRS"), ("NHWC", "HWIO"), ("NHWC", "FCRS"), ("NCHW", "HWIO"), ("NHWC", "OHWI")]
        return [Layout(images, weights) for images, weights in orders]
    if "x" in subject.inputs and subject.name.endswith("2d"):
        return [Layout(), Layout("NHWC")]
    return [Layout()]


def default_weights(subject: Subject) -> str:
    """Return the usual order of the weights' axes."""
    return layouts(subject)[0].weights


def _states(findings: list[Finding], code: Code, outcomes: Sequence[Outcome]) -> list[Finding]:
    """Return the findings with what a second call of the same shows."""
    usable = [
        o for o in outcomes if o.result.error is None and any(a is not None for a in o.result.outputs.values())
    ]
    if not usable:
        return findings
    if any(o.result.late for o in usable):
        findings = [_late(f) if f.output == code.outputs[0] and not f.fine else f for f in findings]
    first = usable[0]
    earlier = first.result.outputs
    again, third = code(first.probe), code(first.probe)
    changed = []
    for finding in findings:
        found = second_call(finding.output, [earlier, again.outputs, third.outputs], first.probe)
        random = "rng" in code.order or "dropout" in finding.also
        changed.append(
            found if found is not None and finding.verdict is not Judgement.MISSING and not random else finding
        )
    return changed


def _of_what_is_left(finding: Finding, outcomes: Sequence[Outcome]) -> Finding:
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


def _late(finding: Finding) -> Finding:
    label = "weights_updated_before_dx"
    return Finding(
        output=finding.output, verdict=Judgement.WRONG, cause=label, says=f"your {finding.output} changes with the "
        "learning rate: the weights are updated before it is computed", lesson=LESSONS[label],
        fix="compute dx first, and update the weights after it", where=finding.where,
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


def _remarks(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what is to be said of the code beside its numbers."""
    said = []
    written = sorted({name for o in outcomes for name in o.result.written})
    if written:
        said.append(f"it writes to {', '.join(written)}, which belongs to whoever calls it: work on a copy")
    if any(o.result.printed for o in outcomes):
        said.append("it prints")
    refused = [o for o in outcomes if o.result.refused]
    if refused:
        said.append(
            f"it refuses {len(refused)} of the {len(outcomes)} sizes that were tried: {refused[0].result.error}"
        )
    return said


def conventions(findings: list[Finding]) -> list[Finding]:
    """Return the findings, a factor that all gradients share being told as a convention.

    One factor for every output is a loss that was averaged or summed. One that the outputs do not share is a bug.
    """
    factors = {f.output: f.evidence.get("factor_name") for f in findings}
    names = set(factors.values())
    if len(findings) < 2 or len(names) != 1 or None in names or "-1" in names:
        return findings
    (name,) = names
    says = (
        f"{{}} is {name} times the gradient of Σ dy·y, as all the others are: a convention of the loss (mean or "
        f"sum); the learning rate means {name} of what it otherwise would"
    )
    return [
        Finding(
            output=f.output, verdict=Judgement.CONVENTION, cause=f.cause, also=f.also,
            says=says.format(f"your {f.output}"),
            evidence=f.evidence, where=f.where, lesson=f.lesson,
        )
        for f in findings
    ]  # fmt: skip


def _excused(subject: Subject, findings: list[Finding], outcomes: Sequence[Outcome], source: str) -> list[Finding]:
    """Return the findings; what one gradient is judged for holds for the others as well.

    Code that fails somewhere because of one gradient says nothing against the others, and an output that is right
    at the sizes for which another one was judged is not wrong because it is not at others.
    """
    told = [f for f in findings if f.cause is not None and f.verdict is not Judgement.ERROR]
    if not told:
        return findings
    sizes = {f.evidence.get("sizes") for f in told} - {None}
    inside = [d.probes for d in domains([o.probe for o in outcomes]) if d.name in sizes]
    kept = [o for o in outcomes if not inside or o.probe.name in inside[0]]
    return [_excused_one(subject, finding, kept if inside else None, source) for finding in findings]


def _excused_one(subject: Subject, finding: Finding, kept: list[Outcome] | None, source: str) -> Finding:
    if finding.verdict is Judgement.ERROR:
        return Finding(output=finding.output, verdict=Judgement.RIGHT, notes=("where the code runs",))
    if finding.cause is None and kept is not None and not finding.verdict.good:
        again = judge(subject, finding.output, kept, source)
        return replace(again, notes=("at these sizes",)) if again.fine else finding
    return finding


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

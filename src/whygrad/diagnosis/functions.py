"""``diagnose``: anyone's backward pass, called at probes that hide nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from whygrad import engines
from whygrad.checking.time_limit import Limited
from whygrad.diagnosis import masks
from whygrad.diagnosis.adapting import Code, Result
from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.conventions import conventions, excused
from whygrad.diagnosis.forwards import with_forward
from whygrad.diagnosis.hints import source_of
from whygrad.diagnosis.joined import activation_inside, over
from whygrad.diagnosis.judging import judged
from whygrad.diagnosis.layer_objects import LayerCode, is_layer
from whygrad.diagnosis.layouts import Layout, default_weights, layouts, read_as
from whygrad.diagnosis.local_factor import as_formula
from whygrad.diagnosis.outcomes import Outcome
from whygrad.diagnosis.own import own_subject, recognised
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.registry import subject as subject_of
from whygrad.diagnosis.report import Diagnosis, Finding, Judgement
from whygrad.diagnosis.scope import of_rank, one_rank, told_of, without_unread
from whygrad.diagnosis.states import changing, of_what_is_left, with_proportion
from whygrad.errors import CheckError, OptionError

#: Seconds that one call of a person's function may take.
TIME_LIMIT = 10.0


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
    every = of_rank(told_of(every, subject, backward, forward, given), layout)
    plain = without_unread(every, subject, backward)
    found = _judged(subject, backward, forward, plain, layout, weights, outputs, source)
    if found.healthy and len(plain) < len(every):
        found = _judged(subject, backward, forward, every, layout, weights, outputs, source)
    return found


def _judged(
    subject: Subject, backward: Any, forward: Any, probes: list[Probe],
    layout: str | None, weights: str | None, outputs: Sequence[str] | None, source: str,
) -> Diagnosis:  # fmt: skip
    code, notes = _laid_out(subject, backward, forward, probes, layout, weights, outputs)
    outcomes = [Outcome(probe, code(probe)) for probe in probes]
    outcomes, said = one_rank(outcomes)
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
        drawn_anew = subject.name == "dropout" and masks.resampled(outcomes) is not None
        told = {} if drawn_anew else changing(code, outcomes)
        findings = judged(subject, [o for o in code.outputs if o not in told], outcomes, source)
        findings = excused(subject, conventions(findings), outcomes, source)
        findings = [as_formula(subject, finding, code, outcomes) for finding in findings]
        findings = [with_proportion(of_what_is_left(f, outcomes), code, outcomes) for f in findings]
        if subject.name == "dropout":
            findings = [_resampled(f, outcomes) for f in findings]
        by_name = {f.output: f for f in findings} | told
        findings = [by_name[output] for output in code.outputs]
    if any(o.result.y is not None for o in outcomes) or backward is None:
        findings = with_forward(subject, findings, code, outcomes, source)
        if subject.name == "dropout":
            findings[-1] = masks.forward_scale(outcomes, findings[-1])
    notes += _remarks(outcomes)
    return Diagnosis(subject=subject.name, findings=tuple(findings), notes=tuple(notes), calls=code.calls)


def _resampled(finding: Finding, outcomes: Sequence[Outcome]) -> Finding:
    """Return the finding about dropout's dx, which another mask than the forward's may explain."""
    again = None if finding.fine or finding.cause is not None else masks.resampled(outcomes)
    return finding if again is None else again


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

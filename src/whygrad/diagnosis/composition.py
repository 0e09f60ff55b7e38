"""Errors that no single mistake describes: sums with a wrong coefficient, sums of which one term is left.

Both are read off the numbers. What a gradient is the sum of is known, so which terms are there, and how often, can
be solved for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.hypotheses import Sample
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.diagnosis.scaling import ONE, Factor, explain
from whygrad.typing import Array, IntArray

#: Entries that there have to be for each coefficient, and entries that need more than one term.
ENOUGH, SEVERAL = 4, 12


class Term(NamedTuple):
    """One of the terms that a gradient is the sum of."""

    name: str  #: "the term through the mean"
    value: Array
    missing: str  #: the cause, where it is left out
    wrong: str  #: the cause, where it has another factor


def composed(subject: Subject, output: str, known: Sequence[Sample]) -> Finding | None:
    """Return the finding if an output is made of its right terms with other factors; None if it is not."""
    make = subject.terms.get(output)
    if make is None or any(s.value is None for s in known):
        return None
    solved = [_solved(make(s.probe), s) for s in known]
    if not solved or any(c is None for c in solved):
        return None
    terms = make(known[0].probe)
    factors = [_factor([float(c[k]) for c in solved if c is not None], known) for k in range(len(terms))]
    told = [(term, factor) for term, factor in zip(terms, factors, strict=True) if factor is None or factor.cost]
    if not told or any(f is not None and not f.named for _, f in told):
        return None
    causes = dict.fromkeys(_cause(term, factor) for term, factor in told)
    does = " and ".join(_does(term, factor) for term, factor in told)
    first, *others = causes
    return Finding(
        output=output, verdict=Judgement.WRONG, cause=first, also=tuple(others), says=f"your {output} {does}",
        evidence={"misfit": max(_misfit(make(s.probe), s) for s in known), "probes": len(known),
                  "entries": sum(s.value.size for s in known if s.value is not None)},
        fix=subject.lines.get(output, ""), lesson=LESSONS.get(first, ""),
    )  # fmt: skip


def _matrix(terms: Sequence[Term]) -> Array:
    return np.stack([np.broadcast_to(t.value, terms[0].value.shape).ravel() for t in terms], axis=1)


def _solved(terms: Sequence[Term], sample: Sample) -> Array | None:
    """Return the coefficients of the terms; None where they do not give the numbers, or are not determined."""
    assert sample.value is not None
    value = sample.value.ravel()
    if (
        sample.value.shape != terms[0].value.shape
        or value.size < ENOUGH * len(terms)
        or not np.isfinite(value).all()
    ):
        return None
    coefficients, _, rank, _ = np.linalg.lstsq(_matrix(terms), value, rcond=None)
    if rank < len(terms) or _misfit(terms, sample) > sample.precision:
        return None
    return np.asarray(coefficients)


def _misfit(terms: Sequence[Term], sample: Sample) -> float:
    assert sample.value is not None
    value, a = sample.value.ravel(), _matrix(terms)
    c = np.linalg.lstsq(a, value, rcond=None)[0]
    return float(np.abs(a @ c - value).max() / max(float(np.abs(value).max()), 1e-300))


def _factor(coefficients: Sequence[float], known: Sequence[Sample]) -> Factor | None:
    """Return the factor of a term; None where it is left out, and one without a name where nothing explains it."""
    precision = max(s.precision for s in known)
    if max(map(abs, coefficients)) < 10 * precision:
        return None
    if all(abs(c - 1) < 10 * precision for c in coefficients):
        return ONE
    found = explain(coefficients, [s.probe.sizes for s in known], precision)
    return Factor("?", tuple(coefficients), False, 9) if found is None else found


def _cause(term: Term, factor: Factor | None) -> str:
    if factor is None:
        return term.missing
    return "sign_error" if factor.sign_only else term.wrong


def _does(term: Term, factor: Factor | None) -> str:
    if factor is None:
        return f"lacks {term.name}"
    return f"has {term.name} with the wrong sign" if factor.sign_only else f"has {term.name} {factor.name} times"


def uniform(subject: Subject, output: str, known: Sequence[Sample]) -> Finding | None:
    """Return the finding if a convolution's dw holds one number in all taps, which no sum with shifts gives."""
    values = [
        s.value for s in known if s.value is not None and s.value.ndim == 4 and np.prod(s.value.shape[2:]) > 1
    ]
    if not subject.name.startswith("conv2d") or output != "dw" or len(values) < len(known):
        return None
    if not all(np.ptp(v, axis=(2, 3)).max() <= 1e-9 * np.abs(v).max() and v.any() for v in values):
        return None
    label = "convolution_replaced_by_elementwise_product"
    return Finding(
        output=output, verdict=Judgement.WRONG, cause=label, also=("output_used_instead_of_input",),
        says="your dw is one number in all taps: products are summed without any shift", fix=subject.lines[output],
        lesson=LESSONS[label],
    )  # fmt: skip


def turned(subject: Subject, output: str, known: Sequence[Sample]) -> Finding | None:
    """Return the finding if some entries have the wrong sign and nothing else is wrong."""
    told: list[str] = []
    for sample in known:
        truth = sample.probe.y if output == "y" else sample.probe.right.get(output)
        if sample.value is None or truth is None or sample.value.shape != truth.shape:
            return None
        bound = max(sample.precision, 1e-9) * float(np.abs(truth).max(initial=0))
        if (np.abs(np.abs(sample.value) - np.abs(truth)) > bound).any():
            return None
        wrong = np.argwhere(np.abs(sample.value - truth).squeeze() > bound)
        told += [str([int(i) for i in index]) for index in wrong]
    total = sum(s.value.size for s in known if s.value is not None)
    if not 0 < len(told) < total or total < ENOUGH:
        return None
    listed = ", ".join(told[:6]) + (f" and {len(told) - 6} more" if len(told) > 6 else "")
    return Finding(
        output=output, verdict=Judgement.WRONG, cause="sign_error", says=f"your {output} has the wrong sign in "
        f"{len(told)} of {total} entries, {listed}, and is right but for that", fix=subject.lines.get(output, ""),
        evidence={"misfit": 0.0, "probes": len(known), "entries": total},
        lesson="Each entry is a sum of products of its own. In these the sign was lost: add them up once more.",
    )  # fmt: skip


def overwritten(subject: Subject, output: str, known: Sequence[Sample]) -> Finding | None:
    """Return the finding if each entry is one of the contributions that it should be the sum of."""
    make = subject.contributions.get(output)
    if make is None or any(s.value is None for s in known):
        return None
    several = 0
    for sample in known:
        assert sample.value is not None
        counted = max((_chosen(c, sample.value, sample.precision) for c in make(sample.probe)), default=-1)
        if counted < 0:
            return None
        several += counted
    if several < SEVERAL:
        return None
    label = "overlap_overwritten"
    return Finding(
        output=output, verdict=Judgement.WRONG, cause=label, also=("wrong_loop_variable_as_index",),
        says=f"each entry of your {output} is one of the contributions that it should be the sum of",
        evidence={"misfit": 0.0, "probes": len(known), "entries": several}, fix=subject.lines.get(output, ""),
        lesson=f"{LESSONS[label]} With an array of indices, a[i] += b counts each once; np.add.at(a, i, b) adds.",
    )  # fmt: skip


def _chosen(contributions: Array, value: Array, precision: float) -> int:
    """Return how many entries are one of several contributions; −1 where an entry is none of its own."""
    if contributions.shape[:-1] != value.shape:
        return -1
    there = np.isfinite(contributions)
    bound = 10 * precision * max(float(np.abs(value).max(initial=0)), 1e-300)
    hit = (np.abs(np.where(there, contributions, np.inf) - value[..., None]) <= bound).any(-1)
    counts = there.sum(-1)
    if not np.where(counts > 0, hit, np.abs(value) <= bound).all():
        return -1
    return int((counts > 1).sum())


def gathered(back: Array, a: IntArray, b: IntArray, size: tuple[int, int]) -> Array:
    """Return the contributions to each entry of an image, (N, C, H, W, K), NaN where there is none.

    Args:
        back: what each tap of each window gives, (N, C, I, J, K).
        a: the rows (I, J, K) that they go to.
        b: likewise the columns.
        size: H and W.

    Example:
        >>> row = np.arange(3.0).reshape(1, 1, 1, 3, 1)
        >>> gathered(row, np.zeros((1, 3, 1), int), np.arange(3).reshape(1, 3, 1), (1, 4))[0, 0, 0, :, 0]
        array([ 0.,  1.,  2., nan])
    """
    canvas = np.full((*back.shape[:2], *size, back.shape[-1]), np.nan)
    for k in range(back.shape[-1]):
        canvas[:, :, a[..., k], b[..., k], k] = back[..., k]
    return canvas

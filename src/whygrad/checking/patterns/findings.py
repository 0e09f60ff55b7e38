"""From numbers to sentences: where a gradient is wrong, and what explains it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from whygrad.checking.patterns.fitting import Evidence
from whygrad.checking.patterns.regions import Places, where
from whygrad.checking.patterns.transformations import explained
from whygrad.typing import Array, BoolArray, IntArray

#: Relative error that an explanation is allowed besides the bounds of the finite differences.
RELATIVE = 1e-6
WEIGHTS = re.compile(r"(.*[._])?(w|weights?|kernels?|filters?|k)\d*", re.IGNORECASE)


class Sampled(NamedTuple):
    """What is known of one gradient."""

    analytic: Array  #: the claimed gradient, whole, with any number of axes
    indices: IntArray  #: (K,) flat indices of the entries that were compared, maybe all of them
    numeric: Array  #: (K,) finite differences there
    bound: Array  #: (K,) error bounds of those
    wrong: BoolArray  #: (K,) which entries were judged wrong


def axis_names(name: str, ndim: int) -> tuple[str, ...]:
    """Return what the axes of an array are called in sentences.

    Args:
        name: of the array: "x", "w", "conv1.weight".
        ndim: how many axes it has.

    Example:
        >>> axis_names("conv1.weight", 4)
        ('filter', 'channel', 'row', 'column')
        >>> axis_names("x", 4)
        ('sample', 'channel', 'row', 'column')
        >>> axis_names("b", 1)
        ('entry',)
    """
    if ndim == 4:
        return ("filter" if WEIGHTS.fullmatch(name) else "sample", "channel", "row", "column")
    known: dict[int, tuple[str, ...]] = {0: (), 1: ("entry",), 2: ("row", "column")}
    return known.get(ndim, tuple(f"axis {axis}" for axis in range(ndim)))


def findings(
    sampled: Sampled,
    *,
    axes: Sequence[str] | None = None,
    sizes: Mapping[str, int] = {},
    others: Mapping[str, Array] = {},
) -> list[str]:
    """Return where a gradient is wrong and what explains it, in at most three sentences.

    Args:
        sampled: the gradient and what is known of it.
        axes: names of its axes in the singular, such as ("filter", "channel", "row", "column").
        sizes: named numbers that a factor may come from, such as {"the batch size": 64}.
        others: named arrays that it may have been confused with or that a factor or a term of it may be, such as
            {"w": w, "dy": dy}.

    Returns:
        The NaN and infinite entries if there are any, then where it is wrong, then an explanation if one holds at
        every compared entry and could not be chance. Nothing if no entry is wrong.

    Example:
        >>> right = np.arange(1.0, 7.0).reshape(2, 3)
        >>> everything = np.arange(6), right.ravel(), np.full(6, 1e-9)
        >>> for line in findings(Sampled(right[:, ::-1], *everything, np.arange(6) % 3 != 1)):
        ...     print(line)
        wrong in the first and the last column, right elsewhere (4 of the 6 entries)
        flipped: the right numbers, in reverse order along the axis column
    """
    sampled = sampled._replace(analytic=_floating(sampled.analytic))
    analytic, wrong = sampled.analytic, np.asarray(sampled.wrong, bool)
    sentences = [line for line in (_not_finite(analytic),) if line]
    if not wrong.any():
        return sentences
    names = tuple(axes) if axes is not None else axis_names("", analytic.ndim)
    evidence, right = _evidence(sampled, names, sizes, others)
    complete = np.unique(sampled.indices).size == analytic.size
    at = np.unravel_index(sampled.indices, analytic.shape) if analytic.ndim else ()
    sentences.append(where(Places(analytic.shape, names, at, wrong, right, complete)))
    return sentences + explained(evidence)


def _not_finite(analytic: Array) -> str | None:
    """Return a sentence on the NaN and infinite entries, if there are any."""
    parts = []
    for name, found in (("NaN", np.isnan(analytic)), ("infinity", np.isinf(analytic))):
        count = int(found.sum())
        if count == analytic.size and count:
            parts.append(f"{name} in every entry")
        elif count:
            first = [int(i) for i in np.unravel_index(int(found.argmax()), analytic.shape)]
            parts.append(f"{name} in {count} of the {analytic.size} entries, first at {first}")
    return f"not finite: {'; '.join(parts)}" if parts else None


def _floating(array: Array) -> Array:
    """Return an array of floating-point numbers, also if whole numbers were claimed."""
    array = np.asarray(array)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)


def _evidence(
    sampled: Sampled, axes: Sequence[str], sizes: Mapping[str, int], others: Mapping[str, Array]
) -> tuple[Evidence, BoolArray]:
    """Return the evidence for explanations, and which compared entries speak for being right."""
    analytic = sampled.analytic
    shape = tuple(size for size in analytic.shape if size > 1) or (1,)
    names = [axis for axis, size in zip(axes, analytic.shape, strict=True) if size > 1] or ["entry"]
    numeric = np.asarray(sampled.numeric, np.float64)
    known = np.isfinite(numeric) & np.isfinite(sampled.bound)
    claimed = analytic.ravel()[sampled.indices].astype(np.float64)
    wrong = np.asarray(sampled.wrong, bool)
    tolerance = _tolerance(analytic, numeric, np.asarray(sampled.bound, np.float64))
    # Laws allow more than the verdict did: an entry that differs by less than that supports none of them.
    with np.errstate(invalid="ignore"):
        distinct = wrong & ~(np.abs(claimed - numeric) <= tolerance)
    telling = known & _telling(claimed, numeric, tolerance, wrong)
    evidence = Evidence(
        analytic=analytic.reshape(shape).astype(np.float64, copy=False),
        axes=tuple(names),
        at=tuple(np.unravel_index(sampled.indices[known], shape)),
        claimed=claimed[known],
        numeric=numeric[known],
        tolerance=tolerance[known],
        wrong=distinct[known],
        telling=(telling | distinct)[known],
        sizes=sizes,
        others={name: np.squeeze(other) for name, other in others.items()},
    )
    return evidence, telling & ~wrong


def _tolerance(analytic: Array, numeric: Array, bound: Array) -> Array:
    """Return how far the right gradient may be from the finite differences, rounding of the claim included."""
    with np.errstate(invalid="ignore"):
        finite = np.abs(analytic[np.isfinite(analytic)])
        rounding = 8 * float(np.finfo(analytic.dtype).eps) * float(finite.max(initial=0.0))
        return bound + RELATIVE * np.abs(numeric) + rounding


def _telling(claimed: Array, numeric: Array, tolerance: Array, wrong: BoolArray) -> BoolArray:
    """Return where an error of the usual relative size would have been noticed."""
    with np.errstate(all="ignore"):
        largest = np.maximum(np.abs(claimed), np.abs(numeric))
        relative = (np.abs(claimed - numeric) / largest)[wrong]
        usual = float(np.median(relative[np.isfinite(relative)])) if np.isfinite(relative).any() else 1.0
        return largest * min(usual, 1.0) > 3 * tolerance

"""Whether one factor explains a wrong gradient, and where that factor comes from."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from whygrad.checking.patterns.fitting import CONVINCING, Evidence, Interval, digits, precision, slope, slopes

#: A constant less certain than this gets no name, since too many names would fit.
CERTAIN = 1e-3
#: Evidence in nats that one or two entries have to give for a factor among few names.
NAMED = 9.0


def factor(evidence: Evidence) -> str | None:
    """Return a sentence if what is claimed is one number times the right gradient, at all wrong entries.

    Three entries or more have to agree on it. One or two are enough for ±1, 2, ½ and the named sizes.

    Example:
        >>> right, t, yes = np.array([1.0, 2.0, 5.0]), np.full(3, 1e-9), np.ones(3, bool)
        >>> factor(Evidence(7 * right, ("entry",), (np.arange(3),), 7 * right, right, t, yes, yes, {}, {}))
        'a factor explains it: what is claimed is 7 times the right gradient'
    """
    wrong = evidence.wrong
    numeric, tolerance = evidence.numeric[wrong], evidence.tolerance[wrong]
    found = inverse(slope(numeric, evidence.claimed[wrong], tolerance))
    if found is None or found.contains(1.0):
        return None
    name = named(found, evidence.sizes)
    strong = np.abs(numeric) > 4 * tolerance
    # Equal numbers agree on any law, so that together they count as one.
    several = strong.sum() >= 3 and np.ptp(numeric[strong]) > 4 * tolerance.max()
    if several and precision(numeric, tolerance) > CONVINCING:
        name = name or f"{short(found)} times the right gradient"
    elif name is None or digits(numeric, tolerance).sum() < NAMED or not _simple(found, evidence.sizes):
        return None
    return f"{'the sign' if found.contains(-1.0) else 'a factor'} explains it: what is claimed is {name}"


def inverse(interval: Interval | None) -> Interval | None:
    """Return the interval of 1/c; None if c may be 0.

    Example:
        >>> inverse(Interval(2.0, 4.0))
        Interval(low=0.25, high=0.5)
    """
    if interval is None or interval.low <= 0 <= interval.high:
        return None
    return Interval(1 / interval.high, 1 / interval.low)


def short(interval: Interval) -> str:
    """Return the constant in as many digits as say something.

    Example:
        >>> short(Interval(0.33333329, 0.33333337))
        '0.33333'
    """
    digits = f"{interval.middle:.5g}"
    return f"{interval.middle:.9g}" if digits in ("1", "-1") else digits


def _simple(factor: Interval, sizes: Mapping[str, int]) -> bool:
    """Whether the factor is a number that mistakes are made of, so that one or two entries are enough."""
    plain = {s for size in sizes.values() if size for s in (size, 1 / size)} | {1.0, 2.0, 0.5}
    return any(factor.contains(sign * value) for value in plain for sign in (1, -1))


def named(factor: Interval, sizes: Mapping[str, int]) -> str | None:
    """Return what the factor is, with its origin if a size gives one; None if it is no telling number.

    Example:
        >>> named(Interval(0.24999999, 0.25000001), {"the batch size": 4})
        '1/4 of the right gradient, and 4 is the batch size: divided by it once too often?'
    """
    if factor.width > CERTAIN:
        return None
    if factor.contains(-1.0):
        return "−1 times the right gradient: a minus sign is missing, or one too many"
    flipped = factor.high < 0
    size = Interval(-factor.high, -factor.low) if flipped else factor
    words = _origin(size, sizes) or _plain(size)
    return f"minus {words}" if words and flipped else words


def _origin(factor: Interval, sizes: Mapping[str, int]) -> str | None:
    """Return what the factor is if it, or its inverse, is a size or the product of two."""
    known = {name: size for name, size in sizes.items() if size > 1}
    products = {f"{a} times {b}": m * n for (a, m), (b, n) in combinations(known.items(), 2)}
    for numbers in (known, products):
        for inverse in (False, True):
            names = [name for name, n in numbers.items() if factor.contains(1 / n if inverse else n)]
            values = {numbers[name] for name in names}
            if len(values) == 1:
                n, origin = values.pop(), ", also ".join(names)
                if inverse:
                    return f"1/{n} of the right gradient, and {n} is {origin}: divided by it once too often?"
                return f"{n} times the right gradient, and {n} is {origin}: is a division by it missing?"
    return None


def _plain(factor: Interval) -> str | None:
    """Return what the factor is if it is a number that mistakes are made of."""
    if factor.contains(2.0):
        return "2 times the right gradient, exactly twice too large: counted twice, or a ½ is missing"
    if factor.contains(0.5):
        return "half the right gradient: a factor of 2 is missing, or a ½ too many"
    number = _fraction(factor)
    return f"{number} the right gradient" if number else None


def _fraction(factor: Interval) -> str | None:
    """Return a whole number or a small fraction that the factor is."""
    whole = round(factor.middle)
    if 0 < whole < 10000 and factor.contains(whole):
        return f"{whole} times"
    inverse = round(1 / factor.middle) if factor.middle else 0
    if 0 < inverse < 10000 and factor.contains(1 / inverse):
        return f"1/{inverse} of"
    for denominator in range(2, 13):
        numerator = round(factor.middle * denominator)
        if 0 < numerator <= 12 and factor.contains(numerator / denominator):
            return f"{numerator}/{denominator} {'of' if numerator < denominator else 'times'}"
    return None


def factor_along_an_axis(evidence: Evidence) -> str | None:
    """Return a sentence if each index of some axis has a factor of its own.

    Example:
        >>> right, t, yes = np.arange(1.0, 9.0).reshape(2, 4), np.full(8, 1e-9), np.ones(8, bool)
        >>> claimed, at = right * [[2], [3]], tuple(np.indices((2, 4)).reshape(2, -1))
        >>> factor_along_an_axis(Evidence(claimed, ("channel", "row"), at, claimed.ravel(), right.ravel(), t, yes,
        ...                               yes, {}, {}))
        'each channel has a factor of its own: what is claimed is 2, 3 times the right gradient in channel 0, 1'
    """
    strong = np.abs(evidence.numeric) > 4 * evidence.tolerance
    for axis, size in enumerate(evidence.analytic.shape if evidence.analytic.ndim > 1 else ()):
        group = evidence.at[axis]
        if (np.bincount(group[strong], minlength=size) < 2).any():
            continue
        found = slopes(evidence.numeric, evidence.claimed, evidence.tolerance, group, size)
        if found is None or not np.isfinite(found).all() or (found[0] * found[1] <= 0).any():
            continue
        wrong = evidence.wrong & strong
        if precision(evidence.numeric[wrong], evidence.tolerance[wrong], group[wrong]) > CONVINCING:
            name, more = evidence.axes[axis], ", ..." if size > 6 else ""
            factors = ", ".join(
                short(Interval(1 / high, 1 / low)) for low, high in list(zip(*found, strict=True))[:6]
            )
            indices = ", ".join(str(i) for i in range(min(size, 6)))
            return (
                f"each {name} has a factor of its own: what is claimed is {factors}{more} times the right gradient"
                f" in {name} {indices}{more}"
            )
    return None

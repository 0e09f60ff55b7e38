"""Whether numbers that are known to within bounds fit a law, and how surprising it is that they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from whygrad.typing import Array, BoolArray, IntArray

#: How unlikely a chance agreement has to be, in nats (units of ln): e⁻²⁰ is one in five hundred million, for the
#: some four hundred laws that are tried.
CONVINCING = 20.0


class Evidence(NamedTuple):
    """A gradient and what is known of it, without the axes of size 1."""

    analytic: Array  #: the claimed gradient, whole
    axes: tuple[str, ...]  #: names of its axes
    at: tuple[IntArray, ...]  #: the compared entries' indices along each axis
    claimed: Array  #: (K,) the claimed gradient there
    numeric: Array  #: (K,) the finite differences there
    tolerance: Array  #: (K,) how far from them the truth may be
    wrong: BoolArray  #: (K,)
    telling: BoolArray  #: (K,) which of them could tell right from wrong: 0 beside 0 cannot
    sizes: Mapping[str, int]  #: named numbers that could be a factor
    others: Mapping[str, Array]  #: named arrays that the gradient may have been confused with


class Interval(NamedTuple):
    """All values of a constant at which a law holds within the bounds."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The value to print."""
        return (self.low + self.high) / 2

    @property
    def width(self) -> float:
        """How uncertain the constant is, relative to its size."""
        return (self.high - self.low) / abs(self.middle) if self.middle else float("inf")

    def contains(self, value: float) -> bool:
        """Whether the constant may be this number."""
        return self.low <= value <= self.high


def slopes(y: Array, x: Array, tolerance: Array, group: IntArray, groups: int) -> tuple[Array, Array] | None:
    """Return for each group the least and greatest c with |y − c·x| ≤ tolerance; None if a group has none.

    Example:
        >>> low, high = slopes(np.array([2., 4., 9.]), np.array([1., 2., 3.]), np.full(3, 0.1),
        ...                    np.array([0, 0, 1]), 2)
        >>> low.round(3), high.round(3)
        (array([1.95 , 2.967]), array([2.05 , 3.033]))
    """
    known = x != 0
    if not np.isfinite(x).all() or (np.abs(y[~known]) > tolerance[~known]).any():
        return None
    with np.errstate(over="ignore", divide="ignore"):
        ends = (y[known] - tolerance[known]) / x[known], (y[known] + tolerance[known]) / x[known]
    low, high = np.full(groups, -np.inf), np.full(groups, np.inf)
    np.maximum.at(low, group[known], np.minimum(*ends))
    np.minimum.at(high, group[known], np.maximum(*ends))
    return (low, high) if (low <= high).all() else None


def slope(y: Array, x: Array, tolerance: Array) -> Interval | None:
    """Return all c with |y − c·x| ≤ tolerance everywhere; None if there is none, or nothing limits them.

    Example:
        >>> slope(np.array([2., 4.]), np.array([1., 2.]), np.full(2, 0.5))
        Interval(low=1.75, high=2.25)
    """
    found = slopes(y, x, tolerance, np.zeros(len(y), np.intp), 1)
    if found is None or not np.isfinite(found[0]).all() or not np.isfinite(found[1]).all():
        return None
    return Interval(float(found[0][0]), float(found[1][0]))


def precision(values: Array, tolerance: Array, group: IntArray | None = None) -> float:
    """Return the nats by which agreeing on one constant (for each group) surprises, given these relative errors.

    The entry of each group that is known best is spent on finding the constant; each further one could have
    disagreed.

    Example:
        >>> round(precision(np.ones(3), np.full(3, 0.005)), 2)  # two coincidences of one in a hundred
        9.21
    """
    if not len(values):
        return 0.0
    group = np.zeros(len(values), np.intp) if group is None else group
    nats = digits(values, tolerance)
    best = np.zeros(int(group.max()) + 1)
    np.maximum.at(best, group, nats)
    return float(nats.sum() - best.sum())


def digits(values: Array, tolerance: Array) -> Array:
    """Return how precisely each value is known, in nats: 0 where its error is as large as itself.

    Example:
        >>> digits(np.array([1.0, 0.001]), np.array([0.005, 0.005])).round(2)
        array([4.61, 0.  ])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 2 * tolerance / np.abs(values)
    return np.abs(np.log(np.clip(np.nan_to_num(ratio, nan=1.0), 1e-12, 1.0)))


def coincidence(numeric: Array, predicted: Array, tolerance: Array, counted: BoolArray) -> float:
    """Return the nats by which it surprises that ``predicted`` fits at the counted entries.

    It is measured against what chance would do: another of the predicted numbers in its place, or any number.

    Example:
        >>> right = np.array([1.0, 2.0, 3.0, 3.0])
        >>> coincidence(right, right, np.full(4, 1e-6), np.array([True, True, False, False])) > 28
        True
        >>> coincidence(right, right, np.full(4, 1e-6), np.array([False, False, True, True])) > 3
        False
    """
    pool = np.sort(predicted)
    value, reach = numeric[counted], tolerance[counted]
    fitting = np.searchsorted(pool, value + reach, "right") - np.searchsorted(pool, value - reach, "left")
    by_place = np.maximum(fitting - 1, 0) / max(len(pool) - 1, 1)
    by_size = 2 * reach / max(float(np.abs(numeric).max(initial=0.0)), np.finfo(float).tiny)
    return float(-np.log(np.clip(by_place + by_size, 1e-12, 1.0)).sum())

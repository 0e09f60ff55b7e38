"""Slopes from differences: central, extrapolated, with a bound for their error, and one-sided.

A step that is too large is wrong by the function's curvature, one that is too small by its rounding errors, and
either by a kink between x − h and x + h. Nothing tells which step is right but the differences themselves: several
steps are taken, extrapolated to none, and what the steps disagree by is the bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from whygrad.typing import Array

#: From one step to the next smaller one.
RATIO = 4.0
#: How many standard deviations of noise a bound allows for.
SIGMAS = 4.0
#: How many steps further down a surprising slope is confirmed.
_CONFIRMING = (3, 3, 4)
#: A function whose slope grows so much towards the point has none there: it jumps, or is as steep as a root.
_STEEP = 1e3
_EPS = float(np.finfo(np.float64).eps)


class Slopes(NamedTuple):
    """Slopes of φ along K lines; every field has the shape (K,)."""

    value: Array  #: central differences, extrapolated
    bound: Array  #: how far they may be from the truth, if there is no kink
    jump: Array  #: slope to the right less slope to the left
    jump_bound: Array  #: how large a jump noise and curvature alone may seem to make
    left: Array
    right: Array
    side_bound: Array  #: how far these two may be from the truth

    def at(self, i: int) -> Slope:
        """Return one of the lines."""
        return Slope(*(float(part[i]) for part in self))


class Slope(NamedTuple):
    """The slope along one line; see ``Slopes``."""

    value: float
    bound: float
    jump: float
    jump_bound: float
    left: float
    right: float
    side_bound: float


def slopes(plus: Array, minus: Array, up: Array, down: Array, noise: float) -> Slopes:
    """Return slopes from rises at several steps.

    With central differences D(h) = f′ + a·h² + b·h⁴ + …, each extrapolation (16ᵖ·D(h/4) − D(h))/(16ᵖ − 1) removes
    the leading term.

    Args:
        plus: φ(x + up) − φ(x), (L, K) for L ≥ 2 steps, the largest first, each a quarter of the one before.
        minus: φ(x − down) − φ(x).
        up: the steps as they came out after rounding x + h.
        down: likewise for x − h.
        noise: standard deviation of φ.

    Example:
        >>> h = np.array([[0.1], [0.025], [0.00625]])
        >>> s = slopes(np.exp(h) - 1, np.exp(-h) - 1, h, h, noise=1e-16)
        >>> bool(abs(s.value[0] - 1) < s.bound[0] < 1e-7)
        True

    Source: L. F. Richardson, "The approximate arithmetical solution by finite differences" (1911), for the
    extrapolation; C. Ridders, "Accurate computation of F′(x) and F′(x)F″(x)" (1982), for the bound.
    """
    with np.errstate(all="ignore"):
        h = (up + down) / 2
        central = (plus - minus) / (up + down)
        value, second_best = _extrapolate(central, RATIO**2)
        right_slopes, left_slopes = plus / up, -minus / down
        right, right_before = _extrapolate(right_slopes, RATIO)
        left, left_before = _extrapolate(left_slopes, RATIO)
        jump, jump_before = _extrapolate(right_slopes - left_slopes, RATIO)
        rounding = SIGMAS * noise / h[-1] + 8 * _EPS * np.abs(value)
        bound = _truncation(central, value, second_best) + rounding
        # One-sided slopes take two values of φ over one h, and their extrapolation adds 5/3 of that.
        noise_of_sides = 4 * rounding
        side_bound = np.maximum(np.abs(right - right_before), np.abs(left - left_before)) + noise_of_sides
        jump_bound = np.abs(jump - jump_before) + noise_of_sides
    return Slopes(value, bound, jump, jump_bound, left, right, side_bound)


def _truncation(central: Array, value: Array, second_best: Array) -> Array:
    """Return how far an extrapolated slope may be off, noise apart.

    Where the error falls with h², as extrapolation supposes, it is what the two best estimates differ by. Where it
    falls more slowly, as with h where the second derivative jumps, it may be half of the last change.
    """
    last = np.abs(central[-1] - central[-2])
    if len(central) < 3:
        return 0.5 * last
    before = np.abs(central[-2] - central[-3])
    return np.where(before >= 0.5 * RATIO**2 * last, np.abs(value - second_best), 0.5 * last)


def _extrapolate(estimates: Array, ratio: float) -> tuple[Array, Array]:
    """Return the estimates extrapolated to step 0, and the best estimate of one order less."""
    table, order = estimates, 1
    previous = table[-1]
    while len(table) > 1:
        previous = table[-1]
        table = table[1:] + (table[1:] - table[:-1]) / (ratio**order - 1)
        order += 1
    return table[-1], previous


class Settled(NamedTuple):
    """The slope along one line, found by whatever steps it took."""

    value: float
    bound: float
    step: float
    kink: bool  #: whether the slopes on both sides differ however small the step
    left: float
    right: float
    side_bound: float
    steep: bool = False  #: whether there is no slope at all: the differences grow as the step shrinks


def settle(
    rise: Callable[[float], float],
    start: float,
    noise: float,
    goal: float,
    *,
    position: float = 0.0,
    claim: float | None = None,
) -> Settled:
    """Return the slope of a line at 0, shrinking or growing the step until the bound is met or noise forbids.

    Args:
        rise: φ(t) − φ(0).
        start: the first step.
        noise: standard deviation of φ.
        goal: a bound that is good enough.
        position: the number that steps are added to, whose rounding decides how long they really are.
        claim: what is claimed. If it is not what was found, much smaller steps must confirm that.

    Example:
        >>> found = settle(lambda t: abs(t) + t**2, 0.1, 1e-17, 1e-9)
        >>> found.kink, round(found.left, 6), round(found.right, 6)
        (True, -1.0, 1.0)
    """
    levels: dict[int, tuple[float, float, float, float]] = {}

    def level(k: int) -> tuple[float, float, float, float]:
        if k not in levels:
            h = start * RATIO**-k
            up, down = (position + h) - position, position - (position - h)
            levels[k] = rise(up), rise(-down), up, down
        return levels[k]

    def window(k: int) -> Slope:
        rows = np.array([level(k), level(k + 1), level(k + 2)])
        plus, minus, up, down = rows.T[:, :, None]
        s = slopes(plus, minus, up, down, noise).at(0)
        if k >= 0:
            return s
        # Steps that noise made this large are too large for the series that extrapolation supposes.
        central = (plus - minus) / (up + down)
        return s._replace(bound=s.bound + 0.25 * abs(float(central[-1, 0] - central[-2, 0])))

    found = {0: window(0)}
    if _noisy(found[0], start * RATIO**-2, noise):
        found |= _going_up(window, goal)
    else:
        found |= _going_down(window, start, noise, goal, found[0], position)
    settled = _conclude(found, start)
    return settled if claim is None else _confirmed(window, found, settled, claim, start, noise, position)


def _confirmed(
    window: Callable[[int], Slope],
    found: dict[int, Slope],
    settled: Settled,
    claim: float,
    start: float,
    noise: float,
    position: float,
) -> Settled:
    """Return the slope after much smaller steps, as long as these can tell it from a claim that it contradicts."""
    for finer in _CONFIRMING:
        off, h = abs(claim - settled.value), settled.step * RATIO**-finer
        vanishes = h < 8 * _EPS * abs(position) or 4 * SIGMAS * noise / h > off
        if settled.kink or vanishes or not off > 2 * settled.bound:
            break
        k = max(found) + finer
        found[k] = window(k)
        settled = _conclude(found, start)
    return settled


def _smooth(s: Slope) -> bool:
    """Whether no kink shows within the step: its jump is within what noise and curvature explain."""
    return bool(np.isfinite(s.bound) and abs(s.jump) <= 2 * s.jump_bound)


def _noisy(s: Slope, h: float, noise: float) -> bool:
    """Whether noise is most of the bound, so that smaller steps are of no use."""
    return bool(SIGMAS * noise / h > 0.5 * s.bound) and _smooth(s)


def _going_up(window: Callable[[int], Slope], goal: float) -> dict[int, Slope]:
    found = {}
    for k in range(-1, -9, -1):
        found[k] = window(k)
        improved = k == -1 or found[k].bound < found[k + 1].bound
        if not improved or not np.isfinite(found[k].bound) or found[k].bound <= goal:
            break
    return found


def _going_down(
    window: Callable[[int], Slope], start: float, noise: float, goal: float, first: Slope, position: float
) -> dict[int, Slope]:
    found, s = {}, first
    smallest = max(8 * _EPS * abs(position), start * 2.0**-50)
    k = 0
    while not (_smooth(s) and s.bound <= goal):
        # A kink that stays as the step shrinks is met again only far below: go there in larger strides.
        k += 1 if k < 4 else 2
        h = start * RATIO ** -(k + 2)
        told_apart = max(abs(s.jump), 0.1 * abs(s.right), 0.1 * abs(s.left))
        if h <= smallest or 4 * SIGMAS * noise / h > 0.1 * told_apart:
            break
        s = found[k] = window(k)
        if _noisy(s, h, noise):
            break
    return found


def _agrees_with_finer(k: int, windows: dict[int, Slope]) -> bool:
    mine = windows[k]
    finer = [s for level, s in windows.items() if level > k]
    return all(abs(mine.value - s.value) <= 2 * (mine.bound + s.bound) for s in finer)


def _conclude(found: dict[int, Slope], start: float) -> Settled:
    """Choose among windows of several steps."""
    finite = {k: s for k, s in found.items() if np.isfinite(s.bound)}
    if not finite:
        return Settled(np.nan, np.inf, start, kink=False, left=np.nan, right=np.nan, side_bound=np.inf)
    smooth = {k: s for k, s in finite.items() if _smooth(s)}
    smallest = finite[max(finite)]
    if smooth and (max(smooth) == max(finite) or abs(smallest.jump) <= 4 * smallest.jump_bound):
        # What larger steps say must be what smaller ones say: a function that is bounded, or bends within a step,
        # seems flat or smooth from afar.
        agreeing = {k: s for k, s in smooth.items() if _agrees_with_finer(k, smooth)}
        k = min(agreeing, key=lambda level: agreeing[level].bound)
        s, kink = agreeing[k], False
    else:
        alike = {k: s for k, s in finite.items() if abs(s.jump - smallest.jump) <= 2 * smallest.jump_bound}
        k = min(alike, key=lambda level: alike[level].side_bound)
        s, kink = alike[k], True
    steepness = {k: max(abs(s.left), abs(s.right)) for k, s in finite.items()}
    steep = kink and steepness[max(finite)] > _STEEP * steepness[min(finite)]
    return Settled(s.value, s.bound, start * RATIO ** -(k + 2), kink, s.left, s.right, s.side_bound, steep)

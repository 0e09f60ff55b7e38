"""How fast a loss changes along a direction, by differences, with a bound on the error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: Steps relative to the direction, which is as long as the parameter itself.
_STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
_SMALLER = (1e-7, 1e-8)
#: Steps where a loss is computed in float32.
_LARGER = (0.1, 0.03, 0.01, 0.003)
_EPS = float(np.finfo(np.float64).eps)
#: How much a loss's rounding may be, in units of its last digit: it is a sum of many terms.
_NOISE = 16
#: What two neighbouring steps may differ by, relative, to be enough.
_ENOUGH = 1e-7


class Slope(NamedTuple):
    """A derivative along a direction."""

    value: float
    error: float  #: what it may be wrong by


def slope(f: Callable[[float], float], *, wary: bool = False, eps: float = _EPS) -> Slope:
    """Return the derivative of f at 0 by central differences of several steps, from the pair that agrees best.

    Args:
        f: a function of one number.
        eps: of the floats that it is computed in.
        wary: whether every step is taken, and what smaller ones differ by counts as error: two that both cross a
            kink may agree by chance.

    Example:
        >>> found = slope(lambda s: np.sin(3 * s))
        >>> bool(abs(found.value - 3) < 1e-6)
        True
    """
    found: list[tuple[float, float, float]] = []
    best = Slope(float("nan"), float("inf"))
    narrow = eps > 1e-10
    for h in _LARGER if narrow else (*_STEPS, *_SMALLER) if wary else _STEPS:
        up, down = f(h), f(-h)
        rounding = (2 if narrow else _NOISE) * eps * max(abs(up), abs(down)) / h
        found.append((h, (up - down) / (2 * h), rounding))
        if len(found) > 1:
            (_, before, _), (_, now, noise) = found[-2], found[-1]
            error = abs(now - before) + noise
            if np.isfinite(error) and error < best.error:
                best = Slope(now, error)
            if error <= _ENOUGH * abs(now) and not wary:
                break
    return _warily(found, best) if wary else best


def _warily(found: list[tuple[float, float, float]], best: Slope) -> Slope:
    """Return the slope of the smallest steps that agree within their rounding: they cross the fewest kinks."""
    agreeing = []
    for k in range(1, len(found)):
        (_, before, rough), (_, now, noise) = found[k - 1], found[k]
        error = abs(now - before) + noise
        later = all(abs(value - now) <= rounding + error for _, value, rounding in found[k + 1 :])
        if later and abs(now - before) <= rough + noise + 1e-6 * abs(now):
            agreeing.append(Slope(now, error))
    if agreeing:
        return min(agreeing, key=lambda told: told.error)
    off = max((abs(value - best.value) for _, value, _ in found), default=0.0)
    return Slope(best.value, max(best.error, off))


def along(
    subject: Subject, at: Mapping[str, Array], direction: Mapping[str, Array], *, wary: bool = False
) -> Slope:
    """Return the derivative of a training's loss at parameters along a direction of some of them."""

    def moved(s: float) -> float:
        return subject.loss({**at, **{n: at[n] + s * v for n, v in direction.items()}})

    return slope(moved, wary=wary, eps=subject.eps)


def typical(w: Array) -> float:
    """Return the size of an entry of a parameter; a tenth where all are 0.

    Example:
        >>> typical(np.array([3.0, -3.0])), typical(np.zeros(2))
        (3.0, 0.1)
    """
    size = float(np.sqrt(np.mean(np.square(w, dtype=np.float64)))) if w.size else 0.0
    return size if np.isfinite(size) and size > 0 else 0.1


def shaken(subject: Subject, rng: np.random.Generator, share: float = 0.03) -> dict[str, Array]:
    """Return parameters a little off those of a training: away from kinks, and from zeros that hide gradients."""
    new = dict(subject.params)
    for name in subject.names:
        w = subject.params[name]
        if w.dtype.kind == "f":
            new[name] = (w + share * typical(w) * rng.normal(size=w.shape)).astype(w.dtype)
    return new


def coarse(subject: Subject, at: Mapping[str, Array]) -> bool:
    """Return whether a loss is computed in float32 or with fewer digits still: it does not see small changes."""
    value = subject.loss(at)
    same = 0
    for relative in (1e-11, -1e-11, 3e-11):
        moved = {n: a * (1 + relative) if n in subject.names and a.dtype.kind == "f" else a for n, a in at.items()}
        same += subject.loss(moved) == value
    return same > 1

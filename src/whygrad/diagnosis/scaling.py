"""Constants: which product of the sizes explains the number that a gradient is multiplied by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from whygrad.typing import Array

#: Plain numbers that go with the sizes.
NUMBERS = {"": 1.0, "2": 2.0, "1/2": 0.5, "3": 3.0, "1/3": 1 / 3, "4": 4.0, "1/4": 0.25}
#: How exactly a factor has to agree with its name.
EXACT = 1e-6


class Factor(NamedTuple):
    """A factor that is the same expression of the sizes at every probe."""

    name: str  #: "1/N", "-2", "1/(N·I·J)", or digits where no name fits
    values: tuple[float, ...]  #: at each probe
    named: bool  #: whether the sizes explain it
    cost: int  #: how much there is to explain: 0 for 1

    @property
    def sign_only(self) -> bool:
        """Whether it is −1."""
        return self.name == "-1"


ONE = Factor("1", (), True, 0)


def explain(
    ratios: Sequence[float], sizes: Sequence[Mapping[str, float]], precision: float = EXACT
) -> Factor | None:
    """Return the simplest expression that gives these ratios at these sizes; None where there is none.

    A ratio that is the same at all probes and has no name is told in digits: a learning rate, for example. One that
    changes from probe to probe must be explained by the sizes.

    Example:
        >>> explain([0.5, 0.2], [{"N": 2, "C": 3}, {"N": 5, "C": 3}]).name
        '1/N'
        >>> explain([-1.0], [{"N": 1}]).name, explain([0.5, 0.7], [{"N": 2}, {"N": 3}])
        ('-1', None)
    """
    r = np.array(ratios, float)
    if not r.size or not np.isfinite(r).all() or (r == 0).any() or (np.sign(r) != np.sign(r[0])).any():
        return None
    exact = max(EXACT, 2 * precision)
    negative, magnitude = r[0] < 0, np.abs(r)
    if np.allclose(magnitude, 1, rtol=exact):
        return Factor("-1", tuple(r), True, 1) if negative else Factor("1", tuple(r), True, 0)
    for cost, name in _named(magnitude, sizes, exact):
        return Factor(f"-{name}" if negative else name, tuple(r), True, cost + negative)
    if np.allclose(magnitude, magnitude[0], rtol=exact):
        return Factor(f"{r[0]:.6g}", tuple(r), False, 4)
    return None


def _named(magnitude: Array, sizes: Sequence[Mapping[str, float]], exact: float) -> list[tuple[int, str]]:
    """Return the cheapest name for the magnitudes, as a list of at most one."""
    symbols = [s for s in sizes[0] if all(s in other and other[s] > 0 for other in sizes)]
    logs = {s: np.log([float(other[s]) for other in sizes]) for s in symbols}
    logs = {s: v for s, v in logs.items() if np.abs(v).max() > 1e-9}
    target = np.log(magnitude)
    for count in range(4):
        for number, value in NUMBERS.items():
            for chosen in combinations(logs, count):
                for signs in product((-1, 1, -2, 2) if count <= 1 else (-1, 1), repeat=count):
                    total = np.log(value) + sum((k * logs[s] for k, s in zip(signs, chosen, strict=True)), 0.0)
                    if np.abs(total - target).max() < exact:
                        return [(count + 1 + bool(number), _written(number, chosen, signs))]
    return []


def _written(number: str, symbols: Sequence[str], signs: Sequence[int]) -> str:
    above = [number] if number and "/" not in number else []
    below = [number[2:]] if "/" in number else []
    for symbol, k in zip(symbols, signs, strict=True):
        (above if k > 0 else below).append(
            f"({symbol})²" if abs(k) == 2 and len(symbol) > 1 else symbol + "²" * (abs(k) == 2)
        )
    top = "·".join(above) or "1"
    if not below:
        return top
    bottom = "·".join(below)
    return f"{top}/{bottom}" if len(below) == 1 else f"{top}/({bottom})"

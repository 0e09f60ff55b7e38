"""Constants: which product of the sizes explains the number that a gradient is multiplied by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from whygrad.typing import Array

#: Plain numbers that go with the sizes.
NUMBERS = {"": 1.0, "2": 2.0, "1/2": 0.5, "3": 3.0, "1/3": 1 / 3, "4": 4.0, "1/4": 0.25}
#: How exactly a factor has to agree with its name.
EXACT = 1e-6
#: How many sizes may stand in a name.
MOST = 3


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
    named = _named(magnitude, sizes, exact)
    if named is not None:
        cost, name = named
        return Factor(f"-{name}" if negative else name, tuple(r), True, cost + negative)
    if np.allclose(magnitude, magnitude[0], rtol=exact):
        return Factor(f"{r[0]:.6g}", tuple(r), False, 4)
    return None


def _named(magnitude: Array, sizes: Sequence[Mapping[str, float]], exact: float) -> tuple[int, str] | None:
    """Return the cheapest name for the magnitudes, with its cost."""
    symbols = [s for s in sizes[0] if all(s in other and other[s] > 0 for other in sizes)]
    logs = {s: np.log([float(other[s]) for other in sizes]) for s in symbols}
    logs = {s: v for s, v in logs.items() if np.abs(v).max() > 1e-9}
    target = np.log(magnitude)
    table = np.stack(list(logs.values())) if logs else np.zeros((0, len(target)))
    for count in range(MOST + 1):
        powers = _powers(len(logs), count)
        totals = powers @ table
        for number, value in NUMBERS.items():
            fits = np.abs(totals + np.log(value) - target).max(axis=1, initial=0) < exact
            if fits.any():
                power = powers[int(fits.argmax())]
                powers_of = {s: int(k) for s, k in zip(logs, power, strict=True) if k}
                return count + 1 + bool(number), _written(number, powers_of)
    return None


@lru_cache
def _powers(symbols: int, count: int) -> Array:
    """Return every choice of powers of so many of the symbols: 1 and −1, and of a single one 2 and −2 as well."""
    rows = []
    for chosen in combinations(range(symbols), count):
        for signs in product((-1, 1, -2, 2) if count <= 1 else (-1, 1), repeat=count):
            row = np.zeros(symbols)
            row[list(chosen)] = signs
            rows.append(row)
    return np.array(rows).reshape(len(rows), symbols)


def _written(number: str, powers: Mapping[str, int]) -> str:
    above = [number] if number and "/" not in number else []
    below = [number[2:]] if "/" in number else []
    for symbol, k in powers.items():
        (above if k > 0 else below).append(
            f"({symbol})²" if abs(k) == 2 and len(symbol) > 1 else symbol + "²" * (abs(k) == 2)
        )
    top = "·".join(above) or "1"
    if not below:
        return top
    bottom = "·".join(below)
    return f"{top}/{bottom}" if len(below) == 1 else f"{top}/({bottom})"

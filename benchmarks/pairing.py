"""The clock: two or more ways to do the same thing, by turns in one process, and what their times say."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.load import Meter

Clock = Callable[[], float]
Call = Callable[[], Any]

#: Seconds in which the threads of the side that ran before stop waiting for work with a busy core.
_REST = 0.01
_MOST_REPETITIONS = 1000


@dataclass(frozen=True)
class Quartiles:
    """The median of some numbers and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Quartiles:
        """Return the quartiles of at least one number."""
        if len(numbers) == 1:
            return cls(numbers[0], numbers[0], numbers[0])
        return cls(*statistics.quantiles(numbers, n=4, method="inclusive"))


@dataclass(frozen=True)
class Comparison:
    """The seconds of a call on each side, and how many of ours go into one of the peer's."""

    ours: Quartiles
    peer: Quartiles | None = None
    ratio: Quartiles | None = None  #: peer/ours, of the pairs
    rounds: int = 0
    others: float | None = None  #: cores that other processes kept busy meanwhile

    @classmethod
    def of(cls, ours: Sequence[float], peer: Sequence[float] | None = None) -> Comparison:
        """Compare the times of as many rounds on each side; what stands at the same place is a pair."""
        if peer is None:
            return cls(Quartiles.of(ours), rounds=len(ours))
        ratios = [b / a for a, b in zip(ours, peer, strict=True)]
        return cls(Quartiles.of(ours), Quartiles.of(peer), Quartiles.of(ratios), len(ours))

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values."""
        return asdict(self)


def alternate(
    calls: Sequence[Call],
    rounds: int,
    *,
    piece: float = 0.05,
    clock: Clock = time.perf_counter,
    rest: Callable[[float], None] = time.sleep,
) -> list[list[float]]:
    """Time calls by turns, A B A B ..., each turn repeated until it takes about ``piece`` seconds.

    Every call is made at least twice before anything counts. A turn of a short call begins with one that does not
    count, which brings its data back into the caches.

    Args:
        calls: what to time.
        rounds: turns of each.
        piece: seconds of a turn, at least one call.
        clock: tells the time in seconds.
        rest: waits so many seconds, before each turn.

    Returns:
        For each call the seconds that one took, by round.
    """
    for call in calls:
        call()
    repetitions = [_repetitions(call, piece, clock) for call in calls]
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for times, call, count in zip(seconds, calls, repetitions, strict=True):
            rest(_REST)
            if count > 1:
                call()
            times.append(_timed(call, count, clock))
    return seconds


def _repetitions(call: Call, piece: float, clock: Clock) -> int:
    once = _timed(call, 1, clock)
    return max(1, min(_MOST_REPETITIONS, math.ceil(piece / once))) if once > 0 else _MOST_REPETITIONS


def _timed(call: Call, count: int, clock: Clock) -> float:
    began = clock()
    for _ in range(count):
        call()
    return (clock() - began) / count


def best(calls: dict[str, Call], rounds: int = 3, **options: Any) -> tuple[str, dict[str, float]]:
    """Return the name of the quickest call, and the median seconds of each."""
    if len(calls) == 1:
        return next(iter(calls)), {}
    seconds = alternate(list(calls.values()), rounds, **options)
    medians = {name: statistics.median(times) for name, times in zip(calls, seconds, strict=True)}
    return min(medians, key=medians.__getitem__), medians


def compare(ours: Call, peer: Call | None, rounds: int, **options: Any) -> Comparison:
    """Time ours against the peer, or alone."""
    meter = Meter()
    seconds = alternate([ours] if peer is None else [ours, peer], rounds, **options)
    return replace(Comparison.of(*seconds), others=meter.others())

"""Cell by cell: right, cut off, wrong, or following correctly from something wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from whygrad.explanation.terms.rule import Index
from whygrad.explanation.verification.printed import Printed
from whygrad.explanation.verification.problem import Claims, Problem, Quantity
from whygrad.explanation.verification.worked import World
from whygrad.typing import Array


class Verdict(StrEnum):
    """What a claimed number is found to be."""

    RIGHT = "right"
    FROM_PRINTED = "right from the digits printed above"
    TRUNCATED = "truncated instead of rounded"
    FOLLOWS = "follows from a wrong value above"
    WRONG = "wrong"
    UNDECIDED = "undecided"

    @property
    def good(self) -> bool:
        """Whether nothing is wrong with it."""
        return self in (Verdict.RIGHT, Verdict.FROM_PRINTED, Verdict.TRUNCATED)


@dataclass(frozen=True)
class Judged:
    """A claimed number, and what it should be."""

    index: Index
    printed: Printed
    verdict: Verdict
    exact: float  #: from what is given; NaN if that does not say
    own: float  #: going on from the person's numbers above
    departs: bool = False  #: right, but not what follows from the person's wrong numbers above

    @property
    def right(self) -> float:
        """What it should be."""
        return self.own if math.isnan(self.exact) else self.exact


class Judge:
    """Goes through the claims, each after those that it is computed from.

    Three computations are carried on side by side: from what is given alone; from the person's numbers as far as
    they are right, in the digits printed; and from all of the person's numbers. Where a number was printed with
    fewer digits than it was computed with, whatever lies between going on from either is right.
    """

    def __init__(self, problem: Problem, claims: Claims) -> None:
        self.problem, self.claims = problem, claims
        self.exact, self.kept, self.own = World(problem), World(problem), World(problem)
        self.unrounded: dict[Quantity, Array] = {}
        self.judged: dict[Quantity, list[Judged]] = {}
        for quantity in problem.order():
            if quantity in claims.cells:
                self.judged[quantity] = self._judge(quantity, claims.cells[quantity])

    def wrong_before(self, quantity: Quantity) -> list[Quantity]:
        """Return the wrong claims that a quantity is computed from, the nearest first."""
        return [
            one for one in self.own.before(quantity) if any(not j.verdict.good for j in self.judged.get(one, []))
        ]

    def _judge(self, quantity: Quantity, cells: Mapping[Index, Printed]) -> list[Judged]:
        exact, kept, own = (world.computed(quantity) for world in (self.exact, self.kept, self.own))
        known = np.abs(own[np.isfinite(own)])
        scale = float(known.max()) if known.size else 0.0
        found, widths = [], _Widths(self, quantity)
        for index, claim in cells.items():
            e, k, o = float(exact[index]), float(kept[index]), float(own[index])
            verdict = self._verdict(claim, index, (e, k, o), scale, widths)
            departs = (
                verdict is Verdict.RIGHT
                and not math.isnan(o)
                and self._departs(claim, index, (e, o), scale, widths)
            )
            found.append(Judged(index, claim, verdict, e, o, departs))
        self._go_on(quantity, found)
        return found

    @staticmethod
    def _verdict(  # noqa: PLR0911 - one for each verdict
        claim: Printed, index: Index, numbers: tuple[float, float, float], scale: float, widths: _Widths
    ) -> Verdict:
        e, k, o = numbers
        if all(map(math.isnan, numbers)):
            return Verdict.UNDECIDED
        if claim.rounds(e, scale):
            return Verdict.RIGHT
        if claim.rounds(k, scale):
            return Verdict.FROM_PRINTED
        if claim.cuts(e, scale) or claim.cuts(k, scale):
            return Verdict.TRUNCATED
        if claim.rounds(o, scale) or claim.cuts(o, scale):
            return Verdict.FOLLOWS
        if claim.rounds(k, scale, widths.of("kept", index)):
            return Verdict.FROM_PRINTED
        if claim.rounds(o, scale, widths.of("own", index)):
            return Verdict.FOLLOWS
        return Verdict.WRONG

    @staticmethod
    def _departs(claim: Printed, index: Index, numbers: tuple[float, float], scale: float, widths: _Widths) -> bool:
        e, o = numbers
        if o == e or claim.rounds(o, scale) or claim.cuts(o, scale):
            return False
        return not claim.rounds(o, scale, widths.of("own", index))

    def _go_on(self, quantity: Quantity, found: list[Judged]) -> None:
        """Let what follows be computed from these claims too."""
        shape = self.problem.shape(quantity)
        good, every, unrounded = (np.full(shape, np.nan) for _ in range(3))
        for one in found:
            every[one.index] = one.printed.value
            if one.verdict.good or one.verdict is Verdict.UNDECIDED:
                good[one.index] = one.printed.value
            if one.verdict in (Verdict.RIGHT, Verdict.TRUNCATED):
                unrounded[one.index] = one.right
            elif one.printed.unit < 1:  # whole numbers are taken to be just these
                unrounded[one.index] = one.printed.value + one.printed.unit / 2
        self.kept.claimed[quantity], self.own.claimed[quantity] = good, every
        self.unrounded[quantity] = unrounded


class _Widths:
    """How far the cells of a quantity may be off because numbers above were printed with fewer digits."""

    def __init__(self, judge: Judge, quantity: Quantity) -> None:
        self.judge, self.quantity = judge, quantity
        self.found: dict[str, Array] = {}

    def of(self, world: str, index: Index) -> float:
        if world not in self.found:
            self.found[world] = self._width(getattr(self.judge, world))
        width = float(self.found[world][index])
        return 0.0 if math.isnan(width) else width

    def _width(self, world: World) -> Array:
        at_first = world.computed(self.quantity)
        width = np.zeros_like(at_first)
        for before in world.before(self.quantity):
            claimed, unrounded = world.claimed.get(before), self.judge.unrounded.get(before)
            if claimed is None or unrounded is None:
                continue
            with np.errstate(invalid="ignore"):
                rounded = np.isfinite(claimed) & np.isfinite(unrounded) & (np.abs(claimed - unrounded) > 1e-15)
            for index in zip(*np.nonzero(rounded), strict=True):
                other = claimed.copy()
                other[index] = unrounded[index]
                moved = World(self.judge.problem, {**world.claimed, before: other}).computed(self.quantity)
                width += np.abs(moved - at_first)
        return width

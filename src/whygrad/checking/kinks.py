"""Entries at a kink: what their slopes are on both sides, and whether a claim is right for all of them together.

At a kink every number between the two one-sided slopes is a subgradient of one entry. Where several entries meet at
one kink, such as equal numbers in one window of a max-pooling, that is not enough: each may claim all of the
gradient, which together is too much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from whygrad.checking.problem import Problem
from whygrad.typing import Array, IntArray

#: Steps that show a kink without reaching the next one, and points around it, relative to the input's size.
_STEP, _AROUND, _TINY = 2.0**-22, 2.0**-20, 2.0**-25
#: How many points around a kink are asked, how many entries are sorted into groups, how many of those by pairs, and
#: how many groups are judged.
_POINTS, _SORTED, _PAIRS, _GROUPS = 24, 20_000, 24, 200


class Joint(NamedTuple):
    """Entries that share a kink and what they claim together."""

    indices: tuple[int, ...]  #: flat
    claimed: float  #: the sum of their gradients
    numeric: float  #: the slope as all of them move alike, which is one number all around the kink


def switching_outputs(problem: Problem, name: str, index: int) -> IntArray:
    """Return which outputs have a kink in one entry, as flat indices; for a single output there is but that one."""
    step = _STEP * problem.size(name)
    up, down = (_outputs(problem, name, [index], [sign * step]) for sign in (1, -1))
    bend = np.abs(up + down - 2 * problem.y).ravel() / step
    return np.flatnonzero(bend > 1e-3 * max(bend.max(initial=0.0), 1e-300))


def interval_by_outputs(problem: Problem, name: str, index: int) -> tuple[float, float]:
    """Return between which numbers subgradients of one entry lie, each output's kink taken on its own side.

    Where an entry is at a kink of several outputs, as in overlapping windows, each may be given its left or its
    right slope without regard to the others: Σ dy·left and Σ dy·right are then not the ends of the interval.
    """
    step = _STEP * problem.size(name)
    right = problem.dy * (_outputs(problem, name, [index], [step]) - problem.y) / step
    left = problem.dy * (problem.y - _outputs(problem, name, [index], [-step])) / step
    return float(np.minimum(left, right).sum()), float(np.maximum(left, right).sum())


def joint_mistakes(problem: Problem, name: str, kinked: IntArray, scale: float) -> list[Joint]:
    """Return groups of entries at one kink whose gradients are wrong together, though each alone may be right.

    Moving all entries of a tie alike keeps it a tie, so that the slope is the same on all sides of the kink, and
    so is what the gradients of these entries add up to. Groups for which it is not the same are not judged.

    Args:
        problem: the function.
        name: the input.
        kinked: flat indices of the entries at kinks.
        scale: the size of the gradient, to which errors are relative.
    """
    if len(kinked) < 2:
        return []
    chosen = kinked[:_SORTED]  # side by side: members of one group most often are
    several = problem.y.size > 1
    groups = _by_output(problem, name, chosen) if several else _by_pairs(problem, name, chosen[:_PAIRS], scale)
    wrong = []
    for group in groups[:: -(-len(groups) // _GROUPS) or 1]:
        slopes = _slopes_around(problem, name, group)
        claimed = float(problem.claimed[name].reshape(-1)[group].sum())
        tolerance = 1e-5 * scale * len(group) + 4 * problem.noise(name) / (_TINY * problem.size(name))
        one_number = np.ptp(slopes) <= tolerance
        if one_number and abs(claimed - float(slopes.mean())) > 2 * tolerance:
            wrong.append(Joint(tuple(group), claimed, float(slopes.mean())))
    return wrong


def _slopes_around(problem: Problem, name: str, group: list[int]) -> Array:
    """Return the slopes along the group's entries at points around the kink."""
    size = problem.size(name)
    rng, h = np.random.default_rng(len(group)), _TINY * size
    around = _AROUND * size * rng.uniform(-1, 1, (_POINTS, len(group)))
    up = [_outputs(problem, name, group, offsets + h) for offsets in around]
    down = [_outputs(problem, name, group, offsets - h) for offsets in around]
    return np.array([float(np.vdot(problem.dy, a - b)) / (2 * h) for a, b in zip(up, down, strict=True)])


def _outputs(problem: Problem, name: str, indices: list[int], offsets: list[float] | Array) -> Array:
    moved = problem.inputs[name].copy()
    moved.reshape(-1)[indices] += offsets
    return np.array(problem.outputs(name, moved), copy=True)


def _by_output(problem: Problem, name: str, kinked: IntArray) -> list[list[int]]:
    """Return groups of entries with a kink in one output."""
    first_at: dict[int, int] = {}
    unite, groups = _union(len(kinked))
    for i, index in enumerate(kinked.tolist()):
        for output in switching_outputs(problem, name, index).tolist():
            unite(i, first_at.setdefault(output, i))
    return [[int(kinked[i]) for i in group] for group in groups() if len(group) > 1]


def _by_pairs(problem: Problem, name: str, kinked: IntArray, scale: float) -> list[list[int]]:
    """Return groups of entries whose one-sided slopes do not simply add up."""
    step = _STEP * problem.size(name)
    slack = 1e-4 * scale + 4 * problem.noise(name) / step
    unite, groups = _union(len(kinked))

    def rise(indices: list[int], offsets: list[float]) -> float:
        return float(np.vdot(problem.dy, _outputs(problem, name, indices, offsets) - problem.y)) / step

    alone = {(i, sign): rise([int(kinked[i])], [sign * step]) for i in range(len(kinked)) for sign in (1, -1)}
    for i in range(len(kinked)):
        for j in range(i):
            for sign in (1, -1):
                both = rise([int(kinked[i]), int(kinked[j])], [step, sign * step])
                if abs(both - alone[i, 1] - alone[j, sign]) > slack:
                    unite(i, j)
    return [[int(kinked[i]) for i in group] for group in groups() if len(group) > 1]


def _union(number: int) -> tuple[Callable[[int, int], None], Callable[[], list[list[int]]]]:
    """Return functions that unite members, and that list the groups."""
    leader = list(range(number))

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    def unite(i: int, j: int) -> None:
        leader[find(i)] = find(j)

    def groups() -> list[list[int]]:
        members: dict[int, list[int]] = {}
        for i in range(number):
            members.setdefault(find(i), []).append(i)
        return list(members.values())

    return unite, groups

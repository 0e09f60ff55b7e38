"""Learning rates that change: a schedule is a pure function from the step to the learning rate.

Steps count updates from 0. A schedule remembers nothing, so that a run continued from a checkpoint, or a
picture of the whole schedule, needs nothing but the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from whygrad.validation import number, whole


class Schedule(Protocol):
    """Gives the learning rate of an update."""

    def __call__(self, step: int, /) -> float:
        """Return the learning rate of the update number ``step``, counted from 0."""


@dataclass(frozen=True)
class Constant:
    """The same learning rate for every update: η(t) = learning_rate.

    Args:
        learning_rate: finite and not negative.

    Raises:
        OptionError: a learning rate outside its domain, or a step that is none.

    Example:
        >>> Constant(0.1)(1000)
        0.1

    Source: H. Robbins and S. Monro, "A stochastic approximation method" (1951), for why convergence to a
    point needs rates that decay; at a constant one noisy updates keep moving about the minimum.
    """

    learning_rate: float

    def __post_init__(self) -> None:
        _rate("Constant", "learning_rate", self.learning_rate)

    def __call__(self, step: int) -> float:
        """Return the learning rate at ``step``."""
        whole("Constant", "step", step, 0)
        return float(self.learning_rate)


@dataclass(frozen=True)
class StepDecay:
    """Multiply the learning rate by a factor every so many steps: η(t) = learning_rate · factor^⌊t / every⌋.

    Args:
        learning_rate: of the first steps.
        every: number of steps at each level, at least 1.
        factor: from one level to the next, 0 to 1.

    Raises:
        OptionError: an option outside its domain, or a step that is none.

    Example:
        >>> schedule = StepDecay(8.0, every=2, factor=0.5)
        >>> [schedule(step) for step in range(5)]
        [8.0, 8.0, 4.0, 4.0, 2.0]

    Source: A. Krizhevsky, I. Sutskever and G. E. Hinton, "ImageNet classification with deep convolutional
    neural networks" (2012), section 5, which divides by 10; K. He et al., "Deep residual learning for image
    recognition" (2015), section 3.4.
    """

    learning_rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _rate("StepDecay", "learning_rate", self.learning_rate)
        whole("StepDecay", "every", self.every, 1)
        number("StepDecay", "factor", self.factor, 0.0, 1.0)

    def __call__(self, step: int) -> float:
        """Return the learning rate at ``step``."""
        levels = whole("StepDecay", "step", step, 0) // self.every
        return float(self.learning_rate * self.factor**levels)


@dataclass(frozen=True)
class Cosine:
    """Go down from the learning rate to the final one along half a cosine, without restarts.

        η(t) = final + (learning_rate − final) · (1 + cos(π·t / steps)) / 2   for t < steps, then final

    Args:
        learning_rate: at step 0.
        steps: how many steps the way down takes, at least 1; η(steps) is the first value at the end.
        final: at ``steps`` and after.

    Raises:
        OptionError: an option outside its domain, or a step that is none.

    Example:
        >>> schedule = Cosine(1.0, steps=4)
        >>> [round(schedule(step), 3) for step in range(6)]
        [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]

    Source: I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017),
    equation 5.
    """

    learning_rate: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        _rate("Cosine", "learning_rate", self.learning_rate)
        whole("Cosine", "steps", self.steps, 1)
        _rate("Cosine", "final", self.final)

    def __call__(self, step: int) -> float:
        """Return the learning rate at ``step``."""
        done = min(whole("Cosine", "step", step, 0) / self.steps, 1.0)
        return _anneal(self.learning_rate, self.final, done)


@dataclass(frozen=True)
class OneCycle:
    """Rise to a large learning rate and come down to a tiny one, both along half a cosine.

    With the peak at p = rise·steps − 1, which need not be a whole step, and the end at e = steps − 1:

        start = learning_rate / start_divisor,   final = start / final_divisor
        η(t)  = from start to learning_rate with t / p done                  for t < p
        η(t)  = from learning_rate to final with (t − p) / (e − p) done      for p ≤ t ≤ e, then final

    Args:
        learning_rate: the largest one, at the peak.
        steps: how many steps the cycle takes, at least 1; step steps − 1 is the last and runs at ``final``.
        rise: the part of the cycle before the peak, from 0 to below 1.
        start_divisor: the peak over the first learning rate, at least 1.
        final_divisor: the first learning rate over the last, at least 1.

    Raises:
        OptionError: an option outside its domain, or a step that is none.

    Example:
        >>> schedule = OneCycle(1.0, steps=10, rise=0.3, start_divisor=10, final_divisor=100)
        >>> [round(schedule(step), 3) for step in range(10)]
        [0.1, 0.55, 1.0, 0.951, 0.812, 0.612, 0.389, 0.189, 0.05, 0.001]

    Source: L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks using large
    learning rates" (2018); in the form of PyTorch's OneCycleLR with two phases.
    """

    learning_rate: float
    steps: int
    rise: float = 0.3
    start_divisor: float = 25.0
    final_divisor: float = 1e4

    def __post_init__(self) -> None:
        _rate("OneCycle", "learning_rate", self.learning_rate)
        whole("OneCycle", "steps", self.steps, 1)
        number("OneCycle", "rise", self.rise, 0.0, 1.0, open_high=True)
        number("OneCycle", "start_divisor", self.start_divisor, 1.0, math.inf, open_high=True)
        number("OneCycle", "final_divisor", self.final_divisor, 1.0, math.inf, open_high=True)

    def __call__(self, step: int) -> float:
        """Return the learning rate at ``step``."""
        step = whole("OneCycle", "step", step, 0)
        start = self.learning_rate / self.start_divisor
        peak, end = self.rise * self.steps - 1, self.steps - 1
        if step < peak:
            return _anneal(start, self.learning_rate, step / peak)
        return _anneal(self.learning_rate, start / self.final_divisor, min((step - peak) / (end - peak), 1.0))


@dataclass(frozen=True)
class LinearWarmup:
    """Go up to a schedule in a straight line, then follow it from its own beginning.

        η(t) = schedule(0) · (start + (1 − start)·t / steps)   for t < steps
        η(t) = schedule(t − steps)                             for t ≥ steps

    The schedule's step 0 is the end of the warm-up: what it does takes place ``steps`` later than without.
    With ``start`` 0 the first update moves nothing.

    Args:
        schedule: what follows the warm-up; a number is a constant learning rate.
        steps: how many steps the warm-up takes, at least 1.
        start: the part of schedule(0) that step 0 begins with, 0 to 1.

    Raises:
        OptionError: an option outside its domain, or a step that is none.

    Example:
        >>> schedule = LinearWarmup(StepDecay(1.0, every=2, factor=0.5), steps=4)
        >>> [schedule(step) for step in range(8)]
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 0.5]

    Source: P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour" (2017), section
    2.2, the gradual warm-up; in the form of PyTorch's LinearLR followed by another schedule in a
    SequentialLR.
    """

    schedule: float | Schedule
    steps: int
    start: float = 0.0

    def __post_init__(self) -> None:
        as_schedule(self.schedule)
        whole("LinearWarmup", "steps", self.steps, 1)
        number("LinearWarmup", "start", self.start, 0.0, 1.0)

    def __call__(self, step: int) -> float:
        """Return the learning rate at ``step``."""
        step = whole("LinearWarmup", "step", step, 0)
        schedule = as_schedule(self.schedule)
        if step >= self.steps:
            return float(schedule(step - self.steps))
        return float(schedule(0) * (self.start + (1 - self.start) * step / self.steps))


def as_schedule(value: float | Schedule) -> Schedule:
    """Return a schedule as it is, and a number as the constant schedule of that learning rate.

    Args:
        value: a finite number that is not negative, or a function from the step to the learning rate.

    Returns:
        A schedule.

    Raises:
        OptionError: neither.

    Example:
        >>> as_schedule(0.1)
        Constant(learning_rate=0.1)
        >>> as_schedule(lambda step: 1 / (1 + step))(3)
        0.25
    """
    return value if callable(value) else Constant(value)


def _anneal(first: float, last: float, done: float) -> float:
    """Return the point of half a cosine from ``first`` to ``last`` of which the part ``done`` lies behind."""
    return float(last + (first - last) * (1 + math.cos(math.pi * done)) / 2)


def _rate(where: str, name: str, value: float) -> None:
    """Refuse what is no learning rate: negative, infinite, NaN or no number."""
    number(where, name, value, 0.0, math.inf, open_high=True)

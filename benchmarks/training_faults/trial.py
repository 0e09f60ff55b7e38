"""Whether a scenario is what it says: the training is run, with and without its fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.training_faults.codes.code import copied, mapped
from benchmarks.training_faults.scenario import Functions, Own, Scenario, Setup
from whygrad.errors import WhygradError
from whygrad.training import fit

#: How much lower accuracy must be, or how many times as high the loss, to say that a fault does harm.
HARM, WORSE = 0.05, 1.5


class Trial(NamedTuple):
    """How a training went."""

    first: float  #: mean loss of the first steps
    last: float  #: and of the last
    accuracy: float  #: on held-out data, 0 where it failed
    failure: str = ""  #: what it failed with

    def __str__(self) -> str:
        if self.failure:
            return self.failure
        return f"loss {self.first:.3g} -> {self.last:.3g}, accuracy {self.accuracy:.3f}"


def run(setup: Setup, steps: int) -> Trial:
    """Train so many steps."""
    with np.errstate(all="ignore"):
        try:
            losses, params = _functions(setup, steps) if isinstance(setup, Functions) else _own(setup, steps)
        except (ArithmeticError, LookupError, TypeError, ValueError, WhygradError) as error:
            return Trial(math.nan, math.nan, 0.0, f"{type(error).__name__}: {error}")
        finite = np.isfinite(losses)
        if not finite.all():
            return Trial(losses[0], math.nan, 0.0, f"not finite at step {int(np.argmin(finite)) + 1}")
        few = max(1, min(10, len(losses) // 4))
        return Trial(float(np.mean(losses[:few])), float(np.mean(losses[-few:])), setup.accuracy(params))


def _functions(setup: Functions, steps: int) -> tuple[list[float], Any]:
    params, losses = copied(setup.params), []
    for i in range(steps):
        batch = setup.batches[i % len(setup.batches)]
        losses.append(float(setup.loss(params, batch)))
        if setup.step is not None:
            params = setup.step(params, batch)
        else:
            assert setup.gradients is not None
            rate = setup.learning_rate
            params = mapped(
                lambda w, g, r=rate: w - np.asarray(r, w.dtype) * g, params, setup.gradients(params, batch)
            )
        if not math.isfinite(losses[-1]):
            break
    return losses, params


def _own(setup: Own, steps: int) -> tuple[list[float], Any]:
    losses: list[float] = []
    last = None
    for step in _updates(setup):
        losses.append(step.loss)
        last = step
        if len(losses) == steps:
            break
    return losses, last.params if last else setup.params


def _updates(setup: Own) -> Iterator[Any]:
    return fit(
        setup.model,
        setup.params,
        setup.images,
        setup.labels,
        optimizer=setup.optimizer,
        rng=np.random.default_rng(0),
        loss=setup.loss,
        epochs=10_000,
        batch_size=setup.batch_size,
        clip=setup.clip,
    )


class Verdict(NamedTuple):
    """Whether a scenario is honest, and what was measured."""

    honest: bool
    harm: str  #: "fails", "learns less", "by definition", "learns", or what is wrong with it
    with_fault: Trial
    without: Trial | None


def verify(scenario: Scenario) -> Verdict:
    """Train with and without the fault; return whether it harms, or whether a healthy training learns."""
    trial = run(scenario.make(), scenario.steps)
    if not scenario.faulty:
        good = not trial.failure and trial.accuracy >= scenario.floor
        return Verdict(good, "learns" if good else "does not learn", trial, None)
    mended = run(scenario.mended(), scenario.steps) if scenario.mended else None
    if mended is not None and (mended.failure or mended.accuracy < scenario.floor - 0.15):
        return Verdict(False, "does not learn without its fault either", trial, mended)
    for harm, true in _harms(trial, mended):
        if true():
            return Verdict(True, harm, trial, mended)
    harm = "by definition" if scenario.definition else "does no harm"
    return Verdict(bool(scenario.definition), harm, trial, mended)


def _harms(trial: Trial, mended: Trial | None) -> list[tuple[str, Callable[[], bool]]]:
    known = mended is not None
    return [
        ("fails", lambda: bool(trial.failure)),
        ("learns less", lambda: known and trial.accuracy < mended.accuracy - HARM),
        ("loss stays high", lambda: known and trial.last > WORSE * mended.last + 0.05),
    ]

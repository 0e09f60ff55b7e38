"""The quickest of PyTorch's ways to run a network, found by trial. Imports PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from benchmarks import machine, peers
from benchmarks.networks import Network
from benchmarks.pairing import Call, best
from benchmarks.peers import Mode
from benchmarks.report import Report
from benchmarks.settings import Settings

LAYOUTS = (Mode(channels_last=False), Mode(channels_last=True))
OPTIMIZERS = ("loop", "foreach", "fused")


class Choice(NamedTuple):
    """The quickest way, and what else was tried."""

    mode: Mode
    run: Any  #: the trainer or predictor in that mode
    call: Call
    trials: dict[str, float | str]  #: median seconds by name, or why one was skipped
    plain: tuple[Mode, Call] | None = None  #: the quickest without ``torch.compile``, if that is another one


Make = Callable[[Mode], tuple[Any, Call]]


def choose(make: Make, modes: list[tuple[str, Mode]], compiled: bool, settings: Settings, report: Report) -> Choice:
    """Try modes, and the quicker layout with ``torch.compile`` if that is wanted, and return the quickest."""
    made: dict[str, tuple[Mode, Any, Call]] = {}
    trials: dict[str, float | str] = {}

    def attempt(name: str, mode: Mode) -> None:
        try:
            run, call = make(mode)
            call()
        except Exception as error:  # whatever a mode that does not work on this machine raises
            reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:160]}"
            trials[name] = f"skipped, {reason}"
            report.say(f"  PyTorch {name}: {trials[name]}")
        else:
            made[name] = mode, run, call

    for name, mode in modes:
        attempt(name, mode)
    if not made:
        raise RuntimeError("PyTorch runs in none of its modes")
    winner, medians = best({name: call for name, (_, _, call) in made.items()}, **settings.timing)
    trials |= medians
    if compiled:
        chosen = made[winner][0]._replace(compiled=True)
        name = f"{winner}, compiled"
        report.say(f"  compiling PyTorch's side ({chosen.name})")
        attempt(name, chosen)
        if name in made:
            winner, medians = best({n: made[n][2] for n in (winner, name)}, **settings.timing)
            trials |= medians
            if winner == name:  # by turns with ours it may yet be the slower one
                plain = name.removesuffix(", compiled")
                return Choice(*made[winner], trials, (made[plain][0], made[plain][2]))
    return Choice(*made[winner], trials)


def wants_compile(settings: Settings, report: Report) -> bool:
    """Return whether ``torch.compile`` is to be tried; say so if it is wanted and cannot be."""
    if settings.compile and not machine.has_cpp_compiler():
        report.say("torch.compile needs a C++ compiler and there is none: it is left out")
        return False
    return settings.compile


def best_trainer(
    network: Network, weights: Mapping[str, Any], settings: Settings, report: Report, compiled: bool
) -> Choice:
    """Return the quickest way to train a network: layouts, optimisers, compiled or not."""
    x, target = network.images(), torch.from_numpy(network.targets())

    def make(mode: Mode) -> tuple[Any, Call]:
        module = peers.build(network.model, network.input_shape, weights)
        trainer = peers.Trainer(module, network.loss, network.rate, mode)
        images = peers.placed(x, mode)
        return trainer, lambda: trainer.step(images, target)

    modes = [
        (f"{layout.name}, {optimizer}", layout._replace(optimizer=optimizer))
        for layout in LAYOUTS
        for optimizer in OPTIMIZERS
    ]
    return choose(make, modes, compiled, settings, report)


def best_predictor(
    model: str, x: peers.Images, weights: Mapping[str, Any], settings: Settings, report: Report, compiled: bool
) -> Choice:
    """Return the quickest way to predict: layouts, compiled or not."""

    def make(mode: Mode) -> tuple[Any, Call]:
        predictor = peers.Predictor(peers.build(model, x.shape[1:], weights), mode)
        images = peers.placed(x, mode)
        return predictor, lambda: predictor(images)

    return choose(make, [(mode.name, mode) for mode in LAYOUTS], compiled, settings, report)

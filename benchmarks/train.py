"""``train``: whole training steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import ours
from benchmarks.agreement import DisagreementError, require_step
from benchmarks.networks import Network
from benchmarks.pairing import compare
from benchmarks.report import Report, cells
from benchmarks.settings import Settings

COLUMNS = ("training step", "batch", "whygrad", "PyTorch", "PyTorch/whygrad", "floor", "PyTorch's way")

FirstStep = tuple[float, dict[str, Any]]
#: Largest relative difference in float64, and the batches of which one must agree in float32.
EXACT, BATCHES = 1e-9, 8


def measure(networks: list[Network], settings: Settings, report: Report) -> None:
    """Time training steps of each network and show them."""
    compiled = False
    if settings.torch:
        from benchmarks.torch_modes import wants_compile  # noqa: PLC0415 - PyTorch may be absent

        compiled = wants_compile(settings, report)
    rows = []
    for network in networks:
        report.say(f"{network.title}, batch {network.batch}")
        try:
            rows.append(_row(network, settings, report, compiled))
        except DisagreementError as error:
            report.warn(f"{network.key}: no times, the sides disagree: {error}")
            report.add(network=network.key, batch=network.batch, error=str(error))
            rows.append([network.title, str(network.batch), "disagree", "", "", f"{network.floor:g}", ""])
    report.table(COLUMNS, rows)


def check(network: Network) -> dict[str, Any]:
    """Return how far loss and gradients of the first step are apart, with the same weights on both sides.

    In float64 the first batch must agree nearly to the last bits. In float32 a maximum or a ReLU that is undecided
    within rounding may fall to either side, which moves a gradient by more than the tolerance though neither side
    is wrong; so one of a few fixed batches must agree. A wrong kernel fails on all of them.

    Raises:
        DisagreementError: too far.
    """
    exact = require_step(*_first_steps(network, 0, np.float64), tolerance=EXACT)
    refused: list[str] = []
    for seed in range(BATCHES):
        try:
            found = require_step(*_first_steps(network, seed, np.float32), tolerance=network.float32)
        except DisagreementError as error:
            refused.append(str(error))
        else:
            return {"float64": exact, "float32": found, "batches_refused": refused}
    raise DisagreementError(f"on each of {BATCHES} batches; the last: {refused[-1]}")


def _first_steps(network: Network, seed: int, dtype: Any) -> tuple[FirstStep, FirstStep]:
    """Return loss and gradients of the first step on both sides."""
    from benchmarks import peers  # noqa: PLC0415 - PyTorch may be absent

    model = ours.build(network.model, network.input_shape)
    weights = {name: value.astype(dtype) for name, value in ours.weights(model).items()}
    x, target = network.images(seed).astype(dtype), network.targets(seed)
    target = target.astype(dtype) if target.dtype.kind == "f" else target
    module = peers.build(network.model, network.input_shape)
    peers.load(module.double() if dtype is np.float64 else module, weights)
    mine = ours.first_step(model, weights, network.loss, x, target)
    return mine, peers.first_step(module, network.loss, x, target)


def _row(network: Network, settings: Settings, report: Report, compiled: bool) -> list[str]:
    differences = check(network) if settings.torch else None
    trainer = ours.Trainer.of(network)
    x, target = network.images(), network.targets()
    choice = None
    if settings.torch:
        from benchmarks.torch_modes import best_trainer  # noqa: PLC0415

        choice = best_trainer(network, dict(trainer.params), settings, report, compiled)
    ways = [(choice.mode, choice.call), *([choice.plain] if choice.plain else [])] if choice else [(None, None)]
    runs = [
        (compare(lambda: trainer.step(x, target), call, settings.rounds, **settings.timing), mode)
        for mode, call in ways
    ]
    result, mode = min(runs, key=lambda run: run[0].peer.median if run[0].peer else 0.0)
    way = f"{mode.name}, {mode.optimizer}" if mode else None
    report.add(
        network=network.key,
        title=network.title,
        batch=network.batch,
        seconds=result.to_dict(),
        floor=network.floor,
        reached=None if result.ratio is None else result.ratio.median >= network.floor,
        torch_way=way,
        torch_trials=choice.trials if choice else {},
        differences=differences,
    )
    return [network.title, str(network.batch), *cells(result), f"{network.floor:g}", way or "–"]

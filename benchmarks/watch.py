"""``watch``: what a monitor costs, in training steps with and without it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import ours
from benchmarks.networks import CLASSES, NETWORKS, Network
from benchmarks.pairing import Quartiles, compare
from benchmarks.report import Report, seconds, spread
from benchmarks.settings import Settings
from whygrad.optim import SGD
from whygrad.training import Monitor, fit

COLUMNS = ("training step", "batch", "a look every", "alone", "watched", "more")
#: The share of a step's time that a monitor may cost.
MOST = 0.05

_DIGITS = Network("digits_cnn", "the digits' CNN", "digits_cnn", (1, 8, 8), 32, 0.0)
WATCHED = (_DIGITS, *(network for network in NETWORKS if network.loss == "cross_entropy"))


def measure(networks: list[Network], settings: Settings, report: Report) -> None:
    """Time as many steps as there are from look to look, with a monitor and without, by turns."""
    rows = []
    for network in networks:
        report.say(f"{network.title}, batch {network.batch}")
        rows.append(_row(network, settings, report))
    report.table(COLUMNS, rows)


def _row(network: Network, settings: Settings, report: Report) -> list[str]:
    monitor, watched, alone = _trainings(network)
    # On one thread the processor's own time is what a step costs, whatever other processes do meanwhile.
    clock = time.process_time if settings.threads == 1 else time.perf_counter
    result = compare(
        lambda: _advance(watched, monitor.every),
        lambda: _advance(alone, monitor.every),
        settings.rounds,
        piece=0.0,
        clock=clock,
    )
    assert result.peer is not None
    assert result.ratio is not None
    low, median, high = (1 / ratio - 1 for ratio in (result.ratio.high, result.ratio.median, result.ratio.low))
    more = Quartiles(low, median, high)
    report.add(
        network=network.key,
        batch=network.batch,
        every=monitor.every,
        seconds=result.to_dict(),
        more=more.median,
        reached=more.median <= MOST,
    )
    steps = [_each(quartiles, monitor.every) for quartiles in (result.peer, result.ours)]
    cells = [spread(steps[0], seconds), spread(steps[1], seconds), spread(more, lambda share: f"{share:+.1%}")]
    return [network.title, str(network.batch), f"{monitor.every} steps", *cells]


def _each(quartiles: Quartiles, steps: int) -> Quartiles:
    return Quartiles(quartiles.low / steps, quartiles.median / steps, quartiles.high / steps)


def _trainings(network: Network) -> tuple[Monitor, Iterator[Any], Iterator[Any]]:
    """Return a monitor, a training that it reads, and the same training alone."""
    model = ours.build(network.model, network.input_shape)
    rng = np.random.default_rng([0, 1])
    count = max(64, 4 * network.batch)
    images = rng.standard_normal((count, *network.input_shape), np.float32)
    labels = rng.integers(0, CLASSES, count)
    params = ours.weights(model)
    monitor = Monitor(model, images, labels, batch_size=network.batch)
    monitor.begin(params)

    def steps() -> Iterator[Any]:
        return fit(
            model,
            params,
            images,
            labels,
            optimizer=SGD(network.rate, momentum=0.9),
            rng=np.random.default_rng(0),
            epochs=10**9,
            batch_size=network.batch,
        )

    return monitor, _read(steps(), monitor), steps()


def _read(steps: Iterator[Any], monitor: Monitor) -> Iterator[Any]:
    for step in steps:
        monitor.update(step)
        yield step


def _advance(steps: Iterator[Any], count: int) -> None:
    for _ in range(count):
        next(steps)

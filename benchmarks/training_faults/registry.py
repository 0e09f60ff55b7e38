"""All scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.training_faults import faults, healthy
from benchmarks.training_faults.faults import own
from benchmarks.training_faults.images import Images, digits, mnist
from benchmarks.training_faults.scenario import Scenario


def scenarios(folder: Path | None = None, first: int = 0) -> Iterator[Scenario]:
    """Yield every scenario on the digits, or on MNIST from a folder, with seeds from ``first``."""

    def images_of(seed: int) -> Images:
        return digits(seed + first) if folder is None else mnist(folder, seed + first)

    yield from faults.scenarios(images_of)
    for fault in own.FAULTS:
        yield from fault.scenarios(images_of)
    yield from healthy.scenarios(images_of)

"""The faults, by the label of their cause."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.training_faults.faults import data, flow, gradient, learning, numbers, rate, start
from benchmarks.training_faults.scenario import Scenario
from benchmarks.training_faults.setups import ImagesOf

TABLES = (data, start, gradient, rate, flow, numbers, learning)


def scenarios(images_of: ImagesOf) -> Iterator[Scenario]:
    """Yield every faulty training of anyone's code."""
    for table in TABLES:
        for fault in table.FAULTS:
            yield from fault.scenarios(images_of)

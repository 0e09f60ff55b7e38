"""The data that the trainings see: the embedded digits, and MNIST from a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.idx import read_idx
from whygrad.data import load_digits
from whygrad.typing import Array

CLASSES = 10


@dataclass(frozen=True)
class Images:
    """Training images and held-out ones, (N, 1, H, W) from 0 to 1 in float64, and their labels."""

    name: str
    x: Array
    y: Array
    test_x: Array
    test_y: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        return self.x.shape[1:]

    @property
    def features(self) -> int:
        """Pixels of an image."""
        return int(np.prod(self.shape))

    def batches(self, size: int, seed: int, count: int) -> Iterator[tuple[Array, Array]]:
        """Yield so many batches, epoch after epoch in a new order."""
        rng = np.random.default_rng([seed, 11])
        made = 0
        while made < count:
            order = rng.permutation(len(self.y))
            for at in range(0, len(order) - size + 1, size):
                if made == count:
                    return
                chosen = order[at : at + size]
                yield self.x[chosen], self.y[chosen]
                made += 1


@lru_cache(maxsize=8)
def digits(seed: int) -> Images:
    """Return the embedded digits, divided by a seed."""
    data = load_digits()
    return _divided("digits", data.images.astype(np.float64), data.labels, seed, 1400)


@lru_cache(maxsize=8)
def mnist(folder: Path, seed: int) -> Images:
    """Return 3000 images of MNIST's training files, chosen by a seed.

    Raises:
        DataFileError: a file is missing or damaged.
    """
    x, y = _raw_mnist(folder)
    chosen = np.random.default_rng([seed, 3]).permutation(len(y))[:3000]
    return _divided("mnist", x[chosen, None] / 255.0, y[chosen].astype(np.int64), seed, 2400)


@lru_cache(maxsize=1)
def _raw_mnist(folder: Path) -> tuple[Array, Array]:
    return read_idx(folder / "train-images-idx3-ubyte.gz", 3), read_idx(folder / "train-labels-idx1-ubyte.gz", 1)


def _divided(name: str, x: Array, y: Array, seed: int, train: int) -> Images:
    order = np.random.default_rng([seed, 7]).permutation(len(y))
    a, b = order[:train], order[train:]
    return Images(name, x[a], y[a], x[b], y[b])

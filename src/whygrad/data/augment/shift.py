"""Shifting images by whole pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.data.augment.transform import frame
from whygrad.typing import Array


@dataclass(frozen=True)
class Shift:
    """Moves each image up or down and left or right, each by 0 to ``pixels`` whole pixels with equal chances.

    This is also what "a crop with padding" does: a frame of ``pixels`` around the image, and a random window of the
    old size in it.

    Args:
        pixels: the most that an image moves.

    Example:
        >>> images = np.arange(1.0, 5.0).reshape(1, 1, 2, 2)
        >>> Shift(1)(images, np.random.default_rng(0), np.zeros(1))[0, 0].tolist()
        [[3.0, 4.0], [0.0, 0.0]]
    """

    pixels: int

    def __call__(self, images: Array, rng: np.random.Generator, fill: Array) -> Array:
        """Return the shifted images."""
        n, _, h, w = images.shape
        framed = frame(images, self.pixels, fill)
        tops, lefts = rng.integers(0, 2 * self.pixels + 1, (2, n))
        moved = np.empty_like(images, order="C")
        for i, (top, left) in enumerate(np.stack([tops, lefts], axis=1).tolist()):
            moved[i] = framed[i, :, top : top + h, left : left + w]
        return moved

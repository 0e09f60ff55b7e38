"""Covering a part of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.typing import Array


@dataclass(frozen=True)
class Cutout:
    """Covers a square of each image, centred on any of its pixels, so that it may stand over the border.

    Args:
        pixels: the side of the square.

    Example:
        >>> images = np.ones((1, 1, 3, 3))
        >>> int((Cutout(1)(images, np.random.default_rng(0), np.zeros(1)) == 0).sum())
        1

    Source: T. DeVries and G. W. Taylor, "Improved regularization of convolutional neural networks with cutout"
    (2017).
    """

    pixels: int

    def __call__(self, images: Array, rng: np.random.Generator, fill: Array) -> Array:
        """Return the images with their squares covered."""
        n, _, h, w = images.shape
        covered = images.copy()
        colour = fill.astype(images.dtype)[:, None, None]
        tops, lefts = rng.integers(0, h, n) - self.pixels // 2, rng.integers(0, w, n) - self.pixels // 2
        for i, (top, left) in enumerate(np.stack([tops, lefts], axis=1).tolist()):
            covered[i, :, max(top, 0) : top + self.pixels, max(left, 0) : left + self.pixels] = colour
        return covered

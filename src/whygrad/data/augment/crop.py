"""Cutting out a part of images and scaling it up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.data.augment.sampling import sample
from whygrad.typing import Array


@dataclass(frozen=True)
class Crop:
    """Cuts a random window out of each image and scales it to the size of the whole.

    Args:
        percent: the most that is cut off of height and width, in per cent; both lose the same share.

    Example:
        >>> images = np.ones((1, 1, 4, 4))
        >>> bool((Crop(50)(images, np.random.default_rng(0), np.zeros(1)) == 1).all())
        True
    """

    percent: float

    def __call__(self, images: Array, rng: np.random.Generator, fill: Array) -> Array:
        """Return windows of the images."""
        n, _, h, w = images.shape
        share = 1 - rng.uniform(0, self.percent / 100, n)
        centres = rng.uniform(-0.5, 0.5, (2, n)) * (1 - share)
        zero = np.zeros(n)
        rows = np.stack([share, zero, centres[0] * h], axis=1)
        columns = np.stack([zero, share, centres[1] * w], axis=1)
        return sample(images, rows, columns, fill, inside=True)

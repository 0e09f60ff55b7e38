"""Turning images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.data.augment.sampling import sample
from whygrad.typing import Array


@dataclass(frozen=True)
class Rotate:
    """Turns each image about its centre, to either side by up to ``degrees``; pixels are interpolated linearly.

    Args:
        degrees: the largest angle.

    Example:
        >>> images = np.zeros((1, 1, 3, 3))
        >>> images[0, 0, 1, 1] = 1
        >>> Rotate(30)(images, np.random.default_rng(0), np.zeros(1))[0, 0, 1, 1].item()
        1.0
    """

    degrees: float

    def __call__(self, images: Array, rng: np.random.Generator, fill: Array) -> Array:
        """Return the turned images."""
        angles = np.deg2rad(rng.uniform(-self.degrees, self.degrees, len(images)))
        sine, cosine, zero = np.sin(angles), np.cos(angles), np.zeros(len(images))
        rows, columns = np.stack([cosine, sine, zero], axis=1), np.stack([-sine, cosine, zero], axis=1)
        return sample(images, rows, columns, fill)

"""Mirroring images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.typing import Array


@dataclass(frozen=True)
class Flip:
    """Swaps left and right of each image with a chance of one half.

    Example:
        >>> images = np.arange(4.0).reshape(1, 1, 2, 2)
        >>> Flip()(images, np.random.default_rng(1), np.zeros(1))[0, 0].tolist()
        [[0.0, 1.0], [2.0, 3.0]]
        >>> Flip()(images, np.random.default_rng(2), np.zeros(1))[0, 0].tolist()
        [[1.0, 0.0], [3.0, 2.0]]
    """

    def __call__(self, images: Array, rng: np.random.Generator, fill: Array) -> Array:  # noqa: ARG002 - no gaps
        """Return the images, about half of them mirrored."""
        mirrored = rng.random(len(images)) < 0.5
        return np.where(mirrored[:, None, None, None], images[..., ::-1], images)

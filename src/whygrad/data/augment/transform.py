"""What every augmentation is: images, a generator, and what fills the gaps."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from whygrad.typing import Array


class Transform(Protocol):
    """Changes a batch of images at random."""

    def __call__(self, images: Array, rng: np.random.Generator, fill: Array, /) -> Array:
        """Return changed images of the same shape; ``images`` are not written to.

        Args:
            images: (N, C, H, W).
            rng: the only source of chance: the same state gives the same images.
            fill: (C,), what stands where an image has nothing to show.
        """


def frame(images: Array, width: int, fill: Array) -> Array:
    """Return images with a frame of ``fill`` around them, (N, C, H + 2·width, W + 2·width)."""
    n, c, h, w = images.shape
    framed = np.empty((n, c, h + 2 * width, w + 2 * width), images.dtype)
    framed[:] = fill.astype(images.dtype)[:, None, None]
    framed[:, :, width : width + h, width : width + w] = images
    return framed

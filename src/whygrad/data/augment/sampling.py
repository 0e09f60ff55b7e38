"""Looking images up between their pixels."""

from __future__ import annotations

import numpy as np

from whygrad.data.augment.transform import frame
from whygrad.typing import Array


def sample(images: Array, rows: Array, columns: Array, fill: Array, *, inside: bool = False) -> Array:
    """Return images whose pixel (i, j) is the old one at an affine function of (i, j), interpolated linearly.

    Coordinates count from the centre of the image, so that (0, 0) is its middle.

    Args:
        images: (N, C, H, W).
        rows: (N, 3), a, b, c of the old row a·i + b·j + c.
        columns: (N, 3), likewise for the old column.
        fill: (C,), what stands outside the image.
        inside: take the nearest pixel of the border for what lies outside, in place of ``fill``.

    Example:
        >>> images = np.array([[[[0.0, 2.0, 4.0]]]])
        >>> sample(images, np.array([[1.0, 0, 0]]), np.array([[0, 1.0, 0.5]]), np.full(1, 9.0))[0, 0].tolist()
        [[1.0, 3.0, 6.5]]
    """
    n, c, h, w = images.shape
    kind = images.dtype
    i = (np.arange(h) - (h - 1) / 2).astype(kind)[:, None]
    j = (np.arange(w) - (w - 1) / 2).astype(kind)
    framed = frame(images, 1, fill)
    if inside:
        framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    y, fy = _split(rows.astype(kind), i, j, h)
    x, fx = _split(columns.astype(kind), i, j, w)
    flat = framed.reshape(n, c, (h + 2) * (w + 2))
    at = (y * (w + 2) + x).reshape(n, 1, h * w)

    def corner(down: int, right: int) -> Array:
        found: Array = np.take_along_axis(flat, at + (down * (w + 2) + right), axis=2)
        return found.reshape(images.shape)

    fy, fx = fy[:, None], fx[:, None]
    top = corner(0, 0) * (1 - fx) + corner(0, 1) * fx
    bottom = corner(1, 0) * (1 - fx) + corner(1, 1) * fx
    between: Array = top * (1 - fy) + bottom * fy
    return between


def _split(weights: Array, i: Array, j: Array, size: int) -> tuple[Array, Array]:
    """Return the pixels of the framed image before the coordinates, and how far beyond them these lie."""
    a, b, c = (weights[:, k, None, None] for k in range(3))
    at = np.clip(a * i + b * j + c + (size - 1) / 2 + 1, 0, size + 1)
    before = np.minimum(at.astype(np.intp), size)
    return before, at - before.astype(at.dtype)

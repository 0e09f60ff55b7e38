"""What the poolings share: where the windows of a call lie, and which of a window's taps see the image."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from whygrad.kernels.compiler import ints, part
from whygrad.typing import Shape

#: N, C, H, W, then pairs: kernel, stride, dilation, the padding at the top and on the left, output.
SIZES: Any = ints(14)

#: Fewer channels than these are pooled by rows of windows, more by windows: loops are to be long.
NARROW = 16


class Windows(Hashable, Protocol):
    """Where the windows of a call lie, as (vertical, horizontal); see ``whygrad.ops.windows.Geometry``."""

    @property
    def size(self) -> tuple[int, int]:
        """H, W."""

    @property
    def kernel(self) -> tuple[int, int]:
        """R, S."""

    @property
    def stride(self) -> tuple[int, int]:
        """Step between windows."""

    @property
    def dilation(self) -> tuple[int, int]:
        """Distance between taps."""

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Top, bottom, left, right."""

    @property
    def output(self) -> tuple[int, int]:
        """I, J."""


@lru_cache(maxsize=1024)
def sizes_of(shape: Shape, where: Windows) -> tuple[int, ...]:
    """Return the numbers that kernels take as ``SIZES``."""
    return (
        *shape,
        *where.kernel,
        *where.stride,
        *where.dilation,
        where.padding[0],
        where.padding[2],
        *where.output,
    )


@part
def inside(start, step, taps, size):
    """Return the first tap inside an image of so many rows, and the one after the last, of a window at start."""
    return max(0, -(start // step)), min(taps, (size - 1 - start) // step + 1)


@part
def window_at(row, stride, output):
    """Return the index of the window that starts at a row, or −1."""
    if row < 0 or row % stride or row // stride >= output:
        return -1
    return row // stride


@part
def piece(vector, pixel, channels):
    """Return the channels of one pixel, or of several on end."""
    return vector[pixel * channels : (pixel + 1) * channels]


@part
def places(columns, stride, left, channels):
    """Return where in a row of x, counted in numbers, the windows of a row have the channels of their first tap."""
    result = np.empty(columns * channels, np.int64)
    for j in range(columns):
        for k in range(channels):
            result[j * channels + k] = (j * stride - left) * channels + k
    return result


@part
def windows_of(size, before, taps, stride, dilation, output):
    """Return a table: which window sees each row of an image through each of its taps, or −1."""
    table = np.empty((size, taps), np.int64)
    for row in range(size):
        for tap in range(taps):
            table[row, tap] = window_at(row + before - tap * dilation, stride, output)
    return table

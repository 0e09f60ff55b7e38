"""Images that are read when they are asked for, in place of an array that holds them all."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from whygrad.typing import Array, IntArray, Shape

Bytes = npt.NDArray[np.uint8]


class Images(Protocol):
    """Images in a row: an array (N, C, H, W), or what can be indexed along its first axis like one.

    Several threads may read at once.
    """

    @property
    def shape(self) -> Shape:
        """(N, C, H, W)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, at: Any, /) -> Any:
        """Return the images of a slice or of an array of indices, as an array."""


class Source:
    """Base of images that are no array: they are float32, and read when they are indexed.

    Args:
        shape: (N, C, H, W).
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32."""
        return np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, at: Any, /) -> Array:
        indices = np.arange(len(self))[at]
        return self.read(np.atleast_1d(indices)) if np.ndim(indices) else self.read(indices[None])[0]

    def read(self, indices: IntArray) -> Array:
        """Return the images at ``indices``, (n, C, H, W), float32 from 0 to 1 unless scaled otherwise."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """Return what is the same only for the same images."""
        raise NotImplementedError


class Pixels(Source):
    """Images held as bytes, a quarter of what they take as float32.

    Args:
        pixels: (N, C, H, W), 0 to 255.

    Example:
        >>> Pixels(np.array([[[[0, 51], [102, 255]]]], np.uint8))[0].tolist()
        [[[0.0, 0.20000000298023224], [0.4000000059604645, 1.0]]]
    """

    def __init__(self, pixels: Bytes) -> None:
        super().__init__(pixels.shape)
        self.pixels = pixels

    def read(self, indices: IntArray) -> Array:
        """Return the images at ``indices``, from 0 to 1."""
        return np.divide(self.pixels[indices], np.float32(255), dtype=np.float32)

    def fingerprint(self) -> str:
        """Return a hash of all pixels."""
        return hashlib.sha256(np.ascontiguousarray(self.pixels).data).hexdigest()


class Selected(Source):
    """Some of the images of a source, in an order of their own.

    Args:
        images: the source.
        indices: (n,), which of its images.
    """

    def __init__(self, images: Source, indices: IntArray) -> None:
        super().__init__((len(indices), *images.shape[1:]))
        self.images, self.indices = images, indices

    def read(self, indices: IntArray) -> Array:
        """Return the images at ``indices`` of the selection."""
        return self.images.read(self.indices[indices])

    def fingerprint(self) -> str:
        """Return a hash of the source's fingerprint and of the selection."""
        text = self.images.fingerprint().encode() + np.ascontiguousarray(self.indices, np.int64).tobytes()
        return hashlib.sha256(text).hexdigest()


class Normalised(Source):
    """Images of which each channel has about the mean 0 and the deviation 1.

    Args:
        images: the images.
        mean: (C,), subtracted.
        deviation: (C,), divided by.

    Example:
        >>> images = np.array([[[[2.0, 4.0]]]])
        >>> Normalised(images, np.array([3.0]), np.array([0.5]))[:].tolist()
        [[[[-2.0, 2.0]]]]
    """

    def __init__(self, images: Images, mean: Array, deviation: Array) -> None:
        super().__init__(images.shape)
        self.images, self.mean, self.deviation = images, mean, deviation

    def read(self, indices: IntArray) -> Array:
        """Return the images at ``indices``, normalised."""
        return normalise(self.images[indices], self.mean, self.deviation)

    def fingerprint(self) -> str:
        """Return the fingerprint of the images, from which all else follows."""
        return fingerprint(self.images)


def normalise(images: Array, mean: Array, deviation: Array) -> Array:
    """Return (images − mean) / deviation, channel by channel.

    Args:
        images: (N, C, H, W).
        mean: (C,).
        deviation: (C,).
    """
    kind = images.dtype
    scaled: Array = (images - mean.astype(kind)[:, None, None]) / deviation.astype(kind)[:, None, None]
    return scaled


def moments(images: Images, *, batch_size: int = 1024) -> tuple[Array, Array]:
    """Return mean and standard deviation of each channel, reading a part of the images at a time.

    A channel that is the same everywhere gets the deviation 1.

    Args:
        images: (N, C, H, W).
        batch_size: images at once.

    Returns:
        (C,) and (C,), float64.

    Example:
        >>> mean, deviation = moments(np.array([[[[0.0, 2.0]]], [[[4.0, 6.0]]]]))
        >>> mean.tolist(), deviation.round(4).tolist()
        ([3.0], [2.2361])
    """
    channels = images.shape[1]
    total, squares, count = np.zeros(channels), np.zeros(channels), 0
    for start in range(0, len(images), batch_size):
        part = np.asarray(images[start : start + batch_size], np.float64)
        total += part.sum(axis=(0, 2, 3))
        squares += (part**2).sum(axis=(0, 2, 3))
        count += part.size // channels
    mean = total / max(count, 1)
    variance = np.maximum(squares / max(count, 1) - mean**2, 0)
    return mean, np.where(variance > 1e-12, np.sqrt(variance), 1.0)


def select(images: Images, indices: IntArray) -> Images:
    """Return some of the images: of an array a copy of them, of a source what reads them when they are needed."""
    return Selected(images, indices) if isinstance(images, Source) else images[indices]


def fingerprint(images: Images) -> str:
    """Return what is the same only for the same images."""
    if isinstance(images, Source):
        return images.fingerprint()
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()

"""MNIST from its four gzipped IDX files, whose every length is checked before it is believed."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

_UNSIGNED_BYTE = 8
_MOST_BYTES = 1 << 28
_MEAN, _DEVIATION = 0.1307, 0.3081  # of the training images


class DataFileError(Exception):
    """A file that is not what it should be."""


class Mnist(NamedTuple):
    """Images (N, 1, H, W), standardised, and their labels."""

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.float32]
    test_labels: npt.NDArray[np.int64]


def read_idx(path: Path, rank: int) -> Bytes:
    """Return the array of unsigned bytes in a gzipped IDX file.

    Args:
        path: the file.
        rank: how many axes it must have.

    Raises:
        DataFileError: it is missing, damaged, of another kind, or larger than any such file.
    """
    try:
        with gzip.open(path) as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataFileError(f"{path}: expected a gzipped IDX file, received {error}") from None
    head = 4 + 4 * rank
    if len(content) > _MOST_BYTES:
        raise DataFileError(f"{path}: expected at most {_MOST_BYTES} bytes, received more")
    if len(content) < head or content[:4] != bytes((0, 0, _UNSIGNED_BYTE, rank)):
        raise DataFileError(f"{path}: expected an IDX file of bytes with {rank} axes, received {content[:4].hex()}")
    shape = struct.unpack(f">{rank}I", content[4:head])
    size = int(np.prod(shape, dtype=object))
    if size != len(content) - head:
        raise DataFileError(f"{path}: expected {size} bytes for the shape {shape}, received {len(content) - head}")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def read_mnist(folder: Path) -> Mnist:
    """Return the training and test images and labels of a folder.

    Raises:
        DataFileError: a file is missing or damaged, or images and labels do not fit together.
    """
    images, labels = _pair(folder, "train")
    test_images, test_labels = _pair(folder, "t10k")
    if images.shape[1:] != test_images.shape[1:]:
        raise DataFileError(f"{folder}: expected training and test images of one size")
    return Mnist(images, labels, test_images, test_labels)


def _pair(folder: Path, name: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    images = read_idx(folder / f"{name}-images-idx3-ubyte.gz", 3)
    labels = read_idx(folder / f"{name}-labels-idx1-ubyte.gz", 1)
    if len(images) != len(labels) or not len(labels):
        raise DataFileError(f"{folder}: expected a label for each {name} image, received {len(labels)}")
    if labels.max() > 9:
        raise DataFileError(f"{folder}: expected labels from 0 to 9, received {labels.max()}")
    scaled = (images[:, None].astype(np.float32) / 255 - _MEAN) / _DEVIATION
    return scaled.astype(np.float32), labels.astype(np.int64)

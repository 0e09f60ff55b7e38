"""Images from files, in the form that a model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from whygrad.data.npy import read_npy
from whygrad.data.pictures import read_picture
from whygrad.errors import DataError, FileError, ShapeError
from whygrad.typing import Array, Shape


def read_images(path: Path, shape: Shape, fit: str = "stretch") -> Array:
    """Read a PNG, JPEG, BMP, WebP or GIF, or a ``.npy`` of one image or of several.

    Args:
        path: the file. Pictures are turned to grey where the model wants one channel, resized to its height and
            width, and scaled from 0..255 to 0..1. Arrays are taken as they are and must be floats.
        shape: (C, H, W) that the model takes.
        fit: how pictures of another shape are resized: "stretch", "crop" or "pad".

    Returns:
        (N, C, H, W), float32.

    Raises:
        FileError: a missing file, or one that is no image.
        ShapeError: an array of another shape.
        DataError: integers or NaN in an array, or a picture too large.
    """
    if not path.is_file():
        received = "something else, such as a directory" if path.exists() else "no such file"
        raise FileError(str(path), "an image file", received, "check the path")
    if path.suffix == ".npy":
        return _read_array(path, shape)
    return read_picture(path, shape, fit)[None].astype(np.float32) / 255


def looks_inverted(images: Array) -> bool:
    """Tell whether images are dark on light, by the border, where a digit rarely is."""
    border = np.concatenate([images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], axis=-1)
    return bool(border.size and border.mean() > 0.5)


def _read_array(path: Path, shape: Shape) -> Array:
    array = _load_array(path)
    if array.dtype.kind != "f":
        remedy = "scale it as the training images were, for instance array.astype(np.float32) / 255"
        raise DataError(str(path), "floats", f"{array.dtype}", remedy)
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise DataError(str(path), "finite numbers", "NaN or infinity among them", "repair the array")
    for batch in (array[None, None], array[None], array):
        if batch.shape[1:] == shape and batch.ndim == 4:
            if not len(batch):
                raise DataError(str(path), "at least one image", "an empty array", "check what was saved")
            return batch
    channels, height, width = shape
    one = f"({height}, {width}), " if channels == 1 else ""
    expected = f"an array of shape {one}{shape} or (N, {channels}, {height}, {width})"
    raise ShapeError(str(path), expected, f"{array.shape}", "reshape or resize it")


def _load_array(path: Path) -> npt.NDArray[Any]:
    try:
        with path.open("rb") as file:
            return read_npy(str(path), file, path.stat().st_size)
    except OSError as error:
        raise FileError(str(path), "a readable file", error.strerror or str(error), "check the path") from None

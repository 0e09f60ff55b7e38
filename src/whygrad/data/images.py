"""Images from files, in the form that a model was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from whygrad.errors import DataError, FileError, ShapeError
from whygrad.typing import Array, Shape

_MOST_PIXELS = 64_000_000  # beyond this a file is refused before it is decoded


def read_images(path: Path, shape: Shape) -> Array:
    """Read a PNG or JPEG, or a ``.npy`` of one image or of several.

    Args:
        path: the file. Pictures are turned to grey where the model wants one channel, resized to its height and
            width, and scaled from 0..255 to 0..1. Arrays are taken as they are and must be floats.
        shape: (C, H, W) that the model takes.

    Returns:
        (N, C, H, W), float32.

    Raises:
        FileError: a missing file, or one that is no image.
        ShapeError: an array of another shape.
        DataError: integers or NaN in an array, or a picture too large.
    """
    if not path.is_file():
        raise FileError(str(path), "an image file", "no such file", "check the path")
    return _read_array(path, shape) if path.suffix == ".npy" else _read_picture(path, shape)


def looks_inverted(images: Array) -> bool:
    """Tell whether images are dark on light, by the border, where a digit rarely is."""
    border = np.concatenate([images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], axis=-1)
    return bool(border.size and border.mean() > 0.5)


def _read_array(path: Path, shape: Shape) -> Array:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else "an empty file"
        raise FileError(str(path), "a NumPy array without objects", reason, "save it with np.save") from None
    if array.dtype.kind != "f":
        remedy = "scale it as the training images were, for instance array.astype(np.float32) / 255"
        raise DataError(str(path), "floats", f"{array.dtype}", remedy)
    if not np.isfinite(array).all():
        raise DataError(str(path), "finite numbers", "NaN or infinity among them", "repair the array")
    for batch in (array[None, None], array[None], array):
        if batch.shape[1:] == shape and batch.ndim == 4:
            return batch.astype(np.float32)
    channels, height, width = shape
    expected = f"an array of shape ({height}, {width}), {shape} or (N, {channels}, {height}, {width})"
    raise ShapeError(str(path), expected, f"{array.shape}", "reshape or resize it")


def _read_picture(path: Path, shape: Shape) -> Array:
    channels, height, width = shape
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                received = f"{picture.width}x{picture.height}"
                raise DataError(str(path), f"at most {_MOST_PIXELS} pixels", received, "make it smaller")
            colour = picture.convert("RGBA" if _is_transparent(picture) else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, DataError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(str(path), "a PNG, JPEG or .npy image", reason, "check that the file is whole") from None
    if colour.mode == "RGBA":  # what is transparent shows white paper
        paper = Image.new("RGBA", colour.size, "white")
        colour = Image.alpha_composite(paper, colour).convert("RGB")
    if channels not in (1, 3):
        raise ShapeError(str(path), f"an array with {channels} channels", "a picture", "pass a .npy file")
    small = colour.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BOX)
    pixels = np.asarray(small, np.float32) / 255
    return pixels[None, None] if channels == 1 else np.moveaxis(pixels, -1, 0)[None]


def _is_transparent(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info

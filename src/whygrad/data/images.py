"""Images from files, in the form that a model was trained on."""

from __future__ import annotations

import warnings
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from whygrad.errors import DataError, FileError, ShapeError
from whygrad.typing import Array, Shape

_FORMATS = ("PNG", "JPEG")  # no others: some of them start programs
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
        received = "something else, such as a directory" if path.exists() else "no such file"
        raise FileError(str(path), "an image file", received, "check the path")
    return _read_array(path, shape) if path.suffix == ".npy" else _read_picture(path, shape)


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
    """Read a ``.npy`` without unpickling, and no more than the file holds."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = header(file)
            claimed, held = prod(shape) * dtype.itemsize, path.stat().st_size
            if claimed > held:
                raise ValueError(f"a header that claims {claimed} bytes in a file of {held}")
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # a damaged header fails in as many ways as Python source can
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(str(path), "a NumPy array without objects", reason, "save it with np.save") from None


def _read_picture(path: Path, shape: Shape) -> Array:
    channels, height, width = shape
    if channels not in (1, 3):
        raise ShapeError(str(path), f"an array with {channels} channels", "a picture", "pass a .npy file")
    colour = _load_picture(path)
    small = colour.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BOX)
    pixels = np.asarray(small, np.float32) / 255
    return pixels[None, None] if channels == 1 else np.moveaxis(pixels, -1, 0)[None]


def _load_picture(path: Path) -> Image.Image:
    """Read a picture as it is meant to be seen: upright, on white paper, 8 bits a colour."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound below is stricter
            picture = Image.open(path, formats=_FORMATS)
        with picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise _too_large(path, f"{picture.width}x{picture.height}")
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I"):  # 16 bits of grey, of which Pillow would keep the lowest 8
                grey = np.clip(np.asarray(upright, np.float64) / 65535, 0, 1)
                return Image.fromarray((255 * grey).round().astype(np.uint8))
            if not _is_transparent(upright):
                return upright.convert("RGB")
            paper = Image.new("RGBA", upright.size, "white")
            return Image.alpha_composite(paper, upright.convert("RGBA")).convert("RGB")
    except Image.DecompressionBombError:
        raise _too_large(path, "a larger picture") from None
    except DataError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(str(path), "a PNG, JPEG or .npy image", reason, "check that the file is whole") from None


def _too_large(path: Path, received: str) -> DataError:
    return DataError(str(path), f"at most {_MOST_PIXELS} pixels", received, "make it smaller")


def _is_transparent(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info

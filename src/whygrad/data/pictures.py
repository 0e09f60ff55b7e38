"""Pictures: PNG, JPEG, BMP, WebP and GIF as they are meant to be seen, brought to one size."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from whygrad.data.sources import Bytes
from whygrad.errors import DataError, FileError, OptionError, ShapeError
from whygrad.typing import Shape

#: How a picture of another shape is brought to the wanted one: scaled and cut off, scaled out of shape, or framed.
Fit = Literal["crop", "stretch", "pad"]
FITS: tuple[str, ...] = get_args(Fit)
#: How many colours pictures are read with.
Colour = Literal["grey", "rgb"]
COLOURS: tuple[str, ...] = get_args(Colour)

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")  # no others: some of them start programs
_MOST_PIXELS = 64_000_000  # beyond this a file is refused before it is decoded
_GREY_MODES = ("1", "L", "LA", "La")


def read_picture(path: Path, shape: Shape, fit: str = "stretch") -> Bytes:
    """Read a picture in a size.

    Args:
        path: the file; of a GIF its first picture is taken. A picture is turned upright as its EXIF data say, and
            what is transparent in it becomes white paper.
        shape: (C, H, W): grey for one channel, red, green and blue for three.
        fit: "crop" scales the picture until it covers H and W and cuts off what stands over, equally on both sides;
            "pad" scales it until it fits in and puts black around it; "stretch" scales each side by itself.

    Returns:
        (C, H, W), 0 to 255.

    Raises:
        FileError: no such picture.
        DataError: one that is too large.
        ShapeError: other than one or three channels.
        OptionError: an unknown fit.
    """
    channels, height, width = shape
    if channels not in (1, 3):
        raise ShapeError(str(path), f"an array with {channels} channels", "a picture", "pass a .npy file")
    if fit not in FITS:
        raise OptionError("fit", f"one of {', '.join(FITS)}", repr(fit), "check the spelling")
    picture = load_picture(path).convert("L" if channels == 1 else "RGB")
    box, size = Image.Resampling.BOX, (width, height)
    if fit == "stretch":
        picture = picture.resize(size, box)
    else:
        picture = (ImageOps.fit if fit == "crop" else ImageOps.pad)(picture, size, box)
    pixels = np.asarray(picture)
    return pixels[None] if channels == 1 else np.moveaxis(pixels, -1, 0)


def load_picture(path: Path) -> Image.Image:
    """Read a picture as it is meant to be seen: upright, on white paper, 8 bits a colour; "L" or "RGB".

    Raises:
        FileError: no such picture.
        DataError: one that is too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the bound below is stricter, and odd metadata are no concern here
            picture = Image.open(path, formats=_FORMATS)
            with picture:
                if picture.width * picture.height > _MOST_PIXELS:
                    raise _too_large(path, f"{picture.width}x{picture.height}")
                return _as_seen(ImageOps.exif_transpose(picture))
    except Image.DecompressionBombError:
        raise _too_large(path, "a larger picture") from None
    except DataError:
        raise
    except Exception as error:  # Pillow's readers fail in as many ways as there are damaged files
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = "something else"
        raise FileError(
            str(path), "a PNG, JPEG, BMP, WebP or GIF", reason.splitlines()[0], "check that the file is whole"
        ) from None


def _as_seen(upright: Image.Image) -> Image.Image:
    if upright.mode.startswith("I"):  # 16 bits of grey, of which Pillow would keep the lowest 8
        grey = np.clip(np.asarray(upright, np.float64) / 65535, 0, 1)
        return Image.fromarray((255 * grey).round().astype(np.uint8))
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        paper = Image.new("RGBA", upright.size, "white")
        seen = Image.alpha_composite(paper, upright.convert("RGBA"))
        return seen.convert("L" if upright.mode in _GREY_MODES else "RGB")
    return upright.convert("L" if upright.mode in _GREY_MODES else "RGB")


def _too_large(path: Path, received: str) -> DataError:
    return DataError(str(path), f"at most {_MOST_PIXELS} pixels", received, "make it smaller")

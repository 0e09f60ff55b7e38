"""Images that show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from whygrad import notebook
from whygrad.errors import DTypeError, ShapeError
from whygrad.typing import Array
from whygrad.validation import whole

#: Images are shown about so wide, in pixels.
_WIDTH = 56
#: Wider ones are made smaller before they are packed.
_WIDEST = 224
#: What is not finite has no grey.
_MAGENTA = (255, 0, 255)


@dataclass(frozen=True)
class Gallery:
    """Images with what is to be said of them, shown in a notebook by being named; made by :func:`gallery`."""

    images: Array  #: (n, C, H, W), those that are shown
    captions: tuple[str, ...]
    wrong: tuple[bool, ...]  #: which captions tell of a mistake
    total: int  #: how many images there are

    def _repr_html_(self) -> str:
        return notebook.piece(pictures(self))


def gallery(
    images: Any,
    labels: Any = None,
    *,
    guesses: Any = None,
    classes: Sequence[Any] | None = None,
    most: int = 24,
) -> Gallery:
    """Return images, a batch for instance, that show themselves in a notebook.

    Args:
        images: (N, C, H, W), (N, H, W), or one image (C, H, W) with one channel or three. Grey with one channel,
            colour with three; of other numbers of channels the first is shown. Numbers from 0 to 1, or 0 to 255 if
            they are whole; others are brought to that range all together.
        labels: what they are, N indices or names.
        guesses: what they were taken for; where it is wrong both are said.
        classes: the names of indices.
        most: how many are shown.

    Raises:
        DTypeError: no real numbers.
        ShapeError: no images, or as many labels as images are missing.

    Example:
        >>> shown = gallery(np.zeros((3, 1, 8, 8)), [0, 1, 1], guesses=[0, 1, 0], classes=["cat", "dog"])
        >>> shown.captions
        ('cat', 'dog', 'dog, not cat')
    """
    most = whole("gallery", "most", most, 1)
    x = np.asarray(images)
    if x.dtype.kind not in "fiub":
        raise DTypeError("gallery", "images of real numbers", f"{x.dtype}", "convert them")
    if x.ndim == 3:
        one = x.shape[0] in (1, 3) and np.shape(labels)[:1] != x.shape[:1]
        x = x[None] if one else x[:, None]
    if x.ndim != 4 or not x.size:
        raise ShapeError("gallery", "(N, C, H, W), (N, H, W) or (C, H, W)", f"{np.shape(images)}", "reshape them")
    named = _names("labels", labels, len(x), classes)
    taken_for = _names("guesses", guesses, len(x), classes)
    wrong = tuple(bool(t and n and t != n) for n, t in zip(named, taken_for, strict=True))
    captions = tuple(f"{n}, not {t}" if bad else n or t for n, t, bad in zip(named, taken_for, wrong, strict=True))
    return Gallery(x[:most], captions[:most], wrong[:most], len(x))


def pictures(shown: Gallery) -> str:
    """Return the images of a gallery as HTML, without its style."""
    channels = 3 if shown.images.shape[1] == 3 else 1
    pixels = _pixels(shown.images[:, :channels])
    parts = [
        notebook.picture(_png(image), _WIDTH, _height(image), caption, bad=bad)
        for image, caption, bad in zip(pixels, shown.captions, shown.wrong, strict=True)
    ]
    notes = []
    if shown.images.shape[1] not in (1, 3):
        notes.append(f"the first of {shown.images.shape[1]} channels")
    if shown.total > len(pixels):
        notes.append(f"the first {len(pixels)} of {shown.total:,} images")
    return "".join(parts) + (notebook.said("; ".join(notes), dim=True) if notes else "")


def _names(what: str, values: Any, count: int, classes: Sequence[Any] | None) -> list[str]:
    if values is None:
        return [""] * count
    given = list(np.asarray(values).reshape(-1)) if np.ndim(values) else [values]
    if len(given) != count:
        raise ShapeError("gallery", f"{count} {what}, one for each image", f"{len(given)}", "pair them")
    return [_name(value, classes) for value in given]


def _name(value: Any, classes: Sequence[Any] | None) -> str:
    index = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return str(classes[int(value)]) if classes is not None and index and 0 <= value < len(classes) else str(value)


def _pixels(images: Array) -> npt.NDArray[np.uint8]:
    """Return (n, H, W, 3) of 0 to 255: from 0 to 1 as it is, other numbers from the smallest to the largest."""
    x = images.astype(np.float64)
    finite = np.isfinite(x)
    known = x[finite]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if images.dtype.kind in "iu" and low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        share = (x / 2 - low / 2) / ((high / 2 - low / 2) or 1.0)
    grey = np.where(finite, 255 * share, 0).round().astype(np.uint8)
    colour = np.moveaxis(np.broadcast_to(grey, (len(x), 3, *x.shape[2:])), 1, -1).copy()
    colour[~finite.all(axis=1)] = _MAGENTA
    return colour


def _height(image: npt.NDArray[np.uint8]) -> int:
    return max(1, min(4 * _WIDTH, round(_WIDTH * image.shape[0] / image.shape[1])))


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    made = Image.fromarray(image)
    if made.width > _WIDEST:
        made = made.resize((_WIDEST, max(1, round(_WIDEST * made.height / made.width))), Image.Resampling.BOX)
    file = BytesIO()
    (made.convert("L") if (image[..., :1] == image).all() else made).save(file, "PNG", optimize=True)
    return file.getvalue()

"""Augmentations by name, one after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from whygrad.data.augment.crop import Crop
from whygrad.data.augment.cutout import Cutout
from whygrad.data.augment.flip import Flip
from whygrad.data.augment.rotate import Rotate
from whygrad.data.augment.shift import Shift
from whygrad.data.augment.transform import Transform
from whygrad.errors import OptionError
from whygrad.typing import Array, Shape

#: By name: how it is made of its number, which numbers it takes, and what the number is; None without one.
AUGMENTATIONS: dict[str, tuple[Callable[[float], Transform], tuple[float, float], str] | None] = {
    "shift": (lambda pixels: Shift(int(pixels)), (1, 1024), "pixels"),
    "crop": (Crop, (0.1, 90), "per cent"),
    "rotate": (Rotate, (0.1, 180), "degrees"),
    "cutout": (lambda pixels: Cutout(int(pixels)), (1, 1024), "pixels"),
    "flip": None,
}
_WHOLE = ("shift", "cutout")


@dataclass(frozen=True)
class Augment:
    """Several augmentations, one after another.

    Args:
        transforms: what is done, in this order.

    Example:
        >>> augment = augmentation("shift=2, flip")
        >>> augment
        Augment(transforms=(Shift(pixels=2), Flip()))
        >>> augment(np.zeros((3, 1, 8, 8)), np.random.default_rng(0), np.zeros(1)).shape
        (3, 1, 8, 8)
    """

    transforms: tuple[Transform, ...]

    def __call__(self, images: Array, rng: np.random.Generator, fill: Array) -> Array:
        """Return the changed images."""
        for transform in self.transforms:
            images = transform(images, rng, fill)
        return images


def augmentation(text: str) -> Augment | None:
    """Return the augmentations that a text names, such as "shift=2, rotate=10, flip"; None if it names none.

    Raises:
        OptionError: an unknown name, or a number that is missing, out of range or not wanted.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    transforms = tuple(_one(part) for part in parts)
    return Augment(transforms) if transforms else None


def check_size(augment: Augment | None, shape: Shape) -> None:
    """Refuse shifts and squares that would leave nothing of images (C, H, W).

    Raises:
        OptionError: one that is too large.
    """
    for transform in augment.transforms if augment is not None else ():
        if isinstance(transform, Shift | Cutout) and transform.pixels >= min(shape[1:]):
            expected = f"less than {min(shape[1:])} pixels for images of {shape[1]}x{shape[2]}"
            raise OptionError("augment", expected, f"{transform}", "choose a smaller number")


def _one(part: str) -> Transform:
    name, equals, number = (piece.strip() for piece in part.partition("="))
    if name not in AUGMENTATIONS:
        expected = f"augmentations among {', '.join(AUGMENTATIONS)}"
        raise OptionError("augment", expected, repr(name), "check the spelling")
    known = AUGMENTATIONS[name]
    if known is None:
        if equals:
            raise OptionError("augment", f"{name} without a number", repr(part), "leave the number out")
        return Flip()
    make, (least, most), unit = known
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not least <= value <= most or (name in _WHOLE and not value.is_integer()):
        kind = "a whole number" if name in _WHOLE else "a number"
        expected = f"{name}={kind} of {unit} from {least:g} to {most:g}"
        raise OptionError("augment", expected, repr(part), f"write for instance {name}={max(least, 4):g}")
    return make(value)

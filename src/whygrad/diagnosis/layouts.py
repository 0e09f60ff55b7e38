"""In which order a person's axes stand, and how that is found out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.diagnosis.catalogue import Subject
from whygrad.typing import Array


@dataclass(frozen=True)
class Layout:
    """How a person orders the axes of images and weights."""

    images: str = "NCHW"
    weights: str = "FCRS"

    @property
    def usual(self) -> bool:
        """Whether nothing has to be turned."""
        return self.images == "NCHW" and self.weights in ("FCRS", "OIHW", "OI")

    def _axes(self, name: str, ndim: int) -> tuple[int, ...] | None:
        if name in ("x", "dx", "y", "dy") and ndim == 4 and self.images != "NCHW":
            return tuple("NCHW".index(letter) for letter in self.images)
        if name in ("w", "dw") and ndim == 4 and self.weights not in ("FCRS", "OIHW"):
            letters = self.weights.translate(str.maketrans("OIHW", "FCRS"))
            return tuple("FCRS".index(letter) for letter in letters)
        if name in ("w", "dw") and ndim == 2 and self.weights == "IO":
            return (1, 0)
        return None

    def to_person(self, name: str, array: Array) -> Array:
        """Return an array as the person orders it."""
        axes = self._axes(name, array.ndim)
        return array if axes is None else np.ascontiguousarray(array.transpose(axes))

    def from_person(self, name: str, array: Array) -> Array:
        """Return a person's array in the usual order."""
        axes = self._axes(name, array.ndim)
        return array if axes is None else array.transpose(np.argsort(axes))

    def shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return a usual shape as the person orders it."""
        axes = self._axes(name, len(shape))
        return shape if axes is None else tuple(shape[axis] for axis in axes)


def layouts(subject: Subject) -> list[Layout]:
    """Return the layouts that code of this operation may have, the usual one first."""
    if subject.name == "linear":
        return [Layout(weights="IO"), Layout(weights="OI")]
    if subject.name in ("conv2d", "conv_transpose2d"):
        orders = [("NCHW", "FCRS"), ("NHWC", "HWIO"), ("NHWC", "FCRS"), ("NCHW", "HWIO"), ("NHWC", "OHWI")]
        return [Layout(images, weights) for images, weights in orders]
    if "x" in subject.inputs and subject.name.endswith("2d"):
        return [Layout(), Layout("NHWC")]
    return [Layout()]


def default_weights(subject: Subject) -> str:
    """Return the usual order of the weights' axes."""
    return layouts(subject)[0].weights


def read_as(subject: Subject, layout: Layout) -> str:
    """Return how arrays were read, as a note."""
    weights = {"IO": "(in, out)", "OI": "(out, in)"}.get(layout.weights, layout.weights)
    told = [f"images as {layout.images}"] if subject.name.endswith("2d") else []
    told += [f"weights as {weights}"] if "w" in subject.inputs else []
    return f"read with {' and '.join(told)}, which fits your shapes"

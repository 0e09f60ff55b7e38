"""A data set: images, labels and the names of the classes."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np

from whygrad import notebook
from whygrad.data.sources import Images, Source, fingerprint, select
from whygrad.errors import DataError, DTypeError, OptionError, ShapeError, WhygradError
from whygrad.typing import IntArray, Shape

#: Images and classes that a notebook shows.
_SHOWN, _NAMED = 24, 20


class Dataset(NamedTuple):
    """Images with their labels."""

    name: str
    images: Images  #: (N, C, H, W), float32 in the range that the model is trained on; an array, or read when asked
    labels: IntArray  #: (N,), indices into ``classes``
    classes: tuple[str, ...]

    @property
    def image_shape(self) -> Shape:
        """(C, H, W) of one image."""
        return self.images.shape[1:]

    def _repr_html_(self) -> str:
        from whygrad.data.gallery import gallery, pictures  # noqa: PLC0415  (only where something is shown)

        size = "x".join(map(str, self.image_shape))
        title = notebook.said(f"{self.name}: {len(self.labels):,} images, {size}", bold=True)
        listed = f"{len(self.classes)} classes: {', '.join(self.classes[:_NAMED])}"
        classes = notebook.said(f"{listed}{', …' if len(self.classes) > _NAMED else ''}", dim=True)
        count = min(_SHOWN, len(self.labels))
        some = (
            np.arange(count) * len(self.labels) // max(count, 1)
        )  # from all over it: folders are in order of class
        try:
            shown = pictures(gallery(self.images[some], self.labels[some], classes=self.classes)) if count else ""
        except WhygradError as error:  # pictures that were there when it was read
            shown = notebook.said(str(error), bold=True)
        return notebook.piece(title, classes, shown)

    def take(self, indices: IntArray) -> Dataset:
        """Return the images and labels at ``indices``."""
        return self._replace(images=select(self.images, indices), labels=self.labels[indices])

    def fingerprint(self) -> str:
        """Return what is the same only for the same images, labels and classes."""
        text = "\n".join([fingerprint(self.images), *self.classes]).encode()
        return hashlib.sha256(text + np.ascontiguousarray(self.labels, np.int64).tobytes()).hexdigest()


class Parts(NamedTuple):
    """A data set as it was found: with test images of its own, or without."""

    train: Dataset
    test: Dataset | None


def split(data: Dataset, fraction: float, rng: np.random.Generator) -> tuple[Dataset, Dataset]:
    """Divide a data set in two, with ``fraction`` of every class in the second part, rounded to whole images.

    Args:
        data: the data set.
        fraction: share of the second part, between 0 and 1.
        rng: chooses which images.

    Returns:
        The rest and the fraction, both in the order of the data set.

    Raises:
        OptionError: a fraction outside its domain.
        DataError: an empty part.

    Example:
        >>> from whygrad.data import load_digits
        >>> train, test = split(load_digits(), 0.2, np.random.default_rng(0))
        >>> len(train.labels), len(test.labels)
        (1438, 359)
    """
    if not 0 < fraction < 1:
        raise OptionError("split", "a fraction between 0 and 1", f"{fraction!r}", "change the fraction")
    held_out = np.zeros(len(data.labels), bool)
    for label in np.unique(data.labels):
        members = np.flatnonzero(data.labels == label)
        held_out[rng.permutation(members)[: round(fraction * len(members))]] = True
    if held_out.all() or not held_out.any():
        raise DataError("split", "images in both parts", f"{len(held_out)} images", "use more data")
    return data.take(np.flatnonzero(~held_out)), data.take(np.flatnonzero(held_out))


def check_data(where: str, images: Any, targets: object) -> None:
    """Refuse data that nothing can be learned from: empty, of unlike lengths, or not finite.

    A source's images are finite by its making, and are not read for this.

    Raises:
        DataError: no images, or NaN or infinity among them.
        DTypeError: integer images.
        ShapeError: as many targets as images are missing.
    """
    lazy = isinstance(images, Source)
    images, targets = images if lazy else np.asarray(images), np.asarray(targets)
    if images.dtype not in (np.float32, np.float64):
        remedy = "convert them and scale them to about 0 to 1, for instance images.astype(np.float32) / 255"
        raise DTypeError(where, "images of dtype float32 or float64", f"{images.dtype}", remedy)
    if not images.shape or not len(images):
        raise DataError(where, "at least one image", "an empty data set", "check where the data comes from")
    if not targets.ndim or len(targets) != len(images):
        received = f"{len(images)} images and {len(targets) if targets.ndim else 'no'} targets"
        raise ShapeError(where, "one target for each image", received, "pair the images with their targets")
    if lazy:
        return
    bad = ~np.isfinite(images.reshape(len(images), -1)).all(axis=1)
    if bad.any():
        received = f"NaN or infinity in {bad.sum()} of {len(images)}, the first at index {bad.argmax()}"
        raise DataError(where, "finite images", received, "repair or leave out those images")

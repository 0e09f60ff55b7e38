"""Labels as they come in files, turned into indices of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from whygrad.data.dataset import Dataset
from whygrad.data.sources import Images
from whygrad.errors import DataError

_MOST_CLASSES = 10_000


def labelled(
    where: str, name: str, images: Images, labels: npt.NDArray[Any], classes: tuple[str, ...] | None = None
) -> Dataset:
    """Return a data set of images and their labels, whole numbers of any range or names.

    Args:
        where: the file at fault if something is wrong.
        name: of the data set.
        images: (N, C, H, W).
        labels: (N,) or (N, 1). Without ``classes`` each value is a class, in their order. With them, a number is an
            index of ``classes`` if every one of them is numbered from 0, and names are looked up.
        classes: their names; those of the training images for test images.

    Raises:
        DataError: labels that are no such numbers or names, too few or too many, or of unknown classes.

    Example:
        >>> labelled("here", "two", np.zeros((3, 1, 2, 2)), np.array([7, 3, 7])).classes
        ('3', '7')
    """
    flat = labels.reshape(-1)
    if flat.dtype.kind == "b":
        flat = flat.astype(np.uint8)
    if (
        flat.dtype.kind not in "iuUS"
        or len(flat) != labels.size
        or labels.ndim > 2
        or labels.shape[1:] not in ((), (1,))
    ):
        received = f"{labels.dtype} of shape {labels.shape}"
        raise DataError(where, "one label for each image, a whole number or a name", received, "convert them")
    if len(flat) != len(images):
        raise DataError(where, "as many labels as images", f"{len(flat)} and {len(images)}", "pair them")
    if not len(flat):
        raise DataError(where, "at least one image", "none", "check where the data comes from")
    values, indices = np.unique(flat, return_inverse=True)
    names = [_name(value) for value in values]
    if classes is None:
        if len(values) > _MOST_CLASSES:
            raise DataError(where, f"at most {_MOST_CLASSES} classes", f"{len(values)}", "are these labels?")
        return Dataset(name, images, indices.astype(np.int64), tuple(names))
    known = {each: i for i, each in enumerate(classes)}
    if all(each in known for each in names):
        table = [known[each] for each in names]
    elif flat.dtype.kind in "iu" and values[0] >= 0 and values[-1] < len(classes):
        table = [int(value) for value in values]
    else:
        unknown = next((each for each in names if each not in known), "")
        raise DataError(where, f"labels of {len(classes)} classes", f"{unknown!r}", "name every class")
    return Dataset(name, images, np.array(table, np.int64)[indices], classes)


def _name(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

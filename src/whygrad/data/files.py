"""Data sets that a person names by a path: a folder of images, an ``.npz``, or IDX files."""

from __future__ import annotations

import re
from pathlib import Path

from whygrad.data.dataset import Dataset, Parts
from whygrad.data.idx import read_idx
from whygrad.data.labelled import labelled
from whygrad.data.sources import Bytes, Pixels
from whygrad.errors import DataError, FileError

_IDX_IMAGES = re.compile(r"(?P<before>.*)images[.-]idx[34]-ubyte(?P<gz>\.gz)?")
_TEST_NAMES = ("t10k", "test")


def idx_images(path: Path) -> Path | None:
    """Return the IDX file of training images that a path means, itself or in a folder; None if it means none."""
    if path.is_file():
        return path if _IDX_IMAGES.fullmatch(path.name) else None
    if not path.is_dir():
        return None
    found = sorted(each for each in path.iterdir() if _IDX_IMAGES.fullmatch(each.name))
    training = [each for each in found if not any(name in each.name for name in _TEST_NAMES)]
    if len(training) > 1:
        gzipped = {each.name.removesuffix(".gz") for each in training}
        if len(gzipped) > 1:
            names = ", ".join(each.name for each in training)
            raise DataError(str(path), "one IDX file of training images", names, "name one of them")
    return training[0] if training else None


def read_idx_set(images: Path, name: str) -> Parts:
    """Read images and labels that lie side by side, with test images if there are any.

    Args:
        images: the training images, such as train-images-idx3-ubyte.gz. The labels are in
            train-labels-idx1-ubyte.gz; test images and labels bear "t10k" or "test" in place of "train".
        name: what the data set is to be called.

    Raises:
        FileError: a missing or damaged file.
        DataError: files that do not fit together.
    """
    train = _pair(images, name)
    for other in _TEST_NAMES:
        path = images.with_name(images.name.replace("train", other))
        if "train" in images.name and _there(path) is not None:
            return Parts(train, _pair(path, name, train))
    return Parts(train, None)


def _pair(images_path: Path, name: str, train: Dataset | None = None) -> Dataset:
    found = _there(images_path)
    match = _IDX_IMAGES.fullmatch(images_path.name)
    assert found is not None
    assert match is not None
    beside = images_path.with_name(f"{match['before']}labels-idx1-ubyte{match['gz'] or ''}")
    labels_path = _there(beside) or _there(beside.with_name(beside.name.replace("labels-idx1", "labels.idx1")))
    if labels_path is None:
        raise FileError(
            str(beside), "the labels of the images", "no such file", f"put it beside {images_path.name}"
        )
    pixels = _with_channels(found, read_idx(found))
    if train is not None and pixels.shape[1:] != train.images.shape[1:]:
        received = f"{pixels.shape[1:]}"
        raise DataError(str(found), f"test images of {train.images.shape[1:]}", received, "check the files")
    return labelled(
        str(labels_path),
        name,
        Pixels(pixels),
        read_idx(labels_path, ndim=1),
        None if train is None else train.classes,
    )


def _there(path: Path) -> Path | None:
    """Return the path of a file that may or may not be gzipped."""
    other = path.with_suffix("") if path.suffix == ".gz" else path.with_name(f"{path.name}.gz")
    return next((each for each in (path, other) if each.is_file()), None)


def _with_channels(path: Path, array: Bytes) -> Bytes:
    if array.ndim not in (3, 4) or 0 in array.shape:
        expected = "images of shape (N, H, W) or (N, C, H, W)"
        raise DataError(str(path), expected, f"an array of shape {array.shape}", "check the file")
    return array[:, None] if array.ndim == 3 else array

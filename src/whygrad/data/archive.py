"""Data sets in ``.npz`` archives, read without unpickling and no larger than they say."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from whygrad.data.dataset import Dataset, Parts
from whygrad.data.labelled import labelled
from whygrad.data.npy import read_npy
from whygrad.data.sources import Images, Pixels
from whygrad.errors import DataError, FileError

#: By part: the names under which its images and labels are looked for.
_NAMES = {
    "train": (("x_train", "train_images", "images", "x", "X"), ("y_train", "train_labels", "labels", "y")),
    "test": (("x_test", "test_images"), ("y_test", "test_labels")),
}
_MOST_BYTES = 1 << 34
_MOST_CLASSES_BYTES = 1 << 20
#: What deflation can shrink at most, by its format.
_SHRINKS = 1032
#: A channel axis that comes last is recognised by these sizes.
_CHANNELS = (1, 3, 4)
_Numbers = npt.NDArray[Any]


def read_npz(path: Path, name: str) -> Parts:
    """Read a data set from an archive as ``np.savez`` writes it.

    Args:
        path: an archive with ``images`` and ``labels``, or ``x_train``, ``y_train``, ``x_test`` and ``y_test``;
            ``classes``, their names, may be there too. Images are (N, H, W), (N, C, H, W) or (N, H, W, C), bytes
            from 0 to 255 or floats in the range that the model is to see.
        name: what the data set is to be called.

    Raises:
        FileError: a missing or damaged archive, or objects in it.
        DataError: images or labels that are missing or of no use.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, name, archive)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise FileError(str(path), "a whole .npz archive", reason, "save it with np.savez") from None


def _read(path: Path, name: str, archive: zipfile.ZipFile) -> Parts:
    there = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    classes = _classes(path, archive, there)
    parts: dict[str, Dataset] = {}
    for part, names in _NAMES.items():
        found = [next((there[each] for each in group if each in there), None) for group in names]
        if found[0] is None and part == "test":
            continue
        if found[0] is None or found[1] is None:
            expected = "images and labels, or x_train, y_train, x_test and y_test"
            received = ", ".join(sorted(there)) or "nothing"
            raise DataError(str(path), expected, received, "save them with np.savez(path, images=..., labels=...)")
        pixels, labels = (_array(path, archive, info) for info in found if info is not None)
        parts[part] = labelled(
            str(path), name, _images(path, pixels), labels, parts["train"].classes if parts else classes
        )
    return Parts(parts["train"], parts.get("test"))


def _classes(path: Path, archive: zipfile.ZipFile, there: dict[str, zipfile.ZipInfo]) -> tuple[str, ...] | None:
    for name in ("classes", "class_names"):
        if name in there:
            if there[name].file_size > _MOST_CLASSES_BYTES:
                raise DataError(
                    str(path), "short names of classes", f"{there[name].file_size} bytes", "shorten them"
                )
            return tuple(str(each) for each in np.atleast_1d(_array(path, archive, there[name])))
    return None


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Numbers:
    """Read one array: what its header claims must be what the archive says and what the file can hold."""
    if info.file_size > min(_MOST_BYTES, _SHRINKS * info.compress_size + _SHRINKS):
        received = f"{info.file_size} bytes out of {info.compress_size}"
        raise FileError(str(path), f"{info.filename} of a possible size", received, "save it with np.savez")
    with archive.open(info) as file:
        return read_npy(f"{path}, {info.filename}", file, info.file_size)  # type: ignore[arg-type]


def _images(path: Path, array: _Numbers) -> Images:
    """Return images as (N, C, H, W), wherever the channels stood."""
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[3] in _CHANNELS and array.shape[1] not in _CHANNELS:
        array = np.moveaxis(array, 3, 1)
    if array.ndim != 4 or 0 in array.shape[1:]:
        expected = "images of shape (N, H, W), (N, C, H, W) or (N, H, W, C)"
        raise DataError(str(path), expected, f"{array.shape}", "reshape them")
    if array.dtype == np.uint8:
        return Pixels(array)
    if array.dtype.kind != "f":
        raise DataError(str(path), "images of bytes (uint8) or floats", f"{array.dtype}", "convert them")
    with np.errstate(over="ignore"):
        images = array.astype(np.float32)
    if not np.isfinite(images).all():
        raise DataError(
            str(path), "finite images", "NaN or infinity among them", "repair or leave out those images"
        )
    return images

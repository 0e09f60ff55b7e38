"""Images in a folder with one sub-folder a class."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops

from whygrad.data.dataset import Dataset, Parts
from whygrad.data.pictures import Colour, Fit, load_picture, read_picture
from whygrad.data.sources import Source
from whygrad.errors import DataError, FileError
from whygrad.typing import Array, IntArray, Shape

#: Endings of files that are read, and of those that are pictures in formats that are not.
READ = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")
_NOT_READ = (
    ".tif",
    ".tiff",
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
    ".ico",
    ".ppm",
    ".pgm",
    ".svg",
    ".psd",
    ".raw",
    ".dng",
)
#: Names of sub-folders that hold a part of the images and no class.
_TRAIN, _TEST = ("train", "training"), ("test", "val", "valid", "validation")
#: Pictures of one size up to this are taken as they are; others are brought to the usual size.
_MOST_SIDE, _USUAL_SIDE = 96, 64
_AT_ONCE = 256  #: pictures that are being looked at at one time
Progress = Callable[[int, int, str], None]


class Wanted(NamedTuple):
    """How pictures are to be read; what is None follows from the pictures themselves."""

    size: tuple[int, int] | None = None  #: height and width
    colour: Colour | None = None
    fit: Fit = "crop"
    strict: bool = False  #: refuse a picture that cannot be read instead of leaving it out


class Known(NamedTuple):
    """What an earlier look at the same folder found, so that its pictures need not all be opened again."""

    shape: Shape  #: (C, H, W)
    skipped: dict[str, str]  #: why each of these files could not be read


class Found(NamedTuple):
    """The images of a folder."""

    parts: Parts
    skipped: dict[str, str]


class FolderImages(Source):
    """Pictures that are read from their files whenever they are asked for.

    Args:
        root: the folder.
        names: their paths below it.
        shape: (C, H, W) that they are brought to.
        fit: how.
        sizes: of the files, in bytes; for the fingerprint.
    """

    def __init__(self, root: Path, names: list[str], shape: Shape, fit: Fit, sizes: list[int]) -> None:
        super().__init__((len(names), *shape))
        self.root, self.names, self.fit, self.sizes = root, names, fit, sizes

    def read(self, indices: IntArray) -> Array:
        """Read the pictures at ``indices``, from 0 to 1.

        Raises:
            FileError: one is not there any more, or damaged.
        """
        pixels = np.empty((len(indices), *self.shape[1:]), np.float32)
        for row, i in zip(pixels, indices, strict=True):
            np.divide(read_picture(self.root / self.names[i], self.shape[1:], self.fit), np.float32(255), out=row)
        return pixels

    def fingerprint(self) -> str:
        """Return a hash of the names and sizes of all files."""
        lines = (f"{size} {name}\n" for name, size in zip(self.names, self.sizes, strict=True))
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


class _Listing(NamedTuple):
    """The files below one folder."""

    names: list[str]
    sizes: list[int]
    labels: list[int]
    unread: list[str]  #: pictures in formats that are not read


def read_folder(
    root: Path, name: str, wanted: Wanted, *, known: Known | None = None, progress: Progress | None = None
) -> Found:
    """Return the images below a folder, without holding them in memory.

    Every sub-folder is a class, of all pictures below it; or there are sub-folders ``train`` and ``test`` (or
    ``val``) that hold those. What begins with a dot is passed over. Each picture is opened once to see whether it
    can be read.

    Args:
        root: the folder.
        name: what the data set is to be called.
        wanted: how pictures are read.
        known: what was found earlier.
        progress: told how many pictures were looked at, of how many.

    Raises:
        DataError: fewer than two classes with images, or, if strict, a picture that cannot be read.
        FileError: a folder that cannot be read.
    """
    train, test = _layout(root)
    classes = _classes(root, train, test)
    listings = [_list(root, part, classes) for part in (train, test) if part is not None]
    skipped = {each: "a format that is not read" for listing in listings for each in listing.unread}
    if known is not None:
        skipped, shape = dict(known.skipped), known.shape
    else:
        looked = _look(root, [each for listing in listings for each in listing.names], progress)
        skipped |= looked.bad
        shape = _shape(wanted, looked)
    if wanted.strict and skipped:
        path, reason = next(iter(skipped.items()))
        remedy = "repair or remove it, or train without --strict"
        raise DataError(str(root / path), "a picture that can be read", reason, remedy)
    parts = [_part(root, name, listing, classes, skipped, shape, wanted) for listing in listings]
    return Found(Parts(parts[0], parts[1] if len(parts) > 1 else None), skipped)


def _part(
    root: Path,
    name: str,
    listing: _Listing,
    classes: tuple[str, ...],
    skipped: Iterable[str],
    shape: Shape,
    wanted: Wanted,
) -> Dataset:
    left_out = set(skipped)
    kept = [i for i, each in enumerate(listing.names) if each not in left_out]
    labels = np.array([listing.labels[i] for i in kept], np.int64)
    for label, each in enumerate(classes):
        if not (labels == label).any():
            remedy = "add pictures or remove the sub-folder"
            raise DataError(str(root), f"pictures that can be read in {each}", "none", remedy)
    names, sizes = [listing.names[i] for i in kept], [listing.sizes[i] for i in kept]
    return Dataset(name, FolderImages(root, names, shape, wanted.fit, sizes), labels, classes)


def _layout(root: Path) -> tuple[Path, Path | None]:
    """Return where the classes of the training and of the test images stand."""
    folders = {folder.name.lower(): folder for folder in _folders(root)}
    train = next((folders[each] for each in _TRAIN if each in folders), None)
    test = next((folders[each] for each in _TEST if each in folders), None)
    if train is not None and test is not None and _folders(train) and _folders(test):
        return train, test
    return root, None


def _classes(root: Path, train: Path, test: Path | None) -> tuple[str, ...]:
    names = [folder.name for folder in _folders(train)]
    if len(names) < 2:
        received = f"{len(names)} of them" if names else "none"
        remedy = "make one for each class, named after it, and put its pictures there"
        raise DataError(str(train), "at least two sub-folders with pictures", received, remedy)
    if test is not None and [folder.name for folder in _folders(test)] != names:
        received = ", ".join(sorted({folder.name for folder in _folders(test)} ^ set(names)))
        remedy = "give both the same sub-folders"
        raise DataError(
            str(root), f"the same classes in {train.name} and {test.name}", f"{received} in one", remedy
        )
    return tuple(names)


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError as error:
        raise FileError(str(path), "a folder", error.strerror or str(error), "check the path") from None


def _list(root: Path, part: Path, classes: tuple[str, ...]) -> _Listing:
    listing = _Listing([], [], [], [])
    for label, each in enumerate(classes):
        for path in _walk(part / each):
            name, ending = str(path.relative_to(root)), path.suffix.lower()
            if ending in _NOT_READ:
                listing.unread.append(name)
            elif ending in READ:
                listing.names.append(name)
                listing.sizes.append(path.stat().st_size if path.exists() else 0)
                listing.labels.append(label)
    return listing


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in the order of their names."""
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for each in sorted(files):
            if not each.startswith("."):
                yield Path(where) / each


class _Looked(NamedTuple):
    """What was seen of pictures."""

    bad: dict[str, str]
    sizes: Counter[tuple[int, int]]  #: how many have each height and width
    coloured: bool


def _look(root: Path, names: list[str], progress: Progress | None) -> _Looked:
    """Open every picture once, on all cores, a few at a time."""
    looked = _Looked({}, Counter(), False)

    def look(name: str) -> tuple[tuple[int, int], bool] | str:
        try:
            picture = load_picture(root / name)
        except (FileError, DataError) as error:
            return error.received
        return (picture.height, picture.width), _is_coloured(picture)

    waiting, coloured = iter(names), False
    done = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while some := list(islice(waiting, _AT_ONCE)):
            for name, seen in zip(some, pool.map(look, some), strict=True):
                if isinstance(seen, str):
                    looked.bad[name] = seen
                else:
                    looked.sizes[seen[0]] += 1
                    coloured |= seen[1]
            done += len(some)
            if progress is not None:
                progress(done, len(names), "looking at the pictures")
    return looked._replace(coloured=coloured)


def _is_coloured(picture: Image.Image) -> bool:
    """Tell whether a picture is more than grey; some formats store grey in three colours."""
    if picture.mode != "RGB":
        return False
    red, green, blue = picture.split()
    return any(ImageChops.difference(red, other).getbbox() is not None for other in (green, blue))


def _shape(wanted: Wanted, looked: _Looked) -> Shape:
    """Return (C, H, W): as wanted, and otherwise as the pictures are if they agree."""
    colour = wanted.colour or ("rgb" if looked.coloured else "grey")
    size = wanted.size
    if size is None:
        alike = len(looked.sizes) == 1 and max(next(iter(looked.sizes))) <= _MOST_SIDE
        size = next(iter(looked.sizes)) if alike else (_USUAL_SIDE, _USUAL_SIDE)
    return (1 if colour == "grey" else 3, *size)

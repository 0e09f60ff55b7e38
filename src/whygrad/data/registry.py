"""The data sets, by name or by path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from whygrad.data.archive import read_npz
from whygrad.data.dataset import Dataset, Parts
from whygrad.data.digits import load_digits
from whygrad.data.files import idx_images, read_idx_set
from whygrad.data.folder import Known, Progress, Wanted, read_folder
from whygrad.data.named import NAMED
from whygrad.data.pictures import COLOURS, FITS, Colour, Fit
from whygrad.errors import OptionError

_EMBEDDED = "digits"
#: The names of data sets.
DATASETS = (_EMBEDDED, *NAMED)


@dataclass(frozen=True)
class Request:
    """Which data set, and how its pictures are read where they are files.

    Args:
        data: a name of ``DATASETS``, a folder with one sub-folder a class, an ``.npz``, an IDX file of images, or a
            folder with one.
        data_dir: where the files of a named set are; None to look for them, and to download them.
        size: height and width of a folder's images; None for that of the pictures where they agree, or 64x64.
        colour: "grey" or "rgb" for a folder's images; None for grey where all are grey.
        fit: how they are brought to that size: "crop", "pad" or "stretch".
        strict: refuse a folder with a picture that cannot be read, in place of leaving that out.

    Raises:
        OptionError: a colour or fit that there is not, or choices that the data set has no use for.
    """

    data: str = _EMBEDDED
    data_dir: Path | None = None
    size: tuple[int, int] | None = None
    colour: str | None = None
    fit: str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        for name, choices in (("colour", COLOURS), ("fit", FITS)):
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise OptionError(name, f"one of {', '.join(choices)}", repr(value), "check the spelling")

    @property
    def named(self) -> bool:
        """Whether a name of ``DATASETS`` was given."""
        return self.data in DATASETS

    @property
    def resizing(self) -> str:
        """How a picture from elsewhere is to be resized: as a folder's own are, and otherwise stretched."""
        return "stretch" if self.named or Path(self.data).suffix else self.fit or "crop"

    @property
    def name(self) -> str:
        """What the data set is called."""
        return self.data if self.named else _stem(Path(self.data))


class Loaded(NamedTuple):
    """A data set, and what of it could not be read."""

    parts: Parts
    skipped: dict[str, str]  #: files of a folder, and why


def load_dataset(name: str, data_dir: Path | str | None = None) -> Dataset:
    """Return the training images of the data set of that name or path, or all of them if they are not divided.

    Raises:
        OptionError: there is no such data set.
        FileError, DataError: it cannot be read.

    Example:
        >>> load_dataset("digits").image_shape
        (1, 8, 8)
    """
    return load_parts(Request(name, None if data_dir is None else Path(data_dir))).parts.train


def load_parts(request: Request, *, known: Known | None = None, progress: Progress | None = None) -> Loaded:
    """Return a data set as it was found: training images, test images of its own if it has some.

    Args:
        request: which one.
        known: what is known of a folder from an earlier time.
        progress: told how far a download or a look at pictures is: done, in all, and of what.

    Raises:
        OptionError: there is no such data set, or an option that has nothing to do with it.
        FileError, DataError: it cannot be read.
    """
    path = Path(request.data)
    if request.named:
        _refuse_options(request, "the data set", _for_folders(request))
        if request.data == _EMBEDDED:
            _refuse_options(request, "the data set", {"data_dir": request.data_dir})
            return Loaded(Parts(load_digits(), None), {})
        return Loaded(NAMED[request.data].load(request.data_dir, progress=progress), {})
    if not path.exists():
        expected = f"one of {', '.join(DATASETS)}, or a folder of images, an .npz or an IDX file"
        raise OptionError("data", expected, repr(request.data), "check the spelling")
    _refuse_options(request, "the path", {"data_dir": request.data_dir})
    images = idx_images(path)
    if images is None and path.is_dir():
        wanted = Wanted(
            request.size, cast(Colour, request.colour), cast(Fit, request.fit or "crop"), request.strict
        )
        return Loaded(*read_folder(path, request.name, wanted, known=known, progress=progress))
    _refuse_options(request, "the file", _for_folders(request))
    if images is not None:
        return Loaded(read_idx_set(images, request.name), {})
    if path.suffix.lower() == ".npz":
        return Loaded(read_npz(path, request.name), {})
    expected = "a folder of images, an .npz, or an IDX file such as train-images-idx3-ubyte.gz"
    raise OptionError("data", expected, repr(request.data), "name one of these")


def _for_folders(request: Request) -> dict[str, object]:
    """Return the choices that only a folder has a use for; None where none was made."""
    strict = request.strict or None
    return {"size": request.size, "colour": request.colour, "fit": request.fit, "strict": strict}


def _refuse_options(request: Request, what: str, options: dict[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            meant = "a named data set that has files" if name == "data_dir" else "a folder of images"
            option = f"--{name.replace('_', '-')}"
            raise OptionError(option, f"it with {meant}", f"it with {what} {request.data}", "leave it out")


def _stem(path: Path) -> str:
    """Return what a path is called: the name of its folder or file, without endings."""
    name = path.resolve().name or "images"
    return name.split(".")[0] or name

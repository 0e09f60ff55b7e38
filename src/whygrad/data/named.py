"""The well-known data sets: where their files come from, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from whygrad.data.cifar import CLASSES as CIFAR_CLASSES
from whygrad.data.cifar import IMAGE as CIFAR_IMAGE
from whygrad.data.cifar import TEST_FILE, TRAIN_FILES, Batch, read_archive, read_cifar
from whygrad.data.dataset import Dataset, Parts
from whygrad.data.download import File, Progress, fetch
from whygrad.data.idx import read_idx
from whygrad.data.sources import Pixels
from whygrad.errors import DataError, FileError

_IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
_CIFAR_FOLDER = "cifar-10-batches-bin"
_CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"


@dataclass(frozen=True)
class Named:
    """A well-known data set.

    Args:
        name: what it is called here.
        files: what is downloaded.
        mirrors: addresses of folders that have the files, in the order in which they are tried.
        read: reads it from a folder.
        is_there: tells whether a folder has all of it.
        places: where a system may have installed it.
        source: whose it is.
    """

    name: str
    files: tuple[File, ...]
    mirrors: tuple[str, ...]
    read: Callable[[str, Path], Parts]
    is_there: Callable[[Path], bool]
    places: tuple[Path, ...] = ()
    source: str = ""

    def find(self, data_dir: Path | None, *, progress: Progress | None = None) -> Path:
        """Return a folder with the files: ``data_dir`` if one is given, and otherwise the first of where a system
        puts them, the cache, and the cache after a download.

        Raises:
            FileError: they are nowhere to be had.
        """  # noqa: D205 - one sentence
        if data_dir is not None:
            # As they come; in a folder of their name; and where torchvision puts them.
            below = (data_dir, data_dir / self.name, *(data_dir / each / "raw" for each in _TORCHVISION.values()))
            for folder in below:
                if self.is_there(folder) and not self._is_another(data_dir, folder):
                    return folder
            received = "no such folder" if not data_dir.is_dir() else "a folder without them"
            remedy = f"put them there, or leave --data-dir out to use {cache_folder(self.name)}"
            raise FileError(str(data_dir), self._listed(), received, remedy)
        for folder in self.places:
            if self.is_there(folder):
                return folder
        cached = cache_folder(self.name)
        try:
            for file in self.files:
                fetch(file, self.mirrors, cached, progress=progress)
        except FileError as error:
            if error.where == str(cached):  # no room
                raise
            remedy = f"put {self._listed()} into {cached}, or name their folder with --data-dir"
            received = error.received
            if (cached / error.where).is_file():  # without a network only its hash speaks for it
                received = f"a file of that name that is not the published one, and of mirrors {received}"
            raise FileError(self.name, f"{error.where} from a mirror", received, remedy) from None
        return cached

    def load(self, data_dir: Path | None = None, *, progress: Progress | None = None) -> Parts:
        """Return the training and test images.

        Raises:
            FileError: they are nowhere to be had, or damaged.
        """
        return self.read(self.name, self.find(data_dir, progress=progress))

    def _listed(self) -> str:
        return ", ".join(file.name for file in self.files)

    def _is_another(self, data_dir: Path, folder: Path) -> bool:
        """Tell whether a folder belongs to a sister whose files have the same names."""
        return any(
            folder == data_dir / theirs / "raw" for name, theirs in _TORCHVISION.items() if name != self.name
        )


#: What torchvision calls their folders.
_TORCHVISION = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST"}


def cache_folder(name: str) -> Path:
    """Return the folder in which the files of a data set are kept."""
    root = os.environ.get("WHYGRAD_CACHE_DIR")
    return (Path(root) if root else platformdirs.user_cache_path("whygrad")) / "data" / name


def _idx_path(folder: Path, file: str) -> Path:
    """Return the path of an IDX file, gzipped or not."""
    path = folder / file
    return path if path.is_file() else path.with_suffix("")


def _has_idx(folder: Path) -> bool:
    return all(_idx_path(folder, file).is_file() for file in _IDX_FILES)


def _idx_reader(classes: tuple[str, ...]) -> Callable[[str, Path], Parts]:
    def read(name: str, folder: Path) -> Parts:
        train, test = (
            _idx_part(name, _idx_path(folder, _IDX_FILES[i]), _idx_path(folder, _IDX_FILES[i + 1]), classes)
            for i in (0, 2)
        )
        if train.images.shape[1:] != test.images.shape[1:]:
            received = f"{train.images.shape[1:]} and {test.images.shape[1:]}"
            raise DataError(str(folder), "training and test images of one size", received, "fetch the files again")
        return Parts(train, test)

    return read


def _idx_part(name: str, images_path: Path, labels_path: Path, classes: tuple[str, ...]) -> Dataset:
    images, labels = read_idx(images_path, ndim=3), read_idx(labels_path, ndim=1)
    remedy = "fetch the files again"
    if images.shape[1:] != (28, 28) or not len(images):
        raise DataError(str(images_path), "images of 28x28", f"an array of shape {images.shape}", remedy)
    if len(images) != len(labels):
        raise DataError(str(labels_path), f"{len(images)} labels", f"{len(labels)}", remedy)
    if labels.max() >= len(classes):
        raise DataError(str(labels_path), f"labels from 0 to {len(classes) - 1}", f"{labels.max()}", remedy)
    return Dataset(name, Pixels(images[:, None]), labels.astype(np.int64), classes)


def _cifar_home(folder: Path) -> Path:
    return folder / _CIFAR_FOLDER if (folder / _CIFAR_FOLDER).is_dir() else folder


def _has_cifar(folder: Path) -> bool:
    home = _cifar_home(folder)
    return (folder / _CIFAR_ARCHIVE).is_file() or all((home / each).is_file() for each in (*TRAIN_FILES, TEST_FILE))


def _read_cifar10(name: str, folder: Path) -> Parts:
    home = _cifar_home(folder)
    if all((home / each).is_file() for each in (*TRAIN_FILES, TEST_FILE)):
        batches: Mapping[str, Batch] = {each: read_cifar(home / each) for each in (*TRAIN_FILES, TEST_FILE)}
    else:
        batches = read_archive(folder / _CIFAR_ARCHIVE)
        missing = ", ".join(sorted({*TRAIN_FILES, TEST_FILE} - batches.keys()))
        if missing:
            remedy = "fetch the archive again"
            raise DataError(str(folder / _CIFAR_ARCHIVE), "all six batches", f"none called {missing}", remedy)
    train = [batches[each] for each in TRAIN_FILES]
    images = np.concatenate([batch.images for batch in train])
    labels = np.concatenate([batch.labels for batch in train])
    assert images.shape[1:] == CIFAR_IMAGE
    test = batches[TEST_FILE]
    return Parts(
        Dataset(name, Pixels(images), labels, CIFAR_CLASSES),
        Dataset(name, Pixels(test.images), test.labels, CIFAR_CLASSES),
    )


def _idx_set(
    name: str,
    classes: tuple[str, ...],
    files: tuple[tuple[str, int], ...],
    mirrors: tuple[str, ...],
    source: str,
    places: tuple[Path, ...] = (),
) -> Named:
    known = tuple(File(file, sha256, size) for file, (sha256, size) in zip(_IDX_FILES, files, strict=True))
    return Named(name, known, mirrors, _idx_reader(classes), _has_idx, places, source)


_DIGITS = tuple(str(digit) for digit in range(10))
_CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

#: The hashes are those under which the files are published; copies that were compressed anew are read all the same
#: where a folder is named.
NAMED: dict[str, Named] = {
    "mnist": _idx_set(
        "mnist",
        _DIGITS,
        (
            ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422),
            ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881),
            ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877),
            ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542),
        ),
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, 1998",
    ),
    "fashion-mnist": _idx_set(
        "fashion-mnist",
        _CLOTHES,
        (
            ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26421880),
            ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515),
            ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4422102),
            ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148),
        ),
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        "H. Xiao, K. Rasul and R. Vollgraf, Zalando Research, 2017, MIT licence",
        (Path("/usr/share/datasets/fashion-mnist"),),  # Debian's dataset-fashion-mnist
    ),
    "kmnist": _idx_set(
        "kmnist",
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        (
            ("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", 18165135),
            ("e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", 29497),
            ("edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5", 3041136),
            ("20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", 5120),
        ),
        (
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
        "created by CODH, adapted from the Kuzushiji dataset (created by NIJL and others), CC BY-SA 4.0",
    ),
    "cifar10": Named(
        "cifar10",
        (File(_CIFAR_ARCHIVE, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", 170052171),),
        ("https://www.cs.toronto.edu/~kriz/",),
        _read_cifar10,
        _has_cifar,
        source="A. Krizhevsky, V. Nair and G. Hinton, 2009",
    ),
}

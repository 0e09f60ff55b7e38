"""CIFAR-10 in its binary version; its Python version is a pickle, which is never opened."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from whygrad.data.sources import Bytes
from whygrad.errors import FileError

IMAGE = (3, 32, 32)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_FILE = "test_batch.bin"

_RECORD = 1 + 3 * 32 * 32  #: a label and an image
_MOST_RECORDS = 100_000  #: in a file; the real ones have 10,000
_MOST_MEMBERS = 1000  #: in an archive; the real one has 9
_MOST_BYTES = 1 << 28  #: of an archive when unpacked; the real one has 184 million


class Batch(NamedTuple):
    """The records of one file."""

    images: Bytes  #: (N, 3, 32, 32)
    labels: npt.NDArray[np.int64]  #: (N,)


def read_cifar(path: Path) -> Batch:
    """Read a file of CIFAR-10's binary version.

    Args:
        path: a file such as data_batch_1.bin: records of a label and 3072 bytes, red, green and blue in turn.

    Raises:
        FileError: a missing or damaged file, or one of another kind.

    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009);
    https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
    """
    try:
        with path.open("rb") as file:
            return parse_cifar(str(path), file)
    except OSError as error:
        raise _damaged(str(path), "a readable file", error.strerror or str(error)) from None


def parse_cifar(name: str, file: IO[bytes]) -> Batch:
    """Parse what ``file`` holds; ``name`` is for errors.

    Raises:
        FileError: a damaged file.

    Example:
        >>> import io
        >>> parse_cifar("two", io.BytesIO((bytes([3]) + bytes(3072)) * 2)).labels
        array([3, 3])
    """
    most = _MOST_RECORDS * _RECORD
    content = file.read(most + 1)
    if len(content) > most:
        raise _damaged(name, f"at most {most} bytes", "more")
    if not content or len(content) % _RECORD:
        raise _damaged(name, f"records of {_RECORD} bytes", f"{len(content)} bytes")
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= len(CLASSES):
        at = int(labels.argmax())
        raise _damaged(name, "labels from 0 to 9", f"{labels[at]} in record {at}")
    return Batch(np.ascontiguousarray(records[:, 1:]).reshape(-1, *IMAGE), labels)


def read_archive(path: Path) -> dict[str, Batch]:
    """Read the batches of cifar-10-binary.tar.gz without unpacking it to the disk.

    Returns:
        The batches by the name of their file.

    Raises:
        FileError: a missing or damaged archive.
    """
    wanted = {*TRAIN_FILES, TEST_FILE}
    batches = {}
    try:
        with (
            gzip.open(path) as unpacked,
            tarfile.open(fileobj=cast(BinaryIO, _Bounded(path, unpacked)), mode="r|") as archive,
        ):
            for member in _members(path, archive):
                name = member.name.rsplit("/", 1)[-1]
                file = archive.extractfile(member) if name in wanted and member.isreg() else None
                if file is not None:
                    batches[name] = parse_cifar(f"{path}, {name}", file)
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise _damaged(str(path), "a whole archive", reason) from None
    return batches


class _Bounded:
    """What is read of an archive, up to a limit: a small file can unpack to a very large one."""

    def __init__(self, path: Path, file: gzip.GzipFile) -> None:
        self._path, self._file, self._left = path, file, _MOST_BYTES

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        if size > self._left:
            raise _damaged(str(self._path), f"at most {_MOST_BYTES} bytes when unpacked", "more")
        content = self._file.read(size)
        self._left -= len(content)
        return content


def _members(path: Path, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for i, member in enumerate(archive):
        if i == _MOST_MEMBERS:
            raise _damaged(str(path), f"an archive of at most {_MOST_MEMBERS} files", "more")
        yield member


def _damaged(name: str, expected: str, received: str) -> FileError:
    remedy = "fetch the binary version of CIFAR-10 again"
    return FileError(name, expected, received, remedy)

"""Arrays of bytes in the IDX format, of which no length is believed before it is checked."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from whygrad.data.sources import Bytes
from whygrad.errors import FileError

#: The types that the format knows; only the first one is read.
_TYPES = {8: "bytes", 9: "signed bytes", 11: "16-bit integers", 12: "32-bit integers", 13: "floats", 14: "doubles"}
_GZIP = b"\x1f\x8b"
_MOST_BYTES = 1 << 32  #: beyond this a file is refused unread
_PIECE = 1 << 20


def read_idx(path: Path, *, ndim: int | None = None) -> Bytes:
    """Read an IDX file of unsigned bytes, gzipped or not.

    No more memory is used than the file's own header asks for, nor more than its contents fill.

    Args:
        path: the file.
        ndim: the number of axes that it must have; None for any.

    Returns:
        The array, read-only.

    Raises:
        FileError: a missing, damaged or overlong file, or one of another kind.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "labels-idx1-ubyte"
        ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
        ...     read_idx(path)
        array([7, 2, 1], dtype=uint8)

    Source: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database", section "File formats".
    """
    try:
        with path.open("rb") as raw:
            compressed = raw.read(len(_GZIP)) == _GZIP
            raw.seek(0)
            if not compressed:
                return _parse(path, raw, ndim)
            with gzip.GzipFile(fileobj=raw) as file:
                return _parse(path, io.BufferedReader(file), ndim)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise _damaged(path, "a whole IDX file", reason) from None


def _parse(path: Path, file: BinaryIO, ndim: int | None) -> Bytes:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not head[3]:
        received = f"one that begins with {head.hex(' ')}" if head else "an empty file"
        raise _damaged(path, "an IDX file", received)
    if head[2] != 8:
        raise _damaged(path, "an IDX file of unsigned bytes", f"one of {_TYPES[head[2]]}")
    if ndim is not None and head[3] != ndim:
        raise _damaged(path, f"an IDX file with {_axes(ndim)}", f"one with {_axes(head[3])}")
    sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise _damaged(path, "a whole IDX header", "only part of one")
    shape = struct.unpack(f">{head[3]}I", sizes)
    claimed = prod(shape)
    if claimed > _MOST_BYTES:
        raise _damaged(path, f"at most {_MOST_BYTES} bytes", f"a header that claims {claimed}")
    content = _read(file, claimed)
    if len(content) != claimed:
        received = f"only {len(content)}" if len(content) < claimed else "more"
        raise _damaged(path, f"{claimed} bytes for an array of shape {shape}", received)
    return _frozen(content).reshape(shape)


def _read(file: BinaryIO, claimed: int) -> bytearray:
    """Read what is claimed and at most one byte more, piece by piece, so that a claim alone takes no memory."""
    content = bytearray()
    while len(content) <= claimed:
        piece = file.read(min(_PIECE, claimed + 1 - len(content)))
        if not piece:
            break
        content += piece
    return content


def _axes(number: int) -> str:
    return "1 axis" if number == 1 else f"{number} axes"


def _damaged(path: Path, expected: str, received: str) -> FileError:
    return FileError(str(path), expected, received, "fetch the file again, or name another one")


def _frozen(content: bytearray) -> Bytes:
    array = np.frombuffer(content, np.uint8)
    array.flags.writeable = False
    return array

"""Files that are whole or not there: written under a temporary name and renamed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from whygrad.errors import FileError
from whygrad.typing import Array, Params

_MOST_JSON = 16 * 2**20


def write_file(path: Path, content: bytes) -> None:
    """Write a file so that at every moment there is the old one or the new one.

    Raises:
        FileError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write_synced(temporary, content)
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_directory(path: Path, files: Mapping[str, bytes], *, folders: tuple[str, ...] = ()) -> None:
    """Make a directory with its files and empty folders so that it is there with all of them or not at all.

    Raises:
        FileError: it cannot be written, or is there already with something in it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        for name in folders:
            (temporary / name).mkdir()
        for name, content in files.items():
            _write_synced(temporary / name, content)
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sweep(directory: Path) -> None:
    """Remove what a writer that was killed left under a temporary name; nobody else may be writing there."""
    for left in directory.glob(".*.tmp"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> FileError:
    """Return the error for a place that cannot be written to."""
    remedy = "choose another place or free some space"
    return FileError(str(path), "a place that can be written to", error.strerror or str(error), remedy)


def pack_json(value: Any) -> bytes:
    """Return JSON as it is written everywhere: indented, in a fixed order, ending in a newline."""
    return (json.dumps(value, indent=2, default=_plain) + "\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(type(value).__name__)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FileError: a missing, damaged or overlong file.
    """
    content = read_file(path, _MOST_JSON)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise FileError(str(path), "a whole JSON file", reason, "restore the file or start a new run") from None
    if not isinstance(value, dict):
        raise FileError(str(path), "a JSON object", type(value).__name__, "restore the file or start a new run")
    return value


def read_file(path: Path, most: int | None = None) -> bytes:
    """Read a file of at most so many bytes.

    Raises:
        FileError: a missing, unreadable or overlong file.
    """
    try:
        size = path.stat().st_size
        if most is not None and size > most:
            raise FileError(str(path), f"at most {most} bytes", f"{size}", "check that it is the right file")
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(str(path), "a readable file", reason, "check the path") from None


def pack_arrays(arrays: Params, metadata: dict[str, str] | None = None) -> bytes:
    """Return arrays in the safetensors format."""
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata)


def unpack_arrays(path: Path, content: bytes) -> dict[str, Array]:
    """Return the arrays of a safetensors file that was read from ``path``.

    Raises:
        FileError: a damaged file.
    """
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(str(path), "a whole safetensors file", reason, "restore it or train again") from None

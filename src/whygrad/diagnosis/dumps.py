"""Dumps of arrays from other programs: ``.npz`` without pickle, MATLAB's ``.mat``, JSON."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from whygrad.diagnosis.signatures import GRADIENTS, NAMES
from whygrad.errors import FileError, OptionError

#: Bytes that a dump may have, packed and unpacked.
LARGEST = 256 * 2**20
SUFFIXES = (".npz", ".mat", ".json")
#: What may stand in a dump beside arrays, by the names that people give it.
OPTIONS = {
    "op": {"op", "operation", "layer", "type"},
    "stride": NAMES["stride"],
    "padding": NAMES["padding"],
    "kernel_size": {"kernel_size", "pool_size", "k", "ksize", "window"},
    "layout": {"layout", "data_format"},
    "weights": {"weights_layout", "kernel_layout", "weight_format"},
    "eps": NAMES["eps"],
    "alpha": {"alpha", "negative_slope"},
    "axis": {"axis"},
    "scale_factor": {"scale_factor"},
}


def load_dump(path: str | Path) -> dict[str, Any]:
    """Return what a dump holds, by the names of ``diagnose_arrays``: arrays, options, and "op" if it says so.

    Args:
        path: a file that ends in .npz, .mat or .json.

    Raises:
        FileError: it is missing, damaged, too large, or holds Python objects.
        OptionError: it is of another kind.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "dump.json"
        ...     _ = file.write_text('{"op": "conv2d", "dW": [[1, 2], [3, 4]], "s": 2}')
        ...     sorted(load_dump(file))
        ['dw', 'op', 'stride']
    """
    path = Path(path)
    readers = {".npz": _npz, ".mat": _mat, ".json": _json}
    if path.suffix.lower() not in readers:
        raise OptionError(
            str(path),
            f"a file that ends in {', '.join(SUFFIXES)}",
            path.suffix or "no ending",
            "save the arrays as one of these",
        )
    if not path.is_file():
        raise FileError(str(path), "a dump of arrays", "a folder" if path.is_dir() else "none", "check the path")
    if path.stat().st_size > LARGEST:
        raise FileError(
            str(path),
            f"at most {LARGEST // 2**20} MiB",
            f"{path.stat().st_size // 2**20} MiB",
            "save fewer samples",
        )
    return named(readers[path.suffix.lower()](path), path)


def named(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return arrays and options by the names that are used here."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        name = _name(str(key), value)
        if name is None:
            continue
        if name in found:
            raise FileError(str(path), f"one array for {name}", f"another one called {key}", "keep one of them")
        found[name] = value
    return found


def _name(key: str, value: Any) -> str | None:
    plain = key.lower().strip("_")
    scalar = np.ndim(value) == 0 or np.size(value) == 1
    if scalar or isinstance(value, str):
        for name, known in OPTIONS.items():
            if plain == name or plain in known:
                return name
    for name, known in GRADIENTS.items():
        if plain == name or plain in known - {
            "x",
            "w",
            "b",
            "input",
            "weight",
            "weights",
            "bias",
            "kernel",
            "gamma",
            "beta",
        }:
            return name
    for name in ("dy", "x", "w", "b", "gamma", "beta", "y", "mask"):
        if plain == name or plain in NAMES[name]:
            return name
    return None


def _npz(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > LARGEST:
            raise FileError(
                str(path), f"at most {LARGEST // 2**20} MiB unpacked", f"{size // 2**20} MiB", "save fewer samples"
            )
        with np.load(path, allow_pickle=False) as content:
            return {name: _plain(content[name]) for name in content.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        objects = "pickle" in str(error).lower() or "object" in str(error).lower()
        received = "Python objects, which are not opened" if objects else "a damaged file"
        raise FileError(
            str(path),
            "arrays of numbers saved by np.savez",
            received,
            "save it again: np.savez(path, x=x, dy=dy, dw=dw)",
        ) from error


def _plain(array: Any) -> Any:
    """Return a single number or word as itself."""
    if array.ndim == 0:
        return array.item()
    return array


def _mat(path: Path) -> dict[str, Any]:
    try:
        from scipy.io import loadmat  # noqa: PLC0415 - an extra that nothing else needs
    except ImportError as error:
        raise FileError(
            str(path), "SciPy, which reads MATLAB's files", "none", "pip install 'whygrad[mat]'"
        ) from error
    try:
        content = loadmat(path, squeeze_me=False)
    except NotImplementedError as error:
        raise FileError(
            str(path), "a file of MATLAB's version 7 or less", "version 7.3", "save('dump.mat', '-v7')"
        ) from error
    except Exception as error:  # whatever SciPy finds in a damaged file
        raise FileError(str(path), "a MATLAB file", "a damaged one", "save it again") from error
    found: dict[str, Any] = {}
    for name, value in content.items():
        if name.startswith("__"):
            continue
        if getattr(value, "dtype", None) is not None and value.dtype.kind == "U" and value.size == 1:
            found[name] = str(value.reshape(-1)[0])
        elif getattr(value, "dtype", None) is not None and value.dtype.kind in "fiub":
            found[name] = value.reshape(-1)[0].item() if value.size == 1 and _name(name, 1) in OPTIONS else value
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise FileError(str(path), "JSON", "something else", "save an object of lists by name") from error
    if not isinstance(content, dict):
        raise FileError(
            str(path),
            "a JSON object",
            f"a {type(content).__name__}",
            'save {"op": "conv2d", "x": [...], "dy": [...]}',
        )
    found: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, list):
            try:
                found[name] = np.array(value, np.float64)
            except (ValueError, TypeError) as error:
                raise FileError(
                    str(path),
                    f"{name} as nested lists of numbers of even lengths",
                    "others",
                    "check the rows of it",
                ) from error
        else:
            found[name] = value
    return found

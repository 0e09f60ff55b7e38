"""Tensors of an ONNX file as arrays, no larger than what the file holds, and from no other folder."""

from __future__ import annotations

from math import prod
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from whygrad.errors import FileError
from whygrad.interop.onnx.nodes import data_type
from whygrad.interop.onnx.package import onnx

#: The types that numbers of networks and shapes have, by ONNX's names.
_DTYPES = {
    "FLOAT": np.float32, "DOUBLE": np.float64, "FLOAT16": np.float16, "INT8": np.int8, "INT16": np.int16,
    "INT32": np.int32, "INT64": np.int64, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32,
    "UINT64": np.uint64, "BOOL": np.bool_,
}  # fmt: skip
_EXTERNAL = 1
_MOST_AXES = 16
REMEDY = "export the model again, or fetch the file anew"


def dtype_of(number: int) -> np.dtype[Any] | None:
    """Return NumPy's type for ONNX's number; None for one that no array here has."""
    known = {data_type(name): np.dtype(kind) for name, kind in _DTYPES.items()}
    return known.get(number)


def read_tensor(path: Path, tensor: Any, where: str) -> npt.NDArray[Any]:
    """Return a tensor of a model that was read from ``path``.

    Raises:
        FileError: numbers that are missing or too many, an unknown type, or data outside the model's folder.
    """
    dtype, dims = dtype_of(tensor.data_type), tuple(int(n) for n in tensor.dims)
    if dtype is None:
        _fail(path, where, "numbers of a common type", f"ONNX's type {tensor.data_type}")
    if len(dims) > _MOST_AXES or any(n < 0 for n in dims):
        _fail(path, where, f"at most {_MOST_AXES} axes of sizes that are not negative", f"{dims[:8]}")
    count, size = prod(dims), np.dtype(dtype).itemsize
    if tensor.data_location == _EXTERNAL:
        raw = _external(path, tensor, where, count * size)
    elif tensor.HasField("raw_data"):
        raw = tensor.raw_data
    else:
        return _typed(path, tensor, where, dims)
    if len(raw) != count * size:
        _fail(path, where, f"{count * size} bytes for the shape {dims}", f"{len(raw)}")
    return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(dims)


def _typed(path: Path, tensor: Any, where: str, dims: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return a tensor whose numbers stand in one of the fields for numbers."""
    count = max(
        len(getattr(tensor, name))
        for name in ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
    )
    if count != prod(dims):
        _fail(path, where, f"{prod(dims)} numbers for the shape {dims}", f"{count}")
    try:
        return np.array(onnx().numpy_helper.to_array(tensor))
    except (ValueError, TypeError, OverflowError) as error:
        _fail(path, where, "a whole tensor", str(error).splitlines()[0])


def _external(path: Path, tensor: Any, where: str, length: int) -> bytes:
    """Return the bytes of a tensor that stand in another file, which must lie in the model's folder."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    relative = PurePosixPath(location)
    if not location or relative.is_absolute() or ".." in relative.parts or "\\" in location or ":" in location:
        _fail(path, where, "a file in the model's folder for its data", repr(location[:200]))
    folder = path.resolve().parent
    try:
        file = (folder / relative).resolve()
        if not file.is_relative_to(folder):
            _fail(path, where, "a file in the model's folder for its data", "a link that leads out of it")
        offset, claimed = int(entries.get("offset", "0")), int(entries.get("length", str(length)))
        if offset < 0 or claimed != length or offset + length > file.stat().st_size:
            _fail(
                path, where, f"{length} bytes at {offset} of {location[:200]}", "a shorter file or another length"
            )
        with file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(length)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        _fail(path, where, f"the file {location[:200]!r} beside the model", reason)


def _fail(path: Path, where: str, expected: str, received: str) -> NoReturn:
    raise FileError(str(path), f"{expected} in {where}", received, REMEDY)

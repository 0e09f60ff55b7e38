"""Arrays in NumPy's ``.npy`` format, read without unpickling and no larger than they say."""

from __future__ import annotations

from math import prod
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from whygrad.errors import FileError


def read_npy(name: str, file: BinaryIO, held: int) -> npt.NDArray[Any]:
    """Read a ``.npy`` of ``held`` bytes without unpickling, if it claims no more than that.

    Raises:
        FileError: a damaged file, or one of objects.
    """
    try:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(file)
        claimed = prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise ValueError("objects, which are never unpickled")
        if claimed > held:
            raise ValueError(f"a header that claims {claimed} bytes in a file of {held}")
        content = bytearray()
        while len(content) < claimed:
            piece = file.read(min(1 << 20, claimed - len(content)))
            if not piece:
                raise ValueError(f"only {len(content)} of {claimed} bytes")
            content += piece
        flat = np.frombuffer(content, dtype, prod(shape))
        return flat.reshape(shape, order="F" if fortran else "C")
    except Exception as error:  # a damaged header fails in as many ways as Python source can
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(name, "a NumPy array without objects", reason, "save it with np.save or np.savez") from None

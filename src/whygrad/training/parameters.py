"""The files of a run that hold parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from whygrad.errors import FileError
from whygrad.layers import Layer
from whygrad.training.files import read_file, unpack_arrays
from whygrad.typing import Array

MODEL, BEST = "model.safetensors", "best.safetensors"


def read_parameters(path: Path, model: Layer) -> dict[str, Array]:
    """Return the parameters of ``model`` in a file.

    Raises:
        FileError: it is missing or damaged, or holds the parameters of another model.
    """
    params = unpack_arrays(path, read_file(path))
    check_parameters(path, model, params)
    return params


def check_parameters(path: Path, model: Layer, params: dict[str, Array]) -> None:
    """Refuse parameters from ``path`` that are not those of the model, or not finite numbers.

    Raises:
        FileError: names, shapes or dtypes that differ, or NaN or infinity.
    """
    wanted = model.parameters()
    remedy = "use the file of a model of the same architecture"
    for name in sorted(wanted.keys() ^ params.keys()):
        expected = f"{name} in the file" if name in wanted else f"no {name}, which the model does not have"
        raise FileError(str(path), expected, "none" if name in wanted else "one", remedy)
    for name, parameter in wanted.items():
        array = params[name]
        if array.shape != parameter.shape or array.dtype not in (np.float32, np.float64):
            expected = f"{name} of shape {parameter.shape}, float32 or float64"
            raise FileError(str(path), expected, f"{array.shape}, {array.dtype}", remedy)
        if not np.isfinite(array).all():
            remedy = "train again with a lower learning rate"
            raise FileError(str(path), f"finite numbers in {name}", "NaN or infinity", remedy)

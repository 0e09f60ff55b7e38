"""Parameters in safetensors files under PyTorch's names: in from a ``state_dict``, and out to one."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from whygrad.errors import FileError
from whygrad.layers import Layer
from whygrad.training.files import pack_arrays, read_file, unpack_arrays, write_file
from whygrad.typing import Array, Params

#: What PyTorch's batch normalisation counts and nothing here reads.
_COUNTERS = "num_batches_tracked"
_MOST_NAMED = 8


def load_safetensors(path: str | PathLike[str], model: Layer) -> dict[str, Array]:
    """Read a network's parameters from a safetensors file.

    A ``state_dict`` that PyTorch's user wrote by ``safetensors.torch.save_file(model.state_dict(), path)`` fits a
    network of the same architecture whose layers have the same names. Batch counters of PyTorch are left out.

    Args:
        path: of the file.
        model: the network, which says what has to be there.

    Returns:
        The parameters and running statistics by name.

    Raises:
        FileError: a damaged file, or one with names, shapes or types other than the network's; all are named.

    Example:
        >>> import tempfile
        >>> from whygrad.layers import Linear, Sequential
        >>> model = Sequential(fc1=Linear(2, 3))
        >>> params = model.init(np.random.default_rng(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_safetensors(f"{folder}/model.safetensors", params)
        ...     sorted(load_safetensors(f"{folder}/model.safetensors", model))
        ['fc1.bias', 'fc1.weight']

    Source: https://huggingface.co/docs/safetensors.
    """
    arrays = unpack_arrays(Path(path), read_file(Path(path)))
    arrays = {name: array for name, array in arrays.items() if name.rpartition(".")[2] != _COUNTERS}
    shapes = model.shapes
    missing = sorted(shapes.keys() - arrays.keys())
    unexpected = sorted(arrays.keys() - shapes.keys())
    other = [
        f"{name} of shape {array.shape} and {array.dtype} for {shapes[name]}"
        for name, array in arrays.items()
        if name in shapes and (array.shape != shapes[name] or array.dtype not in (np.float32, np.float64))
    ]
    faults = {"lacks": missing, "has besides": unexpected, "has in other shapes or types": other}
    if any(faults.values()):
        received = "; ".join(f"one that {word} {_some(names)}" for word, names in faults.items() if names)
        expected = f"the {len(shapes)} arrays of the network, float32 or float64"
        remedy = "build the network that the file was written for, with the same names"
        raise FileError(str(path), expected, received, remedy)
    return {name: arrays[name] for name in shapes}


def save_safetensors(path: str | PathLike[str], params: Params) -> None:
    """Write parameters to a safetensors file, which ``safetensors.torch.load_file`` reads as a ``state_dict``.

    Args:
        path: where to; there is the whole file or the one that was there before.
        params: parameters and running statistics by name.

    Raises:
        FileError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_safetensors(f"{folder}/model.safetensors", {"fc1.bias": np.zeros(3)})

    Source: https://huggingface.co/docs/safetensors.
    """
    write_file(Path(path), pack_arrays(params, {"format": "pt"}))


def _some(names: list[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more

"""Checkpoints: a training state as safetensors and JSON, whole or not there."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from whygrad.errors import FileError, OptionError
from whygrad.optim import Optimizer, OptimizerState
from whygrad.training.files import (
    pack_arrays,
    pack_json,
    read_file,
    read_json,
    unpack_arrays,
    write_directory,
)
from whygrad.training.fit import Step
from whygrad.training.state import GENERATORS, TrainingState, generator
from whygrad.typing import Array

_NAME = re.compile(r"step-\d{8,}")
_ARRAYS, _STATE, _FORMAT = "arrays.safetensors", "state.json", 1
_NUMBERS: dict[str, type[int] | type[float]] = {
    "step": int,
    "epoch": int,
    "batch": int,
    "loss_sum": float,
    "correct": int,
    "seen": int,
}


def save_checkpoint(path: Path, state: TrainingState, optimizer: Optimizer) -> None:
    """Write a training state to the directory ``path``, which must not be there yet.

    Args:
        path: the directory.
        state: what is written.
        optimizer: whose state is in it; described, to be compared when the checkpoint is read.

    Raises:
        FileError: it cannot be written.
        OptionError: a generator whose state JSON cannot hold.

    Example:
        >>> import tempfile
        >>> from whygrad.optim import SGD
        >>> from whygrad.training.state import beginning
        >>> optimizer, params = SGD(0.1), {"w": np.zeros(3)}
        >>> state = beginning(params, optimizer.init(params), np.random.default_rng(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_checkpoint(Path(folder) / "first", state, optimizer)
        ...     load_checkpoint(Path(folder) / "first", optimizer).params
        {'w': array([0., 0., 0.])}
    """
    if state.rng.get("bit_generator") not in GENERATORS:
        remedy = "train with rng=np.random.default_rng(seed)"
        raise OptionError(
            "checkpoint", f"a {' or '.join(GENERATORS)} generator", f"{state.rng.get('bit_generator')}", remedy
        )
    arrays = {f"params/{name}": array for name, array in state.params.items()}
    for slot, held in state.optimizer.slots.items():
        arrays |= {f"slots/{slot}/{name}": array for name, array in held.items()}
    content = pack_arrays(arrays)
    described = {name: getattr(state, name) for name in _NUMBERS} | {
        "format": _FORMAT,
        "optimizer": repr(optimizer),
        "slots": sorted(state.optimizer.slots),
        "rng": state.rng,
        "epoch_rng": state.epoch_rng,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_directory(path, {_ARRAYS: content, _STATE: pack_json(described)})


def load_checkpoint(path: Path, optimizer: Optimizer, before: Collection[Optimizer] = ()) -> TrainingState:
    """Read a training state that ``save_checkpoint`` wrote for the same optimiser.

    Args:
        path: its directory.
        optimizer: the same optimiser.
        before: optimisers that it took the place of, whose states it goes on from.

    Returns:
        The state, from which ``fit(..., resume=state)`` goes on bit for bit.

    Raises:
        FileError: a missing or damaged checkpoint, or one of another optimiser.
    """
    described = read_json(path / _STATE)
    content = read_file(path / _ARRAYS)
    if described.get("format") != _FORMAT:
        raise _damaged(path / _STATE, f"format {_FORMAT}", f"{described.get('format')!r}")
    if described.get("sha256") != hashlib.sha256(content).hexdigest():
        raise _damaged(path / _ARRAYS, "the contents that were written", "other contents, or only part of them")
    if described.get("optimizer") not in [repr(known) for known in (optimizer, *before)]:
        raise _damaged(path / _STATE, f"a checkpoint of {optimizer!r}", f"{described.get('optimizer')}")

    for name, kind in _NUMBERS.items():
        if not _is_number(described.get(name), kind, signed=name == "loss_sum"):
            raise _damaged(path / _STATE, f"{name} as a number of its kind", f"{described.get(name)!r}")
    params, slots = _sort(path / _ARRAYS, unpack_arrays(path / _ARRAYS, content), described.get("slots"))
    for name in ("rng", "epoch_rng"):
        try:
            generator(described[name])
        except (KeyError, TypeError, ValueError, OverflowError):
            expected = f"{name} as the state of a {' or '.join(GENERATORS)} generator"
            raise _damaged(path / _STATE, expected, "another value") from None
    return TrainingState(
        params,
        OptimizerState(described["step"], slots),
        described["rng"],
        described["epoch_rng"],
        *(described[name] for name in ("epoch", "batch", "loss_sum", "correct", "seen")),
    )


def _is_number(value: Any, kind: type, *, signed: bool) -> bool:
    """Tell whether a value is a finite number of a kind, and not negative unless ``signed``."""
    good = isinstance(value, kind) and not isinstance(value, bool)
    return good and bool(np.isfinite(value)) and (signed or value >= 0)


def _sort(path: Path, arrays: dict[str, Array], names: Any) -> tuple[dict[str, Array], dict[str, dict[str, Array]]]:
    """Divide the arrays of a checkpoint into parameters and the optimiser's slots."""
    if not isinstance(names, list):
        raise _damaged(path, "a list of slots", f"{names!r}")
    params: dict[str, Array] = {}
    slots: dict[str, dict[str, Array]] = {str(name): {} for name in names}
    for key, array in sorted(arrays.items()):
        kind, _, name = key.partition("/")
        slot, _, parameter = name.partition("/")
        if kind == "params":
            params[name] = array
        elif kind == "slots" and slot in slots:
            slots[slot][parameter] = array
        else:
            raise _damaged(path, "parameters and slots", f"{key!r}")
    return params, slots


def _damaged(path: Path, expected: str, received: str) -> FileError:
    remedy = "delete this checkpoint to resume from the one before it"
    return FileError(str(path), expected, received, remedy)


class Checkpoints:
    """The checkpoints of a run: a directory for each, named after its step, of which the last two are kept.

    Args:
        directory: where they stand.
        optimizer: whose state they hold.
        before: optimisers that it took the place of.
    """

    def __init__(self, directory: Path, optimizer: Optimizer, before: Collection[Optimizer] = ()) -> None:
        self.directory, self.optimizer, self.before = directory, optimizer, before

    def save(self, step: Step) -> None:
        """Write a checkpoint after ``step``, unless there is one, and drop those before the last two."""
        self._write(step.state)

    def restore(self, state: TrainingState | None) -> None:
        """Make ``state`` the last checkpoint: drop those after it, all of them for None or a state at step 0."""
        step = state.step if state is not None else 0
        for path in self._paths():
            if int(path.name.removeprefix("step-")) > step:
                shutil.rmtree(path, ignore_errors=True)
        if state is not None and step:
            self._write(state)

    def _write(self, state: TrainingState) -> None:
        path = self.directory / f"step-{state.step:08d}"
        if not path.exists():
            save_checkpoint(path, state, self.optimizer)
        for old in self._paths()[:-2]:
            shutil.rmtree(old, ignore_errors=True)

    def latest(self) -> TrainingState | None:
        """Read the last checkpoint; None if there is none."""
        paths = self._paths()
        return load_checkpoint(paths[-1], self.optimizer, self.before) if paths else None

    def _paths(self) -> list[Path]:
        if not self.directory.exists():
            return []
        return sorted(path for path in self.directory.iterdir() if _NAME.fullmatch(path.name) and path.is_dir())

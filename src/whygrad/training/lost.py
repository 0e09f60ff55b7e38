"""What becomes of a run that its monitor has given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from whygrad.errors import FileError, LostError, NonFiniteError
from whygrad.training.checkpoint import Checkpoints
from whygrad.training.files import pack_json, read_json, write_file
from whygrad.training.fit import Step
from whygrad.training.monitor import Lost, Monitor

STOPPED = "stopped.json"


def next_step(run: Path, steps: Iterator[Step], monitor: Monitor | None) -> Step | None:
    """Return the next step of a run, None at its end.

    Raises:
        NonFiniteError: the loss is not finite any more, and there is no monitor.
        LostError: the same, and the monitor says where it came from.
    """
    try:
        return next(steps, None)
    except NonFiniteError:
        if monitor is None:
            raise
        raise lost_error(run, monitor.failed()) from None


def lost_error(run: Path, lost: Lost) -> LostError:
    """Return why a run is lost, as an error that says how to go on."""
    return lost.error(f"go on with: whygrad train --resume {run} --learning-rate, and a lower one")


def restore(run: Path, checkpoints: Checkpoints, lost: Lost) -> None:
    """Leave a run as it was when nothing was wrong yet, and write down why.

    Raises:
        FileError: no room to write.
    """
    checkpoints.restore(lost.good)
    restored = lost.good.step if lost.good is not None else 0
    stopped = {"step": lost.step, "reason": lost.reason, "restored_step": restored}
    write_file(run / STOPPED, pack_json(stopped))


def read_stopped(run: Path) -> dict[str, Any] | None:
    """Return what ``restore`` wrote down; None if there is nothing.

    Raises:
        FileError: it is damaged.
    """
    if not (run / STOPPED).exists():
        return None
    stopped = read_json(run / STOPPED)
    kinds = {"step": int, "reason": str, "restored_step": int}
    for name, kind in kinds.items():
        if type(stopped.get(name)) is not kind:
            remedy = "delete it and resume the run"
            raise FileError(str(run / STOPPED), f"{name} as {kind.__name__}", f"{stopped.get(name)!r}", remedy)
    return stopped

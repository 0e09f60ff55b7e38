"""Metrics of a run: one JSON object a step, one a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from whygrad.errors import FileError
from whygrad.training.files import write_file
from whygrad.training.fit import Step


class Metrics:
    """Writes ``metrics.jsonl``.

    Args:
        path: the file.
        step: the step that the run goes on from; what stands there of later steps, or only in part, is dropped,
            so that a resumed run leaves the file of an uninterrupted one.

    Raises:
        FileError: it cannot be written.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        self.records = [record for record in read_metrics(path) if record["step"] <= step]
        write_file(path, "".join(map(_line, self.records)).encode())
        self._path = path
        with self._disk():
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, step: Step, **more: float | None) -> None:
        """Add a line for ``step``, with the means of its epoch if it ends one."""
        record: dict[str, Any] = {
            "step": step.step,
            "epoch": step.epoch,
            "loss": step.loss,
            "learning_rate": step.learning_rate,
        }
        if step.clipped is not None:
            record["gradient_norm"] = step.clipped.norm
        if step.ends_epoch:
            record["epoch_loss"] = step.epoch_loss
            record["epoch_accuracy"] = step.epoch_accuracy
        with self._disk():
            self._file.write(_line(record | more))

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        with self._disk():
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        with self._disk():
            self._file.close()

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            remedy = "free some space and resume the run"
            reason = error.strerror or str(error)
            raise FileError(str(self._path), "room for the metrics", reason, remedy) from None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a metrics file.

    Args:
        path: the file.

    Returns:
        One mapping a line with ``step``, ``epoch``, ``loss`` and ``learning_rate``, and at the end of an epoch
        ``epoch_loss`` and ``epoch_accuracy``; none if there is no file. Damaged lines are left out.

    Example:
        >>> read_metrics(Path("no such file"))
        []
    """
    records = []
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the last line of a run that was killed while writing it
        if _is_record(record):
            records.append(record)
    return records


def _is_record(record: Any) -> bool:
    """Tell whether a line is one that ``Metrics`` writes: a step, an epoch, and numbers or nothing by name."""
    if not isinstance(record, dict) or not {"step", "epoch", "loss"} <= record.keys():
        return False
    whole = all(type(record[name]) is int for name in ("step", "epoch"))
    return whole and all(type(value) in (int, float, type(None)) for value in record.values())


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record) + "\n"

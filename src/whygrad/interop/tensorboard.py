"""For TensorBoard: what a training does, in the event files that TensorBoard shows.

A reader of ``fit`` like any other. Files are written with tensorboardX's own writer of records, at once and by no
thread, so that a full disk is an error and no silence.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from whygrad.errors import DependencyError, FileError, OptionError
from whygrad.training import Step
from whygrad.typing import Array
from whygrad.validation import whole

try:
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog
    from tensorboardX.proto.summary_pb2 import HistogramProto, Summary
except ImportError:
    raise DependencyError(
        "whygrad.interop.tensorboard",
        "the package tensorboardX",
        "none",
        "install it with: pip install 'whygrad[tensorboard]'",
    ) from None

#: Bars of a histogram.
_BARS = 40
#: Larger numbers than these cannot be put on a scale with their negatives.
_LARGEST = 1e300
_SMALLEST = 1e-300  #: and below this they are all alike
_ALIKE = 1e-6  #: numbers that differ by less, relative to them, are one bar's
#: Seconds after which what was written is brought to the disk, so that it can be watched.
_FLUSH = 5.0

_numbers = itertools.count()


class TensorBoard:
    """Writes what a training does for TensorBoard.

    Scalars: loss, learning rate and, with clipping, the norm of the gradients at every step; means, and validation
    where there is any, at the end of every epoch. Histograms: of every parameter, and of its gradient where the
    steps keep them, ``fit(..., keep_gradients=True)``. NaN and infinity are left out of histograms, which cannot
    hold them, and counted in scalars under ``not finite/``.

    Args:
        directory: where event files go; one directory a training. A training that goes on from an earlier step
            replaces what came after that step.
        every: steps from scalars to scalars.
        histograms: steps from histograms to histograms; None for the end of every epoch, 0 for none.

    Raises:
        FileError: the directory cannot be made or written to.
        OptionError: numbers of steps that are not whole.

    Example:
        >>> import tempfile
        >>> from whygrad.layers import Linear
        >>> from whygrad.optim import SGD
        >>> from whygrad.training import fit
        >>> model, rng = Linear(2, 2), np.random.default_rng(0)
        >>> x, labels = np.array([[0., 1.], [1., 0.]]), np.array([0, 1])
        >>> steps = fit(model, model.init(rng, np.float64), x, labels, optimizer=SGD(1.0), rng=rng, epochs=3,
        ...             keep_gradients=True)
        >>> with tempfile.TemporaryDirectory() as directory, TensorBoard(directory) as board:
        ...     for step in steps:
        ...         board.write(step)
        ...     len(list(Path(directory).glob("*tfevents*")))
        1
    """

    def __init__(self, directory: str | Path, *, every: int = 1, histograms: int | None = None) -> None:
        self.directory = Path(directory)
        self._every = whole("TensorBoard", "every", every, 1)
        self._histograms = None if histograms is None else whole("TensorBoard", "histograms", histograms, 0)
        self._writer: Any = None
        self._flushed = 0.0
        with self._disk():
            self.directory.mkdir(parents=True, exist_ok=True)
        if not os.access(self.directory, os.W_OK):
            raise FileError(
                str(self.directory), "a place that can be written to", "one that cannot", "choose another"
            )

    def write(self, step: Step, **more: float) -> None:
        """Write what one step did.

        Args:
            step: the step.
            more: further numbers by name, such as ``validation_loss``.

        Raises:
            FileError: no room on the disk.
        """
        scalars: dict[str, float] = {}
        if step.step % self._every == 0 or step.ends_epoch:
            scalars |= {"train/loss": step.loss, "train/learning_rate": step.learning_rate}
            if step.clipped is not None:
                scalars["train/gradient_norm"] = step.clipped.norm
        if step.ends_epoch:
            scalars["epoch/loss"] = step.epoch_loss
            if step.epoch_accuracy is not None:
                scalars["epoch/accuracy"] = step.epoch_accuracy
        scalars |= {_tag(name): float(value) for name, value in more.items()}
        due = step.ends_epoch if self._histograms is None else self._histograms and not step.step % self._histograms
        arrays: dict[str, Array] = {}
        if due:
            arrays |= {f"weights/{name}": array for name, array in step.params.items()}
            arrays |= {f"gradients/{name}": array for name, array in (step.gradients or {}).items()}
        self.add(step.step, scalars, arrays)
        if step.ends_epoch or time.monotonic() - self._flushed > _FLUSH:
            self.flush()

    def add(
        self, step: int, scalars: Mapping[str, float] | None = None, arrays: Mapping[str, Array] | None = None
    ) -> None:
        """Write numbers, and histograms of arrays, by name, as of one step.

        Raises:
            FileError: no room on the disk.
            OptionError: arrays of something else than real numbers.
        """
        numbers, values = dict(scalars or {}), []
        for name, array in (arrays or {}).items():
            histogram, lost = _histogram(name, np.asarray(array))
            if lost:
                numbers[f"not finite/{name}"] = lost
            if histogram is not None:
                values.append(Summary.Value(tag=name, histo=histogram))
        values = [Summary.Value(tag=name, simple_value=_single(n)) for name, n in numbers.items()] + values
        if not values:
            return
        with self._disk():
            if self._writer is None:
                self._begin(step)
            self._writer.write_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def flush(self) -> None:
        """Bring what was written to the disk."""
        self._flushed = time.monotonic()
        if self._writer is not None:
            with self._disk():
                self._writer.flush()

    def close(self) -> None:
        """Close the file; what is written after that goes to another one."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with self._disk():
                writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, step: int) -> None:
        """Open a file whose first word is that whatever came from this step on counts no more."""
        self._writer = EventsWriter(str(self.directory / "events"), f".{os.getpid()}.{next(_numbers)}")
        start = SessionLog(status=SessionLog.START)
        self._writer.write_event(Event(wall_time=time.time(), step=step, session_log=start))

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            remedy = "choose another directory or free some space"
            raise FileError(
                str(self.directory), "room for TensorBoard's events", error.strerror or str(error), remedy
            ) from None


def _tag(name: str) -> str:
    """Return where a further number stands.

    Example:
        >>> _tag("validation_loss"), _tag("temperature")
        ('validation/loss', 'temperature')
    """
    return name.replace("validation_", "validation/", 1) if name.startswith("validation_") else name


def _single(value: float) -> float:
    """Return a number as the files hold it, in float32; what is too large is infinite."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def _range(finite: Array) -> tuple[float, float]:
    """Return from where to where the bars go: a little beyond numbers that are nearly alike.

    Example:
        >>> _range(np.array([1.0, 3.0])), _range(np.array([2.0, 2.0]))
        ((1.0, 3.0), (1.999998, 2.000002))
    """
    low, high = (float(np.clip(n, -_LARGEST, _LARGEST)) for n in (finite.min(), finite.max()))
    size = max(abs(low), abs(high), _SMALLEST)
    room = 0.0 if high - low > _ALIKE * size else _ALIKE * size
    return low - room, high + room


def _histogram(name: str, array: Array) -> tuple[Any, int]:
    """Return the histogram of the finite entries, None where there are none, and how many are not finite.

    Raises:
        OptionError: an array of something else than real numbers.
    """
    if array.dtype.kind not in "fiub":
        raise OptionError("TensorBoard", f"{name} as real numbers", f"{array.dtype}", "leave it out")
    flat = array.astype(np.float64).reshape(-1)
    finite = flat[np.isfinite(flat)]
    lost = flat.size - finite.size
    if not finite.size:
        return None, lost
    counts, edges = np.histogram(np.clip(finite, -_LARGEST, _LARGEST), bins=_BARS, range=_range(finite))
    with np.errstate(over="ignore"):
        total, squares = float(finite.sum()), float(finite @ finite)
    made = HistogramProto(
        min=float(finite.min()),
        max=float(finite.max()),
        num=float(finite.size),
        sum=total if math.isfinite(total) else math.copysign(np.finfo(np.float64).max, total),
        sum_squares=min(squares, float(np.finfo(np.float64).max)),
        bucket_limit=edges.tolist(),
        bucket=[0.0, *counts.tolist()],  # a bar is named by its right end; the first begins where this one ends
    )
    return made, lost

"""The time that work takes, for limits and budgets: compiling kernels, once on a machine, counts for nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _Clock:
    """A clock that anyone may hold, and that goes on when nobody does."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.holders = 0
        self.since = 0.0  #: when the first of them began to hold it
        self.held = 0.0  #: how long it was held before

    def now(self) -> float:
        with self.lock:
            return (self.since if self.holders else time.monotonic()) - self.held

    def hold(self) -> None:
        with self.lock:
            if not self.holders:
                self.since = time.monotonic()
            self.holders += 1

    def let_go(self) -> None:
        with self.lock:
            self.holders -= 1
            if not self.holders:
                self.held += time.monotonic() - self.since


_clock = _Clock()


def working_time() -> float:
    """Return the seconds of a clock that stands still while it is held, of which only differences mean something.

    Example:
        >>> began = working_time()
        >>> with held():
        ...     time.sleep(0.01)
        >>> working_time() - began < 0.01
        True
    """
    return _clock.now()


@contextmanager
def held() -> Iterator[None]:
    """Hold the clock of this process, for all its threads."""
    _clock.hold()
    try:
        yield
    finally:
        _clock.let_go()


_SCHEDULE = Path("/proc/thread-self/schedstat")  # nanoseconds that ran, that waited for a core, and pieces of time


def kept_waiting() -> float:
    """Return the seconds for which this thread was ready to work, and other programs had the cores.

    Only differences mean something, and those only within one thread. Where the system does not tell, it is 0.
    """
    try:
        return int(_SCHEDULE.read_bytes().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0

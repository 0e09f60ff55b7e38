"""What breaks an examination off: a function that fails, and the time that is over."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from whygrad.clock import kept_waiting, working_time


class CallFailed(Exception):  # noqa: N818  (an outcome, not an error of this package)
    """A person's function raised, or returned what is no value."""

    def __init__(self, who: str, what: str) -> None:
        super().__init__(f"{who}: {what}")
        self.who, self.what = who, what


class OutOfTime(Exception):  # noqa: N818
    """The deadline has come."""


#: How many times as long as asked for an examination may take by the clock on the wall, on a busy machine.
_BUSY = 3
#: Seconds from one look at what other programs took to the next.
_LOOK = 0.1


@dataclass
class Clock:
    """How much time is left. What other programs take from the work does not count, up to a limit."""

    seconds: float
    began: float = field(default_factory=working_time)
    looked: float = -1.0
    first: dict[int, float] = field(default_factory=dict)  #: by thread, as it first asked
    taken: dict[int, float] = field(default_factory=dict)  #: by thread, what others took since then

    @property
    def left(self) -> float:
        """The seconds until the deadline; negative after it."""
        passed = working_time() - self.began
        if passed > self.looked + _LOOK or not self.first:
            self.looked = passed
            thread, waited = threading.get_ident(), kept_waiting()
            self.taken[thread] = waited - self.first.setdefault(thread, waited)
        return self.seconds - max(passed - sum(self.taken.values()), passed / _BUSY)

    def allows(self, seconds: float) -> bool:
        """Whether something that takes so long would end in time."""
        return self.left > seconds

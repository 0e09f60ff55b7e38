"""What breaks an examination off: a function that fails, and the time that is over."""

from __future__ import annotations

from dataclasses import dataclass, field

from whygrad.clock import working_time


class CallFailed(Exception):  # noqa: N818  (an outcome, not an error of this package)
    """A person's function raised, or returned what is no value."""

    def __init__(self, who: str, what: str) -> None:
        super().__init__(f"{who}: {what}")
        self.who, self.what = who, what


class OutOfTime(Exception):  # noqa: N818
    """The deadline has come."""


@dataclass
class Clock:
    """How much time is left."""

    seconds: float
    began: float = field(default_factory=working_time)

    @property
    def left(self) -> float:
        """The seconds until the deadline; negative after it."""
        return self.seconds - (working_time() - self.began)

    def allows(self, seconds: float) -> bool:
        """Whether something that takes so long would end in time."""
        return self.left > seconds

"""A limit on how long a user's function may take, since some never return."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from whygrad.clock import working_time
from whygrad.errors import CheckError, OptionError

T = TypeVar("T")
#: How often the clock is looked at, in seconds.
_LOOK = 0.05


class Limited:
    """Calls that may each take so many seconds, made while somebody else watches the clock.

    Python cannot stop a function that computes, so that it runs in a thread that is left behind when it is late.
    """

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            raise OptionError(
                "check", "time_limit above 0 seconds", f"{seconds!r}", "leave it out, or give it time"
            )
        self.seconds = seconds
        self.began: tuple[str, float] | None = None
        self._late = False

    def wrap(self, what: str, function: Callable[..., T]) -> Callable[..., T]:
        """Return the function with the clock set for each call."""

        def timed(*arguments: Any, **named: Any) -> T:
            if self._late:  # the thread that was left behind came back: nobody waits for it any more
                raise CheckError(what, "a value in time", "none", "the check has ended")
            self.began = (what, working_time())
            try:
                return function(*arguments, **named)
            finally:
                self.began = None

        timed.__wrapped__ = function  # type: ignore[attr-defined]  # so that its parameters can be read
        return timed

    def run(self, work: Callable[[], T]) -> T:
        """Do the work in a thread and return its result.

        Raises:
            CheckError: a wrapped call takes longer than the limit.
        """
        done = threading.Event()
        results: list[T] = []
        failures: list[BaseException] = []
        context = contextvars.copy_context()

        def do() -> None:
            try:
                results.append(context.run(work))
            except BaseException as error:  # handed to whoever waits
                failures.append(error)
            finally:
                done.set()

        threading.Thread(target=do, name="whygrad check", daemon=True).start()
        try:
            while not done.wait(_LOOK):
                self._look()
        except BaseException:
            self._late = True
            raise
        if failures:
            raise failures[0]
        return results[0]

    def _look(self) -> None:
        began = self.began
        if began is not None and working_time() - began[1] > self.seconds:
            remedy = "look for a loop that does not end, check it on smaller inputs, or raise time_limit"
            raise CheckError(began[0], f"a value within {self.seconds:g} s", "none", remedy)

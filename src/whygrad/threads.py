"""How many threads the kernels use."""

from __future__ import annotations

import ctypes
import os

from whygrad.errors import OptionError
from whygrad.validation import whole

MOST_THREADS = 1024

#: The number of threads, where compiled code reads it; 0 as long as nobody has asked.
thread_count = ctypes.c_int64(0)


def get_num_threads() -> int:
    """Return how many threads kernels use: all cores unless WHYGRAD_NUM_THREADS or ``set_num_threads`` say else.

    Raises:
        OptionError: WHYGRAD_NUM_THREADS is no number of threads.
    """
    if not thread_count.value:
        thread_count.value = _default()
    return thread_count.value


def set_num_threads(threads: int) -> None:
    """Let kernels use so many threads from now on, in the whole process.

    Results may differ in their last bits from one number of threads to another, never for the same number. More
    threads than cores are allowed: they give the bits that a machine of so many cores gives, not its speed.

    Args:
        threads: 1 to 1024.

    Raises:
        OptionError: another number.

    Example:
        >>> before = get_num_threads()
        >>> set_num_threads(1)
        >>> get_num_threads()
        1
        >>> set_num_threads(before)
    """
    thread_count.value = whole("set_num_threads", "threads", threads, 1, MOST_THREADS)


def _default() -> int:
    given = os.environ.get("WHYGRAD_NUM_THREADS", "").strip()
    if not given:
        ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(MOST_THREADS, ours)
    if not given.isdecimal() or not 1 <= int(given) <= MOST_THREADS:
        remedy = "set it to the number of cores to use, or unset it for all"
        raise OptionError("WHYGRAD_NUM_THREADS", f"a whole number from 1 to {MOST_THREADS}", repr(given), remedy)
    return int(given)

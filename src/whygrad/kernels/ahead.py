"""Compiling kernels ahead of their use, in as many processes as there are cores."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

from whygrad.errors import WhygradError
from whygrad.kernels.cache import cache_folder, is_ready
from whygrad.kernels.compiler import Kernel, recording
from whygrad.threads import get_num_threads


class Job(NamedTuple):
    """A kernel to be compiled."""

    name: str  #: "conv2d.forward", its file's and its own
    real: str  #: "float32" or "float64"


def all_jobs(reals: Iterable[str] = ("float32", "float64")) -> list[Job]:
    """Return every kernel that there is and that no earlier process has compiled."""
    for source in sorted(Path(__file__).parent.glob("*.py")):
        import_module(f"whygrad.kernels.{source.stem}")
    return _missing(Job(name, real) for real in reals for name in Kernel.all)


def jobs_of(run: Callable[[], object]) -> list[Job]:
    """Return the kernels that ``run()`` would compile. Its arithmetic is left out, so that it is quick."""
    with recording() as recorded, suppress(WhygradError, ArithmeticError), np.errstate(all="ignore"):
        run()
    return _missing(dict.fromkeys(Job(kernel.name, dtype.name) for kernel, dtype in recorded))


def _missing(jobs: Iterable[Job]) -> list[Job]:
    return [job for job in jobs if not is_ready(job.name, job.real)]


def compile_ahead(jobs: list[Job], done: Callable[[Job], object]) -> None:
    """Compile kernels into the cache, telling ``done`` of each; without a cache to write to do nothing.

    A kernel that fails is left to be compiled when it is needed, where the error can be seen.
    """
    if not jobs or cache_folder() is None:
        return
    count = min(len(jobs), get_num_threads())
    by_type = sorted(jobs, key=lambda job: job.real)  # what a process compiles first serves one type
    shares = [by_type[len(jobs) * i // count : len(jobs) * (i + 1) // count] for i in range(count)]
    processes = [_start(share) for share in shares]
    try:
        waiting, running = jobs, True
        while running:
            running = any(process.poll() is None for process in processes)
            for job in waiting:
                if is_ready(job.name, job.real):
                    done(job)
            waiting = _missing(waiting)
            time.sleep(_PAUSE if running else 0)
    finally:
        for process in processes:
            process.kill()
            process.wait()


_PAUSE = 0.05  #: seconds between two looks at what is ready


def _start(share: list[Job]) -> subprocess.Popen[bytes]:
    """Start a process that compiles some kernels."""
    command = [sys.executable, "-m", "whygrad.kernels.ahead", *(f"{job.name}:{job.real}" for job in share)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603 - this very package


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        for argument in sys.argv[1:]:
            name, _, real = argument.partition(":")
            import_module(f"whygrad.kernels.{name.partition('.')[0]}")
            Kernel.all[name][np.dtype(real)]

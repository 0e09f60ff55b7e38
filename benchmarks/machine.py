"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_torch() -> bool:
    """Return whether PyTorch is installed, without importing it."""
    return find_spec("torch") is not None


def has_cpp_compiler() -> bool:
    """Return whether there is a C++ compiler, which ``torch.compile`` needs on the CPU."""
    names = (os.environ.get("CXX", ""), "g++", "clang++", "c++", "cl")
    return any(name and shutil.which(name) for name in names)


def describe(threads: int) -> dict[str, Any]:
    """Return the machine, the threads used and the versions of what ran."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "threads": threads,
        "os": platform.platform(),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("whygrad", "numpy", "numba", "torch")},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def cpu_model() -> str:
    """Return the name of the processor, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith(("model name", "hardware")):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
        if done.stdout.strip():
            return done.stdout.strip()
    return platform.processor() or platform.machine()


class ThreadsError(Exception):
    """A side does not use the number of threads that it was told to."""


@contextmanager
def using(threads: int, *, torch: bool) -> Iterator[None]:
    """Let both sides use so many threads.

    The order matters. Numba's pool and PyTorch may share one OpenMP library, and when the pool starts, with the
    first kernel, it changes the number of threads that PyTorch was told. So the pool starts first. It is also
    limited to as many threads as there is work for: one without work would wait with a busy core.

    Raises:
        ThreadsError: PyTorch uses another number, before or after what is measured.
    """
    with threadpool_limits(threads, "blas"):
        pytorch = import_module("torch") if torch else None
        _start_pool(threads)
        if pytorch:
            pytorch.set_num_threads(threads)
            _check(pytorch, threads)
        yield
        if pytorch:
            _check(pytorch, threads)


def _start_pool(threads: int) -> None:
    """Start the pool with a step large enough to be spread over it, limited to so many threads."""
    numba, whygrad = import_module("numba"), import_module("whygrad")
    ours, networks = import_module("benchmarks.ours"), import_module("benchmarks.networks")
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    whygrad.set_num_threads(threads)
    batch = networks.network("lenet5-64")
    ours.Trainer.of(batch).step(batch.images(), batch.targets())


def _check(pytorch: Any, threads: int) -> None:
    if pytorch.get_num_threads() != threads:
        raise ThreadsError(f"PyTorch runs on {pytorch.get_num_threads()} threads instead of {threads}")

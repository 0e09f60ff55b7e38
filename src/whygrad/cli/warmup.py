"""``whygrad warmup``: compile every kernel ahead."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import typer

from whygrad.cli import console
from whygrad.cli.compiling import compile_jobs
from whygrad.errors import FileError

Floats = Literal["float32", "float64", "both"]


def warmup(
    dtype: Annotated[Floats, typer.Option(help="The float type: training uses float32, checks float64.")] = "both",
) -> None:
    """Compile every kernel, so that later commands and programs on this machine need not.

    Example: `whygrad warmup`
    """
    from whygrad.kernels import ahead, cache  # noqa: PLC0415  (they bring Numba, which other commands do without)

    folder = cache.cache_folder()
    if folder is None:
        remedy = "set WHYGRAD_CACHE_DIR to a folder that can be written"
        raise FileError("warmup", "a folder to keep compiled kernels in", "none that can be written", remedy)
    began = time.perf_counter()
    reals = ("float32", "float64") if dtype == "both" else (dtype,)
    jobs = ahead.all_jobs(reals)
    compile_jobs(jobs)
    failed = [f"{job.name} ({job.real})" for job in ahead.all_jobs(reals)]
    if failed:
        remedy = "they are compiled when they are used; if that fails too, report it"
        raise FileError("warmup", "every kernel to compile", f"none of {', '.join(failed)}", remedy)
    seconds, kernels = time.perf_counter() - began, "kernel" if len(jobs) == 1 else "kernels"
    spent = f"compiled {len(jobs)} {kernels} in {seconds:.0f} s" if jobs else "all were compiled"
    console.out().print(f"{spent}; they are in {console.plain(folder)}")

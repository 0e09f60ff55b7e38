"""``start``: how long it takes until something happens, in fresh processes by turns."""

from __future__ import annotations

import tempfile
from dataclasses import replace

from benchmarks.load import Meter
from benchmarks.pairing import Comparison
from benchmarks.processes import run
from benchmarks.report import Report, cells, seconds
from benchmarks.settings import Settings

COLUMNS = ("from a fresh process", "whygrad", "PyTorch", "PyTorch/whygrad")
_CASES = (
    ("import", "import", "seconds"),
    ("start of Python to the end of the first LeNet-5 step", "step", "elapsed"),
)


def measure(settings: Settings, report: Report) -> None:
    """Time imports and first steps and show them."""
    sides = ("whygrad", "torch") if settings.torch else ("whygrad",)
    threads, rows = str(settings.threads), []
    for title, what, field in _CASES:
        report.say(title)
        for side in sides:  # fills the caches of the system and of compiled kernels
            run(what, side, threads)
        meter = Meter()
        times: list[list[float]] = [[] for _ in sides]
        for _ in range(settings.rounds):
            for own, side in zip(times, sides, strict=True):
                own.append(run(what, side, threads)[field])
        result = replace(Comparison.of(*times), others=meter.others())
        report.add(case=what, title=title, seconds=result.to_dict())
        rows.append([title, *cells(result)])
    rows.append([*_cold(threads, report), "–", "–"])
    report.table(COLUMNS, rows)


def _cold(threads: str, report: Report) -> list[str]:
    """Time our first step once where every kernel it needs must be compiled."""
    title = "the same, once, every kernel compiled anew"
    report.say(title)
    with tempfile.TemporaryDirectory() as folder:
        taken = run("step", "whygrad", threads, environment={"WHYGRAD_CACHE_DIR": folder})["elapsed"]
    report.add(case="cold step", title=title, seconds={"ours": {"median": taken}})
    return [title, seconds(taken)]

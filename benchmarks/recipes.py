"""``recipes``: test accuracies and times of the recipes of ``whygrad train``, seed by seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.processes import ChildError
from benchmarks.report import Report

COLUMNS = ("data", "recipe", "seed", "test accuracy", "seconds", "CPU seconds")


def measure(
    data: str, recipe: str, seeds: list[int], folder: Path, report: Report, *, data_dir: Path | None, threads: int
) -> None:
    """Train with every seed, each in a process of its own, and show what came of it.

    Runs stand in ``folder``. One that is finished there is not trained again, and one that was interrupted is gone
    on with, so that a long measurement may be taken in parts.
    """
    rows, accuracies = [], []
    for seed in seeds:
        path = folder / f"{data}-{recipe}-{seed}"
        spent = _train(path, data, recipe, seed, data_dir, threads)
        summary: dict[str, Any] = json.loads((path / "summary.json").read_text(encoding="utf-8"))
        accuracies.append(summary["test_accuracy"])
        cpu = "–" if spent is None else f"{spent:.0f}"
        rows.append([data, recipe, str(seed), f"{accuracies[-1]:.2%}", f"{summary['seconds']:.0f}", cpu])
        report.add(data=data, recipe=recipe, seed=seed, cpu_seconds=spent, threads=threads, **summary)
        report.say(f"{data} {recipe}, seed {seed}: {accuracies[-1]:.2%}")
    rows.append([data, recipe, "median", f"{median(accuracies):.2%}", "", ""])
    report.table(COLUMNS, rows)


def _train(path: Path, data: str, recipe: str, seed: int, data_dir: Path | None, threads: int) -> float | None:
    """Train a run to its end; return the seconds of all cores together, None if part of it was done earlier."""
    if (path / "summary.json").exists():
        return None
    resumed = (path / "config.json").exists()
    choices = [data, "--recipe", recipe, "--seed", str(seed), "--out", str(path)]
    choices += [] if data_dir is None else ["--data-dir", str(data_dir)]
    arguments = ["--resume", str(path)] if resumed else choices
    before = os.times()
    command = [sys.executable, "-m", "whygrad", "train", *arguments, "--no-check", "--json"]
    environment = os.environ | {"WHYGRAD_NUM_THREADS": str(threads)}
    done = subprocess.run(  # noqa: S603 - this package's own command
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ChildError(done.stderr.strip())
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return None if resumed else spent

"""``training``: how often the cause of a training that fails is named, and how often a healthy one is accused."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.diagnose import OUTCOMES, outcome_of
from benchmarks.report import Report
from benchmarks.training_faults.asking import Diagnose, ask, diagnose_training
from benchmarks.training_faults.scenario import HEALTHY, Scenario
from benchmarks.training_faults.trial import verify

COLUMNS = ("kind", "trainings", *OUTCOMES, "failed", "named in place of it", "median", "slowest")
GOOD = ("right", "right by also")
#: What is aimed at: the right first cause, at least; false alarms among healthy trainings, at most.
CAUSES, ALARMS = 0.90, 0.02


class Judged(NamedTuple):
    """What was said of one scenario."""

    name: str
    kind: str
    outcome: str  #: one of OUTCOMES, or "failed" where the diagnosis itself raised an error
    cause: str | None
    seconds: float
    says: str = ""


def chosen(scenarios: Sequence[Scenario], kinds: Sequence[str], limit: int | None) -> list[Scenario]:
    """Return the scenarios of some kinds, of each at most so many, spread over its variants.

    Raises:
        ValueError: a kind that there is not.
    """
    known = dict.fromkeys(s.kind for s in scenarios)
    for kind in kinds:
        if kind not in known:
            raise ValueError(kind)
    taken = []
    for kind in known:
        if kinds and kind not in kinds:
            continue
        of_kind = [s for s in scenarios if s.kind == kind]
        count = min(limit or len(of_kind), len(of_kind))
        taken += [of_kind[i * len(of_kind) // count] for i in range(count)]
    return taken


def judge(diagnose: Diagnose, scenario: Scenario) -> Judged:
    """Return what is said of a scenario. An error of the diagnosis counts, and does not end the benchmark."""
    setup = scenario.make()
    began = time.perf_counter()
    try:
        found = ask(diagnose, setup)
    except Exception as error:  # whatever it is, it belongs into the table
        seconds = time.perf_counter() - began
        return Judged(scenario.key, scenario.kind, "failed", None, seconds, f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - began
    outcome = outcome_of(found.cause, scenario.kind, list(scenario.also))
    says = next((finding.says for finding in found if finding.cause == found.cause), "")
    return Judged(scenario.key, scenario.kind, outcome, found.cause, seconds, says)


def measure(scenarios: Sequence[Scenario], report: Report) -> None:
    """Diagnose each scenario and show what was said of each kind; interrupted, of those that it came to."""
    diagnose = diagnose_training()
    judged: list[Judged] = []
    try:
        for scenario in _with_progress(scenarios):
            judged.append(judge(diagnose, scenario))
            report.add(**judged[-1]._asdict(), accepted=[scenario.kind, *scenario.also])
    except KeyboardInterrupt:
        report.warn(f"interrupted after {len(judged)} of {len(scenarios)}")
    report.table(COLUMNS, [_row(kind, _of(judged, kind)) for kind in dict.fromkeys(j.kind for j in judged)])
    for j in judged:
        if j.outcome not in GOOD:
            report.say(f"{j.name}: {j.outcome}; told was {j.cause or j.says or 'nothing'}")
    report.content["summary"] = summary = summarise(judged)
    report.content["confusion"] = confusion(judged)
    for line in _lines(summary):
        report.say(line)


def check(scenarios: Sequence[Scenario], report: Report) -> None:
    """Run each training with and without its fault, and show those that are not what they say."""
    rows = []
    for scenario in _with_progress(scenarios):
        verdict = verify(scenario)
        report.add(name=scenario.key, kind=scenario.kind, honest=verdict.honest, harm=verdict.harm)
        without = str(verdict.without) if verdict.without else ""
        rows.append((scenario.key, verdict.harm, str(verdict.with_fault), without))
        if not verdict.honest:
            report.warn(f"{scenario.key}: {verdict.harm}")
    report.table(("training", "harm", "as it is", "without the fault"), rows)
    counts = Counter(row[1] for row in rows)
    report.say(", ".join(f"{harm}: {count}" for harm, count in counts.items()))


def summarise(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return the shares that count: right first causes, their mean over kinds, false alarms, seconds."""
    faulty = [j for j in judged if j.kind != HEALTHY]
    healthy = _of(judged, HEALTHY)
    kinds = list(dict.fromkeys(j.kind for j in faulty))
    seconds = sorted(j.seconds for j in judged)
    return {
        "faulty": len(faulty),
        "right": sum(j.outcome in GOOD for j in faulty),
        "kinds": len(kinds),
        "mean_over_kinds": statistics.fmean(_share(_of(faulty, kind)) for kind in kinds) if kinds else None,
        "healthy": len(healthy),
        "false_alarms": sum(j.outcome not in GOOD for j in healthy),
        "median_seconds": statistics.median(seconds) if seconds else None,
        "slowest_seconds": seconds[-1] if seconds else None,
    }


def confusion(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Return how often each kind was called what; "" stands for no cause.

    Example:
        >>> confusion([Judged("a", "sign_error", "right", "sign_error", 1.0)])
        {'sign_error': {'sign_error': 1}}
    """
    counts: dict[str, Counter[str]] = {}
    for j in judged:
        counts.setdefault(j.kind, Counter())["failed" if j.outcome == "failed" else j.cause or ""] += 1
    return {kind: dict(told) for kind, told in counts.items()}


def _of(judged: Sequence[Judged], kind: str) -> list[Judged]:
    return [j for j in judged if j.kind == kind]


def _share(judged: Sequence[Judged]) -> float:
    return sum(j.outcome in GOOD for j in judged) / len(judged)


def _row(kind: str, judged: Sequence[Judged]) -> list[str]:
    counts = Counter(j.outcome for j in judged)
    instead = Counter(j.cause or "nothing" for j in judged if j.outcome not in (*GOOD, "failed"))
    seconds = [j.seconds for j in judged]
    return [
        kind,
        str(len(judged)),
        *(str(counts[outcome] or "") for outcome in (*OUTCOMES, "failed")),
        ", ".join(f"{cause} {count}" for cause, count in instead.most_common()),
        f"{statistics.median(seconds):.2f} s",
        f"{max(seconds):.2f} s",
    ]


def _lines(summary: dict[str, Any]) -> Iterator[str]:
    if summary["faulty"]:
        share = summary["right"] / summary["faulty"]
        yield (
            f"right first cause: {summary['right']} of {summary['faulty']} ({share:.1%}),"
            f" {summary['mean_over_kinds']:.1%} in the mean over {summary['kinds']} kinds; aimed at {CAUSES:.0%}"
        )
    if summary["healthy"]:
        share = summary["false_alarms"] / summary["healthy"]
        yield (
            f"false alarms: {summary['false_alarms']} of {summary['healthy']} healthy trainings ({share:.1%});"
            f" at most {ALARMS:.0%} are aimed at"
        )
    if summary["median_seconds"] is not None:
        yield f"seconds: {summary['median_seconds']:.2f} in the median, {summary['slowest_seconds']:.2f} at most"


def _with_progress(scenarios: Sequence[Scenario]) -> Iterator[Scenario]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=len(scenarios))
        for scenario in scenarios:
            bar.update(task, description=scenario.key[:70])
            yield scenario
            bar.advance(task)

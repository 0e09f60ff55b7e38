"""``memory``: the most memory that training steps hold, each side in processes of its own."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.networks import Network
from benchmarks.processes import run
from benchmarks.report import Report
from benchmarks.settings import Settings

COLUMNS = (
    *("five training steps", "batch", "whygrad increase", "whygrad peak"),
    *("PyTorch increase", "PyTorch peak", "increase PyTorch/whygrad", "PyTorch's way"),
)
FIELDS = ("baseline", "peak", "increase")


def measure(networks: list[Network], settings: Settings, report: Report) -> None:
    """Measure each network and show the medians."""
    rows = []
    for network in networks:
        report.say(f"{network.title}, batch {network.batch}")
        ways = [("whygrad", "")]
        ways += [("torch", "NCHW"), ("torch", "channels-last")] if settings.torch else []
        run("memory", "whygrad", str(settings.threads), network.tiny().key, "")  # compiles what is not yet
        found: dict[str, list[dict[str, Any]]] = {"".join(way): [] for way in ways}
        for _ in range(settings.rounds):
            for side, layout in ways:
                found[side + layout].append(run("memory", side, str(settings.threads), network.key, layout))
        medians = {way: _medians(runs) for way, runs in found.items()}
        rows.append(_row(network, medians, report))
    report.table(COLUMNS, rows)


def _medians(runs: list[dict[str, Any]]) -> dict[str, float]:
    return {field: statistics.median(run[field] for run in runs) for field in FIELDS}


def _row(network: Network, medians: dict[str, dict[str, float]], report: Report) -> list[str]:
    mine = medians.pop("whygrad")
    way = min(medians, key=lambda name: medians[name]["increase"], default=None)
    peer = medians[way] if way else None
    ratio = peer["increase"] / mine["increase"] if peer and mine["increase"] > 0 else None
    report.add(network=network.key, batch=network.batch, bytes={"whygrad": mine, **medians}, ratio=ratio)
    shown = [_mib(mine["increase"]), _mib(mine["peak"])]
    shown += [_mib(peer["increase"]), _mib(peer["peak"])] if peer else ["–", "–"]
    name = way.removeprefix("torch") if way else "–"
    return [network.title, str(network.batch), *shown, f"{ratio:.2f}" if ratio else "–", name]


def _mib(count: float) -> str:
    return f"{count / 2**20:.1f} MiB"

"""What else the machine did meanwhile: times of a machine that is shared say who else ran, not what is quick."""

from __future__ import annotations

import os
import time
from pathlib import Path

#: Cores that others may use before a measurement counts as disturbed.
ALLOWED = 0.1
_STAT = Path("/proc/stat")


class Meter:
    """Counts, from its making on, the cores that everything but this process and its children kept busy."""

    def __init__(self) -> None:
        self._began = (time.perf_counter(), _busy(), _own())

    def others(self) -> float | None:
        """Return the cores in use by others, the hypervisor's among them; None where the system does not tell."""
        began, busy, own = self._began
        now, seconds = _busy(), time.perf_counter() - began
        if now is None or busy is None or seconds <= 0:
            return None
        return max(0.0, ((now - busy) - (_own() - own)) / seconds)


def disturbed(others: float | None) -> bool:
    """Return whether that much went on beside a measurement."""
    return others is not None and others > ALLOWED


def _busy() -> float | None:
    """Return the seconds that all cores together were busy since the system began."""
    if not _STAT.exists():
        return None
    ticks = [int(n) for n in _STAT.read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / float(os.sysconf("SC_CLK_TCK"))


def _own() -> float:
    return sum(os.times()[:4])

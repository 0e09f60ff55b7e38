"""What runs in a process of its own: one side, of which nothing but its own modules is imported.

``python -m benchmarks.child import|step|memory SIDE THREADS [NETWORK LAYOUT]``
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.networks import Network, network

STEPS = 5


def main(what: str, side: str, threads: int, *rest: str) -> None:
    """Do what was asked for and write one line of JSON."""
    if what == "import":
        began = time.perf_counter()
        import_module(side)
        result: dict[str, Any] = {"seconds": time.perf_counter() - began}
    elif what == "step":
        _trainer(side, threads, network("lenet5-1"), channels_last=False)()
        result = {}
    else:
        result = _memory(side, threads, network(rest[0]), channels_last=rest[1] == "channels-last")
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


def _memory(side: str, threads: int, of: Network, *, channels_last: bool) -> dict[str, Any]:
    _trainer(side, threads, of.tiny(), channels_last=channels_last)()
    before = peak_bytes()
    step = _trainer(side, threads, of, channels_last=channels_last)
    for _ in range(STEPS):
        step()
    after = peak_bytes()
    return {"baseline": before, "peak": after, "increase": after - before}


def _trainer(side: str, threads: int, of: Network, *, channels_last: bool) -> Callable[[], Any]:
    """Return a function that makes one training step of a network."""
    if side == "whygrad":
        from benchmarks import ours  # noqa: PLC0415 - only this side
        from whygrad import set_num_threads  # noqa: PLC0415

        set_num_threads(threads)
        trainer, x, target = ours.Trainer.of(of), of.images(), of.targets()
        return lambda: trainer.step(x, target)
    import torch  # noqa: PLC0415

    from benchmarks import peers  # noqa: PLC0415

    torch.set_num_threads(threads)
    mode = peers.Mode(channels_last=channels_last)
    peer = peers.Trainer(peers.build(of.model, of.input_shape), of.loss, of.rate, mode)
    images, targets = peers.placed(of.images(), mode), torch.from_numpy(of.targets())
    return lambda: peer.step(images, targets)


def peak_bytes() -> int:
    """Return the most memory that this process has held so far.

    On Linux that is VmHWM: ``ru_maxrss`` also counts what the process held that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])

"""``layers``: each pass of single convolutions, against the most that the machine can do."""

from __future__ import annotations

from typing import Any

from benchmarks import peak
from benchmarks.agreement import DisagreementError, require
from benchmarks.convolutions import CONVOLUTIONS, PASSES, Convolution, our_passes, peer_passes
from benchmarks.pairing import Call, best, compare
from benchmarks.report import Report, cells
from benchmarks.settings import Settings

COLUMNS = (
    *("convolution", "pass", "whygrad GFLOP/s", "of peak", "PyTorch GFLOP/s", "of peak"),
    *("PyTorch/whygrad", "PyTorch's way"),
)


def measure(settings: Settings, report: Report, convolutions: tuple[Convolution, ...] = CONVOLUTIONS) -> None:
    """Time the passes of each convolution and show them."""
    limit = peak.measure(settings.threads)
    report.content["peak_gflops"] = limit / 1e9
    report.say(f"peak of {settings.threads} threads: {limit / 1e9:.0f} GFLOP/s in float32")
    rows = []
    for convolution in convolutions:
        report.say(f"{convolution.name} {convolution.shape} -> {convolution.filters}")
        mine, theirs = our_passes(convolution), peer_passes(convolution) if settings.torch else {}
        for name in PASSES:
            rows.append(_row(convolution, name, mine[name], theirs.get(name), limit, settings, report))
    after = peak.measure(settings.threads)
    report.content["peak_gflops_after"] = after / 1e9
    if abs(after / limit - 1) > 0.1:
        report.warn(
            f"the peak is not to be trusted: {limit / 1e9:.0f} GFLOP/s before and {after / 1e9:.0f} after; measure"
            " again on a quiet machine"
        )
    report.say(
        "GFLOP/s count the products and sums of the definition. Winograd's algorithm does 3x3 filters in 16/36 of"
        " the products, and PyTorch leaves out those with the padding's zeros: both may pass the peak."
    )
    report.table(COLUMNS, rows)


def _row(
    convolution: Convolution,
    name: str,
    mine: Call,
    theirs: dict[str, Call] | None,
    limit: float,
    settings: Settings,
    report: Report,
) -> list[str]:
    title = f"{convolution.name} {'x'.join(map(str, convolution.shape))} -> {convolution.filters}"
    own: dict[str, Any] = {"convolution": title, "pass": name, "operations": convolution.operations}
    way, apart = None, None
    trials: dict[str, float] = {}
    if theirs:
        try:
            apart = max(_differences(mine, theirs))
        except DisagreementError as error:
            report.warn(f"{title}, {name}: no times, the sides disagree: {error}")
            report.add(**own, error=str(error))
            return [title, name, "disagree", *[""] * 5]
        way, trials = best(theirs, **settings.timing)
    result = compare(mine, theirs[way] if theirs and way else None, settings.rounds, **settings.timing)
    speed = convolution.operations / result.ours.median
    peers_speed = convolution.operations / result.peer.median if result.peer else None
    report.add(
        **own,
        seconds=result.to_dict(),
        gflops=speed / 1e9,
        share_of_peak=speed / limit,
        torch_gflops=peers_speed and peers_speed / 1e9,
        torch_share_of_peak=peers_speed and peers_speed / limit,
        torch_way=way,
        torch_trials=trials,
        difference=apart,
    )
    shown = [f"{speed / 1e9:.1f}", f"{speed / limit:.0%}"]
    shown += [f"{peers_speed / 1e9:.1f}", f"{peers_speed / limit:.0%}"] if peers_speed else ["–", "–"]
    return [title, name, *shown, cells(result)[2], way or "–"]


def _differences(mine: Call, theirs: dict[str, Call]) -> list[float]:
    """Return how far our result is from each layout's.

    Raises:
        DisagreementError: too far.
    """
    found = []
    for layout, call in theirs.items():
        a, b = _parts(mine()), _parts(call())
        found += [require(f"part {i} ({layout})", p, q.numpy()) for i, (p, q) in enumerate(zip(a, b, strict=True))]
    return found


def _parts(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, list | tuple) else (result,)

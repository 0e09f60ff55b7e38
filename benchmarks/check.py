"""``check``: the gradients of one convolution, checked by whygrad and by ``torch.autograd.gradcheck``."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks.pairing import compare
from benchmarks.report import Report, cells
from benchmarks.settings import Settings
from whygrad.checking import check_gradient
from whygrad.ops import conv2d
from whygrad.typing import Array

COLUMNS = ("check", "whygrad", "PyTorch", "PyTorch/whygrad", "one wrong entry: whygrad", "PyTorch")
#: What both sides check, and how little wrong the planted entry is, relative to the largest one.
X, W, PADDING, MISTAKE = (2, 3, 16, 16), (8, 3, 3, 3), 1, 1e-3


class Way(NamedTuple):
    """How a check is asked for on both sides."""

    name: str
    full: bool  #: every entry, against random directions
    fast_mode: bool  #: PyTorch's


WAYS = (Way("every entry", full=True, fast_mode=False), Way("random directions", full=False, fast_mode=True))


def inputs() -> dict[str, Array]:
    """Return the convolution's inputs in float64."""
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=X), "w": rng.normal(size=W), "b": rng.normal(size=W[0])}


def ours_says(full: bool, planted: float = 0.0) -> bool:
    """Return whether whygrad finds the gradients of its convolution right, one entry of dx being changed."""

    def function(x: Array, w: Array, b: Array) -> Any:
        y, pullback = conv2d(x, w, b, padding=PADDING)

        def maybe_wrong(dy: Array) -> Any:
            dx, dw, db = pullback(dy)
            if planted:
                dx = dx.copy()
                dx[1, 2, 7, 5] += planted * np.abs(dx).max()
            return dx, dw, db

        return y, maybe_wrong

    return check_gradient(function, None, inputs(), full=full).right


def measure(settings: Settings, report: Report) -> None:
    """Time both ways and show them."""
    rows = []
    for way in WAYS:
        report.say(way.name)
        peer = None
        if settings.torch:
            from benchmarks.torch_gradcheck import Gradcheck  # noqa: PLC0415 - PyTorch may be absent

            peer = Gradcheck(inputs(), PADDING, fast_mode=way.fast_mode)
        if not ours_says(way.full) or (peer is not None and not peer.says()):
            report.warn(f"{way.name}: a right gradient was called wrong")
        found = [not ours_says(way.full, MISTAKE), None if peer is None else not peer.says(MISTAKE)]
        if not found[0]:
            report.warn(f"{way.name}: whygrad passed over a wrong entry")
        result = compare(
            lambda way=way: ours_says(way.full), peer.says if peer else None, settings.rounds, **settings.timing
        )
        report.add(check=way.name, seconds=result.to_dict(), whygrad_finds=found[0], torch_finds=found[1])
        rows.append([way.name, *cells(result), *("–" if f is None else "found" if f else "missed" for f in found)])
    report.table(COLUMNS, rows)

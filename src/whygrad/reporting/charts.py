"""Charts as SVG, written by hand: what is in them has classes, which the page's style colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from whygrad.training import Evaluation
from whygrad.typing import Array, IntArray

_WIDTH, _HEIGHT = 380, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 34
_MOST_POINTS = 400  #: of a curve; between them the mean is drawn


class Curve:
    """A line of a chart.

    Args:
        kind: its class: "fine", "main" or "other".
        label: what it is.
        x: where its points are.
        y: how high; what is not finite is left out.
        dots: whether each point is shown, with its numbers when pointed at.
    """

    def __init__(
        self, kind: str, label: str, x: Sequence[float], y: Sequence[float], *, dots: bool = False
    ) -> None:
        pairs = [(float(a), float(b)) for a, b in zip(x, y, strict=True) if math.isfinite(b)]
        self.kind, self.label, self.dots = kind, label, dots
        self.points = pairs if dots else thinned(pairs)


def thinned(pairs: list[tuple[float, float]], most: int = _MOST_POINTS) -> list[tuple[float, float]]:
    """Return at most so many points, each the mean of its neighbourhood.

    Example:
        >>> thinned([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (3.0, 7.0)], 2)
        [(0.5, 2.0), (2.5, 6.0)]
    """
    if len(pairs) <= most:
        return pairs
    parts = np.array_split(np.array(pairs), most)
    return [(float(part[:, 0].mean()), float(part[:, 1].mean())) for part in parts]


def line_chart(
    title: str, curves: Sequence[Curve], *, x_label: str, log: bool = False, percent: bool = False
) -> str:
    """Return a chart of curves over one axis that begins at 0; the other one is logarithmic where ``log``."""
    curves = [curve for curve in curves if curve.points]
    points = [point for curve in curves for point in curve.points if not log or point[1] > 0]
    if not points:
        return ""
    low_x, high_x = 0.0, max(p[0] for p in points)
    if math.ceil(high_x) - high_x < 0.02 * high_x:  # the mean of the last points lies a little before the end
        high_x = float(math.ceil(high_x))
    low, high = min(p[1] for p in points), max(p[1] for p in points)
    ticks = _log_ticks(low, high) if log else _ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])

    def x(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - low_x) / ((high_x - low_x) or 1)

    def y(value: float) -> float:
        a, b, v = (math.log(each) for each in (low, high, value)) if log else (low, high, value)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (v - a) / ((b - a) or 1)

    parts = [f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in ticks:
        text = f"{100 * tick:.3g} %" if percent else f"{tick:.3g}"
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        )
        parts.append(f'<text class="tick end" x="{_LEFT - 6}" y="{y(tick) + 3.5:.1f}">{text}</text>')
    for tick in _ticks(low_x, high_x, whole=True):
        if low_x <= tick <= high_x:
            parts.append(
                f'<text class="tick middle" x="{x(tick):.1f}" y="{_HEIGHT - _BOTTOM + 15}">{tick:g}</text>'
            )
    parts.append(
        f'<text class="tick middle" x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 3}">{x_label}</text>'
    )
    for curve in curves:
        shown = [(x(a), y(b), a, b) for a, b in curve.points if not log or b > 0]
        path = " ".join(f"{'M' if i == 0 else 'L'}{p[0]:.1f} {p[1]:.1f}" for i, p in enumerate(shown))
        parts.append(f'<path class="curve {curve.kind}" d="{path}"><title>{escape(curve.label)}</title></path>')
        if curve.dots:
            for px, py, a, b in shown:
                told = f"{curve.label}, {x_label} {a:g}: {f'{100 * b:.2f} %' if percent else f'{b:.4f}'}"
                parts.append(
                    f'<circle class="dot {curve.kind}" cx="{px:.1f}" cy="{py:.1f}" r="3">'
                    f"<title>{escape(told)}</title></circle>"
                )
    legend = "".join(f'<span class="key {curve.kind}">{escape(curve.label)}</span>' for curve in curves)
    return (
        f'<figure class="panel"><figcaption><h3>{escape(title)}</h3><p class="legend">{legend}</p></figcaption>'
        + "".join(parts)
        + "</svg></figure>"
    )


def _ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Return round numbers that span a range, about five of them."""
    span = (high - low) or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 5)
    if whole:
        step = max(step, 1.0)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(step * k, 12) for k in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten, with twos and fives between them where there are few, that span a range."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    ticks = [factor * 10.0**k for k in range(first, last + 1) for factor in factors]
    below = [tick for tick in ticks if tick <= low]
    above = [tick for tick in ticks if tick >= high]
    return [tick for tick in ticks if (below or [low])[-1] <= tick <= (above or [high])[0]]


def confusion_chart(confusion: IntArray, classes: Sequence[str]) -> str:
    """Return the confusion as a square of cells: rows are true classes, columns what was answered."""
    count = len(classes)
    side = max(22, min(44, 520 // count))
    longest = max(len(name) for name in classes)
    margin = min(130, 12 + 7 * longest)
    slanted = 7 * longest > side
    top = margin if slanted else 26
    width, height = margin + side * count + (40 if slanted else 8), top + side * count + 8
    totals = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.zeros(confusion.shape), where=totals > 0)
    parts = [
        f'<svg class="confusion" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
        ' aria-label="Confusion of the classes">'
    ]
    for j, name in enumerate(classes):
        at = margin + side * (j + 0.5)
        turned = (
            f' transform="rotate(-45 {at:.1f} {top - 6})" class="name start"' if slanted else ' class="name middle"'
        )
        parts.append(f'<text x="{at:.1f}" y="{top - 6}"{turned}>{escape(_short(name))}</text>')
    for i, name in enumerate(classes):
        middle = top + side * (i + 0.5) + 4
        parts.append(f'<text class="name end" x="{margin - 6}" y="{middle:.1f}">{escape(_short(name))}</text>')
        for j in range(count):
            parts.append(
                _cell(i, j, margin + side * j, top + side * i, side, confusion, float(shares[i, j]), classes)
            )
    return "".join(parts) + "</svg>"


def _cell(
    i: int, j: int, x: float, y: float, side: int, confusion: IntArray, share: float, classes: Sequence[str]
) -> str:
    number = int(confusion[i, j])
    kind = "right" if i == j else "wrong"
    strength = share if i == j else min(1.0, math.sqrt(share) * 1.5)
    told = f"{classes[i]}, taken for {classes[j]}: {number} ({share:.2%})"
    text = ""
    if number and side >= 22 and number < 10 ** (side // 8):
        bold = " strong" if strength > 0.55 else ""
        text = f'<text class="count{bold}" x="{x + side / 2:.1f}" y="{y + side / 2 + 4:.1f}">{number}</text>'
    square = f'x="{x}" y="{y}" width="{side - 2}" height="{side - 2}" rx="3"'
    return (
        f'<g><title>{escape(told)}</title><rect class="empty" {square}/>'
        f'<rect class="{kind}" {square} fill-opacity="{strength:.3f}"/>{text}</g>'
    )


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


def bars(result: Evaluation, classes: Sequence[str]) -> str:
    """Return a table of precision and recall with a bar for each."""
    rows = []
    for name, precision, recall, images in zip(
        classes, result.precision, result.recall, result.confusion.sum(axis=1), strict=True
    ):
        cells = "".join(_bar(float(share)) for share in (precision, recall))
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}<td class="number">{int(images)}</td></tr>')
    head = "".join(f'<th scope="col">{each}</th>' for each in ("class", "precision", "recall", "images"))
    return f'<table class="classes"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _bar(share: float) -> str:
    if math.isnan(share):
        return '<td class="number">–</td>'
    return (
        f'<td><svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="100" height="8"/><rect class="fill" width="{100 * share:.2f}" height="8"/>'
        f"</svg><span>{100 * share:.2f} %</span></td>"
    )


def smoothed(values: Sequence[float], window: int) -> Array:
    """Return the running mean of values over a window that is shorter at the start.

    Example:
        >>> smoothed([1.0, 3.0, 5.0], 2).tolist()
        [1.0, 2.0, 4.0]
    """
    numbers = np.asarray(values, np.float64)
    total = np.concatenate([[0.0], np.cumsum(numbers)])
    ends = np.arange(1, len(numbers) + 1)
    starts = np.maximum(ends - window, 0)
    means: Array = (total[ends] - total[starts]) / (ends - starts)
    return means

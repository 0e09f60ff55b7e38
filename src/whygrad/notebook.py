"""What notebooks show: small pieces of HTML that can be read on light and on dark pages, and need nothing else."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

_STYLE = (
    ".whygrad{font-size:13px;line-height:1.5;text-align:left;font-variant-numeric:tabular-nums}"
    ".whygrad table{border-collapse:collapse;border:none;margin:4px 0;font-size:13px}"
    ".whygrad tr{background:none}"
    ".whygrad td,.whygrad th{padding:1px 10px;border:none;text-align:left;vertical-align:top}"
    ".whygrad td{border-top:1px solid rgba(128,128,128,.3)}"
    ".whygrad th{font-weight:600;opacity:.7}"
    ".whygrad .n{text-align:right}"
    ".whygrad .dim{opacity:.7}"
    ".whygrad .tall{max-height:34em;overflow:auto}"
    ".whygrad figure{display:inline-block;margin:3px;text-align:center;font-size:11px;line-height:1.3}"
    ".whygrad figure img{display:block;margin:auto;image-rendering:pixelated;border:1px solid rgba(128,128,128,.4)}"
    ".whygrad figcaption{max-width:7em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}"
    ".whygrad .bad{color:#e0483e;font-weight:600}"
)
#: Of curves, in order: they can be told apart on white, on black and by people who see few colours.
_COLOURS = ("#2a78d6", "#d9730d", "#1a7f37", "#a13bbf")
_WIDTH, _HEIGHT = 300, 120
_LEFT, _TOP, _BOTTOM = 46, 18, 16


def piece(*parts: str) -> str:
    """Return parts of HTML as one piece with its style.

    Example:
        >>> piece(said("a < b")).endswith('<div>a &lt; b</div></div>')
        True
    """
    return f'<div class="whygrad"><style>{_STYLE}</style>{"".join(parts)}</div>'


def said(sentence: str, *, bold: bool = False, dim: bool = False) -> str:
    """Return a line of text.

    Example:
        >>> said("x", bold=True)
        '<div><b>x</b></div>'
    """
    text = f"<b>{escape(sentence)}</b>" if bold else escape(sentence)
    return f'<div class="dim">{text}</div>' if dim else f"<div>{text}</div>"


def badge(word: str, colour: str) -> str:
    """Return a word in white on a colour, as a verdict is shown; it needs no style beside it.

    Example:
        >>> badge("right", "green")[-29:]
        'padding:1px 8px">right</span>'
    """
    style = f"background:{colour};color:#fff;border-radius:9px;padding:1px 8px"
    return f'<span style="{style}">{escape(word)}</span>'


def table(titles: Sequence[str], lines: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a table.

    Args:
        titles: of the columns.
        lines: the cells, as text.
        numbers: the columns that end at one line, as numbers do.

    Example:
        >>> table(["name", "size"], [["<w>", "3"]], numbers=[1])[:47]
        '<table><tr><th>name</th><th class="n">size</th>'
    """

    def line(cells: Sequence[str], tag: str) -> str:
        made = [
            f'<{tag} class="n">{escape(c)}</{tag}>' if i in numbers else f"<{tag}>{escape(c)}</{tag}>"
            for i, c in enumerate(cells)
        ]
        return f"<tr>{''.join(made)}</tr>"

    return f"<table>{line(titles, 'th')}{''.join(line(cells, 'td') for cells in lines)}</table>"


def tall(content: str) -> str:
    """Return content that scrolls where it would be taller than a screen."""
    return f'<div class="tall">{content}</div>'


def picture(png: bytes, width: int, height: int, caption: str = "", *, bad: bool = False) -> str:
    """Return a picture with what is to be said of it below.

    Args:
        png: the file.
        width: at which it is shown, in pixels.
        height: likewise.
        caption: the text below.
        bad: show the text as that of a mistake.
    """
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    below = f'<figcaption{" class=bad" if bad else ""} title="{escape(caption)}">{escape(caption)}</figcaption>'
    image = f'<img src="{source}" width="{width}" height="{height}" alt="{escape(caption)}">'
    return f"<figure>{image}{below if caption else ''}</figure>"


def curves(title: str, by_name: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return a small chart of curves; what is not finite leaves a gap, and a chart of nothing is nothing.

    Args:
        title: what is drawn.
        by_name: of each curve its points (x, y), in order of x.

    Example:
        >>> curves("loss", {"training": [(1, 2.0), (2, 1.0)]}).count("<polyline")
        1
        >>> curves("loss", {"training": [(1, float("nan"))]})
        ''
    """
    points = [p for line in by_name.values() for p in line if _drawable(p)]
    if not points:
        return ""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)
    across, up = (right - left) or 1.0, (high - low) or max(abs(high), 1e-30)

    def at(point: tuple[float, float]) -> str:
        x = _LEFT + (_WIDTH - _LEFT - 6) * (point[0] - left) / across
        y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - point[1]) / up
        return f"{x:.1f},{y:.1f}"

    drawn, names = [], []
    for (name, line), colour in zip(by_name.items(), _COLOURS, strict=False):
        for part in _unbroken(line):
            places = " ".join(map(at, part))
            drawn.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            if len(part) == 1:
                x, y = places.split(",")
                drawn.append(f'<circle cx="{x}" cy="{y}" r="2" fill="{colour}"/>')
        if any(map(_drawable, line)):
            names.append(f'<tspan fill="{colour}" dx="8">{escape(name)}</tspan>')
    label = '<text x="{}" y="{}" text-anchor="{}" opacity=".7">{}</text>'
    bottom = _HEIGHT - _BOTTOM
    texts = [
        label.format(_LEFT - 4, _TOP + 8, "end", f"{high:.3g}"),
        label.format(_LEFT - 4, bottom, "end", f"{low:.3g}") if high > low else "",
        label.format(_LEFT, _HEIGHT - 3, "start", f"{left:g}"),
        label.format(_WIDTH - 6, _HEIGHT - 3, "end", f"{right:g}") if right > left else "",
    ]
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" style="margin-right:16px" fill="currentColor" font-size="10"'
        f' font-family="sans-serif" role="img"><text x="{_LEFT}" y="10"><tspan font-weight="600">{escape(title)}'
        f"</tspan>{''.join(names)}</text>{''.join(texts)}"
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - 6}" fill="none" stroke="currentColor" opacity=".3"/>'
        f"{''.join(drawn)}</svg>"
    )


def _drawable(point: tuple[float, float]) -> bool:
    return math.isfinite(point[1]) and abs(point[1]) < 1e100


def _unbroken(line: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Return the stretches of a curve between its gaps."""
    parts: list[list[tuple[float, float]]] = [[]]
    for point in line:
        if _drawable(point):
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]

"""Puts a page together: template, style, modules and numbers in one file."""

from __future__ import annotations

import json
import math
import re
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from whygrad.explanation.notation import mathml
from whygrad.explanation.page.arrays import Precision
from whygrad.explanation.page.data import LIMIT, Gathered, gather
from whygrad.explanation.trace import Trace
from whygrad.training.files import write_file

#: The modules of the page, each after those that it imports from.
_MODULES = (
    "tensors.js", "terms.js", "explain.js", "colours.js", "layout.js", "board.js", "wires.js", "panel.js",
    "steps.js", "page.js",
)  # fmt: skip
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


class Written(NamedTuple):
    """A page that was written."""

    path: Path
    size: int  #: bytes
    precision: Precision  #: of its numbers
    left_out: tuple[str, ...]  #: names of the layers that were too large for it


def write_page(
    trace: Trace, path: Path | str, *, title: str = "whygrad", subtitle: str = "", limit: int = LIMIT
) -> Written:
    """Write the page of a trace as one file, and say what had to be left out of it.

    Args:
        trace: the pass that the page shows.
        path: the file.
        title: what stands at its head.
        subtitle: a line below that: which image it is, what the target was.
        limit: how many bytes it may have; layers that do not fit are left out.

    Raises:
        FileError: it cannot be written.
    """
    gathered = gather(trace, mathml, limit=limit)
    content = _fill(gathered, title, subtitle).encode()
    write_file(Path(path), content)
    return Written(Path(path), len(content), gathered.precision, gathered.left_out)


def page(trace: Trace, *, title: str = "whygrad", subtitle: str = "", limit: int = LIMIT) -> str:
    """Return the page of a trace as text.

    Example:
        >>> import numpy as np
        >>> from whygrad.explanation.trace import trace
        >>> from whygrad.layers import Linear
        >>> from whygrad.losses import half_squared_error
        >>> params = {"weight": np.array([[1.0, -1.0]]), "bias": np.array([0.0])}
        >>> pass_ = trace(Linear(2, 1), params, np.ones((1, 2)), np.ones((1, 1)), loss=half_squared_error)
        >>> page(pass_).startswith("<!doctype html>")
        True
    """
    return _fill(gather(trace, mathml, limit=limit), title, subtitle)


def _fill(gathered: Gathered, title: str, subtitle: str) -> str:
    facts = gathered.facts | {"title": title, "subtitle": subtitle}
    parts = {
        "TITLE": escape(title),
        "SUBTITLE": escape(subtitle),
        "STYLE": _read("style.css"),
        "SCRIPT": _bundle(),
        "FACTS": _json(facts),
        "NUMBERS": gathered.numbers,
    }
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda found: parts[found[1]], _read("template.html"))


def _json(facts: dict[str, Any]) -> str:
    """Return JSON that nothing in it can end the script around."""
    return json.dumps(_plain(facts), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _plain(value: Any) -> Any:
    """Return a value with "NaN" and "Infinity" as words, which JSON has no numbers for."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    return value


@cache
def _bundle() -> str:
    """Return the modules as one: names are unique among them, so that imports and exports can go."""
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", _read(name))) for name in _MODULES)


@cache
def _read(name: str) -> str:
    return (resources.files("whygrad.explanation.page") / name).read_text(encoding="utf-8")

"""On which line of a TOML file each key stands, which the parser of the standard library does not tell."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_ENTRY = re.compile(rf"^\s*({_DOTTED})\s*=(.*)$", re.DOTALL)
_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'')


def lines_of(text: str) -> dict[Path, int]:
    r"""Return the line of every key and header that begins one.

    Example:
        >>> lines_of("rate = 1\n[[layers]]\nop = 'relu'\n[claims]\nvalue.relu = [1,\n2]")
        {('rate',): 1, ('layers', 0): 2, ('layers', 0, 'op'): 3, ('claims',): 4, ('claims', 'value', 'relu'): 5}
    """
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    depth, quotes = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        rest = line
        if quotes:
            _, end, rest = line.partition(quotes)
            quotes = "" if end else quotes
            if quotes:
                continue
        if depth == 0 and (header := _HEADER.match(rest)):
            path = _within(_parts(header[2]), counts)
            if header[1] == "[[":
                counts[path] = counts.get(path, -1) + 1
                path = (*path, counts[path])
            table = path
            found.setdefault(table, number)
            continue
        if depth == 0 and (entry := _ENTRY.match(rest)):
            found.setdefault((*table, *_parts(entry[1])), number)
            rest = entry[2]
        for mark in ('"""', "'''"):
            if rest.count(mark) % 2:
                rest, quotes = rest.partition(mark)[0], mark
        bare = _STRING.sub("", rest).partition("#")[0]
        depth = max(0, depth + sum(map(bare.count, "[{")) - sum(map(bare.count, "]}")))
    return found


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, dotted))


def _within(path: Path, counts: dict[Path, int]) -> Path:
    """Put the number of the last element behind the name of every array of tables on the way."""
    whole: Path = ()
    for i, part in enumerate(path):
        whole = (*whole, part)
        if whole in counts and i < len(path) - 1:
            whole = (*whole, counts[whole])
    return whole

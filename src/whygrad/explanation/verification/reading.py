"""From a TOML file, or the same as a dict, to a problem; every error names the line and the key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, get_args

import numpy as np

from whygrad.errors import FileError, OptionError
from whygrad.explanation.terms.rule import Index
from whygrad.explanation.trace import Convention
from whygrad.explanation.verification.lines import lines_of
from whygrad.explanation.verification.network import Network, lifted
from whygrad.explanation.verification.place import Place, Text
from whygrad.explanation.verification.printed import Printed, is_blank, printed, together
from whygrad.explanation.verification.problem import Claims, Problem, Quantity, trained
from whygrad.typing import Array

#: Larger files are nobody's worked example.
MOST_BYTES = 4_000_000
_TOP = ("title", "convention", "learning_rate", "input", "inputs", "layers", "loss", "given", "claims")
_INDEX = re.compile(r"^\s*\d+(\s*,\s*\d+)*\s*$")


def read(source: str | FilePath | Mapping[str, Any]) -> Problem:
    """Read a worked example.

    Raises:
        FileError: there is no such file, it is too large, or it is no TOML.
        OptionError: a key, name or number that means nothing here.
        ShapeError: arrays that do not fit together.

    Example:
        >>> found = read({"input": [[1, -2]], "layers": [{"op": "relu"}], "claims": {"value": {"relu": [[1, 0]]}}})
        >>> found.shapes
        {'input': (1, 2), 'relu': (1, 2)}
    """
    if isinstance(source, Mapping):
        return _problem(Place(source, (), "verify", {}))
    path = FilePath(source)
    text = _text(path)
    try:
        table = tomllib.loads(text, parse_float=Text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+)", str(error))
        where = f"{path.name}, line {place[1]}" if place else path.name
        line = text.splitlines()[int(place[1]) - 1].strip()[:60] if place else "the end of the file"
        reason = re.sub(r"\s*\(at .*\)$", "", str(error))
        raise FileError(where, "TOML", f"{line!r} ({reason})", "correct the line") from None
    except RecursionError:
        raise FileError(path.name, "arrays of up to 5 axes", "brackets without end", "correct it") from None
    return _problem(Place(table, (), path.name, lines_of(text)))


def _text(path: FilePath) -> str:
    if not path.is_file():
        raise FileError(str(path), "a TOML file", "none", "check the path")
    if path.stat().st_size > MOST_BYTES:
        raise FileError(
            str(path), f"at most {MOST_BYTES:,} bytes", f"{path.stat().st_size:,}", "verify less at once"
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(str(path), "text in UTF-8", "other bytes", "save it as UTF-8") from None


def _problem(top: Place) -> Problem:
    top.only(_TOP, "the keys of an example")
    convention = "gradient"
    if "convention" in top.value:
        convention = top.at("convention").choice(get_args(Convention), "a convention for the sign of deltas")
    network = Network(top)
    subject = top.at("title").text() if "title" in top.value else top.file
    problem = Problem(
        subject, "hertz" if convention == "hertz" else "gradient",
        top.at("learning_rate").number() if "learning_rate" in top.value else float("nan"),
        network.inputs, network.nodes, network.shapes, network.goal,
    )  # fmt: skip
    if "given" in top.value:
        problem.given.update(_given(problem, top.at("given")))
    problem.claims.extend(_attempts(problem, top))
    return problem


def _given(problem: Problem, place: Place) -> dict[Quantity, Array]:
    found = {}
    for quantity, leaf in _leaves(problem, place, ("value", "delta", "gradient")):
        cells, _ = _cells(problem, quantity, leaf)
        array = np.full(problem.shape(quantity), np.nan)
        for index, number in cells.items():
            array[index] = number.value
        found[quantity] = array
    return found


def _attempts(problem: Problem, top: Place) -> list[Claims]:
    if "claims" not in top.value or not top.value["claims"]:
        remedy = "add what was computed by hand under [claims], such as value.conv1 = [[1.0, 2.0]]"
        raise OptionError(f"{top.file}, claims", "numbers to verify", "none", remedy)
    claims = top.at("claims")
    several = isinstance(claims.value, list)
    attempts = [claims.at(i) for i in range(len(claims.value))] if several else [claims]
    return [_attempt(problem, place) for place in attempts]


def _attempt(problem: Problem, place: Place) -> Claims:
    title = ""
    found: dict[Quantity, dict[Index, Printed]] = {}
    ranks: dict[Quantity, int] = {}
    if isinstance(place.value, Mapping) and "title" in place.value:
        title = place.at("title").text()
    for quantity, leaf in _leaves(problem, place, ("value", "loss", "delta", "gradient", "new", "title")):
        if quantity.kind == "new" and np.isnan(problem.rate):
            leaf.wrong("learning_rate at the top of the file", "none", "add learning_rate = 0.1")
        cells, rank = _cells(problem, quantity, leaf)
        if not cells:
            leaf.wrong("at least one number", "none", "leave out what was not computed")
        numbers = dict(zip(cells, together(list(cells.values())), strict=True))
        found[quantity], ranks[quantity] = numbers, rank
    if not found:
        place.wrong("numbers to verify", "none", "add what was computed by hand, such as loss = 0.25")
    return Claims(title, found, ranks)


def _leaves(problem: Problem, place: Place, kinds: tuple[str, ...]) -> list[tuple[Quantity, Place]]:
    """Return the arrays of a table of quantities."""
    place.only(kinds, "the kinds of numbers")
    found = []
    for kind, group in place.items():
        if kind == "title":
            continue
        if kind == "loss":
            if problem.goal is None:
                group.wrong("a [loss] in the file", "none", "add [loss] with op and target")
            found.append((Quantity("loss"), group))
        elif kind in ("value", "delta"):
            group.only(problem.shapes, "the layers and inputs")
            found += [
                (Quantity("value" if kind == "value" else "delta", name), leaf) for name, leaf in group.items()
            ]
        else:
            found += _of_parameters(problem, group, new=kind == "new")
    return found


def _of_parameters(problem: Problem, group: Place, *, new: bool) -> list[tuple[Quantity, Place]]:
    titles = {node.name: [node.titles[own] for own in trained(node)] for node in problem.nodes}
    owners = [name for name, own in titles.items() if own]
    group.only(owners, "the layers with weights")
    found = []
    for layer, parameters in group.items():
        parameters.only(titles[layer], f"the parameters of {layer}")
        for title, leaf in parameters.items():
            found.append((Quantity("new" if new else "gradient", f"{layer}.{title}"), leaf))
    return found


def _cells(problem: Problem, quantity: Quantity, leaf: Place) -> tuple[dict[Index, Printed], int]:
    """Return the numbers of an array or of single cells, and how many axes they were written with."""
    shape = problem.shape(quantity)
    if isinstance(leaf.value, Mapping):
        return _single(shape, leaf)
    texts = leaf.numbers()
    whole = lifted(leaf, texts, shape, str(quantity))
    cells = {i: printed(str(whole[i])) for i in np.ndindex(shape) if not is_blank(str(whole[i]))}
    return cells, texts.ndim


def _single(shape: tuple[int, ...], leaf: Place) -> tuple[dict[Index, Printed], int]:
    found: dict[Index, Printed] = {}
    rank = 0
    for key, place in leaf.items():
        if not _INDEX.match(key):
            place.wrong('an index such as "0,1"', repr(key), "write the cell's place, counted from 0, as the key")
        at = tuple(map(int, key.split(",")))
        rank = max(rank, len(at))
        index = (0,) * (len(shape) - len(at)) + at
        left_out = shape[: max(0, len(shape) - len(at))]
        fits = len(index) == len(shape) and all(i < n for i, n in zip(index, shape, strict=True))
        if not fits or any(n != 1 for n in left_out):
            most = ",".join(str(n - 1) for n in shape)
            place.wrong(f"an index up to {most} of shape {shape}", repr(key), "count from 0, all axes")
        text = place.numbers()
        if text.shape:
            place.wrong("one number", f"an array of shape {text.shape}", "give each cell its own key")
        if not is_blank(str(text[()])):
            found[index] = printed(str(text[()]))
    return found, rank

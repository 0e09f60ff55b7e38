"""Values of a file together with where they stand, so that every error can say it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np

from whygrad.errors import OptionError, WhygradError
from whygrad.explanation.verification.lines import Path
from whygrad.explanation.verification.printed import is_blank, printed
from whygrad.typing import Array, Shape

#: More numbers than this in one array are nobody's worked example.
MOST_NUMBERS = 100_000


class Text(str):
    """A number with a decimal point or exponent, as it was typed."""

    __slots__ = ()


class Place(NamedTuple):
    """A value of the file and the keys that lead to it."""

    value: Any
    path: Path
    file: str
    lines: Mapping[Path, int]

    def __str__(self) -> str:
        inner = next((path for path in self.lines if path[: len(self.path)] == self.path), None)
        if self.path and self.path not in self.lines and inner is not None:
            return f"{self.file}, line {self.lines[inner]}, {key_of(self.path)}"
        known = next((self.path[:n] for n in range(len(self.path), 0, -1) if self.path[:n] in self.lines), None)
        line = f", line {self.lines[known]}" if known is not None else ""
        return f"{self.file}{line}{', ' if self.path else ''}{key_of(self.path)}"

    def wrong(self, expected: str, received: str, remedy: str) -> NoReturn:
        """Refuse the value."""
        raise OptionError(str(self), expected, received, remedy)

    def again(self, error: WhygradError) -> WhygradError:
        """Return an error of an operation as one of this place."""
        return type(error)(f"{self} ({error.where})", error.expected, error.received, error.remedy)

    def at(self, key: str | int) -> Place:
        """Return the value under a key."""
        return Place(self.value[key], (*self.path, key), self.file, self.lines)

    def items(self) -> Iterator[tuple[str, Place]]:
        """Yield the values of a table."""
        if not isinstance(self.value, Mapping):
            self.wrong("a table", shown(self.value), "write key = value lines under a header in brackets")
        for key in self.value:
            yield str(key), self.at(key)

    def only(self, known: Iterable[str], what: str) -> None:
        """Refuse keys that mean nothing."""
        names = list(known)
        for key, place in self.items():
            if key not in names:
                close = difflib.get_close_matches(key, names, n=2)
                remedy = f"did you mean {' or '.join(close)}?" if close else "check the spelling, or leave it out"
                place.wrong(f"one of {what}: {', '.join(names)}", repr(key), remedy)

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str) or isinstance(self.value, Text):
            self.wrong("a string", shown(self.value), "put it in quotes")
        return self.value

    def choice(self, names: Iterable[str], what: str) -> str:
        """Return one of some names."""
        known, name = list(names), self.text()
        if name not in known:
            close = difflib.get_close_matches(name.lower(), known, n=3)
            remedy = f"did you mean {' or '.join(close)}?" if close else "check the spelling"
            self.wrong(f"{what}, one of {', '.join(known)}", repr(name), remedy)
        return name

    def number(self) -> float:
        """Return one number."""
        texts = self.numbers()
        if texts.shape or is_blank(str(texts[()])):
            self.wrong("one number", shown(self.value), "write it without brackets")
        return printed(str(texts[()])).value

    def numbers(self) -> np.ndarray[Any, Any]:
        """Return the array as text, number by number, each with its digits."""
        count = 0

        def read(value: Any) -> Any:
            nonlocal count
            if isinstance(value, np.ndarray | np.generic):
                value = value.tolist()
            if isinstance(value, list | tuple):
                return [read(one) for one in value]
            count += 1
            if count > MOST_NUMBERS:
                self.wrong(f"at most {MOST_NUMBERS:,} numbers", "more", "verify a smaller network")
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                self.wrong("numbers", shown(value), 'write numbers, or "_" where there is none')
            text = repr(value) if isinstance(value, float) else str(value)
            if not is_blank(text):
                try:
                    printed(text)
                except ValueError:
                    self.wrong("a finite number", shown(value), 'write a number, or "_" where there is none')
            return text

        nested = read(self.value)
        shape = self._shape(nested)
        return np.array(nested, dtype=object).reshape(shape)

    def _shape(self, nested: Any) -> Shape:
        if not isinstance(nested, list):
            return ()
        shapes = [self._shape(one) for one in nested]
        for i, shape in enumerate(shapes):
            if shape != shapes[0]:
                sizes = f"{_size(shapes[0])} and then, in row {i}, {_size(shape)}"
                self.wrong("rows of one size", sizes, 'fill up what is not known with "_"')
        return (len(nested), *(shapes[0] if shapes else ()))

    def array(self) -> Array:
        """Return the array, NaN where there is a blank."""
        texts = self.numbers()
        found = np.full(texts.shape, np.nan)
        for index in np.ndindex(texts.shape):
            if not is_blank(str(texts[index])):
                found[index] = printed(str(texts[index])).value
        return found

    def plain(self) -> Any:
        """Return an option: numbers as numbers and lists as tuples."""
        value = self.value
        if isinstance(value, Text):
            return self.number()
        if isinstance(value, list):
            return tuple(self.at(i).plain() for i in range(len(value)))
        if isinstance(value, Mapping):
            self.wrong("an option", shown(value), "write a number, a string or a list")
        return value


def key_of(path: Path) -> str:
    """Return keys as they are spoken of.

    Example:
        >>> key_of(("layers", 1, "weight"))
        'layers[1].weight'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def shown(value: object) -> str:
    """Return a value for an error message, cut if it is long."""
    if value is None:
        return "nothing"
    text = str(value) if isinstance(value, Text) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _size(shape: Shape) -> str:
    return f"{shape[0]}" if shape else "a single number"

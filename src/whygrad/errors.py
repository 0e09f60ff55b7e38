"""Errors that say where, what was expected, what was received and what to change.

Every error of the package is one sentence of the same form, so that a person reads it once and a test
can match it:

    conv2d: expected x of shape (N, C, H, W), received (28, 28); add the axes with x[None, None]
"""

from __future__ import annotations


class WhygradError(Exception):
    """Base of every error raised on purpose.

    Args:
        where: the operation, layer, option or file at fault.
        expected: what would have been right.
        received: what came instead.
        remedy: what to change.
    """

    def __init__(self, where: str, expected: str, received: str, remedy: str) -> None:
        super().__init__(where, expected, received, remedy)
        self.where, self.expected, self.received, self.remedy = where, expected, received, remedy
        self.path: list[str] = []

    def __str__(self) -> str:
        place = f"{'.'.join(self.path)} ({self.where})" if self.path else self.where
        return f"{place}: expected {self.expected}, received {self.received}; {self.remedy}"


class ShapeError(WhygradError, ValueError):
    """Arrays whose ranks or sizes do not fit together."""


class DTypeError(WhygradError, TypeError):
    """Arrays of a kind that cannot carry a gradient, or of kinds that differ."""


class OptionError(WhygradError, ValueError):
    """An option, name or hyper-parameter outside its domain."""


class DataError(WhygradError, ValueError):
    """A data set, batch or target that cannot be learned from."""


class NonFiniteError(WhygradError, ArithmeticError):
    """NaN or infinity where a finite number is needed."""


class GradientError(WhygradError, ArithmeticError):
    """A gradient that disagrees with its finite differences."""


class LostError(WhygradError):
    """A training that has no hope of learning any more."""


class FileError(WhygradError):
    """A file or directory that is missing, damaged or cannot be written."""


class DependencyError(WhygradError, ImportError):  # type: ignore[misc]  # path: of layers, not of a file
    """A package that only some of whygrad needs, and that is not installed."""


class inside:  # noqa: N801  (read as a word: with inside("conv1"): ...)
    """Add the name of the enclosing layer to errors that pass through this block."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, WhygradError):
            error.path.insert(0, self.name)


class CheckError(WhygradError):
    """A function given to a check that cannot be checked: it fails, returns nothing, or never ends."""

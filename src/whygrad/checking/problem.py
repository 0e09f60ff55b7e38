"""What is checked: a function at a point, how it rises when one input moves, and the gradients that are claimed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from whygrad.checking.noise import measured_noise, typical
from whygrad.typing import Array


class Problem:
    """The scalar φ = Σ dy·y of a function's value, whose gradients at one point are claimed to be known.

    Args:
        inputs: where, by name; float64 arrays.
        value: gives y with one input replaced by another array.
        y: the value at the point itself.
        dy: the cotangent, in the shape of y.
        claimed: the gradients of φ that are to be checked, by name.
        precision: one unit in the last place of y, relative, in the float type in which it is computed.
        complex_steps: whether ``value`` computes with complex arrays what it computes with real ones.
    """

    #: The largest step of the first look, relative to the input's size, and how many there are.
    first_step, levels = 2.0**-5, 3
    #: The step along a direction, which moves across every kink at once and must therefore be small.
    projection_step = 2.0**-17
    #: How many entries in doubt are looked at one by one, and how many evaluations a search may take.
    again, search = 20_000, 600
    #: Differences up to this share of the gradient's largest entry pass for rounding errors of the gradient itself.
    tolerance = 1e-9
    #: Whether the rounding errors of the gradient are measured.
    rounding_measured = False
    #: Whether kinks lie so close together that what looks smooth may be the mean of two slopes.
    many_kinks = False
    #: A bound at which no better one is sought, relative to the gradient's largest entry.
    enough = 1e-9

    def __init__(
        self,
        inputs: Mapping[str, Array],
        value: Callable[[str, Array], Any],
        y: Any,
        dy: Any,
        claimed: Mapping[str, Array],
        *,
        complex_steps: bool = False,
        precision: float = float(np.finfo(np.float64).eps),
    ) -> None:
        self.inputs, self.claimed, self.complex_steps = dict(inputs), dict(claimed), complex_steps
        self.y = np.asarray(y)
        self.dy = np.empty_like(self.y, dtype=np.float64)  # in the memory order of y
        self.dy[...] = dy
        self.evaluations, self.precision = 0, precision
        self._value = value
        self._noise: dict[str, float] = {}
        self._floors: dict[str, float] = {}

    def outputs(self, name: str, array: npt.NDArray[Any]) -> Any:
        """Return y with one input replaced."""
        self.evaluations += 1
        return np.asarray(self._value(name, array))

    def rise(self, name: str, array: Array) -> float:
        """Return φ with one input replaced, less φ at the point.

        The outputs are subtracted before they are summed, so that what does not change cancels exactly.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            return self._along(self.outputs(name, array) - self.y)

    def _along(self, change: Array) -> float:
        if change.strides == self.dy.strides:  # both as they lie, without a copy to bring them into order
            return float(np.dot(self.dy.ravel(order="K"), change.ravel(order="K")))
        return float(np.vdot(self.dy, change))

    def rises(self, name: str, arrays: Iterable[Array]) -> Iterator[float]:
        """Yield the rise for each of some replacements; each is used before the next is drawn."""
        for array in arrays:
            yield self.rise(name, array)

    def noise(self, name: str) -> float:
        """Return the standard deviation of φ's rounding errors, as the input moves a little."""
        if name not in self._noise:
            self._noise[name] = measured_noise(self, name)
        return self._noise[name]

    def under(self, dy: Array, claimed: Mapping[str, Array]) -> Problem:
        """Return the same function under another cotangent, with other claims."""
        return Problem(self.inputs, self._value, self.y, dy, claimed, precision=self.precision)

    def size(self, name: str) -> float:
        """Return the size that steps of an input are relative to, a power of two."""
        return typical(self.inputs[name])

    def floor(self, name: str) -> float:
        """Return a size below which a gradient is as good as zero: far below what φ and the input suggest.

        Where φ itself is all but zero, as the loss of a sure prediction, it is what φ rises to some way off.
        """
        if name not in self._floors:
            self._floors[name] = 1e-6 * max(self.magnitude, self._rise_far_off(name)) / self.size(name)
        return self._floors[name]

    def _rise_far_off(self, name: str) -> float:
        x = self.inputs[name]
        away = 2 * self.size(name) * np.random.default_rng(x.size).normal(size=x.shape)
        rises = [abs(rise) for rise in self.rises(name, (-x, x + away))]
        return min((rise for rise in rises if rise and np.isfinite(rise)), default=0.0)

    def slack(self, numeric: Array, scale: float, floor: float) -> Array:
        """Return the differences that pass for rounding errors, besides those that are measured.

        Where the gradient can be computed again its rounding is measured, and no large entry excuses a small one.
        """
        if self.rounding_measured:
            return self.tolerance * np.maximum(np.abs(np.nan_to_num(numeric)), floor)
        return np.full(np.shape(numeric), self.tolerance * scale)

    def switches(self, name: str, index: int) -> int | None:
        """Return how many activations and arg-maxima change as an entry passes its kink; None if unknown."""
        del name, index
        return None

    @property
    def magnitude(self) -> float:
        """What φ's rounding errors are in proportion to: the norm of its terms."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.linalg.norm((self.dy * self.y).ravel()))

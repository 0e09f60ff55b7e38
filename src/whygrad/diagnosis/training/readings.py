"""What a gradient claims along a direction of a parameter, beside what the loss does there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.training.slopes import Slope, along
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array


class Reading(NamedTuple):
    """One parameter along one direction: what the gradient says, what the loss does."""

    claimed: float
    slope: Slope
    size: float  #: of the sum that the claim is: what rounding is relative to
    weight: float  #: the parameter itself along the direction

    def __str__(self) -> str:
        """Return both in words.

        Example:
            >>> print(Reading(2.0, Slope(1.0, 1e-9), 2.0, 0.5))
            along a random direction the gradient gives 2, and differences of the loss give 1
        """
        told = f"differences of the loss give {self.slope.value:.4g}"
        return f"along a random direction the gradient gives {self.claimed:.4g}, and {told}"

    def off(self, tolerance: float) -> bool:
        """Whether the two differ, whatever the error of the slope."""
        return self._replace(slope=Slope(self.slope.value, 0.0)).wrong(tolerance)

    def wrong(self, tolerance: float) -> bool:
        """Whether the two differ by more than the errors of both."""
        bound = 3 * self.slope.error + tolerance * max(abs(self.claimed), abs(self.slope.value), self.size) + 1e-13
        return not abs(self.claimed - self.slope.value) <= bound


def read(
    subject: Subject,
    at: Mapping[str, Array],
    claimed: Mapping[str, Array],
    name: str,
    direction: Array,
    *,
    wary: bool = False,
) -> Reading:
    """Return what a gradient claims along a direction of one parameter, and the slope there."""
    g = claimed.get(name)
    products = np.zeros(1) if g is None else (g * direction).ravel()
    found = along(subject, at, {name: direction}, wary=wary)
    return Reading(
        float(products.sum()), found, float(np.sqrt(np.sum(products**2))), float((at[name] * direction).sum())
    )

"""Numbers as a person printed them: what their digits claim."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

#: What stands in an array for a number that is not known or not claimed.
BLANKS = ("_", "?", "·", "", "nan", "...", "…")

#: What rounding in double precision may leave, of the largest number around.
_FLOAT = 1e-12


class Printed(NamedTuple):
    """A number and the place of its last digit.

    A bare 0 claims that there is exactly nothing; a rounded zero is written 0.0 or 0.00.
    """

    text: str
    value: float
    unit: float  #: of the last printed place: 0.01 of "3.14"; 0 for a bare 0

    def rounds(self, number: float, scale: float = 0.0, width: float = 0.0) -> bool:
        """Return whether this is a number rounded, give or take ``width``.

        Example:
            >>> printed("0.0468").rounds(0.04675125), printed("0.0467").rounds(0.04675125)
            (True, False)
        """
        return abs(self.value - number) <= self.unit / 2 + width + self._slack(number, scale)

    def cuts(self, number: float, scale: float = 0.0) -> bool:
        """Return whether this is a number cut off after its last place, and not rounded.

        Example:
            >>> printed("-0.0681").cuts(-0.06818625), printed("0.0468").cuts(0.04675125)
            (True, False)
        """
        if not math.isfinite(number) or self.rounds(number, scale) or self.value * number < 0 or not self.unit:
            return False
        slack = self._slack(number, scale)
        return abs(self.value) <= abs(number) + slack and abs(number) < abs(self.value) + self.unit - slack

    def _slack(self, number: float, scale: float) -> float:
        return 1e-9 * self.unit + _FLOAT * max(abs(number), abs(self.value), scale, 1e-3)


def printed(text: str) -> Printed:
    """Read a number with its digits.

    Raises:
        ValueError: it is none, or not finite.

    Example:
        >>> printed("-1.50e-2")
        Printed(text='-1.50e-2', value=-0.015, unit=0.0001)
        >>> printed("0").unit
        0.0
    """
    try:
        number = Decimal(text.strip().replace("−", "-").replace("_", ""))
    except InvalidOperation:
        raise ValueError(text) from None
    if not number.is_finite():
        raise ValueError(text)
    exponent = int(number.as_tuple().exponent)
    bare = number == 0 and exponent >= 0
    return Printed(text.strip(), float(number), 0.0 if bare else float(Decimal(1).scaleb(exponent)))


def is_blank(text: str) -> bool:
    """Return whether this stands for no number.

    Example:
        >>> is_blank("_"), is_blank("0")
        (True, False)
    """
    return text.strip().lower() in BLANKS


def together(numbers: list[Printed]) -> list[Printed]:
    """Let numbers without decimals among numbers with them claim as many digits as the coarsest of those.

    Example:
        >>> [one.unit for one in together([printed("1"), printed("0.25"), printed("0")])]
        [0.01, 0.01, 0.0]
    """
    units = [one.unit for one in numbers if 0 < one.unit < 1]
    if not units:
        return numbers
    return [one._replace(unit=max(units)) if one.unit == 1 else one for one in numbers]

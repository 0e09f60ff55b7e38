"""Early stopping: an end when a validation loss no longer falls."""

from __future__ import annotations

import math

from whygrad.validation import number, whole


class EarlyStopping:
    """Tells when a value has not improved for a while.

    Args:
        patience: how many values in a row may bring no improvement.
        least: how much lower than the best a value must be to count as an improvement.

    Example:
        >>> stopping = EarlyStopping(patience=2)
        >>> [stopping.update(loss) for loss in (1.0, 0.5, 0.7, 0.6)]
        [True, True, False, False]
        >>> stopping.stopped
        True

    Source: L. Prechelt, "Early stopping, but when?" (1998), criterion UP.
    """

    def __init__(self, patience: int, least: float = 0.0) -> None:
        self.patience = whole("EarlyStopping", "patience", patience, 1)
        self.least = number("EarlyStopping", "least", least, 0.0, math.inf, open_high=True)
        self.best = math.inf
        self.waited = 0

    def update(self, value: float) -> bool:
        """Take the next value; return whether it is the best so far. NaN never is."""
        improved = value < self.best - self.least
        self.best = value if improved else self.best
        self.waited = 0 if improved else self.waited + 1
        return improved

    @property
    def stopped(self) -> bool:
        """Whether patience has run out."""
        return self.waited >= self.patience

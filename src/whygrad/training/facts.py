"""What a run knows of its data without having them: enough to predict, and to notice other data."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from whygrad.data import Known, Parts
from whygrad.errors import DataError
from whygrad.typing import Array, Shape

_REMEDY = "restore the file or start a new run"


class Facts(NamedTuple):
    """What stands in a run's ``config.json`` about its data."""

    classes: tuple[str, ...]
    image_shape: Shape  #: (C, H, W)
    train: int  #: images trained on
    mean: tuple[float, ...] | None  #: what each channel was normalised with; None if it was not
    deviation: tuple[float, ...] | None
    fingerprint: str  #: of all images and labels, before they were divided
    skipped: dict[str, str]  #: pictures that could not be read, and why

    @property
    def scale(self) -> tuple[Array, Array] | None:
        """Mean and deviation as arrays (C,)."""
        if self.mean is None or self.deviation is None:
            return None
        return np.array(self.mean), np.array(self.deviation)

    @property
    def known(self) -> Known:
        """What need not be found out again of a folder."""
        return Known(self.image_shape, self.skipped)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON holds them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self._asdict().items()}

    @classmethod
    def from_dict(cls, where: str, values: Any) -> Facts:
        """Return the facts that ``to_dict`` described.

        Raises:
            DataError: something else stands there.
        """
        if not isinstance(values, dict) or set(values) != set(cls._fields):
            raise DataError(where, f"the data as {', '.join(cls._fields)}", "something else", _REMEDY)
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) and name != "skipped" else value
            for name, value in values.items()
        }
        facts = cls(**plain)
        channels = facts.image_shape[0] if facts._is_sound() else 0
        scales = (facts.mean, facts.deviation)
        if not channels or any(scale is not None and not _is_scale(scale, channels) for scale in scales):
            raise DataError(where, "classes, a shape (C, H, W) and numbers that fit it", "something else", _REMEDY)
        return facts

    def _is_sound(self) -> bool:
        shape = self.image_shape
        return (
            isinstance(self.classes, tuple)
            and len(self.classes) > 0
            and all(isinstance(name, str) for name in self.classes)
            and isinstance(shape, tuple)
            and len(shape) == 3
            and all(type(size) is int and 0 < size < 1 << 16 for size in shape)
            and type(self.train) is int
            and self.train > 0
            and isinstance(self.fingerprint, str)
            and isinstance(self.skipped, dict)
            and all(isinstance(text, str) for pair in self.skipped.items() for text in pair)
            and (self.mean is None) == (self.deviation is None)
        )


def _is_scale(values: Any, channels: int) -> bool:
    numbers = isinstance(values, tuple) and len(values) == channels and all(type(v) in (int, float) for v in values)
    return numbers and bool(np.isfinite(values).all())


def fingerprint(parts: Parts) -> str:
    """Return what is the same only for the same data set."""
    return "+".join(part.fingerprint()[:32] for part in parts if part is not None)

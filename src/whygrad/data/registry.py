"""The data sets by name."""

from __future__ import annotations

from collections.abc import Callable

from whygrad.data.dataset import Dataset
from whygrad.data.digits import load_digits
from whygrad.errors import OptionError

DATASETS: dict[str, Callable[[], Dataset]] = {"digits": load_digits}


def load_dataset(name: str) -> Dataset:
    """Return the data set of that name.

    Raises:
        OptionError: there is no such data set.

    Example:
        >>> load_dataset("digits").image_shape
        (1, 8, 8)
    """
    if name not in DATASETS:
        raise OptionError("data", f"one of {', '.join(DATASETS)}", f"{name!r}", "check the spelling")
    return DATASETS[name]()

"""What the names in a formula stand for."""

from __future__ import annotations

import re

_GRADIENTS = ("x", "w", "b", "y", "z", "a", "γ", "β", "gamma", "beta")
#: Names that are written as one letter.
WORDS = {"gamma": "γ", "beta": "β"}


def gradient_of(name: str) -> str:
    """Return what a name is the gradient with respect to: "w" for "dw"; empty for other names."""
    inner = name[1:]
    is_one = name.startswith("d") and (inner in _GRADIENTS or re.fullmatch(r"[xz]\d+", inner))
    return inner if is_one else ""

"""Words in a person's code that decide between causes which give the same numbers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

#: For each label what its code is likely to contain.
WORDS = {
    "kernel_rotated_in_scatter_form": r"\+=(?=[\s\S]*(rot90|flip|::\s*-1))|(rot90|flip|::\s*-1)(?=[\s\S]*\+=)",
    "dx_all_zero_write_to_copy": r"\.flatten\(\)|add\.at|\.copy\(\)|ravel\(",
    "softmax_jacobian_collapsed": r"sum|diag|outer|eye",
    "kernel_rotated_over_wrong_axes": r"rot90|flip\(",
    "relu_mask_wrong_tensor": r"(?<![-=<>])[<>](?![<>])",  # a comparison, neither an arrow nor a shift
    "activation_derivative_formula_wrong": r"exp\(",
}


def source_of(*things: Any) -> str:
    """Return the text of functions and classes, as far as it can be read.

    Example:
        >>> "def source_of" in source_of(source_of)
        True
    """
    texts = []
    for thing in things:
        with suppress(OSError, TypeError):
            owner = getattr(thing, "__self__", None)
            texts.append(inspect.getsource(type(owner) if owner is not None else thing))
    text = "\n".join(texts)
    text = re.sub(r'(?s)"""(.*?)"""', "", text)
    return re.sub(r"#.*", "", text)


def preferred(labels: Iterable[str], source: str) -> str | None:
    """Return the one of several labels that the code's own words speak for; None where none or several do."""
    if not source:
        return None
    told = [label for label in labels if label in WORDS and re.search(WORDS[label], source)]
    return told[0] if len(told) == 1 else None

"""In which order the axes of somebody's arrays may stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.catalogue import Subject
from whygrad.typing import Array

#: What images and kernels may be ordered like, the usual first. MATLAB has samples and filters last.
IMAGES = ("NCHW", "NHWC", "HWCN", "CHWN", "NCWH")
KERNELS = ("FCRS", "RSCF", "FRSC", "CFRS", "RSFC", "CRSF")


class Reading(NamedTuple):
    """One way in which arrays can be meant."""

    images: str
    kernels: str
    arrays: dict[str, Array]


def readings_of(
    target: Subject, arrays: Mapping[str, Array], layout: str | None, weights: str | None
) -> Iterator[Reading]:
    """Yield the ways in which the axes can be ordered, the usual one first."""
    windowed = target.name.endswith("2d")
    if target.name == "linear":
        for order in [weights.upper()] if weights else ["IO", "OI"]:
            turned = {
                n: a.T if order == "IO" and n in ("w", "dw") and a.ndim == 2 else a for n, a in arrays.items()
            }
            yield Reading(
                "", order, {n: np.atleast_2d(a) if n in ("x", "dy", "dx", "y") else a for n, a in turned.items()}
            )
        return
    if not windowed or target.name == "batch_norm2d":
        yield Reading("", "", dict(arrays))
        return
    images = [layout.upper()] if layout else list(IMAGES)
    kernels = [weights.upper().translate(str.maketrans("OIHW", "FCRS"))] if weights else list(KERNELS)
    if target.name not in ("conv2d", "conv_transpose2d"):
        kernels = [""]
    for kernel in kernels:
        for image in images:
            yield from _with_axes(arrays, image, kernel)


def _with_axes(arrays: Mapping[str, Array], image: str, kernel: str) -> Iterator[Reading]:
    """Yield readings with axes of size 1 put where the order wants them; samples left out before channels."""
    families = ({"x", "dx"}, {"dy", "y"}, {"w", "dw"})
    for choices in product((0, 1), repeat=len(families)):
        turned: dict[str, Array] = {}
        for name, a in arrays.items():
            if name in ("b", "db") or (name in ("w", "dw") and not kernel):
                turned[name] = a.reshape(-1) if name in ("b", "db") and a.size == max((*a.shape, 1)) else a
                continue
            order, usual = (kernel, "FCRS") if name in ("w", "dw") else (image, "NCHW")
            choice = next((c for c, family in zip(choices, families, strict=True) if name in family), 0)
            full = _full(a, order, choice)
            if full is None:
                return
            turned[name] = full.transpose([order.index(letter) for letter in usual])
        yield Reading(image, kernel, turned)
        if not any(a.ndim == 3 for a in arrays.values()):
            return


def _full(a: Array, order: str, choice: int) -> Array | None:
    """Return an array with four axes: without two, samples and channels are missing; without one, either."""
    beside = [i for i, letter in enumerate(order) if letter in "NFC"]
    beside.sort(key=lambda i: order[i] == "C")
    missing = 4 - a.ndim
    if missing < 0 or missing > len(beside):
        return None
    if missing == 1:
        return np.expand_dims(a, beside[choice])
    return np.expand_dims(a, tuple(sorted(beside))) if missing else a

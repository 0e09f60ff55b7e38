"""Convolutions whose sizes hide nothing, and those that code may be written for alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.mistakes.conv2d.reference import value, where_of
from whygrad.diagnosis.probes import Probe, spaced

#: name, (N, C, H, W), (F, R, S), stride, padding
_PLANS = (
    ("stride 2 with a remainder, padding 1", (3, 2, 8, 9), (4, 3, 2), 2, 1),
    ("stride 1", (2, 3, 6, 8), (5, 3, 2), 1, 0),
    ("stride 1, padding 1", (3, 2, 5, 7), (4, 2, 3), 1, 1),
    ("stride 2, sizes that divide", (2, 3, 7, 9), (2, 3, 3), 2, 0),
    ("stride 3 with a remainder", (2, 2, 9, 11), (3, 2, 3), 3, 0),
    ("padding 2", (2, 3, 5, 6), (4, 3, 3), 1, 2),
    ("square", (2, 3, 6, 6), (3, 3, 3), 1, 0),
    ("square, stride 2, padding 1", (2, 2, 7, 7), (2, 3, 3), 2, 1),
    ("one sample, one channel", (1, 1, 3, 3), (1, 2, 2), 1, 0),
    ("one sample", (1, 2, 5, 6), (3, 2, 3), 1, 0),
    ("one channel", (2, 1, 5, 6), (3, 2, 3), 2, 0),
    ("kernel as large as the image, padding 1", (1, 1, 3, 3), (1, 3, 3), 1, 1),
    ("same size", (2, 2, 5, 5), (3, 3, 3), 1, 1),
    ("same size, not square", (2, 3, 6, 5), (4, 3, 3), 1, 1),
    ("square kernels", (2, 3, 6, 7), (4, 3, 3), 1, 0),
    ("square kernels, one sample", (1, 2, 5, 6), (3, 3, 3), 1, 0),
    ("one of each, 5x6 and 3x3", (1, 1, 5, 6), (1, 3, 3), 1, 0),
    ("one of each, 6x7 and 3x3", (1, 1, 6, 7), (1, 3, 3), 1, 0),
    ("one of each, 4x6 and 2x3", (1, 1, 4, 6), (1, 2, 3), 1, 0),
    ("one of each, 5x3 and 3x2", (1, 1, 5, 3), (1, 3, 2), 1, 0),
    ("one channel, two filters", (1, 1, 6, 5), (2, 3, 3), 1, 0),
    ("square, stride 2, 2x2 kernels", (2, 2, 6, 6), (3, 2, 2), 2, 0),
)


def sizes(p: Probe) -> dict[str, float]:
    """Return what a factor may be made of."""
    where = where_of(p)
    n, channels = p["x"].shape[:2]
    (i, j), (r, s) = where.output, where.kernel
    return {"N": n, "C": channels, "F": p["w"].shape[0], "I·J": i * j, "R·S": r * s, "I": i, "J": j, "R": r, "S": s,
            "H": where.size[0], "W": where.size[1], "H·W": where.size[0] * where.size[1],
            "stride": where.stride[0]}  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return sizes that all differ, strides with and without remainder, padding, and square ones beside them."""
    made = []
    for name, x, (f, r, s), stride, padding in _PLANS:
        chosen = {"stride": options.get("stride") or stride, "padding": options.get("padding", padding) or 0}
        inputs = {"x": spaced(rng, *x), "w": rng.normal(size=(f, x[1], r, s)), "b": rng.normal(size=f) + 0.5}
        probe = Probe(name, inputs, np.zeros(0), subject, chosen)
        y = value(probe, {})
        made.append(tagged(Probe(name, inputs, rng.normal(size=y.shape) + 0.2, subject, probe.options)))
    return made


def tagged(p: Probe) -> Probe:
    """Return the probe with what is special about it."""
    where = where_of(p)
    rest = [(n - k) % t for n, k, t in zip(where.padded, where.span, where.stride, strict=True)]
    facts = {
        "stride > 1": max(where.stride) > 1,
        "padding > 0": any(where.padding),
        "a remainder that the stride leaves": any(rest),
        "more than one sample": p["x"].shape[0] > 1,
        "more than one input channel": p["x"].shape[1] > 1,
        "images that are not square": where.size[0] != where.size[1],
        "kernels that are not square": where.kernel[0] != where.kernel[1],
        "kernels of even size": where.kernel[0] % 2 == 0 or where.kernel[1] % 2 == 0,
        "more than one filter": p["w"].shape[0] > 1,
        "different numbers of channels and filters": p["w"].shape[0] != p["w"].shape[1],
    }
    return Probe(
        p.name, p.inputs, p.dy, p.subject, p.options, frozenset(name for name, holds in facts.items() if holds)
    )

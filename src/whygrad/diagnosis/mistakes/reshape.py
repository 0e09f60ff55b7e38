"""What people get wrong about a reshape of samples: dx = dy.reshape(x.shape), the same order in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "dx = dy.reshape(x.shape)"


def value(p: Probe, joints: Joints) -> Array:
    """The samples in their other shape."""
    return p["x"].reshape(p["x"].shape[0], *p.options["shape"])


def dx(p: Probe, joints: Joints) -> Array:
    """Reshape dy to the shape of x."""
    return p.dy.reshape(p["x"].shape)


def _by_columns(p: Probe) -> Array:
    n, *sample = p["x"].shape
    return np.stack([p.dy[i].reshape(sample, order="F") for i in range(n)])


def _transposed(p: Probe) -> Array:
    fitting(p.dy.ndim > 2)
    return np.swapaxes(p.dy, -1, -2).reshape(p["x"].shape)


def _channels_last(p: Probe) -> Array:
    fitting(p["x"].ndim == 4)
    n, channels, height, width = p["x"].shape
    return p.dy.reshape(n, height, width, channels).transpose(0, 3, 1, 2)


def _resized(p: Probe) -> Array:
    return np.resize(p.dy.T, p["x"].shape)


MISTAKES = (
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy.reshape(p["x"].shape, order="F"),
            "is reshaped column by column (order F)", LINE),
    mistake("reshape_axes_wrong", "dx", "whole", _by_columns, "is reshaped column by column (order F) within each "
            "sample", LINE),
    mistake("reshape_axes_wrong", "dx", "whole", _transposed, "is transposed before it is reshaped", LINE,
            also="height_width_mixed_up"),
    mistake("reshape_axes_wrong", "dx", "whole", _channels_last, "is read with channels last", LINE,
            also="channel_axes_not_swapped"),
    mistake("reshape_axes_wrong", "dx", "whole", _resized, "is reshaped from the transpose: samples are mixed",
            LINE),
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy, "is dy in its own shape: never reshaped back",
            LINE, also="dx_not_propagated"),
    mistake("reshape_axes_wrong", "dx", "out", c.flipped(-1), "is reversed", LINE),
    mistake("wrong_loop_variable_as_index", "dx", "dy", c.rolled(0), "belongs to another sample", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINE),
    mistake("reshape_axes_wrong", "y", "whole",
            lambda p: p["x"].reshape(p["x"].shape[0], *p.options["shape"], order="F"),
            "is reshaped column by column (order F)", "x.reshape(N, *shape)"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return images to rows, rows to images, and other images."""
    made: list[Probe] = []
    for sample, other in (((3, 4, 5), (60,)), ((24,), (2, 3, 4)), ((4, 3, 2), (2, 6, 2)), ((6, 2), (3, 4))):
        shape = tuple(options.get("shape", other))
        size = sample if prod(sample) == prod(shape) else shape[::-1]
        n = 2 + len(made) % 2
        dy = rng.normal(size=(n, *shape)) + 0.2
        made.append(Probe(f"{size} to {shape}", {"x": spaced(rng, n, *size)}, dy, subject, {"shape": shape}))
    return made


SUBJECT = Subject("reshape", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "size": p["x"][0].size}, {"shape": (60,)},
                  lines={"dx": LINE})  # fmt: skip

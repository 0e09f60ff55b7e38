"""What people get wrong about reshapes: dx = dy.reshape(x.shape), the same order in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "dx = dy.reshape(x.shape)"


def value(p: Probe, joints: Joints) -> Array:
    """(N, C·H·W)."""
    return p["x"].reshape(p["x"].shape[0], -1)


def dx(p: Probe, joints: Joints) -> Array:
    """Reshape dy to the shape of x."""
    return p.dy.reshape(p["x"].shape)


def _channels_last(p: Probe) -> Array:
    fitting(p["x"].ndim == 4)
    n, channels, height, width = p["x"].shape
    return p.dy.reshape(n, height, width, channels).transpose(0, 3, 1, 2)


def _swapped(p: Probe) -> Array:
    fitting(p["x"].ndim == 4)
    n, channels, height, width = p["x"].shape
    return p.dy.reshape(n, channels, width, height).swapaxes(2, 3)


def _batch_last(p: Probe) -> Array:
    return p.dy.T.reshape(p["x"].shape)


def _batch_moved(p: Probe) -> Array:
    shape = p["x"].shape
    return np.moveaxis(p.dy.reshape(*shape[1:], shape[0]), -1, 0)


MISTAKES = (
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy.reshape(p["x"].shape, order="F"),
            "is reshaped column by column (order F)", LINE),
    mistake("reshape_axes_wrong", "dx", "whole",
            lambda p: np.moveaxis(p.dy.reshape(p["x"].shape[0], *p["x"].shape[:0:-1]).T, -1, 0),
            "is reshaped column by column (order F) within each sample", LINE),
    mistake("reshape_axes_wrong", "dx", "whole", _channels_last, "is read with channels last", LINE,
            also="channel_axes_not_swapped"),
    mistake("height_width_mixed_up", "dx", "whole", _swapped, "is read with rows and columns exchanged", LINE,
            also="reshape_axes_wrong"),
    mistake("reshape_axes_wrong", "dx", "whole", _batch_last, "is reshaped from the transpose: samples are mixed",
            LINE),
    mistake("reshape_axes_wrong", "dx", "whole", _batch_moved, "is reshaped with the batch last: samples are mixed",
            LINE),
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy, "is dy in the flat shape: never reshaped back",
            LINE, also="dx_not_propagated"),
    mistake("reshape_axes_wrong", "dx", "out", c.flipped(-1), "is reversed", LINE),
    mistake("wrong_loop_variable_as_index", "dx", "dy", c.rolled(0), "belongs to another sample", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINE),
    mistake("reshape_axes_wrong", "y", "whole", lambda p: p["x"].reshape(-1, p["x"].shape[0]).T, "mixes samples",
            "x.reshape(N, -1)"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return images whose sizes all differ, and rows."""
    made = []
    for shape in ((2, 3, 4, 5), (3, 2, 5, 4), (2, 6), (4, 3, 2, 2)):
        dy = rng.normal(size=(shape[0], int(np.prod(shape[1:])))) + 0.2
        made.append(Probe(f"{shape}", {"x": spaced(rng, *shape)}, dy, subject))
    return made


SUBJECT = Subject("flatten", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "size": p.dy.shape[1]}, lines={"dx": LINE})  # fmt: skip

"""What people get wrong about average-pooling: every entry of a window gets dy/k²."""

from __future__ import annotations

from functools import partial

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.mistakes import pooling
from whygrad.diagnosis.mistakes.pooling import covered, padded, places, where_of, write
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

LINE = "dx[n, c, i*t:i*t+k, j*t:j*t+k] += dy[n, c, i, j] / (k * k)"


def seen(p: Probe, joints: Joints) -> Array:
    """Return the windows (N, C, I, J, R·S)."""
    image = padded(p, 0.0)
    a, b = places(where_of(p), joints.get("place"))
    fitting(bool(a.max() < image.shape[2] and b.max() < image.shape[3]))
    return image[:, :, a, b]


def value(p: Probe, joints: Joints) -> Array:
    """The mean of each window."""
    return seen(p, joints).mean(-1)


def dx(p: Probe, joints: Joints) -> Array:
    """Give each entry of a window its share."""
    taps = int(np.prod(where_of(p).kernel))
    share = np.repeat(p.dy[..., None], taps, -1) / taps
    part = joints.get("part")
    if part is not None:
        share = share * taps * (np.arange(taps) == (0 if part == "first" else taps - 1))
    return write(share, p, joints)


def _times_x(p: Probe, *, divided: bool) -> Array:
    x = seen(p, {})
    return write(x * p.dy[..., None] / (x.shape[-1] if divided else 1), p, {})


def _to_maximum(p: Probe) -> Array:
    x = seen(p, {})
    top = np.arange(x.shape[-1]) == x.argmax(-1)[..., None]
    return write(top * p.dy[..., None], p, {})


def _taps(p: Probe) -> float:
    return float(np.prod(where_of(p).kernel))


def _strides(p: Probe) -> float:
    return float(np.prod(where_of(p).stride))


MISTAKES = (
    mistake("overlap_overwritten", "dx", "overlap", "last window",
            "keeps only the last window's share where windows overlap", LINE),
    *(mistake("avgpool_share_wrong", "dx", "out", lambda a, p, count=count: a * _taps(p) / count(p), does, LINE)
      for does, count in (("is divided by the stride squared, not by k²", _strides),
                          ("is divided by k·stride, not by k²", lambda p: np.sqrt(_taps(p) * _strides(p))))),
    mistake("avgpool_share_wrong", "dx", "part", "first", "gives all of dy to the window's first entry", LINE,
            also="pool_window_offset_missing"),
    mistake("avgpool_share_wrong", "dx", "part", "last", "gives all of dy to the window's last entry", LINE),
    mistake("avgpool_share_wrong", "dx", "whole", _to_maximum, "goes to the maximum, as in max-pooling", LINE,
            also="max_pooling_treated_as_average"),
    mistake("extra_factor_in_delta", "dx", "whole", partial(_times_x, divided=True), "is multiplied by x besides",
            LINE),
    mistake("stride_ignored_in_backward", "dx", "place", "stride ignored",
            "uses the windows at (i, j), not at (i·stride, j·stride)", LINE),
    mistake("stride_ignored_in_backward", "dx", "place", "window size for stride",
            "steps by the window's size where the stride is meant", LINE),
    mistake("height_width_mixed_up", "dx", "place", "rows for columns", "uses the window at (j, i) for dy[i, j]",
            LINE, also="wrong_loop_variable_as_index"),
    mistake("stride_remainder_dropped", "dx", "grid", "remainder dropped",
            "ends with the last window: rows that no window sees are missing", "dx = np.zeros_like(x)"),
    mistake("padding_not_cropped", "dx", "grid", "uncropped", "has the size of the padded image",
            "return dxp[:, :, p:p + H, p:p + W]"),
    mistake("loop_bounds_off_by_one", "dx", "dy", c.without_last(2, 3), "leaves out the last row and column of dy",
            LINE, also="loop_over_input_size"),
    mistake("loop_bounds_off_by_one", "dx", "dy", c.without_last(2), "leaves out the last row of dy", LINE,
            also="loop_over_input_size"),
    mistake("loop_bounds_off_by_one", "dx", "dy", c.without_last(3), "leaves out the last column of dy", LINE,
            also="loop_over_input_size"),
    mistake("wrong_loop_variable_as_index", "dx", "dy", c.repeated(1),
            "takes the dy of channel 0 for every channel", "dy[n, c, i, j]"),
    mistake("wrong_loop_variable_as_index", "dx", "dy", c.summed(1),
            "takes the dy of all channels together for each", "dy[n, c, i, j]"),
    mistake("overwritten_in_batch_loop", "dx", "dy", c.only(1, -1), "comes from the last channel alone",
            "write to dx[n, c]"),
    mistake("early_return_in_loop", "dx", "dy", c.only(1, 0), "comes from the first channel alone",
            "return after the loops"),
    mistake("early_return_in_loop", "dx", "dy", c.corner(last=False), "comes from the first window alone",
            "return after the loops"),
    mistake("overwritten_in_batch_loop", "dx", "dy", c.corner(last=True), "comes from the last window alone", LINE),
    mistake("returns_wrong_variable", "dx", "dy", lambda a, p: p.y, "holds the means in place of dy", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", "return dx"),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p.dy, "is dy itself, in the size of the output",
            LINE, also="dx_not_propagated"),
    mistake("forward_formula_wrong", "y", "whole", lambda p: seen(p, {}).sum(-1), "is the sum of each window",
            "window.mean()", also="avgpool_share_wrong"),
    mistake("forward_formula_wrong", "y", "whole", lambda p: seen(p, {}).max(-1), "is the maximum of each window",
            "window.mean()"),
    mistake("forward_stride_index_wrong", "y", "place", "stride ignored",
            "reads the window at (i, j) for output (i, j)", "x[i*t:i*t+k, j*t:j*t+k]"),
    mistake("overlap_averaged", "dx", "out", lambda a, p: a / np.maximum(covered(p), 1),
            "is divided by the number of windows that each entry is in", LINE, also="batch_scale_wrong"),
    *c.common("dx"),
)  # fmt: skip

#: A factor is another share of dy than 1/k², unless it is of the batch or has a name of its own.
_SHARES = {
    "N": "batch_scale_wrong",
    "1/N": "batch_scale_wrong",
    "2": "gradient_counted_twice",
    "*": "avgpool_share_wrong",
}


def contributions(p: Probe) -> list[Array]:
    """Return the shares that each entry of dx is the sum of."""
    taps = int(np.prod(where_of(p).kernel))
    return pooling.contributions(np.repeat(p.dy[..., None], taps, -1) / taps, p)


SUBJECT = Subject(
    "avg_pool2d", ("x",), {"dx": dx}, value, partial(pooling.probes, ties=False), MISTAKES, pooling.sizes,
    {"kernel_size": 2, "stride": None}, lines={"dx": LINE}, contributions={"dx": contributions},
    factor_labels=_SHARES,
)  # fmt: skip

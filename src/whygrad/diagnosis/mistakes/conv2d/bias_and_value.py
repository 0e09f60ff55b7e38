"""What people get wrong about db, a sum over all axes but the filters', and about the value itself."""

from __future__ import annotations

import numpy as np

from whygrad.diagnosis.catalogue import mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.mistakes.conv2d.reference import DB, seen, value, where_of
from whygrad.diagnosis.probes import Probe
from whygrad.ops.windows import geometry, pad, windows
from whygrad.typing import Array


def _summed_over(p: Probe, axes: tuple[int, ...]) -> Array:
    return p.dy.sum(axes)


def _db_from_dw(p: Probe) -> Array:
    return p.right["dw"].sum((1, 2, 3))


def _stepped_output(p: Probe) -> Array:
    """Loops over i in range(0, H − R + 1, stride) and writes to y[i // 1]: every stride-th entry that there is."""
    where = where_of(p)
    t, u = where.stride
    y = np.zeros_like(p.y)
    image = pad(p["x"], where.padding)
    r, s = where.kernel
    for i in range(0, where.output[0], t):
        for j in range(0, where.output[1], u):
            window = image[:, :, i : i + r, j : j + s]
            y[:, :, i, j] = np.einsum("ncrs,fcrs->nf", window, p["w"]) + p["b"]
    return y


def _rows_in_pixels(p: Probe) -> Array:
    """Rows of the column matrix counted by i·J + j, with i and j the windows' corners in pixels; others stay 0."""
    where = where_of(p)
    (t, u), (rows, columns) = where.stride, where.output
    right = value(p, {"bias": "left out"})
    flat = np.zeros((*right.shape[:2], rows * columns))
    for i in range(rows):
        for j in range(columns):
            at = i * t * columns + j * u
            if at < rows * columns:
                flat[:, :, at] = right[:, :, i, j]
    return flat.reshape(right.shape) + p["b"][:, None, None]


def _one_channel(p: Probe, channel: int) -> Array:
    taps = np.einsum("nijrs,frs->nfij", seen(p, {})[:, channel], p["w"][:, channel], optimize=True)
    return taps + p["b"][:, None, None]


def _forward_unpadded(p: Probe) -> Array:
    inner = geometry("conv2d", p["x"].shape[2:], p["w"].shape[2:], stride=p.options["stride"])
    return np.einsum("ncijrs,fcrs->nfij", windows(p["x"], inner), p["w"], optimize=True) + p["b"][:, None, None]


MISTAKES = (
    *(mistake("bias_gradient_wrong_axes", "db", "whole", lambda p, axes=axes: _summed_over(p, axes),
              f"is summed over axes {axes}", DB,
              also="batch_sum_missing" if 0 not in axes else "")
      for axes in ((0,), (1,), (2,), (3,), (0, 1), (1, 2), (2, 3), (0, 2), (0, 3), (1, 3), (1, 2, 3), (0, 1, 2),
                   (0, 1, 3), (0, 1, 2, 3))),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: np.full_like(p["b"], p.dy.sum()),
            "is the sum of all of dy, in every filter", DB),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: p.dy, "is dy, not summed at all", DB,
            also="batch_sum_missing"),
    mistake("bias_gradient_wrong_tensor", "db", "whole", _db_from_dw, "is the sum of dw", DB),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p.right["dw"], "is dw", DB,
            also="returns_wrong_variable"),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p.right["dx"], "is dx", DB,
            also="returns_wrong_variable"),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: np.asarray(p.right["dw"].sum()),
            "is the sum of dw, one number", DB),
    mistake("bias_gradient_wrong_tensor", "db", "dy", lambda a, p: p.y, "is the sum of y, not of dy", DB),
    mistake("bias_gradient_wrong_tensor", "db", "dy", lambda a, p: a * p.y, "is the sum of dy·y, not of dy", DB),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p.dy.sum((0, 2, 3)) * p["b"],
            "is multiplied by b", DB),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p["b"], "is b itself", DB,
            also="returns_wrong_variable"),
    mistake("bias_gradient_wrong_axes", "db", "dy", c.corner(last=True),
            "comes from the last output position alone", DB, also="overlap_overwritten"),
    mistake("forward_formula_wrong", "y", "w", c.flipped(2, 3), "is a true convolution: the kernel is rotated",
            "y[i, j] = (w * x[i*t:i*t+R, j*t:j*t+S]).sum() + b",
            also="kernel_rotated_over_wrong_axes"),
    mistake("forward_stride_index_wrong", "y", "place", "stride ignored",
            "reads the window at (i, j) for output (i, j)", "x[i*t:i*t+R, j*t:j*t+S]"),
    mistake("forward_stride_index_wrong", "y", "whole", _stepped_output,
            "writes to every stride-th output only", "y[i, j] = ... for i in range(I): the window starts at i*t"),
    mistake("forward_stride_index_wrong", "y", "whole", _rows_in_pixels,
            "counts the columns of im2col by the windows' places in pixels: with a stride most stay 0",
            "cols[i * J + j] for the window at (i*t, j*t)", also="im2col_column_order_mismatch"),
    mistake("bias_added_per_element", "y", "bias", "per tap", "adds the bias once for each tap",
            "add b after the sum"),
    mistake("bias_added_per_element", "y", "whole",
            lambda p: value(p, {"bias": "left out"}) + (p["w"][0, 0].size * p["b"])[:, None, None],
            "adds the bias once for each tap of the kernel's plane", "add b after the sums"),
    mistake("bias_added_per_element", "y", "whole",
            lambda p: value(p, {"bias": "left out"}) + (p["w"].shape[1] * p["b"])[:, None, None],
            "adds the bias once for each input channel", "add b after the sum over the channels"),
    mistake("forward_formula_wrong", "y", "bias", "left out", "leaves the bias out", "+ b[f]"),
    mistake("wrong_loop_variable_as_index", "y", "w", c.repeated(0), "uses filter 0 for every output", "w[f]"),
    mistake("wrong_loop_variable_as_index", "y", "x", c.repeated(1), "reads channel 0 of x for every channel",
            "x[n, c]"),
    mistake("wrong_loop_variable_as_index", "y", "w", c.repeated(1),
            "uses channel 0 of the kernel for every channel", "w[f, c]"),
    mistake("overlap_overwritten", "y", "whole", lambda p: _one_channel(p, -1), "keeps only the last input channel",
            "y += over the channels", also="early_return_in_loop"),
    mistake("early_return_in_loop", "y", "whole", lambda p: _one_channel(p, 0),
            "keeps only the first input channel", "y += over the channels"),
    mistake("padding_not_cropped", "y", "whole", _forward_unpadded, "ignores the padding",
            "np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))",
            also="forward_backward_padding_disagree"),
)  # fmt: skip

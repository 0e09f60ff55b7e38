"""What people get wrong about dw: its orientation, the channels, what is correlated with what."""

from __future__ import annotations

import numpy as np

from whygrad.diagnosis.catalogue import fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.mistakes.conv2d.reference import DW, dilated, seen, where_of
from whygrad.diagnosis.probes import Probe
from whygrad.ops.windows import pad
from whygrad.typing import Array


def _correlation_with_all(p: Probe, dy: Array) -> Array:
    """The correlation of the padded image with dy, of all its shifts."""
    image = pad(p["x"], where_of(p).padding)
    fitting(dy.shape[2] <= image.shape[2] and dy.shape[3] <= image.shape[3])
    view = np.lib.stride_tricks.sliding_window_view(image, dy.shape[2:], (2, 3))
    return np.einsum("nfij,ncrsij->fcrs", dy, view, optimize=True)


def _too_big(p: Probe, *, spread_out: bool) -> Array:
    where = where_of(p)
    return _correlation_with_all(p, dilated(p.dy, where) if spread_out else p.dy)


def _unpadded(p: Probe) -> Array:
    """The weight gradient from the image without its padding: of another shape, unless dy is cut to fit."""
    dy, x = dilated(p.dy, where_of(p)), p["x"]
    fitting(dy.shape[2] <= x.shape[2] and dy.shape[3] <= x.shape[3])
    view = np.lib.stride_tricks.sliding_window_view(x, dy.shape[2:], (2, 3))
    return np.einsum("nfij,ncrsij->fcrs", dy, view, optimize=True)


def _elementwise(p: Probe) -> Array:
    """Σ x·dy for same-sized arrays: one number, in all taps."""
    fitting(p["x"].shape[2:] == p.dy.shape[2:])
    one = np.einsum("nchw,nfhw->fc", p["x"], p.dy)
    return np.broadcast_to(one[:, :, None, None], p["w"].shape).copy()


def _elementwise_output(p: Probe) -> Array:
    """Σ y·dy: one number for all taps of a filter, of the layer's own output."""
    one = np.einsum("nfij,nfij->f", p.options.get("_y", p.y), p.dy)
    return np.broadcast_to(one[:, None, None, None], p["w"].shape).copy()


def _elementwise_corner(p: Probe) -> Array:
    """The product of dy and the corner of x of its size, entry by entry; one number for all taps."""
    rows, columns = p.dy.shape[2:]
    x = p["x"][:, :, :rows, :columns]
    fitting(x.shape[2:] == p.dy.shape[2:])
    return np.broadcast_to(np.einsum("nchw,nfhw->fc", x, p.dy)[:, :, None, None], p["w"].shape).copy()


def _window_products(p: Probe, image: Array) -> Array:
    """Windows of dy times windows of x, entry by entry, added up."""
    r, s = p["w"].shape[2:]
    fitting(p.dy.shape[2] >= r and p.dy.shape[3] >= s)
    mine = np.lib.stride_tricks.sliding_window_view(p.dy, (r, s), (2, 3))
    theirs = np.lib.stride_tricks.sliding_window_view(image, (r, s), (2, 3))
    theirs = theirs[:, :, : mine.shape[2], : mine.shape[3]]
    fitting(theirs.shape[2:] == mine.shape[2:])
    return np.einsum("nfijrs,ncijrs->fcrs", mine, theirs, optimize=True)


def _centred_windows(p: Probe) -> Array:
    """Windows of dy, laid into the middle of a map of x's size, times windows of x, entry by entry."""
    (r, s), x = p["w"].shape[2:], p["x"]
    frame = np.zeros((*p.dy.shape[:2], *x.shape[2:]))
    inner = frame[:, :, r // 2 : x.shape[2] - r // 2, s // 2 : x.shape[3] - s // 2]
    fitting(inner.shape == p.dy.shape)
    inner[...] = p.dy
    return _window_products(p.changed(frame), x)


def _windows_times_sum(p: Probe) -> Array:
    """The sum of all windows times the sum of dy."""
    return np.einsum("nf,ncrs->fcrs", p.dy.sum((2, 3)), seen(p, {}).sum((2, 3)))


def _dense_dw(p: Probe, *, transpose: bool, after: bool) -> Array:
    """Images taken for the activations of a dense layer: xᵀ·dy, x·dy, dy·x or dy·xᵀ, summed over the samples."""
    x = np.swapaxes(p["x"], 2, 3) if transpose else p["x"]
    if after:
        fitting(p.dy.shape[3] == x.shape[2])
        return np.einsum("nfij,ncjs->fcis", p.dy, x)
    fitting(x.shape[3] == p.dy.shape[2])
    return np.einsum("ncri,nfij->fcrj", x, p.dy)


def _same_size(a: Array, b: Array) -> Array:
    fitting(a.shape == b.shape)
    return a


MISTAKES = (
    mistake("stride_remainder_dropped", "dw", "whole", lambda p: _too_big(p, spread_out=True),
            "has a row or column for every shift of the dilated dy that fits: more than the kernel",
            "dw = dw[:, :, :R, :S]"),
    mistake("stride_not_dilated", "dw", "whole", lambda p: _too_big(p, spread_out=False),
            "is the correlation with dy as it is, without zeros between its entries", DW,
            also="stride_ignored_in_backward"),
    mistake("forward_backward_padding_disagree", "dw", "whole", _unpadded, "reads the image without its padding",
            DW),
    mistake("overlap_overwritten", "dw", "dy", c.corner(last=True), "comes from the last output position alone",
            "dw[f] += xp[n, :, i*t:i*t+R, j*t:j*t+S] * dy[n, f, i, j]", also="overwritten_in_batch_loop"),
    mistake("overlap_overwritten", "dw", "dy", lambda a, p: c.only(0, -1)(c.corner(last=True)(a, p), p),
            "comes from the last output position of the last sample alone",
            "dw[f] += xp[n, :, i*t:i*t+R, j*t:j*t+S] * dy[n, f, i, j]", also="overwritten_in_batch_loop"),
    mistake("wrong_loop_variable_as_index", "dw", "x", c.repeated(0), "reads the first image for every sample",
            "index x by its own sample: x[n]"),
    mistake("wrong_loop_variable_as_index", "dw", "x", c.repeated(0, -1), "reads the last image for every sample",
            "index x by its own sample: x[n]"),
    mistake("batch_sum_missing", "dw", "out",
            lambda a, p: np.einsum("nfij,ncijrs->nfcrs", p.dy, seen(p, {}), optimize=True),
            "has one gradient for each sample", "dw.sum(axis=0)", rank=3),
    *(mistake("loop_bounds_off_by_one", "dw", "out", c.without_last(*axes), f"is 0 in the kernel's last {what}",
              "for r in range(R): for s in range(S):", also="loop_over_input_size")
      for axes, what in (((2,), "row"), ((3,), "column"), ((2, 3), "row and column"))),
    mistake("reshape_axes_wrong", "dw", "out", lambda a, _: a.reshape(len(a), -1).T.reshape(a.shape),
            "comes as (C·R·S, F) and is reshaped, not transposed", "dw = (flat @ cols.T).reshape(F, C, R, S)",
            also="im2col_column_order_mismatch weight_gradient_transposed"),
    mistake("bias_added_to_gradient", "dw", "out", lambda a, p: a + p["b"][:, None, None, None],
            "has the biases added, as a forward pass has them", "leave b out: y = w·x + b, so b is in no gradient",
            also="forward_formula_wrong"),
    mistake("kernel_gradient_flipped", "dw", "out", c.flipped(2, 3), "comes out rotated by 180 degrees", DW),
    mistake("kernel_gradient_flipped", "dw", "out", c.flipped(2), "comes out upside down", DW,
            also="kernel_rotated_over_wrong_axes"),
    mistake("kernel_gradient_flipped", "dw", "out", c.flipped(3), "comes out with its columns reversed", DW,
            also="kernel_rotated_over_wrong_axes"),
    mistake("kernel_gradient_flipped", "dw", "dy", c.flipped(2, 3),
            "is the correlation with dy rotated by 180 degrees: a true convolution", DW, also="kernel_not_rotated"),
    mistake("kernel_rotated_over_wrong_axes", "dw", "out", c.flipped(0, 1),
            "comes out with filters and channels in reverse", DW, also="kernel_gradient_flipped"),
    mistake("weight_gradient_transposed", "dw", "out", c.transposed(2, 3),
            "comes out with rows and columns exchanged", DW, also="height_width_mixed_up"),
    mistake("weight_gradient_transposed", "dw", "out", c.transposed(0, 1), "comes out as (C, F, R, S)",
            "dw.transpose(1, 0, 2, 3)", also="channel_axes_not_swapped"),
    mistake("channel_axes_not_swapped", "dw", "out", lambda a, _: np.swapaxes(a, 0, 1).reshape(a.shape),
            "has its channel axes reshaped, not transposed",
            "dw.transpose(1, 0, 2, 3)", also="reshape_axes_wrong weight_gradient_transposed"),
    mistake("channels_mixed_in_weight_gradient", "dw", "x", c.summed(1),
            "has the sum of the input channels in every channel", DW),
    mistake("wrong_loop_variable_as_index", "dw", "x", c.repeated(1), "reads input channel 0 for every channel",
            "index x by its own channel: x[n, c]",
            also="channels_mixed_in_weight_gradient"),
    mistake("wrong_loop_variable_as_index", "dw", "x", c.repeated(1, -1),
            "reads the last input channel for every channel", "index x by its own channel: x[n, c]",
            also="channels_mixed_in_weight_gradient"),
    mistake("channels_mixed_in_weight_gradient", "dw", "out",
            lambda a, _: np.broadcast_to(a.mean(1, keepdims=True), a.shape),
            "has the mean of the input channels in every channel", DW),
    mistake("weight_gradient_elementwise_window", "dw", "whole",
            lambda p: _window_products(p, pad(p["x"], where_of(p).padding)),
            "is made of windows of dy times windows of x, entry by entry", DW,
            also="convolution_replaced_by_elementwise_product"),
    mistake("weight_gradient_elementwise_window", "dw", "whole", _centred_windows,
            "is made of windows of dy (in a map of x's size) times windows of x, entry by entry", DW,
            also="convolution_replaced_by_elementwise_product"),
    mistake("weight_gradient_elementwise_window", "dw", "whole", lambda p: _window_products(p, p["x"]),
            "is made of windows of dy times windows of x, entry by entry", DW,
            also="convolution_replaced_by_elementwise_product", rank=1),
    mistake("convolution_replaced_by_elementwise_product", "dw", "whole", _elementwise,
            "is Σ x·dy without any shift: one number in all taps", DW),
    mistake("convolution_replaced_by_elementwise_product", "dw", "whole", _elementwise_output,
            "is Σ y·dy, of the layer's own output and without any shift: one number in all taps", DW,
            also="output_used_instead_of_input"),
    mistake("convolution_replaced_by_elementwise_product", "dw", "whole", _elementwise_corner,
            "is Σ x·dy over the corner of x, without any shift", DW, rank=1),
    mistake("convolution_replaced_by_elementwise_product", "dw", "whole", _windows_times_sum,
            "is the sum of dy times the sum of the windows: the two sums have been torn apart", DW),
    mistake("output_used_instead_of_input", "dw", "x", c.instead("y"),
            "is the correlation with the layer's own output in place of its input", DW),
    mistake("activation_derivative_of_wrong_tensor", "dw", "x", lambda a, p: _same_size(p.dy, a),
            "is the correlation of dy with itself", DW, rank=2),
    mistake("returns_wrong_variable", "dw", "whole", lambda p: p["w"], "is w itself", "return dx, dw, db"),
    mistake("returns_wrong_variable", "dw", "whole", lambda p: p.right["dx"], "is dx", "return dx, dw, db"),
    *(mistake("convolution_treated_as_matrix_product", "dw", "whole",
              lambda p, t=t, a=a: _dense_dw(p, transpose=t, after=a),
              "is a matrix product of the image and dy", DW)
      for t in (True, False) for a in (True, False)),
)  # fmt: skip

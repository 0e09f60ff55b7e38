"""What people get wrong about dx: the kernel's orientation, its channels, the stride's zeros, padding, overlaps."""

from __future__ import annotations

from functools import partial

import numpy as np

from whygrad.diagnosis.catalogue import fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.mistakes.conv2d.reference import (
    CROP,
    ROT180,
    SCATTER,
    full_correlation,
    on_grid,
    spread,
    where_of,
)
from whygrad.diagnosis.probes import Probe
from whygrad.ops.windows import crop
from whygrad.typing import Array


def _undilated(p: Probe, *, rotated: bool = True, cropped: bool = True) -> Array:
    w = p["w"][:, :, ::-1, ::-1] if rotated else p["w"]
    full = full_correlation(p.dy, w)
    return crop(full, where_of(p).padding) if cropped else full


def _strided_again(p: Probe, *, rotated: bool, cropped: bool) -> Array:
    """The full correlation of the undilated dy, with the stride of the forward pass."""
    t, u = where_of(p).stride
    w = p["w"][:, :, ::-1, ::-1] if rotated else p["w"]
    full = full_correlation(p.dy, w)
    return (crop(full, where_of(p).padding) if cropped else full)[:, :, ::t, ::u]


def _valid(p: Probe, w: Array) -> Array:
    """A valid correlation of dy with the kernel, in place of the full one."""
    fitting(p.dy.shape[2] >= w.shape[2] and p.dy.shape[3] >= w.shape[3])
    return np.einsum("nfijrs,fcrs->ncij", np.lib.stride_tricks.sliding_window_view(p.dy, w.shape[2:], (2, 3)), w)


def _same(p: Probe, w: Array) -> Array:
    """A correlation of dy, padded by the forward pass's own padding, with the kernel."""
    top, bottom, left, right = where_of(p).padding
    dy = np.pad(p.dy, ((0, 0), (0, 0), (top, bottom), (left, right)))
    return _valid(p.changed(dy), w)


def _resized(p: Probe, w: Array) -> Array:
    """The correlation of dy with the kernel, written into the corner of an array of x's shape."""
    small = _valid(p, w)
    big = np.zeros_like(p["x"])
    fitting(small.shape[2] <= big.shape[2] and small.shape[3] <= big.shape[3])
    big[:, :, : small.shape[2], : small.shape[3]] = small
    return big


def _plus_own_bias(a: Array, p: Probe) -> Array:
    fitting(len(p["b"]) == a.shape[1])
    return a + p["b"][:, None, None]


def _covered(p: Probe) -> Array:
    """The number of windows that each pixel is in, (H, W)."""
    where = where_of(p)
    return on_grid(spread(np.ones((1, 1, *where.output, *where.kernel)), where, {}), where, None)[0, 0]


def _interior(p: Probe, *, rotated: bool) -> Array:
    """The full correlation, at pixels that have a whole window around them only."""
    r, s = p["w"].shape[2:]
    right = full_correlation(p.dy, p["w"][:, :, ::-1, ::-1] if rotated else p["w"])
    fitting(right.shape == p["x"].shape)
    out = np.zeros_like(right)
    place = (..., slice(r // 2, right.shape[2] - r // 2), slice(s // 2, right.shape[3] - s // 2))
    out[place] = right[place]
    return out


def _dense_dx(p: Probe, *, transpose: bool, after: bool) -> Array:
    """Kernels taken for the matrices of a dense layer: wᵀ·dy, w·dy, dy·w or dy·wᵀ, summed over the filters."""
    w = np.swapaxes(p["w"], 2, 3) if transpose else p["w"]
    if after:
        fitting(p.dy.shape[3] == w.shape[2])
        return np.einsum("nfij,fcjs->ncis", p.dy, w)
    fitting(w.shape[3] == p.dy.shape[2])
    return np.einsum("fcri,nfij->ncrj", w, p.dy)


def _product_dx(p: Probe) -> Array:
    """w·dy, entry by entry."""
    fitting(p["w"].shape[2:] == p.dy.shape[2:])
    return np.einsum("fcij,nfij->ncij", p["w"], p.dy)


def _reshape_swap_last(w: Array, _: Probe) -> Array:
    """The channel axes reshaped as if that were a transpose, for kernels that are kept as (R, S, C, F)."""
    f, channels, r, s = w.shape
    return w.transpose(2, 3, 1, 0).reshape(r, s, f, channels).transpose(2, 3, 0, 1)


def _reshape_swap(w: Array, _: Probe) -> Array:
    """The kernel with its channel axes reshaped, as if that were a transpose, read back as (F, C, R, S)."""
    f, channels = w.shape[:2]
    return np.swapaxes(w.reshape(channels, f, *w.shape[2:]), 0, 1)


def _rotated_square(a: Array, _: Probe) -> Array:
    fitting(a.shape[2] == a.shape[3])
    return np.rot90(a, 1, (2, 3))


def _rotated_square_back(a: Array, _: Probe) -> Array:
    fitting(a.shape[2] == a.shape[3])
    return np.rot90(a, 3, (2, 3))


def _unswapped(w: Array, _: Probe) -> Array:
    fitting(w.shape[0] == w.shape[1])
    return np.swapaxes(w, 0, 1)


def _from_right_form(*axes: int) -> c.Change:
    """What code uses that writes the full correlation and reverses these axes in place of rows and columns."""
    return lambda w, _: np.flip(np.flip(w, axes), (2, 3))


def _misread(p: Probe, *, order: str) -> Array:
    """The columns' gradients reshaped to (N, C·R·S, positions) where their axes have to be exchanged."""
    where = where_of(p)
    back = np.einsum("nfij,fcrs->ncrsij", p.dy, p["w"], optimize=True)
    n, channels, r, s, rows, columns = back.shape
    if order == "n":  # (N, positions, C·R·S) taken for (N, C·R·S, positions)
        flat = back.reshape(n, channels * r * s, -1).transpose(0, 2, 1)
    else:
        flat = back.reshape(n, channels * r * s, -1).transpose((1, 2, 0) if order == "pn" else (1, 0, 2))
    wrong = np.ascontiguousarray(flat).reshape(n, channels, r, s, rows, columns).transpose(0, 1, 4, 5, 2, 3)
    return on_grid(spread(wrong, where, {}), where, None)


MISTAKES = (
    mistake("kernel_not_rotated", "dx", "w", c.flipped(2, 3), "is the full correlation with the kernel as it is",
            ROT180,
            also="kernel_rotated_in_scatter_form"),
    mistake("kernel_not_rotated", "dx", "out", c.flipped(2, 3),
            "comes out rotated by 180 degrees: dy and the kernel are exchanged in the correlation", ROT180,
            also="kernel_gradient_flipped"),
    mistake("kernel_rotated_over_wrong_axes", "dx", "w", c.flipped(2),
            "has the kernel reversed along columns alone",
            ROT180, also="kernel_not_rotated"),
    mistake("kernel_rotated_over_wrong_axes", "dx", "w", c.flipped(3), "has the kernel reversed along rows alone",
            ROT180, also="kernel_not_rotated"),
    *(mistake("kernel_rotated_over_wrong_axes", "dx", "w", _from_right_form(*axes),
              f"has the kernel reversed along axes {axes} in place of rows and columns, (2, 3)", ROT180, rank=1)
      for axes in ((0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (0, 1, 2, 3), (0,), (1,), (0, 1, 2), (1, 2, 3),
                   (0, 2, 3))),
    *(mistake("kernel_rotated_over_wrong_axes", "dx", "w", c.flipped(*axes),
              f"has the kernel reversed along axes {axes} as well", ROT180, rank=1)
      for axes in ((0, 1), (0,), (1,))),
    mistake("kernel_rotated_over_wrong_axes", "dx", "w", _rotated_square,
            "has the kernel turned by 90 degrees, not by 180",
            ROT180, also="kernel_not_rotated"),
    mistake("kernel_rotated_over_wrong_axes", "dx", "w", _rotated_square_back,
            "has the kernel turned by 90 degrees, not by 180", ROT180, also="kernel_not_rotated"),
    mistake("kernel_transposed", "dx", "w", c.transposed(2, 3), "has rows and columns of the kernel exchanged",
            ROT180,
            also="height_width_mixed_up kernel_rotated_over_wrong_axes"),
    mistake("kernel_transposed", "dx", "w", lambda w, _: np.swapaxes(w, 2, 3)[:, :, ::-1, ::-1],
            "is the full correlation with the transposed kernel", ROT180,
            also="height_width_mixed_up kernel_not_rotated kernel_rotated_over_wrong_axes"),
    mistake("channel_axes_not_swapped", "dx", "w", _unswapped,
            "multiplies filter f's dy by w[c, f] in place of w[f, c]",
            "w.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1] as the kernel of the full correlation"),
    mistake("channel_axes_not_swapped", "dx", "w", _reshape_swap,
            "has the kernel's channel axes reshaped, not transposed",
            "w.transpose(1, 0, 2, 3) in place of w.reshape(C, F, R, S)", also="reshape_axes_wrong"),
    mistake("channel_axes_not_swapped", "dx", "w", _reshape_swap_last,
            "has the channel axes of a kernel (R, S, C, F) reshaped, not transposed",
            "flip.swapaxes(2, 3) before the reshape to a matrix", also="reshape_axes_wrong"),
    mistake("wrong_loop_variable_as_index", "dx", "w", c.repeated(0), "uses filter 0 for every dy",
            "index w by its own filter: w[f]"),
    mistake("wrong_loop_variable_as_index", "dx", "w", c.repeated(0, -1), "uses the last filter for every dy",
            "index w by its own filter: w[f]"),
    mistake("wrong_loop_variable_as_index", "dx", "w", c.repeated(1),
            "uses channel 0 of the kernel for every channel",
            "index w by its own channel: w[f, c]"),
    mistake("wrong_loop_variable_as_index", "dx", "w", c.repeated(1, -1),
            "uses the last channel of the kernel for every channel",
            "index w by its own channel: w[f, c]"),
    mistake("channel_axes_not_swapped", "dx", "w", c.summed(1),
            "is the same for every channel: it uses the sum of the kernel's channels",
            SCATTER),
    mistake("stride_not_dilated", "dx", "whole", _undilated,
            "is the full correlation of dy as it is, without zeros between its entries: too small",
            "wide = np.zeros((N, F, (I-1)*t + 1, (J-1)*t + 1)); wide[:, :, ::t, ::t] = dy",
            also="stride_ignored_in_backward"),
    mistake("stride_not_dilated", "dx", "whole", lambda p: _undilated(p, rotated=False),
            "is the full correlation of dy as it is, without zeros between its entries and with the kernel not "
            "rotated",
            "wide = np.zeros((N, F, (I-1)*t + 1, (J-1)*t + 1)); wide[:, :, ::t, ::t] = dy",
            also="kernel_not_rotated"),
    *(mistake("stride_not_dilated", "dx", "whole", lambda p, r=r, c=c: _strided_again(p, rotated=r, cropped=c),
              "is a full correlation of dy as it is that applies the stride "
              f"again{'' if r else ', with the kernel as it is'}",
              "put the stride's zeros into dy and use stride 1", also="" if r else "kernel_not_rotated")
      for r in (True, False) for c in (True, False)),
    mistake("stride_remainder_dropped", "dx", "grid", "remainder dropped",
            "ends where the last window ends: rows that no window sees are missing",
            "dxp = np.zeros((N, C, H + 2*p, W + 2*p))"),
    mistake("padding_not_cropped", "dx", "grid", "uncropped", "has the size of the padded image", CROP),
    mistake("padding_not_cropped", "dx", "grid", "top left",
            "is cut out at the corner of the padded image: shifted by the padding", CROP,
            also="forward_backward_padding_disagree"),
    mistake("padding_not_cropped", "dx", "grid", "bottom right", "is cut at one side only, by twice the padding",
            CROP,
            also="forward_backward_padding_disagree"),
    mistake("forward_backward_padding_disagree", "dx", "grid", "half the kernel",
            "is cut by half the kernel's size on each side, as for a padding that keeps the size, whatever p is",
            CROP, also="padding_not_cropped full_padding_missing"),
    mistake("crop_slice_minus_zero", "dx", "grid", "minus slice", "is cut by [p:-p], which is empty for p = 0",
            CROP),
    mistake("forward_backward_padding_disagree", "dx", "grid", "border zero", "is zero along the border", CROP,
            also="padding_not_cropped"),
    mistake("full_padding_missing", "dx", "whole", lambda p: _valid(p, p["w"][:, :, ::-1, ::-1]),
            "is the valid correlation, not the full one: too small",
            "pad dy with R-1 and S-1 zeros",
            also="forward_backward_padding_disagree dx_shape_wrong_no_convolution"),
    mistake("full_padding_missing", "dx", "whole", lambda p: _valid(p, p["w"]),
            "is the valid correlation with the kernel as it is",
            "pad dy with R-1 and S-1 zeros, and rotate the kernel",
            also="kernel_not_rotated forward_backward_padding_disagree dx_shape_wrong_no_convolution"),
    mistake("full_padding_missing", "dx", "whole", lambda p: _same(p, p["w"][:, :, ::-1, ::-1]),
            "pads dy by the forward's padding",
            "pad dy with R-1-p and S-1-p zeros", also="forward_backward_padding_disagree", rank=1),
    mistake("full_padding_missing", "dx", "whole", lambda p: _same(p, p["w"]),
            "pads dy by the forward's padding, with the kernel as it is",
            "pad dy with R-1-p and S-1-p zeros, and rotate the kernel",
            also="kernel_not_rotated forward_backward_padding_disagree", rank=1),
    mistake("full_padding_missing", "dx", "whole", lambda p: _resized(p, p["w"]),
            "runs the forward's correlation over dy and leaves the rest zero",
            SCATTER, also="kernel_not_rotated dx_shape_wrong_no_convolution", rank=2),
    *(mistake("loop_bounds_off_by_one", "dx", "w", c.without_last(*axes), f"leaves out the kernel's last {what}",
              "for r in range(R): for s in range(S):", also="loop_over_input_size")
      for axes, what in (((2,), "row"), ((3,), "column"), ((2, 3), "row and column"))),
    *(mistake("reshape_axes_wrong", "dx", "whole", partial(_misread, order=order),
              "reads the gradients of the columns, (C·R·S, …), in another order than they were made in",
              "dcols.reshape(C*R*S, -1, N).transpose(2, 0, 1), as im2col made them",
              also="im2col_column_order_mismatch")
      for order in ("pn", "np", "n")),
    mistake("overlap_overwritten", "dx", "overlap", "last window",
            "keeps only the last window's contribution where windows overlap", SCATTER),
    *(mistake("bias_added_to_gradient", "dx", "out", lambda a, p, g=g: a + g(p["b"]), does,
              "leave b out: y = w·x + b, so b is in no gradient", also="forward_formula_wrong")
      for g, does in ((np.sum, "has the sum of the biases added"), (np.mean, "has the mean of the biases added"))),
    mistake("bias_added_to_gradient", "dx", "out", _plus_own_bias, "has the biases added, one to each channel",
            "leave b out: y = w·x + b, so b is in no gradient", also="forward_formula_wrong"),
    mistake("overlap_averaged", "dx", "out", lambda a, p: a / np.maximum(_covered(p), 1),
            "is divided by the number of windows that each pixel is in", SCATTER, also="batch_scale_wrong"),
    mistake("overlap_overwritten", "dx", "overlap", "last tap",
            "keeps only the last tap's contribution where windows overlap", SCATTER),
    mistake("overlap_overwritten", "dx", "filters", "last", "comes from the last filter alone", SCATTER, rank=3),
    mistake("kernel_not_rotated", "dx", "dy", c.flipped(2, 3),
            "has dy rotated by 180 degrees, where the kernel has to be", ROT180,
            also="kernel_rotated_over_wrong_axes"),
    mistake("kernel_not_rotated", "dx", "whole", lambda p: _interior(p, rotated=False),
            "is the full correlation with the kernel as it is, and 0 along the border", ROT180,
            also="border_missing loop_over_input_size"),
    mistake("border_missing", "dx", "whole", lambda p: _interior(p, rotated=True),
            "is 0 along the border, whose windows stick out of dy", "pad dy with R-1 and S-1 zeros on each side",
            also="loop_over_input_size"),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", "return dx, dw, db"),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: p.right["dw"], "is dw", "return dx, dw, db",
            also="returns_wrong_variable"),
    *(mistake("convolution_treated_as_matrix_product", "dx", "whole",
              lambda p, t=t, a=a: _dense_dx(p, transpose=t, after=a),
              "is a matrix product of the kernel and dy", SCATTER, also="dx_shape_wrong_no_convolution")
      for t in (True, False) for a in (True, False)),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", _product_dx, "is w·dy, entry by entry", SCATTER,
            also="convolution_replaced_by_elementwise_product convolution_treated_as_matrix_product"),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: np.einsum("fcrs,nfij->ncrs", p["w"], p.dy),
            "has the kernel's shape: w times the sum of dy", SCATTER),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: np.einsum("fcrs,nfij->frs", p["w"], p.dy),
            "has the kernel's shape: w times the sum of dy", SCATTER),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: np.einsum("fcrs,nfij->nfrs", p["w"], p.dy),
            "has the kernel's shape: w times the sum of dy", SCATTER),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: p["w"], "is the kernel itself", SCATTER,
            also="returns_wrong_variable"),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: np.einsum("fcrs,nfij->crs", p["w"], p.dy),
            "has the kernel's shape: w times the sum of dy", SCATTER),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: np.einsum("fcrs,nfij->fcrs", p["w"], p.dy),
            "has the kernel's shape: w times the sum of dy", SCATTER),
    mistake("convolution_treated_as_matrix_product", "dx", "whole", lambda p: np.broadcast_to(
            np.einsum("fc,nf->nc", p["w"].sum((2, 3)), p.dy.sum((2, 3)))[:, :, None, None], p["x"].shape),
            "is the sum of the kernel times the sum of dy, the same at every position", SCATTER, rank=1),
)  # fmt: skip

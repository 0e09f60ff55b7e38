"""What people get wrong about convolution.

    dx̂[a, b] += dy[i, j] · w[r, s]   and   dw[r, s] = Σ dy[i, j] · x̂[a, b]   with (a, b) = (i·t + r, j·t + s)

Every mistake is another choice of what stands in that line: which dy, which w, which x, which (a, b), and which part
of dx̂ is returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.ops.windows import Geometry, crop, fold, geometry, pad, windows
from whygrad.typing import Array


def where_of(p: Probe) -> Geometry:
    """Return where the windows of a probe lie."""
    return geometry(
        "conv2d", p["x"].shape[2:], p["w"].shape[2:], stride=p.options["stride"], padding=p.options["padding"]
    )  # type: ignore[arg-type]


def places(where: Geometry, how: str | None) -> tuple[Array, Array]:
    """Return the rows and columns (I, J, R, S) of the padded image that each output and tap meet."""
    (t, u), (rows, columns) = where.stride, where.output
    i, j, r, s = np.ogrid[:rows, :columns, : where.kernel[0], : where.kernel[1]]
    if how == "stride ignored":
        a, b = i + r, j + s
    elif how == "rows for columns":
        a, b = j * t + r, i * u + s
    elif how == "row index twice":
        a, b = i * t + r, i * u + s
    elif how == "stride of rows ignored":
        a, b = i + r, j * u + s
    elif how == "stride of columns ignored":
        a, b = i * t + r, j + s
    elif how == "tap times stride":
        a, b = i * t + r * t, j * u + s * u
    else:
        a, b = i * t + r, j * u + s
    shape = (rows, columns, *where.kernel)
    return np.broadcast_to(a, shape), np.broadcast_to(b, shape)


def seen(p: Probe, joints: Joints) -> Array:
    """Return what tap (r, s) sees at (i, j), as (N, C, I, J, R, S)."""
    where, image = where_of(p), padded(p, joints)
    how = joints.get("place")
    if how is None and image.shape[2:] == where.padded:
        return windows(image, where)
    a, b = places(where, how)
    fitting(bool(a.max() < image.shape[2] and b.max() < image.shape[3]))
    return image[:, :, a, b]


def padded(p: Probe, joints: Joints) -> Array:
    """Return the padded image, or what is taken for it."""
    sides, how = where_of(p).padding, joints.get("pad")
    top, bottom, left, right = sides
    if how == "after":
        return pad(p["x"], (0, top + bottom, 0, left + right))
    if how == "before":
        return pad(p["x"], (top + bottom, 0, left + right, 0))
    if how == "edge":
        return np.pad(p["x"], ((0, 0), (0, 0), (top, bottom), (left, right)), mode="edge")
    return pad(p["x"], sides)


def value(p: Probe, joints: Joints) -> Array:
    """Σ w·x + b, with joints for the windows and for the bias."""
    y = np.einsum("ncijrs,fcrs->nfij", seen(p, joints), p["w"], optimize=True)
    taps = int(np.prod(p["w"].shape[1:])) if joints.get("bias") == "per tap" else 1
    bias = 0.0 if joints.get("bias") == "left out" else taps * p["b"][:, None, None]
    return y + bias


def dx(p: Probe, joints: Joints) -> Array:
    """Spread dy through the filters and add up where windows overlap."""
    where = where_of(p)
    give = joints.get("filters")
    if give is None:
        back = np.einsum("nfij,fcrs->ncijrs", p.dy, p["w"], optimize=True)
    else:
        f = {"last": -1, "first": 0}[give]
        back = np.einsum("nij,crs->ncijrs", p.dy[:, f], p["w"][f], optimize=True)
    canvas = spread(back, where, joints)
    top, bottom, left, right = where.padding
    (height, width), grid = where.size, joints.get("grid")
    if grid == "uncropped":
        return canvas
    if grid == "top left":
        return canvas[:, :, :height, :width]
    if grid == "bottom right":
        return canvas[:, :, top + bottom :, left + right :]
    if grid == "minus slice":
        fitting(top == bottom == left == right)
        return canvas[:, :, top:-top, left:-left]
    if grid == "remainder dropped":
        reach = [(n - 1) * t + k for n, t, k in zip(where.output, where.stride, where.kernel, strict=True)]
        return crop(canvas[:, :, : reach[0], : reach[1]], where.padding)
    if grid == "border zero":
        inner = np.zeros_like(canvas[:, :, :height, :width])
        inner[:, :, top : height - bottom or None, left : width - right or None] = crop(canvas, where.padding)[
            :, :, top : height - bottom or None, left : width - right or None
        ]
        return inner
    return crop(canvas, where.padding)


def spread(back: Array, where: Geometry, joints: Joints) -> Array:
    """Add what each tap gives back to the padded image; or write over it."""
    how, overlap = joints.get("place"), joints.get("overlap")
    if how is None and overlap is None:
        sides = where._replace(padding=(0, 0, 0, 0))
        return fold(back, sides._replace(size=where.padded))
    a, b = places(where, how)
    fitting(bool(a.max() < where.padded[0] and b.max() < where.padded[1]))
    canvas = np.zeros(back.shape[:2] + where.padded)
    if overlap == "last window":
        canvas[:, :, a, b] = back
    elif overlap == "last tap":
        order = (0, 1, 4, 5, 2, 3)
        canvas[:, :, a.transpose(2, 3, 0, 1), b.transpose(2, 3, 0, 1)] = back.transpose(order)
    else:
        np.add.at(canvas, (slice(None), slice(None), a, b), back)
    return canvas


def dw(p: Probe, joints: Joints) -> Array:
    """Correlate the padded image with dy."""
    return np.einsum("nfij,ncijrs->fcrs", p.dy, seen(p, joints), optimize=True)


def db(p: Probe, joints: Joints) -> Array:
    """Σ dy over samples and positions."""
    return p.dy.sum((0, 2, 3))


def full_correlation(dy: Array, w: Array) -> Array:
    """Return the full correlation Σ_f dy ⋆ w of stride 1: (N, C, I+R−1, J+S−1)."""
    back = np.einsum("nfij,fcrs->ncijrs", dy, w[:, :, ::-1, ::-1], optimize=True)
    where = geometry("conv2d", (dy.shape[2] + w.shape[2] - 1, dy.shape[3] + w.shape[3] - 1), w.shape[2:])
    return fold(back, where)


def dilated(dy: Array, where: Geometry) -> Array:
    """Return dy with stride − 1 zeros between its entries."""
    (t, u), (rows, columns) = where.stride, where.output
    wide = np.zeros((*dy.shape[:2], (rows - 1) * t + 1, (columns - 1) * u + 1))
    wide[:, :, ::t, ::u] = dy
    return wide


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


def _correlation_with_all(p: Probe, dy: Array, *, swapped: bool = False) -> Array:
    """The correlation of the padded image with dy, of all its shifts."""
    image = pad(p["x"], where_of(p).padding)
    fitting(dy.shape[2] <= image.shape[2] and dy.shape[3] <= image.shape[3])
    view = np.lib.stride_tricks.sliding_window_view(image, dy.shape[2:], (2, 3))
    return np.einsum("nfij,ncrsij->fcrs", dy, view, optimize=True)


def _too_big(p: Probe, *, spread_out: bool) -> Array:
    where = where_of(p)
    fitting(max(where.stride) > 1)
    return _correlation_with_all(p, dilated(p.dy, where) if spread_out else p.dy)


def _unpadded(p: Probe) -> Array:
    """dw from the image without its padding: of another shape, unless dy is cut to fit."""
    fitting(any(where_of(p).padding))
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
    one = np.einsum("nfij,nfij->f", p.y, p.dy)
    return np.broadcast_to(one[:, None, None, None], p["w"].shape).copy()


def _elementwise_corner(p: Probe) -> Array:
    """dy times the corner of x of its size, entry by entry; one number for all taps."""
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


def _interior(p: Probe, *, rotated: bool) -> Array:
    """The full correlation, at pixels that have a whole window around them only."""
    r, s = p["w"].shape[2:]
    right = full_correlation(p.dy, p["w"][:, :, ::-1, ::-1] if rotated else p["w"])
    fitting(right.shape == p["x"].shape)
    out = np.zeros_like(right)
    place = (..., slice(r // 2, right.shape[2] - r // 2), slice(s // 2, right.shape[3] - s // 2))
    out[place] = right[place]
    return out


def _windows_times_sum(p: Probe) -> Array:
    """The sum of all windows times the sum of dy."""
    return np.einsum("nf,ncrs->fcrs", p.dy.sum((2, 3)), seen(p, {}).sum((2, 3)))


def _squares(a: tuple[int, ...], b: tuple[int, ...], result: tuple[int, ...]) -> None:
    fitting(a[1] == b[0] and (a[0], b[1]) == result)


def _matrix(p: Probe, formula: str, left: Array, right: Array) -> Array:
    """A matrix product of planes, summed over what remains."""
    return np.einsum(formula, left, right, optimize=True)


def _dense_dx(p: Probe, *, transpose: bool, after: bool) -> Array:
    """Kernels taken for the matrices of a dense layer: wᵀ·dy, w·dy, dy·w or dy·wᵀ, summed over the filters."""
    w = np.swapaxes(p["w"], 2, 3) if transpose else p["w"]
    if after:
        fitting(p.dy.shape[3] == w.shape[2])
        return np.einsum("nfij,fcjs->ncis", p.dy, w)
    fitting(w.shape[3] == p.dy.shape[2])
    return np.einsum("fcri,nfij->ncrj", w, p.dy)


def _dense_dw(p: Probe, *, transpose: bool, after: bool) -> Array:
    """Images taken for the activations of a dense layer: xᵀ·dy, x·dy, dy·x or dy·xᵀ, summed over the samples."""
    x = np.swapaxes(p["x"], 2, 3) if transpose else p["x"]
    if after:
        fitting(p.dy.shape[3] == x.shape[2])
        return np.einsum("nfij,ncjs->fcis", p.dy, x)
    fitting(x.shape[3] == p.dy.shape[2])
    return np.einsum("ncri,nfij->fcrj", x, p.dy)


def _product_dx(p: Probe) -> Array:
    """w·dy, entry by entry."""
    fitting(p["w"].shape[2:] == p.dy.shape[2:])
    return np.einsum("fcij,nfij->ncij", p["w"], p.dy)


def _reshape_swap_last(w: Array, _: Probe) -> Array:
    """The same for kernels that are kept as (R, S, C, F)."""
    f, channels, r, s = w.shape
    return w.transpose(2, 3, 1, 0).reshape(r, s, f, channels).transpose(2, 3, 0, 1)


def _reshape_swap(w: Array, _: Probe) -> Array:
    """w with its channel axes reshaped, as if that were a transpose, read back as (F, C, R, S)."""
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


def _summed_over(p: Probe, axes: tuple[int, ...]) -> Array:
    return p.dy.sum(axes)


def _db_from_dw(p: Probe) -> Array:
    return p.right["dw"].sum((1, 2, 3))


ROT180 = "dx = full correlation of dy with w[:, :, ::-1, ::-1], its channel axes swapped"
DW = "dw[f, c, r, s] = (dy[:, f] * xp[:, c, r:r + t*I:t, s:s + t*J:t]).sum()"
SCATTER = "dxp[n, :, i*t:i*t+R, j*t:j*t+S] += w[f] * dy[n, f, i, j]"
CROP = "return dxp[:, :, p:p + H, p:p + W]"
DB = "db = dy.sum(axis=(0, 2, 3))"

MISTAKES = (
    # the kernel's orientation
    mistake("kernel_not_rotated", "dx", "w", c.flipped(2, 3), "is the full correlation with the kernel as it is", ROT180,
            also="kernel_rotated_in_scatter_form"),
    mistake("kernel_rotated_over_wrong_axes", "dx", "w", c.flipped(2), "has the kernel reversed along columns alone",
            ROT180, also="kernel_not_rotated"),
    mistake("kernel_rotated_over_wrong_axes", "dx", "w", c.flipped(3), "has the kernel reversed along rows alone",
            ROT180, also="kernel_not_rotated"),
    *(mistake("kernel_rotated_over_wrong_axes", "dx", "w", _from_right_form(*axes),
              f"has the kernel reversed along axes {axes} in place of rows and columns, (2, 3)", ROT180, rank=1)
      for axes in ((0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (0, 1, 2, 3), (0,), (1,), (0, 1, 2), (1, 2, 3), (0, 2, 3))),
    *(mistake("kernel_rotated_over_wrong_axes", "dx", "w", c.flipped(*axes),
              f"has the kernel reversed along axes {axes} as well", ROT180, rank=1)
      for axes in ((0, 1), (0,), (1,))),
    mistake("kernel_rotated_over_wrong_axes", "dx", "w", _rotated_square, "has the kernel turned by 90 degrees, not by 180",
            ROT180, also="kernel_not_rotated"),
    mistake("kernel_rotated_over_wrong_axes", "dx", "w", _rotated_square_back,
            "has the kernel turned by 90 degrees, not by 180", ROT180, also="kernel_not_rotated"),
    mistake("kernel_transposed", "dx", "w", c.transposed(2, 3), "has rows and columns of the kernel exchanged", ROT180,
            also="height_width_mixed_up kernel_rotated_over_wrong_axes"),
    mistake("kernel_transposed", "dx", "w", lambda w, _: np.swapaxes(w, 2, 3)[:, :, ::-1, ::-1],
            "is the full correlation with the transposed kernel", ROT180,
            also="height_width_mixed_up kernel_not_rotated kernel_rotated_over_wrong_axes"),
    # channels
    mistake("channel_axes_not_swapped", "dx", "w", _unswapped, "multiplies filter f's dy by w[c, f] in place of w[f, c]",
            "w.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1] as the kernel of the full correlation"),
    mistake("channel_axes_not_swapped", "dx", "w", _reshape_swap, "has the kernel's channel axes reshaped, not transposed",
            "w.transpose(1, 0, 2, 3) in place of w.reshape(C, F, R, S)", also="reshape_axes_wrong"),
    mistake("channel_axes_not_swapped", "dx", "w", _reshape_swap_last, "has the channel axes of a kernel (R, S, C, F) reshaped, not transposed",
            "flip.swapaxes(2, 3) before the reshape to a matrix", also="reshape_axes_wrong"),
    mistake("wrong_loop_variable_as_index", "dx", "w", c.repeated(0), "uses filter 0 for every dy", "index w by its own filter: w[f]"),
    mistake("wrong_loop_variable_as_index", "dx", "w", c.repeated(0, -1), "uses the last filter for every dy",
            "index w by its own filter: w[f]"),
    mistake("wrong_loop_variable_as_index", "dx", "w", c.repeated(1), "uses channel 0 of the kernel for every channel",
            "index w by its own channel: w[f, c]"),
    mistake("wrong_loop_variable_as_index", "dx", "w", c.repeated(1, -1), "uses the last channel of the kernel for every channel",
            "index w by its own channel: w[f, c]"),
    mistake("channel_axes_not_swapped", "dx", "w", c.summed(1), "is the same for every channel: it uses the sum of the kernel's channels",
            SCATTER),
    mistake("wrong_loop_variable_as_index", "dx dw", "dy", c.repeated(1), "takes the dy of filter 0 for every filter", "index dy by its own filter: dy[n, f]"),
    mistake("wrong_loop_variable_as_index", "dx dw", "dy", c.repeated(1, -1), "takes the dy of the last filter for every filter",
            "index dy by its own filter: dy[n, f]"),
    mistake("wrong_loop_variable_as_index", "dx dw", "dy", c.summed(1), "takes the dy of all filters together for each",
            "index dy by its own filter: dy[n, f]", also="channels_mixed_in_weight_gradient"),
    mistake("overlap_overwritten", "dx dw db", "dy", c.only(1, -1), "comes from the last filter alone",
            "add up over the filters: +=", also="wrong_loop_variable_as_index overwritten_in_batch_loop"),
    mistake("early_return_in_loop", "dx dw db", "dy", c.only(1, 0), "comes from the first filter alone",
            "return after the loop over the filters, not in it", also="wrong_loop_variable_as_index"),
    mistake("wrong_loop_variable_as_index", "dx dw db", "dy", lambda a, _: _transposed_planes(a), "reads dy[j, i] where dy[i, j] is meant",
            "dy[n, f, i, j]", also="height_width_mixed_up"),
    # where the windows lie
    mistake("stride_ignored_in_backward", "dx dw", "place", "stride ignored", "uses the windows at (i, j), not at (i·stride, j·stride)", SCATTER),
    mistake("stride_ignored_in_backward", "dx dw", "place", "stride of rows ignored", "uses the stride for columns but not for rows", SCATTER),
    mistake("stride_ignored_in_backward", "dx dw", "place", "stride of columns ignored", "uses the stride for rows but not for columns", SCATTER),
    mistake("height_width_mixed_up", "dx dw y", "place", "rows for columns", "uses the window at (j, i) for output (i, j)", SCATTER,
            also="wrong_loop_variable_as_index"),
    mistake("wrong_loop_variable_as_index", "dx dw y", "place", "row index twice", "uses the row index for columns as well: the window at (i, i)", SCATTER,
            also="height_width_mixed_up"),
    mistake("stride_ignored_in_backward", "dx dw", "place", "tap times stride", "multiplies the taps by the stride as well", SCATTER),
    mistake("stride_not_dilated", "dx", "whole", _undilated,
            "is the full correlation of dy as it is, without zeros between its entries: too small",
            "wide = np.zeros((N, F, (I-1)*t + 1, (J-1)*t + 1)); wide[:, :, ::t, ::t] = dy", also="stride_ignored_in_backward"),
    mistake("stride_not_dilated", "dx", "whole", lambda p: _undilated(p, rotated=False),
            "is the full correlation of dy as it is, without zeros between its entries and with the kernel not rotated",
            "wide = np.zeros((N, F, (I-1)*t + 1, (J-1)*t + 1)); wide[:, :, ::t, ::t] = dy", also="kernel_not_rotated"),
    *(mistake("stride_not_dilated", "dx", "whole", lambda p, r=r, c=c: _strided_again(p, rotated=r, cropped=c),
              f"is a full correlation of dy as it is that applies the stride again{'' if r else ', with the kernel as it is'}",
              "put the stride's zeros into dy and use stride 1", also="" if r else "kernel_not_rotated")
      for r in (True, False) for c in (True, False)),
    mistake("stride_remainder_dropped", "dx", "grid", "remainder dropped", "ends where the last window ends: rows that no window sees are missing",
            "dxp = np.zeros((N, C, H + 2*p, W + 2*p))"),
    mistake("stride_remainder_dropped", "dw", "whole", lambda p: _too_big(p, spread_out=True),
            "has a row or column for every shift of the dilated dy that fits: more than the kernel", "dw = dw[:, :, :R, :S]"),
    mistake("stride_not_dilated", "dw", "whole", lambda p: _too_big(p, spread_out=False),
            "is the correlation with dy as it is, without zeros between its entries", DW, also="stride_ignored_in_backward"),
    # padding
    mistake("padding_not_cropped", "dx", "grid", "uncropped", "has the size of the padded image", CROP),
    mistake("padding_not_cropped", "dx", "grid", "top left", "is cut out at the corner of the padded image: shifted by the padding", CROP,
            also="forward_backward_padding_disagree"),
    mistake("padding_not_cropped", "dx", "grid", "bottom right", "is cut at one side only, by twice the padding", CROP,
            also="forward_backward_padding_disagree"),
    mistake("crop_slice_minus_zero", "dx", "grid", "minus slice", "is cut by [p:-p], which is empty for p = 0", CROP),
    mistake("forward_backward_padding_disagree", "dx", "grid", "border zero", "is zero along the border", CROP, also="padding_not_cropped"),
    mistake("forward_backward_padding_disagree", "dw y", "pad", "after", "pads the image at the bottom and right only", "np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))"),
    mistake("forward_backward_padding_disagree", "dw y", "pad", "before", "pads the image at the top and left only", "np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))"),
    mistake("forward_backward_padding_disagree", "dw y", "pad", "edge", "repeats the border in place of zeros", "np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))"),
    mistake("forward_backward_padding_disagree", "dw", "whole", _unpadded, "reads the image without its padding", DW),
    mistake("full_padding_missing", "dx", "whole", lambda p: _valid(p, p["w"][:, :, ::-1, ::-1]), "is the valid correlation, not the full one: too small",
            "pad dy with R-1 and S-1 zeros", also="forward_backward_padding_disagree dx_shape_wrong_no_convolution"),
    mistake("full_padding_missing", "dx", "whole", lambda p: _valid(p, p["w"]), "is the valid correlation with the kernel as it is",
            "pad dy with R-1 and S-1 zeros, and rotate the kernel", also="kernel_not_rotated forward_backward_padding_disagree dx_shape_wrong_no_convolution"),
    mistake("full_padding_missing", "dx", "whole", lambda p: _same(p, p["w"][:, :, ::-1, ::-1]), "pads dy by the forward's padding",
            "pad dy with R-1-p and S-1-p zeros", also="forward_backward_padding_disagree", rank=1),
    mistake("full_padding_missing", "dx", "whole", lambda p: _same(p, p["w"]), "pads dy by the forward's padding, with the kernel as it is",
            "pad dy with R-1-p and S-1-p zeros, and rotate the kernel", also="kernel_not_rotated forward_backward_padding_disagree", rank=1),
    mistake("full_padding_missing", "dx", "whole", lambda p: _resized(p, p["w"]), "runs the forward's correlation over dy and leaves the rest zero",
            SCATTER, also="kernel_not_rotated dx_shape_wrong_no_convolution", rank=2),
    # loops and overlaps
    mistake("overlap_overwritten", "dx", "overlap", "last window", "keeps only the last window's contribution where windows overlap", SCATTER),
    mistake("overlap_overwritten", "dx", "overlap", "last tap", "keeps only the last tap's contribution where windows overlap", SCATTER),
    mistake("overlap_overwritten", "dx", "filters", "last", "comes from the last filter alone", SCATTER, rank=3),
    mistake("overlap_overwritten", "dw", "dy", c.corner(last=True), "comes from the last output position alone",
            "dw[f] += xp[n, :, i*t:i*t+R, j*t:j*t+S] * dy[n, f, i, j]", also="overwritten_in_batch_loop"),
    mistake("overlap_overwritten", "dw", "dy", lambda a, p: c.only(0, -1)(c.corner(last=True)(a, p), p),
            "comes from the last output position of the last sample alone",
            "dw[f] += xp[n, :, i*t:i*t+R, j*t:j*t+S] * dy[n, f, i, j]", also="overwritten_in_batch_loop"),
    mistake("early_return_in_loop", "dx dw", "dy", c.corner(last=False), "comes from the first output position alone", "return after the loops, not in them"),
    mistake("loop_bounds_off_by_one", "dx dw", "dy", c.without_last(2, 3), "leaves out the last row and column of dy", "for i in range(I): for j in range(J):",
            also="loop_over_input_size"),
    mistake("loop_bounds_off_by_one", "dx dw", "dy", c.without_last(2), "leaves out the last row of dy", "for i in range(I):", also="loop_over_input_size"),
    mistake("loop_bounds_off_by_one", "dx dw", "dy", c.without_last(3), "leaves out the last column of dy", "for j in range(J):", also="loop_over_input_size"),
    mistake("wrong_loop_variable_as_index", "dw", "x", c.repeated(0), "reads the first image for every sample", "index x by its own sample: x[n]"),
    mistake("wrong_loop_variable_as_index", "dw", "x", c.repeated(0, -1), "reads the last image for every sample", "index x by its own sample: x[n]"),
    mistake("batch_sum_missing", "dw", "out", lambda a, p: np.einsum("nfij,ncijrs->nfcrs", p.dy, seen(p, {}), optimize=True),
            "has one gradient for each sample", "dw.sum(axis=0)", rank=3),
    # the weight gradient
    mistake("kernel_gradient_flipped", "dw", "out", c.flipped(2, 3), "comes out rotated by 180 degrees", DW),
    mistake("kernel_gradient_flipped", "dw", "out", c.flipped(2), "comes out upside down", DW, also="kernel_rotated_over_wrong_axes"),
    mistake("kernel_gradient_flipped", "dw", "out", c.flipped(3), "comes out with its columns reversed", DW, also="kernel_rotated_over_wrong_axes"),
    mistake("kernel_gradient_flipped", "dw", "dy", c.flipped(2, 3), "is the correlation with dy rotated by 180 degrees: a true convolution", DW, also="kernel_not_rotated"),
    mistake("kernel_not_rotated", "dx", "dy", c.flipped(2, 3), "has dy rotated by 180 degrees, where the kernel has to be", ROT180, also="kernel_rotated_over_wrong_axes"),
    mistake("kernel_rotated_over_wrong_axes", "dw", "out", c.flipped(0, 1), "comes out with filters and channels in reverse", DW, also="kernel_gradient_flipped"),
    mistake("weight_gradient_transposed", "dw", "out", c.transposed(2, 3), "comes out with rows and columns exchanged", DW, also="height_width_mixed_up"),
    mistake("weight_gradient_transposed", "dw", "out", c.transposed(0, 1), "comes out as (C, F, R, S)", "dw.transpose(1, 0, 2, 3)", also="channel_axes_not_swapped"),
    mistake("channel_axes_not_swapped", "dw", "out", lambda a, _: np.swapaxes(a, 0, 1).reshape(a.shape), "has its channel axes reshaped, not transposed",
            "dw.transpose(1, 0, 2, 3)", also="reshape_axes_wrong weight_gradient_transposed"),
    mistake("channels_mixed_in_weight_gradient", "dw", "x", c.summed(1), "has the sum of the input channels in every channel", DW),
    mistake("wrong_loop_variable_as_index", "dw", "x", c.repeated(1), "reads input channel 0 for every channel", "index x by its own channel: x[n, c]",
            also="channels_mixed_in_weight_gradient"),
    mistake("wrong_loop_variable_as_index", "dw", "x", c.repeated(1, -1), "reads the last input channel for every channel", "index x by its own channel: x[n, c]",
            also="channels_mixed_in_weight_gradient"),
    mistake("channels_mixed_in_weight_gradient", "dw", "out", lambda a, _: np.broadcast_to(a.mean(1, keepdims=True), a.shape), "has the mean of the input channels in every channel", DW),
    mistake("weight_gradient_elementwise_window", "dw", "whole", lambda p: _window_products(p, pad(p["x"], where_of(p).padding)),
            "is made of windows of dy times windows of x, entry by entry", DW, also="convolution_replaced_by_elementwise_product"),
    mistake("weight_gradient_elementwise_window", "dw", "whole", _centred_windows,
            "is made of windows of dy (in a map of x's size) times windows of x, entry by entry", DW, also="convolution_replaced_by_elementwise_product"),
    mistake("kernel_not_rotated", "dx", "whole", lambda p: _interior(p, rotated=False), "is the full correlation with the kernel as it is, and 0 along the border", ROT180,
            also="border_missing loop_over_input_size"),
    mistake("border_missing", "dx", "whole", lambda p: _interior(p, rotated=True), "is 0 along the border, whose windows stick out of dy", "pad dy with R-1 and S-1 zeros on each side",
            also="loop_over_input_size"),
    mistake("weight_gradient_elementwise_window", "dw", "whole", lambda p: _window_products(p, p["x"]),
            "is made of windows of dy times windows of x, entry by entry", DW, also="convolution_replaced_by_elementwise_product", rank=1),
    mistake("convolution_replaced_by_elementwise_product", "dw", "whole", _elementwise, "is Σ x·dy without any shift: one number in all taps", DW),
    mistake("convolution_replaced_by_elementwise_product", "dw", "whole", _elementwise_output,
            "is Σ y·dy, of the layer's own output and without any shift: one number in all taps", DW, also="output_used_instead_of_input"),
    mistake("convolution_replaced_by_elementwise_product", "dw", "whole", _elementwise_corner, "is Σ x·dy over the corner of x, without any shift", DW, rank=1),
    mistake("convolution_replaced_by_elementwise_product", "dw", "whole", _windows_times_sum,
            "is the sum of dy times the sum of the windows: the two sums have been torn apart", DW),
    mistake("output_used_instead_of_input", "dw", "x", c.instead("y"), "is the correlation with the layer's own output in place of its input", DW),
    mistake("activation_derivative_of_wrong_tensor", "dw", "x", lambda a, p: _same_size(p.dy, a), "is the correlation of dy with itself", DW, rank=2),
    mistake("returns_wrong_variable", "dw", "whole", lambda p: p["w"], "is w itself", "return dx, dw, db"),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", "return dx, dw, db"),
    mistake("returns_wrong_variable", "dx dw", "whole", lambda p: p.dy, "is dy itself", "return dx, dw, db", also="dx_not_propagated"),
    mistake("returns_wrong_variable", "dx dw", "whole", lambda p: p.y, "is y itself", "return dx, dw, db"),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: p.right["dw"], "is dw", "return dx, dw, db", also="returns_wrong_variable"),
    mistake("returns_wrong_variable", "dw", "whole", lambda p: p.right["dx"], "is dx", "return dx, dw, db"),
    # matrix and entry-wise products
    *(mistake("convolution_treated_as_matrix_product", "dx", "whole", lambda p, t=t, a=a: _dense_dx(p, transpose=t, after=a),
              "is a matrix product of the kernel and dy", SCATTER, also="dx_shape_wrong_no_convolution")
      for t in (True, False) for a in (True, False)),
    *(mistake("convolution_treated_as_matrix_product", "dw", "whole", lambda p, t=t, a=a: _dense_dw(p, transpose=t, after=a),
              "is a matrix product of the image and dy", DW)
      for t in (True, False) for a in (True, False)),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", _product_dx, "is w·dy, entry by entry", SCATTER,
            also="convolution_replaced_by_elementwise_product convolution_treated_as_matrix_product"),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: np.einsum("fcrs,nfij->ncrs", p["w"], p.dy), "has the kernel's shape: w times the sum of dy", SCATTER),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: np.einsum("fcrs,nfij->frs", p["w"], p.dy), "has the kernel's shape: w times the sum of dy", SCATTER),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: np.einsum("fcrs,nfij->nfrs", p["w"], p.dy), "has the kernel's shape: w times the sum of dy", SCATTER),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: p["w"], "is the kernel itself", SCATTER, also="returns_wrong_variable"),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: np.einsum("fcrs,nfij->crs", p["w"], p.dy), "has the kernel's shape: w times the sum of dy", SCATTER),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: np.einsum("fcrs,nfij->fcrs", p["w"], p.dy), "has the kernel's shape: w times the sum of dy", SCATTER),
    mistake("convolution_treated_as_matrix_product", "dx", "whole", lambda p: np.broadcast_to(
            np.einsum("fc,nf->nc", p["w"].sum((2, 3)), p.dy.sum((2, 3)))[:, :, None, None], p["x"].shape),
            "is the sum of the kernel times the sum of dy, the same at every position", SCATTER, rank=1),
    # the bias
    *(mistake("bias_gradient_wrong_axes", "db", "whole", lambda p, axes=axes: _summed_over(p, axes), f"is summed over axes {axes}", DB,
              also="batch_sum_missing" if 0 not in axes else "")
      for axes in ((0,), (1,), (2,), (3,), (0, 1), (1, 2), (2, 3), (0, 2), (0, 3), (1, 3), (1, 2, 3), (0, 1, 2), (0, 1, 3), (0, 1, 2, 3))),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: np.full_like(p["b"], p.dy.sum()), "is the sum of all of dy, in every filter", DB),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: p.dy, "is dy, not summed at all", DB, also="batch_sum_missing"),
    mistake("bias_gradient_wrong_tensor", "db", "whole", _db_from_dw, "is the sum of dw", DB),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p.right["dw"], "is dw", DB, also="returns_wrong_variable"),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p.right["dx"], "is dx", DB, also="returns_wrong_variable"),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: np.asarray(p.right["dw"].sum()), "is the sum of dw, one number", DB),
    mistake("bias_gradient_wrong_tensor", "db", "dy", lambda a, p: p.y, "is the sum of y, not of dy", DB),
    mistake("bias_gradient_wrong_tensor", "db", "dy", lambda a, p: a * p.y, "is the sum of dy·y, not of dy", DB),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p.dy.sum((0, 2, 3)) * p["b"], "is multiplied by b", DB),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p["b"], "is b itself", DB, also="returns_wrong_variable"),
    mistake("bias_gradient_wrong_axes", "db", "dy", c.corner(last=True), "comes from the last output position alone", DB, also="overlap_overwritten"),
    # the forward pass
    mistake("forward_formula_wrong", "y", "w", c.flipped(2, 3), "is a true convolution: the kernel is rotated", "y[i, j] = (w * x[i*t:i*t+R, j*t:j*t+S]).sum() + b",
            also="kernel_rotated_over_wrong_axes"),
    mistake("forward_stride_index_wrong", "y", "place", "stride ignored", "reads the window at (i, j) for output (i, j)", "x[i*t:i*t+R, j*t:j*t+S]"),
    mistake("forward_stride_index_wrong", "y", "whole", lambda p: _stepped_output(p), "writes to every stride-th output only", "y[i, j] = ... for i in range(I): the window starts at i*t"),
    mistake("bias_added_per_element", "y", "bias", "per tap", "adds the bias once for each tap", "add b after the sum"),
    mistake("bias_added_per_element", "y", "whole", lambda p: value(p, {"bias": "left out"}) + (p["w"][0, 0].size * p["b"])[:, None, None],
            "adds the bias once for each tap of the kernel's plane", "add b after the sums"),
    mistake("bias_added_per_element", "y", "whole", lambda p: value(p, {"bias": "left out"}) + (p["w"].shape[1] * p["b"])[:, None, None],
            "adds the bias once for each input channel", "add b after the sum over the channels"),
    mistake("forward_formula_wrong", "y", "bias", "left out", "leaves the bias out", "+ b[f]"),
    mistake("wrong_loop_variable_as_index", "y", "w", c.repeated(0), "uses filter 0 for every output", "w[f]"),
    mistake("wrong_loop_variable_as_index", "y", "x", c.repeated(1), "reads channel 0 of x for every channel", "x[n, c]"),
    mistake("wrong_loop_variable_as_index", "y", "w", c.repeated(1), "uses channel 0 of the kernel for every channel", "w[f, c]"),
    mistake("overlap_overwritten", "y", "whole", lambda p: _one_channel(p, -1), "keeps only the last input channel", "y += over the channels", also="early_return_in_loop"),
    mistake("early_return_in_loop", "y", "whole", lambda p: _one_channel(p, 0), "keeps only the first input channel", "y += over the channels"),
    mistake("padding_not_cropped", "y", "whole", lambda p: _forward_unpadded(p), "ignores the padding", "np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))",
            also="forward_backward_padding_disagree"),
    *c.common("dx dw db", zero={"db": "missing_bias_gradient"}),
)  # fmt: skip


def _transposed_planes(dy: Array) -> Array:
    fitting(dy.shape[2] == dy.shape[3])
    return np.swapaxes(dy, 2, 3)


def _same_size(a: Array, b: Array) -> Array:
    fitting(a.shape == b.shape)
    return a


def _stepped_output(p: Probe) -> Array:
    """Loops over i in range(0, H − R + 1, stride) and writes to y[i // 1]: every stride-th entry that there is."""
    where = where_of(p)
    t, u = where.stride
    fitting(max(t, u) > 1)
    y = np.zeros_like(p.y)
    image = pad(p["x"], where.padding)
    r, s = where.kernel
    for i in range(0, where.output[0], t):
        for j in range(0, where.output[1], u):
            window = image[:, :, i : i + r, j : j + s]
            y[:, :, i, j] = np.einsum("ncrs,fcrs->nf", window, p["w"]) + p["b"]
    return y


def _one_channel(p: Probe, channel: int) -> Array:
    taps = np.einsum("nijrs,frs->nfij", seen(p, {})[:, channel], p["w"][:, channel], optimize=True)
    return taps + p["b"][:, None, None]


def _forward_unpadded(p: Probe) -> Array:
    where = where_of(p)
    fitting(any(where.padding))
    inner = geometry("conv2d", p["x"].shape[2:], p["w"].shape[2:], stride=p.options["stride"])  # type: ignore[arg-type]
    return np.einsum("ncijrs,fcrs->nfij", windows(p["x"], inner), p["w"], optimize=True) + p["b"][:, None, None]


def sizes(p: Probe) -> dict[str, float]:
    """Return what a factor may be made of."""
    where = where_of(p)
    n, channels = p["x"].shape[:2]
    (i, j), (r, s) = where.output, where.kernel
    return {"N": n, "C": channels, "F": p["w"].shape[0], "I·J": i * j, "R·S": r * s, "I": i, "J": j, "R": r, "S": s,
            "H": where.size[0], "W": where.size[1], "H·W": where.size[0] * where.size[1], "stride": where.stride[0]}  # fmt: skip


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


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return sizes that all differ, strides with and without remainder, padding, and square ones beside them."""
    made = []
    for name, x, (f, r, s), stride, padding in _PLANS:
        stride, padding = options.get("stride") or stride, options.get("padding", padding)
        padding = 0 if padding is None else padding
        inputs = {"x": spaced(rng, *x), "w": rng.normal(size=(f, x[1], r, s)), "b": rng.normal(size=f) + 0.5}
        probe = Probe(name, inputs, np.zeros(0), subject, {"stride": stride, "padding": padding})
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


SUBJECT = Subject(
    "conv2d", ("x", "w", "b"), {"dx": dx, "dw": dw, "db": db}, value, probes, MISTAKES, sizes,
    {"stride": 1, "padding": 0}, lines={"dx": SCATTER, "dw": DW, "db": DB, "y": "y[n, f, i, j] = (w[f] * xp[n, :, i*t:i*t+R, j*t:j*t+S]).sum() + b[f]"},
)  # fmt: skip

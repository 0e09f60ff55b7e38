"""What people get wrong about max-pooling: dx[place of the maximum] += dy[i, j], one place for each window."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.mistakes import pooling
from whygrad.diagnosis.mistakes.pooling import covered, padded, places, where_of, write
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array, IntArray

LINE = "r, s = np.unravel_index(window.argmax(), window.shape); dx[n, c, i*t + r, j*t + s] += dy[n, c, i, j]"


def seen(p: Probe, joints: Joints) -> Array:
    """Return the windows (N, C, I, J, R·S)."""
    image = padded(p, -np.inf)
    a, b = places(where_of(p), joints.get("place"))
    fitting(bool(a.max() < image.shape[2] and b.max() < image.shape[3]))
    return image[:, :, a, b]


def value(p: Probe, joints: Joints) -> Array:
    """The maximum of each window."""
    return seen(p, joints).max(-1)


def winners(values: Array, how: str | None) -> Array:
    """Return the share of dy that each entry of a window gets, (N, C, I, J, R·S)."""
    top = values == values.max(-1, keepdims=True)
    if how == "every tie":
        return top * 1.0
    if how == "shared":
        return top / top.sum(-1, keepdims=True)
    if how == "all":
        return np.ones_like(values)
    if how == "mean":
        return np.full_like(values, 1 / values.shape[-1])
    pick: dict[str | None, Callable[[Array], IntArray]] = {
        None: lambda v: v.argmax(-1),
        "last": lambda v: v.shape[-1] - 1 - v[..., ::-1].argmax(-1),
        "minimum": lambda v: v.argmin(-1),
        "magnitude": lambda v: np.abs(np.where(np.isfinite(v), v, 0)).argmax(-1),
        "corner": lambda v: np.zeros(v.shape[:-1], np.intp),
    }
    return (np.arange(values.shape[-1]) == pick[how](values)[..., None]) * 1.0


def dx(p: Probe, joints: Joints) -> Array:
    """Give dy back to the maximum of its window."""
    share = winners(seen(p, joints), joints.get("winner"))
    if joints.get("turned"):
        height, width = where_of(p).kernel
        fitting(height == width)
        share = np.swapaxes(share.reshape(*share.shape[:-1], height, width), -1, -2).reshape(share.shape)
    return write(share * p.dy[..., None], p, joints)


def _offset_missing(p: Probe, *, add: bool) -> Array:
    """The position within the window taken for the position in the image."""
    where, x = where_of(p), seen(p, {})
    index = x.argmax(-1)
    r, s = np.unravel_index(index, where.kernel)
    out = np.zeros_like(p["x"])
    for n, channel, i, j in np.ndindex(index.shape):
        at = n, channel, r[n, channel, i, j], s[n, channel, i, j]
        out[at] = p.dy[n, channel, i, j] + (out[at] if add else 0)
    return out


def _flat_index(p: Probe, *, add: bool) -> Array:
    """The index within the flattened window taken for one in the flattened image."""
    index = seen(p, {}).argmax(-1)
    out = np.zeros_like(p["x"])
    flat = out.reshape(*out.shape[:2], -1)
    for n, channel, i, j in np.ndindex(index.shape):
        at = n, channel, index[n, channel, i, j]
        flat[at] = p.dy[n, channel, i, j] + (flat[at] if add else 0)
    return out


def _decoded(p: Probe, *, by: str) -> Array:
    """The index within the window divided by another number than its width; what lies outside is lost."""
    where, index = where_of(p), seen(p, {}).argmax(-1)
    width = {"stride": where.stride[1], "columns": where.output[1], "width": where.size[1]}[by]
    fitting(not any(where.padding))
    out = np.zeros_like(p["x"])
    for n, channel, i, j in np.ndindex(index.shape):
        r, s = divmod(int(index[n, channel, i, j]), width)
        a, b = i * where.stride[0] + r, j * where.stride[1] + s
        if a < where.size[0] and b < where.size[1]:
            out[n, channel, a, b] += p.dy[n, channel, i, j]
    return out


def _over_channels(p: Probe) -> Array:
    """The maximum over the channels as well: one of them gets dy."""
    x = seen(p, {})
    best = x.max((1, -1), keepdims=True)
    return write((x == best) * p.dy[..., None], p, {})


def _image_maximum(p: Probe) -> Array:
    """The maximum of the whole image, in place of each window's."""
    x = seen(p, {})
    best = p["x"].max((2, 3), keepdims=True)[..., None]
    return write((x == best) * p.dy[..., None], p, {})


def _smaller(p: Probe) -> Array:
    """Windows without their last row and column."""
    where = where_of(p)
    fitting(min(where.kernel) > 1)
    x = seen(p, {}).reshape(*p.dy.shape, *where.kernel).copy()
    x[..., -1, :] = -np.inf
    x[..., :, -1] = -np.inf
    return write(winners(x.reshape(*p.dy.shape, -1), None) * p.dy[..., None], p, {})


def _repeated(p: Probe) -> Array:
    """Repeat dy over its window, as upsampling does, where x is the maximum of its tile."""
    where = where_of(p)
    fitting(where.stride == where.kernel)
    up = np.repeat(np.repeat(p.dy, where.kernel[0], 2), where.kernel[1], 3)
    big = np.zeros_like(p["x"])
    big[:, :, : up.shape[2], : up.shape[3]] = up
    return big


def _placed(p: Probe, joints: Joints, how: str) -> Array:
    return write(winners(seen(p, {}), how) * p.dy[..., None], p, joints)


def _common_mask(p: Probe, *, painted: bool) -> Array:
    """One mask of the image, of all windows' maxima, times the dy of every window that covers an entry."""
    mask = write(winners(seen(p, {}), None), p, {}) > 0
    over = np.repeat(p.dy[..., None], int(np.prod(where_of(p).kernel)), -1)
    return mask * write(over, p, {"overlap": "last window"} if painted else {})


def alternatives(p: Probe, output: str) -> list[Array]:
    """At ties the first maximum, the last, or all in equal shares: each is a subgradient."""
    return [_placed(p, {}, how) for how in ("last", "shared")] if output == "dx" else []


MISTAKES = (
    mistake("ties_duplicate_gradient", "dx", "winner", "every tie",
            "gives dy to every entry that equals the maximum", LINE),
    mistake("overlap_overwritten", "dx", "overlap", "last window",
            "keeps the last window's contribution where windows overlap: its zeros as well", LINE),
    mistake("overlap_overwritten", "dx", "overlap", "last non-zero",
            "keeps only the last dy where one entry is the maximum of several windows", LINE),
    mistake("pool_window_offset_missing", "dx", "whole", partial(_offset_missing, add=True),
            "writes to the position within the window as if it were that in the image", LINE),
    mistake("pool_window_offset_missing", "dx", "whole", partial(_offset_missing, add=False),
            "writes (with =) to the position within the window as if it were that in the image", LINE,
            also="overlap_overwritten"),
    mistake("pool_window_offset_missing", "dx", "whole", partial(_flat_index, add=True),
            "takes the index within the flattened window for one in the flattened image", LINE),
    mistake("pool_window_offset_missing", "dx", "whole", partial(_flat_index, add=False),
            "takes (with =) the index within the flattened window for one in the flattened image", LINE,
            also="overlap_overwritten"),
    mistake("mask_shared_by_windows", "dx", "whole", partial(_common_mask, painted=False),
            "has one mask for all windows: the maximum of one gets the dy of every window that covers it", LINE,
            also="ties_duplicate_gradient"),
    mistake("overlap_overwritten", "dx", "whole", partial(_common_mask, painted=True),
            "spreads dy over whole windows with =, and masks what is left with all windows' maxima", LINE,
            also="mask_shared_by_windows"),
    mistake("stride_ignored_in_backward", "dx", "place", "stride ignored",
            "uses the windows at (i, j), not at (i·stride, j·stride)", LINE),
    mistake("stride_ignored_in_backward", "dx", "place", "window size for stride",
            "steps by the window's size where the stride is meant", LINE),
    mistake("height_width_mixed_up", "dx", "place", "rows for columns", "uses the window at (j, i) for dy[i, j]",
            LINE, also="wrong_loop_variable_as_index"),
    mistake("height_width_mixed_up", "dx", "turned", True, "takes the row of the maximum for its column", LINE,
            also="wrong_loop_variable_as_index"),
    mistake("max_pooling_treated_as_average", "dx", "winner", "all", "gives dy to every entry of the window", LINE,
            also="ties_duplicate_gradient"),
    mistake("max_pooling_treated_as_average", "dx", "winner", "mean",
            "gives every entry of the window an equal share, as average-pooling does", LINE,
            also="avgpool_share_wrong"),
    mistake("mask_inverted", "dx", "winner", "minimum", "goes to the minimum", LINE),
    mistake("pool_winner_wrong", "dx", "winner", "magnitude", "goes to the entry of the largest magnitude", LINE,
            also="returns_wrong_variable"),
    mistake("pool_window_offset_missing", "dx", "winner", "corner", "always goes to the window's first entry", LINE,
            also="pool_winner_wrong"),
    mistake("pool_winner_wrong", "dx", "whole", _over_channels, "takes the maximum over the channels as well",
            LINE, also="axis_wrong wrong_loop_variable_as_index softmax_wrong_axis"),
    mistake("pool_winner_wrong", "dx", "whole", partial(_decoded, by="stride"),
            "divides the index within the window by the stride, where the window's width is meant",
            "r, s = divmod(window.argmax(), k)", also="height_width_mixed_up pool_window_offset_missing"),
    mistake("pool_winner_wrong", "dx", "whole", partial(_decoded, by="columns"),
            "divides the index within the window by the width of y, where the window's width is meant",
            "r, s = divmod(window.argmax(), k)", also="height_width_mixed_up pool_window_offset_missing"),
    mistake("pool_winner_wrong", "dx", "whole", partial(_decoded, by="width"),
            "divides the index within the window by the image's width, where the window's is meant",
            "r, s = divmod(window.argmax(), k)", also="height_width_mixed_up pool_window_offset_missing"),
    mistake("pool_winner_wrong", "dx", "whole", _image_maximum,
            "takes the maximum of the whole image for each window's", LINE),
    mistake("loop_bounds_off_by_one", "dx", "whole", _smaller,
            "looks for the maximum in windows without their last row and column", LINE),
    mistake("max_pooling_treated_as_average", "dx", "whole", _repeated, "is dy repeated over each window", LINE,
            rank=1),
    mistake("stride_remainder_dropped", "dx", "grid", "remainder dropped",
            "ends with the last window: rows that no window sees are missing", "dx = np.zeros_like(x)"),
    mistake("padding_not_cropped", "dx", "grid", "uncropped", "has the size of the padded image",
            "return dxp[:, :, p:p + H, p:p + W]"),
    mistake("loop_bounds_off_by_one", "dx", "dy", c.without_last(2, 3), "leaves out the last row and column of dy",
            "for i in range(I): for j in range(J):", also="loop_over_input_size"),
    mistake("loop_bounds_off_by_one", "dx", "dy", c.without_last(2), "leaves out the last row of dy",
            "for i in range(I):", also="loop_over_input_size"),
    mistake("loop_bounds_off_by_one", "dx", "dy", c.without_last(3), "leaves out the last column of dy",
            "for j in range(J):", also="loop_over_input_size"),
    mistake("wrong_loop_variable_as_index", "dx", "dy", c.repeated(1),
            "takes the dy of channel 0 for every channel", "dy[n, c, i, j]"),
    mistake("wrong_loop_variable_as_index", "dx", "x", c.repeated(1),
            "looks for the maxima in channel 0 for every channel", "x[n, c]"),
    mistake("wrong_loop_variable_as_index", "dx", "x", c.repeated(0),
            "looks for the maxima in the first image for every sample", "x[n, c]", also="stale_cache"),
    mistake("stale_cache", "dx", "x", c.rolled(0, 1), "looks for the maxima in another sample's image", "x[n, c]"),
    mistake("overwritten_in_batch_loop", "dx", "dy", c.only(1, -1), "comes from the last channel alone",
            "write to dx[n, c]"),
    mistake("early_return_in_loop", "dx", "dy", c.only(1, 0), "comes from the first channel alone",
            "return after the loops"),
    mistake("early_return_in_loop", "dx", "dy", c.corner(last=False), "comes from the first window alone",
            "return after the loops"),
    mistake("overwritten_in_batch_loop", "dx", "dy", c.corner(last=True), "comes from the last window alone", LINE,
            also="overlap_overwritten"),
    mistake("upstream_gradient_not_multiplied", "dx", "dy", lambda a, p: p.y, "holds the maxima in place of dy",
            LINE, also="returns_wrong_variable"),
    mistake("extra_factor_in_delta", "dx", "dy", lambda a, p: a * p.y, "is multiplied by the maximum besides",
            LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", "return dx"),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p.dy, "is dy itself, in the size of the output",
            LINE, also="dx_not_propagated"),
    mistake("forward_formula_wrong", "y", "whole", lambda p: seen(p, {}).mean(-1), "is the mean of each window",
            "window.max()"),
    mistake("forward_stride_index_wrong", "y", "place", "stride ignored",
            "reads the window at (i, j) for output (i, j)", "x[i*t:i*t+k, j*t:j*t+k]"),
    mistake("forward_formula_wrong", "y", "whole", lambda p: np.maximum(value(p, {}), 0),
            "is never below 0: the maximum starts from 0, not from −∞", "window.max()"),
    mistake("overlap_averaged", "dx", "out", lambda a, p: a / np.maximum(covered(p), 1),
            "is divided by the number of windows that each entry is in", LINE, also="batch_scale_wrong"),
    *c.common("dx", zero={"dx": "dx_not_propagated"}),
)  # fmt: skip

SUBJECT = Subject(
    "max_pool2d", ("x",), {"dx": dx}, value, partial(pooling.probes, ties=True), MISTAKES, pooling.sizes,
    {"kernel_size": 2, "stride": None}, lines={"dx": LINE}, alternatives=alternatives,
    contributions={"dx": lambda p: pooling.contributions(winners(seen(p, {}), None) * p.dy[..., None], p)},
)  # fmt: skip

"""Compiled twin of ``conv2d``: which correlations each of its passes is made of."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import lru_cache
from math import gcd
from typing import Any, NamedTuple, Protocol

import numpy as np

from whygrad.kernels import depthwise, few_channels, one_channel, one_to_few, winograd
from whygrad.kernels.correlation import correlate
from whygrad.kernels.layout import new_images
from whygrad.kernels.weight_gradient import weight_gradient as sum_products
from whygrad.typing import Array, Shape
from whygrad.workspace import empty

Two = tuple[int, int]
Six = tuple[int, int, int, int, int, int]


class Where(Hashable, Protocol):
    """Where the windows of a convolution lie, as (vertical, horizontal); see ``whygrad.ops.windows.Geometry``."""

    @property
    def stride(self) -> Two:
        """Step between windows."""

    @property
    def dilation(self) -> Two:
        """Distance between taps."""

    @property
    def before(self) -> Two:
        """Rows of zeros above the image, columns to its left."""


class Windows(NamedTuple):
    """Where the windows of a correlation lie that a pass is made of."""

    stride: Two
    dilation: Two
    before: Two


def _flat(where: Where) -> Six:
    return (*where.stride, *where.dilation, *where.before)


def forward(x: Array, w: Array, b: Array | None, groups: int, where: Where, output: Two) -> Array:
    """Return the convolution of x (N, C, H, W) with w (F, C/groups, R, S), of the size ``output``."""
    y = new_images(x.shape[0], w.shape[0], *output, x.dtype)
    if depthwise.suits(w.shape, groups):
        depthwise.correlate(x, w, b, y, _flat(where))
    elif groups == 1:
        _correlate(x, w, b, y, where)
    else:
        for i, o in _groups(x.shape[1], w.shape[0], groups):
            _correlate(x[:, i], w[o], None if b is None else b[o], y[:, o], where)
    return y


def input_gradient(dy: Array, w: Array, groups: int, where: Where, size: Two) -> Array:
    """Return dx of ``size`` (H, W) for dy (N, F, I, J): a correlation of dy with the filters turned around."""
    dx = new_images(dy.shape[0], w.shape[1] * groups, *size, dy.dtype)
    if depthwise.suits(w.shape, groups):
        _turn(dy, w, dx, where, by_channel=True)
    elif groups == 1:
        _turn(dy, w.transpose(1, 0, 2, 3), dx, where, by_channel=False)
    else:
        for i, o in _groups(dx.shape[1], w.shape[0], groups):
            _turn(dy[:, o], w[o].transpose(1, 0, 2, 3), dx[:, i], where, by_channel=False)
    return dx


def _turn(dy: Array, w: Array, dx: Array, where: Where, *, by_channel: bool) -> None:
    """Correlate dy with the filters, which give dx's channels, turned around: phase by phase."""
    turned = w[:, :, ::-1, ::-1]
    if where.stride == (1, 1) and not by_channel and w.size:
        (dilation_v, dilation_h), (top, left) = where.dilation, where.before
        before = (w.shape[2] - 1) * dilation_v - top, (w.shape[3] - 1) * dilation_h - left
        _correlate(dy, turned, None, dx, Windows((1, 1), where.dilation, before))
        return
    columns = _phases(w.shape[3], dx.shape[3], where, 1)
    for v in _phases(w.shape[2], dx.shape[2], where, 0):
        for h in columns:
            target, filters = dx[:, :, v.pixels, h.pixels], turned[:, :, v.taps, h.taps]
            at = Windows((1, 1), (v.dilation, h.dilation), (v.before, h.before))
            if not filters.size:
                target[...] = 0
            elif by_channel:
                depthwise.correlate(dy, filters, None, target, _flat(at))
            else:
                _correlate(dy, filters, None, target, at)


def weight_gradient(
    x: Array, dy: Array, shape: tuple[int, ...], groups: int, where: Where, *, with_bias: bool
) -> tuple[Array, Array | None]:
    """Return dw of ``shape`` (F, C/groups, R, S) and db (F,)."""
    dw, db = empty(shape, x.dtype), np.empty(shape[0], x.dtype)
    if depthwise.suits(shape, groups):
        depthwise.weight_gradient(x, dy, dw, db, _flat(where))
    elif groups == 1:
        _sum_products(x, dy, dw, db, where, with_bias)
    else:
        for i, o in _groups(x.shape[1], shape[0], groups):
            sum_products[x.dtype](x[:, i], dy[:, o], dw[o], db[o], _flat(where), with_bias)
    return dw, db if with_bias else None


def _sum_products(x: Array, dy: Array, dw: Array, db: Array, where: Where, with_bias: bool) -> None:
    way, at = _way(dw.shape, where, x.dtype, x.shape[3], dy.shape[2:])
    if way == "one channel":
        one_channel.weight_gradient(x, dy, dw, db, at[2:])
    elif way == "one to few" and one_to_few.suits_gradient(dw.shape, dw.dtype, where.dilation):
        one_to_few.weight_gradient(x, dy, dw, db, where.before)
    elif way == "winograd" and winograd.suits_gradient(dw.shape):
        winograd.weight_gradient[x.dtype](x, dy, dw, db, *where.before, with_bias)
    else:
        sum_products[x.dtype](x, dy, dw, db, at, with_bias)


def _correlate(x: Array, w: Array, b: Array | None, y: Array, where: Where) -> None:
    bias = _NO_BIAS[x.dtype] if b is None else np.ascontiguousarray(b)
    way, at = _way(w.shape, where, x.dtype, x.shape[3], y.shape[2:])
    if way == "one channel" and y[:, 0].flags.c_contiguous:
        one_channel.correlate(x, w, bias, y, at[2:])
    elif way == "one to few":
        one_to_few.correlate(x, w, bias, y, at[2:], b is not None)
    elif way == "winograd":
        winograd.correlate[x.dtype](x, w, bias, y, *where.before, b is not None)
    elif way == "few channels":
        few_channels.correlate[x.dtype](x, w, bias, y, at, b is not None)
    else:
        correlate[x.dtype](x, w, bias, y, at, (b is not None, 0))


@lru_cache(maxsize=1024)
def _way(w: Shape, where: Where, dtype: np.dtype[Any], width: int, output: Shape) -> tuple[str, Six]:
    """Return how a correlation of filters of this shape is done best, and where its windows lie."""
    at = _flat(where)
    if one_channel.suits(w, where.stride):
        return "one channel", at
    if one_to_few.suits(w, dtype, where.stride):
        return "one to few", at
    if winograd.suits(w, where.stride, where.dilation, output[0] * output[1]):
        return "winograd", at
    if few_channels.suits(w, dtype, at):
        return "few channels", at
    return "tiles", at


_NO_BIAS = {np.dtype(name): np.zeros(1, name) for name in ("float32", "float64")}


def _groups(channels: int, filters: int, groups: int) -> Iterator[tuple[slice, slice]]:
    """Yield the input channels and the filters of each group."""
    c, f = channels // groups, filters // groups
    for g in range(groups):
        yield slice(g * c, (g + 1) * c), slice(g * f, (g + 1) * f)


class Phase(NamedTuple):
    """Every stride-th row of an image, which all see dy through the same taps of the kernel."""

    pixels: slice
    taps: slice  #: of the kernel turned around
    dilation: int
    before: int


@lru_cache(maxsize=1024)
def _phases(taps: int, size: int, where: Where, axis: int) -> list[Phase]:
    """Return the phases of one axis of dx.

    Row a of dx takes from row i of dy through tap r where a + before = i·t + r·d. So of the rows a ≡ p (mod t)
    all take through the taps with r·d ≡ p + before (mod t): with g = gcd(t, d) every (t/g)-th tap, from the
    least one on; and when a goes on by t, i goes on by 1: a correlation of stride 1 and dilation d/g.
    """
    stride, dilation, before = where.stride[axis], where.dilation[axis], where.before[axis]
    if stride == 1:
        return [Phase(slice(None), slice(None), dilation, (taps - 1) * dilation - before)]
    common = gcd(stride, dilation)
    apart = stride // common
    phases = []
    for p in range(min(stride, size)):
        first = next((r for r in range(min(apart, taps)) if (p + before - r * dilation) % stride == 0), taps)
        last = first + (taps - 1 - first) // apart * apart
        start = (p + before - last * dilation) // stride  # the row of dy that the last tap sees at first
        chosen = slice(taps - 1 - last, taps - first, apart) if first < taps else slice(0)
        phases.append(Phase(slice(p, None, stride), chosen, dilation // common, -start))
    return phases

"""Two-dimensional convolution, as the field calls it: cross-correlation with a bank of filters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import OptionError, ShapeError
from whygrad.ops.windows import Geometry, Padding, fold, geometry, pad, remembered, windows
from whygrad.typing import Array, Pair, Pullback, Shape
from whygrad.validation import cotangent, floats, rank, whole


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x: Array  #: (N, C, H, W)
    w: Array  #: (F, C/groups, R, S)
    bias_shape: tuple[int, ...] | None
    groups: int
    where: Geometry


def conv2d(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> tuple[Array, Pullback]:
    """Slide the filters ``w`` over the images ``x``.

    With x̂ the padded image, step t = stride and d = dilation, for one group:

        y[n,f,i,j] = b[f] + Σ_c Σ_r Σ_s  w[f,c,r,s] · x̂[n, c, i·t + r·d, j·t + s·d]

    What the field calls convolution is this cross-correlation: the kernel is not turned.

    Args:
        x: images (N, C, H, W), float32 or float64, in any memory order.
        w: filters (F, C/groups, R, S).
        b: bias (F,) per channel, (F, I, J) per output position, or None.
        stride: step between windows, one number or (vertical, horizontal).
        padding: zeros around the image: one number, (vertical, horizontal), (top, bottom, left, right), "valid"
            for none, or "same" for I = ⌈H / stride⌉ with an odd remainder at the bottom and right.
        dilation: distance between the taps of the kernel.
        groups: number of groups that C and F are divided into; C for a depthwise convolution.

    Returns:
        y (N, F, I, J) with I = ⌊(H + top + bottom − d(R−1) − 1) / stride⌋ + 1, J likewise, and the pullback
        dy → (dx, dw, db); db is None without a bias.

    Raises:
        ShapeError: ranks or channels that do not fit, or a kernel larger than the padded image.
        DTypeError: integers, or dtypes that differ.
        OptionError: an option outside its domain.

    Example:
        >>> x = np.array([[1., -1., 0.], [0., 1., 0.], [0., -1., 1.]])[None, None]
        >>> w = np.array([[1., -1.], [1., 1.]])[None, None]
        >>> y, pullback = conv2d(x, w)
        >>> y[0, 0]
        array([[ 3.,  0.],
               [-2.,  1.]])
        >>> dx, dw, db = pullback(np.array([[2., 0.], [0., 0.]])[None, None])
        >>> dw[0, 0]
        array([[ 2., -2.],
               [ 0.,  2.]])

    Source: Y. LeCun et al., "Gradient-based learning applied to document recognition" (1998); the formula with
    dilation and groups is that of ONNX's Conv.
    """
    arrays = floats("conv2d", x=x, w=w) if b is None else floats("conv2d", x=x, w=w, b=b)
    x, w, b = arrays[0], arrays[1], arrays[2] if b is not None else None
    rank("conv2d", "x", x, "(N, C, H, W)")
    rank("conv2d", "w", w, "(F, C/groups, R, S)")
    bias_shape = None if b is None else b.shape
    where = _geometry(
        x.shape[1:], w.shape, bias_shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    return _conv2d(groups, where, x, w, b)


def conv2d_for(image: Shape, w: Shape, bias: Shape | None, **options: Any) -> Callable[..., tuple[Array, Pullback]]:
    """Return ``conv2d`` of x, w and b for images (C, H, W), w and b of these shapes, of one float dtype.

    Nothing is left to be asked of them, which takes as long as a small convolution.
    """
    return partial(_conv2d, options["groups"], _geometry(image, w, bias, **options))


def _conv2d(groups: int, where: Geometry, x: Array, w: Array, b: Array | None = None) -> tuple[Array, Pullback]:
    saved = Saved(x, w, None if b is None else b.shape, groups, where)
    per_channel = b if b is not None and b.ndim == 1 else None
    twin = engines.twin("conv2d")
    if twin:
        y = twin.forward(x, w, per_channel, groups, where, where.output)
    else:
        y = correlate(windows(pad(x, where.padding), where), w, groups)
        if per_channel is not None:
            y += per_channel[:, None, None]
    if b is not None and b.ndim == 3:
        y += b
    return y, partial(conv2d_backward, saved)


@remembered
def _geometry(
    image: Shape, w: Shape, bias: Shape | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Geometry:
    """Return where the windows lie, having checked that the shapes fit together."""
    channels, height, width = image
    check_groups("conv2d", channels, w, groups)
    where = geometry("conv2d", (height, width), (w[2], w[3]), stride=stride, padding=padding, dilation=dilation)
    check_bias("conv2d", bias, w[0], where.output)
    return where


def conv2d_backward(
    saved: Saved, dy: Array, *, input_gradient: bool = True
) -> tuple[Array | None, Array, Array | None]:
    """Carry dy (N, F, I, J) back through the call that ``saved`` remembers.

        dw[f,c,r,s] = Σ_n Σ_i Σ_j  dy[n,f,i,j] · x̂[n, c, i·t + r·d, j·t + s·d]
        dx̂[n,c,a,b] = Σ dy[n,f,i,j] · w[f,c,r,s]  over all f and all (i,r), (j,s) with i·t + r·d = a, j·t + s·d = b
        db[f]       = Σ_n Σ_i Σ_j  dy[n,f,i,j]      (Σ_n alone for a bias per output position)

    Each is read off the forward formula: a sum over everything that the entry touched. Without ``input_gradient``
    dx is None: nobody asks how to change the images that training starts from.
    """
    x, w, bias_shape, groups, where = saved
    dy = cotangent("conv2d", dy, (x.shape[0], w.shape[0], *where.output), w.dtype)
    twin = engines.twin("conv2d")
    if twin:
        per_channel = bias_shape is not None and len(bias_shape) == 1
        dw, db = twin.weight_gradient(x, dy, w.shape, groups, where, with_bias=per_channel)
        dx = twin.input_gradient(dy, w, groups, where, where.size) if input_gradient else None
    else:
        dw, db = weight_gradient(dy, windows(pad(x, where.padding), where), groups), None
        dx = fold(spread(dy, w, groups), where) if input_gradient else None
    if bias_shape is not None and db is None:
        db = bias_gradient(dy, bias_shape)
    return dx, dw, db


def correlate(seen: Array, w: Array, groups: int) -> Array:
    """Return Σ_crs w[f,c,r,s] · seen[n,c,i,j,r,s] as (N, F, I, J), group by group."""
    pairs = zip(np.split(seen, groups, axis=1), np.split(w, groups), strict=True)
    products = [np.tensordot(part, filters, axes=((1, 4, 5), (1, 2, 3))) for part, filters in pairs]
    return np.moveaxis(np.concatenate(products, axis=-1) if groups > 1 else products[0], -1, 1)


def spread(dy: Array, w: Array, groups: int) -> Array:
    """Return Σ_f dy[n,f,i,j] · w[f,c,r,s] as (N, C, I, J, R, S): what each tap gives back."""
    pairs = zip(np.split(dy, groups, axis=1), np.split(w, groups), strict=True)
    products = [np.tensordot(part, filters, axes=(1, 0)) for part, filters in pairs]
    return np.moveaxis(np.concatenate(products, axis=3) if groups > 1 else products[0], 3, 1)


def weight_gradient(dy: Array, seen: Array, groups: int) -> Array:
    """Return Σ_nij dy[n,f,i,j] · seen[n,c,i,j,r,s] as (F, C/groups, R, S)."""
    pairs = zip(np.split(dy, groups, axis=1), np.split(seen, groups, axis=1), strict=True)
    return np.concatenate([np.tensordot(d, part, axes=((0, 2, 3), (0, 2, 3))) for d, part in pairs])


def bias_gradient(dy: Array, bias_shape: tuple[int, ...]) -> Array:
    """Return dy summed over all that a bias was added to, in float64 since NumPy may add up one by one."""
    axes = 0 if len(bias_shape) == 3 else (0, 2, 3)
    return dy.sum(axis=axes, dtype=np.float64).astype(dy.dtype)


def check_groups(op: str, channels: int, w: Shape, groups: int) -> None:
    """Refuse groups that do not divide the channels, or filters for another number of channels."""
    groups = whole(op, "groups", groups, 1)
    if channels % groups or w[0] % groups or not w[0]:
        expected = f"groups that divide the {channels} input channels and the {w[0]} filters"
        raise OptionError(op, expected, f"groups={groups}", "change groups or the number of channels")
    if w[1] * groups != channels:
        expected = f"x with {w[1] * groups} channels (w has {w[1]} a group, {groups} groups)"
        raise ShapeError(op, expected, f"{channels} channels", "give w the shape (F, C/groups, R, S)")


def check_bias(op: str, b: Shape | None, filters: int, output: tuple[int, int]) -> None:
    """Refuse a bias that is neither per channel nor per output position."""
    if b is not None and b not in ((filters,), (filters, *output)):
        expected = f"b of shape ({filters},) or ({filters}, {output[0]}, {output[1]})"
        raise ShapeError(op, expected, f"{b}", "give one bias a channel, or one an output position")

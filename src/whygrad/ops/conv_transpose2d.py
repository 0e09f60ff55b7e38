"""Transposed convolution: the map that a convolution's backward pass applies to dy, used forwards."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from whygrad import engines
from whygrad.errors import OptionError, ShapeError
from whygrad.ops.conv2d import bias_gradient, check_bias, correlate, spread, weight_gradient
from whygrad.ops.windows import Geometry, fold, four_sides, pad, windows
from whygrad.typing import Array, Pair, Pullback, Shape, Sides
from whygrad.validation import cotangent, floats, pair, rank, whole


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x: Array  #: (N, C, H, W)
    w: Array  #: (C, F/groups, R, S)
    bias_shape: tuple[int, ...] | None
    groups: int
    where: Geometry  #: of the convolution from y to x that this call transposes
    y_shape: Shape


def conv_transpose2d(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Pair = 1,
    padding: Sides = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> tuple[Array, Pullback]:
    """Lay the kernels down, one for each input position, and add them up where they overlap.

    With ŷ the output before ``padding`` is cut off, step t = stride and d = dilation, for one group:

        ŷ[n, f, i·t + r·d, j·t + s·d] += x[n,c,i,j] · w[c,f,r,s]        over all c, i, j, r, s

    Args:
        x: images (N, C, H, W), float32 or float64, in any memory order.
        w: kernels (C, F/groups, R, S).
        b: bias (F,) per channel, (F, I, J) per output position, or None.
        stride: distance between the kernels laid down, one number or (vertical, horizontal).
        padding: what is cut off the sides: one number, (vertical, horizontal) or (top, bottom, left, right).
        output_padding: rows and columns added at the bottom and right, less than stride or dilation.
        dilation: distance between the taps of the kernel.
        groups: number of groups that C and F are divided into.

    Returns:
        y (N, F, I, J) with I = (H−1)·stride − top − bottom + d(R−1) + 1 + output_padding, J likewise, and the
        pullback dy → (dx, dw, db); db is None without a bias.

    Raises:
        ShapeError: ranks or channels that do not fit, or a padding that leaves nothing.
        DTypeError: integers, or dtypes that differ.
        OptionError: an option outside its domain.

    Example:
        >>> y, pullback = conv_transpose2d(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)))
        >>> y[0, 0]
        array([[1., 2., 1.],
               [2., 4., 2.],
               [1., 2., 1.]])

    Source: M. D. Zeiler et al., "Deconvolutional networks" (2010); V. Dumoulin and F. Visin, "A guide to
    convolution arithmetic for deep learning" (2016), chapter 4.
    """
    op = "conv_transpose2d"
    arrays = floats(op, x=x, w=w) if b is None else floats(op, x=x, w=w, b=b)
    x, w, b = arrays[0], arrays[1], arrays[2] if b is not None else None
    rank(op, "x", x, "(N, C, H, W)")
    rank(op, "w", w, "(C, F/groups, R, S)")
    groups = whole(op, "groups", groups, 1)
    if w.shape[0] != x.shape[1]:
        remedy = "give w the shape (C, F/groups, R, S)"
        raise ShapeError(op, f"w for the {x.shape[1]} channels of x", f"{w.shape[0]} channels", remedy)
    if x.shape[1] % groups:
        raise OptionError(op, f"groups that divide {x.shape[1]} channels", f"groups={groups}", "change groups")
    kernel = (w.shape[2], w.shape[3])
    where = transposed_geometry((x.shape[2], x.shape[3]), kernel, stride, padding, output_padding, dilation)
    check_bias(op, None if b is None else b.shape, w.shape[1] * groups, where.size)

    twin = engines.twin("conv_transpose2d")
    y = twin.input_gradient(x, w, groups, where, where.size) if twin else fold(spread(x, w, groups), where)
    if b is not None:
        y += b if b.ndim == 3 else b[:, None, None]
    saved = Saved(x, w, None if b is None else b.shape, groups, where, y.shape)
    return y, partial(conv_transpose2d_backward, saved)


def conv_transpose2d_backward(
    saved: Saved, dy: Array, *, input_gradient: bool = True
) -> tuple[Array | None, Array, Array | None]:
    """Carry dy (N, F, I, J) back: a convolution of dy with the same kernels, since it is the transpose.

    With dŷ the padded dy:

        dx[n,c,i,j] = Σ_f Σ_r Σ_s  w[c,f,r,s] · dŷ[n, f, i·t + r·d, j·t + s·d]
        dw[c,f,r,s] = Σ_n Σ_i Σ_j  x[n,c,i,j] · dŷ[n, f, i·t + r·d, j·t + s·d]
        db[f]       = Σ_n Σ_i Σ_j  dy[n,f,i,j]      (Σ_n alone for a bias per output position)
    """
    x, w, bias_shape, groups, where, y_shape = saved
    dy = cotangent("conv_transpose2d", dy, y_shape, x.dtype)
    twin = engines.twin("conv_transpose2d")
    if twin:
        dx = twin.forward(dy, w, None, groups, where, where.output) if input_gradient else None
        dw, _ = twin.weight_gradient(dy, x, w.shape, groups, where, with_bias=False)
    else:
        seen = windows(pad(dy, where.padding), where)
        dx = correlate(seen, w, groups) if input_gradient else None
        dw = weight_gradient(x, seen, groups)
    return dx, dw, None if bias_shape is None else bias_gradient(dy, bias_shape)


def transposed_geometry(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: Pair,
    padding: Sides,
    output_padding: Pair,
    dilation: Pair,
) -> Geometry:
    """Return the windows of the convolution whose output has ``size``, on an image of this call's output."""
    op = "conv_transpose2d"
    step, apart = pair(op, "stride", stride), pair(op, "dilation", dilation)
    extra, sides = pair(op, "output_padding", output_padding, 0), four_sides(op, padding)
    if not min(kernel) or not min(size):
        raise ShapeError(
            op, "a kernel and an image with at least one entry", f"{kernel} and {size}", "check x and w"
        )
    full = [(n - 1) * t + d * (k - 1) + 1 for n, t, d, k in zip(size, step, apart, kernel, strict=True)]
    for axis in (0, 1):
        if extra[axis] >= max(step[axis], apart[axis]):
            expected = "output_padding less than stride or dilation"
            raise OptionError(op, expected, f"{output_padding!r}", "use a smaller output_padding")
    height = full[0] - sides[0] - sides[1] + extra[0]
    width = full[1] - sides[2] - sides[3] + extra[1]
    if height < 1 or width < 1:
        remedy = "use less padding"
        raise ShapeError(op, f"an output of at least 1x1 after padding {sides}", f"{height}x{width}", remedy)
    # The rows that output_padding adds lie beyond every kernel: the convolution back does not see them.
    return Geometry((height, width), kernel, step, apart, sides, size)

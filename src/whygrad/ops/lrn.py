"""Local response normalisation: every entry divided by the activity of the channels around it."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad.errors import OptionError
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats, number, rank, whole


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x: Array  #: (N, C, H, W)
    base: Array  #: s of the formula, in the shape of x
    size: int
    alpha: float
    beta: float


def lrn(
    x: Array, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> tuple[Array, Pullback]:
    """Divide every entry by a power of the mean square over the channels around it.

        s[n,c,i,j] = k + α/size · Σ_m x[n,m,i,j]²   over the channels m from c − ⌊(size−1)/2⌋ to c + ⌈(size−1)/2⌉
        y[n,c,i,j] = x[n,c,i,j] · s[n,c,i,j]^(−β)

    Args:
        x: images (N, C, H, W), float32 or float64, in any memory order.
        size: how many channels are looked at; those that there are not count as 0.
        alpha: α, how strongly they count.
        beta: β.
        k: what is added, above 0.

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        ShapeError: x without four axes.
        DTypeError: integers.
        OptionError: an option outside its domain.

    Example:
        >>> y, pullback = lrn(np.array([3., 4.]).reshape(1, 2, 1, 1), size=3, alpha=3, beta=0.5, k=1)
        >>> y.ravel().round(4)
        array([0.5883, 0.7845])
        >>> pullback(np.array([1., 0.]).reshape(1, 2, 1, 1)).ravel().round(4)
        array([ 0.1282, -0.0905])

    Source: A. Krizhevsky, I. Sutskever and G. E. Hinton, "ImageNet classification with deep convolutional neural
    networks" (2012), section 3.3, with ONNX's α/size in place of α.
    """
    (x,) = floats("lrn", x=x)
    rank("lrn", "x", x, "(N, C, H, W)")
    size = whole("lrn", "size", size, 1)
    alpha, beta = number("lrn", "alpha", alpha, 0.0, 1e30), number("lrn", "beta", beta, 0.0, 1e30)
    k = number("lrn", "k", k, 0.0, 1e30)
    if not k:
        raise OptionError("lrn", "k above 0", f"{k!r}", "change k: pixels that are 0 in all channels have only k")
    base = x.dtype.type(k) + x.dtype.type(alpha / size) * _around(x * x, size, (size - 1) // 2)
    return x * base ** x.dtype.type(-beta), partial(lrn_backward, Saved(x, base, size, alpha, beta))


def lrn_backward(saved: Saved, dy: Array) -> Array:
    """Carry dy back: straight through, and through s of every entry that looked at this one.

    dx[n,c,i,j] = dy·s^(−β) − 2αβ/size · x[n,c,i,j] · Σ_m (dy·x·s^(−β−1))[n,m,i,j]

    The sum is over the channels m that c is around: from c − ⌈(size−1)/2⌉ to c + ⌊(size−1)/2⌋.
    """
    x, base, size, alpha, beta = saved
    dy = cotangent("lrn", dy, x.shape, x.dtype)
    straight = dy * base ** x.dtype.type(-beta)
    blamed = _around(straight * x / base, size, size // 2)
    return straight - x.dtype.type(2 * alpha * beta / size) * x * blamed


def _around(values: Array, size: int, before: int) -> Array:
    """Return the sums over ``size`` neighbouring channels, ``before`` of them lower, one by one in that order."""
    channels = values.shape[1]
    total = np.zeros_like(values)
    for shift in range(-before, size - before):
        low, high = max(0, -shift), min(channels, channels - shift)
        if low < high:
            total[:, low:high] += values[:, low + shift : high + shift]
    return total

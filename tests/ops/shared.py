"""What the tests of the operations share: arrays to draw, and ways to compare, refuse and pickle."""

import pickle
import re
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import strategies as st

from whygrad.errors import DTypeError, ShapeError

ORDERS = ("C", "Fortran", "channels last", "reversed", "sliced")
#: A dtype and a number so large that its square overflows.
EXTREMES = [("float32", 1e30), ("float64", 1e300)]
# Entries are of order 1 and a result adds up at most a few hundred products, so that rounding stays below
# 300 · 6e-8 (float32) and 300 · 1e-16 (float64) of the largest entry. It is the largest entry that counts, at
# least 1, since cancellation makes single entries as small as it likes.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


@dataclass
class Source:
    """Draws arrays of one dtype, laid out in one memory order."""

    seed: int
    dtype: str = "float64"
    order: str = "C"
    rng: np.random.Generator = field(init=False, repr=False)

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)

    def normal(self, *shape):
        """Return numbers around 0, nearly all between −3 and 3."""
        return lay_out(self.rng.normal(size=shape).astype(self.dtype), self.order)

    def integers(self, *shape):
        """Return the whole numbers −2 to 2 as floats: ties and zeros abound."""
        return lay_out(self.rng.integers(-2, 3, size=shape).astype(self.dtype), self.order)

    def positive(self, *shape):
        """Return numbers from 0.5 to 2."""
        return lay_out(self.rng.uniform(0.5, 2, size=shape).astype(self.dtype), self.order)


def lay_out(array, order):
    """Return an equal array whose entries lie in memory in the named order."""
    if order == "Fortran":
        return np.asfortranarray(array)
    if order == "channels last" and array.ndim > 1:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
    if order == "reversed":
        return np.asarray(np.flip(np.flip(array).copy()))
    if order == "sliced":
        larger = np.full([2 * n for n in array.shape], np.nan, array.dtype)
        every_second = (slice(None, None, 2),) * array.ndim
        larger[every_second] = array
        return larger[every_second] if array.ndim else larger
    return np.ascontiguousarray(array)


def sources():
    """Return the strategy that draws every dtype and memory order."""
    return st.builds(Source, st.integers(0, 2**32 - 1), st.sampled_from(sorted(TOLERANCE)), st.sampled_from(ORDERS))


def shapes(min_dims=0, max_dims=4, max_side=4):
    """Return the strategy of shapes without an empty axis."""
    return st.lists(st.integers(1, max_side), min_size=min_dims, max_size=max_dims).map(tuple)


def pairs(low, high):
    """Return the strategy of (vertical, horizontal) options."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


def assert_close(actual, wanted, dtype="float64"):
    """Require the dtype, the shape and, within rounding, the entries."""
    actual, wanted = np.asarray(actual), np.asarray(wanted)
    assert actual.dtype == dtype
    assert actual.shape == wanted.shape
    scale = max(1.0, np.abs(wanted).max(initial=0.0))
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=scale * TOLERANCE[dtype])


def image(rows, dtype=np.float64):
    """Return one image of one channel, (1, 1, H, W)."""
    return np.array(rows, dtype)[None, None]


def refusal(kind, text):
    """Expect an error of that kind whose message contains the text."""
    return pytest.raises(kind, match=re.escape(text))


def assert_pickles(pullback, dy):
    """Require the pullback to return the same after a round through pickle."""
    np.testing.assert_equal(pickle.loads(pickle.dumps(pullback))(dy), pullback(dy))


def assert_elementwise_refusals(op, function):
    """Require what every operation of one array refuses: integers and a dy of another shape or kind."""
    hint = "convert it, for an image with x.astype(np.float32) / 255"
    with refusal(DTypeError, f"{op}: expected x of dtype float32 or float64, received uint8; {hint}"):
        function(np.ones((2, 3), np.uint8))
    y, pullback = function(np.ones((2, 3), np.float32))
    with refusal(ShapeError, f"{op} backward: expected dy of shape {y.shape}, received (5, 7)"):
        pullback(np.ones((5, 7), np.float32))
    with refusal(DTypeError, f"{op} backward: expected dy of dtype float32, received int64"):
        pullback(np.ones(y.shape, np.int64))


def products(w_shape, y_shape, x_size, *, stride=(1, 1), dilation=(1, 1), sides=(0, 0, 0, 0), groups=1):
    """Yield the indices into y, w and x of every product in the formula of the convolution."""
    for n, f, i, j in np.ndindex(*y_shape):
        for c, r, s in np.ndindex(*w_shape[1:]):
            a = i * stride[0] + r * dilation[0] - sides[0]
            b = j * stride[1] + s * dilation[1] - sides[2]
            if 0 <= a < x_size[0] and 0 <= b < x_size[1]:
                channel = f // (w_shape[0] // groups) * w_shape[1] + c
                yield (n, f, i, j), (f, c, r, s), (n, channel, a, b)

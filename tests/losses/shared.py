"""What the tests of the losses share: targets to draw, extreme predictions, and the comparison with PyTorch."""

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.ops.peers import tensor
from tests.ops.shared import TOLERANCE, assert_close

DTYPES = sorted(TOLERANCE)
REDUCTIONS = ("mean", "sum")


def extremes(dtype, *shape):
    """Return the strategy of arrays that mix ± the largest and smallest numbers of a dtype with ordinary ones."""
    info = np.finfo(dtype)
    largest, tiny = float(info.max), float(info.smallest_subnormal)
    sizes = [largest, largest / 2, float(info.eps) * largest, 1e30, 80.0, 1.0, tiny, 0.0]
    entry = st.sampled_from([*sizes, *(-size for size in sizes)])
    count = int(np.prod(shape))
    return st.lists(entry, min_size=count, max_size=count).map(lambda row: np.array(row, dtype).reshape(shape))


def labels(source, classes, *shape):
    """Return class indices that ``source`` draws."""
    return source.rng.integers(0, classes, shape)


def probabilities(source, *shape):
    """Return distributions over axis 1."""
    q = source.rng.uniform(0, 1, shape) + 1e-3
    return q / q.sum(axis=1, keepdims=True)


def assert_agrees(ours, theirs, prediction):
    """Require the loss and its gradient to be those of PyTorch, which computes in float64."""
    value, gradient = ours(prediction)
    exact = tensor(prediction, requires_grad=True)
    wanted = theirs(exact)
    wanted.backward()
    tolerance = TOLERANCE[str(prediction.dtype)]
    assert isinstance(value, float)
    assert value == pytest.approx(wanted.item(), rel=tolerance, abs=tolerance)
    assert_close(gradient, exact.grad.numpy(), str(prediction.dtype))


def assert_without_nan(loss, prediction):
    """Require a loss that may be too large to write down, but is a number, and a gradient of numbers."""
    value, gradient = loss(prediction)
    assert not np.isnan(value)
    assert not np.isnan(gradient).any()
    assert gradient.dtype == prediction.dtype

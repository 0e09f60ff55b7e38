import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import Source, assert_close, assert_pickles, refusal, sources
from whygrad.errors import DTypeError, ShapeError
from whygrad.ops import linear

SIZES = st.tuples(*[st.integers(1, 6)] * 3)


@needs_torch
@given(sources(), SIZES, st.booleans())
def test_value_and_gradients_are_those_of_pytorch(source, sizes, with_bias):
    n, d, f = sizes
    inputs = [source.normal(n, d), source.normal(f, d)] + [source.normal(f)] * with_bias
    assert_agrees(linear, functional().linear, source, *inputs)


@given(st.integers(0, 99), SIZES)
def test_value_and_gradients_are_those_of_the_definition(seed, sizes):
    (n, d, f), source = sizes, Source(seed)
    x, w, b, dy = source.normal(n, d), source.normal(f, d), source.normal(f), source.normal(n, f)
    y, dx, dw, db = np.zeros((n, f)), np.zeros((n, d)), np.zeros((f, d)), np.zeros(f)
    for sample, unit in np.ndindex(n, f):
        y[sample, unit] += b[unit]
        db[unit] += dy[sample, unit]
        for feature in range(d):
            y[sample, unit] += w[unit, feature] * x[sample, feature]
            dx[sample, feature] += w[unit, feature] * dy[sample, unit]
            dw[unit, feature] += x[sample, feature] * dy[sample, unit]

    value, pullback = linear(x, w, b)
    assert_close(value, y)
    for gradient, wanted in zip(pullback(dy), (dx, dw, db), strict=True):
        assert_close(gradient, wanted)


def test_multiplies_by_the_rows_of_the_matrix_and_adds_the_bias():
    y, pullback = linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([0.0, 1.0]))
    np.testing.assert_array_equal(y, [[11, 18]])
    dx, dw, db = pullback(np.array([[1.0, 10.0]]))
    np.testing.assert_array_equal(dx, [[53, 64]])
    np.testing.assert_array_equal(dw, [[1, 2], [10, 20]])
    np.testing.assert_array_equal(db, [1, 10])


def test_carries_the_deltas_of_a_hand_calculation_back_through_two_units():
    w = np.array([[0.61, 0.82, 0.96, -1.00], [0.02, -0.50, 0.23, 0.17]])
    _, pullback = linear(np.array([[0.58, 0.57, 0.65, 0.55]]), w)
    dx, dw, _ = pullback(np.array([[0.25, -0.15]]))
    assert_close(dx, [[0.1495, 0.28, 0.2055, -0.2755]])
    assert_close(dw, [[0.145, 0.1425, 0.1625, 0.1375], [-0.087, -0.0855, -0.0975, -0.0825]])


def test_without_a_bias_there_is_no_gradient_for_it():
    _, pullback = linear(np.ones((2, 3)), np.ones((4, 3)))
    assert pullback(np.ones((2, 4)))[2] is None


@pytest.mark.parametrize(
    ("x", "w", "b", "text"),
    [
        ((3,), (2, 3), None, "x of shape (N, D), received (3,); reshape x to 2 axes"),
        (
            (1, 3, 4, 4),
            (2, 48),
            None,
            "x of shape (N, D), received (1, 3, 4, 4); flatten the axes after the first",
        ),
        ((1, 3), (3,), None, "w of shape (F, D), received (3,); reshape w to 2 axes"),
        (
            (1, 3),
            (3, 2),
            None,
            "x with 2 features, as w of shape (3, 2) wants, received 3 features; give w the shape",
        ),
        ((1, 3), (2, 3), (3,), "b of shape (2,), received (3,); give one bias an output"),
        ((1, 3), (2, 3), (1, 2), "b of shape (2,), received (1, 2)"),
    ],
)
def test_refuses_shapes_that_do_not_fit(x, w, b, text):
    with refusal(ShapeError, f"linear: expected {text}"):
        linear(np.ones(x), np.ones(w), None if b is None else np.ones(b))


def test_refuses_integers_and_dtypes_that_differ():
    x, w = np.ones((2, 3)), np.ones((4, 3))
    with refusal(DTypeError, "linear: expected x of dtype float32 or float64, received uint8; convert it"):
        linear(x.astype(np.uint8), w)
    with refusal(DTypeError, "linear: expected all arrays of one dtype (x is float64), received b of float32"):
        linear(x, w, np.ones(4, np.float32))


def test_refuses_a_gradient_of_another_shape_than_the_value():
    with refusal(ShapeError, "linear backward: expected dy of shape (2, 4), received (4, 2); dy is the gradient"):
        linear(np.ones((2, 3)), np.ones((4, 3)))[1](np.ones((4, 2)))


def test_pullback_survives_pickling():
    y, pullback = linear(Source(0).normal(2, 3), Source(1).normal(4, 3), np.ones(4))
    assert_pickles(pullback, y)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.losses.shared import DTYPES, REDUCTIONS, assert_agrees, assert_without_nan, extremes, labels
from tests.ops.peers import functional, needs_torch, pytorch
from tests.ops.shared import assert_close, refusal, sources
from whygrad.errors import DataError, DTypeError, OptionError, ShapeError
from whygrad.losses import hinge

SIZES = st.tuples(st.integers(1, 5), st.integers(1, 5))


@needs_torch
@given(sources(), SIZES, st.sampled_from(REDUCTIONS), st.sampled_from([0.25, 1.0, 3.0]))
def test_loss_and_gradient_are_those_of_pytorch_without_its_division_by_the_classes(
    source, sizes, reduction, margin
):
    target = labels(source, sizes[1], sizes[0])
    theirs = functional().multi_margin_loss
    assert_agrees(
        lambda s: hinge(s, target, reduction=reduction, margin=margin),
        lambda s: theirs(s, pytorch().tensor(target), reduction=reduction, margin=margin) * sizes[1],
        source.normal(*sizes),
    )


@given(sources(), st.sampled_from(REDUCTIONS))
def test_positions_are_samples_of_their_own(source, reduction):
    scores, target = source.normal(3, 4, 2), labels(source, 4, 3, 2)
    value, gradient = hinge(scores, target, reduction=reduction)
    flat, flat_gradient = hinge(np.moveaxis(scores, 1, 2).reshape(6, 4), target.ravel(), reduction=reduction)
    assert value == pytest.approx(flat, rel=1e-5)
    assert_close(gradient, np.moveaxis(flat_gradient.reshape(3, 2, 4), 2, 1), source.dtype)


def test_charges_every_class_within_the_margin():
    value, gradient = hinge(
        np.array([[2.0, 3.0, 1.5, 0.0], [0.0, 0.0, 5.0, 0.0]]), np.array([0, 2]), reduction="sum"
    )
    assert value == 2.5
    np.testing.assert_array_equal(gradient, [[-2, 1, 1, 0], [0, 0, 0, 0]])


def test_a_class_exactly_at_the_margin_is_not_charged():
    value, gradient = hinge(np.array([[2.0, 1.0]]), np.array([0]))
    assert value == 0
    np.testing.assert_array_equal(gradient, [[0, 0]])


def test_margin_moves_the_kink():
    value, gradient = hinge(np.array([[2.0, 1.0]]), np.array([0]), margin=4)
    assert value == 3
    np.testing.assert_array_equal(gradient, [[-1, 1]])


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.data())
def test_extreme_scores_never_give_nan(dtype, data):
    scores, reduction = data.draw(extremes(dtype, 2, 3)), data.draw(st.sampled_from(REDUCTIONS))
    target, margin = data.draw(st.sampled_from([[0, 2], [1, 1]])), data.draw(st.sampled_from([0, 1.0, 1e30]))
    assert_without_nan(lambda s: hinge(s, np.array(target), reduction=reduction, margin=margin), scores)


@pytest.mark.parametrize(
    ("error", "scores", "target", "options", "text"),
    [
        (
            ShapeError,
            (3,),
            [0],
            {},
            "scores of shape (N, K) or (N, K, ...), K > 0, received (3,); add the class axis",
        ),
        (ShapeError, (2, 3), [0], {}, "class indices of shape (2,), received (1,); pass one class index a sample"),
        (
            ShapeError,
            (1, 2),
            [[0, 1]],
            {},
            "class indices of shape (1,), received (1, 2); pass indices with target.",
        ),
        (
            DTypeError,
            (1, 2),
            [0.0],
            {},
            "class indices of an integer dtype, received float64; use target.astype(int)",
        ),
        (DataError, (1, 3), [3], {}, "labels from 0 to 2, received label 3; count classes from 0"),
        (DataError, (2, 3), [-2, 3], {}, "labels from 0 to 2, received label -2"),
        (OptionError, (1, 2), [0], {"reduction": "none"}, 'reduction "mean" or "sum", received \'none\''),
        (OptionError, (1, 2), [0], {"margin": -1}, "margin in [0, 1e+30], received -1; change margin"),
    ],
)
def test_refuses_what_it_cannot_measure(error, scores, target, options, text):
    with refusal(error, f"hinge: expected {text}"):
        hinge(np.zeros(scores), np.array(target), **options)


def test_refuses_integer_scores():
    with refusal(DTypeError, "hinge: expected scores of dtype float32 or float64, received int64"):
        hinge(np.zeros((1, 2), int), np.array([0]))

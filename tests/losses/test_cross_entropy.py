import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.losses.shared import (
    DTYPES,
    REDUCTIONS,
    assert_agrees,
    assert_without_nan,
    extremes,
    labels,
    probabilities,
)
from tests.ops.peers import functional, needs_torch, pytorch, tensor
from tests.ops.shared import assert_close, refusal, sources
from whygrad import engines
from whygrad.errors import DataError, DTypeError, OptionError, ShapeError
from whygrad.losses import cross_entropy

SHAPES = st.one_of(st.tuples(st.integers(1, 5), st.integers(1, 5)), st.tuples(*[st.integers(1, 4)] * 3))
DISTRIBUTIONS = "probabilities that are not negative and add up to 1 over the classes"
SMOOTHING = st.sampled_from([0.0, 0.1, 0.7, 1.0])


@needs_torch
@given(sources(), SHAPES, st.sampled_from(REDUCTIONS), SMOOTHING, st.booleans(), st.booleans())
def test_loss_and_gradient_are_those_of_pytorch(source, shape, reduction, smoothing, weighted, soft):
    logits = source.normal(*shape)
    target = probabilities(source, *shape) if soft else labels(source, shape[1], shape[0], *shape[2:])
    weights = source.positive(shape[1]).astype(np.float64) if weighted else None
    options = {"reduction": reduction, "label_smoothing": smoothing}

    def theirs(z):
        t = tensor(target) if soft else pytorch().tensor(target)
        return functional().cross_entropy(z, t, weight=None if weights is None else tensor(weights), **options)

    assert_agrees(lambda z: cross_entropy(z, target, class_weights=weights, **options), theirs, logits)


def test_is_minus_the_logarithm_of_the_probability_of_the_target():
    logits = np.log(np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]))
    value, gradient = cross_entropy(logits, np.array([2, 1]), reduction="sum")
    assert value == pytest.approx(-np.log(0.5) - np.log(0.3), abs=1e-14)
    assert_close(gradient, [[0.2, 0.3, -0.5], [0.6, -0.7, 0.1]])


def test_mean_divides_by_the_weights_of_the_classes_that_occur():
    value, gradient = cross_entropy(np.zeros((2, 2)), np.array([0, 1]), class_weights=np.array([1.0, 3.0]))
    assert value == pytest.approx(np.log(2), abs=1e-14)
    assert_close(gradient, [[-0.125, 0.125], [0.375, -0.375]])


def test_smoothing_gives_every_class_its_share():
    logits = np.log(np.array([[0.1, 0.2, 0.3, 0.4]]))
    value, gradient = cross_entropy(logits, np.array([3]), label_smoothing=0.4)
    assert value == pytest.approx(-0.1 * np.log(0.1 * 0.2 * 0.3) - 0.7 * np.log(0.4), abs=1e-14)
    assert_close(gradient, [[0.0, 0.1, 0.2, -0.3]])


def test_class_indices_and_their_one_hot_rows_are_the_same():
    logits, target = np.random.default_rng(0).normal(size=(5, 3)), np.array([0, 2, 1, 1, 0])
    one_hot = np.eye(3)[target]
    for soft in (one_hot, one_hot.astype(bool)):
        value, gradient = cross_entropy(logits, soft)
        wanted, wanted_gradient = cross_entropy(logits, target)
        assert value == pytest.approx(wanted, abs=1e-14)
        assert_close(gradient, wanted_gradient)


def test_samples_whose_class_weighs_nothing_count_nothing():
    value, gradient = cross_entropy(np.eye(2), np.array([0, 0]), class_weights=np.array([0.0, 1.0]))
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros((2, 2)))


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.data())
def test_extreme_logits_never_give_nan(dtype, data):
    logits = data.draw(extremes(dtype, 2, 3))
    q = data.draw(st.sampled_from([[[0.0, 0.0, 1.0], [0.5, 0.5, 0.0]], [[1.0, 0.0, 0.0], [0.25, 0.25, 0.5]]]))
    target = data.draw(st.sampled_from([np.array([0, 2]), np.array([1, 1]), np.array(q)]))
    weights = data.draw(st.sampled_from([None, np.array([0.0, 1.0, 2.0]), np.zeros(3)]))
    options = {"label_smoothing": data.draw(SMOOTHING), "reduction": data.draw(st.sampled_from(REDUCTIONS))}
    assert_without_nan(lambda z: cross_entropy(z, target, class_weights=weights, **options), logits)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_hopeless_prediction_still_has_a_gradient(dtype):
    largest = np.finfo(dtype).max
    value, gradient = cross_entropy(np.array([[-largest, largest]]), np.array([0]))
    assert value >= largest
    np.testing.assert_array_equal(gradient, [[-1, 1]])


@pytest.mark.parametrize(
    ("error", "logits", "target", "options", "text"),
    [
        (
            ShapeError,
            (3,),
            [0],
            {},
            "logits of shape (N, K) or (N, K, ...), K > 0, received (3,); add the class axis",
        ),
        (ShapeError, (2, 0), [0, 0], {}, "logits of shape (N, K) or (N, K, ...), K > 0, received (2, 0)"),
        (ShapeError, (2, 3), [0], {}, "class indices of shape (2,), received (1,); pass one class index a sample"),
        (ShapeError, (2, 3, 4), [0, 1], {}, "class indices of shape (2, 4), received (2,)"),
        (
            ShapeError,
            (1, 2),
            [[0, 1]],
            {},
            "class indices of shape (1,), received (1, 2); pass indices with target.",
        ),
        (ShapeError, (2, 3), [0.0, 1.0], {}, "targets of shape (2, 3), received (2,); give every prediction"),
        (ShapeError, (1, 2), [0], {"class_weights": [1.0]}, "class_weights of shape (2,), received (1,)"),
        (DTypeError, (1, 2), ["cat"], {}, "targets that are numbers, received <U3; convert the targets"),
        (DataError, (1, 3), [3], {}, "labels from 0 to 2, received label 3; count classes from 0"),
        (DataError, (2, 3), [-1, 0], {}, "labels from 0 to 2, received label -1"),
        (
            DataError,
            (1, 2),
            [[0.5, 0.6]],
            {},
            f"{DISTRIBUTIONS}, received a sum of 1.1 or a negative entry; normalise",
        ),
        (DataError, (1, 2), [[1.5, -0.5]], {}, f"{DISTRIBUTIONS}, received a sum of 1 or a negative entry"),
        (
            DataError,
            (1, 2),
            [[np.nan, 1.0]],
            {},
            "finite targets, received NaN, infinity or more than float64 holds",
        ),
        (DataError, (1, 2), [0], {"class_weights": [1.0, -1.0]}, "class_weights that are finite and not negative"),
        (
            DataError,
            (1, 2),
            [0],
            {"class_weights": [1.0, np.inf]},
            "class_weights that are finite and not negative",
        ),
        (OptionError, (1, 2), [0], {"reduction": "none"}, 'reduction "mean" or "sum", received \'none\''),
        (OptionError, (1, 2), [0], {"label_smoothing": 1.5}, "label_smoothing in [0, 1], received 1.5"),
        (OptionError, (1, 2), [0], {"label_smoothing": np.nan}, "label_smoothing in [0, 1], received nan"),
    ],
)
def test_refuses_what_it_cannot_measure(error, logits, target, options, text):
    with refusal(error, f"cross_entropy: expected {text}"):
        cross_entropy(np.zeros(logits), np.array(target), **options)


def test_refuses_integer_logits():
    with refusal(DTypeError, "cross_entropy: expected logits of dtype float32 or float64, received int64"):
        cross_entropy(np.zeros((1, 2), int), np.array([0]))


def test_refuses_class_weights_too_large_for_the_dtype_of_the_logits():
    with refusal(DataError, "cross_entropy: expected class_weights that are finite and not negative"):
        cross_entropy(np.zeros((1, 2), np.float32), np.array([0]), class_weights=np.array([1e300, 1]))


@pytest.mark.parametrize("dtype", ["<i8", ">i8", ">i4", "<u2", "i1"])
def test_takes_labels_of_any_size_and_byte_order_and_refuses_those_out_of_range(dtype):
    logits = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    labels = np.array([2, 0], dtype)
    assert cross_entropy(logits, labels)[0] == cross_entropy(logits, [2, 0])[0]
    with refusal(DataError, "labels from 0 to 2, received label 3"):
        cross_entropy(logits, np.array([3, 0], dtype))


@pytest.mark.parametrize("count", [1, 32, 33, 500])
@pytest.mark.parametrize("dtype", ["<i8", ">i4", "i1", "u1", "<u8"])
@pytest.mark.parametrize("wrong", [-1, 3, 120])
def test_finds_a_label_out_of_range_among_few_and_among_many(count, dtype, wrong):
    if wrong < 0 and np.dtype(dtype).kind == "u":
        wrong = int(np.iinfo(dtype).max)
    classes = np.arange(count).astype(dtype) % 3
    logits = np.random.default_rng(0).normal(size=(count, 3))
    assert np.isfinite(cross_entropy(logits, classes)[0])
    classes[count // 2] = wrong
    with refusal(DataError, f"labels from 0 to 2, received label {wrong}"):
        cross_entropy(logits, classes)


def test_equal_class_weights_are_kept_and_never_written_to():
    logits, classes = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 1, 2, 1])
    plain = cross_entropy(logits, classes)
    cross_entropy(logits, classes, label_smoothing=0.3)
    with engines.engine("definition"):
        cross_entropy(logits, classes, label_smoothing=0.3)
    np.testing.assert_equal(cross_entropy(logits, classes), plain)
    np.testing.assert_equal(cross_entropy(logits, classes, class_weights=np.ones(3)), plain)

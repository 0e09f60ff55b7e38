"""The compiled twins of element-wise operations, operations along an axis and losses, against the definitions."""

from functools import partial

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.ops.shared import ORDERS, TOLERANCE, Source, lay_out, shapes, sources

from whygrad import losses, ops
from whygrad.engines import engine
from whygrad.kernels.threads import SMALL_PASS

UNARY = {
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "silu": ops.silu,
    "softplus": ops.softplus,
    "elu": partial(ops.elu, alpha=1.5),
    "leaky_relu": partial(ops.leaky_relu, negative_slope=0.2),
    "gelu": ops.gelu,
    "gelu tanh": partial(ops.gelu, approximate="tanh"),
    "log_softmax": partial(ops.log_softmax, axis=-1),
    "softmax": partial(ops.softmax, axis=-1),
    "log_softmax axis 0": partial(ops.log_softmax, axis=0),
    "softmax axis 0": partial(ops.softmax, axis=0),
}
AXES = {name for name in UNARY if "softmax" in name}
# Definition and twin may each be a few units off, and sums may be added up in another order.
BY_ENTRY = {"float32": 1e-5, "float64": 1e-12}
# One number beyond and short of what one vector register, or several, can hold; and enough for several threads.
LENGTHS = st.one_of(st.integers(1, 130), st.sampled_from([SMALL_PASS - 1, SMALL_PASS, SMALL_PASS + 37]))
every_unary = pytest.mark.parametrize("name", UNARY)
both_types = pytest.mark.parametrize("dtype", sorted(TOLERANCE))


def dropout(x):
    return ops.dropout(x, p=0.3, training=True, rng=np.random.default_rng(5))


def gradients(pulled):
    return pulled if isinstance(pulled, tuple) else (pulled,)


def by_both(function, inputs, dy=None):
    """Return value and gradients of the compiled twin, and those of the definition."""
    results = []
    for name in ("compiled", "definition"):
        with engine(name), np.errstate(all="ignore"):
            y, pullback = function(*inputs)
            results.append([y, *gradients(pullback(np.ones_like(y) if dy is None else dy))])
    return results


def assert_same(compiled, definition, dtype, by_entry=BY_ENTRY):
    """Require equality within rounding, entry by entry apart from what cancellation leaves of numbers around 1."""
    for actual, wanted in zip(compiled, definition, strict=True):
        assert isinstance(actual, np.ndarray)
        assert actual.dtype == dtype
        assert actual.shape == wanted.shape
        tolerance = by_entry[str(np.dtype(dtype))]
        np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance)


@every_unary
@given(sources(), LENGTHS, st.sampled_from([1, 10]))
@example(Source(1, "float32"), SMALL_PASS + 1, 1)
def test_vectors_of_any_length(name, source, length, scale):
    x, dy = scale * source.normal(length), source.normal(length)
    assert_same(*by_both(UNARY[name], [x], dy), source.dtype)


@every_unary
@given(sources(), shapes(min_dims=0), st.sampled_from(ORDERS))
def test_arrays_of_any_rank_and_memory_order(name, source, shape, order):
    if name in AXES and not shape:
        shape = (3,)
    x, dy = (a.reshape(shape) for a in (source.normal(*shape), lay_out(source.normal(*shape), order)))
    x.flags.writeable = dy.flags.writeable = False
    assert_same(*by_both(UNARY[name], [x], dy), source.dtype)


@given(sources(), shapes(), st.sampled_from(ORDERS))
def test_sums_and_masks_of_any_rank_and_memory_order(source, shape, order):
    drawn = source.normal(*shape), lay_out(source.normal(*shape), order), source.normal(*shape)
    a, b, dy = (array.reshape(shape) for array in drawn)
    for function, inputs in ((ops.add, [a, b]), (dropout, [a])):
        for actual, wanted in zip(*by_both(function, inputs, dy), strict=True):
            np.testing.assert_array_equal(actual, wanted)
            assert actual.dtype == source.dtype


@both_types
@pytest.mark.parametrize("name", [*UNARY, "dropout"])
def test_numbers_at_the_ends_and_beyond(name, dtype):
    info = np.finfo(dtype)
    sizes = [0, info.smallest_subnormal, info.tiny, info.eps, 0.1, 1, 9.9, 10.1, 50, 200, 1e4, info.max, np.inf]
    x = np.array([sign * size for size in [*sizes, np.nan] for sign in (1, -1)], dtype)[:, None]
    dy = np.ones_like(x)
    function = dropout if name == "dropout" else UNARY[name]
    x = x.T if "0" in name else x  # one row each
    assert_same(*by_both(function, [x], dy.reshape(x.shape)), dtype)


@both_types
@pytest.mark.parametrize("name", sorted(AXES))
def test_rows_with_huge_and_missing_scores(name, dtype):
    huge, inf, nan = np.finfo(dtype).max, np.inf, np.nan
    rows = [
        [huge, -huge, 1],
        [huge, huge, 0],
        [1, inf, 2],
        [-inf, 0, 1],
        [-inf, -inf, -inf],
        [0, nan, 1],
        [nan, 0, 1],
    ]
    x = np.array(rows, dtype)
    assert_same(*by_both(UNARY[name], [x.T if "0" in name else x]), dtype)


@every_unary
@given(st.sampled_from([(0,), (0, 3), (2, 0, 4), (0, 2, 3, 3)]))
def test_empty_arrays(name, shape):
    if name in AXES:
        shape = (shape[0] or 1, 0, 5) if "0" in name else (0, 3)
    y, dx = by_both(UNARY[name], [np.zeros(shape)])[0]
    assert y.shape == dx.shape == shape


@pytest.mark.parametrize("name", [*UNARY, "add", "dropout", "layer_norm"])
def test_images_stay_channels_last(name):
    x = lay_out(np.random.default_rng(0).normal(size=(2, 3, 4, 5)), "channels last")
    function = UNARY.get(name) or {"add": lambda x: ops.add(x, x), "dropout": dropout}.get(name)
    if name in AXES:
        function = partial(function.func, axis=1)
    if name == "layer_norm":
        function = partial(ops.layer_norm, gamma=np.ones((3, 4, 5)), beta=np.ones((3, 4, 5)))
    y, pullback = function(x)
    for image in (y, gradients(pullback(y))[0]):
        assert image.transpose(0, 2, 3, 1).flags.c_contiguous


@given(sources(), shapes(1, 2), shapes(1, 3, max_side=5), st.sampled_from([1e-2, 1.0]))
def test_layer_norm_of_any_shape(source, samples, features, eps):
    x, gamma, beta = source.normal(*samples, *features), source.positive(*features), source.normal(*features)
    function = partial(ops.layer_norm, eps=eps)
    wider = {"float32": 5e-5, "float64": 1e-12}  # divided by a small variance
    assert_same(*by_both(function, [x, gamma, beta], source.normal(*x.shape)), source.dtype, wider)


@both_types
@pytest.mark.parametrize("order", ["C", "channels last"])
def test_layer_norm_of_large_images(order, dtype):
    source = Source(0, dtype, order)
    inputs = source.normal(15, 5, 30, 31), source.normal(5, 30, 31), source.normal(5, 30, 31)
    assert_same(
        *by_both(ops.layer_norm, inputs, source.normal(15, 5, 30, 31)), dtype, {"float32": 5e-5, "float64": 1e-12}
    )


@pytest.mark.parametrize("name", sorted(AXES))
@both_types
@pytest.mark.parametrize("shape", [(7000, 10), (10, 7000), (3, 7, 80, 41)])
def test_many_and_long_rows(name, dtype, shape):
    source = Source(0, dtype, "channels last")
    assert_same(*by_both(UNARY[name], [source.normal(*shape)], source.normal(*shape)), dtype)


def loss_by_both(function, *inputs):
    results = []
    for name in ("compiled", "definition"):
        with engine(name), np.errstate(all="ignore"):
            results.append(function(*inputs))
    return results


def assert_same_loss(results, dtype):
    (value, gradient), (wanted, wanted_gradient) = results
    assert type(value) is float
    assert value == pytest.approx(wanted, rel=BY_ENTRY[dtype], abs=BY_ENTRY[dtype], nan_ok=True)
    assert_same([gradient], [wanted_gradient], dtype)


ROWS = st.one_of(
    st.tuples(st.integers(0, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(0, 5)),
    st.sampled_from([(SMALL_PASS // 10 + 3, 10), (3, 9, 60, 41)]),
)
REDUCTIONS = st.sampled_from(["mean", "sum"])


@given(sources(), ROWS, REDUCTIONS, st.sampled_from([0.0, 0.1, 1.0]), st.booleans(), st.booleans())
def test_cross_entropy(source, shape, reduction, smoothing, weighted, soft):
    z, rng = 3 * source.normal(*shape), source.rng
    target = rng.integers(0, shape[1], (shape[0], *shape[2:]), dtype=rng.choice([np.uint8, np.int64]))
    if soft:
        q = rng.uniform(0, 1, shape) * (rng.uniform(size=shape) > 0.3) + 1e-6
        target = lay_out(q / q.sum(axis=1, keepdims=True), source.order)
    weights = rng.integers(0, 3, 2 * shape[1])[::2] if weighted else None
    options = {"reduction": reduction, "label_smoothing": smoothing, "class_weights": weights}
    assert_same_loss(loss_by_both(partial(losses.cross_entropy, **options), z, target), source.dtype)


@given(sources(), ROWS, REDUCTIONS, st.booleans())
def test_hinge(source, shape, reduction, ties):
    s = source.integers(*shape) if ties else source.normal(*shape)
    target = source.rng.integers(0, shape[1], (shape[0], *shape[2:]))
    assert_same_loss(loss_by_both(partial(losses.hinge, reduction=reduction), s, target), source.dtype)


def test_hinge_does_not_charge_a_class_exactly_at_the_margin():
    s = np.array([[0.3, 0.1, 0.2]])  # 0.1 − 0.3 + 0.2 is not 0.1 + (0.2 − 0.3) in floating point
    for margin in (0.1, 0.2, 0.7):
        assert_same_loss(loss_by_both(partial(losses.hinge, margin=margin), s, np.array([0])), "float64")


@pytest.mark.parametrize("name", ["half_squared_error", "mean_squared_error", "binary_cross_entropy"])
@given(
    sources(),
    st.one_of(shapes(1), st.sampled_from([(0, 3), (127,), (SMALL_PASS + 5,), (3, 5, 110, 41)])),
    REDUCTIONS,
)
def test_losses_entry_by_entry(name, source, shape, reduction):
    y, t = 3 * source.normal(*shape), source.rng.uniform(size=shape).astype(source.dtype)
    function = partial(getattr(losses, name), reduction=reduction)
    assert_same_loss(loss_by_both(function, y, lay_out(t, source.order)), source.dtype)


@both_types
@pytest.mark.parametrize("name", losses.LOSSES)
def test_losses_of_extreme_and_missing_numbers(name, dtype):
    huge = np.finfo(dtype).max
    function = losses.LOSSES[name].function
    for row in (
        [huge, -huge, 1],
        [huge, huge, huge],
        [np.inf, 0, 1],
        [-np.inf, 0, 1],
        [np.nan, 0, 1],
        [0, 1, np.nan],
    ):
        y = np.array([row], dtype)
        target = np.array([1]) if name in ("cross_entropy", "hinge") else np.array([[0.0, 1.0, 0.5]])
        assert_same_loss(loss_by_both(function, y, target), dtype)


def test_losses_are_the_same_from_call_to_call():
    rng = np.random.default_rng(0)
    z, t = rng.normal(size=(5000, 10)).astype(np.float32), rng.integers(0, 10, 5000)
    values = {losses.cross_entropy(z, t)[0] for _ in range(5)}
    assert len(values) == 1

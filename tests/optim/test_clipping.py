import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.optim import import_torch
from whygrad.errors import DTypeError, NonFiniteError, OptionError
from whygrad.optim import Clipped, clip_by_global_norm, clip_by_value

BOTH = pytest.mark.parametrize("clip", [clip_by_value, clip_by_global_norm])


@pytest.fixture
def torch():
    return import_torch()


def frozen(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


def drawn(seed, dtype="float64"):
    rng = np.random.default_rng(seed)
    shapes = {"conv.weight": (3, 2, 2, 2), "conv.bias": (3,), "scale": (), "empty": (0, 2)}
    return {name: frozen(np.asarray(rng.normal(size=shape), dtype)) for name, shape in shapes.items()}


def norm_of(gradients):
    return math.sqrt(sum(float((g.astype(np.float64) ** 2).sum()) for g in gradients.values()))


@pytest.mark.parametrize("max_norm", [1e-3, 1.0, 4.0, 100.0])
def test_global_norm_is_that_of_pytorch_apart_from_its_1e_minus_6(torch, max_norm):
    gradients = drawn(0)
    tensors = [torch.nn.Parameter(torch.tensor(np.array(g))) for g in gradients.values()]
    for tensor, g in zip(tensors, gradients.values(), strict=True):
        tensor.grad = torch.tensor(np.array(g))
    norm = float(torch.nn.utils.clip_grad_norm_(tensors, max_norm))
    result, clipped = clip_by_global_norm(gradients, max_norm)
    assert clipped.norm == pytest.approx(norm, rel=1e-13)
    ratio = (norm + 1e-6) / norm if max_norm < norm else 1.0
    for tensor, g in zip(tensors, result.values(), strict=True):
        np.testing.assert_allclose(g, tensor.grad.numpy() * ratio, rtol=1e-12)


@pytest.mark.parametrize("limit", [0.0, 0.1, 1.0, 100.0])
def test_values_are_those_of_pytorch(torch, limit):
    gradients = drawn(1)
    tensors = [torch.nn.Parameter(torch.tensor(np.array(g))) for g in gradients.values()]
    for tensor, g in zip(tensors, gradients.values(), strict=True):
        tensor.grad = torch.tensor(np.array(g))
    torch.nn.utils.clip_grad_value_(tensors, limit)
    result, _ = clip_by_value(gradients, limit)
    for tensor, g in zip(tensors, result.values(), strict=True):
        np.testing.assert_array_equal(g, tensor.grad.numpy())


def test_global_norm_by_hand():
    result, clipped = clip_by_global_norm({"a": np.array([2.0, 0.0, 4.0]), "b": np.array([[4.0]])}, 3.0)
    np.testing.assert_allclose(result["a"], [1, 0, 2], rtol=1e-15)
    np.testing.assert_allclose(result["b"], [[2]], rtol=1e-15)
    assert clipped == Clipped(norm=6.0, entries=3, total=4, factor=0.5)


def test_values_by_hand():
    gradients = {"a": np.array([2.0, 0.0, -4.0]), "b": np.array([[4.0]]), "c": np.array([3.0])}
    result, clipped = clip_by_value(gradients, 3.0)
    np.testing.assert_array_equal(result["a"], [2, 0, -3])
    np.testing.assert_array_equal(result["b"], [[3]])
    assert result["c"] is gradients["c"]
    assert clipped == Clipped(norm=math.sqrt(45), entries=2, total=5, factor=1.0)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["float32", "float64"]),
    st.floats(1e-3, 50),
    st.integers(-25, 25),
)
def test_clipped_gradients_are_within_the_bound_and_twice_is_once(seed, dtype, bound, power):
    size = 10.0**power
    gradients = {name: frozen(np.asarray(g * size, dtype)) for name, g in drawn(seed).items()}
    short, by_norm = clip_by_global_norm(gradients, bound * size)
    cut, by_value = clip_by_value(gradients, bound * size)
    slack = 1 + (1e-6 if dtype == "float32" else 1e-12)
    scaled = {name: g.astype(np.float64) / size for name, g in short.items()}
    assert norm_of(scaled) <= bound * slack
    assert by_norm.factor <= 1.0
    assert by_norm.norm == by_value.norm
    for name, g in gradients.items():
        assert short[name].dtype == cut[name].dtype == dtype
        assert short[name].shape == cut[name].shape == g.shape
        assert (np.abs(cut[name]) <= bound * size).all()
        np.testing.assert_array_equal(cut[name], np.where(np.abs(g) <= bound * size, g, cut[name]))
        np.testing.assert_allclose(short[name], by_norm.factor * g.astype(np.float64), rtol=1e-6)
    again, once_more = clip_by_value(cut, bound * size)
    assert once_more.entries == 0
    assert all(again[name] is cut[name] for name in cut)


def test_entries_are_those_that_changed():
    zeros = {"w": np.array([0.0, 3.0, 0.0, 4.0])}
    assert clip_by_global_norm(zeros, 1.0)[1].entries == 2
    assert clip_by_value(zeros, 3.5)[1].entries == 1
    assert clip_by_value(zeros, 4.0)[1].entries == 0


@BOTH
@pytest.mark.parametrize("bound", [1e9, math.inf])
def test_what_is_within_the_bound_comes_back_as_it_is(clip, bound):
    gradients = drawn(2)
    result, clipped = clip(gradients, bound)
    assert all(result[name] is gradients[name] for name in gradients)
    assert result is not gradients
    assert clipped == Clipped(pytest.approx(norm_of(gradients), rel=1e-14), 0, 28, 1.0)


def test_a_norm_equal_to_the_bound_is_not_touched():
    gradients = {"w": np.array([3.0, 4.0])}
    result, clipped = clip_by_global_norm(gradients, 5.0)
    assert result["w"] is gradients["w"]
    assert clipped == Clipped(5.0, 0, 2, 1.0)


@BOTH
def test_a_bound_of_zero_leaves_zeros(clip):
    result, clipped = clip({"w": np.array([3.0, 0.0, -4.0])}, 0.0)
    np.testing.assert_array_equal(result["w"], np.zeros(3))
    assert clipped.entries == 2


@BOTH
@pytest.mark.parametrize("gradients", [{}, {"w": np.zeros((0, 3))}, {"w": np.zeros(3)}])
def test_nothing_and_zeros_have_norm_zero(clip, gradients):
    result, clipped = clip(gradients, 1.0)
    assert list(result) == list(gradients)
    assert clipped == Clipped(0.0, 0, sum(g.size for g in gradients.values()), 1.0)


@pytest.mark.parametrize("size", [1e200, 1e-200, 1e-310])
def test_squares_neither_overflow_nor_vanish(size):
    result, clipped = clip_by_global_norm({"w": np.array([3 * size, -4 * size])}, size)
    assert clipped.norm == pytest.approx(5 * size, rel=1e-12)
    np.testing.assert_allclose(result["w"] / size, [0.6, -0.8], rtol=1e-12)
    assert clipped.factor == pytest.approx(0.2, rel=1e-12)


def test_a_norm_beyond_float64_still_gives_the_right_direction():
    # The factor 1e-318 has three digits left in float64; the result has all of them.
    result, clipped = clip_by_global_norm({"w": np.array([1.5e308, -1.5e308, 0.0])}, 2e-10)
    assert clipped.norm == math.inf
    np.testing.assert_allclose(result["w"] * 1e10, [math.sqrt(2), -math.sqrt(2), 0], rtol=1e-14)


def test_the_norm_of_float32_gradients_is_that_of_float64():
    gradients = {"w": np.random.default_rng(0).normal(size=10_000).astype(np.float32)}
    for clip in (clip_by_global_norm, clip_by_value):
        assert clip(gradients, 1.0)[1].norm == pytest.approx(norm_of(gradients), rel=1e-13)


def test_float32_entries_whose_squares_overflow_in_float32():
    gradients = {"w": np.array([3e30, 4e30], np.float32)}
    result, clipped = clip_by_global_norm(gradients, 1.0)
    assert clipped.norm == pytest.approx(5e30, rel=1e-6)
    np.testing.assert_allclose(result["w"], [0.6, 0.8], rtol=1e-6)
    assert clip_by_value(gradients, 1e300)[0]["w"] is gradients["w"]


def test_dtypes_may_differ_and_stay():
    gradients = {"a": np.array([3.0], np.float32), "b": np.array([4.0])}
    for clip in (clip_by_global_norm, clip_by_value):
        result, _ = clip(gradients, 1.0)
        assert (result["a"].dtype, result["b"].dtype) == (np.float32, np.float64)


@BOTH
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_by_name_and_number(clip, bad):
    gradients = {"good": np.ones(3), "conv1.weight": np.array([[1.0, bad], [bad, 0.0]])}
    place = rf"conv1\.weight \({clip.__name__}\)"
    with pytest.raises(NonFiniteError, match=f"{place}: expected .*, received 2 of 4 entries NaN or infinite"):
        clip(gradients, 1.0)


@BOTH
def test_integers_are_refused_by_name(clip):
    with pytest.raises(DTypeError, match=rf"w \({clip.__name__}\): expected gradient of dtype"):
        clip({"w": np.ones(3, int)}, 1.0)


@BOTH
@pytest.mark.parametrize("bound", [-1.0, math.nan, None])
def test_a_bound_that_is_none_is_refused(clip, bound):
    name = "limit" if clip is clip_by_value else "max_norm"
    with pytest.raises(OptionError, match=rf"{clip.__name__}: expected {name} in \[0, inf\]"):
        clip({"w": np.ones(3)}, bound)

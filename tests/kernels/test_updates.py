"""The compiled updates against the formulas in NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ops.shared import ORDERS, lay_out

from whygrad.engines import engine
from whygrad.optim import SGD, Adam, AdamW, RMSprop, clip_by_global_norm
from whygrad.workspace import Workspace

OPTIMIZERS = [
    SGD(0.1),
    SGD(0.1, weight_decay=0.01),
    SGD(0.1, weight_decay=0.01, decoupled=True),
    SGD(0.1, momentum=0.9),
    SGD(0.1, momentum=0.9, weight_decay=0.01),
    SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01, decoupled=True),
    Adam(0.01),
    Adam(0.01, weight_decay=0.1),
    AdamW(0.01),
    RMSprop(0.01),
    RMSprop(0.01, momentum=0.9),
    RMSprop(0.01, momentum=0.9, weight_decay=0.1, eps=1.0),  # without eps what cancels in the gradient is blown up
    RMSprop(0.01, centered=True),
    RMSprop(0.01, centered=True, momentum=0.9),
]
SHAPES = {"one": (1,), "none": (0, 3), "number": (), "conv": (4, 3, 3, 2), "bias": (17,), "large": (130, 129)}
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)


def drawn(seed, dtype, order="C"):
    rng = np.random.default_rng(seed)
    return {name: lay_out(rng.normal(size=shape).astype(dtype), order) for name, shape in SHAPES.items()}


def assert_within_ulps(actual, wanted, terms, ulps=4):
    """Require agreement within so many units in the last place of the largest of what was added up."""
    assert actual.dtype == wanted.dtype
    assert actual.shape == wanted.shape
    assert np.all(np.abs(actual - wanted) <= ulps * np.spacing(np.maximum(np.abs(wanted), terms)))


@each_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", ORDERS)
def test_each_update_is_that_of_the_formula(optimizer, dtype, order):
    params = drawn(0, dtype, order)
    state = optimizer.init(params)
    for step in range(4):
        gradients = drawn(step + 1, dtype, order)
        given = [
            *params.values(),
            *gradients.values(),
            *(a for held in state.slots.values() for a in held.values()),
        ]
        before = [array.copy() for array in given]
        with engine("definition"):
            wanted, wanted_state = optimizer.update(params, gradients, state)
        slots = state.slots
        new, state = optimizer.update(params, gradients, state)
        for array, copy in zip(given, before, strict=True):
            np.testing.assert_array_equal(array, copy)
        for name, w in params.items():
            assert not np.shares_memory(new[name], w)
            old = [held[name] for held in slots.values() if name in held]
            terms = np.max([np.abs(a) for a in (w, gradients[name], gradients[name] ** 2, *old)], axis=0)
            assert_within_ulps(new[name], wanted[name], terms)
            for slot, held in wanted_state.slots.items():
                assert_within_ulps(state.slots[slot][name], held[name], terms)
        assert state.step == wanted_state.step
        params = new


@each_optimizer
def test_what_is_not_finite_spreads_as_in_the_formula(optimizer):
    w = np.array([np.inf, -np.inf, np.nan, 1, 1, 1, 0, -0.0], np.float32)
    g = np.array([1, 1, 1, np.inf, -np.inf, np.nan, 0, -0.0], np.float32)
    params, state = {"w": w}, optimizer.init({"w": w})
    with np.errstate(all="ignore"):
        with engine("definition"):
            wanted, wanted_state = optimizer.update(params, {"w": g}, state)
        new, state = optimizer.update(params, {"w": g}, state)
    np.testing.assert_allclose(new["w"], wanted["w"], rtol=1e-6)
    for slot, held in wanted_state.slots.items():
        np.testing.assert_allclose(state.slots[slot]["w"], held["w"], rtol=1e-6)


@each_optimizer
def test_parameters_of_two_dtypes_are_each_moved_as_if_alone(optimizer):
    params, gradients = drawn(0, "float32"), drawn(1, "float32")
    for name in ("bias", "number"):
        params[name], gradients[name] = (a[name].astype(np.float64) for a in (params, gradients))
    state, alone = optimizer.init(params), {name: optimizer.init(params) for name in params}
    for _ in range(2):
        new, state = optimizer.update(params, gradients, state)
        assert list(new) == list(params)
        for name, w in params.items():
            own, alone[name] = optimizer.update({name: w}, {name: gradients[name]}, alone[name])
            assert new[name].dtype == w.dtype
            assert new[name].tobytes() == own[name].tobytes()
            for slot, held in alone[name].slots.items():
                assert state.slots[slot][name].tobytes() == held[name].tobytes()
        params = new


@each_optimizer
def test_recycled_memory_is_never_that_of_an_array_in_use(optimizer):
    params, gradients = drawn(0, "float32"), drawn(1, "float32")
    fresh, state = optimizer.update(params, gradients, optimizer.init(params))
    wanted, _ = optimizer.update(fresh, gradients, state)
    with Workspace():
        params, state = optimizer.update(params, gradients, optimizer.init(params))
        params, state = optimizer.update(params, gradients, state)
        for _ in range(3):
            optimizer.update(params, gradients, state)
    for name, array in wanted.items():
        np.testing.assert_array_equal(params[name], array)


def test_a_read_only_parameter_and_a_gradient_of_another_dtype_are_taken():
    w, g = np.ones(5, np.float32), np.full(5, 2.0)
    w.flags.writeable = g.flags.writeable = False
    optimizer = Adam(0.5)
    new, _ = optimizer.update({"w": w}, {"w": g}, optimizer.init({"w": w}))
    np.testing.assert_allclose(new["w"], np.full(5, 0.5, np.float32), rtol=1e-6)


@given(st.integers(0, 99), st.sampled_from(["float32", "float64"]), st.sampled_from(ORDERS), st.floats(1e-3, 200))
def test_clipping_by_the_norm_is_that_of_the_formula(seed, dtype, order, max_norm):
    gradients = drawn(seed, dtype, order)
    before = {name: g.copy() for name, g in gradients.items()}
    with engine("definition"):
        wanted, told = clip_by_global_norm(gradients, max_norm)
    actual, clipped = clip_by_global_norm(gradients, max_norm)
    assert clipped == pytest.approx(told, rel=1e-12)
    for name, g in gradients.items():
        np.testing.assert_array_equal(g, before[name])
        np.testing.assert_allclose(actual[name], wanted[name], rtol=1e-6 if dtype == "float32" else 1e-12)

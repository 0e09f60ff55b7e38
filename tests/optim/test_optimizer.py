import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whygrad import engines
from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.optim import SGD, Adam, AdamW, Optimizer, OptimizerState, RMSprop, StepDecay

OPTIMIZERS = [
    SGD(0.1),
    SGD(0.1, weight_decay=0.1),
    SGD(0.1, momentum=0.9),
    SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1, decoupled=True),
    RMSprop(0.1),
    RMSprop(0.1, momentum=0.9, centered=True, weight_decay=0.1),
    Adam(weight_decay=0.1),
    AdamW(StepDecay(0.1, every=2)),
]
each = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: type(optimizer).__name__)


def frozen(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


def assert_same_state(one, other):
    assert one.step == other.step
    assert one.slots.keys() == other.slots.keys()
    for slot, held in one.slots.items():
        assert held.keys() == other.slots[slot].keys()
        for name, value in held.items():
            np.testing.assert_array_equal(value, other.slots[slot][name])


@given(
    st.sampled_from(OPTIMIZERS),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 3), max_size=4).map(tuple),
    st.sampled_from(["float32", "float64"]),
    st.integers(1, 4),
)
def test_an_update_writes_to_nothing_and_two_calls_are_equal(optimizer, seed, shape, dtype, steps):
    rng = np.random.default_rng(seed)
    params = {name: frozen(rng.normal(size=shape).astype(dtype)) for name in ("a", "b")}
    state = optimizer.init(params)
    for _ in range(steps):
        gradients = {name: frozen(np.asarray(rng.normal(size=shape)).astype(dtype)) for name in params}
        before = copy.deepcopy((params, gradients, state))
        updated, after = optimizer.update(params, gradients, state)
        again, after_again = optimizer.update(params, gradients, state)
        for name, value in updated.items():
            assert isinstance(value, np.ndarray)
            assert value.dtype == dtype
            assert value.shape == shape
            assert not np.shares_memory(value, params[name])
            np.testing.assert_array_equal(value, again[name])
            np.testing.assert_array_equal(params[name], before[0][name])
            np.testing.assert_array_equal(gradients[name], before[1][name])
        for held in after.slots.values():
            assert all(isinstance(value, np.ndarray) for value in held.values())
            assert all((value.shape, value.dtype) == (shape, dtype) for value in held.values())
        assert_same_state(after, after_again)
        assert_same_state(state, before[2])
        params = {name: frozen(value) for name, value in updated.items()}
        slots = {slot: {n: frozen(v) for n, v in held.items()} for slot, held in after.slots.items()}
        state = OptimizerState(after.step, slots)


@each
def test_parameters_without_a_gradient_pass_through_untouched(optimizer):
    params = {"running_mean": np.ones(2), "w": np.ones(2), "running_var": np.ones(2)}
    updated, state = optimizer.update(params, {"w": np.ones(2)}, optimizer.init(params))
    assert list(updated) == list(params)
    assert updated["running_mean"] is params["running_mean"]
    assert updated["running_var"] is params["running_var"]
    assert (updated["w"] < 1).all()
    assert all(list(held) == ["w"] for held in state.slots.values())


@each
def test_slots_begin_as_zeros_with_the_first_gradient_and_rest_without_one(optimizer):
    params = {"a": np.ones(2), "b": np.ones(2)}
    state = optimizer.init(params)
    assert state.slots == {slot: {} for slot in optimizer.slot_names}
    params, state = optimizer.update(params, {"a": np.ones(2)}, state)
    explicit = OptimizerState(1, {slot: {**held, "b": np.zeros(2)} for slot, held in state.slots.items()})
    late, after = optimizer.update(params, {"b": np.ones(2)}, state)
    wanted, wanted_after = optimizer.update(params, {"b": np.ones(2)}, explicit)
    np.testing.assert_array_equal(late["b"], wanted["b"])
    assert_same_state(after, wanted_after)
    for slot in optimizer.slot_names:
        np.testing.assert_array_equal(after.slots[slot]["a"], state.slots[slot]["a"])


@each
def test_gradients_and_slots_of_another_dtype_are_rounded_to_that_of_the_parameter(optimizer):
    rng = np.random.default_rng(0)
    params, g = {"w": rng.normal(size=50).astype(np.float32)}, rng.normal(size=50)
    slots = {slot: rng.uniform(1, 2, 50) for slot in optimizer.slot_names}
    wide = OptimizerState(1, {slot: {"w": value} for slot, value in slots.items()})
    single = OptimizerState(1, {slot: {"w": value.astype(np.float32)} for slot, value in slots.items()})
    updated, state = optimizer.update(params, {"w": g}, wide)
    wanted, wanted_state = optimizer.update(params, {"w": g.astype(np.float32)}, single)
    assert updated["w"].dtype == np.float32
    assert all(held["w"].dtype == np.float32 for held in state.slots.values())
    np.testing.assert_array_equal(updated["w"], wanted["w"])
    assert_same_state(state, wanted_state)


@each
def test_no_gradients_make_a_step_that_changes_nothing(optimizer):
    params = {"w": np.ones(3)}
    updated, state = optimizer.update(params, {}, optimizer.init(params))
    assert updated["w"] is params["w"]
    assert state.step == 1


@each
def test_state_and_optimizer_survive_pickling(optimizer):
    params, gradients = {"w": np.ones(3)}, {"w": np.array([1.0, -2.0, 3.0])}
    params, state = optimizer.update(params, gradients, optimizer.init(params))
    one, _ = optimizer.update(params, gradients, state)
    other, _ = pickle.loads(pickle.dumps(optimizer)).update(params, gradients, pickle.loads(pickle.dumps(state)))
    np.testing.assert_array_equal(one["w"], other["w"])


def test_the_schedule_is_asked_for_the_steps_from_zero_on():
    asked = []

    def schedule(step):
        asked.append(step)
        return np.float64(1 / (1 + step))

    optimizer, params = SGD(schedule), {"w": np.zeros(1, np.float32)}
    state = optimizer.init(params)
    for _ in range(3):
        params, state = optimizer.update(params, {"w": np.ones(1, np.float32)}, state)
    assert asked == [0, 1, 2]
    assert params["w"].dtype == np.float32
    np.testing.assert_allclose(params["w"], [-(1 + 1 / 2 + 1 / 3)], rtol=1e-6)


def test_the_rate_of_a_step_is_that_of_the_schedule_or_the_number():
    assert [SGD(StepDecay(0.5, every=2, factor=0.5)).rate(step) for step in range(5)] == [
        0.5,
        0.5,
        0.25,
        0.25,
        0.125,
    ]
    assert AdamW(0.25).rate(10) == 0.25


def test_a_saved_state_continues_the_schedule_and_the_bias_correction():
    optimizer, params, rng = Adam(StepDecay(0.1, every=3)), {"w": np.zeros(4)}, np.random.default_rng(0)
    grads = rng.normal(size=(8, 4))
    through, state = params, optimizer.init(params)
    for g in grads:
        through, state = optimizer.update(through, {"w": g}, state)
    halved, state = params, optimizer.init(params)
    for g in grads[:4]:
        halved, state = optimizer.update(halved, {"w": g}, state)
    fresh = Adam(StepDecay(0.1, every=3))
    for g in grads[4:]:
        halved, state = fresh.update(halved, {"w": g}, state)
    np.testing.assert_array_equal(through["w"], halved["w"])


def test_the_base_has_no_rule_of_its_own():
    with pytest.raises(TypeError, match="abstract"):
        Optimizer(0.1)


@each
def test_a_gradient_of_an_unknown_parameter_is_refused(optimizer):
    params = {"w": np.ones(2)}
    with pytest.raises(OptionError, match=r"expected gradients of w, received one of v; name gradients"):
        optimizer.update(params, {"w": np.ones(2), "v": np.ones(2)}, optimizer.init(params))


@each
def test_a_gradient_of_another_shape_is_refused_and_not_broadcast(optimizer):
    params = {"conv1.bias": np.ones((2, 3))}
    name = type(optimizer).__name__
    with pytest.raises(
        ShapeError, match=rf"conv1\.bias \({name}\): expected gradient of shape \(2, 3\), received \(3,\)"
    ):
        optimizer.update(params, {"conv1.bias": np.ones(3)}, optimizer.init(params))


def test_integers_are_refused():
    with pytest.raises(DTypeError, match=r"w \(SGD\): expected parameter of dtype float32 or float64"):
        SGD(0.1).init({"w": np.ones(2, int)})
    with pytest.raises(DTypeError, match=r"w \(SGD\): expected gradient of dtype float32 or float64"):
        SGD(0.1).update({"w": np.ones(2)}, {"w": np.ones(2, int)}, OptimizerState(0, {}))


def test_the_state_of_another_optimizer_or_model_is_refused():
    params, gradients = {"w": np.ones(2)}, {"w": np.ones(2)}
    with pytest.raises(OptionError, match=r"SGD: expected a state with the slots \['velocity'\]"):
        SGD(0.1, momentum=0.9).update(params, gradients, Adam().init(params))
    foreign = OptimizerState(3, {"velocity": {"w": np.ones(5)}})
    with pytest.raises(ShapeError, match=r"w \(SGD\): expected velocity of shape \(2,\), received \(5,\)"):
        SGD(0.1, momentum=0.9).update(params, gradients, foreign)


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf"), "0.1", True, None])
def test_a_learning_rate_that_is_none_is_refused(bad):
    with pytest.raises(OptionError, match=r"Adam \(Constant\): expected learning_rate in \[0, inf\)"):
        Adam(bad)


def test_a_schedule_that_returns_nonsense_is_refused_with_its_step():
    optimizer, params = SGD(lambda step: float("nan")), {"w": np.ones(2)}
    with pytest.raises(OptionError, match="SGD: expected learning_rate at step 0 in"):
        optimizer.update(params, {"w": np.ones(2)}, optimizer.init(params))


@each
@pytest.mark.parametrize("engine", ["compiled", "definition"])
def test_several_parameters_are_updated_as_each_is_alone(optimizer, engine):
    rng = np.random.default_rng(0)
    shapes = [(1, 3), (4, 3), (0,), ()]
    ws, gs = [rng.normal(size=shape) for shape in shapes], [rng.normal(size=shape) for shape in shapes]
    old = {slot: [rng.uniform(1, 2, shape) for shape in shapes] for slot in optimizer.slot_names}
    with engines.engine(engine):
        new, kept = optimizer.rules(ws, gs, old, 0.1, 3)
        assert list(kept) == list(optimizer.slot_names)
        assert len(new) == len(shapes)
        for i, w in enumerate(ws):
            alone, alone_kept = optimizer.rules(
                [w], [gs[i]], {slot: [held[i]] for slot, held in old.items()}, 0.1, 3
            )
            np.testing.assert_equal(new[i], alone[0])
            for slot, held in kept.items():
                np.testing.assert_equal(held[i], alone_kept[slot][0])
            by_rule, kept_by_rule = optimizer.rule(w, gs[i], {slot: held[i] for slot, held in old.items()}, 0.1, 3)
            np.testing.assert_allclose(new[i], by_rule, rtol=1e-12)
            for slot, held in kept.items():
                np.testing.assert_allclose(held[i], kept_by_rule[slot], rtol=1e-12)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSprop])
def test_a_subclass_with_a_rule_of_its_own_is_asked(kind):
    class Still(kind):
        def rule(self, w, g, old, rate, t):
            return w, {}

    optimizer, params = Still(0.1), {"w": np.ones(3)}
    new, state = optimizer.update(params, {"w": np.ones(3)}, optimizer.init(params))
    np.testing.assert_array_equal(new["w"], params["w"])
    assert all((held["w"] == 0).all() for held in state.slots.values())

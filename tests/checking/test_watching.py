import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from tests.layers.shared import draw, images
from whygrad.checking.watching import first_not_finite, watched
from whygrad.layers import (
    Add,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Graph,
    Layer,
    Linear,
    Node,
    ReLU,
    Residual,
    Sequential,
    Tanh,
)
from whygrad.losses import half_squared_error
from whygrad.models import MODELS


def ignore(event):
    """Listen to nothing."""


def shared():
    nodes = {
        "one": (Linear(3, 3), "x"),
        "two": Node(Linear(3, 3), ("one",), parameters="one"),
        "sum": (Add(), "one", "two"),
    }
    return Graph(nodes, inputs=("x",), outputs="sum", input_shapes=((3,),))


def outputs():
    return Graph({"y": (Linear(3, 2), "a"), "z": (Tanh(), "y")}, inputs=("a",), outputs=("z", "y"))


CASES = {
    "leaf": (Linear(3, 2), (3,)),
    "chain": (Sequential(Linear(3, 2), act=Sequential(Dropout(0.5), Tanh())), (3,)),
    "graph": (Sequential(g=shared(), act=ReLU()), (3,)),
    "several outputs": (outputs(), (3,)),
    "residual": (
        Residual(Sequential(c=Conv2d(2, 3, 1), bn=BatchNorm2d(3)), Sequential(Conv2d(2, 3, 1)), activation=ReLU()),
        (2, 3, 3),
    ),
    **{name: (build(input_shape=(1, 16, 16)), (1, 16, 16)) for name, build in MODELS.items()},
}


@pytest.mark.parametrize("case", CASES)
def test_a_watched_model_computes_the_same(case):
    model, shape = CASES[case]
    params, (x,) = draw(model), images(shape)
    seen = watched(model, ignore)
    assert seen.shapes == model.shapes
    assert seen.output_shape(shape) == model.output_shape(shape)
    assert seen.rows("", shape) == model.rows("", shape)
    assert repr(seen) == repr(model)
    np.testing.assert_equal(seen.init(np.random.default_rng(0)), model.init(np.random.default_rng(0)))
    rngs = np.random.default_rng(1), np.random.default_rng(1)
    (y, pullback, changed), (wanted, wanted_pullback, wanted_changed) = (
        at(params, x, training=True, rng=rng) for at, rng in zip((seen, model), rngs, strict=True)
    )
    np.testing.assert_equal((y, changed), (wanted, wanted_changed))
    np.testing.assert_equal(pullback(y), wanted_pullback(y))
    np.testing.assert_equal(pullback(y, input_gradient=False)[1], wanted_pullback(y)[1])
    np.testing.assert_equal(pullback(y, release=True), wanted_pullback(y))


@pytest.mark.parametrize("case", CASES)
def test_events_have_the_names_of_the_table_and_come_in_order(case):
    model, shape = CASES[case]
    events = []
    y, pullback, _ = watched(model, events.append)(
        draw(model), *images(shape), training=True, rng=np.random.default_rng(0)
    )
    forward = [event.name for event in events]
    table = [row.name for row in model.rows("", shape)]
    # The sum of a residual block stands in the table but is no layer.
    assert [name for name in table if name in set(forward)] == forward
    assert all(name.split(".")[-1] == "add" for name in set(table) - set(forward))
    assert {event.going for event in events} == {"forward"}
    events.clear()
    pullback(y)
    backward = [event.name for event in events]
    assert sorted(backward) == sorted(forward)
    assert {event.going for event in events} == {"backward"}
    if "residual" not in case and "resnet" not in case:
        assert backward == forward[::-1]


def test_an_event_holds_what_was_computed():
    model = Sequential(conv1=Conv2d(1, 2, 3), bn1=BatchNorm2d(2))
    params, (x,) = draw(model), images((1, 4, 4))
    events = []
    y, pullback, _ = watched(model, events.append)(params, x, training=True)
    dx, gradients = pullback(y)
    conv, bn, bn_back, conv_back = events
    assert (conv.name, conv.layer, conv.inputs) == ("conv1", model.layers["conv1"], (x,))
    assert bn.inputs == (conv.value,)
    assert bn.value is y
    assert set(bn.changed) == {"running_mean", "running_var"}
    assert conv.gradients == conv.changed == bn_back.changed == {}
    np.testing.assert_array_equal(bn.pullback(y)[0], bn_back.value)
    assert bn_back.inputs[0] is y
    assert conv_back.inputs[0] is bn_back.value
    assert conv_back.value is dx
    assert conv_back.gradients["weight"] is gradients["conv1.weight"]


def test_a_watched_pullback_can_be_pickled():
    model, shape = CASES["graph"]
    y, pullback, _ = watched(model, ignore)(draw(model), *images(shape))
    np.testing.assert_equal(pickle.loads(pickle.dumps(pullback))(y), pullback(y))


class Planted(Layer):
    """A layer of a user's own, no dataclass, that passes its input on and spoils what it is told to."""

    def __init__(self, going, spoil):
        self.going, self.spoil = going, spoil

    def output_shape(self, *shapes):
        return shapes[0]

    def __call__(self, params, *inputs, training=False, rng=None):
        def pullback(dy, **options):
            return self.spoil(dy) if self.going == "backward" else dy, {}

        return self.spoil(inputs[0]) if self.going == "forward" else inputs[0], pullback, {}


@dataclass(frozen=True, repr=False)
class Overflowing(Layer):
    """A dense layer whose gradient of its bias is infinite, and whose running statistic may be."""

    statistic: float = 0.0

    def parameters(self):
        return Linear(3, 3).parameters()

    def __call__(self, params, *inputs, training=False, rng=None):
        y, pullback, _ = Linear(3, 3)(params, *inputs)

        def backward(dy, **options):
            dx, own = pullback(dy)
            return dx, own | {"bias": own["bias"] / 0}

        return y, backward, {"mean": np.array([0.0, self.statistic])}


def spoilt(value, *places):
    def spoil(array):
        array = array.copy()
        for place in places:
            array[place] = value
        return array

    return spoil


def chain(middle):
    return Sequential(fc1=Linear(3, 3), middle=middle, act1=Tanh())


def first(model, params=None, x=None, target=None, loss=half_squared_error):
    params = draw(model) if params is None else params
    x = np.full((2, 3), 0.5) if x is None else x
    return first_not_finite(model, params, x, np.zeros((2, 3)) if target is None else target, loss)


def test_all_finite_is_none():
    assert first(chain(ReLU())) is None
    for name in ("digits_cnn", "resnet20"):
        model, shape = CASES[name]
        (x,) = images(shape)
        assert first(model, model.init(np.random.default_rng(0), np.float64), x, np.zeros((2, 10))) is None
    assert first(outputs(), target=None, loss=lambda y, target: (0.0, y)) is None


def test_parameters_inputs_and_targets_come_first_and_in_this_order():
    model = chain(ReLU())
    params, x, target = draw(model), np.ones((2, 3)), np.zeros((2, 3))
    bad = params | {"fc1.weight": spoilt(np.nan, (1, 2))(params["fc1.weight"])}
    wrong_x, wrong_target = spoilt(np.inf, (0, 1), (1, 0))(x), spoilt(-np.inf, (0, 0))(target)
    wanted = "parameter fc1.weight has NaN at [1, 2] (1 of 9 entries)"
    assert first(model, bad, wrong_x, wrong_target) == wanted
    assert first(model, params, wrong_x, wrong_target) == "the input has inf (2 of 6 entries, the first at [0, 1])"
    assert first(model, params, x, wrong_target) == "the target has -inf at [0, 0] (1 of 6 entries)"


def test_inputs_of_several_are_told_apart():
    graph = Graph({"y": (Add(), "left", "right")}, inputs=("left", "right"), outputs="y")
    x = np.ones((2, 3))
    bad = spoilt(np.nan, (0, 0))(x)
    assert first(graph, {}, (x, bad)).startswith("input right has NaN at [0, 0]")
    assert first(Sequential(Add()), {}, (x, bad)).startswith("input 2 of 2 has NaN at [0, 0]")


def test_the_layer_that_spoils_its_value_is_named_with_the_range_of_its_input():
    model = chain(Planted("forward", spoilt(np.inf, (0, 1), (1, 0), (1, 2))))
    params = {"fc1.weight": np.eye(3) * 1e150, "fc1.bias": np.zeros(3)}
    wanted = (
        "middle (Planted) gave inf (3 of 6 entries, the first at [0, 1]) from finite inputs up to 5e+149 in size"
    )
    assert first(model, params) == wanted
    both = chain(Planted("forward", lambda x: spoilt(np.nan, (0, 0))(spoilt(np.inf, (0, 1))(x))))
    assert first(both).startswith("middle (Planted) gave NaN and inf (2 of 6 entries, the first at [0, 0])")


def test_an_overflow_is_found_where_it_happens():
    params = {"fc1.weight": np.full((3, 3), 1e200), "fc1.bias": np.zeros(3)}
    sentence = first(chain(ReLU()), params, np.full((2, 3), 1e200))
    assert sentence == (
        "fc1 (Linear(3, 3)) gave inf (6 of 6 entries, the first at [0, 0]) from finite inputs up to 1e+200 in size"
    )


def test_a_running_statistic_is_looked_at():
    sentence = first(Sequential(own=Overflowing(np.inf)))
    assert sentence.startswith("own (Overflowing(statistic=inf)) gave inf at [1] (1 of 2 entries) in its mean from")


def test_sums_that_overflow_are_named_where_they_arrive():
    params = {"weight": np.eye(3) * 1e308, "bias": np.zeros(3)}
    x = np.full((2, 3), 1.0)
    block = Residual(Linear(3, 3), shortcut=Planted("forward", lambda x: x * 1e308))
    everywhere = "inf (6 of 6 entries, the first at [0, 0])"
    assert first(block, params, x) == (
        f"the model's value has {everywhere}, though every layer gave finite numbers: a sum overflowed"
    )
    assert first(Sequential(block, act1=ReLU()), {f"0.{name}": a for name, a in params.items()}, x) == (
        f"act1 (ReLU()) received {everywhere}, though every layer before it gave finite numbers: a sum overflowed"
    )


def test_the_loss_and_its_gradient_are_looked_at():
    def infinite(y, target):
        return float("nan"), y

    def steep(y, target):
        return 0.0, spoilt(np.nan, (1, 1))(y)

    model, params = Sequential(act1=ReLU()), {}
    assert first(model, params, loss=infinite) == "the loss is NaN from finite predictions up to 0.5 in size"
    wanted = (
        "the loss gave NaN at [1, 1] (1 of 6 entries) in its gradient of the predictions, "
        "which are finite up to 0.5 in size"
    )
    assert first(model, params, loss=steep) == wanted


def test_the_pullback_that_spoils_a_gradient_is_named():
    wanted = "the pullback of middle gave NaN at [0, 1] (1 of 6 entries) in dx from a finite dy up to "
    assert first(chain(Planted("backward", spoilt(np.nan, (0, 1))))).startswith(wanted)
    with np.errstate(divide="ignore"):
        sentence = first(Sequential(own=Overflowing()))
    assert "the pullback of own gave " in sentence
    assert "in its gradient of bias from a finite dy up to " in sentence


def test_sums_of_gradients_that_overflow_are_named():
    def steep(y, target):
        return 0.0, np.full_like(y, 1e308)

    x = np.full((1, 3), 1.5)
    end = Graph({"a": (Tanh(), "x"), "y": (Add(), "a", "a")}, inputs=("x",), outputs="y")
    assert first(end, {}, x, loss=steep).startswith("the pullback of a received inf (3 of 3 entries, ")
    inputs = Graph({"y": (Add(), "x", "x")}, inputs=("x",), outputs="y")
    assert first(inputs, {}, x, loss=steep).startswith("the gradient of the input has inf (3 of 3 entries, ")
    twice = Graph(
        {"y": (Linear(3, 1), "x"), "z": Node(Linear(3, 1), ("x",), parameters="y"), "sum": (Add(), "y", "z")},
        inputs=("x",),
        outputs="sum",
    )
    sentence = first(twice, {"y.weight": np.zeros((1, 3)), "y.bias": np.zeros(1)}, x, loss=steep)
    assert sentence.startswith("the gradient of y.weight has inf (3 of 3 entries, ")
    assert sentence.endswith("the sum over its uses overflowed")

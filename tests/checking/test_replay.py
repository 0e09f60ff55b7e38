from dataclasses import dataclass

import numpy as np
import pytest

from tests.layers.shared import draw, images, trained
from tests.ops.shared import refusal
from whygrad import engine
from whygrad.checking.replay import Replay, switches
from whygrad.checking.watching import watched
from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.initializers import zeros
from whygrad.layers import (
    ELU,
    Add,
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Graph,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Node,
    Parameter,
    ReLU,
    Residual,
    Sequential,
    Softmax,
    Tanh,
)
from whygrad.models import MODELS

ROUNDING = 1e-12  # what values of many changes together may differ by, relative to the largest entry


class Centred(Layer):
    """A layer of a user's own: what is common to all samples of the batch is taken away, and a shift added."""

    def parameters(self):
        return {"shift": Parameter((1,), zeros)}

    def output_shape(self, *shapes):
        return shapes[0]

    def __call__(self, params, *inputs, training=False, rng=None):
        (x,) = inputs
        return x - x.mean(axis=0) + params["shift"], None, {}


class Noisy(Layer):
    """A layer that draws as many random numbers as it is told to, given its input."""

    def __init__(self, number=lambda x: x.shape):
        self.number = number

    def output_shape(self, *shapes):
        return shapes[0]

    def __call__(self, params, *inputs, training=False, rng=None):
        (x,) = inputs
        return x + rng.random(self.number(x)).mean(), None, {}


class Drifting(Layer):
    """A layer whose value depends on a running statistic, which it changes."""

    def parameters(self):
        return {"weight": Parameter((1,), zeros), "seen": Parameter((1,), zeros, trained=False)}

    def output_shape(self, *shapes):
        return shapes[0]

    def __call__(self, params, *inputs, training=False, rng=None):
        (x,) = inputs
        y = params["weight"] * x + params["seen"]
        return y, None, {"seen": params["seen"] + y.sum()[None]} if training else {}


class Sometimes(Drifting):
    """A layer that changes its running statistic only if its value is positive."""

    def __call__(self, params, *inputs, training=False, rng=None):
        y, pullback, changed = super().__call__(params, *inputs, training=training, rng=rng)
        return y, pullback, changed if y.sum() > 0 else {}


class Setting(Layer):
    """A layer that sets a parameter of whichever layer shares its scope, and passes its input on."""

    def output_shape(self, *shapes):
        return shapes[0]

    def __call__(self, params, *inputs, training=False, rng=None):
        (x,) = inputs
        return x, None, {"bias": x.sum(axis=0)}


class Spread(Layer):
    """A layer whose value is its parameter, seen as if it were there for every sample."""

    def parameters(self):
        return {"weight": Parameter((3,), zeros)}

    def output_shape(self, *shapes):
        return shapes[0]

    def __call__(self, params, *inputs, training=False, rng=None):
        return np.broadcast_to(params["weight"], inputs[0].shape), None, {}


@dataclass(frozen=True, repr=False)
class Boxed(Layer):
    """A layer of a user's own that has layers inside."""

    inner: Layer

    def parameters(self):
        return self.inner.parameters()

    def output_shape(self, *shapes):
        return self.inner.output_shape(*shapes)

    def __call__(self, params, *inputs, training=False, rng=None):
        return self.inner(params, *inputs, training=training, rng=rng)


class Doubled(Sequential):
    """A chain that computes something else than a chain."""

    def __call__(self, params, *inputs, training=False, rng=None):
        y, pullback, changed = super().__call__(params, *inputs, training=training, rng=rng)
        return 2 * y, pullback, changed


def shared():
    """Return a graph with a branch beside two uses of one convolution's parameters."""
    nodes = {
        "conv1": (Conv2d(2, 2, 3, padding=1), "x"),
        "beside": (Conv2d(2, 2, 3, padding=1), "x"),
        "act1": (Tanh(), "conv1"),
        "conv2": Node(Conv2d(2, 2, 3, padding=1), ("act1",), parameters="conv1"),
        "sum": (Add(), "conv2", "beside"),
        "wide": (Concat(), "sum", "act1", "x"),
        "last": (Conv2d(6, 1, 1), "wide"),
    }
    return Graph(nodes, inputs=("x",), outputs="last")


def several():
    """Return a graph of two inputs and three outputs."""
    nodes = {
        "h": (Linear(3, 2), "a"),
        "g": (Linear(4, 2), "b"),
        "sum": (Add(), "h", "g"),
        "y": (Tanh(), "sum"),
    }
    return Graph(nodes, inputs=("a", "b"), outputs=("y", "sum", "g"))


def drifting():
    """Return a graph that uses one running statistic twice, and a third layer after a change of it."""
    nodes = {
        "before": (Linear(3, 3), "x"),
        "one": (Drifting(), "before"),
        "aside": (Linear(3, 3), "x"),
        "two": Node(Drifting(), ("aside",), parameters="one"),
        "sum": (Add(), "one", "two"),
        "three": Node(Drifting(), ("sum",), parameters="one"),
    }
    return Graph(nodes, inputs=("x",), outputs="three")


def setting():
    """Return a graph in which one layer sets another's bias, and one in which that is set once more."""
    nodes = {
        "fc": (Linear(3, 3), "x"),
        "set": Node(Setting(), ("fc",), parameters="late"),
        "late": (Linear(3, 3), "set"),
        "beside": (Tanh(), "x"),
        "again": (Tanh(), "beside"),
        "reset": Node(Setting(), ("again",), parameters="late"),
        "sum": (Add(), "late", "reset"),
        "last": Node(Linear(3, 3), ("sum",), parameters="late"),
    }
    return Graph(nodes, inputs=("x",), outputs="last")


def resetting():
    """Return a graph in which a bias is set by what a change reaches, and then by what it does not reach."""
    nodes = {
        "fc": (Linear(3, 3), "x"),
        "set": Node(Setting(), ("fc",), parameters="late"),
        "first": (Tanh(), "x"),
        "second": (Tanh(), "first"),
        "third": (Tanh(), "second"),
        "reset": Node(Setting(), ("third",), parameters="late"),
        "late": Node(Linear(3, 3), ("reset",), parameters="late"),
        "sum": (Add(), "late", "set"),
    }
    return Graph(nodes, inputs=("x",), outputs="sum")


def block(channels, filters):
    body = Sequential(conv1=Conv2d(channels, filters, 3, padding=1), bn1=BatchNorm2d(filters), act1=Tanh())
    return Residual(body, None if channels == filters else Conv2d(channels, filters, 1), activation=ReLU())


IMAGE = (2, 4, 4)
CASES = {
    "leaf": (Linear(3, 2), [(3,)]),
    "leaf without parameters": (Tanh(), [(3,)]),
    "chain in chains": (
        Sequential(a=Sequential(Linear(3, 4), Tanh()), b=Sequential(c=Sequential(fc=Linear(4, 2)))),
        [(3,)],
    ),
    "empty chain inside": (Sequential(Linear(3, 4), Sequential(), Tanh()), [(3,)]),
    "samples alone": (
        Sequential(Conv2d(2, 3, 3), LeakyReLU(), MaxPool2d(2), Flatten(), Linear(3, 4), LayerNorm(4)),
        [IMAGE],
    ),
    "dropouts": (
        Sequential(Linear(3, 9), Dropout(0.5), Tanh(), Linear(9, 9), Dropout(0.3), Linear(9, 2)),
        [(3,)],
    ),
    "residual in residual": (
        Sequential(
            Residual(Sequential(b1=block(2, 3), b2=block(3, 2))), GlobalAvgPool2d(), Flatten(), Linear(2, 3)
        ),
        [IMAGE],
    ),
    "residual without an end": (Residual(Linear(3, 3)), [(3,)]),
    "shared parameters": (shared(), [IMAGE]),
    "graph in a residual in a chain": (Sequential(Residual(Sequential(g=shared(), c=Conv2d(1, 2, 1)))), [IMAGE]),
    "two inputs and three outputs": (several(), [(3,), (4,)]),
    "a chain that begins with two inputs": (Sequential(Add(), Linear(3, 2), Tanh()), [(3,), (3,)]),
    "running statistics that matter": (drifting(), [(3,)]),
    "parameters that layers set": (setting(), [(3,)]),
    "parameters that are set again": (resetting(), [(3,)]),
    "coupled by a user": (Sequential(fc1=Linear(3, 4), own=Centred(), act1=Tanh(), fc2=Linear(4, 2)), [(3,)]),
    "random by a user": (Sequential(Linear(3, 3), Noisy(), Dropout(0.5), Linear(3, 3), Noisy()), [(3,)]),
    "value that is the parameter": (Sequential(own=Spread(), act1=Tanh(), fc1=Linear(3, 2)), [(3,)]),
    "layers in a box": (Sequential(Boxed(block(2, 3)), MaxPool2d(2), Flatten(), Linear(12, 2)), [IMAGE]),
    "chain with another call": (Sequential(Doubled(Linear(3, 3), Tanh()), Linear(3, 2)), [(3,)]),
}


def full(model, params, inputs, training=True, seed=7):
    return model(params, *inputs, training=training, rng=np.random.default_rng(seed))[0]


def replaced(array, number, seed=0):
    """Return arrays that differ from ``array`` in one entry each."""
    rng = np.random.default_rng(seed)
    changed = [np.array(array) for _ in range(number)]
    for other in changed:
        other[tuple(rng.integers(array.shape))] += rng.choice([-0.1, 0.1])
    return changed


def assert_close(y, wanted):
    ys, all_wanted = (y, wanted) if isinstance(wanted, tuple) else ((y,), (wanted,))
    for one, one_wanted in zip(ys, all_wanted, strict=True):
        assert one.shape == one_wanted.shape
        np.testing.assert_allclose(one, one_wanted, rtol=0, atol=ROUNDING * np.abs(one_wanted).max())


def assert_replays(model, params, inputs, names, training=True, number=3, **options):
    replay = Replay(model, params, *inputs, training=training, seed=7)
    np.testing.assert_equal(replay.y, full(model, params, inputs, training))
    for name in names:
        arrays = replaced(inputs[name] if isinstance(name, int) else params[name], number)
        wanted = []
        for array in arrays:
            at = params if isinstance(name, int) else params | {name: array}
            given = [array if i == name else x for i, x in enumerate(inputs)]
            wanted.append(full(model, at, given, training))
            np.testing.assert_equal(replay.value(name, array), wanted[-1])
        ys = replay.values(name, arrays, **options)
        assert len(ys) == number
        for y, one_wanted in zip(ys, wanted, strict=True):
            assert_close(y, one_wanted)
    np.testing.assert_equal(replay.y, full(model, params, inputs, training))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_a_change_is_evaluated_as_a_full_pass_does_it(case, training):
    model, shapes = CASES[case]
    inputs = images(*shapes, batch=3)
    assert_replays(model, draw(model), inputs, [*model.parameters(), *range(len(inputs))], training)


@pytest.mark.parametrize("name", MODELS)
def test_the_ready_models_are_evaluated_as_a_full_pass_does_it(name):
    model = MODELS[name](input_shape=(1, 16, 16))
    params, inputs = model.init(np.random.default_rng(0), np.float64), images((1, 16, 16))
    names = [n for n in model.parameters() if n in trained(model)]
    assert_replays(model, params, inputs, [*names[:: max(1, len(names) // 8)], names[-1], 0], number=2)


def test_both_engines_are_followed():
    model, shapes = CASES["samples alone"]
    with engine("definition"):
        assert_replays(model, draw(model), images(*shapes), model.parameters())


def test_float32_stays_float32():
    model, shapes = CASES["samples alone"]
    params, (x,) = draw(model, dtype=np.float32), images(*shapes, dtype=np.float32)
    replay = Replay(model, params, x)
    (y,) = replay.values("0.weight", [params["0.weight"]])
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, replay.y, rtol=1e-5)


@pytest.mark.parametrize("limit", [1, 1000, 1 << 30])
def test_groups_of_any_size_give_the_same_values(limit):
    model, shapes = CASES["residual in residual"]
    inputs = images(*shapes)
    assert_replays(model, draw(model), inputs, ["0.b1.conv1.weight", "3.bias", 0], number=7, limit=limit)


@pytest.mark.parametrize("case", CASES)
def test_one_array_may_be_written_to_and_yielded_again(case):
    model, shapes = CASES[case]
    params, inputs = draw(model), images(*shapes, batch=3)
    replay = Replay(model, params, *inputs)

    def in_place(array):
        moving = array.copy()
        for i in range(4):
            moving.reshape(-1)[i % moving.size] += 0.5
            yield moving

    for name in [*model.parameters(), *range(len(inputs))]:
        array = inputs[name] if isinstance(name, int) else params[name]
        wanted = replay.values(name, [moved.copy() for moved in in_place(array)])
        np.testing.assert_equal(replay.values(name, in_place(array)), wanted)


def called_by(model, params, inputs, evaluate):
    """Return the names of the layers that an evaluation calls."""
    called = []
    replay = Replay(watched(model, lambda event: called.append(event.name)), params, *inputs)
    called.clear()
    evaluate(replay)
    return called


def test_only_what_a_change_reaches_is_called():
    model, shapes = CASES["chain in chains"]
    params, inputs = draw(model), images(*shapes)

    def of(name):
        return called_by(model, params, inputs, lambda replay: replay.value(name, params[name]))

    assert of("b.c.fc.weight") == ["b.c.fc"]
    assert of("a.0.bias") == ["a.0", "a.1", "b.c.fc"]


def test_a_graph_calls_what_lies_downstream_and_all_users_of_a_parameter():
    params, inputs = draw(shared()), images(IMAGE)

    def of(name):
        return called_by(shared(), params, inputs, lambda replay: replay.value(name, params[name]))

    assert of("beside.weight") == ["beside", "sum", "wide", "last"]
    assert of("conv1.weight") == ["conv1", "act1", "conv2", "sum", "wide", "last"]
    assert of("last.bias") == ["last"]


def test_many_changes_go_through_later_layers_together(monkeypatch):
    batches = []
    forward = Tanh.operate
    monkeypatch.setattr(Tanh, "operate", lambda self, x: batches.append(len(x)) or forward(self, x))
    model = Sequential(fc1=Linear(3, 4), act1=Tanh(), drop=Dropout(0.5), act2=Tanh(), fc2=Linear(4, 2))
    params, (x,) = draw(model), images((3,), batch=2)
    replay = Replay(model, params, x)
    replay.values("fc1.bias", [params["fc1.bias"]])  # asks the layers whether samples matter to one another
    batches.clear()
    replay.values("fc1.bias", replaced(params["fc1.bias"], 5))
    assert batches == [10, 10]
    batches.clear()
    replay.values("fc2.bias", replaced(params["fc2.bias"], 5))
    assert batches == []


def test_layers_that_couple_samples_are_found_by_asking_them():
    model = Sequential(fc1=Linear(3, 4), across=Softmax(axis=0), fc2=Linear(4, 2))
    params, inputs = draw(model), images((3,), batch=3)
    arrays = replaced(params["fc1.bias"], 5) + replaced(params["fc1.bias"] + 3, 5)
    ys = Replay(model, params, *inputs, seed=7).values("fc1.bias", arrays)
    for y, array in zip(ys, arrays, strict=True):
        assert_close(y, full(model, params | {"fc1.bias": array}, inputs))


def test_what_no_change_reaches_is_not_called_for_many_either(monkeypatch):
    called = []
    operate = Tanh.operate
    monkeypatch.setattr(Tanh, "operate", lambda self, x: called.append(len(x)) or operate(self, x))
    nodes = {
        "fc": (Linear(3, 3), "x"),
        "clean": (Tanh(), "x"),
        "sum": (Add(), "fc", "clean"),
        "cleaner": (Tanh(), "clean"),
        "end": (Add(), "sum", "cleaner"),
    }
    graph = Graph(nodes, inputs=("x",), outputs="end")
    params, inputs = draw(graph), images((3,))
    replay = Replay(graph, params, *inputs)
    called.clear()
    replay.values("fc.bias", replaced(params["fc.bias"], 5))
    assert called == []


def test_a_statistic_that_a_change_leaves_alone_is_the_one_from_before():
    nodes = {
        "fc": (Linear(3, 3), "x"),
        "one": (Sometimes(), "fc"),
        "two": Node(Drifting(), ("one",), parameters="one"),
    }
    graph = Graph(nodes, inputs=("x",), outputs="two")
    params, (x,) = draw(graph) | {"one.weight": np.ones(1), "fc.bias": np.full(3, 50.0)}, images((3,))
    replay = Replay(graph, params, x, seed=7)
    arrays = [np.full(3, -100.0), np.full(3, 100.0)]
    for y, array in zip(replay.values("fc.bias", arrays), arrays, strict=True):
        wanted = full(graph, params | {"fc.bias": array}, (x,))
        np.testing.assert_array_equal(y, wanted)
        np.testing.assert_array_equal(replay.value("fc.bias", array), wanted)


def test_zero_changes_give_no_values():
    model, shapes = CASES["leaf"]
    assert Replay(model, draw(model), *images(*shapes)).values("bias", []) == []


def test_an_empty_batch_is_evaluated():
    model, shapes = CASES["samples alone"]
    params = draw(model)
    ys = Replay(model, params, *images(*shapes, batch=0)).values("0.bias", [params["0.bias"]] * 2)
    assert [y.shape for y in ys] == [(0, 4), (0, 4)]


def test_draws_that_depend_on_what_is_given_are_followed_or_refused():
    draws = Noisy(lambda x: 1 + int(x[0, 0] > 1e3))
    model = Sequential(fc1=Linear(3, 3), own=draws, drop=Dropout(0.5))
    params, inputs = draw(model), images((3,))
    replay = Replay(model, params, *inputs, seed=7)
    far = params["fc1.bias"] + 1e4
    np.testing.assert_array_equal(replay.value("fc1.bias", far), full(model, params | {"fc1.bias": far}, inputs))
    with refusal(OptionError, "replay: expected own to draw as many random numbers whatever it is given"):
        replay.values("fc1.bias", [far])


def test_unknown_names_and_other_shapes_are_refused():
    model, shapes = CASES["leaf"]
    params, (x,) = draw(model), images(*shapes)
    replay = Replay(model, params, x)
    for evaluate in (replay.value, lambda name, array: replay.values(name, [array])):
        with refusal(OptionError, "replay: expected a parameter among weight, bias, received 'fc.weight'"):
            evaluate("fc.weight", params["weight"])
        with refusal(OptionError, "replay: expected an input from 0 to 0, received 1"):
            evaluate(1, x)
        with refusal(ShapeError, "replay: expected weight of shape (2, 3), received (3, 2)"):
            evaluate("weight", params["weight"].T)
        with refusal(ShapeError, "replay: expected input 0 of shape (2, 3), received (3,)"):
            evaluate(0, x[0])
    with refusal(OptionError, "replay: expected an input, since the model has no parameters, received 'weight'"):
        Replay(Tanh(), {}, x).value("weight", x)


def test_what_a_layer_refuses_of_a_change_names_the_layer():
    chain, (x,) = Sequential(fc1=Linear(3, 2), fc2=Linear(2, 2)), images((3,))
    with refusal(DTypeError, "fc2 (linear): expected all arrays of one dtype"):
        Replay(chain, draw(chain), x).value("fc2.bias", np.zeros(2, np.float32))
    with refusal(DTypeError, "linear: expected all arrays of one dtype"):
        Replay(Linear(3, 2), draw(Linear(3, 2)), x).value("bias", np.zeros(2, np.float32))


def test_what_the_model_refuses_is_refused_in_its_own_words():
    model, _ = CASES["chain in chains"]
    params = draw(model)
    with refusal(ShapeError, "a.0 (linear): expected x with 3 features"):
        Replay(model, params, *images((5,)))
    with refusal(OptionError, "expected an entry 'b.c.fc.bias'"):
        Replay(model, {name: array for name, array in params.items() if name != "b.c.fc.bias"}, *images((3,)))


@pytest.mark.parametrize("activation", [ReLU(), LeakyReLU(), ELU()])
def test_gates_that_open_or_close_are_counted(activation):
    model = Sequential(fc1=Linear(2, 3), act1=activation)
    params = {"fc1.weight": np.eye(3, 2), "fc1.bias": np.array([0.0, 0.0, 1.0])}
    x = np.array([[1.0, -1.0], [2.0, 1.0]])
    moved = params | {"fc1.bias": np.array([-1.5, 0.5, 1.0])}
    assert switches(model, params, params, x) == 0
    assert switches(model, params, moved, x) == 1
    assert switches(model, params, params, x, -x) == 4


def test_other_winners_are_counted():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])[None, None]
    other = x.copy()
    other[0, 0, 0, 0] = 5
    assert switches(MaxPool2d(2), {}, {}, x, other) == 1
    assert switches(Sequential(MaxPool2d(1), MaxPool2d(2)), {}, {}, (x,), (other,)) == 1


def test_dropout_masks_are_no_switches():
    model = Sequential(fc1=Linear(3, 20), drop=Dropout(0.5), act1=ReLU())
    params, inputs = draw(model), images((3,))
    assert switches(model, params, params, tuple(inputs), seed=3) == 0

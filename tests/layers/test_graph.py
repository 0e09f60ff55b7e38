import pickle
from itertools import permutations

import numpy as np
import pytest

from tests.layers.shared import assert_gradients, draw, images, shapes_of
from tests.ops.shared import refusal
from whygrad.errors import OptionError, ShapeError
from whygrad.layers import (
    Add,
    BatchNorm2d,
    Concat,
    Conv2d,
    Flatten,
    Graph,
    Linear,
    Node,
    ReLU,
    Residual,
    Sequential,
    Tanh,
)

BRANCHES = {
    "conv1": (Conv2d(1, 2, 3, padding=1), "image"),
    "left": (Conv2d(2, 2, 3, padding=1), "conv1"),
    "right": (Tanh(), "conv1"),
    "sum": (Add(), "left", "right"),
    "wide": (Concat(), "sum", "conv1", "image"),
    "act": (Tanh(), "wide"),
}


def branches(names=tuple(BRANCHES), **options):
    nodes = {name: BRANCHES[name] for name in names}
    return Graph(nodes, **{"inputs": ("image",), "outputs": "act"} | options)


def thrice():
    """Return a graph that reads one value three times, twice by one node."""
    nodes = {"h": (Linear(3, 3), "x"), "a": (Add(), "h", "h"), "t": (Tanh(), "h"), "y": (Add(), "a", "t")}
    return Graph(nodes, inputs=("x",), outputs="y")


def shared():
    """Return a graph that uses one convolution's parameters in three places."""
    nodes = {
        "conv1": (Conv2d(2, 2, 3, padding=1), "x"),
        "act1": (Tanh(), "conv1"),
        "conv2": Node(Conv2d(2, 2, 3, padding=1), ("act1",), parameters="conv1"),
        "act2": (Tanh(), "conv2"),
        "conv3": Node(Conv2d(2, 2, 3, padding=1), ("act2",), parameters="conv1"),
    }
    return Graph(nodes, inputs=("x",), outputs="conv3")


def several():
    """Return a graph of two inputs and three outputs, one of which another node reads."""
    nodes = {
        "h": (Linear(3, 2), "a"),
        "g": (Linear(4, 2), "b"),
        "sum": (Add(), "h", "g"),
        "y": (Tanh(), "sum"),
    }
    return Graph(nodes, inputs=("a", "b"), outputs=("y", "sum", "g"))


@pytest.mark.parametrize(
    ("graph", "shapes"),
    [
        pytest.param(branches(), [(1, 3, 3)], id="branches"),
        pytest.param(thrice(), [(3,)], id="value used three times"),
        pytest.param(shared(), [(2, 3, 3)], id="shared parameters"),
        pytest.param(several(), [(3,), (4,)], id="several inputs and outputs"),
    ],
)
def test_gradients_are_those_of_finite_differences(graph, shapes):
    assert_gradients(graph, *shapes)
    y, _, _ = graph(draw(graph), *images(*shapes))
    announced = graph.output_shape(*shapes)
    ys, shapes_announced = (y, announced) if isinstance(y, tuple) else ((y,), (announced,))
    assert tuple(value.shape[1:] for value in ys) == shapes_announced


def test_is_what_its_formula_says():
    graph = thrice()
    params, (x,) = draw(graph), images((3,))
    y, pullback, _ = graph(params, x)
    h = x @ params["h.weight"].T + params["h.bias"]
    np.testing.assert_allclose(y, 2 * h + np.tanh(h), rtol=1e-14)
    dh = np.ones_like(x) * (2 + 1 - np.tanh(h) ** 2)
    dx, gradients = pullback(np.ones_like(x))
    np.testing.assert_allclose(dx, dh @ params["h.weight"], rtol=1e-13)
    np.testing.assert_allclose(gradients["h.weight"], dh.T @ x, rtol=1e-13)
    np.testing.assert_allclose(gradients["h.bias"], dh.sum(axis=0), rtol=1e-13)


def test_a_chain_is_a_sequential():
    layers = {
        "conv1": Conv2d(1, 2, 3),
        "bn1": BatchNorm2d(2),
        "act": ReLU(),
        "flat": Flatten(),
        "fc": Linear(18, 4),
    }
    chain = Sequential(**layers)
    sources = ["input", *layers]
    nodes = {name: (layer, source) for (name, layer), source in zip(layers.items(), sources, strict=False)}
    graph = Graph(nodes, outputs="fc")
    assert shapes_of(graph) == shapes_of(chain)
    params, (x,) = draw(chain), images((1, 5, 5))
    (y, pullback, changed), (wanted, chain_pullback, chain_changed) = (
        model(params, x, training=True) for model in (graph, chain)
    )
    np.testing.assert_equal((y, changed), (wanted, chain_changed))
    np.testing.assert_equal(pullback(y), chain_pullback(y))
    fresh, chain_fresh = (model.init(np.random.default_rng(0)) for model in (graph, chain))
    np.testing.assert_equal(fresh, chain_fresh)


def test_a_residual_block_is_a_graph():
    block = Residual(Sequential(fc=Linear(3, 3)), activation=Tanh())
    nodes = {"fc": (Linear(3, 3), "x"), "sum": (Add(), "fc", "x"), "y": (Tanh(), "sum")}
    graph = Graph(nodes, inputs=("x",), outputs="y")
    params, (x,) = draw(block), images((3,))
    (y, pullback, _), (wanted, block_pullback, _) = (model(params, x) for model in (graph, block))
    np.testing.assert_equal(y, wanted)
    np.testing.assert_equal(pullback(y), block_pullback(y))


@pytest.mark.parametrize("order", list(permutations(BRANCHES))[::97])
def test_the_order_of_the_nodes_changes_nothing(order):
    graph, wanted = branches(order), branches()
    params, (x,) = draw(wanted), images((1, 3, 3))
    (y, pullback, _), (wanted_y, wanted_pullback, _) = (model(params, x) for model in (graph, wanted))
    np.testing.assert_array_equal(y, wanted_y)
    (dx, gradients), (wanted_dx, wanted_gradients) = pullback(y), wanted_pullback(y)
    np.testing.assert_allclose(dx, wanted_dx, rtol=1e-12, atol=1e-13)
    assert set(gradients) == set(wanted_gradients)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, wanted_gradients[name], rtol=1e-12, atol=1e-13)


def test_shared_parameters_have_one_name_and_the_sum_of_the_gradients():
    graph = shared()
    assert shapes_of(graph) == {"conv1.weight": (2, 2, 3, 3), "conv1.bias": (2,)}
    params, (x,) = draw(graph), images((2, 3, 3))
    y, pullback, _ = graph(params, x)
    chain = Sequential(
        conv1=Conv2d(2, 2, 3, padding=1),
        a=Tanh(),
        conv2=Conv2d(2, 2, 3, padding=1),
        b=Tanh(),
        conv3=Conv2d(2, 2, 3, padding=1),
    )
    own = {f"conv{i}.{name}": params[f"conv1.{name}"] for i in (1, 2, 3) for name in ("weight", "bias")}
    wanted, chain_pullback, _ = chain(own, x)
    np.testing.assert_array_equal(y, wanted)
    _, gradients = pullback(y)
    _, apart = chain_pullback(y)
    for name in ("weight", "bias"):
        total = sum(apart[f"conv{i}.{name}"] for i in (1, 2, 3))
        np.testing.assert_allclose(gradients[f"conv1.{name}"], total, rtol=1e-12)


def test_several_inputs_and_outputs_keep_their_order():
    graph = several()
    params, (a, b) = draw(graph), images((3,), (4,))
    (y, total, g), pullback, _ = graph(params, a, b)
    np.testing.assert_allclose(y, np.tanh(total), rtol=1e-14)
    np.testing.assert_allclose(g, b @ params["g.weight"].T + params["g.bias"], rtol=1e-13)
    (da, db), _ = pullback((np.zeros_like(y), np.zeros_like(total), np.ones_like(g)))
    assert da.shape == a.shape
    assert not da.any()
    np.testing.assert_allclose(db, np.ones_like(g) @ params["g.weight"], rtol=1e-14)


def test_an_output_named_twice_gets_both_gradients():
    graph = Graph({"y": (Tanh(), "x")}, inputs=("x",), outputs=("y", "y"))
    (x,) = images((3,))
    (y, again), pullback, _ = graph({}, x)
    assert y is again
    dx, _ = pullback((np.ones_like(y), np.full_like(y, 2)))
    np.testing.assert_allclose(dx, 3 * (1 - y**2), rtol=1e-14)


def test_a_node_that_no_output_reads_gets_gradients_of_zero():
    nodes = {"y": (Linear(3, 2), "x"), "unused": (Linear(3, 4), "x"), "after": (Tanh(), "unused")}
    graph = Graph(nodes, inputs=("x",), outputs="y")
    params, (x,) = draw(graph), images((3,))
    y, pullback, _ = graph(params, x)
    dx, gradients = pullback(y)
    np.testing.assert_array_equal(gradients["unused.weight"], np.zeros((4, 3)))
    np.testing.assert_array_equal(gradients["unused.bias"], np.zeros(4))
    np.testing.assert_allclose(dx, y @ params["y.weight"], rtol=1e-14)
    assert_gradients(graph, (3,))


def test_an_input_that_no_node_reads_gets_a_gradient_of_zero():
    graph = Graph({"y": (Tanh(), "x")}, inputs=("x", "ignored"), outputs="y")
    x, ignored = images((3,), (2, 5), dtype=np.float32)
    y, pullback, _ = graph({}, x, ignored)
    (_, d), _ = pullback(y)
    assert d.shape == ignored.shape
    assert d.dtype == ignored.dtype
    assert not d.any()


def test_a_pullback_does_not_write_to_what_it_is_given():
    graph = branches(outputs=("act", "sum", "conv1"))
    ys, pullback, _ = graph(draw(graph), *images((1, 3, 3)))
    dys = tuple(np.ones_like(y) for y in ys)
    for dy in dys:
        dy.flags.writeable = False
    np.testing.assert_equal(pullback(dys), pullback(dys))
    assert all((dy == 1).all() for dy in dys)


def test_running_statistics_of_shared_layers_have_the_shared_name():
    nodes = {"bn": (BatchNorm2d(1), "x"), "again": Node(BatchNorm2d(1), ("bn",), parameters="bn")}
    graph = Graph(nodes, inputs=("x",), outputs="again")
    _, _, changed = graph(draw(graph), *images((1, 3, 3)), training=True)
    assert set(changed) == {"bn.running_mean", "bn.running_var"}


def test_graphs_nest():
    inner = Graph({"h": (Linear(3, 3), "x"), "y": (Add(), "h", "x")}, inputs=("x",), outputs="y")
    outer = Graph({"a": (inner, "x"), "b": (inner, "a"), "y": (Add(), "a", "b")}, inputs=("x",), outputs="y")
    assert list(shapes_of(outer)) == ["a.h.weight", "a.h.bias", "b.h.weight", "b.h.bias"]
    assert_gradients(outer, (3,))
    assert [row.name for row in outer.rows("", (3,))] == ["a.h", "a.y", "b.h", "b.y", "y"]


@pytest.mark.parametrize(
    ("nodes", "options", "text"),
    [
        ({"a": (Tanh(), "b"), "b": (Tanh(), "a")}, {"outputs": "a"}, "no cycle, received "),
        ({"a": (Add(), "x", "a")}, {"outputs": "a"}, "no cycle, received a -> a; a node cannot depend on itself"),
        ({"a": (Tanh(), "y")}, {"outputs": "a"}, "the inputs of a among x, a, received 'y'; check the spelling"),
        ({"a": (Tanh(),)}, {"outputs": "a"}, "at least one input of a, received none; name where its input comes"),
        ({"x": (Tanh(), "x")}, {"outputs": "x"}, "a node named unlike the inputs, received 'x'; rename the node"),
        ({"a": (Tanh(), "x")}, {}, "an output among a, received 'output'; change outputs"),
        ({"a": (Tanh(), "x")}, {"outputs": ("a", "x")}, "an output among a, received 'x'; change outputs"),
        ({"a": (Tanh, "x")}, {"outputs": "a"}, "a to be a layer, received <class"),
        ({"a.b": (Tanh(), "x")}, {"outputs": "a.b"}, "a name without dots, received 'a.b'"),
    ],
)
def test_refuses_what_is_no_graph(nodes, options, text):
    with refusal(OptionError, f"Graph: expected {text}"):
        Graph(nodes, inputs=("x",), **options)


def test_refuses_to_share_between_layers_of_unlike_shapes():
    nodes = {"a": (Linear(3, 2), "x"), "b": Node(Linear(2, 3), ("a",), parameters="a")}
    with refusal(
        OptionError, "Graph: expected layers that share a.weight to agree on its shape (2, 3), received (3, 2)"
    ):
        Graph(nodes, inputs=("x",), outputs="b")


def test_refuses_another_number_of_arrays_than_inputs():
    graph = several()
    with refusal(ShapeError, "Graph: expected 2 inputs (a, b), received 1; pass one array for each input"):
        graph(draw(graph), *images((3,)))


def test_errors_name_the_node():
    graph = branches()
    with refusal(ShapeError, "conv1 (conv2d): expected x with 1 channels"):
        graph(draw(graph), *images((2, 3, 3)))
    with refusal(OptionError, "left (parameters): expected an entry 'left.bias', received none"):
        graph({name: a for name, a in draw(graph).items() if name != "left.bias"}, *images((1, 3, 3)))
    mismatch = Graph({"h": (Linear(3, 2), "x"), "sum": (Add(), "h", "x")}, inputs=("x",), outputs="sum")
    with refusal(ShapeError, "sum (add): expected two inputs of one shape, received (2,), (3,)"):
        mismatch.output_shape((3,))
    _, pullback, _ = graph(draw(graph), *images((1, 3, 3)))
    with refusal(ShapeError, "act (tanh backward): expected dy of shape (2, 5, 3, 3), received (1,)"):
        pullback(np.ones(1))


def test_prints_a_table_in_the_order_of_computation():
    graph = branches(tuple(reversed(BRANCHES)), input_shapes=((1, 3, 3),))
    lines = str(graph).splitlines()
    assert {line.split()[0] for line in lines[1:-1]} == set(BRANCHES)
    assert lines[0].split() == ["name", "layer", "output", "shape", "parameters"]
    assert next(line for line in lines if line.startswith("wide")).split() == ["wide", "Concat()", "5x3x3", "0"]
    assert lines[-1].split() == ["total", "58"]
    assert "?" in str(branches())
    assert repr(graph) == f"Graph({', '.join(graph.nodes)})"


def test_a_released_pullback_cannot_be_called_again():
    graph = branches()
    y, pullback, _ = graph(draw(graph), *images((1, 3, 3)))
    kept = pullback(y)
    np.testing.assert_equal(pullback(y, release=True), kept)
    with refusal(
        OptionError, "pullback: expected what the forward pass saved, received a pullback that was released"
    ):
        pullback(y)


def test_pullback_survives_pickling():
    graph = branches()
    y, pullback, _ = graph(draw(graph), *images((1, 3, 3)))
    np.testing.assert_equal(pickle.loads(pickle.dumps(pullback))(y), pullback(y))


def test_refuses_ambiguous_inputs_and_outputs():
    node = {"relu": (ReLU(), "x")}
    for options, text in (
        ({"inputs": ("x", "x"), "outputs": "relu"}, "a tuple of inputs with names of their own"),
        ({"inputs": "x", "outputs": "relu"}, "a tuple of inputs with names of their own"),
        ({"inputs": ("x",), "outputs": ()}, "at least one output"),
    ):
        with refusal(OptionError, f"Graph: expected {text}"):
            Graph(node, **options)
    with refusal(OptionError, "Graph: expected the inputs of relu as a tuple, received 'image'; pass a tuple"):
        Graph({"relu": Node(ReLU(), "image")}, inputs=("image",), outputs="relu")


def test_refuses_another_number_of_cotangents_or_shapes():
    graph = Graph({"a": (ReLU(), "x"), "b": (ReLU(), "x")}, inputs=("x",), outputs=("a", "b"))
    x = np.ones((2, 3))
    _, pullback, _ = graph({}, x)
    with refusal(ShapeError, "Graph backward: expected 2 cotangents (a, b), received 1; pass one for each output"):
        pullback((x,))
    with refusal(ShapeError, "Graph: expected 1 shapes (x), received 2; pass one shape for each input"):
        graph.output_shape((3,), (3,))
    nested = Graph({"inner": (graph, "x"), "relu": (ReLU(), "inner")}, inputs=("x",), outputs="relu")
    with refusal(ShapeError, "node inner: expected one output, received 2; let the inner graph have one output"):
        nested({}, x)


def test_shared_running_statistics_go_on_from_use_to_use():
    layer = BatchNorm2d(1)
    graph = Graph(
        {"first": (layer, "x"), "second": Node(layer, ("first",), parameters="first")},
        inputs=("x",),
        outputs="second",
    )
    params = graph.init(np.random.default_rng(0), np.float64)
    x = np.random.default_rng(1).normal(size=(4, 1, 3, 3))
    y, _, once = layer(layer.init(np.random.default_rng(0), np.float64), x, training=True)
    _, _, twice = layer(layer.init(np.random.default_rng(0), np.float64) | once, y, training=True)
    _, _, changed = graph(params, x, training=True)
    np.testing.assert_allclose(changed["first.running_mean"], twice["running_mean"])
    np.testing.assert_allclose(changed["first.running_var"], twice["running_var"])

import pickle

import numpy as np
import pytest

from tests.layers.shared import assert_gradients, draw, images, shapes_of
from tests.ops.peers import needs_torch, pytorch, tensor
from tests.ops.shared import assert_close, refusal
from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.layers import (
    Add,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Graph,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Tanh,
)


def smooth():
    """Return a network without kinks, with nested and unnamed layers."""
    return Sequential(
        stem=Sequential(conv1=Conv2d(1, 3, 3, padding=1), bn1=BatchNorm2d(3), act=Tanh()),
        pool=AvgPool2d(2),
        drop=Dropout(0.2),
        head=Sequential(Flatten(), Linear(12, 4), Tanh(), Linear(4, 2)),
    )


def test_names_follow_the_place_or_the_name_of_the_layer():
    assert list(shapes_of(smooth())) == [
        "stem.conv1.weight",
        "stem.conv1.bias",
        "stem.bn1.weight",
        "stem.bn1.bias",
        "stem.bn1.running_mean",
        "stem.bn1.running_var",
        "head.1.weight",
        "head.1.bias",
        "head.3.weight",
        "head.3.bias",
    ]
    assert list(Sequential(ReLU(), fc=Linear(1, 1)).layers) == ["0", "fc"]


@needs_torch
def test_names_shapes_values_and_gradients_are_those_of_pytorch():
    nn = pytorch().nn
    ours = Sequential(
        Conv2d(2, 3, 3),
        BatchNorm2d(3),
        ReLU(),
        Sequential(MaxPool2d(2), Flatten()),
        Linear(12, 5),
        input_shape=(2, 6, 6),
    )
    theirs = nn.Sequential(
        nn.Conv2d(2, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Sequential(nn.MaxPool2d(2), nn.Flatten()),
        nn.Linear(12, 5),
    ).double()
    params = draw(ours)
    state = {name: array for name, array in theirs.state_dict().items() if "num_batches" not in name}
    assert {name: tuple(array.shape) for name, array in state.items()} == shapes_of(ours)
    theirs.load_state_dict({name: tensor(array) for name, array in params.items()}, strict=False)

    (x,) = images((2, 6, 6), batch=4)
    y, pullback, changed = ours(params, x, training=True)
    their_x = tensor(x, requires_grad=True)
    wanted = theirs(their_x)
    assert_close(y, wanted.detach().numpy())
    wanted.backward(tensor(dy := np.random.default_rng(2).normal(size=y.shape)))
    dx, gradients = pullback(dy)
    assert_close(dx, their_x.grad.numpy())
    for name, parameter in theirs.named_parameters():
        assert_close(gradients.pop(name), parameter.grad.numpy())
    assert gradients == {}
    for name in changed:
        assert_close(changed[name], theirs.state_dict()[name].numpy())


@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_finite_differences(training):
    assert_gradients(smooth(), (1, 4, 4), training=training)


def test_gives_what_its_layers_give_one_after_the_other():
    model = Sequential(a=Linear(3, 4), b=Tanh())
    params, (x,) = draw(model), images((3,))
    y, pullback, _ = model(params, x)
    h, back_a, _ = Linear(3, 4)({"weight": params["a.weight"], "bias": params["a.bias"]}, x)
    wanted, back_b, _ = Tanh()({}, h)
    np.testing.assert_array_equal(y, wanted)
    dx, gradients = pullback(y)
    wanted_dx, own = back_a(back_b(y)[0])
    np.testing.assert_equal((dx, gradients), (wanted_dx, {f"a.{name}": g for name, g in own.items()}))


def test_without_layers_it_changes_nothing():
    model = Sequential()
    (x,) = images((3,))
    y, pullback, changed = model({}, x)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_equal(pullback(x), (x, {}))
    assert changed == {}
    assert model.output_shape((3, 4)) == (3, 4)
    with refusal(ShapeError, "Sequential: expected one input, received 2; begin with a layer that joins them"):
        model({}, x, x)


def test_its_first_layer_may_join_several_inputs():
    a, b = images((3,), (3,))
    y, pullback, _ = Sequential(join=Add(), act=Tanh())({}, a, b)
    np.testing.assert_allclose(y, np.tanh(a + b), rtol=1e-14)
    da, db = pullback(y)[0]
    np.testing.assert_array_equal(da, db)


def test_may_hold_a_graph():
    graph = Graph({"h": (Linear(3, 3), "x"), "y": (Add(), "h", "x")}, inputs=("x",), outputs="y")
    model = Sequential(block=graph, act=Tanh())
    assert list(shapes_of(model)) == ["block.h.weight", "block.h.bias"]
    assert_gradients(model, (3,))


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((2, 1, 6, 6), "conv1 (conv2d): expected x with 2 channels"),
        ((6, 6), "conv1 (conv2d): expected x of shape (N, C, H, W), received (6, 6); add the missing axes with x["),
        ((2, 2, 8, 8), "head.fc (linear): expected x with 16 features"),
    ],
)
def test_errors_name_the_path_to_the_layer(shape, text):
    model = Sequential(conv1=Conv2d(2, 1, 3), head=Sequential(flat=Flatten(), fc=Linear(16, 2)))
    with refusal(ShapeError, text):
        model(draw(model), np.ones(shape))


def test_errors_of_the_backward_pass_and_of_shapes_name_the_path_as_well():
    model = Sequential(body=Sequential(conv=Conv2d(1, 2, 3), act=ReLU()))
    _, pullback, _ = model(draw(model), *images((1, 4, 4)))
    with refusal(ShapeError, "body.act (relu backward): expected dy of shape (2, 2, 2, 2), received (2, 2)"):
        pullback(np.ones((2, 2)))
    with refusal(DTypeError, "body.act (relu backward): expected dy of dtype float64, received int64"):
        pullback(np.ones((2, 2, 2, 2), int))
    with refusal(ShapeError, "body.conv (conv2d): expected a window no larger than the padded image of 2x2"):
        model.output_shape((1, 2, 2))


def test_missing_and_misshapen_parameters_are_refused_with_their_names():
    model = smooth()
    params, (x,) = draw(model), images((1, 4, 4))
    del params["stem.conv1.bias"]
    with refusal(OptionError, "stem (parameters): expected an entry 'stem.conv1.bias', received none"):
        model(params, x)
    params = draw(model) | {"head.3.bias": np.ones(7)}
    with refusal(ShapeError, "head.3 (parameters): expected bias of shape (2,), received (7,)"):
        model(params, x)


def test_refuses_what_is_no_layer():
    with refusal(OptionError, "Sequential: expected 1 to be a layer, received <class"):
        Sequential(ReLU(), ReLU)


def test_prints_a_table_of_names_layers_shapes_and_counts():
    model = Sequential(
        conv1=Conv2d(1, 4, 3),
        body=Sequential(ReLU(), MaxPool2d(2)),
        flat=Flatten(),
        fc=Linear(36, 300),
        input_shape=(1, 8, 8),
    )
    assert str(model).splitlines() == [
        "name    layer            output shape  parameters",
        "conv1   Conv2d(1, 4, 3)  4x6x6                 40",
        "body.0  ReLU()           4x6x6                  0",
        "body.1  MaxPool2d(2)     4x3x3                  0",
        "flat    Flatten()        36                     0",
        "fc      Linear(36, 300)  300               11,100",
        "total                                      11,140",
    ]
    assert repr(model) == "Sequential(conv1, body, flat, fc)"


def test_without_the_shape_of_its_input_the_table_leaves_shapes_open():
    lines = str(Sequential(fc=Linear(2, 3))).splitlines()
    assert lines[1].split() == ["fc", "Linear(2,", "3)", "?", "9"]


def test_the_table_names_the_layer_that_does_not_fit():
    model = Sequential(conv1=Conv2d(1, 4, 3), flat=Flatten(), fc=Linear(35, 10), input_shape=(1, 5, 5))
    with refusal(ShapeError, "fc (linear): expected samples of 35 features, received (36,); flatten images first"):
        str(model)


def test_a_released_pullback_cannot_be_called_again():
    model = smooth()
    y, pullback, _ = model(draw(model), *images((1, 4, 4)))
    kept = pullback(y, release=False)
    np.testing.assert_equal(pullback(y), kept)
    np.testing.assert_equal(pullback(y, release=True), kept)
    for release in (True, False):
        with refusal(
            OptionError, "pullback: expected what the forward pass saved, received a pullback that was rel"
        ):
            pullback(y, release=release)


def test_release_drops_what_nested_layers_saved():
    model = Sequential(inner=Sequential(Tanh(), Tanh()), last=Tanh())
    y, pullback, _ = model({}, *images((3,)))
    (saved,) = pullback.args
    _, inner, _ = saved.pullbacks[0]
    pullback(y, release=True)
    assert saved.pullbacks == []
    assert inner.args[0].pullbacks == []


def test_pullback_survives_pickling():
    model = smooth()
    y, pullback, _ = model(draw(model), *images((1, 4, 4)))
    np.testing.assert_equal(pickle.loads(pickle.dumps(pullback))(y), pullback(y))


def test_initial_parameters_are_drawn_layer_by_layer():
    rng, again = np.random.default_rng(3), np.random.default_rng(3)
    params = Sequential(a=Linear(3, 4), b=Linear(4, 2)).init(rng)
    own = [Linear(3, 4).init(again), Linear(4, 2).init(again)]
    np.testing.assert_equal(list(params.values()), [array for part in own for array in part.values()])


def test_refuses_a_name_that_an_unnamed_layer_has():
    with refusal(OptionError, "Sequential: expected names unlike those of the unnamed layers, received 0; rename"):
        Sequential(ReLU(), **{"0": Tanh()})

"""Layers that a composition calls together: the same bits, names and errors as when each is called by itself."""

import pickle

import numpy as np
import pytest

import whygrad
from tests.layers.shared import draw
from tests.ops.shared import refusal
from whygrad.checking.replay import Replay
from whygrad.checking.watching import watched
from whygrad.errors import DTypeError, ShapeError
from whygrad.layers import (
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Tanh,
)
from whygrad.layers.sequential import joined
from whygrad.ops import max_pool2d, relu
from whygrad.ops.max_pool2d import max_pool2d_relu

DTYPES = (np.float32, np.float64)


def apart(model):
    """Return the same model whose layers are called one by one: a listener stands between them."""
    return watched(model, lambda _event: None)


def random_chain(rng, channels=4):
    """Return a chain of layers that can be joined and others, in random order."""

    def layer():
        block = Sequential(Conv2d(channels, channels, 3, padding=1), BatchNorm2d(channels))
        shortcut = Conv2d(channels, channels, 1) if rng.random() < 0.5 else None
        kinds = [
            BatchNorm2d(channels, momentum=0.3),
            Conv2d(channels, channels, 3, padding=1),
            Dropout(0.3),
            LeakyReLU(),
            MaxPool2d(3, stride=1, padding=1),
            MaxPool2d(2, stride=1, padding=(1, 0, 1, 0)),
            Residual(block, shortcut, activation=ReLU()),
            Residual(block, shortcut),
            Sequential(ReLU(), MaxPool2d(3, stride=1, padding=1)),
        ]
        return kinds[rng.integers(len(kinds))]

    return Sequential(*(ReLU() if rng.random() < 0.5 else layer() for _ in range(8)))


def laid(x, order):
    """Return x read-only, in one of several memory orders."""
    if order == "channels last":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    elif order == "view":
        x = np.repeat(np.repeat(x, 2, axis=3), 2, axis=0)[::2, :, :, ::2]
    x.flags.writeable = False
    return x


def assert_same(model, params, x, *, training):
    """Require value, running statistics and gradients of a model to be those of its layers one by one."""
    results = []
    for made in (model, apart(model)):
        y, pullback, changed = made(params, x, training=training, rng=np.random.default_rng(7))
        dy = np.random.default_rng(8).normal(size=y.shape).astype(y.dtype)
        dy.flags.writeable = False
        dx, gradients = pullback(dy)
        np.testing.assert_equal(pullback(dy), (dx, gradients))
        np.testing.assert_equal(pullback(dy, release=True, input_gradient=False)[1], gradients)
        results.append({"y": y, "dx": dx, **changed, **{f"d{name}": g for name, g in gradients.items()}})
    assert list(results[0]) == list(results[1])
    for name, array in results[0].items():
        assert array.dtype == results[1][name].dtype
        assert array.tobytes() == results[1][name].tobytes(), name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("order", ["rows", "channels last", "view"])
@pytest.mark.parametrize("seed", range(6))
def test_random_chains_have_the_same_bits(dtype, training, order, seed):
    rng = np.random.default_rng(seed)
    model = random_chain(rng)
    x = laid(rng.normal(size=(3, 4, 7, 5)).astype(dtype), order)
    assert_same(model, draw(model, seed, dtype), x, training=training)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
def test_large_batches_have_the_same_bits(dtype, training):
    model = Sequential(BatchNorm2d(16), ReLU(), Residual(BatchNorm2d(16), activation=ReLU()), ReLU(), MaxPool2d(2))
    x = np.random.default_rng(0).normal(size=(32, 16, 15, 16)).astype(dtype)
    assert_same(model, draw(model, 1, dtype), laid(x, "channels last"), training=training)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("samples", [0, 1, 4, 5, 70])
@pytest.mark.parametrize(("features", "bias"), [(1, True), (37, False), (256, True), (600, True)])
def test_dense_layers_have_the_same_bits(dtype, samples, features, bias):
    model = Sequential(Linear(features, 50, bias=bias), ReLU(), Linear(50, 7, bias=bias), ReLU())
    x = np.random.default_rng(samples).normal(size=(samples, features)).astype(dtype)
    params = draw(model, 3, dtype)
    assert_same(model, params, x, training=True)
    assert (model(params, x)[0] == 0).any() or not samples
    zeros = {name: np.full_like(array, -0.0) for name, array in params.items()}
    assert_same(model, zeros, x, training=True)
    with np.errstate(all="ignore"):
        assert_same(model, params, np.where(x > 1, np.nan, x), training=True)


@pytest.mark.parametrize("kernel", [(15, 17), (16, 16), (15, 18)])
@pytest.mark.parametrize("engine", ["compiled", "definition"])
def test_windows_with_as_many_taps_as_a_byte_holds(kernel, engine):
    x = np.random.default_rng(0).normal(size=(2, 3, 33, 36)) - 3.0  # in some windows everything is cut off
    with whygrad.engine(engine):
        y, pullback = max_pool2d_relu(x, kernel_size=kernel, stride=(5, 6))
        cut, gate = relu(x)
        wanted, pool = max_pool2d(cut, kernel_size=kernel, stride=(5, 6))
        dy = np.random.default_rng(1).normal(size=y.shape)
        np.testing.assert_array_equal(y, wanted)
        np.testing.assert_array_equal(pullback(dy), gate(pool(dy)))
    assert (y == 0).any()
    assert (y > 0).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, -0.0])
@pytest.mark.parametrize("first", [BatchNorm2d(2), Residual(Tanh(), activation=ReLU()), Sequential()])
def test_what_is_not_finite_or_ties_at_the_kink(value, first):
    x = np.random.default_rng(0).normal(size=(2, 2, 4, 4))
    x[0, 0, 1:3, 1:3] = value
    x[1, 1] = -abs(x[1, 1])
    model = Sequential(first, ReLU(), MaxPool2d(2, stride=1))
    with np.errstate(all="ignore"):
        assert_same(model, draw(model), x, training=False)
        for same in (0.0, -0.0, -1.0):
            assert_same(model, draw(model), np.full_like(x, same), training=False)


def test_which_layers_are_joined():
    layers = [Conv2d(1, 2, 3), BatchNorm2d(2), ReLU(), MaxPool2d(2), ReLU(), MaxPool2d(2), ReLU(), Flatten()]
    runs, partners = joined({str(i): layer for i, layer in enumerate([*layers, Linear(2, 2), ReLU(), ReLU()])})
    assert list(runs) == ["0", "1", "3", "4", "6", "7", "8", "10"]
    assert partners == {"1": "2", "4": "5", "8": "9"}


def test_subclasses_are_not_joined():
    class Shifted(ReLU):
        def operate(self, x):
            return super().operate(x + 1)

    class Pool(MaxPool2d):
        pass

    class Norm(BatchNorm2d):
        pass

    for first, second in (
        (BatchNorm2d(2), Shifted()),
        (Norm(2), ReLU()),
        (ReLU(), Pool(2)),
        (Shifted(), MaxPool2d(2)),
    ):
        assert first.joined(second) is None
    x = np.full((1, 1, 2, 2), -0.5)
    z, _, _ = Residual(Tanh(), activation=Shifted())({}, x)
    np.testing.assert_allclose(z, np.maximum(np.tanh(x) + x + 1, 0))


def test_the_definition_calls_layer_by_layer():
    model = Sequential(BatchNorm2d(2), ReLU(), ReLU(), MaxPool2d(2), Residual(Tanh(), activation=ReLU()))
    x = np.random.default_rng(0).normal(size=(2, 2, 4, 4))
    y, compiled, _ = model(draw(model), x, training=True)
    dy = np.random.default_rng(1).normal(size=y.shape)
    dx, gradients = compiled(dy)
    with whygrad.engine("definition"):
        z, pullback, _ = model(draw(model), x, training=True)
        assert len(pullback.args[0].pullbacks) == 5
        for back in (pullback, compiled):  # a pullback uses the engine in which it is called
            again, more = back(dy)
            np.testing.assert_allclose(again, dx, atol=1e-12)
            for name, gradient in gradients.items():
                np.testing.assert_allclose(more[name], gradient, atol=1e-12)
    assert len(compiled.args[0].pullbacks) == 3
    np.testing.assert_allclose(z, y, atol=1e-12)


def test_errors_name_the_layer_at_fault():
    model = Sequential(relu1=ReLU(), pool1=MaxPool2d(4), bn1=BatchNorm2d(2), relu2=ReLU())
    params = draw(model)
    with refusal(DTypeError, "relu1 (relu): expected x of dtype"):
        model(params, np.ones((1, 2, 8, 8), int))
    with refusal(ShapeError, "pool1 (max_pool2d): expected"):
        model(params, np.ones((1, 2, 3, 3)))
    with refusal(ShapeError, "bn1 (batch_norm2d): expected"):
        model(params, np.ones((1, 3, 8, 8)))
    _, pullback, _ = model(params, np.ones((2, 2, 8, 8)))
    with refusal(ShapeError, "relu2 (relu backward): expected dy of shape (2, 2, 2, 2)"):
        pullback(np.ones(3))
    _, pullback, _ = Sequential(relu1=ReLU(), pool1=MaxPool2d(4))({}, np.ones((2, 2, 8, 8)))
    with refusal(ShapeError, "pool1 (max_pool2d backward): expected dy of shape (2, 2, 2, 2)"):
        pullback(np.ones(3))
    block = Residual(Conv2d(2, 3, 1), activation=ReLU())
    with refusal(ShapeError, "add: expected b of shape (1, 3, 4, 4)"):
        block(draw(block), np.ones((1, 2, 4, 4)))
    for activation, name in ((ReLU(), "activation (relu backward)"), (None, "add backward")):
        _, pullback, _ = Residual(Tanh(), activation=activation)({}, np.ones((1, 2)))
        with refusal(ShapeError, f"{name}: expected dy of shape (1, 2)"):
            pullback(np.ones(3))


def test_pullbacks_survive_pickling():
    model = Sequential(BatchNorm2d(2), ReLU(), ReLU(), MaxPool2d(2), Residual(Tanh(), activation=ReLU()))
    y, pullback, _ = model(draw(model), np.random.default_rng(0).normal(size=(2, 2, 4, 4)), training=True)
    np.testing.assert_equal(pickle.loads(pickle.dumps(pullback))(y), pullback(y))


def test_replayed_layer_by_layer_the_bits_are_those_of_the_whole():
    model = Sequential(
        BatchNorm2d(2), ReLU(), MaxPool2d(2), Residual(BatchNorm2d(2), activation=ReLU()), Flatten(), Linear(8, 3)
    )
    params, x = draw(model), np.random.default_rng(0).normal(size=(3, 2, 4, 4))
    replay = Replay(model, params, x)
    for name in ("0.weight", "3.bias", "5.weight"):
        other = params[name] + 0.25
        whole, _, _ = model({**params, name: other}, x, training=True, rng=np.random.default_rng(0))
        assert replay.value(name, other).tobytes() == whole.tobytes()

"""Operations that a chain remembers by the shape of their input: the same bits and errors as the layers' own."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import whygrad
from tests.layers.shared import draw
from tests.ops.shared import refusal
from whygrad.checking.watching import watched
from whygrad.errors import DTypeError, OptionError, ShapeError, WhygradError
from whygrad.layers import Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential, Tanh
from whygrad.layers import calls as remembered
from whygrad.models import lenet5

DTYPES = (np.float32, np.float64)


def chain(**options):
    return Sequential(
        conv1=Conv2d(2, 5, 3, padding="same", **options),
        relu1=ReLU(),
        pool1=MaxPool2d(2),
        drop=Dropout(0.5),
        conv2=Conv2d(5, 4, 3, bias=False),
        pool2=MaxPool2d(2, stride=1),
        relu2=ReLU(),
        flat=Flatten(),
        fc1=Linear(4 * 2 * 1, 6),
        relu3=ReLU(),
        fc2=Linear(6, 3, bias=False),
    )


def images(shape=(3, 2, 10, 9), dtype=np.float64, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def passes(model, params, x, **options):
    """Return all that a forward and a backward pass give, as bytes by name."""
    y, pullback, _ = model(params, x, training=True, rng=np.random.default_rng(5))
    dy = np.random.default_rng(6).normal(size=y.shape).astype(y.dtype)
    dx, gradients = pullback(dy, **options)
    return {"y": y.tobytes(), "dx": None if dx is None else dx.tobytes()} | {
        name: (g.shape, g.dtype, g.tobytes()) for name, g in gradients.items()
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"input_gradient": False}, {"release": True}])
def test_the_bits_are_those_of_the_layers_one_by_one(dtype, options):
    for model in (chain(), chain(stride=1, bias=(10, 9)), chain(dilation=2)):
        params, apart = draw(model, 1, dtype), watched(model, lambda _event: None)
        for shape in ((3, 2, 10, 9), (1, 2, 10, 9), (0, 2, 10, 9), (3, 2, 10, 9)):
            x = images(shape, dtype)
            lying = np.ascontiguousarray(x.transpose(3, 2, 1, 0)).transpose(3, 2, 1, 0)
            lying.flags.writeable = False
            for given in (x, lying):
                wanted = passes(apart, params, given, **options)
                assert passes(model, params, given, **options) == wanted
                assert passes(model, params, given, **options) == wanted
                assert list(wanted)[2:4] == ["fc2.weight", "fc1.weight"]


def test_each_operation_is_asked_for_once_a_shape(monkeypatch):
    asked = []
    original = Conv2d.fitted
    monkeypatch.setattr(Conv2d, "fitted", lambda self, shape: asked.append(shape) or original(self, shape))
    model = lenet5()
    params = draw(model, 0, np.float32)
    for batch in (2, 2, 3, 2, 3):
        model(params, np.zeros((batch, 1, 28, 28), np.float32))
    assert asked == [(2, 1, 28, 28), (2, 6, 14, 14), (3, 1, 28, 28), (3, 6, 14, 14)]


def test_only_some_shapes_are_remembered():
    model = Sequential(relu=ReLU())
    for size in range(3 * remembered._MOST):
        model({}, np.zeros(size))
    assert len(model._calls[0]._known) <= remembered._MOST


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_pullback_uses_the_engine_in_which_it_is_called(dtype):
    model = chain()
    params, x = draw(model, 1, dtype), images(dtype=dtype)
    y, pullback, _ = model(params, x, training=False)
    dx, gradients = pullback(y)
    with whygrad.engine("definition"):
        wanted, others = pullback(y)
    tolerance = {"rtol": 1e-3, "atol": 1e-3} if dtype is np.float32 else {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(dx, wanted, **tolerance)
    assert list(gradients) == list(others)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, others[name], **tolerance)


def refused(call):
    with pytest.raises(WhygradError) as caught:
        call()
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda params, x: (params, x.astype(int)),
        lambda params, x: (params, x.astype(np.float32)),
        lambda params, x: (params, x[0]),
        lambda params, x: (params, x[:, :1]),
        lambda params, x: (params, x[:, :, :2, :2]),
        lambda params, x: (params, np.float64(1.0)),
        lambda params, x: ({**params, "conv2.weight": params["conv2.weight"].astype(np.float32)}, x),
        lambda params, x: ({**params, "conv2.weight": params["conv2.weight"].astype(int)}, x),
        lambda params, x: ({**params, "fc1.weight": params["fc1.weight"].T}, x),
        lambda params, x: ({**params, "fc1.bias": params["fc1.bias"][:, None]}, x),
        lambda params, x: ({name: w for name, w in params.items() if name != "fc1.bias"}, x),
    ],
)
def test_errors_are_those_of_the_layers_one_by_one(change):
    model = chain()
    params, x = draw(model, 1, np.float64), images()
    model(params, x)  # what has passed once does not make it pass again
    wrong = change(params, x)
    apart = watched(model, lambda _event: None)
    assert refused(lambda: model(*wrong)) == refused(lambda: apart(*wrong))


def test_a_wrong_dy_is_refused_by_the_layer_that_meets_it():
    model = chain()
    _, pullback, _ = model(draw(model, 1, np.float64), images())
    with refusal(ShapeError, "fc2 (linear backward): expected dy of shape (3, 3)"):
        pullback(np.ones((3, 4)))
    with refusal(DTypeError, "fc2 (linear backward): expected dy of dtype float64"):
        pullback(np.ones((3, 3), int))
    model = Sequential(fc=Linear(2, 2), relu=ReLU())
    _, pullback, _ = model(draw(model), np.ones((1, 2)))
    with refusal(ShapeError, "relu (relu backward): expected dy of shape (1, 2)"):
        pullback(np.ones(2))


def test_lists_and_subclasses_of_arrays_are_taken_as_the_layers_take_them():
    model = Sequential(fc=Linear(2, 2), relu=ReLU())
    params = draw(model)
    wanted = model(params, np.ones((1, 2)))[0]
    np.testing.assert_array_equal(model(params, [[1.0, 1.0]])[0], wanted)
    np.testing.assert_array_equal(model(params, np.ma.masked_array(np.ones((1, 2))))[0], wanted)


def test_subclasses_are_called_themselves():
    class Twice(Linear):
        def forward(self, own, x, *, training, rng):
            return super().forward(own, 2 * x, training=training, rng=rng)

    class Shifted(ReLU):
        def operate(self, x):
            return super().operate(x + 1)

    for layer in (Twice(2, 2), Shifted()):
        assert layer.fitted((1, 2)) is None
    model = Sequential(fc=Twice(2, 2), relu=Shifted())
    params = draw(model)
    y, _, _ = model(params, np.ones((1, 2)))
    np.testing.assert_allclose(y, np.maximum(params["fc.weight"].sum(axis=1) * 2 + params["fc.bias"] + 1, 0)[None])


def test_layers_between_that_change_the_kind_of_their_input():
    class Odd(Tanh):
        """Gives back what no operation would."""

        def __init__(self, change):
            self.change = change

        def operate(self, x):
            y, pullback = super().operate(x)
            return self.change(y), pullback

    params, x = draw(Linear(3, 2), 0, np.float32), np.ones((1, 3), np.float32)
    params = {f"fc.{name}": w for name, w in params.items()}
    for change in (lambda y: y.astype(np.float64), lambda y: y.astype(int), lambda y: y[0]):
        model = Sequential(relu=ReLU(), odd=Odd(change), fc=Linear(3, 2))
        with pytest.raises((DTypeError, ShapeError), match=r"fc \(linear\)"):
            model(params, x)
    y, _, _ = Sequential(relu=ReLU(), odd=Odd(lambda y: y.tolist()), fc=Linear(3, 2))(
        {name: w.astype(np.float64) for name, w in params.items()}, x
    )
    assert y.shape == (1, 2)


def test_pullbacks_and_models_survive_pickling():
    model = chain()
    params, x = draw(model, 1, np.float64), images()
    y, pullback, _ = model(params, x)
    np.testing.assert_equal(pickle.loads(pickle.dumps(pullback))(y), pullback(y))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(params, x)[0], y)


def test_several_threads_share_a_chain():
    model = chain()
    params = draw(model, 1, np.float64)
    given = [images((n % 4 + 1, 2, 10, 9), seed=n) for n in range(40)]
    alone = [passes(chain(), params, x) for x in given]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda x: passes(model, params, x), given)) == alone


def test_a_released_pullback_forgets_what_it_saved():
    model = chain()
    y, pullback, _ = model(draw(model, 1, np.float64), images())
    pullback(y, release=True)
    assert pullback.args[0].pullbacks == []
    with refusal(OptionError, "pullback: expected what the forward pass saved"):
        pullback(y)

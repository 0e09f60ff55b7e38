import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.layers.shared import check_layer, draw, images
from tests.ops.shared import refusal
from whygrad import layers
from whygrad.checking import Verdict
from whygrad.errors import OptionError, WhygradError
from whygrad.layers import Add, BatchNorm2d, Concat, Conv2d, Dropout, Layer, Linear, ReLU, Sequential, count
from whygrad.layers.layer import OneInput, Row, Unary, prefixed, take

LAYERS = [
    (Add(), [(2, 4, 4), (2, 4, 4)]),
    (BatchNorm2d(2), [(2, 4, 4)]),
    (Concat(), [(2, 4, 4), (1, 4, 4)]),
    (Conv2d(2, 3, 3, padding=1), [(2, 4, 4)]),
    (Dropout(), [(2, 4, 4)]),
    (Linear(4, 3), [(4,)]),
    (ReLU(), [(2, 4, 4)]),
    (layers.AvgPool2d(2), [(2, 4, 4)]),
    (layers.ConvTranspose2d(2, 3, 3), [(2, 4, 4)]),
    (layers.ELU(), [(2, 4, 4)]),
    (layers.Flatten(), [(2, 4, 4)]),
    (layers.GELU(), [(2, 4, 4)]),
    (layers.GlobalAvgPool2d(), [(2, 4, 4)]),
    (layers.LayerNorm((2, 4, 4)), [(2, 4, 4)]),
    (layers.LeakyReLU(), [(2, 4, 4)]),
    (layers.LogSoftmax(), [(2, 4, 4)]),
    (layers.MaxPool2d(2), [(2, 4, 4)]),
    (layers.Pad2d(1), [(2, 4, 4)]),
    (layers.SiLU(), [(2, 4, 4)]),
    (layers.Sigmoid(), [(2, 4, 4)]),
    (layers.Softmax(), [(2, 4, 4)]),
    (layers.Softplus(), [(2, 4, 4)]),
    (layers.Tanh(), [(2, 4, 4)]),
    (layers.Clip(-0.5, 0.5), [(2, 4, 4)]),
    (layers.LRN(3), [(5, 4, 4)]),
    (layers.Mul(), [(2, 4, 4), (2, 1, 1)]),
    (layers.Reshape((4, 8)), [(2, 4, 4)]),
    (layers.Scale((2, 1, 1)), [(2, 4, 4)]),
    (layers.Take2d((2, 0), (0, 0, 3)), [(2, 4, 4)]),
    (layers.Transpose((0, 2, 3, 1)), [(2, 4, 4)]),
    (layers.UpsampleNearest2d(2), [(2, 4, 4)]),
]
every_layer = pytest.mark.parametrize(("layer", "shapes"), LAYERS, ids=[repr(layer) for layer, _ in LAYERS])
COMPOSED = {layers.Graph, layers.Residual, layers.Sequential}


def call(layer, params, inputs):
    return layer(params, *inputs, training=True, rng=np.random.default_rng(0))


def test_every_layer_is_in_the_list_and_has_a_file_of_tests():
    exported = {getattr(layers, name) for name in layers.__all__}
    classes = {cls for cls in exported if isinstance(cls, type) and issubclass(cls, Layer)} - {Layer}
    assert classes == {type(layer) for layer, _ in LAYERS} | COMPOSED
    here = Path(__file__).parent
    together = "".join((here / f"test_{name}.py").read_text("utf-8") for name in ("activations", "rearranging"))
    for cls in classes:
        module = cls.__module__.rsplit(".", 1)[-1]
        assert (here / f"test_{module}.py").is_file() or f"({cls.__name__}(" in together


@pytest.mark.parametrize("wrong", ["input 0", "weight", "bias"])
def test_a_planted_mistake_in_a_layer_is_found(wrong):
    class Planted(Linear):
        def forward(self, own, x, *, training, rng):
            y, pullback, changed = super().forward(own, x, training=training, rng=rng)

            def backward(dy, **options):
                dx, gradients = pullback(dy, **options)
                found = {"input 0": dx, **gradients}
                found[wrong] = found[wrong] * (1 + 1e-5)
                return found.pop("input 0"), found

            return y, backward, changed

    report = check_layer(Planted(4, 3), (4,))
    assert [row.name for row in report if row.verdict is Verdict.WRONG] == [wrong]
    assert [row.verdict for row in report if row.name != wrong] == [Verdict.RIGHT, Verdict.RIGHT]


@every_layer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_announced_shape_are_kept_and_read_only_inputs_suffice(layer, shapes, dtype):
    inputs = images(*shapes, dtype=dtype)
    y, pullback, changed = call(layer, draw(layer, dtype=dtype), inputs)
    dy = np.ones_like(y)
    dy.flags.writeable = False
    dx, gradients = pullback(dy)
    assert y.shape == (2, *layer.output_shape(*shapes))
    dxs = dx if isinstance(dx, tuple) else (dx,)
    assert [d.shape for d in dxs] == [x.shape for x in inputs]
    assert {a.dtype for a in (y, *dxs, *gradients.values(), *changed.values())} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        pytest.param(Linear(4, 3), (5,), id="features of Linear"),
        pytest.param(Conv2d(3, 4, 3), (1, 8, 8), id="channels of Conv2d"),
        pytest.param(layers.ConvTranspose2d(3, 4, 3), (1, 8, 8), id="channels of ConvTranspose2d"),
        pytest.param(BatchNorm2d(3), (1, 8, 8), id="channels of BatchNorm2d"),
        pytest.param(layers.LayerNorm(3), (1, 8, 8), id="sizes of LayerNorm"),
        pytest.param(Conv2d(4, 4, 3), (4,), id="axes of Conv2d"),
        pytest.param(layers.ConvTranspose2d(4, 4, 3), (4,), id="axes of ConvTranspose2d"),
        pytest.param(BatchNorm2d(4), (4,), id="axes of BatchNorm2d"),
        pytest.param(layers.MaxPool2d(2), (4,), id="axes of MaxPool2d"),
        pytest.param(layers.AvgPool2d(2), (4,), id="axes of AvgPool2d"),
        pytest.param(layers.GlobalAvgPool2d(), (4,), id="axes of GlobalAvgPool2d"),
        pytest.param(layers.UpsampleNearest2d(2), (4,), id="axes of UpsampleNearest2d"),
        pytest.param(layers.Pad2d(1), (4,), id="axes of Pad2d"),
        pytest.param(layers.Pad2d(4, mode="reflect"), (1, 4, 4), id="room for the reflection of Pad2d"),
    ],
)
def test_a_shape_that_the_call_refuses_is_not_announced(layer, shape):
    with pytest.raises(WhygradError):
        layer(draw(layer), *images(shape), training=True)
    with pytest.raises(WhygradError):
        layer.output_shape(shape)


@every_layer
def test_two_calls_and_two_pullbacks_are_equal(layer, shapes):
    params, inputs = draw(layer), images(*shapes)
    (y, pullback, changed), (again, _, changed_again) = (call(layer, params, inputs) for _ in range(2))
    np.testing.assert_equal((y, changed), (again, changed_again))
    np.testing.assert_equal(pullback(y), pullback(y, release=True))


@every_layer
def test_equal_layers_are_equal_and_survive_pickling(layer, shapes):
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert hash(pickle.loads(pickle.dumps(layer))) == hash(layer)
    y, pullback, _ = call(layer, draw(layer), images(*shapes))
    np.testing.assert_equal(pickle.loads(pickle.dumps(pullback))(y), pullback(y))


@every_layer
def test_is_immutable(layer, shapes):
    fields = [*type(layer).__dataclass_fields__, "anything"]
    for name in fields:
        with pytest.raises(AttributeError):
            setattr(layer, name, 1)


@every_layer
def test_is_shown_as_what_builds_it_again(layer, shapes):
    assert eval(repr(layer), vars(layers).copy()) == layer


@every_layer
def test_parameters_are_drawn_in_the_dtype_asked_for_from_the_generator_alone(layer, shapes):
    first, second = (layer.init(np.random.default_rng(4), np.float64) for _ in range(2))
    np.testing.assert_equal(first, second)
    assert {name: array.shape for name, array in first.items()} == {
        name: parameter.shape for name, parameter in layer.parameters().items()
    }
    assert all(array.dtype == np.float64 for array in first.values())
    assert all(array.dtype == np.float32 for array in layer.init(np.random.default_rng(4)).values())


@every_layer
def test_fills_one_row_of_the_table(layer, shapes):
    assert layer.rows("here", *shapes) == [Row("here", repr(layer), layer.output_shape(*shapes), count(layer))]
    assert layer.rows("here", *[None] * len(shapes))[0].output_shape is None


@pytest.mark.parametrize("base", [Layer, OneInput, Unary])
def test_a_base_does_nothing_by_itself(base):
    with pytest.raises(NotImplementedError, match=base.__name__):
        base()({}, np.ones(3))


def test_count_leaves_running_statistics_out():
    assert count(Conv2d(2, 3, 3)) == 57
    assert count(BatchNorm2d(7)) == 14
    assert count(Sequential(Conv2d(2, 3, 3), BatchNorm2d(3), ReLU())) == 63


def test_take_finds_parameters_under_a_prefix():
    params = {"fc.weight": np.ones((3, 4)), "fc.bias": np.ones(3), "other": np.ones(1)}
    assert set(take(params, Linear(4, 3), "fc.")) == {"weight", "bias"}
    with refusal(OptionError, "parameters: expected an entry 'fd.weight', received none"):
        take(params, Linear(4, 3), "fd.")


def test_prefixed_puts_a_scope_before_every_name():
    assert prefixed("a.b", {"weight": 1, "bias": 2}) == {"a.b.weight": 1, "a.b.bias": 2}

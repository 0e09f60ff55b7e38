import numpy as np
import pytest

from tests.layers.shared import assert_gradients, assert_is
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import DTypeError, OptionError
from whygrad.layers import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)

CASES = [
    (ELU(), lambda x: ops.elu(x, alpha=1.0), "ELU()"),
    (ELU(0.5), lambda x: ops.elu(x, alpha=0.5), "ELU(alpha=0.5)"),
    (GELU(), ops.gelu, "GELU()"),
    (GELU("tanh"), lambda x: ops.gelu(x, approximate="tanh"), "GELU(approximate='tanh')"),
    (LeakyReLU(), lambda x: ops.leaky_relu(x, negative_slope=0.01), "LeakyReLU()"),
    (LeakyReLU(0.2), lambda x: ops.leaky_relu(x, negative_slope=0.2), "LeakyReLU(negative_slope=0.2)"),
    (LogSoftmax(), lambda x: ops.log_softmax(x, axis=1), "LogSoftmax()"),
    (LogSoftmax(-1), lambda x: ops.log_softmax(x, axis=-1), "LogSoftmax(axis=-1)"),
    (ReLU(), ops.relu, "ReLU()"),
    (SiLU(), ops.silu, "SiLU()"),
    (Sigmoid(), ops.sigmoid, "Sigmoid()"),
    (Softmax(), lambda x: ops.softmax(x, axis=1), "Softmax()"),
    (Softmax(2), lambda x: ops.softmax(x, axis=2), "Softmax(axis=2)"),
    (Softplus(), ops.softplus, "Softplus()"),
    (Tanh(), ops.tanh, "Tanh()"),
]
every_activation = pytest.mark.parametrize(("layer", "op", "text"), CASES, ids=[case[2] for case in CASES])


@every_activation
def test_gives_what_its_operation_gives(layer, op, text):
    assert_is(layer, op, (3, 4, 5))


@every_activation
def test_gradients_are_those_of_finite_differences(layer, op, text):
    assert_gradients(layer, (3, 2, 4))


@every_activation
def test_keeps_the_shape_has_no_parameters_and_shows_its_options(layer, op, text):
    assert layer.output_shape((3, 4, 5)) == (3, 4, 5)
    assert layer.parameters() == layer.init(np.random.default_rng(0)) == {}
    assert repr(layer) == text


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ELU(-1), "ELU: expected alpha in [0, 1e+30], received -1; change alpha"),
        (lambda: LeakyReLU("a"), "LeakyReLU: expected negative_slope in [-1e+30, 1e+30], received 'a'"),
        (lambda: GELU("erf"), 'GELU: expected approximate "none" or "tanh", received \'erf\'; change approximate'),
    ],
)
def test_refuses_options_outside_their_domain(make, text):
    with refusal(OptionError, text):
        make()


@pytest.mark.parametrize("layer", [Softmax, LogSoftmax])
def test_refuses_an_axis_that_the_input_does_not_have(layer):
    with refusal(OptionError, "softmax: expected axis from -2 to 1, received 2; name an axis that the array has"):
        layer(2)({}, np.ones((2, 3)))


@every_activation
def test_refuses_integers_with_the_name_of_the_layer(layer, op, text):
    with pytest.raises(
        DTypeError, match=r"^act \([a-z_]+\): expected x of dtype float32 or float64, received int64"
    ):
        Sequential(act=layer)({}, np.ones((2, 3, 4), int))

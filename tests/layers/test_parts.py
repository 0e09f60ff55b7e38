import numpy as np
import pytest

from tests.ops.shared import refusal
from whygrad.errors import OptionError
from whygrad.layers import Conv2d, Linear, ReLU
from whygrad.layers.layer import Row
from whygrad.layers.parts import Parts, table


def test_parameters_stand_under_the_scope_of_their_layer():
    parts = Parts("Here", {"a": Linear(2, 3), "b": Linear(3, 1, bias=False)}, {"a": ""})
    assert list(parts.parameters) == ["weight", "bias", "b.weight"]
    assert parts.scoped("a", {"weight": 1}) == {"weight": 1}
    assert parts.scoped("b", {"weight": 1}) == {"b.weight": 1}
    params = {"weight": np.ones((3, 2)), "bias": np.ones(3), "b.weight": np.zeros((1, 3))}
    assert list(parts.own(params, "a")) == ["weight", "bias"]
    assert parts.own(params, "b")["weight"] is params["b.weight"]


def test_two_layers_of_one_scope_share_their_parameters():
    parts = Parts("Here", {"a": Linear(2, 2), "b": Linear(2, 2)}, {"b": "a"})
    assert list(parts.parameters) == ["a.weight", "a.bias"]


def test_refuses_to_share_between_layers_of_unlike_shapes():
    text = "Here: expected layers that share a.weight to agree on its shape (3, 2), received (2, 3); give one of"
    with refusal(OptionError, text):
        Parts("Here", {"a": Linear(2, 3), "b": Linear(3, 2)}, {"b": "a"})


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ({"a": ReLU}, "a to be a layer, received <class 'whygrad.layers.relu.ReLU'>; pass layers, not classes"),
        ({"a": np.tanh}, "a to be a layer, received <ufunc 'tanh'>"),
        ({"a.b": ReLU()}, "a name without dots, received 'a.b'; dots separate the names of nested layers"),
        ({"": ReLU()}, "a name without dots, received ''"),
    ],
)
def test_refuses_what_is_no_layer_or_no_name(layers, text):
    with refusal(OptionError, f"Here: expected {text}"):
        Parts("Here", layers)


def test_refuses_a_missing_parameter_with_its_full_name():
    parts = Parts("Here", {"conv1": Conv2d(1, 1, 1)})
    with refusal(OptionError, "parameters: expected an entry 'conv1.bias', received none; create parameters with"):
        parts.own({"conv1.weight": np.ones((1, 1, 1, 1))}, "conv1")


def test_table_adds_up_and_shows_what_is_not_known():
    rows = [Row("a", "Layer()", (3, 4), 1200), Row("longer", "B()", None, 34)]
    assert table(rows).splitlines() == [
        "name    layer    output shape  parameters",
        "a       Layer()  3x4                1,200",
        "longer  B()      ?                     34",
        "total                               1,234",
    ]

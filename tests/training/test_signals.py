import json
import math

import numpy as np
import pytest

from whygrad.layers import (
    Conv2d,
    Flatten,
    Graph,
    Linear,
    MaxPool2d,
    Node,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
)
from whygrad.losses import cross_entropy
from whygrad.training import Probe
from whygrad.training.signals import norm

RNG = np.random.default_rng(5)
IMAGES, LABELS = RNG.standard_normal((6, 1, 4, 4)), np.array([0, 1, 2, 0, 1, 2])


def dense(unit):
    model = Sequential(flatten=Flatten(), fc1=Linear(16, 8), unit=unit, fc2=Linear(8, 3), input_shape=(1, 4, 4))
    return model, model.init(np.random.default_rng(0), np.float64)


def look(model, params, images=IMAGES):
    return Probe(model, images, LABELS[: len(images)], cross_entropy).look(params)


def test_loss_and_gradient_norms_are_those_of_the_model():
    model, params = dense(ReLU())
    y, pullback, _ = model(params, IMAGES, training=True)
    value, dy = cross_entropy(y, LABELS)
    gradients = pullback(dy)[1]
    signals = look(model, params)
    assert signals.loss == value
    assert signals.gradient_norms == pytest.approx({n: np.linalg.norm(g) for n, g in gradients.items()}, rel=1e-12)
    assert signals.finite
    assert not signals.silent


def test_units_that_no_image_activates_are_dead():
    model, params = dense(ReLU())
    params["fc1.bias"][:3] = -100
    assert look(model, params).dead == {"unit": 3 / 8}
    params["fc1.bias"][:] = -100
    signals = look(model, params)
    assert signals.dead == {"unit": 1.0}
    assert [name for name, size in signals.gradient_norms.items() if size] == ["fc2.bias"]
    assert signals.silent


def test_a_channel_is_one_unit():
    model = Sequential(conv1=Conv2d(1, 5, 3), relu1=ReLU(), pool1=MaxPool2d(2), flatten=Flatten(), fc=Linear(5, 3))
    params = model.init(np.random.default_rng(0), np.float64)
    params["conv1.bias"][1] = -100
    assert look(model, params).dead == {"relu1": 1 / 5}


@pytest.mark.parametrize(("unit", "flat"), [(Sigmoid(), 4.7), (Tanh(), 2.5)])
def test_values_at_the_ends_are_saturated(unit, flat):
    model, params = dense(unit)
    params["fc1.weight"][:] = 0
    params["fc1.bias"][:] = [flat, -flat, 0.5 * flat, -0.5 * flat, 0, 0, 0, 2 * flat]
    assert look(model, params).saturated == {"unit": 3 / 8}


def test_layers_are_seen_within_blocks_and_graphs():
    block = Residual(Sequential(fc=Linear(16, 16), relu=ReLU()), activation=ReLU())
    model = Graph(
        {"flat": Node(Flatten(), ("x",)), "block": Node(block, ("flat",)), "out": Node(Linear(16, 3), ("block",))},
        inputs=("x",),
        outputs="out",
    )
    params = model.init(np.random.default_rng(0), np.float64)
    assert set(look(model, params).dead) == {"block.relu", "block.activation"}


def test_numbers_that_are_not_finite_are_told_as_null():
    model, params = dense(ReLU())
    params["fc1.weight"][0, 0] = np.inf
    signals = look(model, params)
    assert not signals.finite
    shown = signals.to_dict()
    assert shown["largest_activation"] is None
    assert "NaN" not in json.dumps(shown)
    assert "Infinity" not in json.dumps(shown)


def test_a_look_changes_nothing_and_repeats():
    model, params = dense(ReLU())
    before = {name: array.copy() for name, array in params.items()}
    for array in params.values():
        array.flags.writeable = False
    probe = Probe(model, IMAGES, LABELS, cross_entropy)
    assert probe.look(params) == probe.look(params)
    assert all(np.array_equal(before[name], params[name]) for name in before)


def test_chance_is_what_outputs_of_zero_cost():
    model, params = dense(ReLU())
    assert Probe(model, IMAGES, LABELS, cross_entropy).chance(params) == pytest.approx(math.log(3))


def test_norms_of_tiny_and_huge_float32_numbers():
    assert norm(np.array([3e-30, 4e-30], np.float32)) == pytest.approx(5e-30, rel=1e-6)
    assert norm(np.array([3e30, 4e30], np.float32)) == pytest.approx(5e30, rel=1e-6)
    assert norm(np.zeros(0, np.float32)) == 0
    assert math.isnan(norm(np.array([np.nan], np.float32)))

"""Models of the package."""

import numpy as np
import pytest

from whygrad import SGD, Adam, clip_by_global_norm, cross_entropy, diagnose_training
from whygrad.data import load_digits
from whygrad.layers import (
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)


def small(**more):
    return Sequential(
        conv1=Conv2d(1, 6, 3, padding=1),
        relu1=ReLU(),
        pool1=MaxPool2d(2),
        flatten=Flatten(),
        fc1=Linear(96, 10),
        **more,
        input_shape=(1, 8, 8),
    )


def ask(model, optimizer=None, params=None, loss=cross_entropy, labels=lambda t: t, images=lambda x: x, **more):
    data = load_digits()
    params = params or model.init(np.random.default_rng(0))
    given = (images(data.images), labels(data.labels))
    return diagnose_training(
        model, params, given, optimizer=optimizer or SGD(0.1, momentum=0.9), loss=loss, seconds=60, **more
    )


HEALTHY = {
    "momentum": (small, SGD(0.05, momentum=0.9)),
    "plain": (small, SGD(0.2)),
    "Adam": (small, Adam(1e-3)),
    "batch norm and dropout": (
        lambda: Sequential(
            conv1=Conv2d(1, 6, 3, padding=1, bias=False),
            bn1=BatchNorm2d(6),
            relu1=ReLU(),
            flatten=Flatten(),
            drop=Dropout(0.3),
            fc1=Linear(384, 10),
            input_shape=(1, 8, 8),
        ),
        SGD(0.1),
    ),
    "tanh": (
        lambda: Sequential(
            flatten=Flatten(), fc1=Linear(64, 32), tanh1=Tanh(), fc2=Linear(32, 10), input_shape=(1, 8, 8)
        ),
        SGD(0.3),
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_models(name):
    make, optimizer = HEALTHY[name]
    told = ask(make(), optimizer)
    assert told.cause == "no_bug", str(told)


def test_a_rate_that_is_too_high():
    told = ask(small(), SGD(30.0))
    assert told.cause == "learning_rate_too_high", str(told)


def test_a_softmax_before_the_loss():
    told = ask(small(softmax=Softmax()))
    assert told.cause == "softmax_applied_twice", str(told)


def test_a_loss_that_sums_where_it_says_mean():
    def loss(prediction, target):
        value, gradient = cross_entropy(prediction, target)
        return value, gradient * len(prediction)

    assert ask(small(), SGD(0.1), loss=loss).cause == "batch_scale_wrong"


def test_the_line_of_a_loss_of_ones_own_that_takes_the_logarithm_of_zero():
    def loss(prediction, target):
        _, gradient = cross_entropy(prediction, target)
        shares = np.exp(prediction - prediction.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        with np.errstate(divide="ignore"):
            return float(-np.log(shares[np.arange(len(target)), target]).mean()), gradient

    model = small()
    params = {n: 40 * a for n, a in model.init(np.random.default_rng(0)).items()}
    told = ask(model, params=params, loss=loss)
    assert told.cause == "log_of_zero", str(told)
    assert "np.log(shares" in told.faults[0].says


def test_weights_of_zero():
    model = small()
    params = {n: np.zeros_like(a) for n, a in model.init(np.random.default_rng(0)).items()}
    assert ask(model, params=params).cause == "zero_initialisation"


def test_units_that_saturate_are_seen():
    model = Sequential(
        flatten=Flatten(), fc1=Linear(64, 32), s1=Sigmoid(), fc2=Linear(32, 10), input_shape=(1, 8, 8)
    )
    params = model.init(np.random.default_rng(0))
    params["fc1.bias"] = params["fc1.bias"] + 30
    told = ask(model, SGD(0.5), params=params)
    assert told.cause == "saturated_units", str(told)
    assert "s1" in told.faults[0].says


def test_clipping_that_cuts_every_step():
    told = ask(small(), SGD(0.1), clip=lambda g: clip_by_global_norm(g, 1e-4))
    assert told.cause == "clipping_always", str(told)


def test_a_decay_that_outweighs_the_data():
    told = ask(small(), SGD(0.1, weight_decay=1.0))
    assert told.cause == "regularisation_too_strong", str(told)


def test_labels_that_are_no_classes():
    assert ask(small(), labels=lambda t: t + 1).cause == "labels_out_of_range"


def test_pixels_up_to_255():
    assert ask(small(), SGD(0.1), images=lambda x: 255 * x).cause == "input_not_normalised"


def test_sorted_data_is_no_fault_of_a_training_that_shuffles():
    order = np.argsort(load_digits().labels, kind="stable")
    assert ask(small(), SGD(0.1), labels=lambda t: t[order], images=lambda x: x[order]).cause == "no_bug"

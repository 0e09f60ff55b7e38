"""Layers that compute otherwise in evaluation than they were trained to, and those that rightly do."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from tests.diagnosis.training.networks import DIGITS, Net, trained, training
from whygrad import diagnose_training
from whygrad.diagnosis.training.modes import modes
from whygrad.layers import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, ReLU, Residual, Sequential
from whygrad.layers.layer import OneInput
from whygrad.optim import SGD

X4 = DIGITS.images[:, None].astype(np.float32) if DIGITS.images.ndim == 3 else DIGITS.images.astype(np.float32)


@dataclass(frozen=True, repr=False)
class Fading(OneInput):
    """Dropout with its scale in neither mode, or in both."""

    p: float = 0.5
    both: bool = False

    def output_shape(self, *shapes):
        return shapes[0]

    def forward(self, own, x, *, training, rng):
        scale = np.float32(1 / (1 - self.p)) if self.both else np.float32(1)
        mask = (rng.random(x.shape) >= self.p).astype(x.dtype) if training else np.float32(1)
        return x * mask * scale, lambda dy, **_: (dy * mask * scale, {}), {}


@dataclass(frozen=True, repr=False)
class Noisy(OneInput):
    """Noise in training alone: right, for it has mean 0."""

    def output_shape(self, *shapes):
        return shapes[0]

    def forward(self, own, x, *, training, rng):
        noise = np.float32(0.3) * rng.normal(size=x.shape).astype(x.dtype) if training else 0 * x
        return x + noise, lambda dy, **_: (dy, {}), {}


def perceptron(layer):
    return Sequential(
        flatten=Flatten(), fc1=Linear(64, 64), relu=ReLU(), drop=layer, fc2=Linear(64, 10), input_shape=X4.shape[1:]
    )


def normalised(momentum):
    return Sequential(
        conv=Conv2d(1, 6, 3, padding=1),
        block=Residual(Sequential(conv=Conv2d(6, 6, 3, padding=1), bn=BatchNorm2d(6, momentum=momentum))),
        relu=ReLU(),
        flatten=Flatten(),
        fc=Linear(384, 10),
        input_shape=X4.shape[1:],
    )


def told_of(model, rate=0.05):
    params = model.init(np.random.default_rng(0))
    return diagnose_training(model, params, (X4, DIGITS.labels.astype(int)), optimizer=SGD(rate), seconds=60)


@pytest.mark.parametrize(
    ("model", "where"),
    [
        (perceptron(Fading(0.3)), "drop"),
        (perceptron(Fading(0.7)), "drop"),
        (perceptron(Fading(0.5, both=True)), "drop"),
        (normalised(0.0), "block.bn"),
        (normalised(1e-5), "block.bn"),
    ],
    ids=["a third falls out", "most fall out", "scaled in both", "statistics stand still", "statistics crawl"],
)
def test_layers_that_differ(model, where):
    told = told_of(model)
    assert told.cause == "train_eval_mismatch", str(told)
    assert where in told.faults[0].says


@pytest.mark.parametrize(
    "model",
    [perceptron(Dropout(0.2)), perceptron(Dropout(0.8)), perceptron(Noisy()), normalised(0.1), normalised(0.01)],
    ids=["dropout", "much dropout", "noise", "normalisation", "slow statistics"],
)
def test_layers_that_may_differ(model):
    found = modes(model, model.init(np.random.default_rng(0)), X4[:64], 0)
    assert found
    assert "train_eval_mismatch" not in [f.cause for f in told_of(model).faults]


def test_a_layer_that_cannot_be_evaluated():
    @dataclass(frozen=True, repr=False)
    class Unready(Noisy):
        def forward(self, own, x, *, training, rng):
            if not training:
                raise NotImplementedError("soon")
            return super().forward(own, x, training=True, rng=rng)

    told = told_of(perceptron(Unready()))
    assert any("soon" in reason for reason in told.untested)


@pytest.mark.parametrize("layer", [Dropout(0.97), Dropout(0.995)], ids=["97 of 100", "995 of 1000"])
@pytest.mark.parametrize("width", [48, 160])
def test_too_much_falls_out(layer, width):
    model = Sequential(
        flatten=Flatten(),
        fc1=Linear(64, width),
        relu=ReLU(),
        drop=layer,
        fc2=Linear(width, 10),
        input_shape=(1, 8, 8),
    )
    told = told_of(model, 0.1)
    assert told.cause == "regularisation_too_strong", str(told)
    assert "drop (Dropout)" in told.faults[0].says


def prediction(p, x, net, shift):
    return np.roll(net.predict(p, x), shift, axis=1)


@pytest.mark.parametrize(("shift", "cause"), [(0, "no_bug"), (1, "train_eval_mismatch")])
def test_a_training_that_has_learned_before(shift, cause):
    net = Net()
    late = trained(net, 300)
    told = diagnose_training(
        **training(net, 0.01, params=late, predict=partial(prediction, net=net, shift=shift)), seconds=60
    )
    assert told.cause == cause, str(told)

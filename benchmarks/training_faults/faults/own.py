"""Faults in trainings of the project's own models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.training_faults import own
from benchmarks.training_faults.faults import data
from benchmarks.training_faults.images import CLASSES, Images
from benchmarks.training_faults.own import OwnBase
from benchmarks.training_faults.scenario import Own, Scenario, Setup
from benchmarks.training_faults.setups import ImagesOf, Plant
from whygrad.layers import Dropout, Flatten, Linear, ReLU, Sequential, Sigmoid, Softmax, Tanh
from whygrad.losses import cross_entropy
from whygrad.ops import softmax
from whygrad.optim import SGD, Adam, RMSprop, clip_by_global_norm
from whygrad.typing import Array

Change = Callable[[Own], Own]


@dataclass(frozen=True)
class OwnPlant:
    """What makes a healthy training a faulty one."""

    images: Callable[[Images, np.random.Generator], Images] | None = None
    model: own.Build | None = None
    change: Change | None = None

    def setup(self, base: OwnBase, images: Images, seed: int) -> Own:
        """Return the faulty training."""
        if self.images is not None:
            images = self.images(images, np.random.default_rng([seed, 17]))
        made = base.prepared((self.model or base.model)(images), images, seed)
        return self.change(made) if self.change else made


def with_images(plant: Plant) -> OwnPlant:
    """Return the plant of other data."""
    return OwnPlant(images=plant.images)


def with_model(build: own.Build) -> OwnPlant:
    """Return the plant of another model."""
    return OwnPlant(model=build)


def with_fields(**fields: Any) -> OwnPlant:
    """Return the plant of other fields of the setup."""
    return OwnPlant(change=lambda setup: replace(setup, **fields))


def with_params(change: Callable[[str, Array], Array]) -> OwnPlant:
    """Return the plant of other parameters, by name and array."""

    def changed(setup: Own) -> Own:
        params = {name: change(name, array).astype(array.dtype) for name, array in setup.params.items()}
        return replace(setup, params=params)

    return OwnPlant(change=changed)


def weights(function: Callable[[Array], Any]) -> OwnPlant:
    """Return the plant of other weights; biases stay."""
    return with_params(lambda _, a: np.asarray(function(a)) if a.ndim > 1 else a)


class Unmoved(Linear):
    """A dense layer that hands on the gradient and forgets its own."""

    def forward(self, own_params, x, *, training, rng):
        """Return y and a pullback without gradients."""
        y, pullback, changed = super().forward(own_params, x, training=training, rng=rng)
        return y, lambda dy, **options: (pullback(dy, **options)[0], {}), changed


class NoBias(Linear):
    """A dense layer whose bias gets a gradient of zero."""

    def forward(self, own_params, x, *, training, rng):
        """Return y and a pullback with a bias gradient of zero."""
        y, pullback, changed = super().forward(own_params, x, training=training, rng=rng)

        def back(dy, **options):
            dx, grads = pullback(dy, **options)
            return dx, {**grads, "bias": np.zeros_like(grads["bias"])}

        return y, back, changed


class Turned(Linear):
    """A dense layer that hands on the gradient through its weights the wrong way round."""

    def forward(self, own_params, x, *, training, rng):
        """Return y and a pullback with a wrong dx."""
        y, pullback, changed = super().forward(own_params, x, training=training, rng=rng)

        def back(dy, **options):
            dx, grads = pullback(dy, **options)
            return (None if dx is None else dy @ own_params["weight"].T), grads

        return y, back, changed


class Ungated(ReLU):
    """A ReLU that lets every gradient pass."""

    def operate(self, x):
        """Return the positive part and a pullback without its gate."""
        return np.maximum(x, 0), lambda dy: dy


class Unscaled(Dropout):
    """Dropout that does not make up for what falls out."""

    def forward(self, own_params, x, *, training, rng):
        """Return what is left, as large as it was."""
        if not training:
            return x, lambda dy, **_: (dy, {}), {}
        mask = (rng.random(x.shape) >= self.p).astype(x.dtype)
        return x * mask, lambda dy, **_: (dy * mask, {}), {}


def ascending(y: Any, t: Any) -> Any:
    """Return the loss and its gradient with the wrong sign."""
    value, dy = cross_entropy(y, t)
    return value, -dy


def summed(y: Any, t: Any) -> Any:
    """Return a mean with the gradient of a sum."""
    value, dy = cross_entropy(y, t)
    return value, dy * np.float32(len(y))


def averaged_twice(y: Any, t: Any) -> Any:
    """Return a mean with a gradient that was averaged twice."""
    value, dy = cross_entropy(y, t)
    return value, dy / np.float32(len(y))


def of_all_classes(y: Any, t: Any) -> Any:
    """Return the cross-entropy with every class as the target, and its gradient."""
    del t
    return cross_entropy(y, np.full(y.shape, 1 / CLASSES, y.dtype))


def logarithm(y: Any, t: Any) -> Any:
    """Return -ln of a softmax that may have underflowed, and its gradient."""
    p, _ = softmax(y)
    rows = np.arange(len(t))
    one_hot = np.zeros_like(p)
    one_hot[rows, t] = 1
    with np.errstate(divide="ignore"):
        return float(-np.log(p[rows, t]).mean()), (p - one_hot) / np.float32(len(t))


def unshifted(y: Any, t: Any) -> Any:
    """Return the cross-entropy of a softmax without subtraction of the largest."""
    e = np.exp(y)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(t))
    one_hot = np.zeros_like(p)
    one_hot[rows, t] = 1
    return float(-np.log(p[rows, t]).mean()), (p - one_hot) / np.float32(len(t))


@dataclass(frozen=True)
class WrongAdam(Adam):
    """Adam without its corrections, or without its root."""

    mistake: str = "no corrections"

    def rule(self, w, g, old, rate, t, /):
        """Return w, m and v after an update that is not Adam's."""
        m = self.beta1 * old["mean"] + (1 - self.beta1) * g
        v = self.beta2 * old["square"] + (1 - self.beta2) * g**2
        if self.mistake == "b to the t":
            step = (m / self.beta1**t) / (np.sqrt(v / self.beta2**t) + self.eps)
        elif self.mistake == "no root":
            step = (m / (1 - self.beta1**t)) / (v / (1 - self.beta2**t) + self.eps)
        else:
            step = m / (np.sqrt(v) + self.eps)
        return (w - rate * step).astype(w.dtype), {"mean": m, "square": v}


@dataclass(frozen=True)
class WrongNesterov(SGD):
    """Nesterov's momentum that looks back."""

    def rule(self, w, g, old, rate, _t, /):
        """Return w and v after an update that looks the wrong way."""
        v = self.momentum * old["velocity"] + g
        return (w - rate * (g - self.momentum * v)).astype(w.dtype), {"velocity": v}

    def rules(self, given, rate, t, /):
        """Return one rule after the other."""
        return [self.rule(w, g, old, rate, t) for w, g, old in given]


def _units_equal(name: str, array: Array) -> Array:
    rng = np.random.default_rng(len(name))
    if array.ndim == 1:
        return array
    if name.startswith(("fc1", "conv1")):
        return np.broadcast_to(rng.normal(0, 0.15, (1, *array.shape[1:])), array.shape)
    return np.broadcast_to(rng.normal(0, 0.15, (array.shape[0], *([1] * (array.ndim - 1)))), array.shape)


def _fresh_statistics(name: str, array: Array) -> Array:
    if name.endswith("running_mean"):
        return np.zeros_like(array)
    return np.ones_like(array) if name.endswith("running_var") else array


def _shut(name: str, array: Array) -> Array:
    hidden = name.endswith("bias") and name.startswith(("fc1", "conv"))
    return np.full_like(array, -30) if hidden else array


def _pushed(name: str, array: Array) -> Array:
    if not name.endswith("bias") or name.startswith(("out", "fc2.")):
        return array
    return array + 25 * np.sign(np.random.default_rng(3).standard_normal(array.shape))


def _one_hot_labels(setup: Own) -> Own:
    return replace(setup, labels=np.eye(CLASSES, dtype=np.int64)[setup.labels])


def _turned(images: Images) -> Sequential:
    return Sequential(
        flatten=Flatten(),
        fc1=Linear(images.features, 40),
        relu1=ReLU(),
        fc2=Turned(40, 40),
        relu2=ReLU(),
        fc3=Linear(40, CLASSES),
        input_shape=images.shape,
    )


def _sequence(images: Images, first: Any, gate: Any = None) -> Sequential:
    layers = {"flatten": Flatten(), "fc1": first(images.features, 48), "relu1": gate or ReLU()}
    return Sequential(**layers, fc2=Linear(48, CLASSES), input_shape=images.shape)


def _unscaled(images: Images) -> Sequential:
    return Sequential(
        flatten=Flatten(),
        fc1=Linear(images.features, 96),
        relu1=ReLU(),
        dropout1=Unscaled(0.9),
        fc2=Linear(96, CLASSES),
        input_shape=images.shape,
    )


@dataclass(frozen=True)
class OwnFault:
    """A row of the table."""

    kind: str
    name: str
    bases: tuple[tuple[str, OwnBase], ...]
    strengths: Mapping[str, OwnPlant]
    also: tuple[str, ...] = ()
    definition: str = ""
    seeds: int = 1
    steps: int = 150

    def scenarios(self, images_of: ImagesOf) -> Iterator[Scenario]:
        """Yield a scenario for each strength, base and seed."""
        for title, base in self.bases:
            for strength, plant in self.strengths.items():
                for seed in range(self.seeds):
                    make = partial(_made, plant, base, images_of, seed)
                    mended = partial(_healthy, base, images_of, seed)
                    name = f"model {title}: {self.name}"
                    yield Scenario(
                        self.kind, name, strength, seed, make, mended, self.also, self.definition, self.steps
                    )


def _made(plant: OwnPlant, base: OwnBase, images_of: ImagesOf, seed: int) -> Setup:
    return plant.setup(base, images_of(seed), seed)


def _healthy(base: OwnBase, images_of: ImagesOf, seed: int) -> Setup:
    return base.setup(images_of(seed), seed)


_MLP, _CNN = ("mlp", OwnBase()), ("cnn", OwnBase(own.plain_cnn, SGD(0.05, momentum=0.9)))
_NORM, _DROPOUT = ("batch norm", OwnBase(own.normalised)), ("dropout", OwnBase(own.with_dropout))
_LENET = ("lenet", OwnBase(own.lenet))
_ADAM = ("mlp with Adam", OwnBase(own.mlp, Adam(3e-3)))
_LATE_NORM = ("batch norm, late", OwnBase(own.normalised, trained=120))
_SURE = ("mlp, late", OwnBase(trained=200))
_DEFINED = "the gradient is not that of the loss"


def _sure(loss: Any, factor: float) -> OwnPlant:
    def change(setup: Own) -> Own:
        params = {n: a * np.float32(factor) if n.startswith("fc2") else a for n, a in setup.params.items()}
        return replace(setup, params=params, loss=loss, optimizer=SGD(1e-4))

    return OwnPlant(change=change)


FAULTS = (
    OwnFault("data_not_finite", "pixels", (_MLP, _CNN), {"nan": with_images(data.spoiled(np.nan, 0.1))}),
    OwnFault(
        "input_not_normalised",
        "raw pixels",
        (_MLP, _CNN, _LENET),
        {"0..255": with_images(data.scaled(255.0)), "0..4095": with_images(data.scaled(4095.0))},
    ),
    OwnFault("constant_features", "blank images", (_MLP, _CNN), {"zeros": with_images(data.blank(np.zeros_like))}),
    OwnFault(
        "labels_out_of_range", "1..10", (_MLP, _CNN), {"1..10": with_images(data.labelled(lambda y, _: y + 1))}
    ),
    OwnFault("labels_one_hot", "integers", (_MLP, _CNN), {"integers": OwnPlant(change=_one_hot_labels)}),
    OwnFault(
        "lengths_mismatched",
        "a label less",
        (_MLP,),
        {"one": OwnPlant(change=lambda setup: replace(setup, labels=setup.labels[:-1]))},
    ),
    OwnFault("one_class_only", "one class", (_MLP, _CNN), {"the ones": with_images(data.one_class(1))}),
    OwnFault(
        "labels_unrelated", "permuted", (_MLP, _CNN, _NORM), {"all": with_images(data.shuffled(1.0))}, seeds=2
    ),
    OwnFault("zero_initialisation", "zeros", (_MLP, _CNN), {"all": with_params(lambda _, a: np.zeros_like(a))}),
    OwnFault(
        "symmetric_initialisation", "units the same", (_MLP,), {"by input": with_params(_units_equal)}, seeds=2
    ),
    OwnFault("symmetric_initialisation", "all the same", (_CNN, _LENET), {"0.05": weights(lambda a: 0 * a + 0.05)}),
    OwnFault(
        "init_scale_wrong",
        "weights",
        (_CNN, ("deep mlp", OwnBase(own.deep_mlp, SGD(0.03, momentum=0.9)))),
        {"x 20": weights(lambda a: 20 * a), "x 0.001": weights(lambda a: a / 1000)},
        also=("exploding_gradient", "vanishing_gradient"),
    ),
    OwnFault("dead_units", "shut", (_MLP, _CNN), {"all": with_params(_shut)}, seeds=2),
    OwnFault(
        "softmax_applied_twice",
        "softmax before the loss",
        (_MLP, _CNN),
        {"last layer": with_model(lambda images: own.mlp(images, softmax=Softmax()))},
        also=("probabilities_for_logits",),
        definition="the loss cannot fall below -ln(e / (e + 9))",
    ),
    OwnFault(
        "probabilities_for_logits",
        "sigmoids before the loss",
        (_MLP,),
        {"last layer": with_model(lambda images: own.mlp(images, sigmoid=Sigmoid()))},
        also=("softmax_applied_twice",),
        seeds=2,
        definition="the loss cannot fall below -ln(e / (e + 9))",
    ),
    OwnFault("loss_formula_wrong", "all classes", (_MLP, _CNN), {"uniform": with_fields(loss=of_all_classes)}),
    OwnFault("sign_error", "of the loss", (_MLP, _CNN), {"all": with_fields(loss=ascending)}),
    OwnFault(
        "batch_scale_wrong",
        "of the loss",
        (_MLP, _CNN),
        {"sum for mean": with_fields(loss=summed), "mean of a mean": with_fields(loss=averaged_twice)},
        definition=_DEFINED,
    ),
    OwnFault(
        "layer_not_trained",
        "no gradients",
        (_MLP,),
        {"fc1": with_model(lambda images: _sequence(images, Unmoved))},
        definition="the layer stays as it was drawn",
        seeds=2,
    ),
    OwnFault(
        "missing_bias_gradient",
        "zero",
        (_MLP,),
        {"fc1": with_model(lambda images: _sequence(images, NoBias))},
        also=("layer_not_trained",),
        definition="the bias stays at zero",
        seeds=2,
    ),
    OwnFault(
        "gradient_wrong",
        "a layer",
        (("mlp", OwnBase(lambda images: own.deep_mlp(images, 2))),),
        {
            "dx through the transpose": with_model(_turned),
            "ReLU without its gate": with_model(lambda images: _sequence(images, Linear, Ungated())),
        },
        also=("missing_activation_derivative", "relu_mask_wrong_tensor", "channel_axes_not_swapped"),
        definition=_DEFINED,
    ),
    OwnFault(
        "learning_rate_too_high",
        "optimiser",
        (_MLP, _CNN, _LENET),
        {
            "SGD 5": with_fields(optimizer=SGD(5.0, momentum=0.9)),
            "SGD 100": with_fields(optimizer=SGD(100.0)),
            "Adam 1": with_fields(optimizer=Adam(1.0)),
        },
    ),
    OwnFault("learning_rate_too_high", "RMSprop", (_MLP, _NORM), {"1": with_fields(optimizer=RMSprop(1.0))}),
    OwnFault(
        "learning_rate_too_low",
        "optimiser",
        (_MLP, _CNN, _NORM),
        {"SGD 1e-6": with_fields(optimizer=SGD(1e-6)), "Adam 1e-8": with_fields(optimizer=Adam(1e-8))},
    ),
    OwnFault(
        "momentum_too_high",
        "SGD",
        (_MLP, _CNN),
        {
            "0.999": with_fields(optimizer=SGD(0.1, momentum=0.999)),
            "0.9999": with_fields(optimizer=SGD(0.1, momentum=0.9999)),
        },
    ),
    OwnFault(
        "vanishing_gradient",
        "deep sigmoids",
        (("sigmoids", OwnBase(own.sigmoids, SGD(0.5, momentum=0.9))),),
        {
            "7": with_model(partial(own.sigmoids, depth=7)),
            "10": with_model(partial(own.sigmoids, depth=10)),
        },
    ),
    OwnFault(
        "exploding_gradient",
        "deep ReLUs with large weights",
        (("deep mlp", OwnBase(partial(own.deep_mlp, depth=8), SGD(0.05))),),
        {"gain 3": weights(lambda a: 3 * a)},
        also=("init_scale_wrong",),
        steps=300,
        seeds=2,
    ),
    OwnFault(
        "saturated_units",
        "biases far out",
        (
            ("sigmoids", OwnBase(own.sigmoids, SGD(0.5, momentum=0.9))),
            ("tanh", OwnBase(partial(own.deep_mlp, depth=2, unit=Tanh))),
        ),
        {"25": with_params(_pushed)},
    ),
    OwnFault(
        "log_of_zero", "own loss", (_SURE,), {"x 60": _sure(logarithm, 60)}, seeds=2, definition="infinite loss"
    ),
    OwnFault(
        "softmax_overflow",
        "own loss",
        (_SURE,),
        {"x 30": _sure(unshifted, 30)},
        also=("overflow",),
        seeds=2,
        definition="infinity by infinity",
    ),
    OwnFault(
        "optimizer_formula_wrong",
        "Adam",
        (_ADAM,),
        {
            "no corrections": with_fields(optimizer=WrongAdam(3e-3)),
            "b to the t": with_fields(optimizer=WrongAdam(3e-3, mistake="b to the t")),
            "no root": with_fields(optimizer=WrongAdam(3e-3, mistake="no root")),
        },
        definition="the update is not Adam's",
    ),
    OwnFault(
        "optimizer_formula_wrong",
        "Nesterov",
        (_MLP,),
        {"looks back": with_fields(optimizer=WrongNesterov(0.1, momentum=0.9, nesterov=True))},
        definition="the update is not Nesterov's",
    ),
    OwnFault(
        "train_eval_mismatch",
        "running statistics",
        (_LATE_NORM,),
        {
            "those of the start": OwnPlant(
                model=partial(own.normalised, momentum=0.0),
                change=lambda setup: replace(
                    setup, params={n: _fresh_statistics(n, a) for n, a in setup.params.items()}
                ),
            ),
            "nearly standing still": with_model(partial(own.normalised, momentum=1e-4)),
        },
        seeds=2,
    ),
    OwnFault(
        "train_eval_mismatch",
        "dropout not scaled",
        (("dropout", OwnBase(own.with_dropout, SGD(0.05, momentum=0.9), trained=120)),),
        {"0.9": with_model(_unscaled)},
        definition="units are ten times as large in evaluation",
        seeds=2,
    ),
    OwnFault(
        "clipping_always",
        "to a small norm",
        (_MLP, _CNN),
        {
            "1e-4": with_fields(clip=partial(clip_by_global_norm, max_norm=1e-4)),
            "1e-3": with_fields(clip=partial(clip_by_global_norm, max_norm=1e-3)),
        },
    ),
    OwnFault(
        "cannot_overfit",
        "too narrow",
        (_MLP,),
        {"1 unit": with_model(lambda images: own.mlp(images, 1)), "2 units": with_model(lambda i: own.mlp(i, 2))},
        also=("dead_units",),
        seeds=2,
    ),
    OwnFault(
        "regularisation_too_strong",
        "weight decay",
        (_MLP, _CNN),
        {
            "1": with_fields(optimizer=SGD(0.1, momentum=0.9, weight_decay=1.0)),
            "0.5": with_fields(optimizer=SGD(0.05, weight_decay=0.5)),
        },
    ),
    OwnFault(
        "regularisation_too_strong",
        "dropout",
        (_DROPOUT,),
        {"0.99": with_model(partial(own.with_dropout, p=0.99))},
        seeds=2,
    ),
)

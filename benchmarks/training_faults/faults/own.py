"""Faults in trainings of the project's own models."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.training_faults import own
from benchmarks.training_faults.faults import data
from benchmarks.training_faults.own import OwnBase
from benchmarks.training_faults.plants.own import (
    OwnFault,
    OwnPlant,
    fresh_statistics,
    one_hot_labels,
    pushed,
    shut,
    sure,
    units_equal,
    weights,
    with_fields,
    with_images,
    with_model,
    with_params,
)
from benchmarks.training_faults.plants.own_parts import (
    NoBias,
    Ungated,
    Unmoved,
    WrongAdam,
    WrongNesterov,
    ascending,
    averaged_twice,
    logarithm,
    of_all_classes,
    summed,
    two_layers,
    unshifted,
    with_turned_layer,
    with_unscaled_dropout,
)
from whygrad.layers import Linear, Sigmoid, Softmax, Tanh
from whygrad.optim import SGD, Adam, RMSprop, clip_by_global_norm

_MLP, _CNN = ("mlp", OwnBase()), ("cnn", OwnBase(own.plain_cnn, SGD(0.05, momentum=0.9)))
_NORM, _DROPOUT = ("batch norm", OwnBase(own.normalised)), ("dropout", OwnBase(own.with_dropout))
_LENET = ("lenet", OwnBase(own.lenet))
_ADAM = ("mlp with Adam", OwnBase(own.mlp, Adam(3e-3)))
_LATE_NORM = ("batch norm, late", OwnBase(own.normalised, trained=120))
_SURE = ("mlp, late", OwnBase(trained=200))
_DEFINED = "the gradient is not that of the loss"


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
    OwnFault("labels_one_hot", "integers", (_MLP, _CNN), {"integers": OwnPlant(change=one_hot_labels)}),
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
        "symmetric_initialisation", "units the same", (_MLP,), {"by input": with_params(units_equal)}, seeds=2
    ),
    OwnFault("symmetric_initialisation", "all the same", (_CNN, _LENET), {"0.05": weights(lambda a: 0 * a + 0.05)}),
    OwnFault(
        "init_scale_wrong",
        "weights",
        (_CNN, ("deep mlp", OwnBase(own.deep_mlp, SGD(0.03, momentum=0.9)))),
        {"x 20": weights(lambda a: 20 * a), "x 0.001": weights(lambda a: a / 1000)},
        also=("exploding_gradient", "vanishing_gradient"),
    ),
    OwnFault("dead_units", "shut", (_MLP, _CNN), {"all": with_params(shut)}, seeds=2),
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
        {"fc1": with_model(lambda images: two_layers(images, Unmoved))},
        definition="the layer stays as it was drawn",
        seeds=2,
    ),
    OwnFault(
        "missing_bias_gradient",
        "zero",
        (_MLP,),
        {"fc1": with_model(lambda images: two_layers(images, NoBias))},
        also=("layer_not_trained",),
        definition="the bias stays at zero",
        seeds=2,
    ),
    OwnFault(
        "gradient_wrong",
        "a layer",
        (("mlp", OwnBase(lambda images: own.deep_mlp(images, 2))),),
        {
            "dx through the transpose": with_model(with_turned_layer),
            "ReLU without its gate": with_model(lambda images: two_layers(images, Linear, Ungated())),
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
        {"25": with_params(pushed)},
    ),
    OwnFault(
        "log_of_zero", "own loss", (_SURE,), {"x 60": sure(logarithm, 60)}, seeds=2, definition="infinite loss"
    ),
    OwnFault(
        "softmax_overflow",
        "own loss",
        (_SURE,),
        {"x 30": sure(unshifted, 30)},
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
                    setup, params={n: fresh_statistics(n, a) for n, a in setup.params.items()}
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
        {"0.9": with_model(with_unscaled_dropout)},
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

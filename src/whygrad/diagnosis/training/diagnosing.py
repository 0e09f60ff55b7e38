"""``diagnose_training``: what is wrong with a training, from functions or a model, within a limit of time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from whygrad.checking.time_limit import Limited
from whygrad.diagnosis.report import Judgement
from whygrad.diagnosis.training.asking import training_of
from whygrad.diagnosis.training.examination import Examination
from whygrad.diagnosis.training.own import subject_of_model
from whygrad.diagnosis.training.report import TrainingDiagnosis, fault
from whygrad.diagnosis.training.stopping import Clock
from whygrad.diagnosis.training.subject import Subject
from whygrad.errors import CheckError
from whygrad.layers import Layer

SECONDS, TIME_LIMIT = 15.0, 10.0
#: The functions that a person gives.
_FUNCTIONS = ("loss", "gradients", "step", "scores", "evaluate")


def diagnose_training(
    model: Layer | None = None,
    params: Mapping[str, Any] | None = None,
    data: Any = None,
    *,
    loss: Callable[..., Any] | None = None,
    gradients: Callable[..., Any] | None = None,
    learning_rate: float | None = None,
    batch: Any = None,
    step: Callable[..., Any] | None = None,
    momentum: float | None = 0.0,
    optimizer: Any = None,
    predict: Callable[..., Any] | None = None,
    logits: Callable[..., Any] | None = None,
    evaluate: Callable[..., Any] | None = None,
    batches: Sequence[Any] | None = None,
    classes: int | None = None,
    clip: Any = None,
    batch_size: int = 32,
    thorough: bool = False,
    seconds: float = SECONDS,
    time_limit: float = TIME_LIMIT,
    seed: int = 0,
) -> TrainingDiagnosis:
    """Say why a training does not learn: gradient or learning rate, data, first values, numbers, optimiser.

    Either anyone's functions, on dictionaries of arrays, or a model of this package. Each cause comes with its
    evidence, and with the experiment that shows it: what is named as a remedy was run.

    Args:
        model: a model of this package; then ``params``, ``data`` as (images, targets) or a ``Dataset``, and
            ``optimizer`` and ``loss`` as ``fit`` takes them.
        params: parameters by name, as the training starts from them.
        data: all samples as (x, t), in the order of training.
        loss: ``loss(params, batch)`` → a number. With a model ``loss(prediction, target)``.
        gradients: ``gradients(params, batch)`` → gradients by name.
        learning_rate: of the training.
        batch: what the functions take as a batch, most often (x, t); with ``data`` alone its first samples.
        step: ``step(params, batch)`` → new parameters, or None if it writes to params; the training's own update.
        momentum: of plain gradient descent, where there is no step.
        optimizer: with a model an optimiser of this package; else maybe a name, "sgd", "adam" or "rmsprop".
        predict: ``predict(params, x)`` → classes, probabilities or scores in evaluation.
        logits: the same, if it gives logits.
        evaluate: ``evaluate(params, batch)`` → the loss in evaluation.
        batches: batches in the order of training.
        classes: how many classes there are, where the shapes do not tell.
        clip: with a model what ``fit`` takes as clip.
        batch_size: samples of a batch taken from ``data``.
        thorough: go on after the first certain cause.
        seconds: what all of it may take; what no time was left for is listed. What other programs take from it on
            a busy machine does not count, up to twice as much.
        time_limit: seconds that one call of a function may take.
        seed: of directions, redrawn weights and shuffles.

    Returns:
        The diagnosis: ``cause`` is the label of the first cause, "no_bug" for a healthy training, None where
        something is wrong and not known.

    Raises:
        OptionError: what is given is no training.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(20, 3))
        >>> t = x @ np.array([1.0, -2.0, 0.5])
        >>> def loss(params, batch): return float(((batch[0] @ params["w"] - batch[1]) ** 2).mean() / 2)
        >>> def gradients(params, batch): return {"w": batch[0].T @ (batch[0] @ params["w"] - batch[1]) / 20}
        >>> given = dict(loss=loss, gradients=gradients, params={"w": np.zeros(3)}, batch=(x, t))
        >>> diagnose_training(**given, learning_rate=0.1).cause
        'no_bug'
        >>> diagnose_training(**given, learning_rate=20.0).cause
        'learning_rate_too_high'
    """
    began = time.monotonic()
    clock = Clock(seconds)
    if model is not None:
        case = subject_of_model(
            model, params, data, optimizer=optimizer, loss=loss, learning_rate=learning_rate, batch=batch,
            clip=clip, batch_size=batch_size, seed=seed,
        )  # fmt: skip
    else:
        case = training_of(
            loss=loss, gradients=gradients, params=params, learning_rate=learning_rate, batch=batch, step=step,
            momentum=momentum, optimizer=optimizer, predict=predict, logits=logits, evaluate=evaluate, data=data,
            batches=batches, classes=classes, batch_size=batch_size,
        )  # fmt: skip
    case.clock, case.seed = clock, seed
    name = "training" if model is None else type(model).__name__
    told = _examined(case, Limited(time_limit), thorough=thorough).told(name)
    return replace(told, seconds=time.monotonic() - began)


def _examined(case: Subject, limited: Limited, *, thorough: bool) -> Examination:
    """Examine a training whose functions are all called with a limit of time."""
    for name in _FUNCTIONS:
        function = getattr(case, f"{name}_function")
        if function is not None and case.inside is None:  # kernels of the package may have to be compiled first
            setattr(case, f"{name}_function", limited.wrap(name, function))
    examination = Examination(case, thorough)
    try:
        limited.run(examination.make)
    except CheckError as error:
        fix = "pass a smaller batch, or a larger time_limit"
        slow = fault(error.where, None, f"{error}", fix=fix, verdict=Judgement.ERROR)
        examination.found.insert(0, slow)
    return examination

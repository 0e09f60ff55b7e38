"""Anyone's functions as the subject of a diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from whygrad.diagnosis.adapting import as_array
from whygrad.diagnosis.training.structure import flattened
from whygrad.diagnosis.training.subject import Subject
from whygrad.errors import OptionError
from whygrad.typing import Array

_WHERE = "diagnose_training"


def training_of(
    *,
    loss: Callable[..., Any] | None,
    params: Any,
    gradients: Callable[..., Any] | None = None,
    learning_rate: float | None = None,
    batch: Any = None,
    step: Callable[..., Any] | None = None,
    momentum: float | None = 0.0,
    optimizer: Any = None,
    predict: Callable[..., Any] | None = None,
    logits: Callable[..., Any] | None = None,
    evaluate: Callable[..., Any] | None = None,
    data: Any = None,
    batches: Sequence[Any] | None = None,
    classes: int | None = None,
    batch_size: int = 32,
) -> Subject:
    """Return a training as the subject that every module of evidence takes; see ``diagnose_training``.

    Raises:
        OptionError: what is given is no training.

    Example:
        >>> training = training_of(
        ...     loss=lambda p, b: float(p["w"] ** 2), gradients=lambda p, b: {"w": 2 * p["w"]}, params={"w": 3.0}
        ... )
        >>> training.loss(), training.gradients()
        (9.0, {'w': array(6.)})
    """
    if not callable(loss):
        remedy = "pass the function that gives the loss"
        raise OptionError(_WHERE, "loss(params, batch), or a model", f"{type(loss).__name__}", remedy)
    if gradients is None and step is None:
        remedy = "pass the one that the training has"
        raise OptionError(_WHERE, "gradients(params, batch) or step(params, batch)", "neither", remedy)
    arrays = named(params)
    if batch is None:
        batch = batches[0] if batches else _first(data, batch_size)
    plain = isinstance(params, Mapping) and list(params) == list(arrays)
    return Subject(
        arrays,
        batch,
        loss,
        gradients,
        step,
        _rate(learning_rate),
        float(momentum or 0.0),
        optimizer=str(optimizer or "").lower(),
        scores_function=predict or logits,
        evaluate_function=evaluate,
        data=data,
        batches=batches,
        classes=classes,
        form=None if plain else params,
    )


def named(params: Any) -> dict[str, Array]:
    """Return copies of parameters by name, from any nesting of dictionaries and lists.

    Raises:
        OptionError: they are no arrays.
    """
    if not isinstance(params, Mapping | tuple | list) or not params:
        expected, remedy = "params as a dictionary or list of arrays", 'pass {"W1": w1, "b1": b1, ...}'
        raise OptionError(_WHERE, expected, f"{type(params).__name__}", remedy)
    arrays = {}
    for name, value in flattened(params).items():
        if as_array(value) is None:
            received = f"{type(value).__name__}"
            raise OptionError(_WHERE, f"{name} as an array of numbers", received, "pass the arrays by name")
        arrays[name] = np.array(value)
    return arrays


def _rate(learning_rate: Any) -> float | None:
    if learning_rate is None or (isinstance(learning_rate, int) and not isinstance(learning_rate, bool)):
        return learning_rate  # a whole number is told as one: int(0.01) is 0
    try:
        return float(learning_rate)
    except (TypeError, ValueError):
        received = f"{type(learning_rate).__name__}"
        raise OptionError(
            _WHERE, "learning_rate as a number", received, "pass the rate of the first step"
        ) from None


def _first(data: Any, size: int) -> Any:
    if isinstance(data, tuple | list) and len(data) == 2:
        return data[0][:size], data[1][:size]
    return data

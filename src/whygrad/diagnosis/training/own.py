"""The project's own models as subjects: their loss, gradients and update as functions, and a look inside."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from whygrad import engines
from whygrad.checking.watching import Event, first_not_finite, watched
from whygrad.diagnosis.training.descent import Stepper
from whygrad.diagnosis.training.modes import calmed, modes
from whygrad.diagnosis.training.subject import Subject
from whygrad.errors import OptionError
from whygrad.layers import Layer
from whygrad.losses import cross_entropy
from whygrad.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from whygrad.typing import Array

_WHERE = "diagnose_training"
#: The optimisers whose formulas the examination knows.
_KNOWN = {SGD: "sgd", Adam: "adam", AdamW: "adamw", RMSprop: "rmsprop"}


def subject_of_model(
    model: Layer,
    params: Any,
    data: Any,
    *,
    optimizer: Any = None,
    loss: Any = None,
    learning_rate: float | None = None,
    batch: Any = None,
    clip: Any = None,
    batch_size: int = 32,
    seed: int = 0,
) -> Subject:
    """Return the training of a model of this package as a subject.

    Args:
        model: the model.
        params: its parameters.
        data: (images, targets), or a ``Dataset``.
        optimizer: the update rule; plain gradient descent at ``learning_rate`` if left out.
        loss: gives a loss and its gradient; the cross-entropy if left out.
        learning_rate: of plain gradient descent.
        batch: one batch; else ``batch_size`` samples are drawn from ``data``.
        clip: changes the gradients before an update, as ``fit`` takes it.
        batch_size: samples of a batch.
        seed: of the samples drawn and of dropout.

    Raises:
        OptionError: what is given is no training of a model.
    """
    if not isinstance(model, Layer):
        raise OptionError(
            _WHERE,
            "a model of this package first",
            f"{type(model).__name__}",
            "pass functions by name: loss=..., gradients=..., params=...",
        )
    if not isinstance(params, Mapping):
        expected = "params as a dictionary of arrays"
        raise OptionError(_WHERE, expected, f"{type(params).__name__}", "pass model.init(rng)")
    if hasattr(data, "images") and hasattr(data, "labels"):
        data = (data.images, data.labels)
    if batch is None:
        batch = _drawn(data, batch_size, seed)
    optimizer = _rule(optimizer, learning_rate)
    seen = _Model(model, loss or cross_entropy, seed)
    reference = _Reference(seen, optimizer, clip)
    return Subject(
        {n: np.array(a) for n, a in params.items()},
        batch,
        seen.loss,
        seen.gradients,
        None if type(optimizer) in _KNOWN and clip is None else reference.step_function(),
        optimizer.rate(0),
        _number(optimizer, "momentum"),
        optimizer=next((name for kind, name in _KNOWN.items() if isinstance(optimizer, kind)), ""),
        scores_function=seen.scores,
        evaluate_function=seen.evaluated,
        data=data,
        inside=seen,
        weight_decay=_number(optimizer, "weight_decay"),
        trained=frozenset(n for n, p in model.parameters().items() if p.trained),
        reference=reference,
    )


def _drawn(data: Any, size: int, seed: int) -> tuple[Array, Array]:
    """Return a batch of samples drawn from the data; the first ones where images and targets do not agree."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        received = f"{type(data).__name__}"
        raise OptionError(_WHERE, "data as (images, targets)", received, "pass the arrays that fit takes")
    images, targets = np.asarray(data[0]), np.asarray(data[1])
    n = min(len(images), len(targets)) if images.ndim and targets.ndim else 0
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[:size])
    if n and len(images) == len(targets):
        return images[chosen], targets[chosen]
    return images[:size], targets[:size]


def _rule(optimizer: Any, learning_rate: float | None) -> Optimizer:
    """Return the optimiser, or gradient descent at a rate."""
    if optimizer is None:
        if learning_rate is None:
            raise OptionError(_WHERE, "optimizer=, such as SGD(0.1)", "none", "pass the optimiser of the training")
        return SGD(learning_rate)
    if not isinstance(optimizer, Optimizer):
        received = f"{type(optimizer).__name__}"
        raise OptionError(_WHERE, "an optimiser of this package", received, "pass SGD(0.1), Adam(1e-3), ...")
    return optimizer


def _number(optimizer: Optimizer, name: str) -> float:
    return float(getattr(optimizer, name, 0.0))


def _engine(params: Mapping[str, Array]) -> AbstractContextManager[None]:
    """Compute in float64 by the formulas: few passes do not pay for compiling the kernels of another float type."""
    double = any(a.dtype == np.float64 for a in params.values())
    return engines.engine("definition") if double else nullcontext()


class _Model:
    """A model's loss and gradients as functions of parameters and a batch, with the same dropout every time."""

    def __init__(self, model: Layer, loss: Any, seed: int) -> None:
        self.model, self.measure, self.seed = model, loss, seed

    def _forward(self, params: Mapping[str, Array], batch: Any, *, training: bool = True) -> Any:
        x = np.asarray(batch[0])
        if any(a.dtype == np.float64 for a in params.values()):
            x = x.astype(np.float64) if x.dtype.kind == "f" else x
        with _engine(params):
            return self.model(params, x, training=training, rng=np.random.default_rng(self.seed))

    def loss(self, params: Mapping[str, Array], batch: Any) -> float:
        y, _, _ = self._forward(params, batch)
        with _engine(params):
            return float(self.measure(y, batch[1])[0])

    def gradients(self, params: Mapping[str, Array], batch: Any) -> dict[str, Array]:
        y, pullback, _ = self._forward(params, batch)
        with _engine(params):
            _, dy = self.measure(y, batch[1])
            gradients: dict[str, Array] = pullback(dy)[1]
        return gradients

    def changed(self, params: Mapping[str, Array], batch: Any) -> dict[str, Array]:
        """Return the running statistics after a pass."""
        found: dict[str, Array] = self._forward(params, batch)[2]
        return found

    def scores(self, params: Mapping[str, Array], x: Any) -> Array:
        y: Array = self.model(params, np.asarray(x), training=False)[0]
        return y

    def evaluated(self, params: Mapping[str, Array], batch: Any) -> float:
        """Return the loss in evaluation, once running statistics have had time to follow."""
        now = dict(params)
        for _ in range(60):
            changed = self.changed(now, batch)
            if not changed:
                break
            now |= changed
        y = self.model(now, np.asarray(batch[0]), training=False)[0]
        return float(self.measure(y, batch[1])[0])

    def activations(self, params: Mapping[str, Array], batch: Any) -> dict[str, tuple[str, Array]]:
        """Return the value of every layer by name, with the kind of the layer."""
        found: dict[str, tuple[str, Array]] = {}

        def listen(event: Event) -> None:
            if event.going == "forward" and isinstance(event.value, np.ndarray):
                found[event.name] = (type(event.layer).__name__, event.value)

        watched(self.model, listen)(
            params, np.asarray(batch[0]), training=True, rng=np.random.default_rng(self.seed)
        )
        return found

    def modes(self, params: Mapping[str, Array], batch: Any) -> list[Any]:
        """Return the layers that compute otherwise in training than in evaluation."""
        return list(modes(self.model, params, np.asarray(batch[0]), self.seed))

    def without_chance(self, names: Collection[str]) -> tuple[Any, Any]:
        """Return loss and gradients of the model with some of its layers as in evaluation."""
        other = _Model(calmed(self.model, names), self.measure, self.seed)
        return other.loss, other.gradients

    def first_not_finite(self, params: Mapping[str, Array], batch: Any) -> str | None:
        """Return a sentence about the first place where something is not finite."""
        return first_not_finite(self.model, params, np.asarray(batch[0]), batch[1], self.measure, seed=self.seed)


class _Reference:
    """Updates by the project's optimiser, at its own rate or another."""

    def __init__(self, model: _Model, optimizer: Optimizer, clip: Any) -> None:
        self.model, self.optimizer, self.clip = model, optimizer, clip

    def __call__(self, subject: Subject, rate: float | None, momentum: float | None, change: Any) -> Stepper:
        changes: dict[str, Any] = {} if rate is None else {"learning_rate": rate}
        if (
            rate is not None
            and rate == subject.learning_rate
            and momentum is None
            and _number(self.optimizer, "weight_decay")
        ):
            changes["weight_decay"] = 0.0  # the same rate by itself: without what stands beside it
        if momentum is not None and hasattr(self.optimizer, "momentum"):
            changes |= {"momentum": momentum}
            if not momentum:
                changes["nesterov"] = False
        optimizer = replace(self.optimizer, **changes) if changes else self.optimizer
        state: list[Any] = []
        plain = rate is not None and not changes.get("momentum")

        def step(params: dict[str, Array], batch: Any) -> dict[str, Array]:
            gradients = subject.gradients(params, batch)
            if change is not None:
                gradients = change(gradients, params, batch)
            gradients = {n: np.asarray(g, params[n].dtype) for n, g in gradients.items() if n in subject.names}
            if self.clip is not None and not plain:
                gradients, _ = self.clip(gradients)
            if not state:
                state.append(optimizer.init(params))
            new, state[0] = optimizer.update(params, gradients, state[0])
            return new | self.model.changed(params, batch)

        return step

    def step_function(self) -> Any:
        """Return the update as a person's own: with its state in a closure."""
        kept: dict[str, Any] = {}

        def step(params: dict[str, Array], batch: Any) -> dict[str, Array]:
            gradients = {n: np.asarray(g, params[n].dtype) for n, g in self.model.gradients(params, batch).items()}
            if self.clip is not None:
                gradients, _ = self.clip(gradients)
            if "state" not in kept:
                kept["state"] = self.optimizer.init(params)
            new, kept["state"] = self.optimizer.update(params, gradients, kept["state"])
            return new | self.model.changed(params, batch)

        return step

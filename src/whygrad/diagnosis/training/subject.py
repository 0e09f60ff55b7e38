"""A training as the evidence sees it, whoever wrote it: a loss, its gradients, an update, parameters, a batch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from whygrad.clock import working_time
from whygrad.diagnosis.adapting import as_array, guarded
from whygrad.diagnosis.signatures import parameters
from whygrad.diagnosis.training.batches import (
    cast_batch,
    copied,
    joined,
    pair,
    rebuilt,
    sample_axes,
    samples_in,
    subset,
)
from whygrad.diagnosis.training.descent import Descent, Stepper
from whygrad.diagnosis.training.memory import Memory
from whygrad.diagnosis.training.stopping import CallFailed, Clock, OutOfTime
from whygrad.diagnosis.training.structure import flattened, nested
from whygrad.typing import Array

#: Batches that a trial goes through, and those whose loss is followed.
_STREAM, _WATCHED = 60, 4


class Inside(Protocol):
    """What can be seen within a model, where it can be."""

    def activations(self, params: Mapping[str, Array], batch: Any) -> dict[str, tuple[str, Array]]:
        """Return the value of every layer, by name, with the kind of the layer."""

    def modes(self, params: Mapping[str, Array], batch: Any) -> list[Any]:
        """Return the layers that compute otherwise in training than in evaluation."""

    def without_chance(self, names: Collection[str]) -> tuple[Any, Any]:
        """Return loss and gradients with some layers as in evaluation."""


@dataclass
class Subject:
    """A training: its functions called safely, on copies, with the same random numbers each time.

    Make one with :func:`whygrad.diagnosis.training.asking.training_of`, or
    :func:`whygrad.diagnosis.training.own.subject_of_model`.
    """

    params: dict[str, Array]
    batch: Any
    loss_function: Any
    gradients_function: Any = None
    step_function: Any = None
    learning_rate: float | None = None
    momentum: float = 0.0
    optimizer: str = ""  #: its name, where it is known: "sgd", "adam"
    scores_function: Any = None  #: scores(params, x), in evaluation
    evaluate_function: Any = None  #: evaluate(params, batch) → loss in evaluation
    data: Any = None  #: all samples as (x, t), in the order of training
    batches: Sequence[Any] | None = None  #: batches in the order of training
    classes: int | None = None
    clip: float | None = None  #: the norm that gradients are cut to, where that is known
    weight_decay: float = 0.0  #: of the project's own optimiser
    inside: Inside | None = None
    trained: frozenset[str] | None = None  #: the parameters that are trained; all where it is not known
    reference: Callable[..., Stepper] | None = None  #: the update of the project's own optimiser at another rate
    followed: Callable[..., Stepper] | None = None  #: the update whose formula a person's steps follow, at a rate
    form: Any = None  #: the nesting in which the functions take params; a dictionary by name if None
    clock: Clock = field(default_factory=lambda: Clock(15.0))
    tally: list[int] = field(default_factory=lambda: [0])  #: how often a function was called
    seed: int = 0
    eps: float = float(np.finfo(np.float64).eps)  #: of the floats that the loss is computed in
    costs: dict[str, float] = field(default_factory=dict)  #: seconds of a call

    memory: Memory = field(default_factory=lambda: Memory(()), repr=False)

    def __post_init__(self) -> None:
        if not self.memory.used:
            functions = (self.loss_function, self.gradients_function, self.step_function, self.scores_function)
            self.memory = Memory(functions)

    @property
    def calls(self) -> int:
        """How often a function was called."""
        return self.tally[0]

    def but(self, **changes: Any) -> Subject:
        """Return the training with some things changed; its clock and what its functions remember are shared."""
        return replace(self, **changes)

    @property
    def names(self) -> list[str]:
        """The parameters that are trained, in order."""
        return [n for n in self.params if self.trained is None or n in self.trained]

    @property
    def weights(self) -> list[str]:
        """The parameters with at least two axes longer than 1, in order."""
        return [n for n in self.names if sum(size > 1 for size in self.params[n].shape) >= 2]

    def loss(self, params: Mapping[str, Array] | None = None, batch: Any = None) -> float:
        """Return the loss.

        Raises:
            CallFailed: the function raises, or what it returns is no number.
        """
        value = self._called("loss", self.loss_function, params, batch)
        if isinstance(value, tuple) and value:
            value = value[0]
        number = as_array(value)
        if number is None or number.size != 1:
            shape = f"an array of shape {number.shape}" if number is not None else f"{type(value).__name__}"
            raise CallFailed("loss", f"it returns {shape} where one number is needed")
        return float(number.reshape(()))

    def gradients(self, params: Mapping[str, Array] | None = None, batch: Any = None) -> dict[str, Array]:
        """Return the claimed gradients by name, in float64; those that are missing or no arrays are left out.

        Raises:
            CallFailed: the function raises, or returns no mapping.
        """
        value = self._called("gradients", self.gradients_function, params, batch)
        return self.by_name(value)

    def by_name(self, value: Any) -> dict[str, Array]:
        """Return gradients by name from what a function gave: a mapping, or arrays in the parameters' order."""
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Mapping):
            value = value[1]  # the loss and the gradients
        if isinstance(value, Mapping) and self.form is not None:
            value = flattened(value)
        elif isinstance(value, tuple | list):
            leaves = flattened(value)
            value = (
                leaves
                if set(self.params) <= set(leaves)
                else dict(zip(self.params, leaves.values(), strict=False))
                if len(leaves) == len(self.params)
                else value
            )
        if not isinstance(value, Mapping):
            raise CallFailed(
                "gradients",
                f"it returns {type(value).__name__} where a dictionary by the names of params is needed",
            )
        found = {n: as_array(value.get(n, value.get(f"d{n}"))) for n in self.params}
        return {n: a for n, a in found.items() if a is not None}

    def scores(self, params: Mapping[str, Array], x: Any) -> Array:
        """Return what the network predicts for samples.

        Raises:
            CallFailed: there is no such function, it raises, or returns no array.
        """
        if self.scores_function is None:
            raise CallFailed("predict", "not given")
        self.tally[0] += 1
        self.memory.redraw()
        raw, error, _, _ = guarded(lambda: self.scores_function(self.passed(params), copied(x)))
        array = as_array(raw)
        if error is not None or array is None:
            raise CallFailed("predict", error or f"it returns {type(raw).__name__}, not an array")
        return array

    def evaluated(self, params: Mapping[str, Array], batch: Any = None) -> float:
        """Return the loss in evaluation.

        Raises:
            CallFailed: there is no such function, or it raises.
        """
        value = as_array(self._called("evaluate", self.evaluate_function, params, batch))
        if value is None or value.size != 1:
            raise CallFailed("evaluate", "it returns no number")
        return float(value.reshape(()))

    def _called(self, who: str, function: Any, params: Mapping[str, Array] | None, batch: Any) -> Any:
        if function is None:
            raise CallFailed(who, "not given")
        if self.clock.left <= 0:
            raise OutOfTime
        self.tally[0] += 1
        self.memory.redraw()
        given = self.passed(self.params if params is None else params)
        arguments = (
            [given] if len(parameters(function)) == 1 else [given, copied(self.batch if batch is None else batch)]
        )
        began = working_time()
        raw, error, _, _ = guarded(lambda: function(*arguments))
        taken = working_time() - began
        self.costs[who] = taken  # the latest: exact ones take longer
        if error is not None:
            raise CallFailed(who, error)
        return raw

    def passed(self, params: Mapping[str, Array]) -> Any:
        """Return copies of parameters in the nesting in which the functions take them."""
        copies = {n: np.array(a) for n, a in params.items()}
        return copies if self.form is None else nested(self.form, copies)

    def stepper(self, rate: float | None = None, momentum: float | None = None, *, change: Any = None) -> Stepper:
        """Return the training's update, from its beginning: the person's own step, or gradient descent.

        Args:
            rate: another learning rate than the one given; then it is the project's optimiser, or the formula that
                the person's steps were seen to follow, or else gradient descent.
            momentum: another momentum.
            change: gradients by name → those to be used.
        """
        self.memory.restore()
        own = rate is None and momentum is None and change is None
        if own and self.step_function is not None:
            return self._own_step
        if self.reference is not None:
            return self.reference(self, rate, momentum, change)
        if self.followed is not None and momentum is None and change is None:
            return self.followed(self, float(self.learning_rate or 0.0) if rate is None else rate)
        used = self.learning_rate if rate is None else rate
        return Descent(self.gradients, float(used or 0.0), self.momentum if momentum is None else momentum, change)

    def _own_step(self, params: dict[str, Array], batch: Any) -> dict[str, Array]:
        if self.clock.left <= 0:
            raise OutOfTime
        self.tally[0] += 1
        given = self.passed(params)
        arguments = [given] if len(parameters(self.step_function)) == 1 else [given, copied(batch)]
        began = working_time()
        raw, error, _, _ = guarded(lambda: self.step_function(*arguments))
        self.costs["step"] = min(self.costs.get("step", np.inf), working_time() - began)
        if error is not None:
            raise CallFailed("step", error)
        return self._stepped(raw, given)

    def _stepped(self, raw: Any, given: Any) -> dict[str, Array]:
        """Return the new parameters from what a step returned, or from what it wrote to its argument."""
        tried = [raw, *(raw if isinstance(raw, tuple | list) else ()), given]
        for candidate in tried:
            if isinstance(candidate, Mapping | tuple | list):
                leaves = flattened(candidate) if self.form is not None else candidate
                if isinstance(leaves, Mapping) and all(as_array(leaves.get(n)) is not None for n in self.params):
                    return {n: np.asarray(leaves[n]) for n in self.params}
        raise CallFailed("step", "it returns no parameters and the ones that it was given are gone")

    def exact(self) -> Subject:
        """Return the training in float64, where it can be computed there and gives the same loss; else itself."""
        wide = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in self.params.items()}
        batch = cast_batch(self.batch, np.float64)
        if all(a.dtype == np.float64 for a in self.params.values() if a.dtype.kind == "f"):
            batch = self.batch
        other = self.but(params=wide, batch=batch)
        try:
            value, own = other.loss(), self.loss()
        except CallFailed:
            return self
        same = np.isfinite(value) and abs(value - own) <= 1e-3 * max(abs(own), 1e-3)
        return other if same else self

    def xt(self, batch: Any = None) -> tuple[Any, Any] | None:
        """Return the samples and labels of a batch; None where it is no pair."""
        return pair(self.batch if batch is None else batch)

    def part(self, chosen: Any) -> Any:
        """Return the batch with those samples alone; None where it cannot be divided."""
        return subset(self.batch, chosen)

    @cached_property
    def stream(self) -> list[Any]:
        """The batches that a training goes through, in order; where there is one only, that one."""
        if self.batches is not None and len(self.batches) > 1:
            return list(self.batches[:_STREAM])
        found, n = pair(self.data) if self.data is not None else None, self.count
        if found is None or not n or sample_axes(*(np.asarray(part) for part in found)) is None:
            return [self.batch]
        total = samples_in(*found) or 0
        order = np.random.default_rng(self.seed).permutation(total)
        parts = [subset(self.data, order[i : i + n]) for i in range(0, min(total, n * _STREAM) - n + 1, n)]
        form = [rebuilt(self.batch, *part) for part in (pair(p) for p in parts) if part is not None]
        return form if len(form) > 1 else [self.batch]

    @cached_property
    def watched(self) -> Any:
        """The samples on which a training's loss is followed: those of a few batches, if they can be joined."""
        return joined(self.stream[:_WATCHED]) if len(self.stream) > 1 else self.batch

    @property
    def count(self) -> int | None:
        """How many samples the batch has; None where that cannot be told."""
        found = self.xt()
        return None if found is None else samples_in(*found)

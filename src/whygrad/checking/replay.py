"""Evaluating a model again after a change, from where the change acts, and for many changes together.

A finite difference of one parameter needs the model's value at a few changed values of it, and a check of all
parameters needs it for each of their entries. What stands before the changed layer gives what it gave before, and
what stands after it can take many changes at once, side by side along the batch axis.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from whygrad.checking.unrolled import Branch, OtherDrawsError, Unrolled, flat, prefixed
from whygrad.checking.watching import Event, watched
from whygrad.errors import OptionError, ShapeError
from whygrad.layers import ELU, Clip, Layer, LeakyReLU, MaxPool2d, ReLU
from whygrad.ops.max_pool2d import Saved as PoolSaved
from whygrad.typing import Array, Params

#: Bytes of a layer's value that stay in a processor's cache on their way to the next layer.
_CACHED = 1 << 19


class Replay:
    """A forward pass that remembers the inputs of its layers, so that a change is evaluated from where it acts.

    ``Sequential``, ``Residual`` and ``Graph`` are taken apart, in any nesting; every other layer is called as it
    is. Random numbers are those of a full pass, ``model(params, *inputs, training=training,
    rng=np.random.default_rng(seed))``, wherever the evaluation begins.

    Args:
        model: the model.
        params: its parameters. Neither they nor the inputs may be written to while the replay is in use.
        inputs: its inputs; their first axis, and that of all values in the model, is the batch.
        training: whether the model is called in training.
        seed: of the generator that it is called with.

    Example:
        >>> from whygrad.layers import Linear, Sequential, Tanh
        >>> model = Sequential(fc1=Linear(2, 3), act1=Tanh(), fc2=Linear(3, 1))
        >>> params = model.init(np.random.default_rng(0), np.float64)
        >>> replay = Replay(model, params, np.ones((4, 2)))
        >>> (replay.value("fc2.bias", np.array([2.0])) - replay.y).round(12)  # calls fc2 alone
        array([[2.],
               [2.],
               [2.],
               [2.]])
        >>> [y.shape for y in replay.values("fc1.bias", np.eye(3))]  # calls act1 and fc2 once for all
        [(4, 1), (4, 1), (4, 1)]
    """

    def __init__(self, model: Layer, params: Params, *inputs: Array, training: bool = True, seed: int = 0) -> None:
        self._params, self._inputs = dict(params), inputs
        self._full = partial(_full, model, training, seed)
        #: The model's value at the given parameters. Called as a whole, the model says what it refuses.
        self.y: Any = self._full(self._params, inputs)
        self._pass = Unrolled(model, self._params, inputs, training=training, rng=np.random.default_rng(seed))
        steps, kept = self._pass.steps, set(flat(self._pass.output))
        last = {ref: i for i, step in enumerate(steps) for ref in flat(step.inputs)}
        self._dead = [[ref for ref in last if last[ref] == i and ref not in kept] for i in range(len(steps))]

    def value(self, name: str | int, array: Array) -> Any:
        """Return the model's value with one parameter or input replaced, bit for bit that of a full pass.

        Args:
            name: the parameter's name, or the place of an input: 0 for the first.
            array: what replaces it, in its shape.

        Raises:
            OptionError: there is no such parameter or input.
            ShapeError: the array has another shape.
        """
        first, _ = self._users(name)
        branch = self._changed(name, array)
        try:
            self._pass.run(branch, first, len(self._pass.steps))
        except OtherDrawsError:
            params = self._params if isinstance(name, int) else {**self._params, name: array}
            return self._full(params, [array if i == name else x for i, x in enumerate(self._inputs)])
        return self._pass.at(branch, self._pass.output)

    def values(self, name: str | int, arrays: Iterable[Array], *, limit: int = _CACHED) -> list[Any]:
        """Return the model's values for each of several replacements of one parameter or input.

        They differ from full passes by rounding alone. The layers that take the parameter are called once for
        each replacement, those after them for many at once, unless samples may matter to one another. Layers of
        whygrad are asked whether they do, by comparing a batch with its halves; layers of other origin, and those
        that draw random numbers, are called for each replacement.

        Args:
            name: the parameter's name, or the place of an input.
            arrays: what replaces it. Each is used before the next is drawn, so that a generator may yield one
                array again and again and write to it in between.
            limit: bytes that the largest value of a layer may take for the replacements that are taken together.

        Raises:
            OptionError: there is no such parameter or input, or a layer draws more or fewer random numbers
                depending on what it is given.
            ShapeError: an array has another shape.
        """
        first, last = self._users(name)
        involved = {ref for step in self._pass.steps[first:] for ref in (step.output, *flat(step.inputs))}
        largest = max((_nbytes(self._pass.values[ref]) for ref in involved), default=0)
        group = max(1, limit // max(1, largest))
        drawn, results = iter(arrays), []
        try:
            while branches := [self._begun(name, array, first, last) for array in islice(drawn, group)]:
                results += self._together(branches, last)
        except OtherDrawsError as other:
            expected = f"{other} to draw as many random numbers whatever it is given"
            remedy = "draw them in the shape of the input, or call value instead of values"
            raise OptionError("replay", expected, "another number after a change", remedy) from None
        return results

    def _users(self, name: str | int) -> tuple[int, int]:
        """Return the first step that a change may reach, and the end of those that use it one by one."""
        if isinstance(name, int):
            if not 0 <= name < len(self._inputs):
                remedy = "count the model's inputs from 0"
                raise OptionError("replay", f"an input from 0 to {len(self._inputs) - 1}", f"{name}", remedy)
            return 0, 0  # changed inputs can be joined before any step
        steps, records = self._pass.steps, self._pass.records
        users = [i for i, step in enumerate(steps) if name in step.reads.values()]
        if not users:
            known = ", ".join(dict.fromkeys(full for step in steps for full in step.reads.values()))
            expected = f"a parameter among {known}" if known else "an input, since the model has no parameters"
            raise OptionError("replay", expected, f"{name!r}", "check the spelling")
        setters = [i for i, record in enumerate(records) if name in prefixed(steps[i], record.changed)]
        return min(users + setters), users[-1] + 1

    def _changed(self, name: str | int, array: Array) -> Branch:
        known = self._inputs[name] if isinstance(name, int) else self._params[name]
        if np.shape(array) != known.shape:
            which = f"input {name}" if isinstance(name, int) else name
            remedy = "pass the whole array with some of its entries changed"
            raise ShapeError("replay", f"{which} of shape {known.shape}", f"{np.shape(array)}", remedy)
        return Branch(values={name: array}) if isinstance(name, int) else Branch(params={name: array})

    def _begun(self, name: str | int, array: Array, first: int, last: int) -> Branch:
        """Return a branch that has used its array, which may be written to from here on."""
        branch = self._changed(name, array)
        self._pass.run(branch, first, last)
        return Branch(
            {ref: _apart(value, array) for ref, value in branch.values.items()},
            {full: _apart(own, array) for full, own in branch.params.items() if own is not array},
        )

    def _together(self, branches: list[Branch], start: int) -> list[Any]:
        """Run the steps from ``start`` on for all branches and return their values."""
        joined: dict[int, Array] = {}  # values of all branches, one after the other along the batch axis
        for i in range(start, len(self._pass.steps)):
            step = self._pass.steps[i]
            given = self._given(i, branches, joined)
            if given is None:
                _split(flat(step.inputs), joined, branches)
                for branch in branches:
                    self._pass.run(branch, i, i + 1)
            else:
                joined[step.output], _ = self._pass.call(i, self._pass.records[i].own, given)
            for ref in self._dead[i]:
                joined.pop(ref, None)
                for branch in branches:
                    branch.values.pop(ref, None)
        _split(flat(self._pass.output), joined, branches)
        return [self._pass.at(branch, self._pass.output) for branch in branches]

    def _given(self, i: int, branches: list[Branch], joined: dict[int, Array]) -> list[Array] | None:
        """Return a step's inputs for all branches, unless nothing reaches it or it takes them one by one."""
        step = self._pass.steps[i]
        reached = {r for r in flat(step.inputs) if r in joined or any(r in branch.values for branch in branches)}
        if not reached or not self._pass.takes_samples_alone(i):
            return None
        if any(not branch.params.keys().isdisjoint(step.reads.values()) for branch in branches):
            return None
        given = []
        for ref in step.inputs:
            array = joined.get(ref)
            if array is None:
                array = _joined([self._pass.at(branch, ref) for branch in branches], self._pass.values[ref])
            if array is None:
                return None
            if ref in reached:  # others would seem to have changed
                joined[ref] = array
            given.append(array)
        return given


def _full(model: Layer, training: bool, seed: int, params: Params, inputs: Iterable[Array]) -> Any:
    return model(params, *inputs, training=training, rng=np.random.default_rng(seed))[0]


def _joined(arrays: list[Any], like: Array) -> Array | None:
    """Return the arrays one after the other; None if some have another shape than in the recorded pass."""
    if not all(isinstance(array, np.ndarray) and array.shape == like.shape for array in arrays):
        return None
    return np.concatenate(arrays) if len(arrays) > 1 else arrays[0]


def _split(refs: list[int], joined: dict[int, Array], branches: list[Branch]) -> None:
    """Give each branch its part of what is joined."""
    for ref in refs:
        if ref in joined and ref not in branches[0].values:
            samples = len(joined[ref]) // len(branches)
            for k, branch in enumerate(branches):
                branch.values[ref] = joined[ref][k * samples : (k + 1) * samples]


def _apart(value: Any, array: Array) -> Any:
    """Return a value that does not change when the array is written to."""
    if isinstance(value, tuple):
        return tuple(_apart(part, array) for part in value)
    shares = isinstance(value, np.ndarray) and np.may_share_memory(value, array)
    return value.copy(order="K") if shares else value


def _nbytes(value: Any) -> int:
    return sum(map(_nbytes, value)) if isinstance(value, tuple) else int(np.asarray(value).nbytes)


def switches(
    model: Layer,
    before: Params,
    after: Params,
    inputs: Array | tuple[Array, ...],
    inputs_after: Array | tuple[Array, ...] | None = None,
    *,
    training: bool = True,
    seed: int = 0,
) -> int:
    """Count the decisions of a model that differ between two passes: gates that open or close, and other winners.

    Decisions are the signs of the inputs of ``ReLU``, ``LeakyReLU`` and ``ELU``, the side of its bounds on which an
    input of ``Clip`` lies, and the winners of ``MaxPool2d``; those of other layers and of losses are not known.

    Args:
        model: the model.
        before: parameters of one pass.
        after: parameters of the other.
        inputs: the model's input, or a tuple of several.
        inputs_after: those of the other pass; the same if None.
        training: whether the model is called in training.
        seed: of the generator that it is called with, in both passes.

    Example:
        >>> from whygrad.layers import ReLU
        >>> switches(ReLU(), {}, {}, np.array([[1.0, -1.0, 2.0]]), np.array([[-1.0, -1.0, 0.5]]))
        1
    """
    one = _decisions(model, before, inputs, training, seed)
    other = _decisions(model, after, inputs if inputs_after is None else inputs_after, training, seed)
    return sum(int(np.count_nonzero(a != b)) for a, b in zip(one, other, strict=True))


def _decisions(
    model: Layer, params: Params, inputs: Array | tuple[Array, ...], training: bool, seed: int
) -> list[Any]:
    found: list[Any] = []

    def look(event: Event) -> None:
        if type(event.layer) in (ReLU, LeakyReLU, ELU):
            found.append(event.inputs[0] > 0)
        elif type(event.layer) is Clip:
            found.append(np.digitize(event.inputs[0], (event.layer.low, event.layer.high)))
        elif type(event.layer) is MaxPool2d:
            found.append(_winners(event.pullback))

    _full(watched(model, look), training, seed, params, inputs if isinstance(inputs, tuple) else (inputs,))
    return found


def _winners(pullback: Any) -> Any:
    """Return what the pullback of max-pooling, bound several times over, has saved of it."""
    while not isinstance(pullback.args[0], PoolSaved):
        pullback = pullback.args[0]
    return pullback.args[0].winner

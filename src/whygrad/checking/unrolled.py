"""A model as the calls of its leaf layers one after the other, which can be run again in parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from whygrad.checking.watching import dotted, is_a, parts_of
from whygrad.errors import inside
from whygrad.layers import Add, Graph, Layer, Residual, Sequential
from whygrad.layers.residual import ACTIVATION, BODY, SHORTCUT
from whygrad.typing import Array, Params

#: The number of a value among all values of a pass, the inputs first; a tuple for several outputs of a graph.
Ref: TypeAlias = Any

#: How far a batch may differ from its halves, relative to the largest entry, by rounding alone.
_ROUNDING = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}


class Step(NamedTuple):
    """The call of one leaf layer."""

    name: str
    layer: Layer
    prefix: str  #: what the model puts before the layer's own names of its parameters
    reads: dict[str, str]  #: the model's names of the parameters by the layer's own
    inputs: tuple[Ref, ...]
    output: int


class Record(NamedTuple):
    """What a step was given besides its inputs, and what it did besides its value."""

    own: dict[str, Array]
    before: Mapping[str, Any]  #: state of the random generator
    after: Mapping[str, Any]
    changed: dict[str, Array]  #: running statistics, by the layer's own names


@dataclass
class Branch:
    """What differs from the recorded pass after a change: values by number, parameters by the model's names."""

    values: dict[int, Any] = field(default_factory=dict)
    params: dict[str, Array] = field(default_factory=dict)


class OtherDrawsError(Exception):
    """A layer drew more or fewer random numbers than when it was recorded, so that later layers' change too."""


def flat(ref: Ref) -> list[int]:
    """Return the numbers in a reference, or in a tuple of references.

    Example:
        >>> flat((1, (2, 3)))
        [1, 2, 3]
    """
    return [number for part in ref for number in flat(part)] if isinstance(ref, tuple) else [ref]


def prefixed(step: Step, arrays: Params) -> dict[str, Array]:
    """Return what a step's layer names itself under the model's names.

    Example:
        >>> from whygrad.layers import Linear
        >>> list(prefixed(Step("fc1", Linear(2, 1), "fc1.", {}, (0,), 1), {"bias": np.zeros(1)}))
        ['fc1.bias']
    """
    return {step.prefix + short: array for short, array in arrays.items()}


class Unrolled:
    """A model's leaf layers in the order of their calls, and one pass through them with all that was computed.

    ``Sequential``, ``Residual`` and ``Graph`` are taken apart, in any nesting; every other layer is a leaf.

    Args:
        model: the model.
        params: its parameters.
        inputs: its inputs.
        training: whether the layers are called in training.
        rng: the random generator that they draw from.

    Example:
        >>> from whygrad.layers import Linear, Residual, Sequential, Tanh
        >>> model = Sequential(fc1=Linear(2, 3), block=Residual(Tanh()))
        >>> params = model.init(np.random.default_rng(0))
        >>> x = np.ones((1, 2), np.float32)
        >>> unrolled = Unrolled(model, params, (x,), training=False, rng=np.random.default_rng(0))
        >>> [(step.name, step.inputs, step.output) for step in unrolled.steps]
        [('fc1', (0,), 1), ('block', (1,), 2), ('block.add', (2, 1), 3)]
    """

    def __init__(
        self, model: Layer, params: Params, inputs: Sequence[Any], *, training: bool, rng: np.random.Generator
    ) -> None:
        self.training = training
        self.steps: list[Step] = []
        self.output = _unroll(self.steps, len(inputs), model, "", "", tuple(range(len(inputs))))
        self.values: dict[int, Any] = dict(enumerate(inputs))
        self.records: list[Record] = []
        self._alone: dict[int, bool] = {}
        current = dict(params)  # a second use of shared running statistics goes on from the first
        for step in self.steps:
            own = {short: current[full] for short, full in step.reads.items()}
            before = rng.bit_generator.state
            y, _, changed = step.layer(own, *self._given(step), training=training, rng=rng)
            self.values[step.output] = y
            self.records.append(Record(own, before, rng.bit_generator.state, changed))
            current.update(prefixed(step, changed))

    def at(self, branch: Branch, ref: Ref) -> Any:
        """Return a value as it is in a branch."""
        if isinstance(ref, tuple):
            return tuple(self.at(branch, part) for part in ref)
        return branch.values[ref] if ref in branch.values else self.values[ref]

    def run(self, branch: Branch, first: int, last: int) -> None:
        """Run those of the steps ``first`` to ``last`` − 1 that something different reaches, within a branch.

        Raises:
            OtherDrawsError: a layer drew more or fewer random numbers than before.
        """
        for i in range(first, last):
            step, record = self.steps[i], self.records[i]
            own = {short: branch.params[full] for short, full in step.reads.items() if full in branch.params}
            if not own and branch.values.keys().isdisjoint(flat(step.inputs)):
                for full in prefixed(step, record.changed):  # written as in the recorded pass
                    branch.params.pop(full, None)
                continue
            own = record.own | own
            y, changed = self.call(i, own, [self.at(branch, ref) for ref in step.inputs])
            branch.values[step.output] = y
            kept = {short: own[short] for short in record.changed if short in own}
            branch.params.update(prefixed(step, kept | changed))

    def call(self, i: int, own: Params, given: Sequence[Any]) -> tuple[Any, dict[str, Array]]:
        """Call the layer of step ``i`` with the random numbers that it drew before; return y and what changed."""
        step, record = self.steps[i], self.records[i]
        rng = None
        if self._draws(i) or not _is_ours(step.layer):  # one of ours never draws where it did not before
            rng = np.random.default_rng(0)
            rng.bit_generator.state = record.before
        with inside(step.name) if step.name else nullcontext():
            y, _, changed = step.layer(own, *given, training=self.training, rng=rng)
        if rng is not None and rng.bit_generator.state != record.after:
            raise OtherDrawsError(step.name or type(step.layer).__name__)
        return y, changed

    def takes_samples_alone(self, i: int) -> bool:
        """Return whether the samples of step ``i`` are known not to matter to one another; any doubt says no.

        A layer of whygrad is asked by comparing its value of a batch with those of the batch's halves. Nothing is
        concluded from that about other layers, which might couple samples in some batches only.
        """
        if i not in self._alone:
            self._alone[i] = self._agrees_with_halves(i)
        return self._alone[i]

    def _agrees_with_halves(self, i: int) -> bool:
        step, record, given = self.steps[i], self.records[i], self._given(self.steps[i])
        if not _is_ours(step.layer) or self._draws(i) or record.changed or not given:
            return False
        if not all(isinstance(x, np.ndarray) and x.ndim and x.size for x in given):
            return False
        other = [_varied(x) for x in given]
        try:
            with np.errstate(all="ignore"):
                halves = [self.call(i, record.own, half)[0] for half in (given, other)]
                pairs = zip(given, other, strict=True)
                both = self.call(i, record.own, [np.concatenate(pair) for pair in pairs])[0]
                wanted = np.concatenate(halves)
                bound = _ROUNDING[wanted.dtype] * np.abs(wanted).max()
                return both.shape == wanted.shape and bool(np.abs(both - wanted).max() <= bound)
        except Exception:  # whatever it is that the layer cannot do with such a batch
            return False

    def _given(self, step: Step) -> list[Any]:
        return [self.at(Branch(), ref) for ref in step.inputs]

    def _draws(self, i: int) -> bool:
        return self.records[i].before != self.records[i].after


def _unroll(steps: list[Step], inputs: int, layer: Layer, name: str, prefix: str, refs: tuple[Ref, ...]) -> Ref:
    """Add the calls of a layer's leaves to the steps, and return where its value stands."""

    def part(inner: Layer, inner_name: str, scope: str, *given: Ref) -> Ref:
        dot = f"{scope}." if scope else ""
        return _unroll(steps, inputs, inner, dotted(name, inner_name), prefix + dot, given)

    if is_a(layer, Sequential):
        for own_name, inner in layer.layers.items():
            refs = (part(inner, own_name, own_name, *refs),)
        return refs[0]
    if is_a(layer, Residual):
        roles = parts_of(layer)
        main = part(roles[BODY], "", "", *refs)
        side = part(roles[SHORTCUT], SHORTCUT, SHORTCUT, *refs) if SHORTCUT in roles else refs[0]
        total = part(Add(), "add", "", main, side)
        return part(roles[ACTIVATION], ACTIVATION, ACTIVATION, total) if ACTIVATION in roles else total
    if is_a(layer, Graph):
        known = dict(zip(layer.inputs, refs, strict=True))
        for own_name, node in layer.nodes.items():
            scope = own_name if node.parameters is None else node.parameters
            known[own_name] = part(node.layer, own_name, scope, *(known[source] for source in node.inputs))
        several = isinstance(layer.outputs, tuple)
        return tuple(known[out] for out in layer.outputs) if several else known[str(layer.outputs)]
    output = inputs + len(steps)
    steps.append(Step(name, layer, prefix, {short: prefix + short for short in layer.shapes}, refs, output))
    return output


def _is_ours(layer: Layer) -> bool:
    return type(layer).__module__.startswith("whygrad.layers.")


def _varied(x: Array) -> Array:
    """Return another batch like x, with other statistics even where x is all zeros."""
    noise = np.cos(np.arange(1, x.size + 1)).reshape(x.shape) * (np.abs(x).max() or 1)
    return (1.5 * x + noise).astype(x.dtype)

"""One forward and one backward pass through a network, with everything that was computed on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from whygrad.checking.unrolled import Step, Unrolled, flat
from whygrad.errors import OptionError
from whygrad.explanation.calls import call_of
from whygrad.explanation.terms import Call
from whygrad.layers import Graph, Layer
from whygrad.losses.registry import LOSSES
from whygrad.typing import Array, Loss, Params

Convention = Literal["gradient", "hertz"]
#: The name of the loss among the calls of a trace.
LOSS = "loss"


class Use(NamedTuple):
    """One place where an array goes into an operation."""

    call: str  #: name of the layer, or LOSS
    argument: str  #: the operation's own name for it: "x", "w", ...


class Value(NamedTuple):
    """An array that flows through the network, and the gradient that comes back to it."""

    name: str  #: that of the layer which made it, or of the input
    array: Array
    delta: Array | None  #: ∂E/∂array, negative under the convention "hertz"; None if E does not depend on it
    uses: tuple[Use, ...]


class Layered(NamedTuple):
    """A layer's call of its operation, and what the arrays in it are called in the network."""

    name: str
    layer: Layer | None  #: None for the loss
    call: Call
    bindings: dict[str, str]  #: by the operation's own names: {"x": "pool1", "w": "conv2.weight"}
    known: bool  #: whether there are rules for it


@dataclass(frozen=True, eq=False)
class Trace:
    """A network's pass, forward and backward, number by number, in float64.

    Args:
        model: the network.
        params: its parameters by name, cast to float64.
        inputs: what it was called with.
        target: what the loss was called with.
        loss: gives E and its gradient.
        training: whether batch norm used the batch's statistics and dropout drew masks.
        seed: of the random numbers.
        convention: "gradient", or "hertz" for δ = −∂E/∂z.
        error: E.
        values: the inputs and the layers' values by name, in the order in which they were made.
        calls: the layers' calls by name, in the same order, and that of the loss last.
        gradients: of the parameters, as the model's own pullback gave them; negative under "hertz".
        uses: where each parameter goes in.
    """

    model: Layer
    params: dict[str, Array]
    inputs: tuple[Array, ...]
    target: Any
    loss: Loss
    training: bool
    seed: int
    convention: Convention
    error: float
    values: dict[str, Value]
    calls: dict[str, Layered]
    gradients: dict[str, Array]
    uses: dict[str, tuple[Use, ...]]
    unrolled: Unrolled
    refs: dict[str, int]  #: numbers of the values in ``unrolled``

    @property
    def sign(self) -> float:
        """What gradients are multiplied by: −1 under the convention of Hertz, Krogh and Palmer."""
        return -1.0 if self.convention == "hertz" else 1.0


def trace(
    model: Layer,
    params: Params,
    x: Array | tuple[Array, ...],
    target: Any,
    *,
    loss: Loss,
    training: bool = False,
    seed: int = 0,
    convention: Convention = "gradient",
) -> Trace:
    """Run a network forward and backward once and keep everything.

    Example:
        >>> from whygrad.layers import Linear, Sequential, Sigmoid
        >>> from whygrad.losses import half_squared_error
        >>> model = Sequential(fc1=Linear(2, 1), act1=Sigmoid())
        >>> params = {"fc1.weight": np.array([[1.0, -1.0]]), "fc1.bias": np.array([0.0])}
        >>> pass_ = trace(model, params, np.ones((1, 2)), np.zeros((1, 1)), loss=half_squared_error)
        >>> pass_.error, list(pass_.values), pass_.values["fc1"].delta
        (0.125, ['input', 'fc1', 'act1'], array([[0.125]]))
    """
    if convention not in get_args(Convention):
        raise OptionError("explain", 'convention "gradient" or "hertz"', f"{convention!r}", "change convention")
    exact: dict[str, Array] = {name: np.asarray(array).astype(np.float64) for name, array in params.items()}
    inputs = tuple(np.asarray(one).astype(np.float64) for one in (x if isinstance(x, tuple) else (x,)))
    y, pullback, _ = model(exact, *inputs, training=training, rng=np.random.default_rng(seed))
    error, dy = loss(y, target)
    _, gradients = pullback(dy)
    unrolled = Unrolled(model, exact, inputs, training=training, rng=np.random.default_rng(seed))
    sign = -1.0 if convention == "hertz" else 1.0
    tracer = _Tracer(model, unrolled, len(inputs), training=training)
    tracer.go_back(dy, sign)
    calls = {**tracer.layered, LOSS: _loss_call(loss, y, target, error, dy, sign, tracer)}
    return Trace(
        model, exact, inputs, target, loss, training, seed, convention, float(error),
        tracer.values(), calls, {name: sign * array for name, array in gradients.items()},
        tracer.parameter_uses(), unrolled, {name: ref for ref, name in tracer.names.items()},
    )  # fmt: skip


class _Tracer:
    """Calls the operations of a network's layers again, one by one, and carries the gradient back through them."""

    def __init__(self, model: Layer, unrolled: Unrolled, inputs: int, *, training: bool) -> None:
        self.unrolled, self.training = unrolled, training
        self.names = _names(model, unrolled.steps, inputs)
        self.deltas: dict[int, Array] = {}
        self.layered: dict[str, Layered] = {}
        self._pullbacks: list[tuple[Step, Call, Any]] = []
        for i, step in enumerate(unrolled.steps):
            self._call(i, step)

    def _call(self, i: int, step: Step) -> None:
        record, name = self.unrolled.records[i], self.names[step.output]
        given = [self.unrolled.values[ref] for ref in step.inputs]
        y = self.unrolled.values[step.output]
        made = call_of(step.layer, record.own, given, training=self.training, rng=self._rng(i))
        pullback: Any
        known = False
        if made is not None:
            value, pullback = made.run()
            known = np.array_equal(value, y, equal_nan=True)
        if made is None or not known:  # somebody's own layer
            _, pullback, _ = step.layer(record.own, *given, training=self.training, rng=self._rng(i))
            arrays, options, op = {f"x{k}": x for k, x in enumerate(given)}, {}, type(step.layer).__name__
        else:
            arrays, options, op = made.arrays, made.options, made.op
        sources = [self.names[ref] for ref in step.inputs]
        bound = dict(zip(arrays, (*sources, *(step.prefix + short for short in record.own)), strict=False))
        constants = {n: a for n, a in arrays.items() if n.startswith("running_")}
        inner = {n: a for n, a in arrays.items() if n not in constants}
        call = Call(op, inner, options, y, None, {}, constants, pullback if known else None)
        self.layered[name] = Layered(name, step.layer, call, {**bound, "y": name}, known)
        self._pullbacks.append((step, call, pullback))

    def _rng(self, i: int) -> np.random.Generator:
        rng = np.random.default_rng(0)
        rng.bit_generator.state = self.unrolled.records[i].before
        return rng

    def go_back(self, dy: Any, sign: float) -> None:
        """Carry the gradient of the loss back, adding up wherever a value had several uses."""
        outputs = flat(self.unrolled.output)
        for ref, part in zip(outputs, dy if isinstance(dy, tuple) else (dy,), strict=True):
            self._add(ref, sign * part)
        for step, call, pullback in reversed(self._pullbacks):
            d = self.deltas.get(step.output)
            if d is None:
                continue
            name = self.names[step.output]
            if call.pullback is not None:
                back = pullback(d)
                parts = back if isinstance(back, tuple) else (back,)
                gradients = dict(zip(call.inputs, parts, strict=False))
                dxs = parts[: len(step.inputs)]
            else:
                dx, _ = pullback(d)
                dxs = dx if isinstance(dx, tuple) else (dx,)
                gradients = dict(zip(call.inputs, dxs, strict=False))
            for ref, part in zip(step.inputs, dxs, strict=True):
                self._add(ref, part)
            done = Call(call.op, call.inputs, call.options, call.y, d, gradients, call.constants, call.pullback)
            self.layered[name] = self.layered[name]._replace(call=done)

    def _add(self, ref: int, part: Array) -> None:
        self.deltas[ref] = self.deltas[ref] + part if ref in self.deltas else part

    def values(self) -> dict[str, Value]:
        """Return the inputs and the layers' values by name."""
        uses: dict[int, list[Use]] = {ref: [] for ref in self.names}
        for step in self.unrolled.steps:
            layered = self.layered[self.names[step.output]]
            for ref, argument in zip(step.inputs, layered.call.inputs, strict=False):
                uses[ref].append(Use(layered.name, argument))
        for ref in flat(self.unrolled.output):
            uses[ref].append(Use(LOSS, "z"))
        return {
            name: Value(name, self.unrolled.values[ref], self.deltas.get(ref), tuple(uses[ref]))
            for ref, name in self.names.items()
        }

    def parameter_uses(self) -> dict[str, tuple[Use, ...]]:
        """Return where each parameter goes in, by its name."""
        found: dict[str, list[Use]] = {}
        for step in self.unrolled.steps:
            layered = self.layered[self.names[step.output]]
            arguments = {full: argument for argument, full in layered.bindings.items()}
            for full in step.reads.values():
                if full in arguments and arguments[full] in layered.call.inputs:
                    found.setdefault(full, []).append(Use(layered.name, arguments[full]))
                elif not layered.known:
                    found.setdefault(full, []).append(Use(layered.name, ""))
        return {name: tuple(uses) for name, uses in found.items()}


def _names(model: Layer, steps: list[Step], inputs: int) -> dict[int, str]:
    """Return a name for every value: that of its layer, or of the input."""
    if isinstance(model, Graph):
        names = dict(enumerate(model.inputs))
    else:
        names = {0: "input"} if inputs == 1 else {i: f"input{i}" for i in range(inputs)}
    taken = set(names.values())
    for step in steps:
        wanted = name = step.name or type(step.layer).__name__.lower()
        again = 2
        while name in taken:
            name, again = f"{wanted} ({again})", again + 1
        taken.add(name)
        names[step.output] = name
    return names


def _loss_call(loss: Loss, y: Any, target: Any, error: float, dy: Any, sign: float, tracer: _Tracer) -> Layered:
    """Return the loss as a call; rules are known for whygrad's own, also with options bound by ``partial``."""
    function: Any = loss
    options: dict[str, Any] = {}
    while hasattr(function, "func") and hasattr(function, "keywords"):
        if getattr(function, "args", ()):
            break
        options = {**function.keywords, **options}
        function = function.func
    op = next((name for name, entry in LOSSES.items() if entry.function is function), None)
    known = op is not None and not isinstance(y, tuple)
    inputs = {"z": y} if not isinstance(y, tuple) else {f"z{i}": part for i, part in enumerate(y)}
    parts = dy if isinstance(dy, tuple) else (dy,)
    gradients = {name: sign * part for name, part in zip(inputs, parts, strict=True)}
    constants = {} if target is None else {"t": np.asarray(target)}
    outputs = [tracer.names[ref] for ref in flat(tracer.unrolled.output)]
    bindings = {**dict(zip(inputs, outputs, strict=True)), "y": "E"}
    call = Call(op or _name(loss), inputs, options, np.asarray(error), None, gradients, constants, None)
    return Layered(LOSS, None, call, bindings, known)


def _name(loss: Loss) -> str:
    return getattr(loss, "__name__", type(loss).__name__)

"""A network as a chain of known layers: found by its loss, and differentiated with a fault in one of them.

Nobody is asked what their network is. The shapes of the parameters say which layers there may be; which
activations, poolings and loss lie between them is tried until the loss comes out, at several parameters.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.catalogue import ImpossibleError, Joints, Mistake, Subject, predict
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.registry import subject
from whygrad.typing import Array

#: What may stand between two layers, and after the last one.
HIDDEN = ("relu", "sigmoid", "tanh", "identity", "leaky_relu", "softplus")
LAST = ("identity", "softmax", "sigmoid", "tanh", "relu")
#: Of the parameters at which a loss is compared: how many.
DRAWS = 5
EXACT = 1e-7


@dataclass(frozen=True)
class Stage:
    """One layer of a chain: its operation, and which parameters it has."""

    kind: str  #: a name of the registry, or "reshape"
    params: Mapping[str, str] = field(default_factory=dict)  #: "w" → "W1"
    options: Mapping[str, Any] = field(default_factory=dict)
    transposed: bool = False  #: whether a dense w is (in, out)

    @property
    def subject(self) -> Subject:
        """The operation as a diagnosis sees it."""
        return subject(self.kind)

    def inputs(self, x: Array, params: Mapping[str, Array]) -> dict[str, Array]:
        """Return the operation's inputs in the usual shapes."""
        found = {"x": x}
        if "w" in self.params:
            w = params[self.params["w"]]
            w = w.T if self.transposed else w
            found["w"] = w.reshape(1, 1, *w.shape) if self.kind == "conv2d" and w.ndim == 2 else w
            if self.kind == "conv2d" and w.ndim == 3:
                found["w"] = w[:, None]
            outputs = found["w"].shape[0]
            b = params[self.params["b"]] if "b" in self.params else np.zeros(outputs)
            found["b"] = np.broadcast_to(b.reshape(-1), (outputs,)) if b.size in (1, outputs) else b.reshape(-1)
        return found

    def back(self, role: str, gradient: Array, like: Array) -> Array:
        """Return a parameter's gradient in the shape in which the parameter was given."""
        if role == "w" and self.transposed and gradient.ndim == 2:
            gradient = gradient.T
        if gradient.size == like.size and gradient.shape != like.shape:
            return gradient.reshape(like.shape)
        return gradient


class Loss(NamedTuple):
    """What stands at the end of a chain."""

    name: str
    value: Callable[[Array, Array], float]
    gradient: Callable[[Array, Array], Array]


def _log(a: Array) -> Array:
    return np.log(np.maximum(a, 1e-300))


LOSSES = (
    Loss("square", lambda o, t: float(((o - t) ** 2).sum()), lambda o, t: 2 * (o - t)),
    Loss("cross-entropy", lambda o, t: float(-(t * _log(o)).sum()), lambda o, t: -t / o),
    Loss(
        "binary cross-entropy",
        lambda o, t: float(-(t * _log(o) + (1 - t) * _log(1 - o)).sum()),
        lambda o, t: (o - t) / (o * (1 - o)),
    ),
    Loss("absolute", lambda o, t: float(np.abs(o - t).sum()), lambda o, t: np.sign(o - t)),
)


@dataclass(frozen=True)
class Chain:
    """A network that is known: stages, the loss, what it is multiplied by, and a regulariser's factor."""

    stages: tuple[Stage, ...]
    loss: Loss
    per_sample: bool  #: whether the loss is divided by the number of samples
    factor: float
    regulariser: float  #: λ in λ·Σw²
    columns: bool = False  #: whether samples are columns

    def described(self) -> str:
        """Return the chain in words."""
        names = [stage.kind for stage in self.stages if stage.kind != "flatten"]
        return " → ".join([*names, self.loss.name])

    def scale(self, n: int) -> float:
        """What the sum over samples is multiplied by."""
        return self.factor / n if self.per_sample else self.factor

    def gradients(
        self, params: Mapping[str, Array], x: Array, t: Array, joints: Joints, ahead: Sequence[Probe] | None = None
    ) -> dict[str, Array]:
        """Return the gradients of all parameters, with mistakes in the stages that the joints name.

        ``ahead`` is what ``forward`` gave for these parameters, which the mistakes do not change.
        """
        probes = forward(self.stages, params, x) if ahead is None else ahead
        out = probes[-1].y
        goal = target_like(t, out)
        delta = self.loss.gradient(out, goal) * self.scale(len(x))
        last = len(self.stages)
        delta, last = self._through_the_end(delta, probes, goal, joints, last)
        deltas: dict[int, Array] = {}
        found: dict[str, Array] = {}
        for k in reversed(range(last)):
            deltas[k] = delta
            delta = self._through(k, probes, delta, params, joints, found)
        self._mixed(probes, deltas, params, joints, found)
        for stage in self.stages:
            if self.regulariser and "w" in stage.params:
                found[stage.params["w"]] = (
                    found[stage.params["w"]] + 2 * self.regulariser * params[stage.params["w"]]
                )
        return found

    def _through_the_end(
        self, delta: Array, probes: Sequence[Probe], goal: Array, joints: Joints, last: int
    ) -> tuple[Array, int]:
        """Carry delta to the scores before the last activation at once, where a mistake is about both together."""
        wrong = joints.get("end")
        if wrong is None:
            return delta, last
        end = probes[-1]
        fused = self.stages[-1].kind in LAST[1:]
        z = end["x"] if fused else end.y
        right = predict(end.changed(delta), "dx", ()) if fused else delta
        assert right is not None
        loss = Probe(
            "end", {"z": z}, np.ones(()), loss_subject_of(float(self.loss.value(end.y, goal))), {"target": goal}
        )
        loss.__dict__["right"] = {"dz": right}
        value = predict(loss, "dz", (wrong,))
        if value is None or value.shape != z.shape:
            raise ImpossibleError
        # A formula of its own knows nothing of the mean over the samples: it is meant with the right one's factor.
        own = wrong.joint == "whole" and wrong.label in FORMULAS
        return value * (self.scale(len(z)) if own else 1.0), last - 1 if fused else last

    def _through(
        self,
        k: int,
        probes: Sequence[Probe],
        delta: Array,
        params: Mapping[str, Array],
        joints: Joints,
        found: dict[str, Array],
    ) -> Array:
        """Go through one stage backwards: its parameters' gradients, and delta before it."""
        stage = self.stages[k]
        probe = probes[k].changed(delta.reshape(probes[k].y.shape))
        probe.__dict__["y"] = probes[k].y
        for role, name in stage.params.items():
            value = _predicted(probe, f"d{role}", self._wrong(joints, k, f"d{role}"))
            found[name] = stage.back(role, value, params[name])
        if not any("w" in s.params for s in self.stages[:k]):
            return delta
        value = _predicted(probe, "dx", self._wrong(joints, k, "dx"))
        if value.shape != probe["x"].shape:
            raise ImpossibleError
        return value

    def _wrong(self, joints: Joints, k: int, output: str) -> Mistake | None:
        """Return the mistake in a stage: its own, or one that all stages of its kind have."""
        return joints.get(f"{k}.{output}") or joints.get(f"every {self.stages[k].kind}.{output}")

    def _mixed(
        self,
        probes: Sequence[Probe],
        deltas: Mapping[int, Array],
        params: Mapping[str, Array],
        joints: Joints,
        found: dict[str, Array],
    ) -> None:
        """Take another layer's delta or input for a parameter's gradient, where a mistake says so."""
        for joint, value in joints.items():
            if not str(joint).startswith("mixed "):
                continue
            k, role, x_of, delta_of = value
            if delta_of not in deltas or k not in deltas:
                raise ImpossibleError
            stage = self.stages[k]
            probe = probes[k].changed(deltas[delta_of].reshape(probes[delta_of].y.shape))
            if probe.dy.shape != probes[k].y.shape:
                raise ImpossibleError
            if role[0] == "dot":
                if probes[x_of].y.shape != probe.dy.shape:
                    raise ImpossibleError
                found[stage.params["w"]] = np.full_like(
                    params[stage.params["w"]], (probe.dy * probes[x_of].y).sum()
                )
                continue
            other = {"y": probes[x_of].y, "x": probes[x_of]["x"]}[role[0]]
            if other.shape != probe["x"].shape:
                raise ImpossibleError
            changed = probe.changed(x=other)
            changed.__dict__["y"] = probes[k].y
            found[stage.params[role[1]]] = stage.back(
                role[1], _predicted(changed, f"d{role[1]}", None), params[stage.params[role[1]]]
            )


#: Labels of end mistakes that are formulas of their own, without the right gradient in them.
FORMULAS = {"loss_derivative_wrong", "softmax_derivative_formula_wrong", "softmax_wrong_axis"}


def loss_subject_of(value: float) -> Subject:
    """Return the subject of a loss whose value is known."""
    return Subject(
        "loss",
        ("z",),
        {"dz": lambda p, _: p.right["dz"]},
        lambda *_: np.asarray(value),
        lambda *_: [],
        (),
        lambda p: {"N": p["z"].shape[0]},
    )


def _predicted(probe: Probe, output: str, wrong: Mistake | None) -> Array:
    value = predict(probe, output, () if wrong is None else (wrong,))
    if value is None:
        raise ImpossibleError
    return value


def forward(stages: Sequence[Stage], params: Mapping[str, Array], x: Array) -> list[Probe]:
    """Return each stage's inputs and value, as probes without dy.

    Raises:
        ImpossibleError: the shapes do not fit.
    """
    probes = []
    for stage in stages:
        try:
            probe = Probe(stage.kind, stage.inputs(x, params), np.zeros(0), stage.subject, stage.options)
            with np.errstate(all="ignore"):
                x = probe.y
        except (ValueError, IndexError) as error:
            raise ImpossibleError from error
        probes.append(probe)
    return probes


def target_like(t: Array, out: Array) -> Array:
    """Return a target in the shape of the network's outputs: class numbers become rows of 0 and 1."""
    if t.shape == out.shape:
        return t.astype(np.float64)
    if t.size == out.size:
        return t.reshape(out.shape).astype(np.float64)
    if t.T.shape == out.shape:
        return t.T.astype(np.float64)
    if out.ndim == 2 and t.size == len(out) and bool((t >= 0).all() and (t < out.shape[1]).all()):
        return np.eye(out.shape[1])[t.reshape(-1).astype(int)]
    raise ImpossibleError


def identified(
    loss: Callable[[Mapping[str, Array]], float],
    params: Mapping[str, Array],
    x: Array,
    t: Array,
    rng: np.random.Generator,
    until: float = math.inf,
) -> Chain | None:
    """Return the chain whose loss this is; None where none of those tried, until some time, gives it."""
    draws = [
        {n: a + 0.3 * rng.normal(size=a.shape) * (np.abs(a).mean() + 0.1) for n, a in params.items()}
        for _ in range(DRAWS)
    ]
    values = np.array([loss(d) for d in draws])
    if not np.isfinite(values).all():
        return None
    for images, goal, columns in _readings(x, t):
        for stages in layouts(params, images):
            found = _fitting_chain(stages, draws, values, images, goal, columns, until)
            if found is not None:
                return found
    return None


def _readings(x: Array, t: Array) -> Iterator[tuple[Array, Array, bool]]:
    """Yield the ways in which data can be meant: samples as rows or columns, images with and without channels."""
    if x.ndim == 1:
        yield x[None], t.reshape(1, -1) if t.ndim else t, False
    elif x.ndim == 2:
        yield x, t, False
        yield x.T, t.T if t.ndim == 2 else t, True
        yield x[None, None], t.reshape(1, -1), False
    elif x.ndim == 3:
        yield x[:, None], t, False
        yield x[None], t.reshape(1, -1), False
    else:
        yield x, t, False


def layouts(params: Mapping[str, Array], x: Array) -> Iterator[tuple[Any, ...]]:
    """Yield the sequences of layers that the shapes allow, with a gap (None) where an activation may stand."""
    weights = [n for n, a in params.items() if (a.ndim >= 2 and 1 not in a.shape[:2]) or a.ndim == 4]
    singles = [n for n in params if n not in weights]
    pairs = _biases(params, weights, singles)
    if not weights:
        return
    yield from _continued(params, pairs, weights, x.shape, ())


def _biases(params: Mapping[str, Array], weights: list[str], singles: list[str]) -> dict[str, str]:
    """Return which bias belongs to which weights: by the digits in the names, or else by the order."""
    found: dict[str, str] = {}
    left = list(singles)
    for name in weights:
        digits = "".join(filter(str.isdigit, name))
        sizes = params[name].shape
        fits = [b for b in left if params[b].size in sizes or params[b].size == 1]
        same = [b for b in fits if "".join(filter(str.isdigit, b)) == digits]
        order = list(params)
        after = [b for b in fits if order.index(b) == order.index(name) + 1]
        if fits:
            found[name] = (same or after or fits)[0]
            left.remove(found[name])
    # A column or row vector of weights, as the last layer of one output has, is not taken for a bias.
    return found


def _continued(
    params: Mapping[str, Array],
    biases: Mapping[str, str],
    weights: Sequence[str],
    shape: tuple[int, ...],
    done: tuple[Any, ...],
) -> Iterator[tuple[Any, ...]]:
    if not weights:
        yield done
        return
    name, rest = weights[0], weights[1:]
    w = params[name]
    named = {"w": name, **({"b": biases[name]} if name in biases else {})}
    if w.ndim == 4 or (
        w.ndim in (2, 3)
        and len(shape) == 4
        and shape[1] == 1
        and max(w.shape[-2:]) <= min(shape[2:])
        and int(np.prod(shape[1:])) not in w.shape
    ):
        full = w if w.ndim == 4 else w[None, None] if w.ndim == 2 else w[:, None]
        yield from _after_convolution(params, biases, rest, shape, done, named, full)
        return
    flat: tuple[Any, ...] = ()
    width = shape[1] if len(shape) == 2 else int(np.prod(shape[1:]))
    if len(shape) == 4:
        flat = (Stage("flatten"),)
    for transposed in (True, False):
        inputs, outputs = w.shape if transposed else w.shape[::-1]
        if w.ndim == 2 and inputs == width:
            stage = Stage("linear", named, transposed=transposed)
            yield from _continued(params, biases, rest, (shape[0], outputs), (*done, *flat, stage, None))


def _after_convolution(
    params: Mapping[str, Array], biases: Mapping[str, str], rest: Sequence[str], shape: tuple[int, ...],
    done: tuple[Any, ...],
    named: Mapping[str, str], w: Array,
) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    if len(shape) != 4 or shape[1] != w.shape[1]:
        return
    r, s = w.shape[2:]
    paddings = dict.fromkeys((0, (r - 1) // 2))
    for padding, stride in product(paddings, (1, 2)):
        height, width = ((n + 2 * padding - k) // stride + 1 for n, k in zip(shape[2:], (r, s), strict=True))
        if min(height, width) < 1:
            continue
        stage = Stage("conv2d", named, {"stride": stride, "padding": padding})
        here = (shape[0], w.shape[0], height, width)
        yield from _continued(params, biases, rest, here, (*done, stage, None))
        for pool, k in product(("max_pool2d", "avg_pool2d"), (2, 3)):
            if min(height, width) >= k:
                pooled = (*here[:2], (height - k) // k + 1, (width - k) // k + 1)
                pooling = Stage(pool, {}, {"kernel_size": k, "stride": k})
                yield from _continued(params, biases, rest, pooled, (*done, stage, None, pooling))
                yield from _continued(params, biases, rest, pooled, (*done, stage, pooling, None))
        pooling = Stage("global_avg_pool2d")
        yield from _continued(params, biases, rest, here[:2], (*done, stage, None, pooling))


def _fitting_chain(
    stages: tuple[Any, ...],
    draws: Sequence[Mapping[str, Array]],
    values: Array,
    x: Array,
    t: Array,
    columns: bool,
    until: float,
) -> Chain | None:
    """Return the chain with the activations and the loss that give the values."""
    gaps = [i for i, stage in enumerate(stages) if stage is None]
    last = gaps[-1] if gaps and gaps[-1] == len(stages) - 1 else None
    inner = [i for i in gaps if i != last]
    alike = len(inner) > 2
    for chosen in [(h,) * len(inner) for h in HIDDEN] if alike else product(HIDDEN, repeat=len(inner)):
        if time.monotonic() > until:
            return None
        filled = list(stages)
        for i, kind in zip(inner, chosen, strict=True):
            filled[i] = _activation(kind)
        body = [s for i, s in enumerate(filled) if s is not None]
        try:
            outs = [forward(body, d, x)[-1].y for d in draws]
        except ImpossibleError:
            return None
        if outs[0].ndim != 2:
            outs = [o.reshape(len(o), -1) for o in outs]
            if body[-1].kind != "flatten":
                body.append(Stage("flatten"))
        for end in LAST:
            found = _end(tuple(body), end, outs, draws, values, t, columns, len(x))
            if found is not None:
                return found
    return None


def _activation(kind: str) -> Stage | None:
    if kind == "identity":
        return None
    return Stage(kind, {}, {"alpha": 0.01} if kind == "leaky_relu" else {})


def _end(
    body: tuple[Stage, ...], end: str, outs: Sequence[Array], draws: Sequence[Mapping[str, Array]], values: Array,
    t: Array,
    columns: bool, n: int,
) -> Chain | None:  # fmt: skip
    final = _activation(end)
    stages = body if final is None else (*body, final)
    try:
        ends = outs if final is None else [forward([final], {}, o)[-1].y for o in outs]
        goal = target_like(t, ends[0])
    except ImpossibleError:
        return None
    weights = [s.params["w"] for s in body if "w" in s.params]
    squares = np.array([sum(float((d[w] ** 2).sum()) for w in weights) for d in draws])
    for loss in LOSSES:
        with np.errstate(all="ignore"):
            base = np.array([loss.value(o, goal) for o in ends])
        if not np.isfinite(base).all() or np.abs(base).max() == 0:
            continue
        for columns_ in (np.stack([base], 1), np.stack([base, squares], 1)):
            c, *_ = np.linalg.lstsq(columns_, values, rcond=None)
            if np.abs(columns_ @ c - values).max() <= EXACT * np.abs(values).max() and c[0] > 0:
                per = _per_sample(float(c[0]), n, goal)
                return Chain(
                    stages, loss, per, float(c[0]) * (n if per else 1), float(c[1]) if len(c) > 1 else 0.0, columns
                )
    return None


def _per_sample(factor: float, n: int, goal: Array) -> bool:
    """Return whether a factor is one over the number of samples, times a small number or the outputs' width."""
    if n == 1:
        return False
    rest = factor * n
    return any(
        abs(rest - k) < 1e-6 * k for k in (1.0, 0.5, 2.0, 1 / goal.shape[1], 0.5 / goal.shape[1], 2 / goal.shape[1])
    )


def as_given(chain: Chain, x: Array, t: Array) -> tuple[Array, Array]:
    """Return data in the reading that the chain was found with."""
    for images, goal, columns in _readings(x, t):
        if columns == chain.columns and (images.ndim == 4) == (
            chain.stages[0].kind in ("conv2d", "flatten", "max_pool2d", "avg_pool2d")
        ):
            return images, goal
    return x, t

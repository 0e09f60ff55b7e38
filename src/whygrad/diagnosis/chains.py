"""A network as a chain of known layers, differentiated with a fault in one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import ImpossibleError, Joints, Mistake, Subject, predict
from whygrad.diagnosis.endings import LAST, PENALTIES, Loss, target_like
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.registry import subject
from whygrad.typing import Array

#: Derivatives written with an activation's output.
BY_OUTPUT: dict[str, Callable[[Array], Array]] = {
    "relu": lambda a: (a > 0) * 1.0,
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a * a,
    "softplus": lambda a: 1 - np.exp(-a),
}


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

    def inputs(self, x: Array, params: Mapping[str, Array], entered: Mapping[str, Array]) -> dict[str, Array]:
        """Return the operation's inputs in the usual shapes; ``entered`` is what layers got, by their weights."""
        if self.kind == "add":
            other = entered.get(self.options["input of"])
            if other is None or other.shape != x.shape:
                raise ImpossibleError
            return {"a": x, "b": other, "x": x}
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


def adding(name: str) -> Stage:
    """Return the stage of a skip connection: it adds what entered the layer with these weights."""
    return Stage("add", {}, {"input of": name})


@dataclass(frozen=True)
class Chain:
    """A network that is known: stages, the loss, what it is multiplied by, and a regulariser's factor."""

    stages: tuple[Stage, ...]
    loss: Loss
    per_sample: bool  #: whether the loss is divided by the number of samples
    factor: float
    regulariser: float  #: λ in λ·Σw²
    penalty: str = "squares"  #: which sum λ multiplies, of ``PENALTIES``
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
        round_: dict[str, Array] = {}
        for k in reversed(range(last)):
            deltas[k] = delta
            if self.stages[k].kind == "add":
                delta = self._through_a_sum(k, probes, delta, joints, round_)
                continue
            delta = self._through(k, probes, delta, params, joints, found)
            skipped = round_.pop(self.stages[k].params.get("w", ""), None)
            if (
                skipped is not None and delta.shape == skipped.shape
            ):  # not at the first layer, where nothing is before
                delta = delta + skipped
        self._mixed(probes, deltas, params, joints, found)
        if self.regulariser:
            penalty = PENALTIES[self.penalty]
            weights = {stage.params["w"] for stage in self.stages if "w" in stage.params}
            for name, value in found.items():
                if penalty.biases or name in weights:
                    found[name] = value + self.regulariser * penalty.gradient(params[name])
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
        slope_of = joints.get(f"slope {k}")
        if slope_of is not None:
            other = probes[slope_of].y
            if other.shape != probe.dy.shape:
                raise ImpossibleError
            return np.asarray(probe.dy * BY_OUTPUT[stage.kind](other))
        value = _predicted(probe, "dx", self._wrong(joints, k, "dx"))
        if value.shape != probe["x"].shape:
            raise ImpossibleError
        return value

    def _through_a_sum(
        self, k: int, probes: Sequence[Probe], delta: Array, joints: Joints, round_: dict[str, Array]
    ) -> Array:
        """Go back through a skip connection: delta for the layers before it, and delta that goes round them."""
        probe = probes[k].changed(delta.reshape(probes[k].y.shape))
        name = self.stages[k].options["input of"]
        skipped = _predicted(probe, "db", self._wrong(joints, k, "db"))
        round_[name] = round_[name] + skipped if name in round_ else skipped
        return _predicted(probe, "da", self._wrong(joints, k, "da"))

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


def forward(
    stages: Sequence[Stage], params: Mapping[str, Array], x: Array, entered: Mapping[str, Array] | None = None
) -> list[Probe]:
    """Return each stage's inputs and value, as probes without dy.

    ``entered`` is what got into layers before these, by the names of their weights.

    Raises:
        ImpossibleError: the shapes do not fit.
    """
    probes = []
    entered = dict(entered or {})
    for stage in stages:
        entered |= {stage.params["w"]: x} if "w" in stage.params else {}
        try:
            probe = Probe(stage.kind, stage.inputs(x, params, entered), np.zeros(0), stage.subject, stage.options)
            with np.errstate(all="ignore"):
                x = probe.y
        except (ValueError, IndexError) as error:
            raise ImpossibleError from error
        probes.append(probe)
    return probes

"""Whether a model's layers compute in evaluation what they are trained to compute."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from whygrad.checking.watching import Event, watched, with_leaves
from whygrad.diagnosis.adapting import guarded
from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.subject import Subject
from whygrad.layers import Layer, LayerResult, Parameter
from whygrad.typing import Array, Params, Shape

#: Passes after which running statistics must have come nearer to those of the batch, and by which share.
_PASSES, _NEARER = 60, 0.96
#: How far normalised outputs may be apart, as a share of their size.
_APART = 0.5
#: Draws of a layer at random, and how far their mean may be from the output in evaluation.
_DRAWS, _OFF, _ERRORS = 8, 0.1, 5.0


class Mode(NamedTuple):
    """What a layer does otherwise in training than in evaluation, given the same input."""

    name: str
    kind: str
    factor: float  #: outputs in training, in the mean over draws, as a multiple of those in evaluation
    error: float  #: of that factor
    apart: float  #: how far normalised outputs are apart; 0 for a layer without running statistics
    stands: bool = False  #: whether its running statistics hardly follow those of the batch
    dropped: float = 0.0  #: the share of its outputs that are 0 in training and not in evaluation


@dataclass(frozen=True, repr=False, eq=False)
class _Calm(Layer):
    """A layer that computes in training what it computes in evaluation."""

    layer: Layer

    def parameters(self) -> dict[str, Parameter]:
        return self.layer.parameters()

    def init(self, rng: np.random.Generator, dtype: Any = np.float32) -> dict[str, Array]:
        return self.layer.init(rng, dtype)

    def output_shape(self, *shapes: Shape) -> Shape:
        return self.layer.output_shape(*shapes)

    def __call__(
        self, params: Params, *inputs: Array, training: bool = False, rng: np.random.Generator | None = None
    ) -> LayerResult:
        del training, rng
        return self.layer(params, *inputs, training=False)


def calmed(model: Layer, names: Collection[str]) -> Layer:
    """Return the model with some of its layers as in evaluation also in training.

    Example:
        >>> from whygrad.layers import Dropout, Sequential
        >>> model = calmed(Sequential(drop=Dropout(0.9)), {"drop"})
        >>> model({}, np.ones(4), training=True, rng=np.random.default_rng(0))[0]
        array([1., 1., 1., 1.])
    """
    return with_leaves(model, lambda name, layer: _Calm(layer) if name in names else layer)


def modes(model: Layer, params: Mapping[str, Array], x: Array, seed: int) -> list[Mode]:
    """Return the layers that compute otherwise in training than in evaluation, each with its input in training.

    Example:
        >>> from whygrad.layers import Dropout, Linear, Sequential
        >>> model = Sequential(fc=Linear(3, 200), drop=Dropout(0.5))
        >>> (found,) = modes(model, model.init(np.random.default_rng(0)), np.ones((40, 3), np.float32), 0)
        >>> found.name, abs(found.factor - 1) < 0.1
        ('drop', True)
    """
    found: list[Mode] = []

    def listen(event: Event) -> None:
        start = f"{event.name}." if event.name else ""
        own = {n.removeprefix(start): a for n, a in params.items() if n.startswith(start)}
        quiet = event.layer(own, *event.inputs, training=False)[0]
        if not isinstance(quiet, np.ndarray) or np.array_equal(quiet, event.value):
            return
        kind = type(event.layer).__name__
        if event.changed or any(n.startswith("running_") for n in own):
            found.append(_normalised(event, own, kind))
        else:
            found.append(_at_random(event, own, quiet, kind, seed))

    watched(model, listen)(params, x, training=True, rng=np.random.default_rng(seed))
    return found


def _normalised(event: Event, own: dict[str, Array], kind: str) -> Mode:
    """Compare the outputs of a layer with running statistics, before and after these had time to follow."""
    size = float(np.sqrt(np.mean(event.value.astype(np.float64) ** 2))) or 1.0

    def apart() -> float:
        quiet = event.layer(own, *event.inputs, training=False)[0]
        return float(np.sqrt(np.mean((quiet.astype(np.float64) - event.value) ** 2))) / size

    before, own = apart(), dict(own)
    for _ in range(_PASSES):
        own |= event.layer(own, *event.inputs, training=True)[2]
    after = apart()
    return Mode(event.name, kind, 1.0, 0.0, after, after > _NEARER * before)


def _at_random(event: Event, own: dict[str, Array], quiet: Array, kind: str, seed: int) -> Mode:
    """Compare the mean of a random layer's outputs with what it gives in evaluation."""
    square = float((quiet.astype(np.float64) ** 2).sum())
    if not square:
        return Mode(event.name, kind, 1.0, 0.0, 0.0)
    factors = []
    for k in range(_DRAWS):
        y = event.layer(own, *event.inputs, training=True, rng=np.random.default_rng([seed, k]))[0]
        factors.append(float((y.astype(np.float64) * quiet).sum()) / square)
    error = float(np.std(factors)) / np.sqrt(_DRAWS - 1)
    dropped = float(np.mean(y[quiet != 0] == 0))
    return Mode(event.name, kind, float(np.mean(factors)), error, 0.0, dropped=dropped)


def examine_modes(subject: Subject) -> Evidence:
    """Say which of a model's layers are not in evaluation what they are in training."""
    found, unseen = seen_modes(subject)
    if unseen:
        return Evidence("modes", untested=(f"each layer in training and in evaluation: {unseen}",))
    wrong = [says for says in map(_wrong, found) if says]
    if wrong:
        return Evidence("modes", (mismatch(wrong[0]),))
    return Evidence(
        "modes", says="every layer is in evaluation what it is in training, in the mean" if found else ""
    )


def seen_modes(subject: Subject) -> tuple[list[Mode], str]:
    """Return the layers that compute otherwise in training than in evaluation, and why that could not be seen."""
    inside = subject.inside
    if inside is None:
        return [], "layers cannot be seen from outside"
    found, error, _, _ = guarded(lambda: inside.modes(subject.params, subject.watched))
    return (found, "") if error is None else ([], error)


def _wrong(mode: Mode) -> str:
    """Say what is wrong with a layer's two modes; nothing where they agree."""
    called = f"{mode.name} ({mode.kind})" if mode.name else mode.kind
    if abs(mode.factor - 1) > max(_OFF, _ERRORS * mode.error):
        return (
            f"{called} gives in training, in the mean over what it draws, {mode.factor:.3g} times what it gives "
            "of the same input in evaluation"
        )
    if mode.stands and mode.apart > _APART:
        return (
            f"{called} gives in evaluation what is off by {mode.apart:.0%} of what it gives in training: its "
            f"running statistics are not those of the data, and {_PASSES} more steps hardly change them"
        )
    return ""


def mismatch(says: str) -> Finding:
    """Return the finding that training and evaluation do not agree."""
    return fault(
        "evaluation",
        "train_eval_mismatch",
        says,
        fix=(
            "give evaluation the same inputs, scaling and layers as training; dropout off, what is left of it "
            "divided by 1 − p in training, and the running statistics of batch normalisation kept"
        ),
        lesson=(
            "What is predicted must be computed as it was trained, but for dropout and the statistics of "
            "batch normalisation."
        ),
    )

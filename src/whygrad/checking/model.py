"""``check_model``: all gradients of a network, layer by layer, at the cost of a few of its evaluations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

from whygrad import validation
from whygrad.checking.inputs import check_input
from whygrad.checking.judging import Context
from whygrad.checking.patterns import axis_names
from whygrad.checking.problem import Problem
from whygrad.checking.replay import Replay, switches
from whygrad.checking.report import Report, Row, Verdict
from whygrad.checking.watching import first_not_finite
from whygrad.engines import current_engine
from whygrad.layers import Layer
from whygrad.losses import cross_entropy
from whygrad.typing import Array, Loss, Params

Progress = Callable[[int, int, str], None]
#: How far to move parameters and images off the places where many units lie on a kink.
JITTER = 0.01
#: The row of the network's own input.
INPUT = "input"
#: How many replacements of a parameter are drawn before their losses are asked for.
_DRAWN = 256


def check_model(
    model: Layer,
    params: Params,
    x: Array,
    target: Any,
    *,
    loss: Loss = cross_entropy,
    training: bool = True,
    seed: int = 0,
    full: bool = False,
    jitter: float = 0.0,
    progress: Progress | None = None,
) -> Report:
    """Check the gradients of a loss with respect to every trained parameter and the input of a network.

    Everything is computed in float64, in the current engine. Each gradient is compared along random directions,
    which all of its entries take part in; where one disagrees, the entries at fault are searched. With ``full``
    every entry is compared on its own. Only the layers from the changed one on are evaluated.

    Args:
        model: the network.
        params: its parameters by name.
        x: a few images, (N, C, H, W), or what the network takes. Two to four are enough and quick.
        target: what the loss takes.
        loss: gives a loss and its gradient.
        training: whether batch norm uses the batch's statistics and dropout draws masks, the same ones each time.
        seed: of the masks, and of directions.
        full: compare every entry.
        jitter: moves parameters and x by normal random numbers of this size first. Fresh biases of 0 over empty
            paper lie on the kink of relu; ``JITTER`` moves them off it.
        progress: is told (entries done, entries, name of the gradient).

    Returns:
        A report with a row for each trained parameter, and one for the input.

    Raises:
        OptionError: parameters that the model does not have or that are missing.
        ShapeError: arrays that do not fit the model.

    Example:
        >>> from whygrad.layers import Linear
        >>> model = Linear(3, 2)
        >>> params = model.init(np.random.default_rng(0))
        >>> report = check_model(model, params, np.eye(3), np.array([0, 1, 1]), full=True)
        >>> report.right, [row.name for row in report]
        (True, ['weight', 'bias', 'input'])
    """
    began = time.perf_counter()
    exact = {name: np.asarray(array).astype(np.float64) for name, array in params.items()}
    images = np.asarray(x).astype(np.float64)
    trained = [name for name, parameter in model.parameters().items() if parameter.trained]
    rng = np.random.default_rng(
        (validation.whole("check_model", "seed", seed, 0), 1)
    )  # unlike that of the masks, and of whoever drew the parameters
    if jitter:
        exact |= {
            name: exact[name] + jitter * rng.normal(size=exact[name].shape) for name in trained if name in exact
        }
        images = images + jitter * rng.normal(size=images.shape)
    bad = first_not_finite(model, exact, (images,), target, loss, training=training, seed=seed)
    if bad is not None:
        shapes = {**{name: exact[name].shape for name in trained}, INPUT: images.shape}
        infinite = tuple(_row(name, Verdict.NOT_FINITE, shape, bad) for name, shape in shapes.items())
        return Report(subject=_name(model), rows=infinite, seconds=time.perf_counter() - began)
    problem = ModelProblem(model, exact, images, target, loss, training=training, seed=seed)
    rows: list[Row] = []
    done = 0
    total = sum(exact[name].size for name in trained) + images.size
    for name in [*trained, INPUT]:
        if progress:
            progress(done, total, name)
            problem.advanced = _telling(progress, done, total, name)
        rows.append(_checked(problem, name, rng, full=full))
        done += rows[-1].entries
    return Report(
        subject=_name(model),
        rows=tuple(rows),
        evaluations=problem.evaluations,
        seconds=time.perf_counter() - began,
        details={"engine": current_engine(), "seed": seed, "full": full},
    )


def _telling(progress: Progress, done: int, total: int, name: str) -> Callable[[float], None]:
    return lambda share: progress(done + int(share), total, name)


def _checked(problem: ModelProblem, name: str, rng: np.random.Generator, *, full: bool) -> Row:
    x = problem.inputs[name]
    if name not in problem.claimed:
        return _row(name, Verdict.WRONG, x.shape, "the pullback returns no gradient for it")
    gradient = problem.claimed[name]
    if gradient.shape != x.shape:
        return _row(name, Verdict.WRONG, x.shape, f"its gradient has the shape {gradient.shape}")
    sizes = {"the batch size": len(problem.inputs[INPUT])}
    context = Context(axes=axis_names("x" if name == INPUT else name, x.ndim), sizes=sizes)
    return check_input(problem, name, context, rng, full=full)


def _row(name: str, verdict: Verdict, shape: tuple[int, ...], said: str) -> Row:
    size = int(np.prod(shape))
    return Row(name=name, verdict=verdict, shape=shape, checked=0, entries=size, findings=(said,))


def _name(model: Layer) -> str:
    text = repr(model)
    return text if len(text) <= 40 else type(model).__name__


class ModelProblem(Problem):
    """The loss of a network as a function of its parameters and its input."""

    # A network has kinks everywhere: a step must be small to cross none of them, and then two of them are enough.
    first_step, levels = 2.0**-15, 2
    projection_step = 2.0**-21
    enough = 1e-5
    again, search, many_kinks, tolerance = 40, 150, True, 1e-7

    def __init__(
        self,
        model: Layer,
        params: Mapping[str, Array],
        x: Array,
        target: Any,
        loss: Loss,
        *,
        training: bool,
        seed: int,
    ) -> None:
        self.model, self.params, self.loss, self.target = model, params, loss, target
        self.training, self.seed = training, seed
        self.replay = Replay(model, params, x, training=training, seed=seed)
        y, pullback, _ = model(params, x, training=training, rng=np.random.default_rng(seed))
        value, dy = loss(y, target)
        dx, gradients = pullback(dy)
        trained = [name for name, parameter in model.parameters().items() if parameter.trained]
        inputs = {**{name: params[name] for name in trained}, INPUT: x}
        super().__init__(inputs, self._loss_at, float(value), 1.0, {**gradients, INPUT: dx})
        self.advanced: Callable[[float], None] | None = None

    def _loss_at(self, name: str, array: Array) -> float:
        return self.loss(self.replay.value(_key(name), array), self.target)[0]

    def rises(self, name: str, arrays: Iterable[Array]) -> Iterator[float]:
        """Yield the rise for each of some replacements, which go through the network together."""
        drawn, counted = iter(arrays), 0
        while outputs := self.replay.values(_key(name), islice(drawn, _DRAWN)):
            self.evaluations += len(outputs)
            counted += len(outputs)
            for y in outputs:
                yield self.loss(y, self.target)[0] - float(self.y)
            if self.advanced:
                self.advanced(counted / (2 * self.levels))

    def size(self, name: str) -> float:
        """Return the size that steps are relative to; biases near zero act on values of about 1 as weights do."""
        return max(2.0**-3, super().size(name))

    def _rise_far_off(self, name: str) -> float:
        del name
        return 1.0  # what a loss is about, without a pass through the network

    def noise(self, name: str) -> float:
        """Return the noise of the loss, measured once, in the parameter nearest to it."""
        del name
        return super().noise(list(self.inputs)[-2] if len(self.inputs) > 1 else INPUT)

    def switches(self, name: str, index: int) -> int | None:
        """Return how many activations and arg-maxima differ between a little below and a little above."""
        x = self.inputs[name]
        h = 2.0**-20 * max(1.0, abs(float(x.reshape(-1)[index])))
        sides = []
        for sign in (1, -1):
            moved = x.copy()
            moved.reshape(-1)[index] += sign * h
            sides.append(moved)
        if name == INPUT:
            return self._switches(self.params, self.params, *sides)
        first, second = ({**self.params, name: side} for side in sides)
        return self._switches(first, second, self.inputs[INPUT], self.inputs[INPUT])

    def _switches(self, before: Params, after: Params, x: Array, x_after: Array) -> int:
        return switches(self.model, before, after, x, x_after, training=self.training, seed=self.seed)


def _key(name: str) -> str | int:
    return 0 if name == INPUT else name

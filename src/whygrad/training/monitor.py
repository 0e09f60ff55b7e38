"""A monitor: a reader of a training that measures what goes on inside, and tells when a run is lost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from whygrad.checking.watching import first_not_finite
from whygrad.data import Images, Source
from whygrad.errors import LostError
from whygrad.layers import Layer
from whygrad.losses.cross_entropy import cross_entropy
from whygrad.training.fit import Step
from whygrad.training.signals import Probe, Signals, norm
from whygrad.training.state import TrainingState, generator
from whygrad.typing import IntArray, Loss, Params
from whygrad.validation import whole

#: Images of a look, and images that are trained on for each of them: what keeps a look below 5 % of the time.
SAMPLES, DILUTION = 32, 90
#: How much of the smoothed loss stays from step to step.
_STAYS = 0.9
#: A run has diverged when its smoothed loss has been so many times what knowing nothing costs, for so many steps.
_TIMES, _STEPS = 5.0, 20
#: A run is silent when so many looks after one another saw no gradient although the loss is above the least.
_LOOKS, _LEAST = 3, 1e-2


class Lost(NamedTuple):
    """Why a run is lost, and what is left of it."""

    step: int  #: at which it was seen
    reason: str
    good: TrainingState | None  #: the last state that nothing was wrong with, if there was one

    def error(self, how: str = "lower the learning rate, or find the cause with whygrad diagnose") -> LostError:
        """Return it as an error that says how to go on."""
        good = self.good is not None and self.good.step
        left = f"step {good} was the last good one" if good else "it never went well"
        remedy = f"{left}; {how}"
        return LostError(f"training, step {self.step}", "a run that can still learn", self.reason, remedy)


class Monitor:
    """Reads the loss of every step of ``fit``, and looks at the whole model from time to time.

    A look is one pass of 32 training images, always the same ones, so that its numbers can be compared. How often
    depends on the batch size alone: 90 images are trained on for each that is looked at. The same training
    therefore gives the same signals, wherever it was interrupted.

    A run is lost when

    - a number is not finite: in the loss, or in a pass of the images that are looked at;
    - the smoothed loss has been five times what outputs of zero cost (ln K for K classes), 20 steps long;
    - at three looks in a row no gradient reached more than one parameter, with a loss that is not nearly 0: all
      units of a layer are dead.

    Args:
        model: the network.
        images: the training images.
        targets: their targets.
        loss: gives a loss and its gradient.
        batch_size: as ``fit`` has it.
        every: steps from look to look; None for what keeps looks below 5 % of the time.

    Raises:
        OptionError: ``batch_size`` or ``every`` that is no positive whole number.

    Example:
        >>> from whygrad.layers import Linear
        >>> from whygrad.optim import SGD
        >>> from whygrad.training import fit
        >>> model, rng = Linear(2, 2), np.random.default_rng(0)
        >>> x, labels = np.array([[0., 1.], [1., 0.]]), np.array([0, 1])
        >>> params = model.init(rng, np.float64)
        >>> monitor = Monitor(model, x, labels, batch_size=2, every=10)
        >>> monitor.begin(params)
        >>> for step in fit(model, params, x, labels, optimizer=SGD(1.0), rng=rng, epochs=10):
        ...     signals = monitor.update(step)
        >>> sorted(signals)[:4]
        ['gradient_norm/bias', 'gradient_norm/weight', 'largest_activation', 'loss_trend']
        >>> monitor.lost is None
        True
    """

    def __init__(
        self,
        model: Layer,
        images: Images,
        targets: Any,
        *,
        loss: Loss = cross_entropy,
        batch_size: int = 32,
        every: int | None = None,
    ) -> None:
        batch_size = whole("Monitor", "batch_size", batch_size, 1)
        few = min(SAMPLES, len(images))
        self.every = -(-DILUTION * few // batch_size) if every is None else whole("Monitor", "every", every, 1)
        self.model, self.targets = model, np.asarray(targets)
        self.images = images if isinstance(images, Source) else np.asarray(images)
        self.loss, self.batch_size = loss, batch_size
        self.lost: Lost | None = None
        self._trained = [name for name, parameter in model.parameters().items() if parameter.trained]
        self._probe = Probe(model, self.images[np.arange(few)], self.targets[:few], loss)
        self._reference = math.inf
        self._smoothed = _Smoothed()
        self._at_last_look = math.nan
        self._high = self._silent = 0
        self._first: Params = {}
        self._before: Params | None = None
        self._previous: TrainingState | None = None
        self._state: TrainingState | None = None
        self._good: TrainingState | None = None

    def begin(
        self, params: Params, state: TrainingState | None = None, records: Iterable[Mapping[str, Any]] = ()
    ) -> None:
        """Take note of where a training begins.

        Args:
            params: its first parameters.
            state: the state that it goes on from, if it was interrupted.
            records: what ``metrics.jsonl`` says of the steps before, from which the monitor goes on as if it had
                seen them.
        """
        signals = self._probe.look(params)
        chance = self._probe.chance(params)
        self._reference = max(chance, signals.loss) if not state or not state.step else chance
        self._first, self._state, self._good = params, state, state
        for record in records:
            self._reference = max(self._reference, record.get("watched_reference") or 0.0)
            self._hear(record["loss"], record.get("watched_loss"), record.get("watched_silent"))
            self._at_last_look = record.get("smoothed_loss", self._at_last_look)
        if state is not None and (state.step + 1) % self.every == 0:
            self._before = params

    def update(self, step: Step) -> dict[str, float | None]:
        """Take the next step; return its signals under the names that they have in ``metrics.jsonl``.

        Between two looks there are none. Afterwards ``lost`` says whether the run is lost.
        """
        self._previous, self._state = self._state, step.state
        shown: dict[str, float | None] = {}
        if step.step == 1 and math.isfinite(self._reference):
            shown["watched_reference"] = self._reference
        if step.step % self.every == 0:
            signals = self._probe.look(step.params)
            shown |= signals.to_dict() | self._moved(step.params) | {"watched_silent": float(signals.silent)}
            self._hear(step.loss, signals.loss, float(signals.silent))
            shown |= {"smoothed_loss": self._smoothed.value, "loss_trend": self._trend()}
            self._judge(step, signals)
        else:
            self._hear(step.loss, None, None)
            self._judge(step, None)
        self._before = step.params if (step.step + 1) % self.every == 0 else None
        return {name: value if value is None or math.isfinite(value) else None for name, value in shown.items()}

    def failed(self) -> Lost:
        """Return why the step after the last one that was seen gave no finite loss.

        The batch that it failed at is gone through again, layer by layer.
        """
        done = self._state.step if self._state is not None else 0
        self.lost = Lost(done + 1, f"a loss that is not finite: {self._first_not_finite()}", self._good)
        return self.lost

    def _first_not_finite(self) -> str:
        """Say where the first number came from that is not finite: in the batch before this one, or in this one."""
        for state, when in ((self._previous, " in the step before"), (self._state, "")):
            if state is None:
                continue
            chosen = next_batch(state, len(self.images), self.batch_size)
            batch = self.images[chosen], self.targets[chosen]
            found = first_not_finite(self.model, state.params, *batch, self.loss, training=True)
            if found:
                return found + when
        probe = self._probe
        found = first_not_finite(self.model, self._first, probe.images, probe.targets, self.loss)
        return found or "where it came from cannot be found again"

    def _hear(self, loss: float, watched: float | None, silent: float | None) -> None:
        """Go on by one step: what must be known of the steps before, and can be read again from the metrics."""
        self._smoothed.add(loss)
        self._high = self._high + 1 if self._smoothed.value > _TIMES * self._reference else 0
        if silent is not None:
            self._silent = self._silent + 1 if silent and (watched is None or watched > _LEAST) else 0

    def _trend(self) -> float:
        """Return by how much the smoothed loss has changed a step since the last look."""
        before, self._at_last_look = self._at_last_look, self._smoothed.value
        return (self._smoothed.value - before) / self.every

    def _moved(self, params: Params) -> dict[str, float]:
        """Return by name how far the last update moved each parameter, as a share of its size."""
        if self._before is None:
            return {}
        shares = {}
        with np.errstate(all="ignore"):
            for name in self._trained:
                size = norm(self._before[name])
                if size > 0:
                    shares[f"update_ratio/{name}"] = norm(params[name] - self._before[name]) / size
        return shares

    def _judge(self, step: Step, signals: Signals | None) -> None:
        """Say whether the run is lost, and remember a state that nothing is wrong with."""
        reason = None
        if self._high >= _STEPS:
            reason = (
                f"a loss of {self._smoothed.value:.3g} in the mean, for {_STEPS} steps more than {_TIMES:g} times"
                f" the {self._reference:.3g} of the start, at the learning rate {step.learning_rate:g}"
            )
        elif signals is not None and not signals.finite:
            probe = self._probe
            found = first_not_finite(self.model, step.params, probe.images, probe.targets, self.loss)
            reason = f"numbers that are not finite: {found}" if found else "gradients that are not finite"
        elif self._silent >= _LOOKS and signals is not None:
            dead = [name for name, share in signals.dead.items() if share == 1]
            which = f": every unit of {dead[-1]} is dead" if dead else ""
            reason = f"no gradient any more, {_LOOKS} looks long, at a loss of {signals.loss:.3g}{which}"
        if reason is not None:
            self.lost = Lost(step.step, reason, self._good)
        elif signals is not None and not self._silent and self._smoothed.value <= 2 * self._reference:
            self._good = step.state


class _Smoothed:
    """The mean of the last losses, in which each counts less than the one after it."""

    def __init__(self) -> None:
        self._sum = self._weight = 0.0

    def add(self, loss: float) -> None:
        self._sum = _STAYS * self._sum + (1 - _STAYS) * loss
        self._weight = _STAYS * self._weight + (1 - _STAYS)

    @property
    def value(self) -> float:
        return self._sum / self._weight if self._weight else math.nan


def next_batch(state: TrainingState, count: int, batch_size: int) -> IntArray:
    """Return which of ``count`` samples the step after a state is made with.

    Example:
        >>> from whygrad.optim import SGD
        >>> from whygrad.training.state import beginning
        >>> state = beginning({}, SGD(0.1).init({}), np.random.default_rng(0))
        >>> next_batch(state, 5, 2)
        array([2, 4])
    """
    order = generator(state.epoch_rng).permutation(count)
    return order[state.batch * batch_size : (state.batch + 1) * batch_size]

"""The training loop, as a generator of steps."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from whygrad.data import Images, Source, ahead, check_data
from whygrad.errors import NonFiniteError, OptionError
from whygrad.layers import Layer
from whygrad.losses.cross_entropy import cross_entropy
from whygrad.optim import Clipped, Optimizer
from whygrad.training.state import TrainingState, beginning
from whygrad.typing import Array, Loss, Params
from whygrad.validation import whole
from whygrad.workspace import Workspace

#: Changes a batch of images at random, with a generator of its own.
Change = Callable[[Array, np.random.Generator], Array]
Clip = Callable[[Params], tuple[dict[str, Array], Clipped]]


class Step(NamedTuple):
    """What one update did, and all that the next one needs."""

    step: int  #: updates made, 1 after the first
    epoch: int  #: the epoch it belongs to, from 1
    loss: float  #: of this batch, before the update
    learning_rate: float
    clipped: Clipped | None  #: what clipping did, if there is any
    epoch_loss: float  #: mean over the samples of this epoch so far
    epoch_accuracy: float | None  #: share of them that was classified rightly; None if targets are no classes
    ends_epoch: bool
    state: TrainingState
    gradients: dict[str, Array] | None = None  #: that the update was made with, by name, where they are kept

    @property
    def params(self) -> dict[str, Array]:
        """The parameters after the update."""
        return self.state.params


def fit(
    model: Layer,
    params: Params,
    images: Images,
    targets: Any,
    *,
    optimizer: Optimizer,
    rng: np.random.Generator,
    loss: Loss = cross_entropy,
    epochs: int = 1,
    batch_size: int = 32,
    drop_last: bool = False,
    augment: Change | None = None,
    clip: Clip | None = None,
    resume: TrainingState | None = None,
    keep_gradients: bool = False,
) -> Iterator[Step]:
    """Train, one update for each step that is taken from the generator.

    Every epoch draws a new order of the samples from ``rng``. What readers want to do between two updates (show
    progress, write a checkpoint, stop) they do between two steps.

    Args:
        model: the network.
        params: its parameters; they are not written to.
        images: (N, ...), float32 or float64, finite; those of a source are read in the background, a few batches
            ahead.
        targets: N targets, in the form that the loss takes.
        optimizer: the update rule.
        rng: orders the samples and draws dropout masks. One generator in one state gives one training.
        loss: gives a loss and its gradient.
        epochs: passes over the data, in all.
        batch_size: samples in an update.
        drop_last: leave out the last batch of an epoch where it would be smaller; otherwise it is trained on too.
        augment: changes the images of each batch, in the background, with a generator that follows from ``rng``,
            the epoch and the batch: the same training sees the same images, whoever is quicker.
        clip: changes the gradients before the update, for example
            ``functools.partial(clip_by_global_norm, max_norm=1.0)``.
        resume: the state of an earlier step with the same arguments; the training goes on from there.
        keep_gradients: let each step hold its gradients, for readers that want to look at them.

    Yields:
        A :class:`Step` after each update.

    Raises:
        DataError, DTypeError, ShapeError: data that nothing can be learned from.
        OptionError: epochs or batch_size that are no positive whole numbers, or no whole batch to train on.
        NonFiniteError: the loss is not finite any more.

    Example:
        >>> from whygrad.layers import Linear
        >>> from whygrad.optim import SGD
        >>> model, rng = Linear(2, 2), np.random.default_rng(0)
        >>> x, labels = np.array([[0., 1.], [1., 0.]]), np.array([0, 1])
        >>> steps = fit(model, model.init(rng, np.float64), x, labels, optimizer=SGD(1.0), rng=rng, epochs=50)
        >>> *_, last = steps
        >>> last.step, last.epoch_accuracy
        (50, 1.0)
    """
    check_data("fit", images, targets)
    if not isinstance(rng, np.random.Generator):
        raise OptionError("fit", "rng as a numpy.random.Generator", f"{rng!r}", "pass np.random.default_rng(seed)")
    images, targets = images if isinstance(images, Source) else np.asarray(images), np.asarray(targets)
    epochs, batch_size = whole("fit", "epochs", epochs, 1), whole("fit", "batch_size", batch_size, 1)
    if drop_last and batch_size > len(images):
        received = f"a batch_size of {batch_size} for {len(images)} images"
        raise OptionError("fit", "at least one whole batch", received, "lower it, or keep the last batch")
    state = resume or beginning(params, optimizer.init(params), rng)
    batches = _Batches(images, targets, batch_size, drop_last, augment)
    training = _Training(model, optimizer, rng, loss, clip, keep_gradients)
    return _steps(training, batches, epochs, state)


class _Batches(NamedTuple):
    """What an epoch is divided into."""

    images: Images
    targets: Any
    batch_size: int
    drop_last: bool
    augment: Change | None

    @property
    def total(self) -> int:
        """Batches in an epoch."""
        whole_ones, rest = divmod(len(self.images), self.batch_size)
        return whole_ones + (rest > 0 and not self.drop_last)

    def of(self, rng: np.random.Generator, first: int) -> Generator[tuple[Array, Any], None, None]:
        """Yield images and targets of the batches of the epoch that begins where ``rng`` stands, from ``first`` on.

        All that is drawn from ``rng`` is drawn before the first batch.
        """
        order = rng.permutation(len(self.images))
        key = int(rng.integers(2**63)) if self.augment is not None else 0
        parts = [order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(first, self.total)]
        if self.augment is None and not isinstance(self.images, Source):
            return ((self.images[part], self.targets[part]) for part in parts)
        return self._in_background(parts, key, first)

    def _in_background(self, parts: list[Any], key: int, first: int) -> Generator[tuple[Array, Any], None, None]:
        def job(part: Any, number: int) -> Callable[[], Array]:
            def read() -> Array:
                x: Array = self.images[part]
                return x if self.augment is None else self.augment(x, np.random.default_rng([key, number]))

            return read

        jobs = (job(part, first + i) for i, part in enumerate(parts))
        with closing(ahead(jobs)) as images:
            for x, part in zip(images, parts, strict=True):
                yield x, self.targets[part]


class _Training(NamedTuple):
    """What stays the same from step to step."""

    model: Layer
    optimizer: Optimizer
    rng: np.random.Generator
    loss: Loss
    clip: Clip | None
    keep_gradients: bool


def _steps(training: _Training, batches: _Batches, epochs: int, state: TrainingState) -> Iterator[Step]:
    rng, workspace = training.rng, Workspace()
    while state.epoch < epochs:
        rng.bit_generator.state = state.epoch_rng
        some = batches.of(rng, state.batch)
        if state.batch:
            rng.bit_generator.state = state.rng
        with closing(some):
            for x, targets in some:
                ends = state.batch + 1 == batches.total
                # What overflows is reported by its own error.
                with workspace, np.errstate(over="ignore", invalid="ignore"):
                    step = _update(training, x, targets, state, ends)
                state = step.state
                yield step


def _update(training: _Training, x: Array, t: Any, state: TrainingState, ends: bool) -> Step:
    """Make one update; the step's state is that of the next epoch's start if it ends this one."""
    model, optimizer, rng, loss, clip, keep_gradients = training
    y, pullback, changed = model(state.params, x, training=True, rng=rng)
    value, dy = loss(y, t)
    _require_finite(value, state)
    _, gradients = pullback(dy, release=True, input_gradient=False)
    clipped = None
    if clip is not None:
        gradients, clipped = clip(gradients)
    rate = optimizer.rate(state.step)
    new, slots = optimizer.update(state.params, gradients, state.optimizer)
    state = state._replace(
        params=new | changed,
        optimizer=slots,
        rng=dict(rng.bit_generator.state),
        batch=state.batch + 1,
        loss_sum=state.loss_sum + value * len(x),
        correct=state.correct + _correct(y, t),
        seen=state.seen + len(x),
    )
    return Step(
        step=state.step,
        epoch=state.epoch + 1,
        loss=value,
        learning_rate=rate,
        clipped=clipped,
        epoch_loss=state.loss_sum / state.seen,
        epoch_accuracy=state.correct / state.seen if _is_classification(t) else None,
        ends_epoch=ends,
        state=state.next_epoch() if ends else state,
        gradients=gradients if keep_gradients else None,
    )


def _is_classification(targets: Any) -> bool:
    return bool(np.issubdtype(targets.dtype, np.integer)) and targets.ndim == 1


def _correct(y: Array, targets: Any) -> int:
    if not _is_classification(targets) or y.ndim != 2:
        return 0
    return int((y.argmax(axis=1) == targets).sum())


def _require_finite(loss: float, state: TrainingState) -> None:
    if not np.isfinite(loss):
        remedy = "lower the learning rate, clip gradients, or check the scale of the images"
        raise NonFiniteError(f"training, step {state.step + 1}", "a finite loss", f"{loss}", remedy)

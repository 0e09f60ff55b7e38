"""The steps of a run, from where it stands to its end, with all that is written on the way."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

from whygrad.errors import FileError
from whygrad.training.checkpoint import Checkpoints
from whygrad.training.early_stopping import EarlyStopping
from whygrad.training.evaluate import evaluate
from whygrad.training.files import pack_arrays, sweep, write_file
from whygrad.training.fit import Step, fit
from whygrad.training.lost import STOPPED, lost_error, next_step, restore
from whygrad.training.metrics import Metrics
from whygrad.training.monitor import Monitor
from whygrad.training.parameters import BEST, check_parameters
from whygrad.training.recipe import Experiment, Recipe
from whygrad.training.state import TrainingState, beginning, generator


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep every other process from training this run; the lock ends with the process, however it ends.

    Raises:
        FileError: another process trains it.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        remedy = "wait for the other one, or start a new run"
        raise FileError(str(path), "one process that trains it", "a second one", remedy) from None
    try:
        yield
    finally:
        os.close(handle)


def train_run(
    path: Path,
    recipe: Recipe,
    experiment: Experiment,
    checkpoints: Checkpoints,
    monitor: Monitor | None,
    *,
    keep_gradients: bool,
) -> Generator[tuple[Step, dict[str, float]], None, None]:
    """Train a run from its last checkpoint, or from the start, to its end; see ``Run.steps``.

    Args:
        path: the directory of the run, which no other process trains.
        recipe: its recipe.
        experiment: what the recipe stands for.
        checkpoints: those of the run.
        monitor: a new one, or None.
        keep_gradients: let each step hold its gradients.

    Yields:
        Every step, and what it gave on the images held out for validation: nothing within an epoch.

    Raises:
        FileError: a damaged checkpoint, or no room to write.
        NonFiniteError: the loss is not finite any more, and there is no monitor.
        LostError: the monitor says that the run is lost, and why.
    """
    for directory in (path, checkpoints.directory):
        sweep(directory)
    state = checkpoints.latest() or _first_state(recipe, experiment)
    check_parameters(path, experiment.model, state.params)
    metrics = Metrics(path / "metrics.jsonl", state.step)
    validation = _Validation(path / BEST, recipe, experiment, metrics)
    if monitor is not None:
        monitor.begin(state.params, state, metrics.records)
    (path / STOPPED).unlink(missing_ok=True)
    steps = _fitted(recipe, experiment, state, keep_gradients)
    last = None
    with closing(metrics):
        try:
            while not validation.stopped:
                step = next_step(path, steps, monitor)
                if step is None:
                    break
                signals = monitor.update(step) if monitor is not None else {}
                held_out = validation.after(step)
                metrics.write(step, **held_out, **signals)
                last = step
                if monitor is not None and monitor.lost is not None:
                    raise lost_error(path, monitor.lost)
                if step.ends_epoch:
                    metrics.sync()
                    checkpoints.save(step)
                yield step, held_out
        finally:
            if monitor is not None and monitor.lost is not None:
                restore(path, checkpoints, monitor.lost)
            elif last is not None:
                checkpoints.save(last)


def _first_state(recipe: Recipe, experiment: Experiment) -> TrainingState:
    rng = np.random.default_rng(recipe.seed)
    params = experiment.model.init(rng)
    return beginning(params, experiment.optimizer.init(params), rng)


def _fitted(recipe: Recipe, experiment: Experiment, state: TrainingState, keep_gradients: bool) -> Iterator[Step]:
    return fit(
        experiment.model,
        state.params,
        experiment.train.images,
        experiment.train.labels,
        loss=experiment.loss,
        optimizer=experiment.optimizer,
        rng=generator(state.rng),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        drop_last=recipe.drop_last,
        augment=experiment.augment,
        clip=experiment.clip,
        resume=state,
        keep_gradients=keep_gradients,
    )


class _Validation:
    """What becomes of the images held out: metrics, the best parameters in a file, and early stopping.

    Args:
        best: the file of the best parameters.
        recipe: a recipe; without patience nothing is held out.
        experiment: what it stands for.
        metrics: what was written before, which early stopping goes on from.
    """

    def __init__(self, best: Path, recipe: Recipe, experiment: Experiment, metrics: Metrics) -> None:
        self._best, self._model, self._data = best, experiment.model, experiment.validation
        self._stopping: EarlyStopping | None = None
        if recipe.patience is not None:
            self._stopping = EarlyStopping(recipe.patience)
            for record in metrics.records:
                if "validation_loss" in record:
                    self._stopping.update(record["validation_loss"])

    @property
    def stopped(self) -> bool:
        """Whether patience has run out."""
        return self._stopping is not None and self._stopping.stopped

    def after(self, step: Step) -> dict[str, float]:
        """Return the validation metrics at the end of an epoch, and keep the parameters if they are the best."""
        if self._stopping is None or self._data is None or not step.ends_epoch:
            return {}
        result = evaluate(self._model, step.params, self._data.images, self._data.labels)
        if self._stopping.update(result.loss):
            write_file(self._best, pack_arrays(step.params))
        return {"validation_loss": result.loss, "validation_accuracy": result.accuracy}

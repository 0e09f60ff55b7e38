"""A run: a directory that holds a recipe and everything that came of it.

config.json           the recipe, written first
metrics.jsonl         one line a step
checkpoints/          the last two training states
model.safetensors     the trained parameters, under the names that they have in PyTorch
best.safetensors      with early stopping, the best ones so far
summary.json          what the finished run reached
stopped.json          why the monitor stopped the run, until it is resumed
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

from whygrad.data import Progress
from whygrad.errors import DataError, FileError, NonFiniteError, OptionError, WhygradError
from whygrad.layers import Layer, count
from whygrad.threads import MOST_THREADS, get_num_threads
from whygrad.training.checkpoint import Checkpoints
from whygrad.training.early_stopping import EarlyStopping
from whygrad.training.evaluate import Evaluation, evaluate
from whygrad.training.facts import Facts
from whygrad.training.files import (
    pack_arrays,
    pack_json,
    read_file,
    read_json,
    sweep,
    unpack_arrays,
    unwritable,
    write_directory,
    write_file,
)
from whygrad.training.fit import Step, fit
from whygrad.training.lost import STOPPED, lost_error, next_step, read_stopped, restore
from whygrad.training.metrics import Metrics
from whygrad.training.monitor import Monitor
from whygrad.training.recipe import Experiment, Plan, Recipe, plan, prepare
from whygrad.training.state import beginning, generator
from whygrad.typing import Array
from whygrad.version import __version__

_CONFIG, _SUMMARY, _MODEL, _BEST = "config.json", "summary.json", "model.safetensors", "best.safetensors"
_CHECKPOINTS = "checkpoints"


class Run:
    """A run directory that is there.

    Args:
        path: the directory.

    Raises:
        FileError: there is no run, or its recipe is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        #: What the step just made gave on the images held out for validation; nothing within an epoch.
        self.validation: dict[str, float] = {}
        if not (path / _CONFIG).is_file():
            received = "a directory without config.json" if path.is_dir() else "no such directory"
            remedy = "name the directory that whygrad train wrote, such as runs/digits-1"
            raise FileError(str(path), "a run", received, remedy)
        self.config = read_json(path / _CONFIG)
        try:
            self.recipe = Recipe.from_dict(self.config.get("recipe"))
        except (WhygradError, TypeError) as error:
            remedy = "restore the file or start a new run"
            raise FileError(str(path / _CONFIG), "a recipe", str(error), remedy) from None

    def _repr_html_(self) -> str:
        from whygrad.training.rendering import run_html  # noqa: PLC0415  (only where something is shown)

        return run_html(self)

    @property
    def threads(self) -> int:
        """The number of threads that the run was begun with; another one would give other last bits.

        Raises:
            FileError: what stands there is no number of threads.
        """
        threads = self.config.get("threads", get_num_threads())
        if type(threads) is not int or not 1 <= threads <= MOST_THREADS:
            remedy = "restore the file or start a new run"
            raise FileError(str(self.path / _CONFIG), "a number of threads", f"{threads!r}", remedy)
        return threads

    @property
    def facts(self) -> Facts | None:
        """What the run knows of its data; None if an earlier version wrote it.

        Raises:
            FileError: what stands there cannot be understood.
        """
        if "data" not in self.config:
            return None
        try:
            return Facts.from_dict(str(self.path / _CONFIG), self.config["data"])
        except DataError as error:
            raise FileError(error.where, error.expected, error.received, error.remedy) from None

    @property
    def watched(self) -> bool:
        """Whether the run was begun with a monitor."""
        return self.config.get("watch") is True

    @property
    def stopped(self) -> dict[str, Any] | None:
        """Why the monitor stopped the run: ``step``, ``reason`` and ``restored_step``; None if it did not.

        Raises:
            FileError: what stands there is damaged.
        """
        return read_stopped(self.path)

    @classmethod
    def create(
        cls,
        recipe: Recipe,
        path: Path | None = None,
        parent: Path = Path("runs"),
        *,
        facts: Facts | None = None,
        watch: bool = False,
    ) -> Run:
        """Make the directory of a new run.

        Args:
            recipe: its recipe.
            path: the directory, empty or not there yet; None for the next number below ``parent``.
            parent: where numbered runs stand.
            facts: what is known of its data, so that it can be used without them.
            watch: whether it is to be trained with a monitor, which a resumed run remembers.

        Raises:
            FileError: the directory is in use or cannot be written.
        """
        made_with = {"whygrad": __version__, "numpy": np.__version__, "threads": get_num_threads()}
        made_with |= {"watch": True} if watch else {}
        data = {} if facts is None else {"data": facts.to_dict()}
        files = {_CONFIG: pack_json(made_with | {"recipe": recipe.to_dict()} | data)}
        if path is not None:
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                remedy = "choose another directory, or continue it with --resume"
                raise FileError(str(path), "a new or empty directory", "one that is in use", remedy)
            if path.exists():
                (path / _CHECKPOINTS).mkdir()
                write_file(path / _CONFIG, files[_CONFIG])
            else:
                _make_parents(path)
                write_directory(path, files, folders=(_CHECKPOINTS,))
            return cls(path)
        _make_parents(parent / "run")
        number = 1
        while True:
            numbered = parent / f"{recipe.request.name}-{number}"
            if not numbered.exists():
                try:
                    write_directory(numbered, files, folders=(_CHECKPOINTS,))
                except FileError:
                    if not numbered.exists():  # otherwise another run took the number meanwhile
                        raise
                else:
                    return cls(numbered)
            number += 1

    @property
    def summary(self) -> dict[str, Any] | None:
        """What the finished run reached; None if it is not finished.

        Raises:
            FileError: it is damaged.
        """
        if not (self.path / _SUMMARY).exists():
            return None
        summary = read_json(self.path / _SUMMARY)
        for name in ("test_accuracy", "seconds", "epochs"):
            if type(summary.get(name)) not in (int, float):
                remedy = "delete it and finish the run again with --resume"
                raise FileError(str(self.path / _SUMMARY), f"{name} as a number", f"{summary.get(name)!r}", remedy)
        return summary

    def amend(self, learning_rate: float) -> None:
        """Go on with another learning rate from where the monitor stopped the run.

        ``config.json`` gets the new recipe, and remembers the rates before it.

        Raises:
            OptionError: the monitor did not stop this run, or a learning rate outside its domain.
            FileError: no room to write.
        """
        if self.stopped is None:
            remedy = "leave the other options out: the run remembers them"
            received = "a learning rate for one that nothing stopped"
            raise OptionError("--resume", "another learning rate for a run that was stopped", received, remedy)
        recipe = replace(self.recipe, learning_rate=learning_rate)
        rates = [*self.config.get("earlier_learning_rates", []), self.recipe.learning_rate]
        config = self.config | {"recipe": recipe.to_dict(), "earlier_learning_rates": rates}
        write_file(self.path / _CONFIG, pack_json(config))
        self.config, self.recipe = config, recipe

    def _checkpoints(self, experiment: Experiment | Plan) -> Checkpoints:
        """Return the run's checkpoints, also those of learning rates that it was begun with."""
        earlier = self.config.get("earlier_learning_rates", [])
        try:
            recipes = [replace(self.recipe, learning_rate=rate) for rate in earlier]
            before = [plan(recipe, experiment.facts).optimizer for recipe in recipes]
        except (WhygradError, TypeError) as error:
            remedy = "restore the file or start a new run"
            raise FileError(str(self.path / _CONFIG), "learning rates", str(error), remedy) from None
        return Checkpoints(self.path / _CHECKPOINTS, experiment.optimizer, before)

    def monitor(self, experiment: Experiment) -> Monitor:
        """Return a monitor for ``steps``."""
        data = experiment.train
        return Monitor(
            experiment.model,
            data.images,
            data.labels,
            loss=experiment.loss,
            batch_size=min(self.recipe.batch_size, len(data.labels)),
        )

    def steps(
        self, experiment: Experiment, monitor: Monitor | None = None, *, keep_gradients: bool = False
    ) -> Iterator[Step]:
        """Train from the last checkpoint, or from the start, to the end; yield after every step.

        Metrics are written at every step, and a checkpoint at the end of every epoch and wherever the caller
        stops, be it by an exception. A monitor's signals are written with them. When it says that the run is lost,
        checkpoints of what went wrong are dropped, so that the last one is the last good one, and what happened
        is written to ``stopped.json``.

        Args:
            experiment: what the recipe stands for.
            monitor: a new one, or None.
            keep_gradients: let each step hold its gradients.

        Raises:
            FileError: a damaged checkpoint, or no room to write.
            NonFiniteError: the loss is not finite any more, and there is no monitor.
            LostError: the monitor says that the run is lost, and why.
        """
        with self._locked():
            yield from self._steps(experiment, monitor, keep_gradients)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep every other process from training this run; the lock ends with the process, however it ends."""
        if fcntl is None:
            yield
            return
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            remedy = "wait for the other one, or start a new run"
            raise FileError(str(self.path), "one process that trains it", "a second one", remedy) from None
        try:
            yield
        finally:
            os.close(handle)

    def _steps(self, experiment: Experiment, monitor: Monitor | None, keep_gradients: bool) -> Iterator[Step]:
        recipe, optimizer = self.recipe, experiment.optimizer
        checkpoints = self._checkpoints(experiment)
        for directory in (self.path, checkpoints.directory):
            sweep(directory)
        state = checkpoints.latest()
        if state is None:
            rng = np.random.default_rng(recipe.seed)
            params = experiment.model.init(rng)
            state = beginning(params, optimizer.init(params), rng)
        check_parameters(self.path, experiment.model, state.params)
        metrics = Metrics(self.path / "metrics.jsonl", state.step)
        stopping = self._stopping(metrics)
        if monitor is not None:
            monitor.begin(state.params, state, metrics.records)
        (self.path / STOPPED).unlink(missing_ok=True)
        steps = fit(
            experiment.model,
            state.params,
            experiment.train.images,
            experiment.train.labels,
            loss=experiment.loss,
            optimizer=optimizer,
            rng=generator(state.rng),
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            drop_last=recipe.drop_last,
            augment=experiment.augment,
            clip=experiment.clip,
            resume=state,
            keep_gradients=keep_gradients,
        )
        last = None
        with closing(metrics):
            try:
                while stopping is None or not stopping.stopped:
                    step = next_step(self.path, steps, monitor)
                    if step is None:
                        break
                    signals = monitor.update(step) if monitor is not None else {}
                    self.validation = self._validate(experiment, step, stopping)
                    metrics.write(step, **self.validation, **signals)
                    last = step
                    if monitor is not None and monitor.lost is not None:
                        raise lost_error(self.path, monitor.lost)
                    if step.ends_epoch:
                        metrics.sync()
                        checkpoints.save(step)
                    yield step
            finally:
                if monitor is not None and monitor.lost is not None:
                    restore(self.path, checkpoints, monitor.lost)
                elif last is not None:
                    checkpoints.save(last)

    def _stopping(self, metrics: Metrics) -> EarlyStopping | None:
        """Return the early stopping of the recipe, if any, as far as it came before this run was interrupted."""
        if self.recipe.patience is None:
            return None
        stopping = EarlyStopping(self.recipe.patience)
        for record in metrics.records:
            if "validation_loss" in record:
                stopping.update(record["validation_loss"])
        return stopping

    def _validate(self, experiment: Experiment, step: Step, stopping: EarlyStopping | None) -> dict[str, float]:
        """Return the validation metrics at the end of an epoch, and keep the parameters if they are the best."""
        if stopping is None or experiment.validation is None or not step.ends_epoch:
            return {}
        data = experiment.validation
        result = evaluate(experiment.model, step.params, data.images, data.labels)
        if stopping.update(result.loss):
            write_file(self.path / _BEST, pack_arrays(step.params))
        return {"validation_loss": result.loss, "validation_accuracy": result.accuracy}

    def finish(self, experiment: Experiment, seconds: float) -> tuple[dict[str, Any], Evaluation]:
        """Write the trained parameters and the summary of a run that is at its end.

        Raises:
            FileError: no room to write, or no checkpoint to finish from.
            NonFiniteError: the last update left parameters that give no finite loss.
        """
        state = self._checkpoints(experiment).latest()
        if state is None:
            raise FileError(str(self.path), "a checkpoint", "none", "resume the run first")
        params = state.params
        if self.recipe.patience is not None:
            params = self._read_parameters(_BEST, experiment.model)
        result, train = (
            evaluate(experiment.model, params, data.images, data.labels)
            for data in (experiment.test, experiment.train)
        )
        if not np.isfinite([result.loss, train.loss]).all():
            remedy = "lower the learning rate"
            raise NonFiniteError(str(self.path), "a finite loss at the end", f"{result.loss}", remedy)
        write_file(self.path / _MODEL, pack_arrays(params))
        summary = {
            "test_accuracy": result.accuracy,
            "test_loss": result.loss,
            "train_loss": train.loss,
            "train_accuracy": train.accuracy,
            "epochs": state.epoch,
            "steps": state.step,
            "seconds": round(seconds, 3),
            "parameters": count(experiment.model),
            "run_dir": str(self.path),
        }
        write_file(self.path / _SUMMARY, pack_json(summary))
        return summary, result

    def parameters(self, experiment: Experiment | Plan) -> dict[str, Array]:
        """Return the trained parameters, or those of the last checkpoint of a run that is not finished.

        Raises:
            FileError: there are none, or they are damaged.
        """
        if (self.path / _MODEL).exists():
            return self._read_parameters(_MODEL, experiment.model)
        state = self._checkpoints(experiment).latest()
        if state is None:
            remedy = f"train it with: whygrad train --resume {self.path}"
            raise FileError(str(self.path), "trained parameters", "a run that has not begun", remedy)
        check_parameters(self.path, experiment.model, state.params)
        return state.params

    def experiment(self, *, progress: Progress | None = None) -> Experiment:
        """Return what the run's recipe stands for, with its data.

        Raises:
            FileError, DataError: the data are not there, or are not those that the run was begun with.
        """
        return prepare(self.recipe, self.facts, progress=progress)

    def plan(self) -> Plan:
        """Return what the run's recipe stands for but for the data, which need not be there."""
        facts = self.facts
        return plan(self.recipe, self.experiment().facts if facts is None else facts)

    def _read_parameters(self, name: str, model: Layer) -> dict[str, Array]:
        path = self.path / name
        params = unpack_arrays(path, read_file(path))
        check_parameters(path, model, params)
        return params


def _make_parents(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def check_parameters(path: Path, model: Layer, params: dict[str, Array]) -> None:
    """Refuse parameters from ``path`` that are not those of the model, or not finite numbers.

    Raises:
        FileError: names, shapes or dtypes that differ, or NaN or infinity.
    """
    wanted = model.parameters()
    remedy = "use the file of a model of the same architecture"
    for name in sorted(wanted.keys() ^ params.keys()):
        expected = f"{name} in the file" if name in wanted else f"no {name}, which the model does not have"
        raise FileError(str(path), expected, "none" if name in wanted else "one", remedy)
    for name, parameter in wanted.items():
        array = params[name]
        if array.shape != parameter.shape or array.dtype not in (np.float32, np.float64):
            expected = f"{name} of shape {parameter.shape}, float32 or float64"
            raise FileError(str(path), expected, f"{array.shape}, {array.dtype}", remedy)
        if not np.isfinite(array).all():
            remedy = "train again with a lower learning rate"
            raise FileError(str(path), f"finite numbers in {name}", "NaN or infinity", remedy)

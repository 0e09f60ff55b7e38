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

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from whygrad.data import Progress
from whygrad.errors import DataError, FileError, OptionError, WhygradError
from whygrad.threads import MOST_THREADS, get_num_threads
from whygrad.training.checkpoint import Checkpoints
from whygrad.training.evaluate import Evaluation
from whygrad.training.facts import Facts
from whygrad.training.files import pack_json, read_json, unwritable, write_directory, write_file
from whygrad.training.fit import Step
from whygrad.training.lost import read_stopped
from whygrad.training.monitor import Monitor
from whygrad.training.parameters import BEST, MODEL, check_parameters, read_parameters
from whygrad.training.recipe import Experiment, Plan, Recipe, plan, prepare
from whygrad.training.stepping import alone, train_run
from whygrad.training.summary import read_summary, write_summary
from whygrad.typing import Array
from whygrad.version import __version__

_CONFIG, _CHECKPOINTS = "config.json", "checkpoints"


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
        return read_summary(self.path)

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
        with alone(self.path):
            training = train_run(
                self.path,
                self.recipe,
                experiment,
                self._checkpoints(experiment),
                monitor,
                keep_gradients=keep_gradients,
            )
            with closing(training):
                for step, self.validation in training:
                    yield step

    def finish(self, experiment: Experiment, seconds: float) -> tuple[dict[str, Any], Evaluation]:
        """Write the trained parameters and the summary of a run that is at its end.

        Raises:
            FileError: no room to write, or no checkpoint to finish from.
            NonFiniteError: the last update left parameters that give no finite loss.
        """
        state = self._checkpoints(experiment).latest()
        if state is None:
            raise FileError(str(self.path), "a checkpoint", "none", "resume the run first")
        best = self.recipe.patience is not None
        params = read_parameters(self.path / BEST, experiment.model) if best else state.params
        return write_summary(self.path, experiment, state, params, seconds)

    def parameters(self, experiment: Experiment | Plan) -> dict[str, Array]:
        """Return the trained parameters, or those of the last checkpoint of a run that is not finished.

        Raises:
            FileError: there are none, or they are damaged.
        """
        if (self.path / MODEL).exists():
            return read_parameters(self.path / MODEL, experiment.model)
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


def _make_parents(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None

"""What a finished run reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from whygrad.errors import FileError, NonFiniteError
from whygrad.layers import count
from whygrad.training.evaluate import Evaluation, evaluate
from whygrad.training.files import pack_arrays, pack_json, read_json, write_file
from whygrad.training.parameters import MODEL
from whygrad.training.recipe import Experiment
from whygrad.training.state import TrainingState
from whygrad.typing import Array

_SUMMARY = "summary.json"


def write_summary(
    run: Path, experiment: Experiment, state: TrainingState, params: dict[str, Array], seconds: float
) -> tuple[dict[str, Any], Evaluation]:
    """Write the parameters that a run is to be used with, and what they reach.

    Args:
        run: the directory of the run.
        experiment: what its recipe stands for.
        state: the last one.
        params: those of the last step, or the best ones.
        seconds: how long the training took.

    Returns:
        The summary, and the evaluation on the test images.

    Raises:
        FileError: no room to write.
        NonFiniteError: the parameters give no finite loss.
    """
    result, train = (
        evaluate(experiment.model, params, data.images, data.labels) for data in (experiment.test, experiment.train)
    )
    if not np.isfinite([result.loss, train.loss]).all():
        remedy = "lower the learning rate"
        raise NonFiniteError(str(run), "a finite loss at the end", f"{result.loss}", remedy)
    write_file(run / MODEL, pack_arrays(params))
    summary = {
        "test_accuracy": result.accuracy,
        "test_loss": result.loss,
        "train_loss": train.loss,
        "train_accuracy": train.accuracy,
        "epochs": state.epoch,
        "steps": state.step,
        "seconds": round(seconds, 3),
        "parameters": count(experiment.model),
        "run_dir": str(run),
    }
    write_file(run / _SUMMARY, pack_json(summary))
    return summary, result


def read_summary(run: Path) -> dict[str, Any] | None:
    """Return what ``write_summary`` wrote; None if there is nothing.

    Raises:
        FileError: it is damaged.
    """
    if not (run / _SUMMARY).exists():
        return None
    summary = read_json(run / _SUMMARY)
    for name in ("test_accuracy", "seconds", "epochs"):
        if type(summary.get(name)) not in (int, float):
            remedy = "delete it and finish the run again with --resume"
            raise FileError(str(run / _SUMMARY), f"{name} as a number", f"{summary.get(name)!r}", remedy)
    return summary

"""How a scenario is put to the diagnosis of trainings."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.training_faults.scenario import Functions, Setup
from whygrad.diagnosis import Diagnosis
from whygrad.errors import WhygradError

Diagnose = Callable[..., Diagnosis]

#: What is told of an optimiser whose name is not among those that the function knows.
_NAMES = {"momentum": "sgd", "nesterov": None}


class MissingError(WhygradError):
    """This whygrad has no diagnosis of trainings."""


def diagnose_training() -> Diagnose:
    """Return the function that is tried.

    Raises:
        MissingError: there is none.
    """
    found = getattr(import_module("whygrad"), "diagnose_training", None)
    if found is None:
        raise MissingError("whygrad", "diagnose_training", "none", "install a version that has it")
    return found


def arguments(setup: Setup, known: set[str]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return what is passed: everything that the person knows and the function asks for, ``known``."""
    if isinstance(setup, Functions):
        told = {
            "loss": setup.loss,
            "gradients": setup.gradients,
            "params": setup.params,
            "learning_rate": setup.learning_rate,
            "batch": setup.batches[0],
            "batches": list(setup.batches),
            "step": setup.step,
            "optimizer": _NAMES.get(setup.optimizer or "", setup.optimizer),
            "momentum": setup.momentum or None,
        }
        always = {"loss", "gradients", "params", "learning_rate", "batch", "step"}
        return (), {n: v for n, v in told.items() if n in always or (n in known and v is not None)}
    told = {"optimizer": setup.optimizer, "loss": setup.loss, "batch_size": setup.batch_size, "clip": setup.clip}
    data = (setup.images, setup.labels)
    passed = {n: v for n, v in told.items() if n in ("optimizer", "loss") or (n in known and v is not None)}
    return (setup.model, setup.params, data), passed


def ask(diagnose: Diagnose, setup: Setup) -> Diagnosis:
    """Return what is said of a setup."""
    positional, named = arguments(setup, set(inspect.signature(diagnose).parameters))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return diagnose(*positional, **named)

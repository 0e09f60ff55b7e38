"""A person's training in a file: which of its names make a training, and the template that says so."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from whygrad.diagnosis.training.diagnosing import diagnose_training
from whygrad.diagnosis.training.report import TrainingDiagnosis
from whygrad.errors import OptionError

#: What is needed, and one of these.
NEEDED, ONE_OF = ("loss", "params", "learning_rate"), ("gradients", "grads", "step")
OPTIONAL = ("batch", "data", "batches", "step", "momentum", "optimizer", "predict", "logits", "evaluate", "classes")


def template() -> str:
    """Return the text of a training that ``whygrad diagnose`` understands, to be filled in.

    Example:
        >>> "learning_rate = 0.3" in template()
        True
    """
    return (Path(__file__).parent / "template.py").read_text(encoding="utf-8")


def is_training(module: ModuleType) -> bool:
    """Whether a file defines a training: a loss and a learning rate, and parameters or their gradients."""
    return all(hasattr(module, name) for name in NEEDED) or (
        callable(getattr(module, "loss", None))
        and callable(getattr(module, "step", None))
        and hasattr(module, "params")
    )


def diagnose_module(module: ModuleType, name: str, **options: Any) -> TrainingDiagnosis:
    """Diagnose the training that a module defines.

    Raises:
        OptionError: something that is needed is missing.
    """
    there = {key: getattr(module, key) for key in (*NEEDED, *OPTIONAL) if hasattr(module, key)}
    there["gradients"] = getattr(module, "gradients", getattr(module, "grads", None))
    if "batch" not in there and "data" not in there and "batches" not in there:
        raise OptionError(
            name, "batch, data or batches", "none of them", "whygrad diagnose --template shows a whole training"
        )
    if callable(there["params"]):
        there["params"] = there["params"]()
    return diagnose_training(**there, **options)

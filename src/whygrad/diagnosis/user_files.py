"""A person's file: executed in a process of its own, which may hang, exit or print without harm."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from whygrad.checking.user_file import import_user_file
from whygrad.diagnosis.functions import diagnose
from whygrad.diagnosis.layer_objects import is_layer
from whygrad.diagnosis.losses import diagnose_loss
from whygrad.diagnosis.networks import diagnose_network
from whygrad.diagnosis.registry import ALIASES
from whygrad.diagnosis.report import Diagnosis, Finding, Judgement
from whygrad.diagnosis.training.files import diagnose_module, is_training
from whygrad.diagnosis.training.report import TrainingDiagnosis
from whygrad.errors import FileError, OptionError, WhygradError
from whygrad.ops.registry import OPERATIONS

#: Seconds beyond the limit of one call that the whole may take.
GRACE = 30.0


def diagnose_file(
    path: str | Path,
    names: tuple[str, ...] | None = None,
    *,
    time_limit: float = 10.0,
    seed: int = 0,
    **options: Any,
) -> Diagnosis:
    """Execute a Python file in a process of its own, and say what is wrong with its backward pass.

    The file is executed, with all that it does: files from strangers are to be read first.

    It has a function ``backward`` (and maybe ``forward``) or a layer class, with ``op = "conv2d"`` beside it; or
    ``loss`` and ``gradient`` with ``inputs``, a function that returns (z, target); or ``loss`` and ``gradients``
    with ``inputs`` that returns (params, x, t).

    Args:
        path: the file.
        names: of the functions, backward last, or of a class.
        time_limit: seconds that one call may take, and after a while all of it.
        seed: of the probes.
        options: of ``diagnose``: op, stride, padding, layout, weights.

    Raises:
        OptionError: there is no such file, or nothing in it to diagnose.
        FileError: the file cannot be imported.
    """
    path = Path(path)
    if not path.is_file():
        raise OptionError(str(path), "a Python file", "a folder" if path.is_dir() else "none", "check the path")
    with tempfile.TemporaryDirectory(prefix="whygrad") as folder:
        answer = Path(folder) / "answer.json"
        asked = {
            "path": str(path.resolve()),
            "names": names,
            "seed": seed,
            "time_limit": time_limit,
            "options": options,
        }
        command = [sys.executable, "-m", "whygrad.diagnosis.user_files", json.dumps(asked), str(answer)]
        child = subprocess.Popen(  # noqa: S603 - this interpreter, on the file that the caller names
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=path.resolve().parent,
        )
        try:
            child.wait(time_limit + GRACE + options.get("seconds", 0.0))
        except subprocess.TimeoutExpired:
            return _ended(path, f"it did not end within {time_limit + GRACE:g} s")
        finally:
            _stop(child)
        if not answer.is_file():
            return _ended(path, f"its process ended with code {child.returncode} before anything could be said")
        content = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in content:
        kind = {"OptionError": OptionError, "FileError": FileError}.get(content["error"], OptionError)
        raise kind(*content["parts"])
    return (TrainingDiagnosis if content.get("kind") == "training" else Diagnosis).from_dict(content)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    child.wait()


def _ended(path: Path, what: str) -> Diagnosis:
    finding = Finding(output="all", verdict=Judgement.ERROR, says=f"nothing could be judged: {what}")
    return Diagnosis(subject=path.name, findings=(finding,))


def _in_this_process(asked: dict[str, Any]) -> Diagnosis:
    path = Path(asked["path"])
    sys.path.insert(0, str(path.parent))
    module = import_user_file(path)
    options = {"seed": asked["seed"], "time_limit": asked["time_limit"]}
    given = {k: v for k, v in asked["options"].items() if v is not None}
    found = _diagnosed(module, path, asked["names"], given, options)
    return replace(found, subject=path.name)


def _diagnosed(
    module: ModuleType, path: Path, names: Any, given: dict[str, Any], options: dict[str, Any]
) -> Diagnosis:
    training = {name: given.pop(name) for name in ("thorough", "seconds") if name in given}
    if names is None and is_training(module):
        return diagnose_module(module, path.name, **training, **options)
    loss = getattr(module, "loss", None)
    inputs = getattr(module, "inputs", None)
    if names is None and callable(loss) and callable(inputs):
        values = inputs(*[np.random.default_rng(options["seed"])] if inspect.signature(inputs).parameters else [])
        many = getattr(module, "gradients", None) or getattr(module, "grads", None)
        if callable(many):
            return diagnose_network(loss, many, values[0], tuple(values[1:]), **options)
        one = getattr(module, "gradient", None) or getattr(module, "backward", None)
        if callable(one):
            return diagnose_loss(loss, one, *values, **options)
    backward, forward = _functions(module, path, names)
    op = (
        given.pop("op", None)
        or getattr(module, "op", None)
        or getattr(module, "OP", None)
        or _guessed(backward, path)
    )
    if op is None and forward is None:
        raise OptionError(
            path.name,
            "the operation that its backward pass is of",
            "none",
            'add op = "conv2d" to the file, or say --op conv2d',
        )
    for option in ("stride", "padding", "layout", "weights", "kernel_size"):
        if hasattr(module, option) and not callable(getattr(module, option)):
            given.setdefault(option, getattr(module, option))
    return diagnose(backward, op, forward, **given, **options)


def _functions(module: ModuleType, path: Path, names: Any) -> tuple[Any, Any]:
    """Return the backward and the forward that a file has, or the layer class twice over."""
    own = {
        n: v
        for n, v in vars(module).items()
        if not n.startswith("_") and getattr(v, "__module__", None) == module.__name__
    }
    if names:
        missing = [name for name in names if not callable(getattr(module, name, None))]
        if missing:
            raise OptionError(
                path.name, f"a function {' and '.join(missing)}", ", ".join(own) or "none", "check the names"
            )
        things = [getattr(module, name) for name in names]
        return things[-1], things[0] if len(things) > 1 else None
    if callable(own.get("backward")):
        return own["backward"], own.get("forward")
    classes = [v for v in own.values() if inspect.isclass(v) and is_layer(v)]
    backwards = [n for n, v in own.items() if inspect.isfunction(v) and "backward" in n.lower()]
    if len(classes) == 1 and not backwards:
        return classes[0], None
    if len(backwards) == 1:
        return own[backwards[0]], own.get(backwards[0].replace("backward", "forward"))
    if not backwards and callable(own.get("forward")):
        return None, own["forward"]
    names_told = ", ".join([*backwards, *(c.__name__ for c in classes)]) or ", ".join(own) or "nothing"
    raise OptionError(
        path.name,
        "a function backward, or one layer class",
        names_told,
        f"name yours: {path.name}:FORWARD,BACKWARD",
    )


def _guessed(backward: Any, path: Path) -> str | None:
    """Return the operation that the names of a function and of its file speak of."""
    words = f"{getattr(backward, '__name__', '')} {path.stem}".lower()
    known = sorted({**{n: n for n in OPERATIONS}, **ALIASES}, key=len, reverse=True)
    for name in known:
        if len(name) > 3 and name in words.replace("-", "_"):
            return ALIASES.get(name, name)
    return None


def main(asked: str, answer: str) -> None:
    """Diagnose in this process and write the answer down."""
    try:
        content = _in_this_process(json.loads(asked)).to_dict()
    except WhygradError as error:
        content = {
            "error": type(error).__name__,
            "parts": [error.where, error.expected, error.received, error.remedy],
        }
    temporary = Path(answer + ".part")
    temporary.write_text(json.dumps(content, default=float), encoding="utf-8")
    temporary.replace(answer)
    os._exit(0)  # a thread of the file that never ends is left behind


if __name__ == "__main__":
    main(*sys.argv[1:3])

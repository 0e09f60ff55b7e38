"""``diagnose``: how often the cause of a wrong gradient is named, over a folder of cases.

The folder has an ``index.json``, a list of cases with ``id``, ``kind``, ``label`` and ``also``, and a
``code/<id>.py`` for each.
Each file has ``CASE`` and the functions of its kind.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.idx import DataFileError
from benchmarks.report import Report
from whygrad.diagnosis import Diagnosis, diagnose, diagnose_loss, diagnose_network
from whygrad.ops.registry import OPERATIONS

OUTCOMES = ("right", "right by also", "abstained", "wrong cause", "missed", "false alarm")
COLUMNS = ("kind", "cases", *OUTCOMES, "slowest")
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"exp": np.exp, "softplus": lambda x: np.log1p(np.exp(x))}


class Judged(NamedTuple):
    """What was said of one case."""

    name: str
    kind: str
    label: str
    outcome: str
    cause: str | None
    seconds: float


def _activation(case: Any) -> Diagnosis:
    act = str(case.CASE.get("act", ""))
    forward = getattr(case, "forward", None) or ACTIVATIONS.get(act)
    if forward is None or (act in OPERATIONS and not hasattr(case, "forward")):
        return diagnose(case.backward, act)
    return diagnose(case.backward, None, forward)


def _loss(case: Any) -> Diagnosis:
    z, t = case.data(np.random.default_rng(0))
    return diagnose_loss(case.loss, case.backward, z, t)


def _network(case: Any) -> Diagnosis:
    params, x, t = case.make(np.random.default_rng(0))
    return diagnose_network(case.loss, case.grads, params, (x, t))


def _batch_norm(case: Any) -> Diagnosis:
    config = case.CASE.get("config", {})
    layout = {True: "NCHW", False: "NC"}.get(config.get("nchw"))
    return diagnose(case.backward, "batch_norm2d", layout=layout)


#: How a case of each kind is asked about.
KINDS: dict[str, Callable[[Any], Diagnosis]] = {
    "conv2d": lambda case: diagnose(case.backward, "conv2d"),
    "forward_conv2d": lambda case: diagnose(None, "conv2d", case.forward),
    "maxpool2d": lambda case: diagnose(case.backward, "max_pool2d"),
    "avgpool2d": lambda case: diagnose(case.backward, "avg_pool2d"),
    "linear": lambda case: diagnose(case.backward, "linear", weights="IO"),
    "batchnorm": _batch_norm,
    "activation": _activation,
    "softmax": lambda case: diagnose(case.backward, "softmax"),
    "loss_grad": _loss,
    "dropout": lambda case: diagnose(case.backward, "dropout", case.forward),
    "network": _network,
}


def outcome_of(cause: str | None, label: str, also: list[str]) -> str:
    """Return what a named cause is worth.

    Example:
        >>> outcome_of("sign_error", "sign_error", []), outcome_of("sign_error", "no_bug", [])
        ('right', 'false alarm')
    """
    if cause == label:
        return "right"
    if label == "no_bug":
        return "false alarm"
    if cause in also:
        return "right by also"
    return {None: "abstained", "no_bug": "missed"}.get(cause, "wrong cause")


def judge(path: Path, entry: dict[str, Any]) -> Judged:
    """Return what is said of one case."""
    spec = spec_from_file_location(f"case_{entry['id']}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise DataFileError(f"{path}: expected a Python file, received none; check the folder")
    case = module_from_spec(spec)
    spec.loader.exec_module(case)
    began = time.perf_counter()
    cause = KINDS[entry["kind"]](case).cause
    seconds = time.perf_counter() - began
    return Judged(
        entry["id"],
        entry["kind"],
        entry["label"],
        outcome_of(cause, entry["label"], entry.get("also", [])),
        cause,
        seconds,
    )


def measure(folder: Path, report: Report) -> None:
    """Diagnose every case that has a backward pass, a forward pass, a loss or a network, and show the counts."""
    index = folder / "index.json"
    if not index.is_file():
        raise DataFileError(f"{index}: expected a list of cases, received none; pass the folder that it lies in")
    judged, left_out = [], Counter[str]()
    for entry in json.loads(index.read_text(encoding="utf-8")):
        if entry["kind"] not in KINDS:
            left_out[entry["kind"]] += 1
            continue
        judged.append(judge(folder / "code" / f"{entry['id']}.py", entry))
        report.add(**judged[-1]._asdict())
    rows = []
    for kind in dict.fromkeys(j.kind for j in judged):
        rows.append(_row(kind, [j for j in judged if j.kind == kind]))
    rows.append(_row("all", judged))
    report.table(COLUMNS, rows)
    for j in judged:
        if j.outcome not in ("right", "right by also"):
            report.say(f"{j.name}: {j.outcome}; it is {j.label}, told was {j.cause or 'nothing'}")
    if left_out:
        report.say(
            "left out, since nothing in them is a gradient: "
            + ", ".join(f"{n} of kind {k}" for k, n in left_out.items())
        )


def _row(kind: str, judged: list[Judged]) -> list[str]:
    counts = Counter(j.outcome for j in judged)
    slowest = max((j.seconds for j in judged), default=0.0)
    return [kind, str(len(judged)), *(str(counts[o]) for o in OUTCOMES), f"{slowest:.2f} s"]

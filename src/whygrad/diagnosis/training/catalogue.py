"""What the catalogue of mistakes in gradients says of a training whose gradients are wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from whygrad.clock import working_time
from whygrad.diagnosis.identifying import identified
from whygrad.diagnosis.networks import diagnose_network
from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.batches import rebuilt
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: Seconds that the catalogue may take, and the share of what is left that it may use.
_PATIENCE, _SHARE = 6.0, 0.5
#: Losses of which the quickest tells what one costs.
_MEASURED = 3


class _Late(BaseException):
    """The catalogue's time is over; nothing on the way may take it for an error of the person's code."""


def _seconds_of(subject: Subject, at: Mapping[str, Array]) -> float:
    """Return how long a loss takes."""
    began = working_time()
    subject.loss(dict(at))
    return working_time() - began


def named_by_catalogue(subject: Subject, at: Mapping[str, Array], names: Sequence[str]) -> dict[str, Finding]:
    """Return what ``diagnose_network`` says of each wrong parameter; nothing where it would take too long."""
    found = subject.xt()
    if found is None:
        return {}
    x, t = (np.asarray(part) for part in found)
    batch = subject.batch

    began = working_time()
    patience = min(_PATIENCE, _SHARE * subject.clock.left)

    def in_time() -> None:
        if working_time() - began > patience:
            raise _Late

    def loss(params: dict[str, Array], x: Any, t: Any) -> float:
        in_time()
        return subject.loss(params, rebuilt(batch, x, t))

    def gradients(params: dict[str, Array], x: Any, t: Any) -> dict[str, Array]:
        in_time()
        return subject.gradients(params, rebuilt(batch, x, t))

    try:
        cost = min(_seconds_of(subject, at) for _ in range(_MEASURED))  # one of them may have been interrupted
        if 8 * sum(a.size for a in at.values()) * cost > patience and not _identifiable(
            loss, at, (x, t), cost, began, patience
        ):
            return {}
        told = diagnose_network(
            loss, gradients, dict(at), (x, t), time_limit=max(patience, 0.5), patience=patience / 2
        )
    except (_Late, CallFailed, ValueError, IndexError, KeyError, TypeError, ArithmeticError):
        return {}
    ranked = sorted(told.findings, key=lambda finding: finding.cause != told.cause)
    return {finding.output: finding for finding in ranked if finding.output in names}


def _identifiable(
    loss: Callable[..., float],
    at: Mapping[str, Array],
    data: tuple[Array, Array],
    cost: float,
    began: float,
    patience: float,
) -> bool:
    """Return whether the network is found out in time, where differences of its loss would take too long."""
    if 3000 * cost >= patience:
        return False
    x, t = data
    with np.errstate(all="ignore"):
        rng = np.random.default_rng(0)
        return identified(lambda p: loss(dict(p), x, t), dict(at), x, t, rng, began + patience / 2) is not None

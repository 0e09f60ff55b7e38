"""What stands at the end of a network: its last activation, its loss, and a regulariser."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.catalogue import ImpossibleError
from whygrad.typing import Array

#: What may stand after the last layer.
LAST = ("identity", "softmax", "sigmoid", "tanh", "relu")


class Loss(NamedTuple):
    """What stands at the end of a chain."""

    name: str
    value: Callable[[Array, Array], float]
    gradient: Callable[[Array, Array], Array]


class Penalty(NamedTuple):
    """What a regulariser adds up."""

    value: Callable[[Array], float]
    gradient: Callable[[Array], Array]
    biases: bool  #: whether biases are in it


PENALTIES = {
    "squares": Penalty(lambda a: float((a * a).sum()), lambda a: 2 * a, False),
    "magnitudes": Penalty(lambda a: float(np.abs(a).sum()), np.sign, False),
    "squares of all": Penalty(lambda a: float((a * a).sum()), lambda a: 2 * a, True),
}


def _log(a: Array) -> Array:
    return np.log(np.maximum(a, 1e-300))


LOSSES = (
    Loss("square", lambda o, t: float(((o - t) ** 2).sum()), lambda o, t: 2 * (o - t)),
    Loss("cross-entropy", lambda o, t: float(-(t * _log(o)).sum()), lambda o, t: -t / o),
    Loss(
        "binary cross-entropy",
        lambda o, t: float(-(t * _log(o) + (1 - t) * _log(1 - o)).sum()),
        lambda o, t: (o - t) / (o * (1 - o)),
    ),
    Loss("absolute", lambda o, t: float(np.abs(o - t).sum()), lambda o, t: np.sign(o - t)),
)


def target_like(t: Array, out: Array) -> Array:
    """Return a target in the shape of the network's outputs: class numbers become rows of 0 and 1."""
    if t.shape == out.shape:
        return t.astype(np.float64)
    if t.size == out.size:
        return t.reshape(out.shape).astype(np.float64)
    if t.T.shape == out.shape:
        return t.T.astype(np.float64)
    if out.ndim == 2 and t.size == len(out) and bool((t >= 0).all() and (t < out.shape[1]).all()):
        return np.eye(out.shape[1])[t.reshape(-1).astype(int)]
    raise ImpossibleError

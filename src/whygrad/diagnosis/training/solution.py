"""Whether the targets determine the parameters that a training ends at, or others would do as well."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from whygrad.diagnosis.training.report import Evidence, Trial
from whygrad.diagnosis.training.slopes import typical
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: Entries up to which the whole Hessian is computed.
_DIRECTIONS = 64


def examine_solution(subject: Subject, after: Trial) -> Evidence:
    """Say whether other parameters would do as well, where there are few enough to tell."""
    if subject.gradients_function is None or after.last > 1e-3 * abs(after.first):
        return Evidence("solution")
    found = open_directions(subject, after.params)
    if found is None or not found[0]:
        return Evidence("solution")
    says = (
        f"in {found[0]} of the {found[1]} directions of the parameters the loss does not change there: "
        "the targets do not determine the parameters, and another start ends at others"
    )
    return Evidence("solution", says=says)


def open_directions(subject: Subject, params: Mapping[str, Array]) -> tuple[int, int] | None:
    """Return in how many directions of the parameters the loss is flat at its minimum, and how many there are.

    None where there are too many to tell.

    Example:
        >>> from whygrad.diagnosis.training.subject import Subject
        >>> def loss(p, b): return float(p["w"].sum() ** 2)
        >>> training = Subject({"w": np.zeros(3)}, None, loss, lambda p, b: {"w": 2 * p["w"].sum() * np.ones(3)})
        >>> open_directions(training, training.params)
        (2, 3)
    """
    names = [n for n in subject.names if subject.params[n].dtype == np.float64]
    size = sum(params[n].size for n in names)
    if not size or size > _DIRECTIONS or len(names) < len(subject.names):
        return None
    rows = []
    for n in names:
        for i in range(params[n].size):
            step = np.zeros(params[n].shape)
            step.flat[i] = 1e-4 * typical(params[n])
            up, down = (subject.gradients({**params, n: params[n] + s * step}) for s in (1, -1))
            rows.append(np.concatenate([np.ravel(up[m] - down[m]) for m in names]) / step.flat[i])
    found = np.abs(np.linalg.eigvalsh((np.array(rows) + np.array(rows).T) / 2))
    return int((found < 1e-6 * max(float(found.max()), 1e-300)).sum()), size

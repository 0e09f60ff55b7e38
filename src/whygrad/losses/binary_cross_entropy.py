"""Binary cross-entropy from logits: sigmoid and negative log-likelihood in one."""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad import engines
from whygrad.errors import DataError
from whygrad.losses.targets import Reduction, divisor, like
from whygrad.ops.sigmoid import logistic
from whygrad.typing import Array
from whygrad.validation import floats


def binary_cross_entropy(logits: Array, target: Any, *, reduction: Reduction = "mean") -> tuple[float, Array]:
    """Measure how little probability the sigmoid of each logit gives to its target.

        E = −t·log σ(z) − (1 − t)·log(1 − σ(z))          ∂E/∂z = σ(z) − t

    Computed as max(z, 0) − z·t + log(1 + e^(−|z|)), which needs neither log 0 nor large exponentials.

    Args:
        logits: scores z of any shape, float32 or float64, of any finite size.
        target: t from 0 to 1, in the shape of the logits.
        reduction: "mean" or "sum" over all entries. The mean of nothing is 0.

    Returns:
        The loss and its gradient in the shape of the logits.

    Raises:
        ShapeError: targets of another shape.
        DTypeError: logits that are no floats.
        DataError: targets outside 0 to 1.
        OptionError: an unknown reduction.

    Example:
        >>> loss, gradient = binary_cross_entropy(np.array([0., 1000.]), np.array([1, 0]), reduction="sum")
        >>> round(loss, 4), gradient
        (1000.6931, array([-0.5,  1. ]))

    Source: C. M. Bishop, "Pattern recognition and machine learning" (2006), equations 4.90 and 4.91.
    """
    op = "binary_cross_entropy"
    (z,) = floats(op, logits=logits)
    t = like(op, target, z)
    if t.size and (t.min() < 0 or t.max() > 1):
        received = f"{t.min():g} to {t.max():g}"
        raise DataError(op, "targets from 0 to 1", received, "use 0 and 1, not -1 and 1 or class indices")
    by = divisor(op, reduction, z.size)
    twin = engines.twin("binary_cross_entropy")
    if twin:
        return twin.forward(z, t, by)
    with np.errstate(over="ignore"):
        losses = np.where(z > 0, z * (1 - t), -z * t) + np.log1p(np.exp(-np.abs(z)))
        loss = float(losses.sum(dtype=np.float64) / by)
    return loss, (logistic(z) - t) / z.dtype.type(by)

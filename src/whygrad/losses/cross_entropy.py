"""Cross-entropy from logits: softmax and negative log-likelihood in one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from whygrad import engines
from whygrad.errors import DataError, ShapeError
from whygrad.losses.targets import Reduction, classes, divisor, is_classes, like
from whygrad.ops.log_softmax import log_probabilities
from whygrad.typing import Array
from whygrad.validation import floats, number


def cross_entropy(
    logits: Array,
    target: Any,
    *,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    class_weights: Array | None = None,
) -> tuple[float, Array]:
    """Measure how little probability the softmax of the logits gives to the target.

        E[n]         = −Σ_k a[n,k] · log p[n,k],    p = softmax(z),    a[n,k] = c[k]·((1 − ε)·q[n,k] + ε/K)
        ∂E[n]/∂z[m]  = p[n,m]·Σ_k a[n,k] − a[n,m]   (p − q without weights)

    with q the target distribution, ε the label smoothing and c the class weights. The mean over class indices
    divides by the weights of their classes, Σ_n c[t[n]], as PyTorch does; over probabilities by N.

    Args:
        logits: scores z (N, K) or (N, K, ...), float32 or float64, of any finite size.
        target: class indices (N, ...) of an integer dtype, or probabilities in the shape of the logits.
        reduction: "mean" or "sum" over samples and positions. The mean of nothing is 0.
        label_smoothing: ε from 0 to 1.
        class_weights: c (K,), not negative; all 1 if None.

    Returns:
        The loss and its gradient in the shape of the logits.

    Raises:
        ShapeError: targets or weights that do not fit the logits.
        DTypeError: logits that are no floats.
        DataError: labels out of range, or probabilities that are negative or do not add up to 1.
        OptionError: an option outside its domain.

    Example:
        >>> loss, gradient = cross_entropy(np.log(np.array([[1., 2., 1.]])), np.array([1]))
        >>> round(loss, 4)
        0.6931
        >>> gradient
        array([[ 0.25, -0.5 ,  0.25]])

    Source: C. M. Bishop, "Pattern recognition and machine learning" (2006), equations 4.108 and 4.109; label
    smoothing of C. Szegedy et al., "Rethinking the inception architecture" (2015), section 7.
    """
    op = "cross_entropy"
    (z,) = floats(op, logits=logits)
    epsilon = number(op, "label_smoothing", label_smoothing, 0.0, 1.0)
    weights = _weights(op, class_weights, z)
    of_classes = is_classes(target)
    if of_classes:
        index = classes(op, target, z.shape)
        count = float(index.size if class_weights is None else weights[index].sum())
    else:
        q = _probabilities(op, target, z)
        count = float(z.size // z.shape[1])
    by = divisor(op, reduction, count)
    twin = engines.twin("cross_entropy")
    if twin and of_classes:
        return twin.of_classes(z, index, weights, epsilon, by)
    if twin:
        return twin.of_probabilities(z, q, weights, epsilon, by)
    if of_classes:
        q = np.moveaxis(np.eye(z.shape[1], dtype=z.dtype)[index], -1, 1)
    a = weights.reshape(-1, *[1] * (z.ndim - 2)) * ((1 - epsilon) * q + epsilon / z.shape[1])
    log_p = log_probabilities(z, axis=1)
    with np.errstate(over="ignore"):  # a loss beyond the largest number is infinite, its gradient is not
        terms = np.multiply(a, log_p, out=np.zeros_like(a), where=a > 0)  # 0·log 0 counts as 0
        loss = float(-terms.sum(dtype=np.float64) / by)
    return loss, (np.exp(log_p) * a.sum(axis=1, keepdims=True) - a) / z.dtype.type(by)


def _weights(op: str, class_weights: Array | None, z: Array) -> Array:
    if z.ndim < 2 or not z.shape[1]:
        raise ShapeError(op, "logits of shape (N, K) or (N, K, ...), K > 0", f"{z.shape}", "add the class axis")
    if class_weights is None:
        return _equal(z.shape[1], z.dtype)
    with np.errstate(over="ignore"):
        weights = np.asarray(class_weights).astype(z.dtype)
    if weights.shape != (z.shape[1],):
        raise ShapeError(op, f"class_weights of shape ({z.shape[1]},)", f"{weights.shape}", "give one a class")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise DataError(op, "class_weights that are finite and not negative", f"{weights}", "change them")
    return weights


@lru_cache(maxsize=64)
def _equal(classes: int, dtype: np.dtype[Any]) -> Array:
    weights = np.ones(classes, dtype)
    weights.flags.writeable = False
    return weights


def _probabilities(op: str, target: Any, z: Array) -> Array:
    q = like(op, target, z)
    if q.size and ((q < 0).any() or not np.allclose(q.sum(axis=1), 1, atol=1e-3)):
        expected = "probabilities that are not negative and add up to 1 over the classes"
        received = f"a sum of {q.sum(axis=1).flat[np.abs(q.sum(axis=1) - 1).argmax()]:g} or a negative entry"
        raise DataError(op, expected, received, "normalise the targets, or pass class indices")
    return q

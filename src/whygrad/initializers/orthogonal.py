"""Weights whose rows or columns are orthogonal."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from whygrad.initializers.drawing import cast, check, fans
from whygrad.typing import Array, Shape
from whygrad.validation import number


def orthogonal(
    rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike = np.float32, *, gain: float = 1.0
) -> Array:
    """Draw a matrix W whose rows or columns, whichever are fewer, are orthogonal and of length ``gain``.

        W Wᵀ = gain²·1  for F ≤ D          Wᵀ W = gain²·1  for F ≥ D

    A weight (F, C/groups, R, S) is seen as the matrix (F, D) with D = C/groups·R·S. The matrix is the Q of
    the QR decomposition of normal numbers, with the signs that make the diagonal of R positive: without
    them Q would not be uniform over the orthogonal matrices.

    Args:
        rng: where the numbers are drawn from.
        shape: of the weight, (F, D) or (F, C/groups, R, S).
        dtype: float32 or float64.
        gain: length of the rows or columns, not negative.

    Returns:
        A new array.

    Raises:
        ShapeError: fewer than two axes, or an axis of size 0.
        DTypeError: another dtype.
        OptionError: a gain outside its domain, or no generator.

    Example:
        >>> w = orthogonal(np.random.default_rng(0), (2, 3), np.float64)
        >>> np.allclose(w @ w.T, np.eye(2))
        True

    Source: A. M. Saxe, J. L. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks" (2013); for the signs F. Mezzadri, "How to generate random
    matrices from the classical compact groups" (2007).
    """
    dtype = check("orthogonal", rng, shape, dtype)
    gain = number("orthogonal", "gain", gain, 0.0, math.inf, open_high=True)
    columns, _ = fans(shape, "orthogonal")
    rows = shape[0]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    return cast(gain * (q if rows >= columns else q.T).reshape(shape), dtype)

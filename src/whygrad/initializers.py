"""First values of parameters: drawn so that signals neither fade nor explode on their way through the layers.

Every initialiser is a plain function ``name(rng, shape, dtype)``; options are keywords, and
``functools.partial(normal, std=0.1)`` fixes them. Numbers are drawn in float64 and then rounded, so that
float32 and float64 get the same ones. None is truncated.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.typing import Array, Shape
from whygrad.validation import number, whole


class Initializer(Protocol):
    """Draws the first value of a parameter."""

    def __call__(self, rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike, /) -> Array:
        """Return a new array of ``shape`` and ``dtype``, drawing from nothing but ``rng``."""


def zeros(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike = np.float32) -> Array:
    """Return zeros: for biases, and for the shift of a normalisation.

    Not for weights: units that start equal receive equal gradients and stay equal.

    Args:
        rng: not drawn from.
        shape: of the parameter, any.
        dtype: float32 or float64.

    Returns:
        A new array.

    Raises:
        DTypeError: another dtype.
        OptionError: no generator, or a shape that is not a tuple of whole numbers.

    Example:
        >>> zeros(np.random.default_rng(0), (3,))
        array([0., 0., 0.], dtype=float32)

    Source: D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning internal representations by error
    propagation" (1985), on breaking the symmetry of weights.
    """
    return np.zeros(shape, _check("zeros", rng, shape, dtype))


def constant(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike = np.float32, *, value: float) -> Array:
    """Return an array full of ``value``: 1 for the scale of a normalisation.

    Args:
        rng: not drawn from.
        shape: of the parameter, any.
        dtype: float32 or float64.
        value: a finite number.

    Returns:
        A new array.

    Raises:
        DTypeError: another dtype.
        OptionError: a value that is not finite, no generator, or a shape that is none.

    Example:
        >>> constant(np.random.default_rng(0), (3,), value=1)
        array([1., 1., 1.], dtype=float32)

    Source: S. Ioffe and C. Szegedy, "Batch normalization" (2015), for γ = 1.
    """
    dtype = _check("constant", rng, shape, dtype)
    return np.full(shape, _finite("constant", "value", value), dtype)


def normal(
    rng: np.random.Generator,
    shape: Shape,
    dtype: npt.DTypeLike = np.float32,
    *,
    mean: float = 0.0,
    std: float = 0.01,
) -> Array:
    """Draw from the normal distribution N(mean, std²).

    Args:
        rng: where the numbers are drawn from.
        shape: of the parameter, any.
        dtype: float32 or float64.
        mean: of the distribution.
        std: its standard deviation, not negative.

    Returns:
        A new array.

    Raises:
        DTypeError: another dtype.
        OptionError: a mean or std outside its domain, no generator, or a shape that is none.

    Example:
        >>> normal(np.random.default_rng(0), (2,), np.float64, mean=1, std=0.1)
        array([1.01257302, 0.98678951])

    Source: A. Krizhevsky, I. Sutskever and G. E. Hinton, "ImageNet classification with deep convolutional
    neural networks" (2012), section 5, for mean 0 and std 0.01.
    """
    dtype = _check("normal", rng, shape, dtype)
    mean, std = _finite("normal", "mean", mean), number("normal", "std", std, 0.0, math.inf, open_high=True)
    return _cast(rng.normal(mean, std, shape), dtype)


def uniform(
    rng: np.random.Generator,
    shape: Shape,
    dtype: npt.DTypeLike = np.float32,
    *,
    low: float = -0.05,
    high: float = 0.05,
) -> Array:
    """Draw from the uniform distribution on [low, high].

    Args:
        rng: where the numbers are drawn from.
        shape: of the parameter, any.
        dtype: float32 or float64.
        low: lower bound.
        high: upper bound, at least ``low``.

    Returns:
        A new array.

    Raises:
        DTypeError: another dtype.
        OptionError: bounds that are not finite or not in order, no generator, or a shape that is none.

    Example:
        >>> uniform(np.random.default_rng(0), (2,), np.float64, low=0, high=1)
        array([0.63696169, 0.26978671])

    Source: Y. LeCun et al., "Efficient backprop" (1998), section 4.6, which draws weights from a uniform or
    normal distribution of a chosen spread.
    """
    dtype = _check("uniform", rng, shape, dtype)
    low, high = _finite("uniform", "low", low), _finite("uniform", "high", high)
    if low > high:
        raise OptionError("uniform", "low of at most high", f"low={low:g}, high={high:g}", "swap them")
    return _cast(rng.uniform(low, high, shape), dtype)


def glorot_normal(
    rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike = np.float32, *, gain: float = 1.0
) -> Array:
    """Draw from N(0, std²) with std = gain·√(2 / (fan_in + fan_out)).

    The compromise between a forward pass that keeps its variance (1/fan_in) and a backward pass that keeps
    its own (1/fan_out); for tanh, sigmoid and softmax. Also called Xavier initialisation.

    Args:
        rng: where the numbers are drawn from.
        shape: of the weight, (F, D) or (F, C/groups, R, S).
        dtype: float32 or float64.
        gain: factor on the standard deviation, not negative.

    Returns:
        A new array.

    Raises:
        ShapeError: a shape without fans.
        DTypeError: another dtype.
        OptionError: a gain outside its domain, or no generator.

    Example:
        >>> w = glorot_normal(np.random.default_rng(0), (300, 200))
        >>> round(float(w.std() ** 2 * (200 + 300) / 2), 1)
        1.0

    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks" (2010), equation 12.
    """
    fan_in, fan_out = fans(shape, "glorot_normal")
    return _spread("glorot_normal", rng, shape, dtype, gain=gain, variance=2 / (fan_in + fan_out))


def glorot_uniform(
    rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike = np.float32, *, gain: float = 1.0
) -> Array:
    """Draw from the uniform distribution on [−a, a] with a = gain·√(6 / (fan_in + fan_out)).

    Its variance a²/3 is that of ``glorot_normal``.

    Args:
        rng: where the numbers are drawn from.
        shape: of the weight, (F, D) or (F, C/groups, R, S).
        dtype: float32 or float64.
        gain: factor on the bound, not negative.

    Returns:
        A new array.

    Raises:
        ShapeError: a shape without fans.
        DTypeError: another dtype.
        OptionError: a gain outside its domain, or no generator.

    Example:
        >>> w = glorot_uniform(np.random.default_rng(0), (4, 2))
        >>> bool((abs(w) <= 1).all())
        True

    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks" (2010), equation 16, the "normalized initialization".
    """
    fan_in, fan_out = fans(shape, "glorot_uniform")
    return _spread("glorot_uniform", rng, shape, dtype, gain=gain, variance=2 / (fan_in + fan_out), flat=True)


def he_normal(
    rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike = np.float32, *, negative_slope: float = 0.0
) -> Array:
    """Draw from N(0, std²) with std = √(2 / ((1 + a²)·fan_in)), a the negative slope.

    A ReLU closes for half of its inputs and halves the second moment; the 2 makes up for it. Also called
    Kaiming initialisation.

    Args:
        rng: where the numbers are drawn from.
        shape: of the weight, (F, D) or (F, C/groups, R, S).
        dtype: float32 or float64.
        negative_slope: a, the slope of a leaky ReLU below zero; 0 for a ReLU.

    Returns:
        A new array.

    Raises:
        ShapeError: a shape without fans.
        DTypeError: another dtype.
        OptionError: a slope that is not finite, or no generator.

    Example:
        >>> w = he_normal(np.random.default_rng(0), (64, 16, 3, 3))
        >>> round(float(w.std() ** 2 * (16 * 3 * 3) / 2), 1)
        1.0

    Source: K. He et al., "Delving deep into rectifiers" (2015), equations 10 and 15.
    """
    slope = _finite("he_normal", "negative_slope", negative_slope)
    fan_in, _ = fans(shape, "he_normal")
    return _spread("he_normal", rng, shape, dtype, gain=math.sqrt(2) / math.hypot(1, slope), variance=1 / fan_in)


def he_uniform(
    rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike = np.float32, *, negative_slope: float = 0.0
) -> Array:
    """Draw from the uniform distribution on [−b, b] with b = √(6 / ((1 + a²)·fan_in)), a the negative slope.

    Its variance b²/3 is that of ``he_normal``.

    Args:
        rng: where the numbers are drawn from.
        shape: of the weight, (F, D) or (F, C/groups, R, S).
        dtype: float32 or float64.
        negative_slope: a, the slope of a leaky ReLU below zero; 0 for a ReLU.

    Returns:
        A new array.

    Raises:
        ShapeError: a shape without fans.
        DTypeError: another dtype.
        OptionError: a slope that is not finite, or no generator.

    Example:
        >>> w = he_uniform(np.random.default_rng(0), (10, 6))
        >>> bool((abs(w) <= 1).all())
        True

    Source: K. He et al., "Delving deep into rectifiers" (2015), equations 10 and 15, for the variance.
    """
    slope = _finite("he_uniform", "negative_slope", negative_slope)
    fan_in, _ = fans(shape, "he_uniform")
    gain = math.sqrt(2) / math.hypot(1, slope)
    return _spread("he_uniform", rng, shape, dtype, gain=gain, variance=1 / fan_in, flat=True)


def lecun_normal(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike = np.float32) -> Array:
    """Draw from N(0, std²) with std = √(1 / fan_in), which keeps the variance of the forward pass.

    Args:
        rng: where the numbers are drawn from.
        shape: of the weight, (F, D) or (F, C/groups, R, S).
        dtype: float32 or float64.

    Returns:
        A new array.

    Raises:
        ShapeError: a shape without fans.
        DTypeError: another dtype.
        OptionError: no generator.

    Example:
        >>> w = lecun_normal(np.random.default_rng(0), (300, 200))
        >>> round(float(w.std() ** 2 * 200), 1)
        1.0

    Source: Y. LeCun et al., "Efficient backprop" (1998), equation 16.
    """
    fan_in, _ = fans(shape, "lecun_normal")
    return _spread("lecun_normal", rng, shape, dtype, gain=1.0, variance=1 / fan_in)


def lecun_uniform(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike = np.float32) -> Array:
    """Draw from the uniform distribution on [−a, a] with a = √(3 / fan_in).

    Its variance a²/3 is that of ``lecun_normal``.

    Args:
        rng: where the numbers are drawn from.
        shape: of the weight, (F, D) or (F, C/groups, R, S).
        dtype: float32 or float64.

    Returns:
        A new array.

    Raises:
        ShapeError: a shape without fans.
        DTypeError: another dtype.
        OptionError: no generator.

    Example:
        >>> w = lecun_uniform(np.random.default_rng(0), (10, 3))
        >>> bool((abs(w) <= 1).all())
        True

    Source: Y. LeCun et al., "Efficient backprop" (1998), equation 16, for the variance.
    """
    fan_in, _ = fans(shape, "lecun_uniform")
    return _spread("lecun_uniform", rng, shape, dtype, gain=1.0, variance=1 / fan_in, flat=True)


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
    dtype = _check("orthogonal", rng, shape, dtype)
    gain = number("orthogonal", "gain", gain, 0.0, math.inf, open_high=True)
    columns, _ = fans(shape, "orthogonal")
    rows = shape[0]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    return _cast(gain * (q if rows >= columns else q.T).reshape(shape), dtype)


def fans(shape: Shape, where: str = "fans") -> tuple[int, int]:
    """Return how many inputs feed one output of a weight, and how many outputs one input feeds.

        (F, D):               fan_in = D              fan_out = F
        (F, C/groups, R, S):  fan_in = C/groups·R·S   fan_out = F·R·S

    Args:
        shape: of the weight, at least two axes, none of size 0.
        where: what an error names as its place.

    Returns:
        (fan_in, fan_out).

    Raises:
        ShapeError: fewer than two axes, or an axis of size 0.
        OptionError: a shape that is not a tuple of whole numbers.

    Example:
        >>> fans((8, 3, 5, 5))
        (75, 200)

    Source: K. He et al., "Delving deep into rectifiers" (2015), section 2.2, n = k²·c of both passes.
    """
    _check_shape(where, shape)
    if len(shape) < 2 or 0 in shape:
        expected = "a weight of shape (F, D) or (F, C/groups, R, S) without axes of size 0"
        raise ShapeError(where, expected, f"{shape}", "use zeros, constant, normal or uniform for other shapes")
    return math.prod(shape[1:]), shape[0] * math.prod(shape[2:])


def _spread(
    op: str,
    rng: np.random.Generator,
    shape: Shape,
    dtype: npt.DTypeLike,
    *,
    gain: float,
    variance: float,
    flat: bool = False,
) -> Array:
    """Draw with mean 0 and variance gain²·variance, uniformly if ``flat``, else normally."""
    dtype = _check(op, rng, shape, dtype)
    std = number(op, "gain", gain, 0.0, math.inf, open_high=True) * math.sqrt(variance)
    limit = math.sqrt(3) * std
    return _cast(rng.uniform(-limit, limit, shape) if flat else rng.normal(0.0, std, shape), dtype)


def _cast(values: Any, dtype: np.dtype[Any]) -> Array:
    """Return the numbers drawn, which for the shape () are no array yet, in the dtype asked for."""
    return np.asarray(values).astype(dtype, copy=False)


def _check(op: str, rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return the dtype, refusing what is no generator, no shape or no float."""
    if not isinstance(rng, np.random.Generator):
        raise OptionError(op, "rng as a numpy.random.Generator", f"{rng!r}", "pass np.random.default_rng(seed)")
    _check_shape(op, shape)
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise DTypeError(op, "dtype float32 or float64", f"{kind}", "parameters are floats: change dtype")
    return kind


def _check_shape(op: str, shape: Shape) -> None:
    """Refuse what is not a tuple of sizes."""
    if not isinstance(shape, tuple):
        raise OptionError(
            op, "shape as a tuple of whole numbers", f"{shape!r}", "write (3,) for one axis of size 3"
        )
    for axis, size in enumerate(shape):
        whole(op, f"shape[{axis}]", size, 0)


def _finite(op: str, name: str, value: float) -> float:
    """Return ``value`` as a float, refusing NaN and infinity."""
    if abs(number(op, name, value, -math.inf, math.inf)) == math.inf:
        raise OptionError(op, f"{name} to be finite", f"{value!r}", f"change {name}")
    return float(value)

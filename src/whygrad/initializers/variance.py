"""Weights whose variance follows from their fans: Glorot, He and LeCun."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from whygrad.initializers.drawing import cast, check, fans, finite
from whygrad.typing import Array, Shape
from whygrad.validation import number


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
    return spread("glorot_normal", rng, shape, dtype, gain=gain, variance=2 / (fan_in + fan_out))


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
    return spread("glorot_uniform", rng, shape, dtype, gain=gain, variance=2 / (fan_in + fan_out), flat=True)


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
    slope = finite("he_normal", "negative_slope", negative_slope)
    fan_in, _ = fans(shape, "he_normal")
    return spread("he_normal", rng, shape, dtype, gain=math.sqrt(2) / math.hypot(1, slope), variance=1 / fan_in)


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
    slope = finite("he_uniform", "negative_slope", negative_slope)
    fan_in, _ = fans(shape, "he_uniform")
    gain = math.sqrt(2) / math.hypot(1, slope)
    return spread("he_uniform", rng, shape, dtype, gain=gain, variance=1 / fan_in, flat=True)


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
    return spread("lecun_normal", rng, shape, dtype, gain=1.0, variance=1 / fan_in)


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
    return spread("lecun_uniform", rng, shape, dtype, gain=1.0, variance=1 / fan_in, flat=True)


def spread(
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
    dtype = check(op, rng, shape, dtype)
    std = number(op, "gain", gain, 0.0, math.inf, open_high=True) * math.sqrt(variance)
    limit = math.sqrt(3) * std
    return cast(rng.uniform(-limit, limit, shape) if flat else rng.normal(0.0, std, shape), dtype)

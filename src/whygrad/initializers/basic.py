"""Numbers of a given size: zeros, a constant, the normal and the uniform distribution."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from whygrad.errors import OptionError
from whygrad.initializers.drawing import cast, check, finite
from whygrad.typing import Array, Shape
from whygrad.validation import number


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
    return np.zeros(shape, check("zeros", rng, shape, dtype))


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
    dtype = check("constant", rng, shape, dtype)
    return np.full(shape, finite("constant", "value", value), dtype)


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
    dtype = check("normal", rng, shape, dtype)
    mean, std = finite("normal", "mean", mean), number("normal", "std", std, 0.0, math.inf, open_high=True)
    return cast(rng.normal(mean, std, shape), dtype)


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
    dtype = check("uniform", rng, shape, dtype)
    low, high = finite("uniform", "low", low), finite("uniform", "high", high)
    if low > high:
        raise OptionError("uniform", "low of at most high", f"low={low:g}, high={high:g}", "swap them")
    return cast(rng.uniform(low, high, shape), dtype)

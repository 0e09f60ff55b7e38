"""First values of parameters: drawn so that signals neither fade nor explode on their way through the layers.

Every initialiser is a plain function ``name(rng, shape, dtype)``; options are keywords, and
``functools.partial(normal, std=0.1)`` fixes them. Numbers are drawn in float64 and then rounded, so that
float32 and float64 get the same ones. None is truncated.
"""

from whygrad.initializers.basic import constant, normal, uniform, zeros
from whygrad.initializers.drawing import Initializer, fans
from whygrad.initializers.orthogonal import orthogonal
from whygrad.initializers.variance import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
)

__all__ = [
    "Initializer",
    "constant",
    "fans",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "orthogonal",
    "uniform",
    "zeros",
]

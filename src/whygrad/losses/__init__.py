"""The losses: each gives its value and its gradient with respect to the predictions together."""

from whygrad.losses.binary_cross_entropy import binary_cross_entropy
from whygrad.losses.cross_entropy import cross_entropy
from whygrad.losses.half_squared_error import half_squared_error
from whygrad.losses.hinge import hinge
from whygrad.losses.mean_squared_error import mean_squared_error
from whygrad.losses.registry import LOSSES, LossEntry, LossSample, loss

__all__ = [
    "LOSSES",
    "LossEntry",
    "LossSample",
    "binary_cross_entropy",
    "cross_entropy",
    "half_squared_error",
    "hinge",
    "loss",
    "mean_squared_error",
]

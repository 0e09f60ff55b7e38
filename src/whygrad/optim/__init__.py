"""Optimisers, schedules of the learning rate, and clipping: pure functions from old values to new ones."""

from whygrad.optim.adam import Adam
from whygrad.optim.adamw import AdamW
from whygrad.optim.clipping import Clipped, clip_by_global_norm, clip_by_value
from whygrad.optim.optimizer import Optimizer, OptimizerState
from whygrad.optim.rmsprop import RMSprop
from whygrad.optim.schedules import Constant, Cosine, LinearWarmup, OneCycle, Schedule, StepDecay, as_schedule
from whygrad.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Clipped",
    "Constant",
    "Cosine",
    "LinearWarmup",
    "OneCycle",
    "Optimizer",
    "OptimizerState",
    "RMSprop",
    "Schedule",
    "StepDecay",
    "as_schedule",
    "clip_by_global_norm",
    "clip_by_value",
]

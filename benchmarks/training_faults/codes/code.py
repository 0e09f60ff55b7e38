"""What all of these codes give: functions, first parameters and a rate that suits them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from whygrad.typing import Array


@dataclass
class Code:
    """Somebody's network: how it is called, and where its weights and biases are."""

    params: Any
    loss: Callable[[Any, Any], float]
    gradients: Callable[[Any, Any], Any]
    batch: Callable[[Array, Array], Any]  #: images and labels in the form that the code takes
    scores: Callable[[Any, Array], Array]  #: (N, K) of images
    rate: float  #: a learning rate that suits plain gradient descent with batches of 32
    weights: list[Any]  #: keys of the weights, first layer first
    biases: list[Any]  #: keys of their biases


def keys(params: Any) -> list[Any]:
    """Return the keys of a mapping or of a list."""
    return list(params) if isinstance(params, dict) else list(range(len(params)))


def mapped(function: Callable[..., Any], *trees: Any) -> Any:
    """Return mappings or lists of one structure, entry by entry under a function."""
    if isinstance(trees[0], dict):
        return {name: function(*(tree[name] for tree in trees)) for name in trees[0]}
    return [function(*parts) for parts in zip(*trees, strict=True)]


def copied(params: Any) -> Any:
    """Return a copy that shares no memory."""
    return mapped(np.array, params)


def replaced(params: Any, key: Any, value: Any) -> Any:
    """Return a shallow copy with another value at one key."""
    new = dict(params) if isinstance(params, dict) else list(params)
    new[key] = value
    return new


def he(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> Array:
    """Return weights of variance 2/fan_in."""
    return rng.normal(0.0, np.sqrt(2.0 / fan_in), shape)


def xavier(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Array:
    """Return weights of variance 2/(fan_in + fan_out)."""
    return rng.normal(0.0, np.sqrt(2.0 / (fan_in + fan_out)), shape)

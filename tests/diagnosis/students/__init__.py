"""Backward passes as students and bloggers write them, wrong and right, in another style than the catalogue's."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis import diagnose, diagnose_loss, diagnose_network


class Written(NamedTuple):
    name: str
    accepted: tuple  # causes, any of which names what is wrong; empty for right code
    said: Callable  # seed → diagnosis


def collection():
    """Return a list, and the decorators that put functions on it."""
    written = []

    def backward(op, *accepted, forward=None, **options):
        def keep(function):
            def said(seed):
                return diagnose(function, op, forward, seed=seed, **options)

            written.append(Written(f"{op}: {function.__name__}", accepted, said))
            return function

        return keep

    def forward(op, *accepted, **options):
        def keep(function):
            written.append(
                Written(
                    f"{op}: {function.__name__}",
                    accepted,
                    lambda s: diagnose(None, op, function, seed=s, **options),
                )
            )
            return function

        return keep

    def gradient(loss, data, *accepted):
        def keep(function):
            def said(seed):
                return diagnose_loss(loss, function, *data(np.random.default_rng(seed)), seed=seed)

            written.append(Written(f"loss: {function.__name__}", accepted, said))
            return function

        return keep

    def gradients(loss, make, *accepted):
        def keep(function):
            def said(seed):
                params, x, t = make(np.random.default_rng(seed))
                return diagnose_network(loss, function, params, (x, t), seed=seed)

            written.append(Written(f"network: {function.__name__}", accepted, said))
            return function

        return keep

    return written, backward, forward, gradient, gradients

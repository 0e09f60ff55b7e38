"""Gradients and steps that are not what they should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.training_faults import steps
from benchmarks.training_faults.codes.code import Code, copied, keys, mapped, replaced
from benchmarks.training_faults.images import Images
from benchmarks.training_faults.scenario import Functions
from benchmarks.training_faults.setups import Plant, claimed, stepped


def rewritten(change: Callable[[Code, Any], Any]) -> Plant:
    """Return the plant of gradients that are changed before they are returned."""
    return claimed(lambda code: lambda params, batch: change(code, code.gradients(params, batch)))


def negated(at: Callable[[Code], list[Any]]) -> Plant:
    """Return the plant of a wrong sign at some keys."""

    def change(code: Code, grads: Any) -> Any:
        for key in at(code):
            grads = replaced(grads, key, -grads[key])
        return grads

    return rewritten(change)


def samples(batch: Any) -> int:
    """Return how many samples a batch of either form has."""
    return batch["x"].shape[1] if isinstance(batch, dict) else len(batch[0])


def by_samples(power: int) -> Plant:
    """Return the plant of gradients that are N or 1/N times the right ones."""

    def change(code: Code) -> Any:
        return lambda params, batch: mapped(
            lambda g: g * np.asarray(float(samples(batch)) ** power, g.dtype), code.gradients(params, batch)
        )

    return claimed(change)


def zeroed(at: Callable[[Code], list[Any]]) -> Plant:
    """Return the plant of gradients that are zero at some keys."""

    def change(code: Code, grads: Any) -> Any:
        for key in at(code):
            grads = replaced(grads, key, np.zeros_like(grads[key]))
        return grads

    return rewritten(change)


def accumulated(code: Code) -> Any:
    """Return gradients that add up from call to call."""
    total: list[Any] = [None]

    def gradients(params: Any, batch: Any) -> Any:
        now = code.gradients(params, batch)
        total[0] = now if total[0] is None else mapped(np.add, total[0], now)
        return copied(total[0])

    return gradients


def buffered(code: Code) -> Any:
    """Return gradients that are added to buffers which are handed out themselves."""
    buffers: list[Any] = [None]

    def gradients(params: Any, batch: Any) -> Any:
        now = code.gradients(params, batch)
        if buffers[0] is None:
            buffers[0] = mapped(np.zeros_like, now)
        for key in keys(now):
            buffers[0][key] += now[key]
        return buffers[0]

    return gradients


def delayed(calls: int) -> Plant:
    """Return the plant of gradients of so many calls ago."""

    def change(code: Code) -> Any:
        queue: list[Any] = []

        def gradients(params: Any, batch: Any) -> Any:
            queue.append(code.gradients(params, batch))
            return queue.pop(0) if len(queue) > calls else queue[0]

        return gradients

    return claimed(change)


def first_batch_for_ever(code: Code) -> Any:
    """Return gradients of the first batch that was seen, at the parameters that are passed."""
    kept: list[Any] = []

    def gradients(params: Any, batch: Any) -> Any:
        kept.append(batch) if not kept else None
        return code.gradients(params, kept[0])

    return gradients


def first_parameters_for_ever(code: Code) -> Any:
    """Return gradients at the first parameters that were seen, of the batch that is passed."""
    kept: list[Any] = []

    def gradients(params: Any, batch: Any) -> Any:
        kept.append(copied(params)) if not kept else None
        return code.gradients(kept[0], batch)

    return gradients


def updated_too_early(factor: float) -> Plant:
    """Return the plant of a step that changes W2 before the gradient passes through it."""

    def alter(setup: Functions, code: Code, images: Images) -> Functions:
        del images
        rate = code.rate * factor

        def step(params: Any, batch: Any) -> Any:
            x, y = batch
            h = np.maximum(x @ params["W1"] + params["b1"], 0)
            z = h @ params["W2"] + params["b2"]
            e = np.exp(z - z.max(axis=1, keepdims=True))
            d = e / e.sum(axis=1, keepdims=True)
            d[np.arange(len(y)), y] -= 1
            d /= len(y)
            new = dict(params)
            new["W2"] = params["W2"] - rate * h.T @ d
            new["b2"] = params["b2"] - rate * d.sum(axis=0)
            d = d @ new["W2"].T * (h > 0)
            new["W1"] = params["W1"] - rate * x.T @ d
            new["b1"] = params["b1"] - rate * d.sum(axis=0)
            return new

        return replace(setup, step=step, gradients=None, learning_rate=rate)

    return Plant(alter=alter)


def updated_too_early_within(factor: float) -> Plant:
    """Return the plant of gradients beside a step that passes through the weights that it has already changed."""

    def alter(setup: Functions, code: Code, images: Images) -> Functions:
        changed = updated_too_early(factor).alter
        assert changed is not None
        return replace(changed(setup, code, images), gradients=code.gradients)

    return Plant(alter=alter)


def steep(factor: float, beta: float = 0.0) -> Plant:
    """Return the plant of an own step that goes uphill."""

    def alter(setup: Functions, code: Code, images: Images) -> Functions:
        del images
        rate = factor * setup.learning_rate
        step = steps.momentum(code.gradients, -rate, beta) if beta else steps.plain(code.gradients, -rate)
        return replace(setup, step=step, learning_rate=rate, momentum=beta, optimizer="momentum" if beta else None)

    return Plant(alter=alter)


def skipping(at: Callable[[Code], list[Any]]) -> Plant:
    """Return the plant of an own step that leaves parameters out."""
    return stepped(lambda setup, code: steps.in_place(code.gradients, setup.learning_rate, tuple(at(code))))

"""Trainings whose numbers overflow, are divided by zero, or round to nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.training_faults.codes import columns, dictionary, normalised
from benchmarks.training_faults.codes.code import Code, keys, mapped
from benchmarks.training_faults.images import CLASSES, Images
from benchmarks.training_faults.scenario import Functions
from benchmarks.training_faults.setups import Build, Plant, altered


def sharpened(build: Build, factor: float) -> Build:
    """Return a trained code whose last layer is so many times larger: as sure of itself as after long training."""

    def made(images: Images, seed: int) -> Code:
        code = build(images, seed)
        params = code.params
        for x, y in images.batches(64, seed, 300):
            grads = code.gradients(params, code.batch(x, y))
            params = mapped(lambda w, g: (w - code.rate * g).astype(w.dtype), params, grads)
        for key in (code.weights[-1], code.biases[-1]):
            params[key] = params[key] * np.asarray(factor, params[key].dtype)
        return replace(code, params=params, rate=code.rate / factor)

    return made


def perceptron(**options: Any) -> Build:
    """Return the builder of the perceptron in rows with these options."""
    return lambda images, seed: dictionary.build(images, seed, **options)


def perceptron_of_columns(**options: Any) -> Build:
    """Return the builder of the perceptron in columns with these options."""
    return lambda images, seed: columns.build(images, seed, **options)


def log_of_probabilities(images: Images, seed: int) -> Code:
    """Return the perceptron with ln of a softmax that may have underflowed to zero."""
    code = dictionary.build(images, seed, dtype=np.float32)

    def loss(params: Any, batch: Any) -> float:
        z = code.scores(params, batch[0])
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return float(-np.mean(np.log(p[np.arange(len(z)), batch[1]])))

    return replace(code, loss=loss)


def one_hot_log(images: Images, seed: int) -> Code:
    """Return the perceptron with Σ t·ln p over all classes, which is 0·ln 0 for a class that is ruled out."""
    code = dictionary.build(images, seed, dtype=np.float32)

    def loss(params: Any, batch: Any) -> float:
        z = code.scores(params, batch[0])
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return float(-np.sum(np.eye(CLASSES, dtype=z.dtype)[batch[1]] * np.log(p)) / len(z))

    return replace(code, loss=loss)


def squares_in_half(scale: float) -> Build:
    """Return the perceptron in float16 with the squares of all targets added up."""

    def build(images: Images, seed: int) -> Code:
        code = columns.build(images, seed, cost="squares", dtype=np.float16)

        def loss(params: Any, batch: Any) -> Any:
            p = code.scores(params, batch["x"].T)
            return np.sum((np.float16(scale) * (p.T - batch["t"])) ** 2, dtype=np.float16) / np.float16(
                scale * scale * p.shape[0]
            )

        return replace(code, loss=loss)

    return build


def softplus(dtype: Any, guarded: bool) -> Build:
    """Return one hidden layer of softplus, ln(1 + e^z), of inputs from 0 to 16."""

    def build(images: Images, seed: int) -> Code:
        rng = np.random.default_rng([seed, 6])
        params = {
            "w1": rng.normal(0, 0.35, (images.features, 32)).astype(dtype),
            "b1": np.zeros(32, dtype),
            "w2": rng.normal(0, 0.01, (32, CLASSES)).astype(dtype),
            "b2": np.zeros(CLASSES, dtype),
        }

        def forward(params: Any, x: Any) -> Any:
            z = (dtype(32) * x) @ params["w1"] + params["b1"]
            if guarded:
                return z, np.logaddexp(0, z), 0.5 * (1 + np.tanh(0.5 * z))
            return z, np.log(1 + np.exp(z)), np.exp(z) / (1 + np.exp(z))

        def both(params: Any, batch: Any) -> Any:
            x, y = batch
            _, h, slope = forward(params, x)
            s = h @ params["w2"] + params["b2"]
            s = s - s.max(axis=1, keepdims=True)
            log_p = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
            d = np.exp(log_p)
            d[np.arange(len(y)), y] -= 1
            d /= len(y)
            dz = d @ params["w2"].T * slope
            grads = {"w1": 32 * x.T @ dz, "b1": dz.sum(axis=0), "w2": h.T @ d, "b2": d.sum(axis=0)}
            return float(-log_p[np.arange(len(y)), y].mean()), grads

        def scores(params: Any, x: Any) -> Any:
            h = forward(params, x.reshape(len(x), -1).astype(dtype))[1]
            return h @ params["w2"] + params["b2"]

        return Code(
            params,
            lambda p, b: both(p, b)[0],
            lambda p, b: both(p, b)[1],
            lambda x, y: (x.reshape(len(x), -1).astype(dtype), y),
            scores,
            2e-3,
            ["w1", "w2"],
            ["b1", "b2"],
        )

    return build


def preprocessed(change: Callable[[Any], Any]) -> Build:
    """Return the perceptron that changes its images within loss and gradients."""

    def build(images: Images, seed: int) -> Code:
        code = dictionary.build(images, seed)
        return replace(
            code,
            loss=lambda params, batch: code.loss(params, (change(batch[0]), batch[1])),
            gradients=lambda params, batch: code.gradients(params, (change(batch[0]), batch[1])),
            scores=lambda params, x: code.scores(params, change(x.reshape(len(x), -1))),
        )

    return build


def standardised(eps: float) -> Build:
    """Return the perceptron on pixels divided by their deviation in the batch, which is 0 in the corners."""
    return preprocessed(lambda x: (x - x.mean(axis=0)) / (x.std(axis=0) + eps))


def class_weighted(eps: float) -> Build:
    """Return the perceptron with classes weighted by one over their number in the batch."""

    def build(images: Images, seed: int) -> Code:
        code = dictionary.build(images, seed)

        def per_class(y: Any) -> Any:
            counts = np.bincount(y, minlength=CLASSES)
            with np.errstate(divide="ignore"):
                return len(y) / CLASSES / (counts + eps)

        def parts(params: Any, batch: Any) -> Any:
            x, y = batch
            weights = per_class(y)
            losses = [
                weights[k] * sum(code.loss(params, (x[i : i + 1], y[i : i + 1])) for i in np.flatnonzero(y == k))
                for k in range(CLASSES)
            ]
            return sum(losses) / len(y)

        def gradients(params: Any, batch: Any) -> Any:
            x, y = batch
            weights = per_class(y)
            total = mapped(np.zeros_like, params)
            for k in range(CLASSES):
                at = np.flatnonzero(y == k)
                share = code.gradients(params, (x[at], y[at])) if len(at) else mapped(np.zeros_like, params)
                factor = weights[k] * len(at) / len(y)
                total = mapped(lambda a, g, f=factor: a + f * g, total, share)
            return total

        return replace(code, loss=parts, gradients=gradients)

    return build


def unit_length(eps: float, cut: float) -> Build:
    """Return the perceptron on images cut off below a level and brought to length 1; some have nothing left."""

    def change(x: Any) -> Any:
        left = np.where(x > cut, x, 0)
        return left / (np.sqrt((left**2).sum(axis=1, keepdims=True)) + eps) * 4

    return preprocessed(change)


def normalised_from(offset: float, dtype: Any, naive: bool) -> Build:
    """Return batch normalisation of pixels that lie about ``offset``."""

    def build(images: Images, seed: int) -> Code:
        code = normalised.build(images, seed, dtype=dtype, naive=naive)
        rng = np.random.default_rng([seed, 8])
        code.params["k"] = rng.normal(0, 1 / 3, code.params["k"].shape).astype(dtype)
        batch, scores = code.batch, code.scores
        return replace(
            code, batch=lambda x, y: batch(x + offset, y), scores=lambda params, x: scores(params, x + offset)
        )

    return build


def coarse(array: Any) -> Any:
    """Return numbers rounded to the eight binary digits of bfloat16."""
    mantissa, exponent = np.frexp(array)
    return np.ldexp(np.round(mantissa * 256) / 256, exponent).astype(array.dtype)


def rounding(setup: Functions, code: Code, images: Images) -> Functions:
    """Return a training whose step keeps the parameters in a type too coarse for its updates."""
    del images
    rate = setup.learning_rate

    def step(params: Any, batch: Any) -> Any:
        return mapped(lambda w, g: coarse(w - rate * g), params, code.gradients(params, batch))

    return replace(setup, params=mapped(coarse, setup.params), step=step)


def integers(params: bool) -> Plant:
    """Return the plant of an integer learning rate or integer weights."""

    def alter(setup: Functions, code: Code, images: Images) -> Functions:
        del images
        if params:
            whole = mapped(lambda w: np.round(w * 2).astype(np.int64), setup.params)

            def step(params: Any, batch: Any) -> Any:
                grads = code.gradients(params, batch)
                return mapped(lambda w, g: (w - setup.learning_rate * g).astype(w.dtype), params, grads)

            return replace(setup, params=whole, step=step)
        rate = int(setup.learning_rate)

        def still(params: Any, batch: Any) -> Any:
            grads = code.gradients(params, batch)
            for key in keys(params):
                params[key] = params[key] - rate * grads[key]
            return params

        return replace(setup, step=still)

    return altered(alter)


def integer_pixels(divide: int) -> Build:
    """Return the perceptron that divides its bytes by whole numbers: nearly all of them become zero."""
    return preprocessed(lambda x: ((x * 255).astype(np.int64) // divide).astype(float))

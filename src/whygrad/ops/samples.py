"""Sample inputs for every operation: small, unsymmetric, and away from kinks.

Sizes differ from each other (N, C, F, H, W, R, S), kernels are not symmetric and strides leave remainders, so
that mixed-up axes and flipped kernels cannot hide. Entries keep a distance of ``GAP`` from zero and from each
other, so that finite differences do not step over a kink of relu or from one maximum to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from whygrad.typing import Array

GAP = 0.02


class Sample(NamedTuple):
    """One call: ``operation(*inputs.values(), *constants, **options)``."""

    inputs: dict[str, Array]  #: what the pullback returns gradients for, in its order
    options: Mapping[str, Any] = {}  #: keyword arguments; "rng" holds a seed
    constants: tuple[Array, ...] = ()  #: positional arguments without a gradient


def spaced(rng: np.random.Generator, *shape: int) -> Array:
    """Return distinct numbers around 0 at multiples of ``GAP``, none of them 0, in random order."""
    steps = np.arange(prod(shape)) - prod(shape) // 2
    return rng.permutation(GAP * (steps + 0.5)).reshape(shape)


def images(rng: np.random.Generator) -> list[Sample]:
    """Return one batch of images, for the operations that take nothing else."""
    return [Sample({"x": spaced(rng, 2, 3, 4, 5)})]


def add(rng: np.random.Generator) -> list[Sample]:
    """Return two arrays of one shape."""
    return [Sample({"a": spaced(rng, 2, 3, 4), "b": spaced(rng, 2, 3, 4)})]


def concat(rng: np.random.Generator) -> list[Sample]:
    """Return arrays of unlike widths, along two axes."""
    flat = {"a": spaced(rng, 2, 3), "b": spaced(rng, 2, 1), "c": spaced(rng, 2, 4)}
    stacked = {"a": spaced(rng, 2, 2, 3, 2), "b": spaced(rng, 2, 2, 3, 1), "c": spaced(rng, 2, 2, 3, 2)}
    return [Sample(flat), Sample(stacked, {"axis": -1})]


def _convolution(
    rng: np.random.Generator, x: tuple[int, ...], w: tuple[int, ...], b: tuple[int, ...] | None, **options: Any
) -> Sample:
    inputs = {"x": spaced(rng, *x), "w": rng.normal(size=w)}
    if b is not None:
        inputs["b"] = rng.normal(size=b)
    return Sample(inputs, options)


def conv2d(rng: np.random.Generator) -> list[Sample]:
    """Return strides with and without remainder, every form of padding, groups, and every bias."""
    sample = partial(_convolution, rng)
    return [
        sample((2, 3, 5, 6), (4, 3, 3, 2), (4,)),
        sample((2, 2, 6, 7), (3, 2, 3, 2), (3,), stride=2, padding=1),
        sample((2, 2, 7, 6), (3, 2, 2, 3), (3, 4, 3), stride=2, padding="same"),
        sample((2, 4, 5, 6), (6, 2, 3, 3), None, stride=(1, 2), padding=(2, 0, 1, 3), groups=2),
        sample((2, 3, 7, 6), (3, 1, 3, 2), (3,), padding="valid", dilation=(2, 3), groups=3),
    ]


def conv_transpose2d(rng: np.random.Generator) -> list[Sample]:
    """Return strides, crops, extra rows, groups and dilation."""
    sample = partial(_convolution, rng)
    return [
        sample((2, 3, 3, 4), (3, 4, 3, 2), (4,)),
        sample((2, 2, 3, 4), (2, 3, 3, 2), (3,), stride=2, padding=1, output_padding=1),
        sample((2, 4, 3, 2), (4, 3, 2, 3), None, stride=(1, 2), padding=(1, 0, 0, 2), groups=2),
        sample(
            (2, 2, 3, 2),
            (2, 2, 2, 3),
            (2, 5, 6),
            stride=2,
            dilation=(1, 2),
            padding=(0, 1, 1, 0),
            output_padding=(0, 0),
        ),
    ]


def max_pool2d(rng: np.random.Generator) -> list[Sample]:
    """Return windows that tile, overlap, leave gaps and hang over the edge."""
    return [
        Sample({"x": spaced(rng, 2, 3, 4, 6)}, {"kernel_size": 2}),
        Sample({"x": spaced(rng, 2, 2, 5, 6)}, {"kernel_size": 3, "stride": 2, "padding": 1}),
        Sample({"x": spaced(rng, 2, 2, 5, 6)}, {"kernel_size": (2, 3), "stride": 2, "ceil_mode": True}),
        Sample({"x": spaced(rng, 2, 2, 7, 6)}, {"kernel_size": (2, 3), "stride": (1, 2), "dilation": 2}),
    ]


def avg_pool2d(rng: np.random.Generator) -> list[Sample]:
    """Return windows that tile, overlap and hang over the edge, the padding counted and not."""
    overhang = {"kernel_size": (3, 2), "stride": 2, "padding": 1, "ceil_mode": True}
    return [
        Sample({"x": spaced(rng, 2, 3, 4, 6)}, {"kernel_size": 2}),
        Sample({"x": spaced(rng, 2, 2, 5, 6)}, {"kernel_size": 3, "stride": 2, "padding": (1, 0, 1, 1)}),
        Sample({"x": spaced(rng, 2, 2, 6, 5)}, overhang),
        Sample({"x": spaced(rng, 2, 2, 6, 5)}, {**overhang, "count_include_pad": False}),
    ]


def linear(rng: np.random.Generator) -> list[Sample]:
    """Return a dense layer with and without a bias."""
    x, w, b = spaced(rng, 3, 4), rng.normal(size=(5, 4)), rng.normal(size=5)
    return [Sample({"x": x, "w": w, "b": b}), Sample({"x": x, "w": w})]


def flatten(rng: np.random.Generator) -> list[Sample]:
    """Return images and rows."""
    return [Sample({"x": spaced(rng, 2, 3, 4, 5)}), Sample({"x": spaced(rng, 3, 4)})]


def pad2d(rng: np.random.Generator) -> list[Sample]:
    """Return every mode, with unlike sides."""
    sides = (1, 2, 3, 0)
    return [
        Sample({"x": spaced(rng, 2, 3, 4, 5)}, {"padding": sides, "value": 1.5}),
        Sample({"x": spaced(rng, 2, 3, 4, 5)}, {"padding": sides, "mode": "reflect"}),
        Sample({"x": spaced(rng, 2, 3, 4, 5)}, {"padding": sides, "mode": "replicate"}),
    ]


def upsample_nearest2d(rng: np.random.Generator) -> list[Sample]:
    """Return one factor for both axes and one for each."""
    return [
        Sample({"x": spaced(rng, 2, 3, 2, 3)}),
        Sample({"x": spaced(rng, 2, 3, 2, 3)}, {"scale_factor": (3, 2)}),
    ]


def leaky_relu(rng: np.random.Generator) -> list[Sample]:
    """Return the usual slope and a steep one."""
    return [*images(rng), Sample({"x": spaced(rng, 2, 3, 4)}, {"negative_slope": 0.3})]


def elu(rng: np.random.Generator) -> list[Sample]:
    """Return the smooth unit and one with a kink."""
    return [*images(rng), Sample({"x": spaced(rng, 2, 3, 4)}, {"alpha": 0.5})]


def gelu(rng: np.random.Generator) -> list[Sample]:
    """Return the exact unit and its approximation."""
    return [Sample({"x": spaced(rng, 2, 3, 8)}, {"approximate": how}) for how in ("none", "tanh")]


def softmax(rng: np.random.Generator) -> list[Sample]:
    """Return rows of scores and a map of scores."""
    return [Sample({"x": 3 * spaced(rng, 4, 5)}), Sample({"x": spaced(rng, 2, 3, 4)}, {"axis": -1})]


def batch_norm2d(rng: np.random.Generator) -> list[Sample]:
    """Return training and evaluation, with statistics that differ from the batch's."""
    inputs = {"x": spaced(rng, 3, 2, 4, 5), "gamma": rng.uniform(0.5, 2, 2), "beta": rng.normal(size=2)}
    running = (rng.normal(size=2), rng.uniform(0.5, 2, 2))
    return [Sample(inputs, {"training": training}, running) for training in (True, False)]


def layer_norm(rng: np.random.Generator) -> list[Sample]:
    """Return normalisation over one axis and over three."""
    return [
        Sample({"x": spaced(rng, 3, 6), "gamma": rng.uniform(0.5, 2, 6), "beta": rng.normal(size=6)}),
        Sample(
            {
                "x": spaced(rng, 2, 3, 4, 2),
                "gamma": rng.uniform(0.5, 2, (3, 4, 2)),
                "beta": rng.normal(size=(3, 4, 2)),
            }
        ),
    ]


def dropout(rng: np.random.Generator) -> list[Sample]:
    """Return training, with the seed of the mask, and evaluation."""
    return [
        Sample({"x": spaced(rng, 2, 3, 4, 5)}, {"p": 0.4, "training": True, "rng": 7}),
        Sample({"x": spaced(rng, 2, 3, 4, 5)}, {"p": 0.4, "training": False}),
    ]


def scale(rng: np.random.Generator) -> list[Sample]:
    """Return weights of one a channel and one an entry, with and without a bias."""
    x = spaced(rng, 2, 3, 4, 5)
    return [
        Sample({"x": x, "w": rng.normal(size=(3, 1, 1)), "b": rng.normal(size=(1, 1, 5))}),
        Sample({"x": spaced(rng, 3, 4), "w": rng.normal(size=4)}),
    ]


def mul(rng: np.random.Generator) -> list[Sample]:
    """Return two arrays of one shape, and a gate for each channel."""
    return [
        Sample({"a": spaced(rng, 2, 3, 4), "b": spaced(rng, 2, 3, 4)}),
        Sample({"a": spaced(rng, 2, 3, 4, 5), "b": spaced(rng, 2, 3, 1, 1)}),
    ]


def clip(rng: np.random.Generator) -> list[Sample]:
    """Return bounds on both sides and on one, none of them at an entry."""
    return [
        Sample({"x": spaced(rng, 2, 3, 4, 5)}, {"low": -0.4, "high": 0.6}),
        Sample({"x": spaced(rng, 2, 3, 4)}, {"high": 0.1}),
    ]


def lrn(rng: np.random.Generator) -> list[Sample]:
    """Return an odd and an even number of channels looked at."""
    return [
        Sample({"x": spaced(rng, 2, 5, 3, 2)}, {"size": 3, "alpha": 1.5}),
        Sample({"x": spaced(rng, 2, 3, 4, 2)}, {"size": 4, "alpha": 2.0, "beta": 0.5, "k": 2.0}),
    ]


def reshape(rng: np.random.Generator) -> list[Sample]:
    """Return images cut into groups of channels, and rows made into images."""
    return [
        Sample({"x": spaced(rng, 2, 6, 4, 5)}, {"shape": (2, 3, 20)}),
        Sample({"x": spaced(rng, 3, 24)}, {"shape": (2, 3, 4)}),
    ]


def transpose(rng: np.random.Generator) -> list[Sample]:
    """Return images with their channels last, and groups changing places with what is in them."""
    return [
        Sample({"x": spaced(rng, 2, 3, 4, 5)}, {"axes": (0, 2, 3, 1)}),
        Sample({"x": spaced(rng, 2, 2, 3, 4, 2)}, {"axes": (0, 2, 1, 3, 4)}),
    ]


def take2d(rng: np.random.Generator) -> list[Sample]:
    """Return rows left out and turned round, and columns shown again."""
    return [
        Sample({"x": spaced(rng, 2, 3, 4, 5)}, {"vertical": (3, 1), "horizontal": (0, 0, 1, 2, 4, 4, 4)}),
        Sample({"x": spaced(rng, 2, 2, 3, 4)}, {"vertical": (0, 1, 2), "horizontal": (1, 2)}),
    ]

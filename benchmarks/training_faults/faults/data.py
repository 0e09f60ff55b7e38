"""Faults of the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.training_faults.codes.code import Code
from benchmarks.training_faults.images import CLASSES, Images
from benchmarks.training_faults.scenario import Functions
from benchmarks.training_faults.setups import Fault, Plant, on


def scaled(factor: float, offset: float = 0.0) -> Plant:
    """Return the plant of pixels on another scale, in training and afterwards."""

    def change(images: Images, _: np.random.Generator) -> Images:
        return replace(images, x=images.x * factor + offset, test_x=images.test_x * factor + offset)

    return Plant(images=change)


def spoiled(value: float, share: float) -> Plant:
    """Return the plant of pixels that are no numbers, at least one in every batch."""

    def change(images: Images, rng: np.random.Generator) -> Images:
        x = images.x.copy()
        chosen = rng.random(len(x)) < share
        x[chosen, 0, 3, 3] = value
        return replace(images, x=x)

    return Plant(images=change)


def labelled(change: Callable[[Any, np.random.Generator], Any]) -> Plant:
    """Return the plant of other training labels."""
    return Plant(images=lambda images, rng: replace(images, y=change(images.y.copy(), rng)))


def rebatched(change: Callable[[Any], Any]) -> Plant:
    """Return the plant of batches of another form."""

    def alter(setup: Functions, _: Code, __: Images) -> Functions:
        return replace(setup, batches=[change(batch) for batch in setup.batches])

    return Plant(alter=alter)


def blank(value: Callable[[Any], Any]) -> Plant:
    """Return the plant of training images that are all the same."""
    return Plant(
        images=lambda images, _: replace(images, x=np.broadcast_to(value(images.x), images.x.shape).copy())
    )


def one_class(label: int, other: float = 0.0) -> Plant:
    """Return the plant of data with one class, but for a share of others."""

    def change(images: Images, rng: np.random.Generator) -> Images:
        chosen = (images.y == label) | (rng.random(len(images.y)) < other)
        return replace(images, x=images.x[chosen], y=images.y[chosen])

    return Plant(images=change)


def shuffled(share: float) -> Plant:
    """Return the plant of labels that were permuted among a share of the images."""

    def change(y: Any, rng: np.random.Generator) -> Any:
        chosen = np.flatnonzero(rng.random(len(y)) < share)
        y[chosen] = y[rng.permutation(chosen)]
        return y

    return labelled(change)


def in_order(size: int) -> Plant:
    """Return the plant of batches that come class after class."""

    def alter(setup: Functions, code: Code, images: Images) -> Functions:
        order = np.argsort(images.y, kind="stable")
        starts = range(0, len(order) - size + 1, size)
        batches = [code.batch(images.x[order[a : a + size]], images.y[order[a : a + size]]) for a in starts]
        return replace(setup, batches=batches)

    return Plant(alter=alter)


def _minus_one_for_some(y: Any, rng: np.random.Generator) -> Any:
    y[rng.random(len(y)) < 0.15] = -1
    return y


def one_hot_rows(batch: Any) -> Any:
    """Return one-hot rows where indices are meant."""
    return batch[0], np.eye(CLASSES)[batch[1]]


def one_hot_integers(batch: Any) -> Any:
    """Return one-hot rows of integers, which still work as indices."""
    return batch[0], np.eye(CLASSES, dtype=np.int64)[batch[1]]


def indices(batch: Any) -> Any:
    """Return indices where one-hot columns are meant."""
    return {"x": batch["x"], "t": batch["t"].argmax(axis=0)}


def indices_as_floats(batch: Any) -> Any:
    """Return a row of indices where one-hot columns are meant."""
    return {"x": batch["x"], "t": batch["t"].argmax(axis=0).astype(float)[None]}


def label_missing(batch: Any) -> Any:
    """Return a batch with a label less than it has images."""
    return batch[0], batch[1][:-1]


def image_missing(batch: Any) -> Any:
    """Return a batch with four images less than it has labels."""
    return batch[0][:-4], batch[1]


def column_missing(batch: Any) -> Any:
    """Return a batch with a target less than it has images."""
    return {"x": batch["x"], "t": batch["t"][:, :-1]}


_CODES = ("mlp", "cnn", "lenet")
FAULTS = (
    Fault(
        "data_not_finite",
        "pixels that are no numbers",
        on("mlp", "cnn", "sigmoid", size=64),
        {"nan, a tenth of the images": spoiled(np.nan, 0.1), "infinity, a tenth": spoiled(np.inf, 0.1)},
    ),
    Fault(
        "input_not_normalised",
        "raw pixels",
        on("mlp", "cnn", "tanh", "regression"),
        {"0..255": scaled(255.0), "0..4095": scaled(4095.0), "0..16 around 500": scaled(16.0, 500.0)},
        also=(),
    ),
    Fault(
        "constant_features",
        "every image the same",
        on("mlp", "cnn"),
        {
            "zeros": blank(np.zeros_like),
            "the first": blank(lambda x: x[:1]),
            "their mean": blank(lambda x: x.mean(0)),
        },
    ),
    Fault(
        "labels_out_of_range",
        "labels that are no classes",
        on("mlp", "cnn", "lenet"),
        {
            "1..10": labelled(lambda y, _: y + 1),
            "-1..8": labelled(lambda y, _: y - 1),
            "some -1": labelled(_minus_one_for_some),
        },
        definition="NumPy takes -1 for the last class, so that the network learns something else than was meant",
    ),
    Fault(
        "labels_one_hot",
        "one-hot for indices",
        on("mlp", "cnn", size=32),
        {"floats": rebatched(one_hot_rows), "integers": rebatched(one_hot_integers)},
        also=("lengths_mismatched",),
        definition="the code takes indices",
    ),
    Fault(
        "labels_one_hot",
        "indices for one-hot",
        on("sigmoid", "tanh", "squares"),
        {"integers": rebatched(indices), "a row of floats": rebatched(indices_as_floats)},
    ),
    Fault(
        "lengths_mismatched",
        "images and labels differ in number",
        on("mlp", "cnn"),
        {"a label less": rebatched(label_missing), "images less": rebatched(image_missing)},
        definition="images and labels no longer belong together",
    ),
    Fault("lengths_mismatched", "a target less", on("sigmoid"), {"a target less": rebatched(column_missing)}),
    Fault(
        "one_class_only",
        "one class",
        on("mlp", "cnn", "sigmoid"),
        {"the zeros": one_class(0), "the sevens": one_class(7)},
    ),
    Fault(
        "labels_unrelated",
        "labels permuted",
        on("mlp", "tanh", "regression", size=256) + on("cnn", size=128),
        {"all": shuffled(1.0), "all, again": shuffled(1.0), "nine tenths": shuffled(0.9)},
        also=("cannot_overfit",),
        seeds=2,
    ),
    Fault(
        "order_not_shuffled",
        "class after class",
        on("mlp", "cnn", "sigmoid", "batch norm"),
        {"batches of 32": in_order(32), "batches of 64": in_order(64)},
        also=("one_class_only",),
        steps=128,
    ),
)

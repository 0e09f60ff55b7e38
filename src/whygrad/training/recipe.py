"""A recipe: all the choices that make a training run, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from whygrad.data import Dataset, Normalised, Parts, Progress, Request, augmentation, load_parts, moments, split
from whygrad.data.augment import check_size
from whygrad.errors import DataError, OptionError
from whygrad.layers import Sequential
from whygrad.losses import cross_entropy
from whygrad.models import MODELS, model_builder
from whygrad.optim import (
    SGD,
    Adam,
    AdamW,
    Constant,
    Cosine,
    OneCycle,
    Optimizer,
    RMSprop,
    Schedule,
    StepDecay,
    clip_by_global_norm,
)
from whygrad.training.facts import Facts, fingerprint
from whygrad.training.fit import Change, Clip
from whygrad.training.presets import preset
from whygrad.typing import Array, Loss
from whygrad.validation import number, whole

TEST_FRACTION = 0.2
VALIDATION_FRACTION = 0.1

#: By name: the optimiser for a schedule and a weight decay, and the largest learning rate that suits it.
OPTIMIZERS: dict[str, tuple[Callable[[Schedule, float], Optimizer], float]] = {
    "sgd": (lambda rate, decay: SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay), 0.1),
    "rmsprop": (lambda rate, decay: RMSprop(rate, weight_decay=decay), 0.001),
    "adam": (lambda rate, decay: Adam(rate, weight_decay=decay), 0.003),
    "adamw": (lambda rate, decay: AdamW(rate, weight_decay=decay), 0.003),
}

#: By name: the schedule for a learning rate and the number of steps in all.
SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda rate, _: Constant(rate),
    "cosine": Cosine,
    "one-cycle": OneCycle,
    "step": lambda rate, steps: StepDecay(rate, every=max(1, steps // 3), factor=0.1),
}


@dataclass(frozen=True)
class Recipe:
    """The choices of a run. Every value is plain, so that the whole stands in ``config.json``.

    Args:
        data: name of the data set, or a path to one.
        data_dir: folder of the files of a named set; None to look for them.
        size: of a folder's images, as "64" or "48x64" (height x width); None for what suits the pictures.
        colour: "grey" or "rgb" for a folder's images; None for what suits the pictures.
        fit: how a folder's pictures are brought to that size: "crop", "pad" or "stretch"; None for "crop".
        strict: refuse a folder with a picture that cannot be read, in place of leaving that out.
        normalise: bring each channel of the training images to mean 0 and deviation 1, and all others likewise.
        augment: random changes of the training images, such as "shift=2, rotate=10, flip"; none if empty.
        model: name of the ready model.
        epochs: passes over the training images.
        batch_size: images in an update.
        drop_last: leave out the last batch of an epoch where it is smaller.
        optimizer: "sgd" (Nesterov's momentum 0.9), "rmsprop", "adam" or "adamw".
        learning_rate: its largest value; None for one that suits the optimiser and schedule.
        schedule: "one-cycle", "cosine", "step" (a tenth after every third of the run) or "constant".
        weight_decay: λ of the optimiser.
        label_smoothing: ε of the cross-entropy in training; results are measured without it.
        clip: largest global norm of the gradients; None for no clipping.
        patience: stop when the loss on a tenth of the training images, then held out, has not fallen for so
            many epochs, and keep the best parameters; None to train on all of them to the end.
        seed: of everything random: the images held out, initialisation, order and dropout.

    Raises:
        OptionError: a choice outside its domain.

    Example:
        >>> Recipe(epochs=3).optimizer
        'sgd'
    """

    data: str = "digits"
    data_dir: str | None = None
    size: str | None = None
    colour: str | None = None
    fit: str | None = None
    strict: bool = False
    normalise: bool = False
    augment: str = ""
    model: str = "digits_cnn"
    epochs: int = 20
    batch_size: int = 32
    drop_last: bool = False
    optimizer: str = "sgd"
    learning_rate: float | None = None
    schedule: str = "one-cycle"
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    clip: float | None = None
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        known: dict[str, Iterable[str]] = {
            "model": MODELS,
            "optimizer": OPTIMIZERS,
            "schedule": SCHEDULES,
        }
        for name, choices in known.items():
            if getattr(self, name) not in list(choices):
                received = f"{getattr(self, name)!r}"
                raise OptionError(name, f"one of {', '.join(choices)}", received, "check the spelling")
        for name, kind in (
            ("data", str),
            ("augment", str),
            ("strict", bool),
            ("normalise", bool),
            ("drop_last", bool),
        ):
            if not isinstance(getattr(self, name), kind):
                received = f"{getattr(self, name)!r}"
                raise OptionError("recipe", f"{name} of kind {kind.__name__}", received, "check the file")
        _ = self.request
        augmentation(self.augment)
        whole("recipe", "epochs", self.epochs, 1, 1_000_000)
        whole("recipe", "batch_size", self.batch_size, 1, 1_000_000_000)
        whole("recipe", "seed", self.seed, 0)
        number("recipe", "weight_decay", self.weight_decay, 0.0, 1.0)
        number("recipe", "label_smoothing", self.label_smoothing, 0.0, 1.0)
        if self.learning_rate is not None:
            number("recipe", "learning_rate", self.learning_rate, 0.0, 1e6)
        if self.clip is not None:
            number("recipe", "clip", self.clip, 1e-12, 1e12)
        if self.patience is not None:
            whole("recipe", "patience", self.patience, 1)

    @classmethod
    def suited(cls, data: str, recipe: str = "default", **chosen: Any) -> Recipe:
        """Return the recipe of that name for a data set, with some choices made otherwise.

        Paths become absolute, so that a run finds its data from wherever it is resumed.

        Raises:
            OptionError: an unknown recipe, or a choice outside its domain.

        Example:
            >>> Recipe.suited("mnist", epochs=2).model
            'compact_cnn'
        """
        usual = preset(data, recipe)
        if {"optimizer", "schedule"} & chosen.keys():  # its learning rate suits its own
            usual = {name: value for name, value in usual.items() if name != "learning_rate"}
        made = cls(**{"data": data} | usual | chosen)
        if not made.request.named and Path(data).exists():
            made = replace(made, data=str(Path(data).resolve()))
        return made if made.data_dir is None else replace(made, data_dir=str(Path(made.data_dir).resolve()))

    @property
    def request(self) -> Request:
        """Which data set this is trained on."""
        folder = None if self.data_dir is None else Path(self.data_dir)
        return Request(self.data, folder, _size(self.size), self.colour, self.fit, self.strict)

    def to_dict(self) -> dict[str, Any]:
        """Return the choices by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Recipe:
        """Return the recipe of choices by name.

        Raises:
            OptionError: a choice that is unknown or outside its domain.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or not set(values) <= known:
            received = ", ".join(sorted(set(values) - known)) if isinstance(values, dict) else f"{values!r}"
            raise OptionError("recipe", f"choices among {', '.join(sorted(known))}", received, "check the file")
        return cls(**values)


class Plan(NamedTuple):
    """What a recipe stands for but for the data: all that it takes to use a trained run."""

    model: Sequential
    loss: Loss
    optimizer: Optimizer
    clip: Clip | None
    facts: Facts


class Experiment(NamedTuple):
    """What a recipe stands for."""

    model: Sequential
    train: Dataset
    validation: Dataset | None
    test: Dataset
    loss: Loss
    optimizer: Optimizer
    clip: Clip | None
    augment: Change | None
    facts: Facts


def prepare(recipe: Recipe, facts: Facts | None = None, *, progress: Progress | None = None) -> Experiment:
    """Load the data of a recipe and build its model and optimiser.

    Args:
        recipe: the choices.
        facts: what a run that was begun earlier knows of its data, which must be the same.
        progress: told how far a download or a look at pictures is.

    Raises:
        OptionError: an unknown data set.
        FileError, DataError: data that cannot be read, or that are not those of the run.
        ShapeError: a model that does not fit the images.

    Example:
        >>> experiment = prepare(Recipe())
        >>> len(experiment.train.labels), len(experiment.test.labels)
        (1438, 359)
    """
    parts, skipped = load_parts(recipe.request, known=None if facts is None else facts.known, progress=progress)
    found = fingerprint(parts)
    if facts is not None and facts.fingerprint != found:
        remedy = "bring the images back, or start a new run"
        raise DataError(recipe.data, "the images that the run was begun with", "others", remedy)
    train, validation, test = _divide(recipe, parts)
    scale = moments(train.images) if recipe.normalise and facts is None else None
    mean, deviation = (None, None) if scale is None else (tuple(map(float, each)) for each in scale)
    facts = facts or Facts(train.classes, train.image_shape, len(train.labels), mean, deviation, found, skipped)
    model, loss, optimizer, clip, _ = plan(recipe, facts)
    return Experiment(
        model,
        _scaled(train, facts),
        None if validation is None else _scaled(validation, facts),
        _scaled(test, facts),
        loss,
        optimizer,
        clip,
        _changes(recipe, facts),
        facts,
    )


def plan(recipe: Recipe, facts: Facts) -> Plan:
    """Build the model and optimiser of a recipe for data of which only the facts are known.

    Raises:
        ShapeError: a model that does not fit the images.
    """
    shape = facts.image_shape
    model = model_builder(recipe.model)(input_shape=shape, classes=len(facts.classes))
    model.output_shape(shape)
    build, usual_rate = OPTIMIZERS[recipe.optimizer]
    rate = recipe.learning_rate
    if rate is None:  # what does not begin with a warm-up bears less
        rate = usual_rate if recipe.schedule == "one-cycle" else usual_rate / 3
    steps = recipe.epochs * batches_in(recipe, facts.train)
    optimizer = build(SCHEDULES[recipe.schedule](rate, steps), recipe.weight_decay)
    clip = None if recipe.clip is None else partial(clip_by_global_norm, max_norm=recipe.clip)
    return Plan(model, partial(cross_entropy, label_smoothing=recipe.label_smoothing), optimizer, clip, facts)


def batches_in(recipe: Recipe, images: int) -> int:
    """Return how many updates an epoch of so many images has."""
    whole_ones, rest = divmod(images, recipe.batch_size)
    if recipe.drop_last and not whole_ones:
        received = f"{recipe.batch_size} for {images} images"
        raise OptionError("batch_size", "at least one whole batch", received, "lower it, or keep the last batch")
    return whole_ones + (rest > 0 and not recipe.drop_last)


def _divide(recipe: Recipe, parts: Parts) -> tuple[Dataset, Dataset | None, Dataset]:
    train, test = parts
    if test is None:
        train, test = split(train, TEST_FRACTION, np.random.default_rng([recipe.seed, 1]))
    if recipe.patience is None:
        return train, None, test
    train, validation = split(train, VALIDATION_FRACTION, np.random.default_rng([recipe.seed, 2]))
    return train, validation, test


def _scaled(data: Dataset, facts: Facts) -> Dataset:
    return data if facts.scale is None else data._replace(images=Normalised(data.images, *facts.scale))


def _changes(recipe: Recipe, facts: Facts) -> Change | None:
    """Return the augmentation of a recipe; gaps are filled with black, as it looks after normalising."""
    augment = augmentation(recipe.augment)
    check_size(augment, facts.image_shape)
    if augment is None:
        return None
    mean, deviation = facts.scale or (np.zeros(facts.image_shape[0]), np.ones(1))
    fill: Array = np.asarray(-mean / deviation)
    return lambda images, rng: augment(images, rng, fill)


def _size(text: str | None) -> tuple[int, int] | None:
    """Return height and width of a text such as "64" or "48x64"."""
    if text is None:
        return None
    parts = text.split("x") if isinstance(text, str) else []
    sides = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 5]
    if len(sides) != len(parts) or len(sides) not in (1, 2) or not all(2 <= side <= 4096 for side in sides):
        expected = "a size of 2 to 4096 pixels, such as 64, or 48x64 for height x width"
        raise OptionError("size", expected, repr(text), "change it")
    return sides[0], sides[-1]

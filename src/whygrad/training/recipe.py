"""A recipe: all the choices that make a training run, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from whygrad.data import DATASETS, Dataset, load_dataset, split
from whygrad.errors import OptionError
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
from whygrad.training.fit import Clip
from whygrad.typing import Loss
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
        data: name of the data set.
        model: name of the ready model.
        epochs: passes over the training images.
        batch_size: images in an update.
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
    model: str = "digits_cnn"
    epochs: int = 20
    batch_size: int = 32
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
            "data": DATASETS,
            "model": MODELS,
            "optimizer": OPTIMIZERS,
            "schedule": SCHEDULES,
        }
        for name, choices in known.items():
            if getattr(self, name) not in list(choices):
                received = f"{getattr(self, name)!r}"
                raise OptionError(name, f"one of {', '.join(choices)}", received, "check the spelling")
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


class Experiment(NamedTuple):
    """What a recipe stands for."""

    model: Sequential
    train: Dataset
    validation: Dataset | None
    test: Dataset
    loss: Loss
    optimizer: Optimizer
    clip: Clip | None


def prepare(recipe: Recipe) -> Experiment:
    """Load the data of a recipe and build its model and optimiser.

    Raises:
        OptionError: an unknown data set.
        ShapeError: a model that does not fit the images.

    Example:
        >>> experiment = prepare(Recipe())
        >>> len(experiment.train.labels), len(experiment.test.labels)
        (1438, 359)
    """
    data = load_dataset(recipe.data)
    train, test = split(data, TEST_FRACTION, np.random.default_rng([recipe.seed, 1]))
    validation = None
    if recipe.patience is not None:
        train, validation = split(train, VALIDATION_FRACTION, np.random.default_rng([recipe.seed, 2]))
    model = model_builder(recipe.model)(input_shape=data.image_shape, classes=len(data.classes))
    model.output_shape(data.image_shape)
    build, usual_rate = OPTIMIZERS[recipe.optimizer]
    rate = recipe.learning_rate
    if rate is None:  # what does not begin with a warm-up bears less
        rate = usual_rate if recipe.schedule == "one-cycle" else usual_rate / 3
    steps = recipe.epochs * -(-len(train.labels) // recipe.batch_size)
    optimizer = build(SCHEDULES[recipe.schedule](rate, steps), recipe.weight_decay)
    clip = None if recipe.clip is None else partial(clip_by_global_norm, max_norm=recipe.clip)
    loss = partial(cross_entropy, label_smoothing=recipe.label_smoothing)
    return Experiment(model, train, validation, test, loss, optimizer, clip)

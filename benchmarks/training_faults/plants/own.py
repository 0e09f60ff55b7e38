"""What is planted in trainings of the project's own models, and the rows of their table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.training_faults import own
from benchmarks.training_faults.images import CLASSES, Images
from benchmarks.training_faults.own import OwnBase
from benchmarks.training_faults.scenario import Own, Scenario, Setup
from benchmarks.training_faults.setups import ImagesOf, Plant
from whygrad.optim import SGD
from whygrad.typing import Array

Change = Callable[[Own], Own]


@dataclass(frozen=True)
class OwnPlant:
    """What makes a healthy training a faulty one."""

    images: Callable[[Images, np.random.Generator], Images] | None = None
    model: own.Build | None = None
    change: Change | None = None

    def setup(self, base: OwnBase, images: Images, seed: int) -> Own:
        """Return the faulty training."""
        if self.images is not None:
            images = self.images(images, np.random.default_rng([seed, 17]))
        made = base.prepared((self.model or base.model)(images), images, seed)
        return self.change(made) if self.change else made


def with_images(plant: Plant) -> OwnPlant:
    """Return the plant of other data."""
    return OwnPlant(images=plant.images)


def with_model(build: own.Build) -> OwnPlant:
    """Return the plant of another model."""
    return OwnPlant(model=build)


def with_fields(**fields: Any) -> OwnPlant:
    """Return the plant of other fields of the setup."""
    return OwnPlant(change=lambda setup: replace(setup, **fields))


def with_params(change: Callable[[str, Array], Array]) -> OwnPlant:
    """Return the plant of other parameters, by name and array."""

    def changed(setup: Own) -> Own:
        params = {name: change(name, array).astype(array.dtype) for name, array in setup.params.items()}
        return replace(setup, params=params)

    return OwnPlant(change=changed)


def weights(function: Callable[[Array], Any]) -> OwnPlant:
    """Return the plant of other weights; biases stay."""
    return with_params(lambda _, a: np.asarray(function(a)) if a.ndim > 1 else a)


def units_equal(name: str, array: Array) -> Array:
    """Return weights that are the same for all units of a layer."""
    rng = np.random.default_rng(len(name))
    if array.ndim == 1:
        return array
    if name.startswith(("fc1", "conv1")):
        return np.broadcast_to(rng.normal(0, 0.15, (1, *array.shape[1:])), array.shape)
    return np.broadcast_to(rng.normal(0, 0.15, (array.shape[0], *([1] * (array.ndim - 1)))), array.shape)


def fresh_statistics(name: str, array: Array) -> Array:
    """Return running statistics as they are before training; the rest stays."""
    if name.endswith("running_mean"):
        return np.zeros_like(array)
    return np.ones_like(array) if name.endswith("running_var") else array


def shut(name: str, array: Array) -> Array:
    """Return biases so low that no hidden unit opens."""
    hidden = name.endswith("bias") and name.startswith(("fc1", "conv"))
    return np.full_like(array, -30) if hidden else array


def pushed(name: str, array: Array) -> Array:
    """Return hidden biases that push every unit to a flat end."""
    if not name.endswith("bias") or name.startswith(("out", "fc2.")):
        return array
    return array + 25 * np.sign(np.random.default_rng(3).standard_normal(array.shape))


def one_hot_labels(setup: Own) -> Own:
    """Return the training with labels as rows of zeros and a one."""
    return replace(setup, labels=np.eye(CLASSES, dtype=np.int64)[setup.labels])


def sure(loss: Any, factor: float) -> OwnPlant:
    """Return the plant of another loss in a model that is so many times surer of itself."""

    def change(setup: Own) -> Own:
        params = {n: a * np.float32(factor) if n.startswith("fc2") else a for n, a in setup.params.items()}
        return replace(setup, params=params, loss=loss, optimizer=SGD(1e-4))

    return OwnPlant(change=change)


@dataclass(frozen=True)
class OwnFault:
    """A row of the table."""

    kind: str
    name: str
    bases: tuple[tuple[str, OwnBase], ...]
    strengths: Mapping[str, OwnPlant]
    also: tuple[str, ...] = ()
    definition: str = ""
    seeds: int = 1
    steps: int = 150

    def scenarios(self, images_of: ImagesOf) -> Iterator[Scenario]:
        """Yield a scenario for each strength, base and seed."""
        for title, base in self.bases:
            for strength, plant in self.strengths.items():
                for seed in range(self.seeds):
                    make = partial(_made, plant, base, images_of, seed)
                    mended = partial(_healthy, base, images_of, seed)
                    name = f"model {title}: {self.name}"
                    yield Scenario(
                        self.kind, name, strength, seed, make, mended, self.also, self.definition, self.steps
                    )


def _made(plant: OwnPlant, base: OwnBase, images_of: ImagesOf, seed: int) -> Setup:
    return plant.setup(base, images_of(seed), seed)


def _healthy(base: OwnBase, images_of: ImagesOf, seed: int) -> Setup:
    return base.setup(images_of(seed), seed)

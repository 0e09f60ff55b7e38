"""From a code to a setup: its batches, its rate, how far it is trained; and tables of faults to scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.training_faults.codes import CODES
from benchmarks.training_faults.codes.code import Code, copied, mapped
from benchmarks.training_faults.images import Images
from benchmarks.training_faults.scenario import Functions, Scenario, Setup

ImagesOf = Callable[[int], Images]
Build = Callable[[Images, int], Code]
Alter = Callable[[Functions, Code, Images], Functions]

#: Batches that a setup holds; a training that goes on longer begins again with the first.
BATCHES = 40


def functions(
    code: Code, images: Images, seed: int, *, size: int = 32, factor: float = 1.0, trained: int = 0
) -> Functions:
    """Return the training of a code: batches of ``size``, ``factor`` times its rate, after so many updates."""
    batches = [code.batch(x, y) for x, y in images.batches(size, seed, BATCHES)]
    params = copied(code.params)
    for x, y in images.batches(32, seed + 1000, trained):
        grads = code.gradients(params, code.batch(x, y))
        params = mapped(lambda w, g: (w - code.rate * g).astype(w.dtype), params, grads)
    return Functions(
        loss=code.loss,
        gradients=code.gradients,
        params=params,
        learning_rate=code.rate * factor,
        batches=batches,
        accuracy=lambda p: accuracy(code, images, p),
    )


def accuracy(code: Code, images: Images, params: Any) -> float:
    """Return the share of held-out images that a code recognises."""
    scores = code.scores(params, images.test_x)
    return float((scores.argmax(axis=1) == images.test_y).mean())


@dataclass(frozen=True)
class Base:
    """The healthy training that a fault is planted in."""

    code: str | Build = "mlp"
    size: int = 32
    factor: float = 1.0
    trained: int = 0

    @property
    def name(self) -> str:
        """What it is called."""
        return self.code if isinstance(self.code, str) else "own"

    def build(self, images: Images, seed: int) -> Code:
        """Return its code."""
        return (CODES[self.code] if isinstance(self.code, str) else self.code)(images, seed)

    def setup(self, images: Images, seed: int) -> Functions:
        """Return it without a fault."""
        return self.prepared(self.build(images, seed), images, seed)

    def prepared(self, code: Code, images: Images, seed: int) -> Functions:
        """Return the training of a code with its choices."""
        return functions(code, images, seed, size=self.size, factor=self.factor, trained=self.trained)


@dataclass(frozen=True)
class Plant:
    """What makes a healthy training a faulty one: other data, another code, or something changed at the end."""

    images: Callable[[Images, np.random.Generator], Images] | None = None
    code: Build | None = None
    alter: Alter | None = None

    def setup(self, base: Base, images: Images, seed: int) -> Functions:
        """Return the faulty training."""
        if self.images is not None:
            images = self.images(images, np.random.default_rng([seed, 17]))
        code = base.build(images, seed) if self.code is None else self.code(images, seed)
        setup = base.prepared(code, images, seed)
        return setup if self.alter is None else self.alter(setup, code, images)


@dataclass(frozen=True)
class Fault:
    """A row of a table of faults: where it is planted, and in which strengths."""

    kind: str
    name: str
    bases: tuple[Base, ...]
    strengths: Mapping[str, Plant]
    also: tuple[str, ...] = ()
    definition: str = ""
    seeds: int = 2
    steps: int = 150

    def scenarios(self, images_of: ImagesOf) -> Iterator[Scenario]:
        """Yield a scenario for each strength, base and seed."""
        for base in self.bases:
            for strength, plant in self.strengths.items():
                for seed in range(self.seeds):
                    yield Scenario(
                        self.kind,
                        f"{base.name}: {self.name}",
                        strength,
                        seed,
                        _maker(plant, base, images_of, seed),
                        _mended(base, images_of, seed),
                        self.also,
                        self.definition,
                        self.steps,
                    )


def _maker(plant: Plant, base: Base, images_of: ImagesOf, seed: int) -> Callable[[], Setup]:
    return lambda: plant.setup(base, images_of(seed), seed)


def _mended(base: Base, images_of: ImagesOf, seed: int) -> Callable[[], Setup]:
    return lambda: base.setup(images_of(seed), seed)


def on(*codes: str, **options: Any) -> tuple[Base, ...]:
    """Return bases of the codes of these names."""
    return tuple(Base(code, **options) for code in codes)


def altered(alter: Alter) -> Plant:
    """Return the plant that changes a setup at the end."""
    return Plant(alter=alter)


def started(change: Callable[[Any, Code, np.random.Generator], Any]) -> Plant:
    """Return the plant of other first parameters."""

    def alter(setup: Functions, code: Code, images: Images) -> Functions:
        del images
        return replace(setup, params=change(copied(setup.params), code, np.random.default_rng(99)))

    return Plant(alter=alter)


def claimed(change: Callable[[Code], Callable[[Any, Any], Any]]) -> Plant:
    """Return the plant of other gradients."""
    return Plant(alter=lambda setup, code, _: replace(setup, gradients=change(code)))


def stepped(step: Callable[[Functions, Code], Any], **more: Any) -> Plant:
    """Return the plant of an own step; ``more`` are further fields of the setup."""
    return Plant(alter=lambda setup, code, _: replace(setup, step=step(setup, code), **more))

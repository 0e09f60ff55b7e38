"""``accuracy``: seconds of training until MNIST is learned, both sides by turns with the same recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import ours
from benchmarks.idx import Mnist
from benchmarks.networks import Network
from benchmarks.report import Report, seconds
from benchmarks.settings import Settings
from whygrad.optim import OneCycle

COLUMNS = ("side", "seconds to the goal", "steps", "test accuracy", "seconds a step", "way")
BATCH = 64


@dataclass
class Runner:
    """One side of the race."""

    name: str
    way: str
    step: Callable[[npt.NDArray[np.intp]], Any]  #: trains on the images of these numbers
    accuracy: Callable[[], float]
    seconds: float = 0.0
    steps: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def run(self, batches: list[npt.NDArray[np.intp]]) -> float:
        """Train on some batches, which is timed, and return the test accuracy after them, which is not."""
        began = time.perf_counter()
        for chosen in batches:
            self.step(chosen)
        self.seconds += time.perf_counter() - began
        self.steps += len(batches)
        share = self.accuracy()
        self.history.append({"steps": self.steps, "seconds": self.seconds, "accuracy": share})
        return share


@dataclass(frozen=True)
class Recipe:
    """What both sides do: SGD with momentum, its learning rate in one cycle over all epochs."""

    goal: float = 0.99
    epochs: int = 5
    every: int = 100  #: steps between evaluations
    rate: float = 0.03  #: the largest
    seed: int = 0

    def schedule(self, images: int) -> OneCycle:
        """Return the learning rate by step, for so many images."""
        return OneCycle(self.rate, max(1, self.epochs * (images // BATCH)))


def measure(data: Mnist, recipe: Recipe, settings: Settings, report: Report) -> None:
    """Train both sides until each has reached the goal, and show how long it took."""
    shape = data.images.shape
    network = Network("mnist_cnn", "MNIST CNN", "mnist_cnn", (shape[1], shape[2], shape[3]), BATCH, 1.3)
    runners = [_our_runner(network, data, recipe)]
    if settings.torch:
        runners.append(_peer_runner(network, data, recipe, settings, report))
    race(runners, _batches(len(data.labels), recipe), recipe, report)
    for runner in runners:
        reached = runner.history[-1]["accuracy"] >= recipe.goal if runner.history else False
        report.add(
            side=runner.name,
            way=runner.way,
            reached=reached,
            seconds=runner.seconds,
            steps=runner.steps,
            history=runner.history,
        )
    report.table(COLUMNS, [_row(runner, recipe) for runner in runners])


def race(
    runners: list[Runner], batches: Iterator[list[npt.NDArray[np.intp]]], recipe: Recipe, report: Report
) -> None:
    """Let the runners train by turns on the same batches until each has reached the goal or there are no more."""
    racing = list(runners)
    for some in batches:
        for runner in list(racing):
            share = runner.run(some)
            report.say(f"{runner.name}: {runner.steps} steps, {seconds(runner.seconds)}, {share:.2%}")
            if share >= recipe.goal:
                racing.remove(runner)
        if not racing:
            return


def _batches(images: int, recipe: Recipe) -> Iterator[list[npt.NDArray[np.intp]]]:
    """Yield batches of one size, as many at once as lie between two evaluations; each epoch has its own order."""
    waiting: list[npt.NDArray[np.intp]] = []
    for epoch in range(recipe.epochs):
        order = np.random.default_rng([recipe.seed, epoch]).permutation(images)
        for start in range(0, images - BATCH + 1, BATCH):
            waiting.append(order[start : start + BATCH])
            if len(waiting) == recipe.every:
                yield waiting
                waiting = []
    if waiting:
        yield waiting


def _our_runner(network: Network, data: Mnist, recipe: Recipe) -> Runner:
    model = ours.build(network.model, network.input_shape)
    weights = ours.weights(model, recipe.seed)
    rate = recipe.schedule(len(data.labels))
    warm = ours.Trainer(model, weights, network.loss, rate)
    warm.step(network.images(), network.targets())
    trainer = ours.Trainer(model, weights, network.loss, rate, recipe.seed)

    def step(chosen: npt.NDArray[np.intp]) -> float:
        return trainer.step(data.images[chosen], data.labels[chosen])

    def accuracy() -> float:
        predict = ours.Predictor(model, trainer.params)
        parts = range(0, len(data.test_labels), 256)
        guesses = np.concatenate([predict(data.test_images[i : i + 256]).argmax(axis=1) for i in parts])
        return float((guesses == data.test_labels).mean())

    return Runner("whygrad", "", step, accuracy)


def _peer_runner(network: Network, data: Mnist, recipe: Recipe, settings: Settings, report: Report) -> Runner:
    import torch  # noqa: PLC0415 - it may be absent

    from benchmarks import torch_modes  # noqa: PLC0415

    weights = ours.weights(ours.build(network.model, network.input_shape), recipe.seed)
    compiled = torch_modes.wants_compile(settings, report)
    choice = torch_modes.best_trainer(network, weights, settings, report, compiled)
    trainer, mode = choice.run, choice.mode
    trainer.begin(weights)
    torch.manual_seed(recipe.seed)
    rates = map(recipe.schedule(len(data.labels)), count())
    layout = torch.channels_last if mode.channels_last else torch.contiguous_format
    images, test_images = (
        torch.from_numpy(a).contiguous(memory_format=layout) for a in (data.images, data.test_images)
    )
    labels, test_labels = torch.from_numpy(data.labels), torch.from_numpy(data.test_labels)

    def step(chosen: npt.NDArray[np.intp]) -> float:
        at = torch.from_numpy(chosen)
        for group in trainer.optimizer.param_groups:
            group["lr"] = next(rates)
        return trainer.step(images[at], labels[at]).item()  # type: ignore[no-any-return]

    def accuracy() -> float:
        trainer.module.eval()
        with torch.inference_mode():
            guesses = torch.cat([trainer.module(part).argmax(1) for part in torch.split(test_images, 256)])
        trainer.module.train()
        return (guesses == test_labels).double().mean().item()

    return Runner("PyTorch", f"{mode.name}, {mode.optimizer}", step, accuracy)


def _row(runner: Runner, recipe: Recipe) -> list[str]:
    if not runner.history:
        return [runner.name, "no steps", *[""] * 4]
    share = runner.history[-1]["accuracy"]
    taken = seconds(runner.seconds) if share >= recipe.goal else f"not reached in {seconds(runner.seconds)}"
    each = seconds(runner.seconds / runner.steps)
    return [runner.name, taken, str(runner.steps), f"{share:.2%}", each, runner.way or "–"]

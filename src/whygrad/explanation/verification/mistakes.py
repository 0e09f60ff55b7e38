"""Known mistakes: what a wrong number would be if this or that had been done instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from whygrad.errors import WhygradError
from whygrad.explanation.verification.part import Part
from whygrad.explanation.verification.problem import Problem, Quantity
from whygrad.explanation.verification.verdicts import Judge, Judged, Verdict
from whygrad.explanation.verification.worked import Source, World
from whygrad.losses.registry import LOSSES
from whygrad.typing import Array

_CONVOLUTIONS = ("conv2d", "conv_transpose2d")
_POINTWISE = ("relu", "leaky_relu", "sigmoid", "tanh", "elu", "gelu", "silu", "softplus")


class Mistake(NamedTuple):
    """What somebody may have done, and what comes of it."""

    sentence: str
    array: Array


def explained(judge: Judge, quantity: Quantity) -> tuple[str, dict[tuple[int, ...], list[str]]]:
    """Return the mistake that explains all wrong cells of a quantity, or those that explain some of them.

    Returns:
        A sentence on the whole, empty if no mistake explains every wrong cell; and sentences by cell.
    """
    cells = judge.judged[quantity]
    wrong = [one for one in cells if one.verdict is Verdict.WRONG]
    if not wrong:
        return "", {}
    tried = list(_candidates(judge, quantity))
    for mistake in tried:
        if all(_is(mistake, one) for one in cells):
            return mistake.sentence, {}
    telling = {mistake.sentence: [one for one in wrong if _tells(mistake, one)] for mistake in tried}
    for sentence, found in telling.items():
        if len(found) == len(wrong):
            return "", {one.index: [sentence] for one in wrong}
    by_cell: dict[tuple[int, ...], list[str]] = {}
    for one in wrong:
        matching = [sentence for sentence, found in telling.items() if one in found]
        matching.sort(key=lambda sentence: -len(telling[sentence]))
        by_cell[one.index] = matching[:2]
    return "", by_cell


def _is(mistake: Mistake, one: Judged) -> bool:
    number = float(mistake.array[one.index])
    return one.printed.rounds(number) or one.printed.cuts(number)


def _tells(mistake: Mistake, one: Judged) -> bool:
    """Return whether a mistake explains a cell by itself; so many things are 0 that a 0 says little."""
    return one.printed.value != 0 and _is(mistake, one)


def _candidates(judge: Judge, quantity: Quantity) -> Iterator[Mistake]:
    """Yield known mistakes, from the person's own numbers above and then from the right ones."""
    for world in (judge.own, judge.exact):
        right = world.computed(quantity)
        specific = list(_specific(world, quantity))
        for mistake in (*_of_sign(right), *specific, *_of_arrangement(right, quantity), *_of_factor(world, right)):
            array = np.broadcast_to(np.asarray(mistake.array, np.float64), right.shape)
            yield Mistake(mistake.sentence, array)


def _of_sign(right: Array) -> Iterator[Mistake]:
    yield Mistake("the sign is the other way round", -right)


def _of_arrangement(right: Array, quantity: Quantity) -> Iterator[Mistake]:
    what = "the array" if quantity.kind in ("value", "delta") else "the kernel"
    if right.ndim >= 2 and right.shape[-1] == right.shape[-2] > 1:
        yield Mistake("rows and columns are swapped: it is the transpose of what is right", right.swapaxes(-1, -2))
    if right.ndim == 4 and right.shape[2:] != (1, 1):
        yield Mistake(f"{what} is turned by 180°: it was flipped where it should not be", right[..., ::-1, ::-1])
    if right.ndim == 4 and right.shape[0] == right.shape[1] > 1:
        yield Mistake("filters and channels are swapped", right.swapaxes(0, 1))
    if right.ndim == 2 and right.shape[0] == 1 and right.shape[1] > 1:
        side = int(np.sqrt(right.shape[1]))
        if side * side == right.shape[1]:
            turned = right.reshape(side, side).T.reshape(right.shape)
            yield Mistake("columns were counted before rows when the map was flattened", turned)


def _of_factor(world: World, right: Array) -> Iterator[Mistake]:
    samples = next(iter(world.problem.shapes.values()))[0]
    rate = world.problem.rate
    yield Mistake("it is twice what is right: a factor 1/2 is missing, or a 2 too many", 2 * right)
    yield Mistake("it is half of what is right: a factor 2 is missing, or a 1/2 too many", right / 2)
    if samples > 1:
        yield Mistake(f"a factor 1/N is missing, N = {samples} samples", samples * right)
        yield Mistake(f"there is a factor 1/N too many, N = {samples} samples", right / samples)
    outputs = int(np.prod(world.problem.shapes[world.problem.output]))
    if outputs not in (1, 2, samples):
        yield Mistake(f"a factor 1/M is missing, M = {outputs} outputs", outputs * right)
        yield Mistake(f"there is a factor 1/M too many, M = {outputs} outputs", right / outputs)
    if np.isfinite(rate) and rate:
        yield Mistake("it is multiplied by the learning rate already", rate * right)


def _specific(world: World, quantity: Quantity) -> Iterator[Mistake]:
    if quantity.kind == "new":
        yield from _of_update(world, quantity)
        return
    found = world.sources(quantity)
    for source in found:
        others = sum((_array(one) * one.sign for one in found if one is not source), np.zeros(()))
        for sentence, array in _variants(world.problem, world, source):
            with np.errstate(all="ignore"):
                yield Mistake(sentence, others + source.sign * array)


def _of_update(world: World, quantity: Quantity) -> Iterator[Mistake]:
    node, own = world.problem.parameter(quantity.name)
    w, rate = node.parameters[own], world.problem.rate
    g = world.problem.sign * world.used(Quantity("gradient", quantity.name))
    yield Mistake("the step was taken uphill: added where it is to be subtracted", w + rate * g)
    yield Mistake("the learning rate is missing", w - g)
    yield Mistake("the learning rate is missing, and the step was taken uphill", w + g)
    yield Mistake("this is the step alone, without the old weight", -rate * g)
    yield Mistake("this is the step alone, without the old weight and with the other sign", rate * g)
    yield Mistake("this is the old weight, without the step", w)


def _array(source: Source) -> Array:
    return source.part.value if source.array == "y" else source.part.gradient(source.array[1:])


def _variants(problem: Problem, world: World, source: Source) -> Iterator[tuple[str, Array]]:
    part, array = source.part, source.array
    if part.op in LOSSES:
        if array == "dz" and part.op.endswith("squared_error"):
            yield "the target is missing: it is the output itself", part.inputs["z"]
        return
    shape = (part.value if array == "y" else part.inputs[array[1:]]).shape
    for sentence, other, which in _changed(problem, world, source):
        try:
            changed = other.value if which == "y" else other.gradient(which[1:])
        except (WhygradError, ValueError, IndexError, KeyError):
            continue
        if changed.shape == shape:
            yield sentence, changed
    yield from _of_pooling(part, array)
    yield from _of_activation(part, array)


def _changed(problem: Problem, world: World, source: Source) -> Iterator[tuple[str, Part, str]]:
    """Yield calls with one thing done differently."""
    part, array = source.part, source.array
    w = part.inputs.get("w")
    if w is not None and array in ("y", "dx"):
        if w.ndim == 4:
            other = _with(part, w=w[:, :, ::-1, ::-1])
            said = (
                "the kernel was flipped (turned by 180°) in the forward pass, which correlates"
                if array == "y"
                else "the kernel was not flipped: δ is to be convolved with the kernel turned by 180°"
            )
            yield said, other, array
        if w.shape[-1] == w.shape[-2]:
            yield "the weights were taken with rows and columns swapped", _with(part, w=w.swapaxes(-1, -2)), array
        if w.ndim == 4 and w.shape[0] == w.shape[1] > 1:
            yield "the weights were taken with filters and channels swapped", _with(part, w=w.swapaxes(0, 1)), array
    if array == "y":
        if "b" in part.inputs and w is not None:
            without = {own: a for own, a in part.inputs.items() if own != "b"}
            yield "the bias is missing", replace(part, inputs=without), "y"
        yield from _before_activation(problem, world, source)
        return
    assert part.dy is not None
    x = part.inputs.get("x")
    if array == "dw" and x is not None:
        y = part.value if part.y is None else part.y
        if y.shape == x.shape:
            yield "the layer's output stands in place of its input", _with(part, x=y), "dw"
        yield "δ is missing: it is the sum of the inputs", replace(part, dy=np.ones_like(part.dy)), "dw"
        yield "the input is missing: it is the sum of the deltas", _with(part, x=np.ones_like(x)), "dw"
        yield from _before_activation(problem, world, source)
    if array != "y":
        yield from _after_activation(problem, world, source)


def _before_activation(problem: Problem, world: World, source: Source) -> Iterator[tuple[str, Part, str]]:
    """Yield the call with the input of the activation before it in place of its output."""
    name = source.names.get("x", "").removeprefix("value of ")
    for node in problem.nodes:
        if node.name == name and node.op in _POINTWISE:
            raw = world.used(Quantity("value", node.inputs["x"]))
            said = f"the input of {node.name} stands in place of its output: the activation is missing"
            yield said, _with(source.part, x=raw), source.array


def _after_activation(problem: Problem, world: World, source: Source) -> Iterator[tuple[str, Part, str]]:
    """Yield the call with the delta behind the activation that follows, whose derivative was left out."""
    name = source.names.get("dy", "").removeprefix("delta of ")
    for node, _ in problem.uses(name):
        if node.op in _POINTWISE and source.part.op not in _POINTWISE:
            dy = world.used(Quantity("delta", node.name))
            slope = "the gate" if node.op == "relu" else "the derivative"
            yield f"{slope} of {node.name} is missing in δ", replace(source.part, dy=dy), source.array


def _of_activation(part: Part, array: str) -> Iterator[tuple[str, Array]]:
    if part.op not in _POINTWISE:
        return
    x = part.inputs["x"]
    if array == "y":
        yield f"{part.op} was not applied: it is the input", x
        return
    assert part.dy is not None
    gate = "the ReLU's gate is missing" if part.op == "relu" else f"the derivative of {part.op} is missing"
    yield f"{gate}: δ was passed on as it is", part.dy
    yield "δ is missing: it is the derivative alone", replace(part, dy=np.ones_like(part.dy)).gradient("x")
    y = part._run[0] if part.y is None else part.y
    if part.op == "sigmoid":
        yield "y is missing: it is δ·(1 − y)", part.dy * (1 - y)
        yield "1 − y is missing: it is δ·y", part.dy * y
        yield "the derivative was taken with the input x in place of y: δ·x·(1 − x)", part.dy * x * (1 - x)
    if part.op == "tanh":
        yield "the derivative was taken as 1 − y in place of 1 − y²", part.dy * (1 - y)
        yield "the derivative was taken with the input x in place of y: δ·(1 − x²)", part.dy * (1 - x * x)
    if part.op == "relu":
        yield "the gate is the other way round", part.dy * (x <= 0)
        yield "the value was multiplied in place of the gate", part.dy * y
    for other in ("sigmoid", "tanh", "relu"):
        if other != part.op:
            yield f"the derivative is that of {other}", replace(part, op=other, options={}, y=None).gradient("x")


def _of_pooling(part: Part, array: str) -> Iterator[tuple[str, Array]]:
    if part.op not in ("max_pool2d", "avg_pool2d"):
        return
    shared = ("kernel_size", "stride", "padding", "ceil_mode")
    options = {name: value for name, value in part.options.items() if name in shared}
    if part.op == "max_pool2d" and part.options.get("dilation", 1) == 1:
        mean = Part("avg_pool2d", part.inputs, options, dy=part.dy)
        if array == "y":
            yield "it is the mean of the window, not the largest", mean.value
            lowest = Part("max_pool2d", {"x": -part.inputs["x"]}, part.options)
            yield "it is the smallest of the window, not the largest", -lowest.value
            return
        unknown = replace(mean, inputs={"x": np.zeros_like(part.inputs["x"])})
        area = float(np.prod(np.broadcast_to(part.options["kernel_size"], 2)))
        yield "δ was shared out over the window, as by average pooling", unknown.gradient("x")
        yield "δ was given to every place of the window, not to the largest alone", area * unknown.gradient("x")
    if part.op == "avg_pool2d":
        area = float(np.prod(np.broadcast_to(part.options["kernel_size"], 2)))
        right = part.value if array == "y" else part.gradient("x")
        yield f"the factor 1/{area:.0f} of the mean is missing", area * right
        largest = Part("max_pool2d", part.inputs, options, dy=part.dy)
        if array == "y":
            yield "it is the largest of the window, not the mean", largest.value
        else:
            yield "all of δ went to the largest of the window, as by max-pooling", largest.gradient("x")


def _with(part: Part, **arrays: Array) -> Part:
    return replace(part, inputs={own: arrays.get(own, a) for own, a in part.inputs.items()})

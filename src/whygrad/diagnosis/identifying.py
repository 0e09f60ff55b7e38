"""Which chain a network is: found by the values of its loss, at several parameters.

Nobody is asked what their network is. The shapes of the parameters say which layers there may be; which
activations, poolings, skip connections and loss lie between them is tried until the loss comes out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice, product
from typing import Any

import numpy as np

from whygrad.clock import working_time
from whygrad.diagnosis.catalogue import ImpossibleError
from whygrad.diagnosis.chains import Chain, Stage, adding, forward
from whygrad.diagnosis.endings import LAST, LOSSES, PENALTIES, target_like
from whygrad.diagnosis.residuals import with_skips
from whygrad.typing import Array

#: What may stand between two layers.
HIDDEN = ("relu", "sigmoid", "tanh", "identity", "leaky_relu", "softplus")
#: What is tried after that: the same in all gaps.
RARE = ("leaky_relu 0.1", "leaky_relu 0.2", "leaky_relu 0.05", "leaky_relu 0.3", "elu", "silu", "gelu", "gelu tanh")
#: Of the parameters at which a loss is compared: how many.
DRAWS = 5
EXACT = 1e-7
#: How many layouts with skip connections are tried.
SKIPS = 24


def identified(
    loss: Callable[[Mapping[str, Array]], float],
    params: Mapping[str, Array],
    x: Array,
    t: Array,
    rng: np.random.Generator,
    until: float = math.inf,
) -> Chain | None:
    """Return the chain whose loss this is; None where none of those tried, until some time, gives it."""
    draws = [
        {n: a + 0.3 * rng.normal(size=a.shape) * (np.abs(a).mean() + 0.1) for n, a in params.items()}
        for _ in range(DRAWS)
    ]
    values = np.array([loss(d) for d in draws])
    if not np.isfinite(values).all():
        return None
    for kinds in (HIDDEN, RARE):
        for images, goal, columns in _readings(x, t):
            skips = _with_skips(params, images) if kinds is HIDDEN else ()
            for stages in chain(layouts(params, images), skips):
                if working_time() > until:
                    return None
                found = _fitting_chain(stages, kinds, draws, values, images, goal, columns, until)
                if found is not None:
                    return found
    return None


def _with_skips(params: Mapping[str, Array], x: Array) -> Iterator[tuple[Any, ...]]:
    """Yield layouts with skip connections, a limited number of them."""
    plain = (stages for stages in layouts(params, x) if not any(s and "pool" in s.kind for s in stages))
    return islice((found for stages in plain for found in with_skips(stages, params, adding)), SKIPS)


def _readings(x: Array, t: Array) -> Iterator[tuple[Array, Array, bool]]:
    """Yield the ways in which data can be meant: samples as rows or columns, images with and without channels."""
    if x.ndim == 1:
        yield x[None], t.reshape(1, -1) if t.ndim else t, False
    elif x.ndim == 2:
        yield x, t, False
        yield x.T, t.T if t.ndim == 2 else t, True
        yield x[None, None], t.reshape(1, -1), False
    elif x.ndim == 3:
        yield x[:, None], t, False
        yield x[None], t.reshape(1, -1), False
    else:
        yield x, t, False


def layouts(params: Mapping[str, Array], x: Array) -> Iterator[tuple[Any, ...]]:
    """Yield the sequences of layers that the shapes allow, with a gap (None) where an activation may stand."""
    weights = [n for n, a in params.items() if (a.ndim >= 2 and 1 not in a.shape[:2]) or a.ndim == 4]
    singles = [n for n in params if n not in weights]
    pairs = _biases(params, weights, singles)
    if not weights:
        return
    yield from _continued(params, pairs, weights, x.shape, ())


def _biases(params: Mapping[str, Array], weights: list[str], singles: list[str]) -> dict[str, str]:
    """Return which bias belongs to which weights: by the digits in the names, or else by the order."""
    found: dict[str, str] = {}
    left = list(singles)
    for name in weights:
        digits = "".join(filter(str.isdigit, name))
        sizes = params[name].shape
        fits = [b for b in left if params[b].size in sizes or params[b].size == 1]
        same = [b for b in fits if "".join(filter(str.isdigit, b)) == digits]
        order = list(params)
        after = [b for b in fits if order.index(b) == order.index(name) + 1]
        if fits:
            found[name] = (same or after or fits)[0]
            left.remove(found[name])
    # A column or row vector of weights, as the last layer of one output has, is not taken for a bias.
    return found


def _continued(
    params: Mapping[str, Array],
    biases: Mapping[str, str],
    weights: Sequence[str],
    shape: tuple[int, ...],
    done: tuple[Any, ...],
) -> Iterator[tuple[Any, ...]]:
    if not weights:
        yield done
        return
    name, rest = weights[0], weights[1:]
    w = params[name]
    named = {"w": name, **({"b": biases[name]} if name in biases else {})}
    if w.ndim == 4 or (
        w.ndim in (2, 3)
        and len(shape) == 4
        and shape[1] == 1
        and max(w.shape[-2:]) <= min(shape[2:])
        and int(np.prod(shape[1:])) not in w.shape
    ):
        full = w if w.ndim == 4 else w[None, None] if w.ndim == 2 else w[:, None]
        yield from _after_convolution(params, biases, rest, shape, done, named, full)
        return
    flat: tuple[Any, ...] = ()
    width = shape[1] if len(shape) == 2 else int(np.prod(shape[1:]))
    if len(shape) == 4:
        flat = (Stage("flatten"),)
    for transposed in (True, False):
        inputs, outputs = w.shape if transposed else w.shape[::-1]
        if w.ndim == 2 and inputs == width:
            stage = Stage("linear", named, transposed=transposed)
            yield from _continued(params, biases, rest, (shape[0], outputs), (*done, *flat, stage, None))


def _after_convolution(
    params: Mapping[str, Array], biases: Mapping[str, str], rest: Sequence[str], shape: tuple[int, ...],
    done: tuple[Any, ...],
    named: Mapping[str, str], w: Array,
) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    if len(shape) != 4 or shape[1] != w.shape[1]:
        return
    r, s = w.shape[2:]
    paddings = dict.fromkeys((0, (r - 1) // 2))
    for padding, stride in product(paddings, (1, 2)):
        height, width = ((n + 2 * padding - k) // stride + 1 for n, k in zip(shape[2:], (r, s), strict=True))
        if min(height, width) < 1:
            continue
        stage = Stage("conv2d", named, {"stride": stride, "padding": padding})
        here = (shape[0], w.shape[0], height, width)
        yield from _continued(params, biases, rest, here, (*done, stage, None))
        for pool, k in product(("max_pool2d", "avg_pool2d"), (2, 3)):
            if min(height, width) >= k:
                pooled = (*here[:2], (height - k) // k + 1, (width - k) // k + 1)
                pooling = Stage(pool, {}, {"kernel_size": k, "stride": k})
                yield from _continued(params, biases, rest, pooled, (*done, stage, None, pooling))
                yield from _continued(params, biases, rest, pooled, (*done, stage, pooling, None))
        pooling = Stage("global_avg_pool2d")
        yield from _continued(params, biases, rest, here[:2], (*done, stage, None, pooling))


def _fitting_chain(
    stages: tuple[Any, ...], kinds: Sequence[str], draws: Sequence[Mapping[str, Array]], values: Array, x: Array,
    t: Array, columns: bool, until: float,
) -> Chain | None:  # fmt: skip
    """Return the chain with the activations and the loss that give the values."""
    try:
        for grown, images in _grown(stages, kinds, draws, x, until):
            flat = images[0].ndim == 2
            outs = images if flat else [o.reshape(len(o), -1) for o in images]
            body = grown if flat or grown[-1].kind == "flatten" else (*grown, Stage("flatten"))
            for end in LAST:
                found = _end(body, end, outs, draws, values, t, columns, len(x))
                if found is not None:
                    return found
    except ImpossibleError:
        return None
    return None


def _grown(
    stages: tuple[Any, ...], kinds: Sequence[str], draws: Sequence[Mapping[str, Array]], x: Array, until: float
) -> Iterator[tuple[tuple[Stage, ...], list[Array]]]:
    """Yield the layout with every choice of activations in its gaps, and what comes out at each draw, in time.

    What lies before a gap is computed once for all that may stand in it. With more than two gaps, and of what is
    rare, all activations are the same.
    """
    gaps = sum(stage is None for stage in stages[:-1])
    if kinds is RARE and not gaps:
        return
    alike = gaps > 2 or kinds is RARE

    def on(k: int, body: tuple[Stage, ...], outs: list[Array], entered: list[dict[str, Array]], kind: str) -> Any:
        if working_time() > until:
            return
        if k == len(stages):
            yield body, outs
        elif stages[k] is not None:
            stage = stages[k]
            if "w" in stage.params:
                name = stage.params["w"]
                entered = [{**before, name: out} for before, out in zip(entered, outs, strict=True)]
            after = [
                forward([stage], draw, out, before)[-1].y
                for draw, out, before in zip(draws, outs, entered, strict=True)
            ]
            yield from on(k + 1, (*body, stage), after, entered, kind)
        elif k == len(stages) - 1:
            yield from on(k + 1, body, outs, entered, kind)
        else:
            for chosen in (kind,) if alike and kind else kinds:
                filled = _activation(chosen)
                if filled is None:
                    yield from on(k + 1, body, outs, entered, chosen)
                else:
                    after = [forward([filled], {}, out)[-1].y for out in outs]
                    yield from on(k + 1, (*body, filled), after, entered, chosen)

    yield from on(0, (), [x] * len(draws), [{} for _ in draws], "")


def _activation(kind: str) -> Stage | None:
    if kind == "identity":
        return None
    name, _, option = kind.partition(" ")
    options: dict[str, Any] = {"alpha": float(option or 0.01)} if name == "leaky_relu" else {}
    return Stage(name, {}, {"approximate": option} if name == "gelu" and option else options)


def _end(
    body: tuple[Stage, ...], end: str, outs: Sequence[Array], draws: Sequence[Mapping[str, Array]], values: Array,
    t: Array,
    columns: bool, n: int,
) -> Chain | None:  # fmt: skip
    final = _activation(end)
    stages = body if final is None else (*body, final)
    try:
        ends = outs if final is None else [forward([final], {}, o)[-1].y for o in outs]
        goal = target_like(t, ends[0])
    except ImpossibleError:
        return None
    for loss in LOSSES:
        with np.errstate(all="ignore"):
            base = np.array([loss.value(o, goal) for o in ends])
        if not np.isfinite(base).all() or np.abs(base).max() == 0:
            continue
        for penalty, sums in {"": None, **_penalties(body, draws)}.items():
            terms = np.stack([base] if sums is None else [base, sums], 1)
            c, *_ = np.linalg.lstsq(terms, values, rcond=None)
            if np.abs(terms @ c - values).max() <= EXACT * np.abs(values).max() and c[0] > 0:
                per = _per_sample(float(c[0]), n, goal)
                factor, strength = float(c[0]) * (n if per else 1), float(c[1]) if len(c) > 1 else 0.0
                return Chain(stages, loss, per, factor, strength, penalty or "squares", columns)
    return None


def _penalties(body: Sequence[Stage], draws: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Return for each regulariser what it adds up at each draw."""
    weights = {s.params["w"] for s in body if "w" in s.params}
    return {
        name: np.array([sum(p.value(a) for n, a in draw.items() if p.biases or n in weights) for draw in draws])
        for name, p in PENALTIES.items()
    }


def _per_sample(factor: float, n: int, goal: Array) -> bool:
    """Return whether a factor is one over the number of samples, times a small number or the outputs' width."""
    if n == 1:
        return False
    rest = factor * n
    return any(
        abs(rest - k) < 1e-6 * k for k in (1.0, 0.5, 2.0, 1 / goal.shape[1], 0.5 / goal.shape[1], 2 / goal.shape[1])
    )


def as_given(chain: Chain, x: Array, t: Array) -> tuple[Array, Array]:
    """Return data in the reading that the chain was found with."""
    for images, goal, columns in _readings(x, t):
        if columns == chain.columns and (images.ndim == 4) == (
            chain.stages[0].kind in ("conv2d", "flatten", "max_pool2d", "avg_pool2d")
        ):
            return images, goal
    return x, t

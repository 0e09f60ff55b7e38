"""Functions that are not in the registry: which operation they compute after all, or else their own reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from whygrad.diagnosis.adapting import Code
from whygrad.diagnosis.catalogue import Joints, Subject
from whygrad.diagnosis.differences import derivative, differences
from whygrad.diagnosis.layouts import Layout
from whygrad.diagnosis.mistakes import changes
from whygrad.diagnosis.mistakes.activations import activation_mistakes
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.diagnosis.registry import subject
from whygrad.errors import OptionError
from whygrad.ops.registry import OPERATIONS
from whygrad.typing import Array

#: Numbers that are not whole, so that operations on indices cannot pass for others.
SIZES = ((5, 4), (2, 3, 4), (1, 6))


def recognised(forward: Callable[..., Any]) -> Subject | None:
    """Return the operation that a forward computes, at several probes to rounding; None where it is none.

    Example:
        >>> recognised(np.tanh).name
        'tanh'
    """
    for name in OPERATIONS:
        candidate = subject(name)
        if _computes(forward, candidate):
            return candidate
    return None


def _computes(forward: Callable[..., Any], candidate: Subject) -> bool:
    for layout in (Layout(), Layout(weights="IO")) if candidate.name == "linear" else (Layout(),):
        code = Code(None, forward, (*candidate.inputs, *candidate.options), tuple(candidate.build), layout)
        agree = 0
        for probe in candidate.probes(candidate, np.random.default_rng(1), {})[:4]:
            y = code(probe).y
            if y is None:
                continue
            if y.shape != probe.y.shape or not np.allclose(y, probe.y, rtol=1e-6, atol=1e-9):
                break
            agree += 1
        else:
            if agree >= 2:
                return True
    return False


def own_subject(forward: Callable[..., Any], inputs: Mapping[str, Any] | None) -> Subject:
    """Return the subject of a function whose own values are the reference.

    A function that acts entry by entry has f′ at all entries at once; others are moved entry by entry.

    Raises:
        OptionError: it takes several arrays, and none were given.
    """
    if inputs is not None:
        return _of_inputs(forward, {name: np.asarray(a, np.float64) for name, a in inputs.items()})
    if not _elementwise(forward):
        raise OptionError("diagnose", "a function of one array, entry by entry, or inputs to call it at",
                          "another function",
                          'pass inputs={"x": x, "w": w} in the order of its arguments')  # fmt: skip
    return elementwise_subject("function", forward)


def _elementwise(forward: Callable[..., Any]) -> bool:
    x = np.linspace(-1.3, 1.7, 12).reshape(3, 4)
    try:
        y = np.asarray(forward(x.copy()), np.float64)
        moved = x.copy()
        moved[1, 2] += 0.25
        other = np.asarray(forward(moved), np.float64)
    except (Exception, SystemExit):  # whatever it is, it is no function of one array
        return False
    if y.shape != x.shape:
        return False
    changed = y != other
    return int(changed.sum()) <= 1


def elementwise_subject(name: str, f: Callable[[Array], Array]) -> Subject:
    """Return the subject of an activation that is given by its forward alone."""

    def f_of(x: Array) -> Array:
        return np.asarray(f(np.array(x, np.float64)), np.float64)

    def slope(x: Array) -> Array:
        return derivative(f_of, x)

    def dx(p: Probe, _: Joints) -> Array:
        return p.dy * slope(p["x"])

    def value(p: Probe, _: Joints) -> Array:
        return f_of(p["x"])

    def probes(target: Subject, rng: np.random.Generator, _: Mapping[str, Any]) -> list[Probe]:
        made = []
        for shape in SIZES:
            dy = rng.normal(size=shape) + 0.3
            made.append(Probe(f"{shape}", {"x": spaced(rng, *shape) * 0.8}, dy, target))
        return made

    mistakes = (*activation_mistakes(f_of, slope), *changes.common("dx"))
    return Subject(
        name, ("x",), {"dx": dx}, value, probes, mistakes, lambda p: {"N": p["x"].shape[0], "size": p["x"].size}
    )


def _of_inputs(forward: Callable[..., Any], inputs: dict[str, Array]) -> Subject:
    def value(p: Probe, _: Joints) -> Array:
        raw = forward(*(a.copy() for a in p.inputs.values()))
        return np.asarray(raw[0] if isinstance(raw, tuple) else raw, np.float64)

    def gradient(p: Probe, _: Joints, name: str) -> Array:
        return differences(lambda a: float((value(p.changed(**{name: a}), {}) * p.dy).sum()), p[name])

    def probes(target: Subject, rng: np.random.Generator, _: Mapping[str, Any]) -> list[Probe]:
        made = []
        for k in range(2):
            arrays = {n: a if k == 0 else a + 0.1 * rng.normal(size=a.shape) for n, a in inputs.items()}
            probe = Probe(f"your inputs{' moved a little' if k else ''}", arrays, np.zeros(0), target)
            made.append(probe.changed(rng.normal(size=value(probe, {}).shape)))
        return made

    outputs = {f"d{name}": partial(gradient, name=name) for name in inputs}
    mistakes = changes.common(" ".join(outputs))
    first = next(iter(inputs))
    return Subject(
        "function",
        tuple(inputs),
        outputs,
        value,
        probes,
        mistakes,
        lambda p: {"N": p[first].shape[0] if p[first].ndim else 1},
    )

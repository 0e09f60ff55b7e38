"""``diagnose_arrays``: results that somebody computed elsewhere, in whatever language."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from whygrad import engines
from whygrad.diagnosis.adapting import Result, as_array
from whygrad.diagnosis.axes import Reading, readings_of
from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.conventions import conventions
from whygrad.diagnosis.hypotheses import EXACT, SINGLE
from whygrad.diagnosis.joined import activation_inside, over
from whygrad.diagnosis.judging import judge
from whygrad.diagnosis.outcomes import Outcome
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.registry import subject as subject_of
from whygrad.diagnosis.report import Diagnosis, Finding, Judgement
from whygrad.errors import OptionError, ShapeError
from whygrad.typing import Array


def diagnose_arrays(
    op: str, *, layout: str | None = None, weights: str | None = None, precision: float | None = None, **given: Any
) -> Diagnosis:
    """Say what is wrong with gradients that were computed elsewhere, from the arrays alone.

    Args:
        op: the operation: "conv2d", "linear", "max_pool2d", ...
        layout: the order of the images' axes, such as "NHWC" or MATLAB's "HWCN"; found out where it can be.
        weights: that of the weights: "HWIO"; of dense ones "IO" (the usual here) or "OI".
        precision: how exact the numbers are, relative to the largest; from the digits that they have if left out.
        given: the inputs (``x``, ``w``, ``b``, ``dy``), any of the results (``dx``, ``dw``, ``db``, ``y``), and the
            options (``stride``, ``padding``, ``kernel_size``). Axes of size 1 may be missing.

    Returns:
        The diagnosis, with one finding for each result that was given.

    Raises:
        OptionError: no results, no dy, or an option that the operation does not have.
        ShapeError: shapes that fit in no order of the axes, or in several that say different things.

    Example:
        >>> x = np.array([[1.0, -1, 0], [0, 1, 0], [0, -1, 1]])
        >>> dy = np.array([[-2.0, 0], [0, 0]])
        >>> d = diagnose_arrays("conv2d", x=x, dy=dy, dw=np.array([[2.0, -2], [0, 2]]))
        >>> d.cause, d["dw"].says
        ('sign_error', 'your dw has the wrong sign')
    """
    began = time.monotonic()
    target = subject_of(op)
    results = {name: _array(given[name], name) for name in (*target.build, "y") if given.get(name) is not None}
    inputs = {
        name: _array(given[name], name)
        for name in (*target.inputs, "dy")
        if given.get(name) is not None and name not in results
    }
    options = {k: v for k, v in given.items() if k not in results and k not in inputs and v is not None}
    unknown = (
        set(options)
        - set(target.options)
        - {"stride", "padding", "kernel_size", "mask", "scale", "axis", "scale_factor"}
    )
    if unknown:
        raise OptionError(
            "diagnose_arrays", f"arrays and options of {target.name}", ", ".join(sorted(unknown)), "check the names"
        )
    if not results:
        raise OptionError(
            "diagnose_arrays", f"one of {', '.join((*target.build, 'y'))}", "none", "pass the gradient in question"
        )
    if "dy" not in inputs and set(results) != {"y"}:
        raise OptionError(
            "diagnose_arrays",
            "dy, the gradient with respect to the output",
            "none",
            "pass dy: the gradients are made from it",
        )
    with engines.engine("definition"):
        probe, results, notes = _read(target, inputs, results, options, layout, weights)
        exact = {name: precision if precision is not None else digits(a) for name, a in results.items()}
        outcome = Outcome(probe, Result(dict(results), y=results.get("y")))
        findings = _findings(target, outcome, list(results), exact)
        inside = activation_inside(target, [outcome])
        if inside is not None and len(results) > 1:
            findings, said = _with_activation(target, inside, outcome, findings, exact)
            notes.append(said)
    return Diagnosis(
        subject=target.name, findings=tuple(findings), notes=tuple(notes), calls=0, seconds=time.monotonic() - began
    )


def _findings(target: Subject, outcome: Outcome, names: list[str], exact: Mapping[str, float]) -> list[Finding]:
    return conventions([judge(target, name, [outcome], precision=exact[name]) for name in names])


def _with_activation(
    target: Subject, inside: Subject, outcome: Outcome, plain: list[Finding], exact: Mapping[str, float]
) -> tuple[list[Finding], str]:
    """Return the findings where y shows an activation, and how dy was read: before the activation or behind it.

    With δ = ∂E/∂z the operation ends before its activation, and y is what the next layer sees. With ∂E/∂y the
    activation belongs to it. The reading is taken in which more is right.
    """
    probe, names = outcome.probe, [f.output for f in plain]
    behind = _findings(inside, Outcome(over(probe, inside), outcome.result), names, exact)
    before = Outcome(replace(probe, options={**probe.options, "_y": outcome.result.y}), outcome.result)
    within = _findings(target, before, [n for n in names if n != "y"], exact)
    right = Finding(output="y", verdict=Judgement.RIGHT)

    def good(findings: list[Finding]) -> tuple[int, int]:
        return sum(f.fine for f in findings), sum(f.cause is not None for f in findings)

    if good(behind) > good([*within, right]):
        return behind, f"read as {inside.name}, since that is what y shows, with dy = ∂E/∂y"
    return [
        *within,
        right,
    ], f"read as {inside.name}, since that is what y shows, with dy = ∂E/∂z before the activation"


def digits(a: Array) -> float:
    """Return how exact numbers are, from the digits that they have: rounded ones are known to half a digit.

    Example:
        >>> round(digits(np.array([0.0446, 0.0941])), 6), digits(np.array([1 / 3, 2 / 3]))
        (0.000542, 1e-07)
    """
    largest = float(np.abs(a).max(initial=0))
    if not largest or not np.isfinite(largest):
        return EXACT
    for places in range(1, 9):
        if (np.round(a, places) == a).all():
            whole = bool((np.round(a) == a).all())
            return EXACT if whole else max(EXACT, 0.51 * 10.0**-places / largest)
    with np.errstate(over="ignore"):
        return SINGLE if a.size >= 4 and bool((a.astype(np.float32).astype(np.float64) == a).all()) else EXACT


def _array(value: Any, name: str) -> Array:
    array = as_array(value)
    if array is None:
        raise OptionError(
            "diagnose_arrays",
            f"{name} as an array of numbers",
            f"{type(value).__name__}",
            "pass an array without missing rows",
        )
    return array


def _read(
    target: Subject,
    inputs: dict[str, Array],
    results: dict[str, Array],
    options: dict[str, Any],
    layout: str | None,
    weights: str | None,
) -> tuple[Probe, dict[str, Array], list[str]]:
    """Return the probe that the arrays make, with the results in its order of axes.

    Raises:
        ShapeError: there is no order in which they fit, or there are several.
    """
    used = {**target.options, **{k: v for k, v in options.items() if k not in ("mask", "scale")}}
    if "mask" in options:
        used |= {
            "_mask": np.asarray(options["mask"]),
            "_scale": float(options.get("scale", 1 / (1 - float(used.get("p") or 0)))),
        }
    readings = list(readings_of(target, {**inputs, **results}, layout, weights))
    fitting = []
    for reading in readings:
        probe = _probe(target, reading, inputs, used)
        if probe is not None:
            fitting.append((reading, probe))
    if not fitting:
        shapes = ", ".join(f"{n} {a.shape}" for n, a in {**inputs, **results}.items())
        raise ShapeError(
            "diagnose_arrays",
            f"shapes that fit {target.name} with {_told(used)}",
            shapes,
            "check stride and padding, or say layout and weights",
        )
    chosen = _decided(fitting, results)
    reading, probe = chosen
    notes = []
    first = readings[0]
    if (reading.images, reading.kernels) != (first.images, first.kernels):
        notes.append(f"read with images as {reading.images} and weights as {reading.kernels}, which fit the shapes")
    return probe, {name: reading.arrays[name] for name in results}, notes


def _told(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in options.items() if not k.startswith("_")) or "its options"


def _decided(fitting: list[tuple[Reading, Probe]], results: Mapping[str, Array]) -> tuple[Reading, Probe]:
    """Return the reading to go by: the usual one if it fits, the only one, or the one whose forward gives y.

    Raises:
        ShapeError: several fit, and nothing decides between them.
    """
    if "y" in results:
        for reading, probe in fitting:
            if np.allclose(reading.arrays["y"], probe.y, rtol=1e-4, atol=1e-6):
                return reading, probe
    reading, _ = fitting[0]
    if len(fitting) == 1 or (reading.images in ("NCHW", "") and reading.kernels in ("FCRS", "IO", "")):
        return fitting[0]
    distinct = dict.fromkeys((r.images, r.kernels) for r, _ in fitting)
    right = [pair for pair in fitting if any(_same(pair, name) for name in results)]
    if len(right) == 1:
        return right[0]
    told = ", ".join(f"{i or '-'}/{k or '-'}" for i, k in list(distinct)[:4])
    raise ShapeError(
        "diagnose_arrays",
        "one order of axes",
        f"several that fit: {told}",
        'say layout="NHWC" and weights="HWIO", or pass y',
    )


def _same(pair: tuple[Reading, Probe], name: str) -> bool:
    reading, probe = pair
    truth = probe.y if name == "y" else probe.right.get(name)
    return (
        truth is not None
        and truth.shape == reading.arrays[name].shape
        and bool(np.allclose(truth, reading.arrays[name], rtol=1e-4))
    )


def _probe(
    target: Subject, reading: Reading, inputs: Mapping[str, Array], options: Mapping[str, Any]
) -> Probe | None:
    """Return the probe of a reading; None where its shapes do not fit the operation."""
    given = {name: reading.arrays[name] for name in inputs}
    dy = given.pop("dy", np.zeros(0))
    arrays = dict(given)
    for name in target.inputs:  # what no result asked for depends on, but the shapes do
        like = reading.arrays.get(f"d{name}")
        if name not in arrays and like is not None:
            arrays[name] = np.zeros(like.shape)
    if "b" in target.inputs and "b" not in arrays and "w" in arrays:
        arrays["b"] = np.zeros(arrays["w"].shape[0 if target.name != "conv_transpose2d" else 1])
    for name in ("gamma", "beta"):
        if name in target.inputs and name not in arrays and "x" in arrays:
            arrays[name] = np.ones(arrays["x"].shape[1]) if name == "gamma" else np.zeros(arrays["x"].shape[1])
    probe = Probe("your arrays", {n: arrays[n] for n in target.inputs if n in arrays}, dy, target, dict(options))
    for output in [name for name in reading.arrays if name in target.build or name == "y"]:
        needed = [n for n in made_from(target, output) if n not in given and n != "b"]
        if needed:
            raise OptionError(
                "diagnose_arrays",
                f"{' and '.join(needed)}, which {output} is made from",
                "none",
                f"pass {needed[0]} too",
            )
    missing = [n for n in target.inputs if n not in arrays]
    if missing:
        remedy = "pass it: the right gradient is made from it"
        raise OptionError("diagnose_arrays", f"{', '.join(missing)} of {target.name}", "none", remedy)
    try:
        y = probe.y
    except (ValueError, IndexError, KeyError, TypeError):
        return None
    if dy.size and dy.shape != y.shape:
        return None
    shown = reading.arrays.get("y")
    if "b" in target.inputs and "b" not in given and shown is not None and shown.shape == y.shape:
        probe = probe.changed(b=_bias(shown - y))
    return probe if dy.size else probe.changed(np.zeros(y.shape))


def made_from(target: Subject, output: str) -> tuple[str, ...]:
    """Return the inputs that an output is made from, beside dy.

    Example:
        >>> made_from(subject_of("conv2d"), "dx"), made_from(subject_of("relu"), "dx")
        (('w',), ('x',))
    """
    if "w" not in target.inputs or output == "y":
        return target.inputs
    return {"dx": ("w",), "dw": ("x",)}.get(output, ())


def _bias(rest: Array) -> Array:
    """Return the bias that a value shows: the same number in all of a filter's outputs, or else none."""
    axes = tuple(i for i in range(rest.ndim) if i != 1)
    mean = rest.mean(axes)
    spread = np.ptp(rest, axis=axes).max(initial=0)
    return mean if spread <= 1e-3 * max(float(np.abs(rest).max(initial=0)), 1e-300) else np.zeros_like(mean)

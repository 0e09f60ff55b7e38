"""``check_hessian_vector``: gradients of gradients, by differences of gradients."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from whygrad import validation
from whygrad.checking.backward import as_gradient, by_name
from whygrad.checking.functions import called, named_inputs
from whygrad.checking.judging import place
from whygrad.checking.noise import deviation, typical
from whygrad.checking.patterns import Sampled, axis_names, findings
from whygrad.checking.report import Entry, Report, Row, Verdict
from whygrad.checking.steps import RATIO, Slopes, slopes
from whygrad.errors import CheckError
from whygrad.typing import Array

#: The largest step, relative to the inputs, and how many there are.
_STEP, _LEVELS = 2.0**-7, 3
#: Spacings at which noise shows, that of few digits at the larger one.
_SPACINGS = (2.0**-36, 2.0**-14)
#: Differences up to this share of the largest entry pass for rounding errors.
_TOLERANCE = 1e-6


def check_hessian_vector(
    gradient: Callable[..., Any],
    hessian_vector: Callable[..., Any],
    inputs: Any,
    *,
    seed: int = 0,
    subject: str = "",
) -> Report:
    """Compare products of the Hessian with a vector with differences of gradients, and see that they are symmetric.

        H·v ≈ (∇f(x + h·v) − ∇f(x − h·v)) / 2h,    u·(H·v) = v·(H·u)

    The gradient itself is taken for right: check it first, with :func:`check_gradient`.

    Args:
        gradient: ``gradient(*inputs)`` gives the gradients in the order of the inputs.
        hessian_vector: ``hessian_vector(v, *inputs)`` gives the products, likewise; v is an array for one input
            and a tuple of arrays for several.
        inputs: where: arrays by name, a tuple of arrays in order, or one array; float64.
        seed: of the vectors.
        subject: what the report calls it; the function's name if left out.

    Returns:
        A report with a row for each input.

    Raises:
        CheckError: a function fails or returns the wrong number or shapes of arrays, or inputs are not float64.
        OptionError: no inputs.

    Example:
        >>> def gradient(x):
        ...     return 4 * x**3
        >>> report = check_hessian_vector(gradient, lambda v, x: 12 * x**2 * v, np.array([1., -2., 0.5]))
        >>> report.right
        True
        >>> report = check_hessian_vector(gradient, lambda v, x: 12 * x * v, np.array([1., -2., 0.5]))
        >>> print(report["x"].verdict)
        wrong

    Source: B. Pearlmutter, "Fast exact multiplication by the Hessian" (1994), equation 1.
    """
    began = time.perf_counter()
    given, _ = named_inputs(gradient, inputs)
    at = {name: _float64(name, value) for name, value in given.items()}
    rng = validation.generator("check_hessian_vector", seed)
    v, u = ({name: typical(x) * rng.normal(size=x.shape) for name, x in at.items()} for _ in range(2))

    def gradients(step: float) -> dict[str, Array]:
        moved = [x + step * v[name] for name, x in at.items()]
        return _arrays("the gradient", called("the gradient", gradient, *moved), at)

    def products(vector: Mapping[str, Array]) -> dict[str, Array]:
        passed = tuple(vector.values()) if len(at) > 1 else next(iter(vector.values()))
        result = called("hessian_vector", hessian_vector, passed, *(x.copy() for x in at.values()))
        return _arrays("hessian_vector", result, at)

    centre = gradients(0.0)
    steps = [_STEP * RATIO**-level for level in range(_LEVELS)]
    pairs = [(gradients(step), gradients(-step)) for step in steps]
    spaced = [[gradients(spacing * k) for k in range(1, 9)] for spacing in _SPACINGS]
    noise = {n: max(_noise([point[n] for point in points]) for points in spaced) for n in at}
    claimed, turned = products(v), products(u)
    symmetric = sum(float(np.vdot(u[n], claimed[n]) - np.vdot(v[n], turned[n])) for n in at)
    size = sum(float(np.abs(u[n] * claimed[n]).sum() + np.abs(v[n] * turned[n]).sum()) for n in at)
    rows = [
        _row(name, centre[name], [(a[name], b[name]) for a, b in pairs], steps, claimed[name], noise[name])
        for name in at
    ]
    said = () if abs(symmetric) <= 1e-8 * size else (_NOT_SYMMETRIC,)
    name = subject or getattr(hessian_vector, "__name__", "hessian_vector")
    seconds = time.perf_counter() - began
    return Report(
        subject=name,
        rows=tuple(rows),
        findings=said,
        evaluations=1 + 2 * _LEVELS + 8 * len(_SPACINGS),
        seconds=seconds,
    )


_NOT_SYMMETRIC = "the products are not symmetric: u·(H·v) and v·(H·u) differ, as they do for no Hessian"


def _noise(points: list[Array]) -> float:
    return float(deviation(np.array([point.ravel() for point in points])).max(initial=0.0))


def _float64(name: str, value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype != np.float64:
        raise CheckError("check_hessian_vector", f"{name} in float64", f"{array.dtype}", "convert with astype")
    return array


def _arrays(what: str, result: Any, at: Mapping[str, Array]) -> dict[str, Array]:
    arrays = by_name(result, list(at))
    for name, x in at.items():
        if arrays[name] is None or np.shape(arrays[name]) != x.shape:
            received = "None" if arrays[name] is None else f"{np.shape(arrays[name])}"
            raise CheckError(what, f"an array of shape {x.shape} for {name}", received, "return one for each input")
    return {name: as_gradient(array) for name, array in arrays.items()}


def _row(
    name: str, centre: Array, pairs: list[tuple[Array, Array]], steps: list[float], claimed: Array, noise: float
) -> Row:
    """Return the verdict on the products for one input, all of whose entries are compared."""
    plus = np.array([(up - centre).ravel() for up, _ in pairs])
    minus = np.array([(down - centre).ravel() for _, down in pairs])
    h = np.broadcast_to(np.array(steps)[:, None], plus.shape)
    noise = max(noise, float(np.finfo(np.float64).eps * np.abs(centre).max(initial=0.0)))
    found = slopes(plus, minus, h, h, noise)
    scale = float(np.abs(found.value).max(initial=0.0)) or float(np.abs(claimed).max(initial=0.0)) or 1.0
    difference = np.abs(claimed.ravel() - found.value)
    wrong = ~(difference <= 2 * found.bound + _TOLERANCE * scale)
    undecided = ~wrong & (found.bound > 1e-3 * scale)
    verdict = Verdict.WRONG if wrong.any() else Verdict.UNDECIDED if undecided.any() else Verdict.RIGHT
    worst = np.argsort(-difference, kind="stable")[:6].tolist()
    entries = [_entry(claimed, found, i) for i in worst]
    sampled = Sampled(claimed, np.arange(claimed.size), found.value, found.bound, wrong)
    said = findings(sampled, axes=axis_names(name, claimed.ndim))
    if undecided.any():
        said.append("the gradient is too noisy, or has a kink too near, for its differences to tell")
    return Row(
        name=name,
        verdict=verdict,
        shape=claimed.shape,
        checked=claimed.size,
        entries=claimed.size,
        relative_error=float(difference.max(initial=0.0)) / scale,
        bound=float((difference + found.bound).max(initial=0.0)) / scale,
        worst=entries[0] if entries else None,
        wrong=tuple(entries[: int(wrong.sum())]),
        method=f"central differences of gradients, h = {steps[-1]:.0e}, extrapolated",
        findings=tuple(said),
    )


def _entry(claimed: Array, found: Slopes, i: int) -> Entry:
    numbers = claimed.reshape(-1)[i], found.value[i], found.bound[i]
    return Entry(place(i, claimed.shape), *(float(number) for number in numbers))

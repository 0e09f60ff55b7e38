"""``check_op`` and ``check_loss``: the project's own operations and losses, in either engine and float type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np

from whygrad import validation
from whygrad.checking.gradient import check_gradient
from whygrad.checking.report import Report, Row
from whygrad.engines import current_engine
from whygrad.errors import OptionError
from whygrad.losses.registry import LossEntry, LossSample, loss
from whygrad.ops.registry import Operation, operation
from whygrad.ops.samples import Sample

Real = Literal["float32", "float64"]


def check_op(
    name: str,
    *inputs: Any,
    seed: int = 0,
    dtype: Real = "float64",
    full: bool | None = None,
    **options: Any,
) -> Report:
    """Check the pullback of a registered operation in the current engine.

    In float32 the differences are still those of the float64 operation, and the gradient may differ by some times
    what rounding the inputs to float32 changes in it.

    Args:
        name: of the operation, "conv2d".
        inputs: its arrays, in order; its sample inputs if left out.
        seed: of the sample inputs, the cotangent and directions.
        dtype: the float type of the sample inputs.
        full: compare every entry; None for what the size suggests.
        options: of the operation; "rng" takes a seed.

    Raises:
        OptionError: there is no such operation or float type.
        CheckError: the operation refuses the inputs.

    Example:
        >>> report = check_op("conv2d", np.ones((1, 2, 4, 4)), np.ones((3, 2, 3, 3)), padding="same")
        >>> report.right, [row.name for row in report]
        (True, ['x', 'w'])
        >>> check_op("relu").right
        True
    """
    op, real = operation(name), _real(dtype)
    samples = op.samples(validation.generator("check_op", seed)) if not inputs else [_sample(name, inputs, options)]
    reports = []
    for sample in samples:
        arrays = sample.inputs if inputs else {key: x.astype(real) for key, x in sample.inputs.items()}
        reports.append(_check(partial(_run, op, sample), arrays, name, seed, full))
    return _joined(name, reports, seed=seed, dtype=str(reports[0].details.get("dtype", dtype)))


def check_loss(
    name: str,
    prediction: Any = None,
    target: Any = None,
    *,
    seed: int = 0,
    dtype: Real = "float64",
    full: bool | None = None,
    **options: Any,
) -> Report:
    """Check the gradient of a registered loss in the current engine.

    Args:
        name: of the loss, "cross_entropy".
        prediction: where; the loss's sample inputs if left out.
        target: what should have been predicted.
        seed: of the sample inputs and of directions.
        dtype: the float type of the sample inputs.
        full: compare every entry; None for what the size suggests.
        options: of the loss.

    Raises:
        OptionError: there is no such loss or float type.
        CheckError: the loss refuses the inputs.

    Example:
        >>> check_loss("cross_entropy", np.array([[1., -1., 0.5]]), np.array([2])).right
        True
    """
    entry, real = loss(name), _real(dtype)
    samples = entry.samples(validation.generator("check_loss", seed))
    if prediction is not None:
        samples = [LossSample(np.asarray(prediction), target, options)]
    reports = []
    for sample in samples:
        x = sample.prediction if prediction is not None else sample.prediction.astype(real)
        reports.append(
            _check(
                partial(_lose, entry, sample),
                {"prediction": x},
                name,
                seed,
                full,
            )
        )
    return _joined(name, reports, seed=seed, dtype=dtype)


def _lose(entry: LossEntry, sample: LossSample, at: Mapping[str, Any]) -> Any:
    return entry.function(at["prediction"], sample.target, **sample.options)


def _run(op: Operation, sample: Sample, at: Mapping[str, Any]) -> Any:
    """Call an operation on other inputs, with its constants in their float type."""
    real = np.result_type(*at.values())
    return op.run(sample._replace(constants=tuple(x.astype(real) for x in sample.constants)), at)


def _real(dtype: str) -> Any:
    if dtype not in ("float32", "float64"):
        raise OptionError("check", "dtype float32 or float64", f"{dtype!r}", "change dtype")
    return np.dtype(dtype)


def _sample(name: str, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Sample:
    """Return a call of an operation on a user's arrays: those with a gradient, and constants after them."""
    op = operation(name)
    named = max((list(sample.inputs) for sample in op.samples(np.random.default_rng(0))), key=len)
    if name == "concat":
        named = [f"input {i + 1}" for i in range(len(inputs))]
    arrays = [np.asarray(x) for x in inputs]
    return Sample(dict(zip(named, arrays, strict=False)), options, tuple(arrays[len(named) :]))


def _check(
    f: Callable[[Mapping[str, Any]], Any], arrays: Mapping[str, Any], name: str, seed: int, full: bool | None
) -> Report:
    def run(inputs: Mapping[str, Any]) -> Any:
        """Take all inputs in one mapping."""
        return f(inputs)

    return check_gradient(
        run, None, arrays, seed=seed, full=full, subject=name, axes=_AXES.get(name), constant_is_right=True
    )


#: Axes that have other names than those of images and filters.
_AXES: dict[str, dict[str, tuple[str, ...]]] = {
    "linear": {"x": ("sample", "feature"), "w": ("output", "feature"), "b": ("output",)},
    "conv_transpose2d": {"w": ("input channel", "filter", "row", "column")},
}


def _joined(name: str, reports: list[Report], **details: Any) -> Report:
    """Return one report of those of several samples, whose rows then say which."""
    rows: list[Row] = []
    for number, report in enumerate(reports, 1):
        prefix = f"sample {number}: " if len(reports) > 1 else ""
        rows += [replace(row, name=prefix + row.name) for row in report.rows]
    return Report(
        subject=name,
        rows=tuple(rows),
        evaluations=sum(report.evaluations for report in reports),
        seconds=sum(report.seconds for report in reports),
        details={"engine": current_engine(), **details},
    )

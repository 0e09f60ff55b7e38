"""Gradients that are wrong by a constant factor, and what the factor is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.readings import Reading
from whygrad.diagnosis.training.report import fault
from whygrad.diagnosis.training.subject import Subject


def constant_factor(readings: Sequence[Reading], tolerance: float) -> float | None:
    """Return by how much a gradient is too large, where it is the same along all directions."""
    usable = [r for r in readings if abs(r.slope.value) > 100 * r.slope.error and r.slope.value]
    if len(usable) < 2:
        return None
    ratios = [r.claimed / r.slope.value for r in usable]
    middle = float(np.median(ratios))
    if np.ptp(ratios) <= max(30 * tolerance, 1e-5) * abs(middle) and middle:
        return middle
    return None


def sizes_of(subject: Subject) -> dict[str, float]:
    """Return the numbers that a wrong factor may be made of."""
    found: dict[str, float] = {}
    n = subject.count
    if n and n > 1:
        found["N"] = n
    found_t = subject.xt()
    t = None if found_t is None else np.asarray(found_t[1])
    if t is not None and t.ndim > 1 and t[0].size > 1:
        found["K"] = t[0].size
        if n and n > 1:
            found["N·K"] = n * t[0].size
    if subject.classes and subject.classes > 1:
        found.setdefault("K", subject.classes)
    return found


def factor_name(factor: float, sizes: Mapping[str, float]) -> str:
    """Return what a factor is made of: "N", "1/N", "-1", "2"; empty where nothing fits.

    Example:
        >>> factor_name(32.0, {"N": 32}), factor_name(-1 / 32, {"N": 32}), factor_name(0.7, {})
        ('N', '-1/N', '')
    """
    sign, size = ("-" if factor < 0 else ""), abs(factor)
    plain = {"1": 1.0, **sizes, "2": 2.0}
    plain |= {f"2·{k}": 2 * v for k, v in sizes.items()} | {f"{k}/2": v / 2 for k, v in sizes.items()}
    plain |= {f"{k}²": v * v for k, v in sizes.items()}
    for name, value in plain.items():
        if abs(size / value - 1) < 1e-4:
            return sign + name
        if abs(size * value - 1) < 1e-4:
            return f"{sign}1/{name}" if "·" not in name and "/" not in name else f"{sign}1/({name})"
    return ""


def by_factor(name: str, factor: float, sizes: Mapping[str, float]) -> Finding:
    """Return the finding of a gradient that is so many times that of the loss."""
    said = factor_name(factor, sizes)
    numbers = ", ".join(f"{k} = {v:g}" for k, v in sizes.items() if k in said)
    what = f"{factor:.6g} times" + (f", that is {said} times," if said not in ("", f"{factor:g}", "-1") else "")
    says = f"the gradient of {name} is {what} that of the loss"
    if said == "-1":
        says = f"the gradient of {name} has the opposite sign: subtracting it climbs"
    label = "sign_error" if factor < 0 else "batch_scale_wrong"
    also = "batch_scale_wrong" if factor < 0 and said != "-1" else ""
    mends = {"-1": f"d{name} = -d{name}"}.get(said, f"d{name} = d{name} / ({said or f'{factor:.6g}'})")
    return fault(
        f"gradient of {name}",
        label,
        says + (f" ({numbers})" if numbers else ""),
        fix=mends,
        also=also,
        lesson=LESSONS.get(label, ""),
        factor=factor,
        factor_name=said,
    )

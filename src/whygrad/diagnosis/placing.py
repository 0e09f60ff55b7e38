"""Images that are right and lie elsewhere: cut, within a frame, or shifted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.hypotheses import Sample
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.typing import Array

#: How far an image may have been shifted, and how much of it has to be there still.
REACH, LEFT = 3, 0.25


def cut(subject: Subject, output: str, known: Sequence[Sample]) -> Finding | None:
    """Return the finding if an image is the right one cut, framed or shifted: as its corner lies elsewhere."""
    if output not in ("dx", "y") or not subject.name.endswith("2d") or any(s.value is None for s in known):
        return None
    places = [_place(s, output) for s in known]
    kinds = {place.kind for place in places if place is not None and place.kind}
    if None in places or len(kinds) != 1:
        return None
    (kind,) = kinds
    label, also, does = _CUTS[kind]
    place = next(p for p in places if p is not None and p.kind)
    offset = f"({place.rows}, {place.columns})"
    return Finding(
        output=output, verdict=Judgement.WRONG if kind == "shifted" else Judgement.SHAPE, cause=label, also=also,
        says=f"your {output} {does.format(offset)}", evidence={"misfit": 0.0, "probes": len(known)},
        fix=subject.lines.get(output, ""), lesson=LESSONS[label],
    )  # fmt: skip


class _Place(NamedTuple):
    kind: str  #: "" where nothing is shifted
    rows: int = 0
    columns: int = 0


_CUTS = {
    "cut": ("full_padding_missing", ("forward_backward_padding_disagree", "dx_shape_wrong_no_convolution"),
            "is the right one without its border: it starts at its entry {}"),
    "framed": ("padding_not_cropped", ("forward_backward_padding_disagree",),
               "holds the right one, which starts at its entry {}"),
    "shifted": ("forward_backward_padding_disagree", ("padding_not_cropped", "loop_bounds_off_by_one"),
                "is the right one, shifted by {}"),
}  # fmt: skip


def _place(sample: Sample, output: str) -> _Place | None:
    """Return where the right image lies in a given one, or the other way round; None where it lies nowhere."""
    value, truth = sample.value, sample.probe.y if output == "y" else sample.probe.right[output]
    assert value is not None
    if value.ndim != 4 or value.shape[:2] != truth.shape[:2] or not np.isfinite(value).all():
        return None
    bound = 10 * sample.precision * max(float(np.abs(truth).max(initial=0)), 1e-300)
    if value.shape == truth.shape:
        return _moved(value, truth, bound)
    wider = [a - b for a, b in zip(value.shape[2:], truth.shape[2:], strict=True)]
    if min(wider) >= 0:
        return _within("framed", value, truth, bound)
    return _within("cut", truth, value, bound) if max(wider) <= 0 else None


def _moved(value: Array, truth: Array, bound: float) -> _Place | None:
    """Return by how much an image was shifted; zeros come in, and most of it has to be left."""
    if np.abs(value - truth).max(initial=0) <= bound:
        return _Place("")
    for rows, columns in product(range(-REACH, REACH + 1), repeat=2):
        moved, there = _shifted(truth, rows, columns), _shifted(np.ones_like(truth), rows, columns) > 0
        if there.mean() >= LEFT and np.abs(np.where(there, value - moved, 0)).max() <= bound:
            return _Place("shifted", rows, columns)
    return None


def _within(kind: str, big: Array, small: Array, bound: float) -> _Place | None:
    """Return where the smaller of two images lies in the larger."""
    height, width = small.shape[2:]
    for rows, columns in product(*(range(a - b + 1) for a, b in zip(big.shape[2:], small.shape[2:], strict=True))):
        part = big[:, :, rows : rows + height, columns : columns + width]
        if small.size and np.abs(part - small).max() <= bound:
            return _Place(kind, rows, columns)
    return None


def _shifted(a: Array, rows: int, columns: int) -> Array:
    """Return an image moved down and to the right, with zeros where nothing came from."""
    height, width = a.shape[2:]
    moved = np.zeros_like(a)
    if abs(rows) >= height or abs(columns) >= width:
        return moved
    into = slice(max(rows, 0), height + min(rows, 0)), slice(max(columns, 0), width + min(columns, 0))
    out = slice(max(-rows, 0), height + min(-rows, 0)), slice(max(-columns, 0), width + min(-columns, 0))
    moved[:, :, *into] = a[:, :, *out]
    return moved

"""Samples that are cut to whole numbers on their way into the network: an integer division, a cast."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from whygrad.diagnosis.hints import source_of
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.batches import rebuilt
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.start import redrawn
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.truncated import INTEGERS, within
from whygrad.typing import Array

#: How far samples are moved, as a share of their range, and how often.
_MOVED, _TIMES = 1e-3, 3
#: Different numbers that samples must have, and values that a sweep goes through.
_DISTINCT, _SWEPT = 12, 41
#: Share of the range within which all numbers are the same to the loss, from which on little is left of them; and
#: where code that makes whole numbers is seen as well.
_PLATEAU, _HALF, _STEP = 0.8, 0.6, 0.15
#: What a loss may change by, relative, when samples become floats: float16 has three digits.
_OTHER = 0.01
#: What two calls of a loss that is not random may differ by, relative.
_SAME = 1e-5
#: Of the parameters that are no weights.
_SMALL = 0.3


def examine_truncated_samples(subject: Subject) -> Evidence:
    """Say whether samples are cut to whole numbers, or wrap around, before the loss is computed from them."""
    found = subject.xt()
    x = np.zeros(0) if found is None else np.asarray(found[0])
    if x.dtype.kind not in "fiu" or len(np.unique(x)) < _DISTINCT or not np.isfinite(x).all():
        return Evidence("samples")
    try:
        at = _lively(subject)
        wrong = _other_as_floats(subject, at, x) or _cut_off(subject, at, x)
    except CallFailed as failed:
        return Evidence("samples", untested=(f"whether samples are cut to whole numbers: {failed}",))
    return Evidence("samples", () if wrong is None else (wrong,))


def _cut_off(subject: Subject, at: dict[str, Array], x: Array) -> Finding | None:
    """Return that the loss is blind to small changes of all samples, and tells few of their numbers apart."""
    if not _blind_to_small_changes(subject, at, x):
        return None
    widest, levels = _plateau(subject, at, x)
    line = next((s.strip() for s in _source(subject).splitlines() if re.search(INTEGERS, s)), "")
    least = _STEP if levels > 2 else _HALF  # two levels about as wide are a threshold, which is meant
    if levels < 2 or widest < (least if line else _PLATEAU):
        return None
    says = (
        f"small changes of the samples change no digit of the loss: of {_SWEPT} numbers from {x.min():.4g} to "
        f"{x.max():.4g} it tells {levels} apart, and {widest:.0%} of that range is one and the same to it"
    )
    return fault(
        "samples",
        "integer_truncation",
        says + (f"; its code says: {line}" if line else ""),
        fix="divide with / and not //, and make floats of the samples before anything else",
        also="constant_features",
        lesson=LESSONS.get("integer_truncation", ""),
        plateau=widest,
        levels=levels,
    )


def _other_as_floats(subject: Subject, at: dict[str, Array], x: Array) -> Finding | None:
    """Return that the loss of whole numbers is another when they are floats: they wrap around, or are cut off."""
    found = subject.xt()
    if x.dtype.kind not in "iu" or found is None:
        return None
    whole, again = subject.loss(at), subject.loss(at)
    try:
        floats = subject.loss(at, rebuilt(subject.batch, x.astype(np.float64), found[1]))
    except CallFailed:  # they are indices
        return None
    random = abs(again - whole) > _SAME * abs(whole)
    if random or not abs(floats - whole) > _OTHER * max(abs(whole), abs(floats)):
        return None
    says = (
        f"the samples are whole numbers ({x.dtype}), and what is computed from them wraps around or is cut off: "
        f"at weights drawn for that the loss is {whole:.5g}, and with the same samples as floats {floats:.5g}"
    )
    return fault(
        "samples",
        "integer_truncation",
        says,
        fix="x = x.astype(np.float64) before anything is computed from x",
        lesson="A uint8 has no −1 and no 256: differences and products wrap around. Divisions by // are cut off.",
    )


def _source(subject: Subject) -> str:
    return source_of(*within(subject.loss_function), *within(subject.gradients_function))


def _lively(subject: Subject) -> dict[str, Array]:
    """Return parameters drawn anew, at which no unit is dead and no softmax is sure, whatever those given are."""
    rng = np.random.default_rng(3)
    drawn = redrawn(subject, subject.weights, rng)
    for n in subject.names:
        if n not in subject.weights and drawn[n].dtype.kind == "f":
            drawn[n] = (_SMALL * rng.normal(size=drawn[n].shape)).astype(drawn[n].dtype)
    return drawn


def _blind_to_small_changes(subject: Subject, at: dict[str, Array], x: Array) -> bool:
    """Return whether the loss stays the same to the last digit when all samples change a little."""
    low, high = float(x.min()), float(x.max())
    whole = np.array_equal(x, np.round(x)) and high - low > _DISTINCT
    rng = np.random.default_rng(0)
    value = _loss_of(subject, at, x)
    for _ in range(_TIMES):
        by = rng.choice([-1.0, 1.0], x.shape) if whole else _MOVED * (high - low) * rng.uniform(-1, 1, x.shape)
        moved = x.astype(np.float64) + by
        inside = (x > low) & (x < high) & (moved > low) & (moved < high)
        if _loss_of(subject, at, np.where(inside, moved, x)) != value:
            return False
    return True


def _plateau(subject: Subject, at: dict[str, Array], x: Array) -> tuple[float, int]:
    """Return in how much of their range numbers are all the same to the loss, and how many it tells apart."""
    low, high = float(x.min()), float(x.max())
    chosen = np.random.default_rng(1).random(x.shape) < 0.5
    values = [_loss_of(subject, at, np.where(chosen, v, x)) for v in np.linspace(low, high, _SWEPT)]
    longest, run = 1, 1
    for before, now in pairwise(values):
        run = run + 1 if before == now else 1
        longest = max(longest, run)
    return (longest - 1) / (_SWEPT - 1), len(set(values))


def _loss_of(subject: Subject, at: dict[str, Array], x: Array) -> float:
    found = subject.xt()
    assert found is not None
    like = np.asarray(found[0]).dtype
    whole = np.round(x) if like.kind in "iu" else x
    return subject.loss(at, rebuilt(subject.batch, whole.astype(like), found[1]))

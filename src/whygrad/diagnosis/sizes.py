"""At which sizes code is right, and at which it is wrong or fails."""

from __future__ import annotations

from collections.abc import Sequence

from whygrad.diagnosis.hypotheses import Sample
from whygrad.diagnosis.outcomes import Outcome, right
from whygrad.diagnosis.probes import Probe


def failing_label(failed: Sequence[Outcome], outcomes: Sequence[Outcome]) -> str | None:
    """Return the cause of code that is right where it runs and fails elsewhere, where the sizes tell it."""
    running = [o.probe for o in outcomes if o.result.error is None]
    tag = _separating([o.probe for o in failed], running)
    causes = {
        "a remainder that the stride leaves": "stride_remainder_dropped",
        "images that are not square": "height_width_mixed_up",
        "kernels that are not square": "height_width_mixed_up",
        "windows that are not square": "height_width_mixed_up",
        "padding > 0": "padding_not_cropped",
        "different numbers of channels and filters": "channel_axes_not_swapped",
        "stride > 1": "stride_not_dilated",
    }
    return causes.get(tag or "")


def places(samples: Sequence[Sample], output: str) -> str:
    """Return at which sizes an output is right and at which it is wrong."""
    known = [s for s in samples if s.value is not None]
    bad = [s.probe for s in known if not right(s, output)]
    good = [s.probe for s in known if right(s, output)]
    if not good:
        noun = "points" if bad[0].subject.name in ("network", "loss") else "sizes"
        return f"wrong at all {len(bad)} {noun} that were tried" if len(bad) > 1 else ""
    return tagged(bad, good, "wrong", [p.name for p in bad])


def tagged(bad: Sequence[Probe], good: Sequence[Probe], verb: str, names: Sequence[str]) -> str:
    """Return at which sizes something happens, by what these have in common where they have."""
    tag = _separating(bad, good)
    if tag:
        return f"{verb} for {tag}, right elsewhere: that is why it may go unnoticed"
    hidden = [p.name for p in good]
    return f"{verb} at: {'; '.join(names)}. Right at: {'; '.join(hidden)}"


def _separating(bad: Sequence[Probe], good: Sequence[Probe]) -> str | None:
    tags = sorted(set().union(*(p.tags for p in (*bad, *good))) if bad or good else ())
    for tag in tags:
        if all(tag in p.tags for p in bad) and not any(tag in p.tags for p in good):
            return tag
    return None

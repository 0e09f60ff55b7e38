"""At which sizes a person's code is judged: those that it can know of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.layer_objects import is_layer
from whygrad.diagnosis.outcomes import Outcome
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.signatures import NAMES, parameters, unread

#: The values of options that code may do without.
USUAL: dict[str, tuple[Any, ...]] = {"stride": (1, None), "padding": (0, None)}


def without_unread(probes: list[Probe], subject: Subject, backward: Any) -> list[Probe]:
    """Return the probes with the usual values of options that the code takes and never reads."""
    kept = probes
    names = (
        {name.lower() for name in unread(backward)} if backward is not None and not is_layer(backward) else set()
    )
    for role, values in USUAL.items():
        if role in subject.options and names & (NAMES[role] | {role}):
            kept = [p for p in kept if _is_usual(p, role, values)] or kept
    return kept


def told_of(
    probes: list[Probe], subject: Subject, backward: Any, forward: Any, given: Mapping[str, Any]
) -> list[Probe]:
    """Return the probes that the code can know all options of: one without a stride works for the usual one."""
    kept = probes
    for role, values in USUAL.items():
        if (
            role in subject.options
            and role not in given
            and not _knows(backward, role)
            and not _knows(forward, role)
        ):
            plain = [p for p in kept if _is_usual(p, role, values)]
            kept = plain or kept
    return kept


def of_rank(probes: list[Probe], layout: str | None) -> list[Probe]:
    """Return the probes of the rank that a declared layout has: "NC" rows, "NCHW" images."""
    if layout is None:
        return probes
    return [p for p in probes if "x" not in p.inputs or p["x"].ndim == len(layout)] or probes


def one_rank(outcomes: list[Outcome]) -> tuple[list[Outcome], list[str]]:
    """Return the outcomes for rows or for images alone, where code is written for one of them."""
    groups = {tag: [o for o in outcomes if tag in o.probe.tags] for tag in ("rows", "images")}
    if not all(groups.values()):
        return outcomes, []
    runs = {tag: any(o.result.error is None for o in group) for tag, group in groups.items()}
    shaped = {tag: all(_shaped(o) for o in group) for tag, group in groups.items()}
    for good in (runs, shaped):
        if good["rows"] != good["images"]:
            chosen = "rows" if good["rows"] else "images"
            other = "images (N, C, H, W)" if chosen == "rows" else "rows (N, C)"
            return groups[chosen], [f"judged for {chosen}; it is not written for {other}"]
    return outcomes, []


def _shaped(outcome: Outcome) -> bool:
    """Whether a call gave what has the shapes that gradients have."""
    outputs = outcome.result.outputs
    return outcome.result.error is None and all(
        a is None or a.shape == outcome.probe.right[n].shape for n, a in outputs.items()
    )


def _is_usual(p: Probe, role: str, values: tuple[Any, ...]) -> bool:
    value = p.options.get(role)
    return value in values or (role == "stride" and value == p.options.get("kernel_size"))


def _knows(thing: Any, role: str) -> bool:
    """Return whether code is told an option: as a parameter, in a dictionary of options, or when it is made."""
    if thing is None:
        return False
    if is_layer(thing):
        kind = thing if isinstance(thing, type) else type(thing)
        names = {p.name.lower() for p in parameters(kind)} | {k.lower() for k in getattr(thing, "__dict__", {})}
    else:
        taken = parameters(thing)
        if not taken:
            return True
        names = {p.name.lower() for p in taken}
        recognised = sum(any(name in known for known in NAMES.values()) for name in names)
        if recognised < len(names) and len(names) > 4:  # told by position
            return True
    return bool(names & (NAMES[role] | NAMES["bundle"]))

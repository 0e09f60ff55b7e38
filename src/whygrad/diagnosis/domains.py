"""Sizes that code may be meant for: one channel, stride 1, square kernels. What it does beyond them says little."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from whygrad.diagnosis.probes import Probe

#: What code is often not written for. The tags of a group go together.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("stride 1", ("stride > 1",)),
    ("no padding", ("padding > 0",)),
    ("sizes without a remainder", ("a remainder that the stride leaves",)),
    ("a stride of the window's size", ("a stride other than the window's size",)),
    ("windows without overlap", ("windows that overlap",)),
    ("no ties", ("ties",)),
    ("square kernels", ("kernels that are not square", "kernels of even size")),
    ("one sample", ("more than one sample",)),
    ("one channel and one filter", ("more than one input channel", "more than one filter")),
    ("as many filters as channels", ("different numbers of channels and filters",)),
    ("square images", ("images that are not square",)),
    ("square layers", ("layers that are not square",)),
)
#: How many restrictions at once, how many domains in all, and how many probes there have to be in one.
DEEPEST, MOST, FEWEST = 5, 60, 2


class Domain(NamedTuple):
    """Some of the probes, and what they have in common."""

    name: str  #: "" for all of them
    probes: frozenset[str]  #: by name


def domains(probes: Sequence[Probe]) -> list[Domain]:
    """Return all probes, and then those that fewer and fewer kinds of code can do.

    Example:
        >>> from whygrad.diagnosis.registry import subject
        >>> conv = subject("conv2d")
        >>> import numpy as np
        >>> [d.name for d in domains(conv.probes(conv, np.random.default_rng(0), {}))][:3]
        ['', 'sizes without a remainder', 'stride 1']
    """
    everything = frozenset(p.name for p in probes)
    found = {everything: Domain("", everything)}
    present = [(name, tags) for name, tags in GROUPS if any(t in p.tags for p in probes for t in tags)]
    for count in range(1, DEEPEST + 1):
        for chosen in combinations(present, count):
            barred = {tag for _, tags in chosen for tag in tags}
            kept = frozenset(p.name for p in probes if not barred & p.tags)
            if len(kept) >= FEWEST and kept not in found:
                found[kept] = Domain(", ".join(name for name, _ in chosen), kept)
    first, *rest = found.values()
    return [first, *sorted(rest, key=lambda d: (d.name.count(","), -len(d.probes)))[:MOST]]

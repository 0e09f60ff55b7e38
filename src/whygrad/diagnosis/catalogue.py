"""What a catalogue of mistakes is made of: subjects, joints, and mistakes that replace one joint.

A subject is an operation as a diagnosis sees it: its forward, and for each gradient a short reference whose
*joints* can be replaced: which array is taken for dy, x or w, where the windows lie, what is done with the result.
A mistake replaces one joint, so that two mistakes compose by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

#: What has been replaced, by the name of the joint.
Joints: TypeAlias = Mapping[str, Any]
Build: TypeAlias = Callable[[Probe, Joints], Array]

#: Joints that several mistakes may act on, one after the other: what is read, and what is done with the result.
TENSORS = ("dy", "x", "w", "gamma")
CHAINED = (*TENSORS, "out")


class ImpossibleError(Exception):
    """A mistake that cannot be made at these sizes, since the arrays do not fit together."""


@dataclass(frozen=True)
class Mistake:
    """One thing that people get wrong: it replaces one joint of the right computation.

    Args:
        label: the cause, as the taxonomy calls it.
        outputs: the gradients it is about.
        joint: which joint is replaced.
        value: what stands there instead: a word that the reference understands, or a function (array,
            probe) → array.
        does: what the wrong code does, a clause after "your dx": "is the full correlation with ...".
        fix: the line that would be right, in NumPy, with shapes.
        also: labels that name the same thing.
        rank: among mistakes that fit equally well, the lowest is told; different causes of one rank are not told.
    """

    label: str
    outputs: tuple[str, ...]
    joint: str
    value: Any
    does: str
    fix: str = ""
    also: tuple[str, ...] = ()
    lesson: str = ""
    rank: int = 0

    @property
    def why(self) -> str:
        """The lesson: why it is wrong, in two sentences."""
        return self.lesson or LESSONS.get(self.label, "")


@dataclass(frozen=True)
class Subject:
    """An operation as a diagnosis sees it."""

    name: str
    inputs: tuple[str, ...]  #: in the order of its forward
    build: Mapping[str, Build]  #: for each output the reference with its joints, in the order they are returned
    value: Build  #: the forward, with joints of its own
    probes: Callable[[Subject, np.random.Generator, Mapping[str, Any]], list[Probe]]
    mistakes: tuple[Mistake, ...]
    sizes: Callable[[Probe], dict[str, float]]
    options: Mapping[str, Any] = field(default_factory=dict)  #: what may be given, with what is usual
    factor_labels: Mapping[str, str] = field(
        default_factory=dict
    )  #: names of factors that have a cause of their own
    linear: bool = True  #: whether the gradients are linear in dy
    lines: Mapping[str, str] = field(default_factory=dict)  #: for each output the right line of code
    alternatives: Callable[[Probe, str], list[Array]] | None = None  #: what is right as well, at ties and kinks
    companions: tuple[Mistake, ...] = ()  #: where there are some, two mistakes at once are one of these and another
    terms: Mapping[str, Callable[[Probe], list[Any]]] = field(
        default_factory=dict
    )  #: what a gradient is the sum of
    contributions: Mapping[str, Callable[[Probe], list[Array]]] = field(
        default_factory=dict
    )  #: what each entry is the sum of, along the last axis, NaN where there is nothing; in one or several readings

    def of(self, output: str) -> list[Mistake]:
        """Return the mistakes about an output."""
        return [m for m in self.mistakes if output in m.outputs]

    def forward(self, probe: Probe) -> Array:
        """Return the right value."""
        return self.value(probe, {})


def predict(probe: Probe, output: str, mistakes: Sequence[Mistake]) -> Array | None:
    """Return what code with these mistakes gives; None where it cannot be computed, since arrays do not fit.

    Example:
        >>> from whygrad.diagnosis.registry import subject
        >>> linear = subject("linear")
        >>> probe = linear.probes(linear, np.random.default_rng(0), {})[0]
        >>> bool(np.allclose(predict(probe, "dw", ()), probe.right["dw"]))
        True
    """
    joints = gathered(mistakes)
    try:
        with np.errstate(all="ignore"):
            changed = swapped(probe, joints)
            if "whole" in joints:
                value = joints["whole"](changed)
            elif output == "y":
                value = probe.subject.value(changed, joints)
            else:
                value = probe.subject.build[output](changed, joints)
            for after in joints.get("out", ()):
                value = after(value, probe)
    except (ImpossibleError, ValueError, IndexError, KeyError, np.linalg.LinAlgError, ZeroDivisionError, TypeError):
        return None
    return np.asarray(value, np.float64)


def gathered(mistakes: Sequence[Mistake]) -> dict[str, Any]:
    """Return the joints that mistakes replace together."""
    joints: dict[str, Any] = {}
    for mistake in mistakes:
        if mistake.joint in CHAINED:
            joints[mistake.joint] = (*joints.get(mistake.joint, ()), mistake.value)
        else:
            joints[mistake.joint] = mistake.value
    return joints


def compose(first: Mistake, second: Mistake) -> bool:
    """Return whether two mistakes can be made at once, in this order."""
    if first.joint == second.joint:
        return first.joint in CHAINED and first is not second
    return True


def swapped(probe: Probe, joints: Joints) -> Probe:
    """Return the probe with the arrays that mistakes take in place of dy, x or w.

    A change of x leaves y as it is: the backward pass reads another array, the forward pass was right.
    """
    inputs, dy = dict(probe.inputs), probe.dy
    for name in TENSORS:
        for value in joints.get(name, ()):
            if name == "dy":
                dy = value(dy, probe)
            elif name in inputs:
                inputs[name] = value(inputs[name], probe)
    if dy is probe.dy and all(inputs[n] is probe.inputs[n] for n in inputs):
        return probe
    changed = probe.changed(dy, **inputs)
    changed.__dict__["y"] = probe.y
    return changed


def mistake(
    label: str,
    outputs: str | tuple[str, ...],
    joint: str,
    value: Any,
    does: str,
    fix: str = "",
    *,
    also: str | tuple[str, ...] = (),
    lesson: str = "",
    rank: int = 0,
) -> Mistake:
    """Write a mistake on one line; several outputs or labels are separated by spaces."""
    split = tuple(outputs.split()) if isinstance(outputs, str) else outputs
    others = tuple(also.split()) if isinstance(also, str) else also
    return Mistake(label, split, joint, value, does, fix, others, lesson, rank)


def fitting(condition: bool) -> None:
    """Say that a mistake cannot be made at these sizes.

    Raises:
        ImpossibleError: the condition does not hold.
    """
    if not condition:
        raise ImpossibleError

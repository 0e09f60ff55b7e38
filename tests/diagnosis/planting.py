"""Right code with mistakes planted into it: functions as a person would hand them over."""

import numpy as np

from whygrad.diagnosis.catalogue import predict
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.registry import subject
from whygrad.ops.registry import OPERATIONS

SUBJECTS = {name: subject(name) for name in OPERATIONS}
#: Every mistake with each output that it is about.
ENTRIES = [
    (name, m, output) for name, s in SUBJECTS.items() for m in s.mistakes for output in m.outputs if output != "y"
]
FORWARDS = [(name, m) for name, s in SUBJECTS.items() for m in s.mistakes if "y" in m.outputs]


def planted(target, wrong):
    """Return a backward pass that is right but for the mistakes of each output: {"dx": (mistake, ...)}."""

    def backward(dy, *arguments):
        probe = probe_of(target, dy, arguments)
        results = []
        for output in target.build:
            value = predict(probe, output, wrong.get(output, ()))
            if value is None:
                raise ValueError("shapes do not fit")
            results.append(value)
        return tuple(results) if len(results) > 1 else results[0]

    return backward


def forward_of(target, wrong=()):
    """Return the forward pass, with mistakes or without."""

    def forward(*arguments):
        value = predict(probe_of(target, np.zeros(0), arguments), "y", wrong)
        if value is None:
            raise ValueError("shapes do not fit")
        return value

    return forward


def probe_of(target, dy, arguments):
    count = len(target.inputs)
    named = [*target.options, "mask"]
    options = dict(zip(named, arguments[count:], strict=False))
    inputs = dict(zip(target.inputs, arguments[:count], strict=True))
    if target.name == "dropout":
        options |= {"_mask": options.pop("mask"), "_scale": 1 / (1 - options["p"])}
    if target.name == "softmax":
        options.setdefault("axis", 1)
    return Probe("call", inputs, dy, target, {**dict(target.options), **options})


def signature(target, function, *, gradient=True):
    """Return the function with parameters whose names say what they are."""
    names = [*(["dy"] if gradient else []), *target.inputs, *target.options]
    if target.name == "dropout":
        names.append("mask")
    space = {"function": function}
    exec(f"def call({', '.join(names)}): return function({', '.join(names)})", space)
    return space["call"]


def spoils(target, output, wrong, seed=0):
    """Whether mistakes change anything at the probes, so that there is something to find."""
    for probe in target.probes(target, np.random.default_rng(seed), {}):
        value = predict(probe, output, wrong)
        if value is not None and (
            value.shape != probe.right[output].shape
            or not np.allclose(value, probe.right[output], rtol=1e-5, atol=1e-9)
        ):
            return True
    return False


def named(found, label):
    """Whether a diagnosis names a label, as the cause or beside it."""
    return found.cause == label or label in found.also

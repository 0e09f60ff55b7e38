"""What can be said of a wrong gradient that nothing in the catalogue explains: where and how it is wrong."""

from __future__ import annotations

import numpy as np

from whygrad.checking.patterns import Sampled, axis_names, findings
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array


def localised(output: str, value: Array, truth: Array, probe: Probe) -> list[str]:
    """Return sentences on where an output is wrong: samples, channels, borders, parities, and laws that fit.

    Example:
        >>> from whygrad.diagnosis.registry import subject
        >>> relu = subject("relu")
        >>> probe = relu.probes(relu, np.random.default_rng(0), {})[0]
        >>> bad = probe.right["dx"].copy()
        >>> bad[0] *= 3
        >>> bool(localised("dx", bad, probe.right["dx"], probe))
        True
    """
    size = max(float(np.abs(truth).max(initial=0)), 1e-300)
    bound = np.full(truth.size, 1e-9 * size)
    wrong = np.abs(value - truth).ravel() > 1e-6 * size
    if not wrong.any():
        return []
    name = output.removeprefix("d")
    sampled = Sampled(value, np.arange(truth.size), truth.ravel(), bound, wrong)
    others = {**probe.inputs, "dy": probe.dy, "y": probe.y}
    whole = {k: int(v) for k, v in probe.sizes.items() if float(v).is_integer()}
    axes = axis_names(name, truth.ndim)
    try:
        return list(findings(sampled, axes=axes, sizes=whole, others={k: a for k, a in others.items() if a.ndim}))
    except (ValueError, IndexError):  # a description that cannot be made is no reason to fail
        return []

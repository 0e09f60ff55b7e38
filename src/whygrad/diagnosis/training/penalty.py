"""How strongly a loss penalises the size of its parameters, whatever else it measures."""

from __future__ import annotations

import numpy as np

from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject


def penalty(subject: Subject) -> dict[str, float]:
    """Return λ of each parameter that the loss has ½λ‖w‖² of; those without are left out.

    With all other parameters at 0 a weight has no influence on what the network predicts, unless it is in the last
    layer, so that what the loss changes by is the penalty alone. It must grow with the square.

    Example:
        >>> def loss(p, b): return float(np.tanh(p["w"] @ p["v"]).sum() ** 2 + 0.5 * (p["w"] ** 2).sum())
        >>> found = penalty(Subject({"w": np.ones((2, 3)), "v": np.ones(3)}, None, loss))
        >>> {n: round(v, 6) for n, v in found.items()}
        {'w': 1.0}
    """
    exact = subject.exact()
    names = exact.names
    zeros = {n: np.zeros_like(a) if n in names else a for n, a in exact.params.items()}
    found: dict[str, float] = {}
    try:
        floor = exact.loss(zeros)
        for name in names:
            w = exact.params[name]
            square = float((w.astype(np.float64) ** 2).sum())
            if not square or w.dtype.kind != "f":
                continue
            once, twice = (exact.loss({**zeros, name: (s * w).astype(w.dtype)}) - floor for s in (1.0, 2.0))
            rounding = 1e-9 * max(abs(floor), 1e-12)
            if once > rounding and abs(twice / once - 4) < 1e-3:
                found[name] = 2 * once / square
    except CallFailed:
        return {}
    return found

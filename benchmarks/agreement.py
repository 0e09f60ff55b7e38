"""Whether both sides compute the same thing: without that no time is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

#: Largest relative difference of two float32 results of sums in different orders.
TOLERANCE = 1e-4


class DisagreementError(Exception):
    """The two sides compute different things."""


def difference(ours: Any, peers: Any, scale: float = 0.0) -> float:
    """Return the norm of the difference relative to the peer's norm, or to ``scale`` if that is larger."""
    a, b = np.asarray(ours, np.float64), np.asarray(peers, np.float64)
    if a.shape != b.shape:
        raise DisagreementError(f"shapes {a.shape} and {b.shape}")
    return float(np.linalg.norm(a - b) / max(float(np.linalg.norm(b)), scale, 1e-30))


def require(name: str, ours: Any, peers: Any, scale: float = 0.0, tolerance: float = TOLERANCE) -> float:
    """Return the relative difference.

    Raises:
        DisagreementError: it is larger than the tolerance, or no number.
    """
    found = difference(ours, peers, scale)
    if not found <= tolerance:
        raise DisagreementError(f"{name} differs by {found:.1e}, more than {tolerance:.0e}")
    return found


def require_step(
    ours: tuple[float, Mapping[str, Any]], peers: tuple[float, Mapping[str, Any]], tolerance: float = TOLERANCE
) -> dict[str, float]:
    """Return the relative differences of two losses and of the gradients by parameter, the largest.

    A gradient is compared on the scale of its own norm, but of no less than a thousandth of the norm of all:
    one that is nearly zero consists of rounding.

    Raises:
        DisagreementError: one is larger than the tolerance, or parameters are missing on one side.
    """
    if ours[1].keys() != peers[1].keys():
        names = ", ".join(sorted(ours[1].keys() ^ peers[1].keys()))
        raise DisagreementError(f"gradients that only one side has: {names}")
    scale = 1e-3 * float(np.sqrt(sum(np.linalg.norm(g) ** 2 for g in peers[1].values())))
    loss = require("loss", ours[0], peers[0], tolerance=tolerance)
    gradients = [require(f"gradient of {name}", g, peers[1][name], scale, tolerance) for name, g in ours[1].items()]
    return {"loss": loss, "gradients": max(gradients, default=0.0)}

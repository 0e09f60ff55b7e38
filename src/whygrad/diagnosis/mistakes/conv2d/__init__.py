"""What people get wrong about convolution.

    dx̂[a, b] += dy[i, j] · w[r, s]   and   dw[r, s] = Σ dy[i, j] · x̂[a, b]   with (a, b) = (i·t + r, j·t + s)

Every mistake is another choice of what stands in that line: which dy, which w, which x, which (a,
    b), and which part
of dx̂ is returned.
"""

from __future__ import annotations

from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.mistakes.conv2d import bias_and_value, input_gradient, shared, weight_gradient
from whygrad.diagnosis.mistakes.conv2d.probes import probes, sizes
from whygrad.diagnosis.mistakes.conv2d.reference import DB, DW, SCATTER, Y, contributions, db, dw, dx, value

MISTAKES = (*input_gradient.MISTAKES, *weight_gradient.MISTAKES, *bias_and_value.MISTAKES, *shared.MISTAKES)

SUBJECT = Subject(
    "conv2d", ("x", "w", "b"), {"dx": dx, "dw": dw, "db": db}, value, probes, MISTAKES, sizes,
    {"stride": 1, "padding": 0}, lines={"dx": SCATTER, "dw": DW, "db": DB, "y": Y},
    contributions={"dx": contributions},
)  # fmt: skip

"""What the tests of the checks share: the operations' samples, and mistakes to plant into their gradients."""

from functools import partial

import numpy as np

from whygrad.checking import check_gradient
from whygrad.ops import OPERATIONS

#: A change of a gradient that is smaller than this share of its largest entry counts as none.
NOTHING = 1e-5


def samples(name, seed=0):
    return OPERATIONS[name].samples(np.random.default_rng(seed))


#: Every input of every sample of every operation.
INPUTS = [(name, i, key) for name in OPERATIONS for i, sample in enumerate(samples(name)) for key in sample.inputs]


def as_tuple(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)


def check_planted(name, i, key, mutate, **options):
    """Return the report on an operation with a mistake in one gradient, and the entries that the mistake changes."""
    op, sample = OPERATIONS[name], samples(name)[i]
    at = list(sample.inputs).index(key)
    y, pullback = op.run(sample)
    right = as_tuple(pullback(np.random.default_rng(5).normal(size=y.shape)))[at]
    with np.errstate(invalid="ignore"):
        changed = np.abs(mutate(right) - right) > NOTHING * np.abs(right).max()
    if not changed.any():
        return None, changed
    report = check_gradient(partial(_planted, op, sample, at, mutate), None, sample.inputs, subject=name, **options)
    return report, changed


def _planted(op, sample, at, mutate, inputs):
    y, pullback = op.run(sample, inputs)

    def wrong(dy):
        gradients = list(as_tuple(pullback(dy)))
        gradients[at] = mutate(gradients[at])
        return tuple(gradients)

    return y, wrong


def said(row):
    """Return all that a row says, in one string."""
    return " | ".join(row.findings)


def only(report):
    """Return the one row of a report."""
    (row,) = report.rows
    return row

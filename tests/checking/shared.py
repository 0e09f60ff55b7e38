"""What the tests of the checks share: the operations' samples, ways to plant mistakes, and what a row says."""

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


def planted(f, names, key, mutate, changed):
    """Return f, which gives (y, pullback), with a mistake in one gradient; ``changed`` gets what it changes."""

    def wrong(inputs):
        y, pullback = f(inputs)

        def backward(dy):
            gradients = list(as_tuple(pullback(dy)))
            at = list(names).index(key)
            right, gradients[at] = gradients[at], mutate(gradients[at])
            changed.append(np.abs(gradients[at] - right) > NOTHING * np.abs(right).max())
            return tuple(gradients)

        return y, backward

    return wrong


def check_planted(name, i, key, mutate):
    """Return the report on an operation with a mistake in one gradient, and the entries that the mistake changes.

    There is no report if it changes nothing.
    """
    op, sample = OPERATIONS[name], samples(name)[i]
    changed = []
    f = planted(partial(op.run, sample), sample.inputs, key, mutate, changed)
    y, pullback = f(sample.inputs)
    pullback(np.random.default_rng(5).normal(size=y.shape))
    if not changed.pop().any():
        return None, None
    report = check_gradient(f, None, sample.inputs, subject=name)
    return report, changed[0]


def said(row):
    """Return all that a row says, in one string."""
    return " | ".join(row.findings)


def only(report):
    """Return the one row of a report."""
    (row,) = report.rows
    return row

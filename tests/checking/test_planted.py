"""A mistake in a gradient, of whatever kind and wherever it is, is found in that gradient alone and at its place."""

import numpy as np
import pytest

from tests.checking.shared import INPUTS, check_planted, said
from whygrad.checking import Verdict, check_gradient, check_model
from whygrad.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from whygrad.models import MODELS
from whygrad.ops import add, conv2d, relu

every_input = pytest.mark.parametrize(("name", "i", "key"), INPUTS, ids=[f"{n}-{i}-{key}" for n, i, key in INPUTS])


def zero(gradient):
    return np.zeros_like(gradient)


def sign(gradient):
    return -gradient


def double(gradient):
    return 2 * gradient


def half(gradient):
    return gradient / 2


def mean_for_sum(gradient):
    return gradient / max(3, len(gradient))


def transpose(gradient):
    """Swap the first two axes of one length."""
    for i in range(gradient.ndim):
        for j in range(i):
            if gradient.shape[i] == gradient.shape[j]:
                return gradient.swapaxes(i, j)
    return gradient


def reshaped(gradient):
    """Lay the transpose down as if it had the right shape."""
    return gradient.T.reshape(gradient.shape)


def shifted(gradient):
    return np.roll(gradient, 1, axis=-1)


def shifted_rows(gradient):
    return np.roll(gradient, 1, axis=max(0, gradient.ndim - 2))


def one_entry(gradient):
    wrong = gradient.copy()
    at = np.argsort(np.abs(gradient).ravel())[gradient.size // 2]
    wrong.flat[at] += 0.01 * np.abs(gradient).max()
    return wrong


def at_the_border(gradient):
    if gradient.ndim < 2 or min(gradient.shape[-2:]) < 3:
        return gradient
    wrong = 0.9 * gradient
    wrong[..., 1:-1, 1:-1] = gradient[..., 1:-1, 1:-1]
    return wrong


def second_sample(gradient):
    wrong = gradient.copy()
    wrong[1:2] *= 1.1
    return wrong


def every_second(gradient):
    wrong = gradient.copy()
    wrong[..., 1::2] = 0
    return wrong


MUTATIONS = [
    zero, sign, double, half, mean_for_sum, transpose, reshaped, shifted, shifted_rows, one_entry, at_the_border,
    second_sample, every_second,
]  # fmt: skip


@every_input
@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_planted_mistake_is_found_where_it_was_planted_and_nowhere_else(name, i, key, mutate):
    report, changed = check_planted(name, i, key, mutate)
    if report is None:
        pytest.skip("it changes nothing here")
    for row in report:
        assert row.verdict is (Verdict.WRONG if row.name == key else Verdict.RIGHT), said(row)
    row = report[key]
    assert row.wrong
    assert all(changed[entry.index] for entry in row.wrong)
    assert changed[row.worst.index]
    assert row.findings

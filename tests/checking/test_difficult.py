"""Functions that are hard on differences: none is called wrong when it is right, or right when it is wrong."""

import numpy as np
import pytest

from tests.checking.shared import said
from whygrad.checking import Verdict, check_gradient

SEEDS = range(4)


def huber(x):
    return np.where(np.abs(x) < 1, 0.5 * x**2, np.abs(x) - 0.5)


def real(function):
    """Refuse complex numbers, so that real steps are taken."""
    return lambda *inputs: function(*(np.real(x) for x in inputs))


def half_zeros(rng, size=8):
    return rng.normal(size=size) * (rng.random(size) > 0.5)


RIGHT = {
    "x |x| at 0": (lambda x: x * np.abs(x), lambda dy, x: 2 * dy * np.abs(x), half_zeros),
    "relu squared at 0": (lambda x: np.maximum(x, 0) ** 2, lambda dy, x: 2 * dy * np.maximum(x, 0), half_zeros),
    "Huber at its joins": (
        huber,
        lambda dy, x: dy * np.clip(x, -1, 1),
        lambda rng: rng.choice([-1.0, 1.0, 0.5], 8),
    ),
    "Huber near its joins": (
        huber,
        lambda dy, x: dy * np.clip(x, -1, 1),
        lambda rng: 1 + 1e-4 * rng.normal(size=8),
    ),
    "a cube at 0": (lambda x: x**3, lambda dy, x: 3 * dy * x**2, lambda rng: np.zeros(4)),
    "a perfect fit": (
        real(lambda x: ((x - 1) ** 2).sum()),
        lambda x: 2 * (x - 1),
        lambda rng: np.ones(4),
    ),
    "a root of fourth order": (
        real(lambda x: ((x - 1) ** 4).sum()),
        lambda x: 4 * (x - 1) ** 3,
        lambda rng: np.ones(4),
    ),
    "times in seconds": (
        real(lambda x: np.sin(x - 1.7e9)),
        lambda dy, x: dy * np.cos(x - 1.7e9),
        lambda rng: 1.7e9 + rng.normal(size=4),
    ),
    "a fast wave": (
        lambda x: np.sin(1e8 * x),
        lambda dy, x: 1e8 * dy * np.cos(1e8 * x),
        lambda rng: rng.normal(size=4),
    ),
    "a fast wave with a kink": (
        lambda x: np.sin(1e7 * np.abs(x)),
        lambda dy, x: 1e7 * dy * np.sign(x) * np.cos(1e7 * np.abs(x)),
        lambda rng: rng.normal(size=4),
    ),
    "the edge of log": (real(np.log), lambda dy, x: dy / x, lambda rng: np.array([1e-8, 1e-3, 1.0, 1e-12])),
    "the edge of sqrt": (
        real(np.sqrt),
        lambda dy, x: dy / 2 / np.sqrt(x),
        lambda rng: np.array([1e-8, 1.0, 1e-12]),
    ),
    "float16": (
        np.tanh,
        lambda dy, x: dy * (1 - np.tanh(x) ** 2),
        lambda rng: rng.normal(size=8).astype(np.float16),
    ),
    "squares in float32": (
        lambda x: (x.astype(np.float32) ** 2).sum(),
        lambda x: 2 * x,
        lambda rng: rng.normal(size=24),
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_not_called_wrong(name, seed):
    f, gradient, inputs = RIGHT[name]
    (row,) = check_gradient(f, gradient, {"x": inputs(np.random.default_rng(seed))}, seed=seed)
    assert row.verdict.good or row.verdict is Verdict.UNDECIDED, said(row)


@pytest.mark.parametrize("size", [4, 24, 200])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_function_in_float32_is_right_or_undecided(size, seed):
    x = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    report = check_gradient(
        lambda x: np.tanh(x.astype(np.float32)), lambda dy, x: dy * (1 - np.tanh(x) ** 2), {"x": x}, seed=seed
    )
    assert report["x"].verdict in (Verdict.RIGHT, Verdict.UNDECIDED), said(report["x"])


def test_a_small_wrong_entry_beside_large_ones_is_found():
    x, factors = np.array([-3.0, 0.0, 30.0, 10.0]), np.array([2.0, 1.0, 1.0, 1.0])
    (row,) = check_gradient(np.exp, lambda dy, x: dy * np.exp(x) * factors, {"x": x})
    assert row.verdict is Verdict.WRONG
    assert [entry.index for entry in row.wrong] == [(0,)]


@pytest.mark.parametrize("flipped", [0, 1, 10])
def test_wrong_entries_between_thousands_of_kinks_are_found(flipped):
    rng = np.random.default_rng(flipped)
    x = rng.normal(size=5000)
    x[rng.permutation(5000)[:2500]] = 0
    wrong = np.flatnonzero(x > 0)[:flipped]

    def backward(dy, x):
        gradient = dy * (x > 0)
        gradient[wrong] *= -1
        return gradient

    (row,) = check_gradient(lambda x: np.maximum(x, 0), backward, {"x": x})
    assert row.verdict is (Verdict.WRONG if flipped else Verdict.KINK), said(row)
    assert row.checked == row.entries


@pytest.mark.parametrize("size", [40, 2000])
def test_ties_of_which_everyone_takes_all_are_wrong_however_many_there_are(size):
    x = np.maximum(np.random.default_rng(size).normal(size=size) - 1, 0)

    def backward(dy, x):
        rows = x.reshape(-1, 4)
        return ((rows == rows.max(1, keepdims=True)) * dy[:, None]).ravel()

    (row,) = check_gradient(lambda x: x.reshape(-1, 4).max(1), backward, {"x": x})
    assert row.verdict is Verdict.WRONG
    assert "meet at one kink" in said(row)

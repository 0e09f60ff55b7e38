"""A kernel's bits follow from its numbers, and not from where in memory its results lie."""

import numpy as np
import pytest

from whygrad.kernels import binary_cross_entropy, hinge, softmax, squares

RNG = np.random.default_rng(0)
#: Distances in numbers between the end of what is read and the start of what is written: touching, and far apart.
APART = range(80)


def run_softmax(x, y):
    softmax._forward[x.dtype](x, y, x.size, 1)


def run_binary_cross_entropy(x, y):
    target = np.linspace(0, 1, x.size).astype(x.dtype)
    return binary_cross_entropy._forward[x.dtype](x, target, y, 3.0, 1)


def run_hinge(x, y):
    return hinge._forward[x.dtype](x, np.array([1]), y, x.size, 1.0, 3.0, 1)


def run_squares(x, y):
    target = np.linspace(0, 1, x.size).astype(x.dtype)
    return squares._squares[x.dtype](x, target, y, 1.0, 3.0, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [5, 10, 24, 37])
@pytest.mark.parametrize("run", [run_softmax, run_binary_cross_entropy, run_hinge, run_squares])
def test_a_row_has_the_same_bits_wherever_it_is_written(run, size, dtype):
    numbers, seen = RNG.normal(size=size).astype(dtype), set()
    for gap in APART:
        memory = np.zeros(3 * size + 80, dtype)
        x, y = memory[:size], memory[size + gap : 2 * size + gap]
        x[:] = numbers
        total = run(x, y)
        seen.add(y.tobytes() + np.float64(total or 0.0).tobytes())
    assert len(seen) == 1

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import assert_close, assert_pickles, refusal, sources
from whygrad.errors import OptionError, ShapeError
from whygrad.ops import lrn


@needs_torch
@given(
    sources(),
    st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from([1, 3, 5, 9]),
    st.sampled_from([(1e-4, 0.75, 1.0), (2.0, 0.5, 1.0), (1.0, 1.0, 2.0)]),
)
def test_value_and_gradient_are_those_of_pytorch_for_odd_sizes(source, shape, size, options):
    alpha, beta, k = options
    ours = partial(lrn, size=size, alpha=alpha, beta=beta, k=k)
    theirs = partial(functional().local_response_norm, size=size, alpha=alpha, beta=beta, k=k)
    assert_agrees(ours, theirs, source, source.normal(*shape))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_value_and_gradient_are_those_of_the_definition(size):
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(2, 2, 5, 2, 3))
    alpha, beta, k = 1.5, 0.6, 1.2
    channels = x.shape[1]

    def seen(c):
        return [m for m in range(c - (size - 1) // 2, c + size // 2 + 1) if 0 <= m < channels]

    s = np.stack([k + alpha / size * sum(x[:, m] ** 2 for m in seen(c)) for c in range(channels)], axis=1)
    wanted = dy * s**-beta
    for c in range(channels):
        for m in (m for m in range(channels) if c in seen(m)):
            wanted[:, c] -= 2 * alpha * beta / size * x[:, c] * (dy * x * s ** (-beta - 1))[:, m]
    y, pullback = lrn(x, size=size, alpha=alpha, beta=beta, k=k)
    assert_close(y, x * s**-beta)
    assert_close(pullback(dy), wanted)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"size": 0}, "lrn: expected size to be a whole number of at least 1, received 0; change size"),
        ({"alpha": -1}, "lrn: expected alpha in [0, 1e+30], received -1; change alpha"),
        ({"beta": "a"}, "lrn: expected beta in [0, 1e+30], received 'a'; change beta"),
        ({"k": 0}, "lrn: expected k above 0, received 0.0; change k"),
    ],
)
def test_refuses_options_outside_their_domain(options, text):
    with refusal(OptionError, text):
        lrn(np.ones((1, 2, 3, 3)), **options)


def test_refuses_what_are_not_images():
    with refusal(ShapeError, "lrn: expected x of shape (N, C, H, W), received (2, 3)"):
        lrn(np.ones((2, 3)))


def test_pullback_survives_pickling():
    assert_pickles(lrn(np.ones((1, 3, 2, 2)))[1], np.ones((1, 3, 2, 2)))

from itertools import product

import numpy as np
import pytest

from tests.optim import DTYPES, assert_follows_torch, import_torch, run
from whygrad.errors import OptionError
from whygrad.optim import RMSprop


@pytest.fixture
def torch():
    return import_torch()


CASES = [
    {"alpha": alpha, "eps": eps, "momentum": momentum, "centered": centered, "weight_decay": decay}
    for alpha, eps, momentum, centered, decay in product(
        [0.99, 0.5], [1e-8, 1e-2], [0.0, 0.9], [False, True], [0.0, 0.1]
    )
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", CASES, ids=str)
def test_every_step_is_that_of_pytorch(torch, options, dtype):
    assert_follows_torch(RMSprop(0.01, **options), lambda p: torch.optim.RMSprop(p, lr=0.01, **options), dtype)


def test_defaults_are_those_of_pytorch(torch):
    assert_follows_torch(RMSprop(0.01), lambda p: torch.optim.RMSprop(p, lr=0.01), "float64")


def test_two_steps_worked_by_hand():
    # s: 0.25·16 = 4, then 0.75·4 + 0.25·52 = 16; w: 5 − 4/2 = 3, 3 − √52/4
    w, state = run(RMSprop(1.0, alpha=0.75, eps=0.0), [5.0], [4.0], [np.sqrt(52.0)])
    np.testing.assert_allclose(w, [3 - np.sqrt(52) / 4], rtol=1e-15)
    np.testing.assert_allclose(state.slots["square"]["w"], [16.0], rtol=1e-15)


def test_eps_stands_outside_the_root():
    w, _ = run(RMSprop(1.0, alpha=0.75, eps=2.0), [5.0], [4.0])
    np.testing.assert_array_equal(w, [4.0])  # 5 − 4/(√4 + 2)


def test_centred_first_step_worked_by_hand():
    # s = 0.5·16 = 8, a = 0.5·4 = 2, u = 4/√(8 − 4) = 2
    w, state = run(RMSprop(1.0, alpha=0.5, eps=0.0, centered=True), [5.0], [4.0])
    np.testing.assert_array_equal(w, [3.0])
    np.testing.assert_array_equal(state.slots["mean"]["w"], [2.0])


def test_momentum_adds_steps_and_not_gradients():
    # u = 4/2 = 2 each time, since s = 4 and then 0.75·4 + 0.25·4 with g = 2 gives u = 1: v = 2, then 1 + 1
    w, state = run(RMSprop(1.0, alpha=0.75, eps=0.0, momentum=0.5), [5.0], [4.0], [2.0])
    np.testing.assert_array_equal(state.slots["velocity"]["w"], [2.0])
    np.testing.assert_array_equal(w, [1.0])


def test_a_variance_that_rounding_makes_negative_counts_as_zero():
    # With equal gradients s − a² tends to 0, and float32 cannot tell from which side.
    optimizer = RMSprop(1e-4, alpha=0.5, eps=1.0, centered=True)
    constant = np.random.default_rng(0).uniform(0.1, 2, 200).astype(np.float32)
    w, state = run(optimizer, np.zeros(200, np.float32), *[constant] * 60)
    spread = state.slots["square"]["w"] - state.slots["mean"]["w"] ** 2
    assert (spread < 0).any()
    assert np.isfinite(w).all()


@pytest.mark.parametrize(
    "options",
    [{"alpha": 1.5}, {"alpha": -0.1}, {"eps": -1e-9}, {"momentum": 2.0}, {"weight_decay": float("inf")}],
)
def test_options_outside_their_domain_are_refused(options):
    (name,) = options
    with pytest.raises(OptionError, match=f"RMSprop: expected {name} in .*change {name}"):
        RMSprop(0.1, **options)

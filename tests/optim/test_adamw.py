import numpy as np
import pytest

from tests.optim import DTYPES, assert_follows_torch, import_torch, run
from whygrad.errors import OptionError
from whygrad.optim import Adam, AdamW


@pytest.fixture
def torch():
    return import_torch()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("eps", [1e-8, 1e-2])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.8), (0.5, 0.999), (0.5, 0.5), (0.0, 0.9)])
def test_every_step_is_that_of_pytorch(torch, betas, eps, decay, dtype):
    ours = AdamW(0.01, *betas, eps=eps, weight_decay=decay)
    assert_follows_torch(
        ours, lambda p: torch.optim.AdamW(p, lr=0.01, betas=betas, eps=eps, weight_decay=decay), dtype
    )


def test_defaults_are_those_of_pytorch(torch):
    assert_follows_torch(AdamW(), torch.optim.AdamW, "float64")


def test_two_steps_worked_by_hand():
    # Shrinking by 1 − 0.5·0.5 = 3/4 first, then a step of 0.5: 8 → 6 − 0.5 = 5.5 → 4.125 − 0.5
    w, state = run(AdamW(0.5, eps=0.0, weight_decay=0.5), [8.0], [3.0], [3.0])
    np.testing.assert_allclose(w, [3.625], rtol=1e-15)
    np.testing.assert_allclose(state.slots["mean"]["w"], [0.1 * 3 * 1.9], rtol=1e-14)
    np.testing.assert_allclose(state.slots["square"]["w"], [0.001 * 9 * 1.999], rtol=1e-13)


def test_without_decay_it_is_adam():
    grads = np.random.default_rng(0).normal(size=(10, 3))
    np.testing.assert_array_equal(
        run(AdamW(0.1, weight_decay=0.0), [1.0, 2.0, 3.0], *grads)[0],
        run(Adam(0.1), [1.0, 2.0, 3.0], *grads)[0],
    )


def test_decay_does_not_depend_on_the_size_of_the_gradient_as_it_does_in_adam():
    decoupled = run(AdamW(0.1, eps=0.0, weight_decay=0.1), [1.0, 1.0], [1.0, 100.0], [-1.0, -100.0])[0]
    coupled = run(Adam(0.1, eps=0.0, weight_decay=0.1), [1.0, 1.0], [1.0, 100.0], [-1.0, -100.0])[0]
    np.testing.assert_allclose(decoupled[0], decoupled[1], rtol=1e-14)
    assert abs(coupled[0] - coupled[1]) > 1e-3


@pytest.mark.parametrize(
    "options",
    [{"beta1": 1.0}, {"beta2": -0.5}, {"eps": float("nan")}, {"weight_decay": -0.01}],
)
def test_options_outside_their_domain_are_refused(options):
    (name,) = options
    with pytest.raises(OptionError, match=f"AdamW: expected {name} in .*change {name}"):
        AdamW(**options)

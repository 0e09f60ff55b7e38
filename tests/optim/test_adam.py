import numpy as np
import pytest

from tests.optim import DTYPES, assert_follows_torch, import_torch, run
from whygrad.errors import OptionError
from whygrad.optim import Adam


@pytest.fixture
def torch():
    return import_torch()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("eps", [1e-8, 1e-2])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.8), (0.5, 0.999), (0.5, 0.5), (0.0, 0.9)])
def test_every_step_is_that_of_pytorch(torch, betas, eps, decay, dtype):
    ours = Adam(0.01, *betas, eps=eps, weight_decay=decay)
    assert_follows_torch(
        ours, lambda p: torch.optim.Adam(p, lr=0.01, betas=betas, eps=eps, weight_decay=decay), dtype
    )


def test_defaults_are_those_of_pytorch(torch):
    assert_follows_torch(Adam(), torch.optim.Adam, "float64")


def test_first_step_is_the_learning_rate_whatever_the_gradient():
    w, state = run(Adam(0.5, beta1=0.75, beta2=0.75, eps=0.0), [1.0, 1.0, 1.0], [1e-3, -1.0, 1e5])
    np.testing.assert_allclose(w, [0.5, 1.5, 0.5], rtol=1e-15)
    np.testing.assert_allclose(state.slots["mean"]["w"], [2.5e-4, -0.25, 2.5e4], rtol=1e-15)
    np.testing.assert_allclose(state.slots["square"]["w"], [2.5e-7, 0.25, 2.5e9], rtol=1e-15)


def test_second_step_worked_by_hand():
    # β₁ = β₂ = 1/2, g = 4 then 0: m = 2, 1; v = 8, 4; corrections 1/2, 3/4: m̂ = 4, 4/3; v̂ = 16, 16/3
    w, _ = run(Adam(1.0, beta1=0.5, beta2=0.5, eps=0.0), [0.0], [4.0], [0.0])
    np.testing.assert_allclose(w, [-1 - (4 / 3) / np.sqrt(16 / 3)], rtol=1e-15)


def test_eps_stands_outside_the_root_of_the_corrected_square():
    w, _ = run(Adam(1.0, eps=4.0), [0.0], [4.0])
    np.testing.assert_allclose(w, [-0.5], rtol=1e-15)  # 4/(4 + 4)


def test_coupled_decay_is_divided_by_the_root_as_well():
    w, _ = run(Adam(0.5, eps=0.0, weight_decay=1.0), [2.0], [6.0])
    np.testing.assert_allclose(w, [1.5], rtol=1e-15)  # the first step is 0.5 with decay as without


def test_an_entry_without_a_gradient_rests():
    w, _ = run(Adam(0.5), [2.0, 2.0], [0.0, 1.0], [0.0, 1.0])
    assert w[0] == 2.0
    assert w[1] < 1.5


@pytest.mark.parametrize(
    "options",
    [{"beta1": 1.0}, {"beta2": 1.0}, {"beta1": -0.1}, {"eps": -1.0}, {"weight_decay": float("nan")}],
)
def test_options_outside_their_domain_are_refused(options):
    (name,) = options
    with pytest.raises(OptionError, match=f"Adam: expected {name} in .*change {name}"):
        Adam(**options)

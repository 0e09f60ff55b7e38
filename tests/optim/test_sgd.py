from itertools import product

import numpy as np
import pytest

from tests.optim import DTYPES, assert_follows_torch, import_torch, run
from whygrad.errors import OptionError
from whygrad.optim import SGD


@pytest.fixture
def torch():
    return import_torch()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("momentum", "nesterov", "decay"),
    [case for case in product([0.0, 0.5, 0.9, 1.0], [False, True], [0.0, 0.1]) if case[0] or not case[1]],
)
def test_every_step_is_that_of_pytorch(torch, momentum, nesterov, decay, dtype):
    options = {"momentum": momentum, "nesterov": nesterov, "weight_decay": decay}
    assert_follows_torch(SGD(0.05, **options), lambda p: torch.optim.SGD(p, lr=0.05, **options), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_decoupled_decay_is_a_shrinking_before_the_step_of_pytorch(torch, momentum, nesterov, dtype):
    ours = SGD(0.05, momentum=momentum, nesterov=nesterov, weight_decay=0.2, decoupled=True)
    assert_follows_torch(
        ours, lambda p: torch.optim.SGD(p, lr=0.05, momentum=momentum, nesterov=nesterov), dtype, shrink=0.01
    )


def test_without_options_each_step_goes_against_the_gradient():
    w, state = run(SGD(0.5), [1.0, 2.0], [2.0, -2.0], [1.0, 0.0])
    np.testing.assert_array_equal(w, [-0.5, 3.0])
    assert state.slots == {}
    assert state.step == 2


def test_momentum_keeps_half_of_the_velocity_worked_by_hand():
    # v: 4, then 2 + 2 = 4, then 2 + 0 = 2; w: 8 − 1 = 7, 7 − 1 = 6, 6 − 0.5 = 5.5
    w, state = run(SGD(0.25, momentum=0.5), [8.0], [4.0], [2.0], [0.0])
    np.testing.assert_array_equal(w, [5.5])
    np.testing.assert_array_equal(state.slots["velocity"]["w"], [2.0])


def test_nesterov_looks_half_a_velocity_ahead_worked_by_hand():
    # v: 4 then 4; steps: 4 + 2 = 6, then 2 + 2 = 4; w: 8 − 1.5 = 6.5, 6.5 − 1 = 5.5
    w, state = run(SGD(0.25, momentum=0.5, nesterov=True), [8.0], [4.0], [2.0])
    np.testing.assert_array_equal(w, [5.5])
    np.testing.assert_array_equal(state.slots["velocity"]["w"], [4.0])


def test_coupled_decay_enters_the_velocity_and_decoupled_decay_does_not():
    coupled, of_coupled = run(SGD(0.5, momentum=0.5, weight_decay=0.5), [8.0], [2.0])
    decoupled, of_decoupled = run(SGD(0.5, momentum=0.5, weight_decay=0.5, decoupled=True), [8.0], [2.0])
    np.testing.assert_array_equal(coupled, [5.0])  # 8 − 0.5·(2 + 4)
    np.testing.assert_array_equal(decoupled, [5.0])  # 0.75·8 − 0.5·2
    np.testing.assert_array_equal(of_coupled.slots["velocity"]["w"], [6.0])
    np.testing.assert_array_equal(of_decoupled.slots["velocity"]["w"], [2.0])


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(OptionError, match="SGD: expected momentum above 0 with nesterov=True"):
        SGD(0.1, nesterov=True)


@pytest.mark.parametrize(
    "options",
    [{"momentum": -0.1}, {"momentum": 1.1}, {"weight_decay": -1.0}, {"weight_decay": float("nan")}],
)
def test_options_outside_their_domain_are_refused(options):
    (name,) = options
    with pytest.raises(OptionError, match=f"SGD: expected {name} in .*change {name}"):
        SGD(0.1, **options)

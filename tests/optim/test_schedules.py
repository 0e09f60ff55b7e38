import dataclasses
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.optim import import_torch
from whygrad.errors import OptionError
from whygrad.optim import Constant, Cosine, LinearWarmup, OneCycle, StepDecay, as_schedule

ALL = [
    Constant(0.1),
    StepDecay(0.1, every=3),
    Cosine(0.1, steps=7),
    OneCycle(0.1, steps=7),
    LinearWarmup(Cosine(0.1, steps=7), steps=3),
]
every = pytest.mark.parametrize("schedule", ALL, ids=lambda schedule: type(schedule).__name__)


@pytest.fixture
def torch():
    return import_torch()


def rates_of_torch(torch, scheduler, steps, learning_rate=0.3):
    """Return PyTorch's learning rates of the steps, made by ``scheduler(optimizer)``."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=learning_rate)
    made, rates = scheduler(optimizer), []
    for step in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if step < steps - 1:
            made.step()
    return rates


def assert_rates(schedule, wanted):
    np.testing.assert_allclose([schedule(step) for step in range(len(wanted))], wanted, rtol=1e-11, atol=1e-16)


@pytest.mark.parametrize(("each", "factor"), [(1, 0.9), (4, 0.1), (7, 0.5), (100, 0.1)])
def test_step_decay_is_that_of_pytorch(torch, each, factor):
    wanted = rates_of_torch(torch, lambda o: torch.optim.lr_scheduler.StepLR(o, each, gamma=factor), 30)
    assert_rates(StepDecay(0.3, every=each, factor=factor), wanted)


@pytest.mark.parametrize(("steps", "final"), [(1, 0.0), (2, 0.1), (10, 0.0), (33, 0.01)])
def test_cosine_is_that_of_pytorch_until_its_end(torch, steps, final):
    def scheduler(optimizer):
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=final)

    assert_rates(Cosine(0.3, steps=steps, final=final), rates_of_torch(torch, scheduler, steps + 1))


@pytest.mark.parametrize("steps", [2, 3, 5, 10, 33, 100])
@pytest.mark.parametrize(
    ("rise", "start_divisor", "final_divisor"),
    [(0.3, 25.0, 1e4), (0.25, 10.0, 100.0), (0.0, 25.0, 1e4), (0.9, 1.0, 1.0)],
)
def test_one_cycle_is_that_of_pytorch(torch, steps, rise, start_divisor, final_divisor):
    def scheduler(optimizer):
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            0.3,
            total_steps=steps,
            pct_start=rise,
            div_factor=start_divisor,
            final_div_factor=final_divisor,
            cycle_momentum=False,
        )

    ours = OneCycle(0.3, steps, rise=rise, start_divisor=start_divisor, final_divisor=final_divisor)
    assert_rates(ours, rates_of_torch(torch, scheduler, steps))


@pytest.mark.parametrize(("steps", "start"), [(1, 0.5), (5, 0.1), (10, 1.0), (8, 1 / 3)])
def test_warmup_to_a_constant_is_the_linear_schedule_of_pytorch(torch, steps, start):
    def scheduler(optimizer):
        return torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=start, total_iters=steps)

    assert_rates(LinearWarmup(0.3, steps=steps, start=start), rates_of_torch(torch, scheduler, 20))


@pytest.mark.parametrize("steps", [1, 4, 9])
@pytest.mark.parametrize("kind", ["StepLR", "CosineAnnealingLR"])
def test_warmup_to_a_schedule_is_the_sequence_of_pytorch(torch, steps, kind):
    ours = {"StepLR": StepDecay(0.3, every=3), "CosineAnnealingLR": Cosine(0.3, steps=12, final=0.01)}[kind]
    options = {"StepLR": {"step_size": 3}, "CosineAnnealingLR": {"T_max": 12, "eta_min": 0.01}}[kind]

    def scheduler(optimizer):
        schedulers = torch.optim.lr_scheduler
        parts = [
            schedulers.LinearLR(optimizer, start_factor=0.2, total_iters=steps),
            getattr(schedulers, kind)(optimizer, **options),
        ]
        return schedulers.SequentialLR(optimizer, parts, milestones=[steps])

    wanted = rates_of_torch(torch, scheduler, steps + 13)
    assert_rates(LinearWarmup(ours, steps=steps, start=0.2), wanted)


def test_step_decay_by_hand():
    schedule = StepDecay(1.0, every=3, factor=0.1)
    np.testing.assert_allclose([schedule(t) for t in (0, 2, 3, 5, 6)], [1, 1, 0.1, 0.1, 0.01], rtol=1e-15)


def test_cosine_by_hand_and_after_its_end():
    schedule = Cosine(3.0, steps=6, final=1.0)
    np.testing.assert_allclose([schedule(t) for t in (0, 2, 3, 4, 6)], [3, 2.5, 2, 1.5, 1], rtol=1e-15)
    assert schedule(7) == schedule(12) == schedule(10**9) == 1.0


def test_one_cycle_by_hand_and_after_its_end():
    # rise·steps − 1 = 4 is the peak; the way down takes the 4 steps from 4 to 8
    schedule = OneCycle(8.0, steps=9, rise=5 / 9, start_divisor=4.0, final_divisor=2.0)
    wanted = {0: 2.0, 2: 5.0, 4: 8.0, 6: 4.5, 8: 1.0, 9: 1.0, 1000: 1.0}
    np.testing.assert_allclose([schedule(t) for t in wanted], list(wanted.values()), rtol=1e-14)


@pytest.mark.parametrize(("steps", "rise"), [(1, 0.3), (1, 0.0), (2, 0.5), (4, 0.25)])
def test_one_cycle_without_room_for_a_rise_divides_by_nothing(steps, rise):
    schedule = OneCycle(1.0, steps=steps, rise=rise)
    rates = [schedule(step) for step in range(steps + 2)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == 1 / 25 / 1e4


def test_warmup_by_hand_goes_from_start_to_the_beginning_of_the_schedule():
    schedule = LinearWarmup(StepDecay(8.0, every=2, factor=0.5), steps=4, start=0.5)
    assert [schedule(t) for t in range(9)] == [4, 5, 6, 7, 8, 8, 4, 4, 2]
    assert LinearWarmup(8.0, steps=4)(0) == 0.0


@given(
    st.sampled_from([3e-4, 0.1, 2.0]),
    st.integers(1, 40),
    st.floats(0, 0.99),
    st.integers(0, 60),
)
def test_rates_stay_between_the_lowest_and_the_highest(rate, steps, part, step):
    slack = 1 + 1e-12
    assert 0 <= Cosine(rate, steps)(step) <= rate * slack
    assert rate / 25 / 1e4 / slack <= OneCycle(rate, steps, rise=part)(step) <= rate * slack
    assert part * rate / slack <= LinearWarmup(rate, steps, start=part)(step) <= rate * slack


@every
def test_a_schedule_is_a_frozen_pure_function_and_survives_pickling(schedule):
    forwards = [schedule(step) for step in range(12)]
    backwards = [schedule(step) for step in reversed(range(12))][::-1]
    assert forwards == backwards
    assert forwards == [pickle.loads(pickle.dumps(schedule))(step) for step in range(12)]
    assert all(type(rate) is float for rate in forwards)
    field = dataclasses.fields(schedule)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(schedule, field, 1.0)


@every
@pytest.mark.parametrize("step", [-1, 1.5, None, True])
def test_a_step_that_is_none_is_refused(schedule, step):
    name = type(schedule).__name__
    with pytest.raises(OptionError, match=f"{name}: expected step to be a whole number of at least 0"):
        schedule(step)


@every
def test_numpy_whole_numbers_are_steps(schedule):
    assert schedule(np.int64(2)) == schedule(2)


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, "0.1", True])
@pytest.mark.parametrize(
    "make",
    [
        Constant,
        lambda rate: StepDecay(rate, every=1),
        lambda rate: Cosine(rate, steps=1),
        lambda rate: OneCycle(rate, steps=1),
        lambda rate: LinearWarmup(rate, steps=1),
    ],
)
def test_a_learning_rate_that_is_none_is_refused(make, bad):
    with pytest.raises(OptionError, match=r"expected learning_rate in \[0, inf\), received"):
        make(bad)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: StepDecay(0.1, every=0), "every"),
        (lambda: StepDecay(0.1, every=2.0), "every"),
        (lambda: StepDecay(0.1, every=1, factor=1.5), "factor"),
        (lambda: StepDecay(0.1, every=1, factor=math.nan), "factor"),
        (lambda: Cosine(0.1, steps=0), "steps"),
        (lambda: Cosine(0.1, steps=1, final=-1.0), "final"),
        (lambda: OneCycle(0.1, steps=0), "steps"),
        (lambda: OneCycle(0.1, steps=1, rise=1.0), "rise"),
        (lambda: OneCycle(0.1, steps=1, start_divisor=0.5), "start_divisor"),
        (lambda: OneCycle(0.1, steps=1, final_divisor=0.0), "final_divisor"),
        (lambda: LinearWarmup(0.1, steps=0), "steps"),
        (lambda: LinearWarmup(0.1, steps=1, start=1.1), "start"),
    ],
)
def test_options_outside_their_domain_are_refused(make, name):
    with pytest.raises(OptionError, match=f": expected {name} .*; change {name}$"):
        make()


def test_a_number_becomes_a_constant_and_a_schedule_stays_what_it_is():
    assert as_schedule(0.5) == Constant(0.5)
    assert as_schedule(np.float32(0.5))(3) == 0.5
    schedule = Cosine(0.1, steps=3)
    assert as_schedule(schedule) is schedule

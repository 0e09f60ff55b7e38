import itertools
from functools import partial

import numpy as np
import pytest

from tests.training import toy
from whygrad.errors import DataError, DTypeError, NonFiniteError, OptionError, ShapeError
from whygrad.layers import Linear
from whygrad.losses import half_squared_error
from whygrad.optim import SGD, clip_by_global_norm
from whygrad.training import fit


def test_every_epoch_sees_every_sample_once_in_another_order():
    seen = []

    def loss(y, t):
        seen.append(t.copy())
        return half_squared_error(y, t)

    model, x = Linear(1, 1, bias=False), np.arange(7.0)[:, None]
    params = {"weight": np.zeros((1, 1))}
    steps = list(
        fit(
            model, params, x, x, loss=loss, optimizer=SGD(0.0), rng=np.random.default_rng(0), epochs=2, batch_size=3
        )
    )
    assert [len(batch) for batch in seen] == [3, 3, 1, 3, 3, 1]
    orders = [np.concatenate(seen[:3]).ravel(), np.concatenate(seen[3:]).ravel()]
    assert all(sorted(order) == list(range(7)) for order in orders)
    assert not np.array_equal(*orders)
    assert [step.ends_epoch for step in steps] == [False, False, True] * 2
    assert [step.epoch for step in steps] == [1, 1, 1, 2, 2, 2]
    assert steps[0].epoch_accuracy is None


def test_the_textbook_update_comes_out():
    x, t = np.array([[1.0, 2.0]]), np.array([[3.0]])
    (step,) = fit(
        Linear(2, 1, bias=False),
        {"weight": np.array([[0.5, 0.0]])},
        x,
        t,
        loss=half_squared_error,
        optimizer=SGD(0.1),
        rng=np.random.default_rng(0),
    )
    # y = 0.5, dE/dw = (y - t)·x = (-2.5, -5), w - 0.1·dE/dw
    np.testing.assert_allclose(step.params["weight"], [[0.75, 0.5]])
    assert step.loss == pytest.approx(3.125)


def test_training_learns():
    *_, last = toy.steps()
    assert last.epoch_accuracy > 0.8
    assert last.step == 15


def test_epoch_means_weigh_batches_by_their_samples():
    steps = list(itertools.islice(toy.steps(), 5))
    sizes = [16, 16, 16, 16, 6]
    mean = np.average([step.loss for step in steps], weights=sizes)
    assert steps[-1].epoch_loss == pytest.approx(mean, rel=1e-12)


def test_two_trainings_with_one_seed_agree_in_every_bit():
    for a, b in zip(toy.steps(), toy.steps(), strict=True):
        assert toy.same(a.state, b.state)
        assert a[:8] == b[:8]


def test_another_seed_gives_another_training():
    (a, *_), (b, *_) = toy.steps(0), toy.steps(1)
    assert not toy.same(a.state, b.state)


@pytest.mark.parametrize("at", [1, 4, 5, 6, 10, 14, 15])
def test_a_training_resumed_after_any_step_agrees_in_every_bit(at):
    whole = list(toy.steps())
    resumed = list(toy.steps(resume=whole[at - 1].state))
    assert len(resumed) == len(whole) - at
    for a, b in zip(whole[at:], resumed, strict=True):
        assert toy.same(a.state, b.state)
        assert a[:8] == b[:8]


def test_what_the_caller_passed_is_not_written_to():
    x, t = toy.data()
    for array in (x, t):
        array.flags.writeable = False
    net, rng = toy.model(), np.random.default_rng(0)
    params = net.init(rng)
    before = {name: array.copy() for name, array in params.items()}
    for array in params.values():
        array.flags.writeable = False
    list(fit(net, params, x, t, optimizer=toy.optimizer(), rng=rng))
    assert all(np.array_equal(params[name], before[name]) for name in params)


def test_states_of_earlier_steps_stay_as_they_were():
    steps = toy.steps()
    first = next(steps)
    kept = {name: array.copy() for name, array in first.params.items()}
    list(steps)
    assert all(np.array_equal(first.params[name], kept[name]) for name in kept)


def test_running_statistics_move_and_are_not_trained():
    first = next(toy.steps())
    assert first.params["bn1.running_mean"].any()
    assert "bn1.running_mean" not in first.state.optimizer.slots["velocity"]


def test_clipping_is_reported():
    step = next(toy.steps(clip=partial(clip_by_global_norm, max_norm=1e-3)))
    assert step.clipped.norm > 1e-3
    assert step.clipped.factor == pytest.approx(1e-3 / step.clipped.norm)
    assert next(toy.steps()).clipped is None


def test_a_diverging_training_stops_with_a_sentence_and_no_warning():
    x = np.ones((1, 3), np.float32)
    net, rng = Linear(3, 3), np.random.default_rng(0)
    steps = fit(net, net.init(rng), x, x, loss=half_squared_error, optimizer=SGD(1e9), rng=rng, epochs=50)
    with pytest.raises(
        NonFiniteError, match=r"training, step \d+: expected a finite loss, received (nan|inf); lower"
    ):
        list(steps)


def test_a_single_image_is_enough():
    x, t = toy.data(1)
    (step,) = toy.steps(images=x, labels=t, epochs=1)
    assert step.ends_epoch


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (np.zeros((0, 1, 8, 8), np.float32), np.zeros(0, int), DataError, "at least one image, received an empty"),
        (np.zeros((3, 1, 8, 8), np.uint8), np.zeros(3, int), DTypeError, "received uint8; convert them and scale"),
        (np.zeros((3, 1, 8, 8)), np.zeros(2, int), ShapeError, "received 3 images and 2 targets; pair"),
        (
            np.full((3, 1, 8, 8), np.nan),
            np.zeros(3, int),
            DataError,
            "NaN or infinity in 3 of 3, the first at index 0",
        ),
        (np.full((3, 1, 8, 8), np.inf), np.zeros(3, int), DataError, "expected finite images"),
    ],
)
def test_data_that_nothing_can_be_learned_from_is_refused(images, labels, error, message):
    with pytest.raises(error, match=message):
        toy.steps(images=images, labels=labels)


def test_labels_out_of_range_are_refused():
    x, t = toy.data()
    with pytest.raises(DataError, match="expected labels from 0 to 9, received label 10; count classes from 0"):
        list(toy.steps(images=x, labels=t + 1))


@pytest.mark.parametrize(
    ("option", "value"), [("epochs", 0), ("batch_size", 0), ("batch_size", 2.5), ("epochs", True)]
)
def test_options_outside_their_domain_are_refused(option, value):
    with pytest.raises(OptionError, match=f"expected {option} to be a whole number of at least 1"):
        toy.steps(**{option: value})

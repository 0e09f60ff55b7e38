"""What ``fit`` makes of sources, augmentation and last batches."""

import numpy as np
import pytest

from tests.ops.shared import refusal
from tests.training import toy
from whygrad.data import Pixels, augmentation
from whygrad.errors import OptionError
from whygrad.optim import SGD
from whygrad.training import fit

BYTES = np.random.default_rng(0).integers(0, 256, (50, 1, 8, 8)).astype(np.uint8)
LABELS = np.arange(50) % 10
SHIFT = augmentation("shift=2, flip")


def shift(images, rng):
    return SHIFT(images, rng, np.zeros(1))


def train(images, labels=LABELS, **options):
    model, rng = toy.model(), np.random.default_rng(3)
    steps = fit(model, model.init(rng), images, labels, optimizer=SGD(0.1), rng=rng, **{"batch_size": 16} | options)
    return list(steps)


def same(a, b):
    return all(np.array_equal(a[-1].params[name], b[-1].params[name]) for name in a[-1].params)


def test_a_source_trains_to_the_same_bits_as_its_array():
    array = np.divide(BYTES, np.float32(255), dtype=np.float32)
    assert same(train(array, epochs=2), train(Pixels(BYTES), epochs=2))
    assert same(train(array, epochs=2, augment=shift), train(Pixels(BYTES), epochs=2, augment=shift))


def test_augmentation_changes_what_is_seen_and_follows_from_the_seed():
    once, again = (train(Pixels(BYTES), epochs=2, augment=shift) for _ in range(2))
    assert same(once, again)
    assert not same(once, train(Pixels(BYTES), epochs=2))


def test_every_epoch_and_batch_sees_other_changes():
    seen = []

    def remember(images, rng):
        seen.append(rng.random())
        return images

    train(Pixels(BYTES), epochs=3, augment=remember)
    assert len(set(seen)) == len(seen) == 3 * 4


@pytest.mark.parametrize(("drop", "sizes"), [(False, [16, 16, 16, 2]), (True, [16, 16, 16])])
@pytest.mark.parametrize("source", [False, True])
def test_the_last_batch_is_kept_or_dropped(drop, sizes, source):
    images = Pixels(BYTES) if source else BYTES / np.float32(255)
    steps = train(images, epochs=2, drop_last=drop)
    assert [step.ends_epoch for step in steps] == ([False] * (len(sizes) - 1) + [True]) * 2
    assert steps[-1].epoch == 2
    assert steps[len(sizes) - 1].state.seen == 0  # the next epoch begins


def test_nothing_but_a_part_of_a_batch_cannot_be_dropped():
    with refusal(OptionError, "fit: expected at least one whole batch, received a batch_size of 51 for 50 images"):
        train(Pixels(BYTES), batch_size=51, drop_last=True)


@pytest.mark.parametrize("stop", [1, 3, 4, 6])
def test_a_training_that_goes_on_from_any_step_ends_with_the_same_bits(stop):
    whole = train(Pixels(BYTES), epochs=2, augment=shift)
    state = train(Pixels(BYTES), epochs=2, augment=shift)[stop - 1].state
    model, rng = toy.model(), np.random.default_rng(99)
    rest = list(
        fit(model, state.params, Pixels(BYTES), LABELS, optimizer=SGD(0.1), rng=rng, batch_size=16, epochs=2,
            augment=shift, resume=state)
    )  # fmt: skip
    assert len(rest) == len(whole) - stop
    assert same(whole, rest)


def test_an_error_in_the_background_ends_the_training_where_it_belongs():
    def fail(images, rng):
        if rng.random() < 0.4:
            raise ValueError("a picture is gone")
        return images

    with pytest.raises(ValueError, match="a picture is gone"):
        train(Pixels(BYTES), epochs=20, augment=fail)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.shared import refusal
from whygrad.data import Dataset, check_data, load_digits, split
from whygrad.errors import DataError, DTypeError, OptionError, ShapeError


def numbered(labels):
    """Return a data set whose images hold their own index, so that parts can be told apart."""
    images = np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1)
    return Dataset("numbered", images, np.array(labels, int), tuple("abcde"))


def indices(part):
    return part.images.ravel().astype(int).tolist()


@given(
    st.lists(st.integers(0, 4), min_size=10, max_size=60),
    st.sampled_from([0.1, 0.25, 0.5, 0.8]),
    st.integers(0, 99),
)
def test_parts_are_disjoint_cover_everything_keep_the_order_and_share_every_class(labels, fraction, seed):
    data = numbered(labels)
    held_out = [round(fraction * labels.count(label)) for label in range(5)]
    if not 0 < sum(held_out) < len(labels):
        with refusal(DataError, "split: expected images in both parts"):
            split(data, fraction, np.random.default_rng(seed))
        return
    rest, part = split(data, fraction, np.random.default_rng(seed))
    assert sorted(indices(rest) + indices(part)) == list(range(len(labels)))
    for one in (rest, part):
        assert indices(one) == sorted(indices(one))
        np.testing.assert_array_equal(one.labels, data.labels[indices(one)])
        assert one.classes == data.classes
    assert [part.labels.tolist().count(label) for label in range(5)] == held_out


def test_the_same_generator_chooses_the_same_images_and_another_does_not():
    digits = load_digits()
    (_, first), (_, same), (_, other) = (split(digits, 0.2, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.images, same.images)
    assert not np.array_equal(first.images, other.images)


def test_splitting_changes_nothing_in_the_data_and_parts_hold_copies():
    data = numbered([0, 1] * 10)
    _, part = split(data, 0.5, np.random.default_rng(0))
    part.images[:] = -1
    assert indices(data) == list(range(20))


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, float("nan")])
def test_split_refuses_a_fraction_that_leaves_a_part_out(fraction):
    with refusal(OptionError, f"split: expected a fraction between 0 and 1, received {fraction!r}; change the"):
        split(numbered([0, 0, 1, 1]), fraction, np.random.default_rng(0))


@pytest.mark.parametrize(("labels", "fraction"), [([], 0.5), ([0, 1], 0.1), ([0, 1, 2], 0.9)])
def test_split_refuses_to_leave_a_part_empty(labels, fraction):
    with refusal(DataError, f"split: expected images in both parts, received {len(labels)} images; use more data"):
        split(numbered(labels), fraction, np.random.default_rng(0))


GOOD = np.zeros((3, 1, 2, 2), np.float32)
BAD = GOOD.copy()
BAD[1, 0, 1, 0] = np.nan
BAD[2, 0, 0, 0] = np.inf


@pytest.mark.parametrize(
    ("error", "images", "targets", "text"),
    [
        (
            DTypeError,
            GOOD.astype(np.uint8),
            [0, 1, 2],
            "images of dtype float32 or float64, received uint8; convert",
        ),
        (DTypeError, GOOD.astype(bool), [0, 1, 2], "images of dtype float32 or float64, received bool"),
        (
            DataError,
            GOOD[:0],
            [],
            "at least one image, received an empty data set; check where the data comes from",
        ),
        (DataError, np.float32(1), 1, "at least one image, received an empty data set"),
        (ShapeError, GOOD, [0, 1], "one target for each image, received 3 images and 2 targets; pair the images"),
        (ShapeError, GOOD, 5, "one target for each image, received 3 images and no targets"),
        (
            DataError,
            BAD,
            [0, 1, 2],
            "finite images, received NaN or infinity in 2 of 3, the first at index 1; repair",
        ),
    ],
)
def test_check_refuses_what_nothing_can_be_learned_from(error, images, targets, text):
    with refusal(error, f"fit: expected {text}"):
        check_data("fit", images, targets)


@pytest.mark.parametrize("targets", [[0, 1, 2], np.zeros((3, 4)), np.zeros((3, 2, 2), int)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_check_lets_pass_what_can_be_learned_from(dtype, targets):
    images = GOOD.astype(dtype)
    images.flags.writeable = False
    assert check_data("fit", images, targets) is None

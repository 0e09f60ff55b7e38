from importlib import resources

import numpy as np
import pytest

from tests.ops.shared import refusal
from whygrad.data import DATASETS, load_dataset, load_digits
from whygrad.errors import OptionError


def test_has_1797_images_of_8_by_8_with_ink_from_0_to_1():
    digits = load_digits()
    assert digits.images.shape == (1797, 1, 8, 8)
    assert digits.images.dtype == np.float32
    assert digits.image_shape == (1, 8, 8)
    assert digits.images.min() == 0
    assert digits.images.max() == 1
    levels = digits.images * 16
    np.testing.assert_array_equal(levels, levels.round())
    assert digits.images[:, :, :, 0].mean() < 0.01  # the left border is paper


def test_has_the_published_number_of_images_of_every_class():
    digits = load_digits()
    assert digits.labels.dtype == np.int64
    assert np.bincount(digits.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert digits.classes == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert digits.name == "digits"


def test_the_first_image_is_the_zero_that_everyone_prints():
    rows = (load_digits().images[0, 0] * 16).astype(int)
    assert rows[0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert rows[1].tolist() == [0, 0, 13, 15, 10, 15, 5, 0]


def test_two_calls_give_equal_arrays_of_their_own():
    first, second = load_digits(), load_digits()
    np.testing.assert_array_equal(first.images, second.images)
    first.images[:] = 7
    first.labels[:] = 7
    assert load_digits().images.max() == 1
    assert load_digits().labels.max() == 9


def test_the_file_holds_plain_arrays_and_no_pickle():
    with resources.files("whygrad.data").joinpath("digits.npz").open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        assert {name: archive[name].dtype.kind for name in archive.files} == {"images": "u", "labels": "u"}


def test_is_registered_by_name():
    assert DATASETS[0] == load_dataset("digits").name == "digits"
    np.testing.assert_array_equal(load_dataset("digits").images, load_digits().images)
    with refusal(
        OptionError, "data: expected one of digits, mnist, fashion-mnist, kmnist, cifar10, or a folder of"
    ):
        load_dataset("cats")


@pytest.mark.parametrize("indices", [[3, 1], []])
def test_take_returns_the_images_and_labels_at_the_indices(indices):
    digits = load_digits()
    part = digits.take(np.array(indices, int))
    np.testing.assert_array_equal(part.images, digits.images[indices])
    np.testing.assert_array_equal(part.labels, digits.labels[indices])
    assert part.classes == digits.classes

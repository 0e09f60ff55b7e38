"""Where named data sets are looked for, and what is read there."""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.data.shared import IDX_FILES, idx, write_idx_set
from tests.ops.shared import refusal
from whygrad.data import NAMED, Pixels, Request, load_parts
from whygrad.errors import DataError, FileError, OptionError

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.parametrize("gzipped", [True, False])
@pytest.mark.parametrize("below", ["", "mnist", "MNIST/raw"])
def test_files_are_found_in_the_folder_that_is_named(tmp_path, gzipped, below):
    images, labels, test_images, test_labels = write_idx_set(tmp_path / below, gzipped=gzipped)
    train, test = load_parts(Request("mnist", tmp_path)).parts
    assert train.name == "mnist"
    assert train.classes == tuple("0123456789")
    assert train.image_shape == (1, 28, 28)
    assert isinstance(train.images, Pixels)
    np.testing.assert_array_equal(train.images.pixels[:, 0], images)
    np.testing.assert_array_equal(train.labels, labels)
    np.testing.assert_allclose(test.images[:], test_images[:, None] / 255, rtol=1e-6)
    np.testing.assert_array_equal(test.labels, test_labels)


def test_the_folder_that_is_named_is_the_only_one_looked_at(tmp_path):
    text = (
        f"{tmp_path}: expected train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz,"
        " t10k-labels-idx1-ubyte.gz, received a folder without them; put them there, or leave --data-dir out"
    )
    with refusal(FileError, text):
        load_parts(Request("fashion-mnist", tmp_path))
    with refusal(FileError, "received no such folder"):
        load_parts(Request("fashion-mnist", tmp_path / "missing"))


def test_the_files_of_a_sister_are_not_taken_for_ones_own(tmp_path):
    write_idx_set(tmp_path / "FashionMNIST/raw")
    with refusal(FileError, "received a folder without them"):
        load_parts(Request("mnist", tmp_path))
    assert load_parts(Request("fashion-mnist", tmp_path)).parts.train.classes[0] == "T-shirt/top"


def test_what_the_system_installed_comes_before_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WHYGRAD_CACHE_DIR", str(tmp_path / "cache"))
    write_idx_set(tmp_path / "installed")
    installed = replace(NAMED["fashion-mnist"], places=(tmp_path / "installed",), mirrors=())
    assert installed.find(None) == tmp_path / "installed"
    with refusal(FileError, "fashion-mnist: expected train-images-idx3-ubyte.gz from a mirror"):
        replace(installed, places=()).find(None)


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_debians_fashion_mnist_is_found():
    train, test = load_parts(Request("fashion-mnist")).parts
    assert (len(train.labels), len(test.labels)) == (60_000, 10_000)
    assert np.bincount(train.labels).tolist() == [6000] * 10


MNIST = os.environ.get("WHYGRAD_MNIST")


@pytest.mark.skipif(not MNIST, reason="WHYGRAD_MNIST names no folder with MNIST")
def test_the_whole_of_mnist_is_read():
    train, test = load_parts(Request("mnist", Path(MNIST))).parts
    assert (len(train.labels), len(test.labels)) == (60_000, 10_000)
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]


@pytest.mark.parametrize(
    ("file", "array", "text"),
    [
        (
            0,
            np.zeros((200, 28, 27), np.uint8),
            "expected images of 28x28, received an array of shape (200, 28, 27)",
        ),
        (0, np.zeros((0, 28, 28), np.uint8), "expected images of 28x28, received an array of shape (0, 28, 28)"),
        (1, np.zeros(199, np.uint8), "expected 200 labels, received 199"),
        (3, np.full(50, 10, np.uint8), "expected labels from 0 to 9, received 10"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path, file, array, text):
    write_idx_set(tmp_path)
    (tmp_path / f"{IDX_FILES[file]}.gz").write_bytes(gzip.compress(idx(array), 1))
    with refusal(DataError, text):
        load_parts(Request("mnist", tmp_path))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"data": "digits", "data_dir": Path()}, "--data-dir: expected it with a named data set that has files"),
        (
            {"data": "mnist", "size": (32, 32)},
            "--size: expected it with a folder of images, received it with the data",
        ),
        ({"data": "digits", "colour": "rgb"}, "--colour: expected it with a folder of images"),
        (
            {"data": "cats"},
            "data: expected one of digits, mnist, fashion-mnist, kmnist, cifar10, or a folder of images",
        ),
        ({"data": "README.md"}, "data: expected a folder of images, an .npz, or an IDX file such as train-images"),
    ],
)
def test_options_that_would_change_nothing_and_other_paths_are_refused(options, text, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    with refusal(OptionError, text):
        load_parts(Request(**options))


@pytest.mark.parametrize(("name", "text"), [("colour", "one of grey, rgb"), ("fit", "one of crop, stretch, pad")])
def test_unknown_choices_are_refused(name, text):
    with refusal(OptionError, f"{name}: expected {text}, received 'blue'; check the spelling"):
        Request("somewhere", **{name: "blue"})

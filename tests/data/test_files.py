"""Data sets that a person names by a path: archives and IDX files."""

import os
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.shared import damaged, digits_like, idx, write_idx_set
from tests.ops.shared import refusal
from whygrad.data import Pixels, Request, load_parts
from whygrad.errors import DataError, FileError, WhygradError

IMAGES, LABELS = digits_like(30, 0)


def load(path):
    return load_parts(Request(str(path))).parts


@pytest.mark.parametrize(
    "names",
    [("images", "labels"), ("x_train", "y_train"), ("train_images", "train_labels"), ("X", "y")],
)
def test_an_archive_without_test_images_is_one_part(tmp_path, names):
    np.savez(tmp_path / "mine.npz", **dict(zip(names, (IMAGES, LABELS), strict=True)))
    train, test = load(tmp_path / "mine.npz")
    assert test is None
    assert train.name == "mine"
    assert train.image_shape == (1, 28, 28)
    np.testing.assert_array_equal(train.images.pixels[:, 0], IMAGES)
    np.testing.assert_array_equal(train.labels, LABELS)
    assert train.classes == tuple("0123456789")


def test_an_archive_as_keras_has_them_is_two_parts(tmp_path):
    np.savez_compressed(
        tmp_path / "a.npz", x_train=IMAGES[:20], y_train=LABELS[:20], x_test=IMAGES[20:], y_test=LABELS[20:]
    )
    train, test = load(tmp_path / "a.npz")
    assert (len(train.labels), len(test.labels)) == (20, 10)
    assert test.classes == train.classes


@pytest.mark.parametrize("shape", [(4, 6, 5, 3), (4, 3, 6, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_channels_may_come_first_or_last(tmp_path, shape, dtype):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(4) % 2)
    train, _ = load(tmp_path / "a.npz")
    assert train.image_shape == (3, 6, 5)
    wanted = images if shape[1] == 3 else np.moveaxis(images, 3, 1)
    np.testing.assert_allclose(train.images[:], wanted / (255 if dtype == np.uint8 else 1), rtol=1e-6)
    assert isinstance(train.images, Pixels) == (dtype == np.uint8)


def test_labels_may_be_any_numbers_or_names_in_a_column_or_a_row(tmp_path):
    np.savez(tmp_path / "a.npz", images=IMAGES[:4], labels=np.array([[7], [3], [7], [900]]))
    train, _ = load(tmp_path / "a.npz")
    assert train.classes == ("3", "7", "900")
    assert train.labels.tolist() == [1, 0, 1, 2]
    np.savez(tmp_path / "b.npz", images=IMAGES[:3], labels=np.array(["cat", "dog", "cat"]))
    train, _ = load(tmp_path / "b.npz")
    assert (train.classes, train.labels.tolist()) == (("cat", "dog"), [0, 1, 0])
    np.savez(tmp_path / "c.npz", images=IMAGES[:3], labels=[1, 0, 1], classes=["cat", "dog", "owl"])
    train, _ = load(tmp_path / "c.npz")
    assert (train.classes, train.labels.tolist()) == (("cat", "dog", "owl"), [1, 0, 1])


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        (
            {"pictures": IMAGES},
            "expected images and labels, or x_train, y_train, x_test and y_test, received pictures",
        ),
        ({"images": IMAGES}, "expected images and labels"),
        ({"images": IMAGES, "labels": LABELS[:3]}, "expected as many labels as images, received 3 and 30"),
        ({"images": IMAGES, "labels": LABELS / 2}, "expected one label for each image, a whole number or a name"),
        ({"images": IMAGES[0], "labels": LABELS}, "expected images of shape (N, H, W), (N, C, H, W) or"),
        (
            {"images": IMAGES.astype(int), "labels": LABELS},
            "expected images of bytes (uint8) or floats, received int64",
        ),
        ({"images": IMAGES * np.nan, "labels": LABELS}, "expected finite images"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "expected at least one image, received none"),
        (
            {"x_train": IMAGES[:9], "y_train": LABELS[:9], "x_test": IMAGES[9:], "y_test": LABELS[9:]},
            "expected labels of 9 classes, received '9'; name every class",
        ),
    ],
)
def test_arrays_that_are_of_no_use_are_refused(tmp_path, arrays, text):
    np.savez(tmp_path / "a.npz", **arrays)
    with refusal(DataError, text):
        load(tmp_path / "a.npz")


def test_pickled_objects_are_refused_and_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.savez(tmp_path / "a.npz", images=np.array([Trap()], object), labels=np.zeros(1, int))
    with refusal(
        FileError, "images.npy: expected a NumPy array without objects, received objects, which are never"
    ):
        load(tmp_path / "a.npz")
    assert not (tmp_path / "sprung").exists()


def test_a_member_that_claims_more_than_it_can_hold_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=LABELS)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(content.replace(b"(30, 28, 28)", b"(99, 99, 99)"))
    with pytest.raises(FileError):
        load(tmp_path / "b.npz")
    with zipfile.ZipFile(tmp_path / "c.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", b"not an array")
        archive.writestr("labels.npy", b"not an array")
    with refusal(FileError, "c.npz, images.npy: expected a NumPy array without objects"):
        load(tmp_path / "c.npz")


@given(seed=st.integers(0, 2**32))
def test_damaged_archives_give_an_error_or_a_data_set(tmp_path_factory, seed):
    folder = tmp_path_factory.getbasetemp()
    whole, path = folder / "whole.npz", folder / f"fuzzed-{os.getpid()}.npz"
    np.savez(whole, images=IMAGES[:3, :4, :4], labels=LABELS[:3])
    path.write_bytes(damaged(whole.read_bytes(), np.random.default_rng(seed)))
    try:
        train, _ = load(path)
    except WhygradError as error:
        assert "fuzzed" in str(error)  # noqa: PT017 - both ways to end are looked at
    else:
        assert len(train.labels) == len(train.images)


@pytest.mark.parametrize("gzipped", [True, False])
@pytest.mark.parametrize("named", ["folder", "file"])
def test_idx_files_are_named_by_their_folder_or_their_images(tmp_path, gzipped, named):
    images, labels, _, test_labels = write_idx_set(tmp_path / "some", gzipped=gzipped)
    path = tmp_path / "some"
    train, test = load(path if named == "folder" else next(path.glob("train-images*")))
    assert train.name == ("some" if named == "folder" else "train-images-idx3-ubyte")
    np.testing.assert_array_equal(train.images.pixels[:, 0], images)
    np.testing.assert_array_equal(train.labels, labels)
    np.testing.assert_array_equal(test.labels, test_labels)


def test_idx_files_with_other_names_and_labels(tmp_path):
    """EMNIST's letters count from 1, and the names of its files say test."""
    for part, count in (("train", 30), ("test", 20)):
        (tmp_path / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(idx(IMAGES[:count]))
        (tmp_path / f"emnist-letters-{part}-labels-idx1-ubyte").write_bytes(idx(LABELS[:count] + np.uint8(1)))
    train, test = load(tmp_path)
    assert train.classes[0] == "1"
    assert train.labels[:3].tolist() == [0, 1, 2]
    assert len(test.labels) == 20


def test_images_without_labels_are_refused(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    with refusal(
        FileError, "train-labels-idx1-ubyte: expected the labels of the images, received no such file; put"
    ):
        load(tmp_path)

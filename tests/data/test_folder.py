import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.data.shapes import CLASSES, write_shapes
from tests.ops.shared import refusal
from whygrad.data import FolderImages, Known, Request, load_parts, read_images
from whygrad.errors import DataError, FileError


def load(path, **options):
    return load_parts(Request(str(path), **options))


def plain(path, value, size=(6, 5), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def test_every_sub_folder_is_a_class_in_the_order_of_their_names(tmp_path):
    write_shapes(tmp_path / "shapes", 6)
    plain(tmp_path / "shapes/cross/deeper/still/a.PNG", 255, (32, 32))
    (tmp_path / "shapes/cross/notes.txt").write_text("mine")
    plain(tmp_path / "shapes/.hidden/a.png", 0)
    plain(tmp_path / "shapes/circle/.hidden.png", 0)
    found = load(tmp_path / "shapes")
    train, test = found.parts
    assert test is None
    assert train.name == "shapes"
    assert train.classes == CLASSES
    assert np.bincount(train.labels).tolist() == [6, 7, 6]
    assert train.image_shape == (1, 32, 32)
    assert found.skipped == {}
    assert isinstance(train.images, FolderImages)
    at = train.images.names.index("cross/deeper/still/a.PNG")
    assert train.classes[train.labels[at]] == "cross"
    assert (train.images[at] == 1).all()


def test_images_are_those_that_predict_reads(tmp_path):
    write_shapes(tmp_path, 5, sizes=((40, 30), (28, 33)))
    train = load(tmp_path, size=(24, 20), colour="rgb").parts.train
    assert train.image_shape == (3, 24, 20)
    for i in (0, 7, 14):
        path = tmp_path / train.images.names[i]
        np.testing.assert_allclose(train.images[i], read_images(path, (3, 24, 20), "crop")[0], atol=1e-6)
    np.testing.assert_array_equal(train.images[[3, 1]], np.stack([train.images[3], train.images[1]]))
    assert train.images[:4].dtype == np.float32


@pytest.mark.parametrize(
    ("sizes", "modes", "shape"),
    [
        ([(20, 10)] * 2, ["L", "L"], (1, 10, 20)),
        ([(20, 10)] * 2, ["L", "RGB"], (3, 10, 20)),
        ([(20, 10), (10, 20)], ["L", "L"], (1, 64, 64)),
        ([(200, 100)] * 2, ["L", "L"], (1, 64, 64)),
    ],
)
def test_size_and_colours_follow_from_the_pictures(tmp_path, sizes, modes, shape):
    for name, size, mode in zip("ab", sizes, modes, strict=True):
        plain(tmp_path / name / "1.png", 100 if mode == "L" else (100, 20, 3), size, mode)
    assert load(tmp_path).parts.train.image_shape == shape


@pytest.mark.parametrize(
    ("fit", "row"), [("stretch", [0, 1, 1, 0]), ("crop", [1, 1, 1, 1]), ("pad", [0, 0.5, 0.5, 0])]
)
def test_pictures_of_another_shape_are_cropped_stretched_or_padded(tmp_path, fit, row):
    """A picture of 4x8 whose middle half is white, in 4x4."""
    pixels = np.zeros((4, 8), np.uint8)
    pixels[:, 2:6] = 255
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "1.png")
    images = load(tmp_path, size=(4, 4), fit=fit).parts.train.images
    if fit == "pad":  # halved in height and width, with two rows of black
        assert images[0][0].sum(axis=1).tolist() == [0, 2, 2, 0]
    else:
        np.testing.assert_allclose(images[0][0, 1], row, atol=1e-6)


@pytest.mark.parametrize("names", [("train", "test"), ("Train", "val"), ("training", "validation")])
def test_a_folder_that_is_divided_stays_divided(tmp_path, names):
    write_shapes(tmp_path / names[0], 6)
    write_shapes(tmp_path / names[1], 3)
    train, test = load(tmp_path).parts
    assert (len(train.labels), len(test.labels)) == (18, 9)
    assert train.classes == test.classes == CLASSES
    shutil.rmtree(tmp_path / names[1] / "cross")
    with refusal(DataError, f"expected the same classes in {names[0]} and {names[1]}, received cross in one"):
        load(tmp_path)


def test_train_and_test_may_be_classes(tmp_path):
    for name in ("train", "test"):
        plain(tmp_path / name / "1.png", 10)
    assert load(tmp_path).parts.train.classes == ("test", "train")


def spoil(root):
    (root / "cross/0001.jpg").write_bytes((root / "cross/0001.jpg").read_bytes()[:200])
    (root / "square/broken.png").write_bytes(b"no picture")
    (root / "square/scan.tiff").write_bytes(b"MM")


def test_pictures_that_cannot_be_read_are_named_and_left_out(tmp_path):
    write_shapes(tmp_path, 5)
    spoil(tmp_path)
    found = load(tmp_path)
    assert set(found.skipped) == {"cross/0001.jpg", "square/broken.png", "square/scan.tiff"}
    assert found.skipped["square/scan.tiff"] == "a format that is not read"
    assert found.skipped["square/broken.png"] == "something else"
    assert np.bincount(found.parts.train.labels).tolist() == [5, 4, 5]
    assert not set(found.skipped) & set(found.parts.train.images.names)


def test_strict_refuses_the_first_of_them(tmp_path):
    write_shapes(tmp_path, 5)
    spoil(tmp_path)
    text = "square/scan.tiff: expected a picture that can be read, received a format that is not read; repair"
    with refusal(DataError, text):
        load(tmp_path, strict=True)
    (tmp_path / "square/scan.tiff").unlink()
    with refusal(DataError, "cross/0001.jpg: expected a picture that can be read, received"):
        load(tmp_path, strict=True)


def test_what_is_known_is_not_looked_at_again(tmp_path):
    write_shapes(tmp_path, 5)
    spoil(tmp_path)
    first = load(tmp_path)
    seen = []
    again = load_parts(
        Request(str(tmp_path)),
        known=Known(first.parts.train.image_shape, first.skipped),
        progress=lambda *each: seen.append(each),
    )
    assert seen == []
    assert again.parts.train.fingerprint() == first.parts.train.fingerprint()
    load_parts(Request(str(tmp_path)), progress=lambda *each: seen.append(each))
    assert seen[-1] == (16, 16, "looking at the pictures")


def test_other_files_have_another_fingerprint(tmp_path):
    write_shapes(tmp_path, 5)
    first = load(tmp_path).parts.train.fingerprint()
    (tmp_path / "cross/0000.png").rename(tmp_path / "cross/9999.png")
    assert load(tmp_path).parts.train.fingerprint() != first


def test_a_picture_that_goes_missing_is_named(tmp_path):
    write_shapes(tmp_path, 5)
    images = load(tmp_path).parts.train.images
    (tmp_path / images.names[2]).unlink()
    with refusal(FileError, f"{images.names[2]}: expected a PNG, JPEG, BMP, WebP or GIF, received No such file"):
        images[:4]


@pytest.mark.parametrize("classes", [(), ("circle",)])
def test_fewer_than_two_classes_are_refused(tmp_path, classes):
    write_shapes(tmp_path, 2, classes=classes)
    with refusal(DataError, "expected at least two sub-folders with pictures, received"):
        load(tmp_path)


def test_a_class_without_a_picture_is_refused(tmp_path):
    write_shapes(tmp_path, 2)
    (tmp_path / "star").mkdir()
    with refusal(DataError, "expected pictures that can be read in star, received none; add pictures or remove"):
        load(tmp_path)


def test_a_photograph_of_too_many_pixels_is_left_out(tmp_path):
    write_shapes(tmp_path, 2)
    Image.new("1", (9000, 8000)).save(tmp_path / "cross/large.png")
    assert load(tmp_path).skipped == {"cross/large.png": "9000x8000"}


PEAK = """
import resource, sys
import numpy as np
from whygrad.data import Request, in_parts, load_parts
from whygrad import SGD, fit
from whygrad.models import compact_cnn
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
data = load_parts(Request(sys.argv[1])).parts.train
model = compact_cnn(input_shape=data.image_shape, classes=3)
rng = np.random.default_rng(0)
for step in fit(model, model.init(rng), data.images, data.labels, optimizer=SGD(0.01), rng=rng, batch_size=8):
    pass
for part in in_parts(data.images, 64):
    pass
print(len(data.labels), data.images.shape[1:], peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures with Linux's numbers")
def test_peak_memory_does_not_grow_with_the_number_of_images(tmp_path):
    """Ten times as many pictures, which as float32 would take 90 MB more, must not take 25 MB more."""
    peaks = {}
    for each in (20, 200):
        root = write_shapes(tmp_path / str(each), each, sizes=((120, 120),))
        done = subprocess.run([sys.executable, "-c", PEAK, str(root)], capture_output=True, text=True, check=True)
        count, *_, peak = done.stdout.split()
        peaks[int(count)] = float(peak)
    assert list(peaks) == [60, 600]
    assert peaks[600] < peaks[60] + 25

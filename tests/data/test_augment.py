import numpy as np
import pytest

from tests.ops.shared import refusal
from whygrad.data.augment import AUGMENTATIONS, Crop, Cutout, Flip, Rotate, Shift, augmentation, check_size, sample
from whygrad.errors import OptionError

IMAGES = np.random.default_rng(0).random((40, 3, 9, 8)).astype(np.float32)
FILL = np.array([-1.0, -2.0, -3.0])
EVERY = [
    Shift(3),
    Flip(),
    Crop(40),
    Rotate(25),
    Cutout(4),
    augmentation("shift=2, flip, rotate=5, cutout=3, crop=10"),
]


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("transform", EVERY, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_seed_gives_one_result_of_the_same_kind_and_writes_to_nothing(transform, dtype):
    images = IMAGES.astype(dtype)
    images.flags.writeable = False
    once, again = transform(images, rng(), FILL), transform(images, rng(), FILL)
    assert once.shape == images.shape
    assert once.dtype == dtype
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, transform(images, rng(1), FILL))
    assert np.isfinite(once).all()
    assert len(transform(images[:0], rng(), FILL)) == 0


def test_shift_moves_whole_pixels_and_fills_the_gap():
    moved = Shift(3)(IMAGES, rng(), FILL)
    offsets = set()
    for before, after in zip(IMAGES, moved, strict=True):
        found = [
            (i, j)
            for i in range(-3, 4)
            for j in range(-3, 4)
            if np.array_equal(after[:, max(0, i) : 9 + min(0, i), max(0, j) : 8 + min(0, j)],
                              before[:, max(0, -i) : 9 + min(0, -i), max(0, -j) : 8 + min(0, -j)])
        ]  # fmt: skip
        assert len(found) == 1
        offsets.add(found[0])
        i, j = found[0]
        gap = np.ones((9, 8), bool)
        gap[max(0, i) : 9 + min(0, i), max(0, j) : 8 + min(0, j)] = False
        for channel, fill in zip(after, FILL, strict=True):
            assert (channel[gap] == fill).all()
    assert len(offsets) > 15


def test_flip_mirrors_about_half_of_them():
    flipped = Flip()(IMAGES, rng(), FILL)
    same = [np.array_equal(a, b) for a, b in zip(IMAGES, flipped, strict=True)]
    mirrored = [np.array_equal(a[..., ::-1], b) for a, b in zip(IMAGES, flipped, strict=True)]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 10 < sum(mirrored) < 30


def test_cutout_covers_at_most_a_square_of_the_side():
    covered = Cutout(4)(IMAGES, rng(), FILL)
    for before, after in zip(IMAGES, covered, strict=True):
        changed = (before != after).any(axis=0)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert 2 <= len(rows) <= 4
        assert 2 <= len(columns) <= 4
        assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert (after[:, changed] == FILL[:, None]).all()


def test_a_quarter_turn_is_a_quarter_turn():
    class Ninety:
        def uniform(self, low, high, n):
            return np.full(n, high)

    square = IMAGES[..., :8, :]
    turned = Rotate(90)(square, Ninety(), FILL)
    wanted = np.rot90(square, axes=(2, 3))
    np.testing.assert_allclose(turned, wanted, atol=2e-6)  # rounding of sines in float32


def test_sampling_is_bilinear_interpolation():
    """Against the definition, in plain loops."""
    images = IMAGES[:2].astype(np.float64)
    rows, columns = np.array([[0.9, 0.2, 0.3], [1.1, -0.4, 2.0]]), np.array([[-0.1, 1.2, -0.7], [0.3, 0.8, 0.0]])
    got = sample(images, rows, columns, FILL)
    for n in range(2):
        for c in range(3):

            def pixel(y, x, n=n, c=c):
                return images[n, c, y, x] if 0 <= y < 9 and 0 <= x < 8 else FILL[c]

            for i in range(9):
                for j in range(8):
                    at = np.array([i - 4, j - 3.5, 1])
                    y = np.clip(rows[n] @ at + 4, -1, 9)
                    x = np.clip(columns[n] @ at + 3.5, -1, 8)
                    y0, x0 = int(np.floor(y)), int(np.floor(x))
                    fy, fx = y - y0, x - x0
                    wanted = (pixel(y0, x0) * (1 - fx) + pixel(y0, x0 + 1) * fx) * (1 - fy)
                    wanted += (pixel(y0 + 1, x0) * (1 - fx) + pixel(y0 + 1, x0 + 1) * fx) * fy
                    assert abs(got[n, c, i, j] - wanted) < 1e-12


def test_a_crop_shows_nothing_but_the_image():
    images = np.ones((20, 1, 9, 8))
    np.testing.assert_allclose(Crop(60)(images, rng(), np.array([-5.0])), 1)
    ramp = np.broadcast_to(np.arange(8.0), (20, 1, 9, 8))
    cropped = Crop(60)(ramp, rng(), np.zeros(1))
    spans = cropped[:, 0, 0, -1] - cropped[:, 0, 0, 0]
    assert spans.min() >= 0.4 * 7 - 1e-9
    assert spans.max() <= 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spin", "augmentations among shift, crop, rotate, cutout, flip, received 'spin'"),
        ("shift", "expected shift=a whole number of pixels from 1 to 1024, received 'shift'"),
        ("shift=1.5", "expected shift=a whole number"),
        ("shift=-1", "expected shift=a whole number"),
        ("rotate=nan", "expected rotate=a number of degrees from 0.1 to 180, received 'rotate=nan'"),
        ("crop=100", "expected crop=a number of per cent from 0.1 to 90"),
        ("flip=1", "expected flip without a number, received 'flip=1'"),
    ],
)
def test_texts_that_name_no_augmentation_are_refused(text, message):
    with refusal(OptionError, message):
        augmentation(f"flip, {text}")


def test_texts_name_augmentations_in_their_order():
    assert augmentation("") is None
    assert augmentation(" , ") is None
    assert augmentation("flip,shift = 4").transforms == (Flip(), Shift(4))
    assert set(AUGMENTATIONS) == {"shift", "crop", "rotate", "cutout", "flip"}


@pytest.mark.parametrize("text", ["shift=8", "cutout=9"])
def test_what_leaves_nothing_of_an_image_is_refused(text):
    check_size(augmentation("shift=7, cutout=7, flip"), (3, 9, 8))
    with refusal(OptionError, "augment: expected less than 8 pixels for images of 9x8, received"):
        check_size(augmentation(text), (3, 9, 8))

import numpy as np
import pytest

from whygrad.checking.patterns import Sampled, axis_names, findings

RNG = np.random.default_rng
IMAGES = ("sample", "channel", "row", "column")
SHAPE = (3, 2, 5, 6)
SAMPLES = [None, 100]


def says(claimed, right, *, keep=None, noise=1e-9, seed=0, axes=None, **options):
    """Return the findings for a claim beside differences that are off by up to their bounds."""
    claimed, right, rng = np.asarray(claimed), np.asarray(right, float), RNG(seed)
    indices = np.arange(right.size) if keep is None else np.sort(rng.choice(right.size, keep, replace=False))
    bound = np.full(indices.size, noise * np.abs(right).max(initial=0.0))
    numeric = right.ravel()[indices] + bound * rng.uniform(-1, 1, indices.size)
    difference = np.abs(claimed.ravel()[indices].astype(float) - numeric)
    wrong = ~(difference <= 1.5 * bound + 1e-7 * np.abs(numeric))
    claimed.flags.writeable = False
    return findings(Sampled(claimed, indices, numeric, bound, wrong), axes=axes, **options)


def normal(seed, shape=SHAPE):
    return RNG(seed).normal(size=shape)


def changed(right, where, change):
    claimed = right.copy()
    claimed[where] = change(claimed[where])
    return claimed


def spoiled(right, where):
    return changed(right, where, lambda part: part + RNG(99).normal(size=part.shape))


# --- where -----------------------------------------------------------------------------------------------------

EVERY = slice(None)
REGIONS = {
    "in the last sample, right elsewhere": np.s_[-1],
    "in sample 1, right elsewhere": np.s_[1],
    "in every sample but the last, right elsewhere": np.s_[:-1],
    "in the first and the last sample, right elsewhere": np.s_[::2],
    "in every row but row 2, right elsewhere": np.s_[..., [0, 1, 3, 4], :],
    "in the first channel, right elsewhere": np.s_[:, 0],
    "in every second column, from column 1, right elsewhere": np.s_[..., 1::2],
    "in the first and the last row, right elsewhere": np.s_[..., [0, -1], :],
    "in rows 1 and 2, right elsewhere": np.s_[..., 1:3, :],
    "in the first 3 columns, right elsewhere": np.s_[..., :3],
    "in the last row of sample 1, right elsewhere": np.s_[1, :, -1],
    "in the interior (everywhere but in the outermost rows and columns), right along the border": np.s_[
        ..., 1:-1, 1:-1
    ],
    "where every second row, from row 1, and every second column, from column 0, meet, in sample 1": np.s_[
        1, :, 1::2, 0::2
    ],
}


@pytest.mark.parametrize("words", REGIONS)
@pytest.mark.parametrize("seed", range(3))
def test_a_region_is_named(words, seed):
    right = normal(seed)
    first, *rest = says(spoiled(right, REGIONS[words]), right, axes=IMAGES)
    assert words in first
    assert not rest
    assert f"of the {right.size} entries" in first


def framed(right, rows, columns):
    claimed = right.copy()
    for index in rows:
        claimed = spoiled(claimed, np.s_[..., index, :])
    for index in columns:
        claimed = spoiled(claimed, np.s_[..., index])
    return claimed


@pytest.mark.parametrize("keep", [None, 150])
def test_a_border_is_named(keep):
    right = normal(1, (2, 3, 7, 8))
    (line,) = says(framed(right, (0, -1), (0, -1)), right, axes=IMAGES, keep=keep)
    assert "along the border (the outermost row and column on each side), right inside" in line
    (line,) = says(framed(right, (0, 1, -2, -1), (0, 1, -2, -1)), right, axes=IMAGES, keep=keep)
    assert "along the border (the outermost 2 rows and columns on each side), right inside" in line
    (line,) = says(framed(right, (-1,), (-1,)), right, axes=IMAGES, keep=keep)
    assert "along the last row and the last column, right inside" in line


def test_a_border_of_one_sample_and_a_middle_are_named():
    right = normal(2, (3, 2, 7, 8))
    claimed = right.copy()
    claimed[1] = framed(right, (0, -1), (0, -1))[1]
    (line,) = says(claimed, right, axes=IMAGES)
    assert "along the border (the outermost row and column on each side) of sample 1, right elsewhere" in line
    kernel = normal(3, (2, 2, 3, 3))
    first, second = says(kernel[..., ::-1, ::-1], kernel, axes=axis_names("w", 4))
    assert "everywhere but in the middle (row 1, column 1), right there" in first
    assert "rotated by 180°" in second


def test_few_entries_are_listed():
    right = normal(0)
    assert says(spoiled(right, np.s_[0, 1, 2:3, 1]), right) == [
        "wrong only in the entry [0, 1, 2, 1], right elsewhere"
    ]
    claimed = spoiled(spoiled(right, np.s_[0, 1, 2:3, 1]), np.s_[2, 0, 4:, 5])
    (line,) = says(claimed, right)
    assert line == "wrong only in the entries [0, 1, 2, 1] and [2, 0, 4, 5], right elsewhere"
    (line,) = says(changed(np.arange(1.0, 10.0), 3, lambda _: 0.7), np.arange(1.0, 10.0))
    assert line == "wrong only in the entry [3], right elsewhere"


@pytest.mark.parametrize("seed", range(5))
def test_entries_without_a_pattern_are_scattered(seed):
    right = normal(seed)
    here = RNG(seed).random(SHAPE) < 0.15
    (line,) = says(spoiled(right, here), right)
    assert line == f"scattered: {here.sum()} of the 180 entries are wrong"


def test_scattered_entries_have_a_box_where_it_says_something():
    right = normal(0, (30, 30))
    here = np.zeros((30, 30), bool)
    here[10:16] = RNG(1).random((6, 30)) < 0.4
    (line,) = says(spoiled(right, here), right)
    assert line.endswith("all of them between rows 10 and 15")


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_speaks_for_itself(seed):
    right = normal(seed, (16, 8, 32, 32))
    (line,) = says(normal(seed + 100, right.shape), right, keep=500)
    assert line == "wrong in all 500 entries compared (the array has 131072)"
    (line,) = says(spoiled(right, np.s_[3]), right, keep=500, axes=IMAGES, seed=seed)
    assert line.startswith("wrong in sample 3, right elsewhere (")
    assert line.endswith("of the 500 entries compared; the array has 131072)")


@pytest.mark.parametrize("seed", range(10))
def test_a_sample_too_small_claims_no_region(seed):
    right = normal(seed, (16, 8, 32, 32))
    here = RNG(seed).random(right.shape) < 0.2
    (line,) = says(spoiled(right, here), right, keep=15, seed=seed)
    assert line.startswith(("scattered: ", "of the 15 entries compared"))


def test_entries_about_zero_may_belong_to_a_region():
    right = normal(0) * (RNG(1).random(SHAPE) < 0.5)
    first, second = says(2 * right, right)
    assert first.startswith("wrong in every entry that is not about 0: ")
    assert "2 times the right gradient" in second
    first, _ = says(changed(right, np.s_[1], lambda part: 2 * part), right, axes=IMAGES)
    assert first.startswith("wrong in sample 1, right elsewhere")


# --- what ------------------------------------------------------------------------------------------------------


def shifted(right, down, along):
    """Return the array moved down and along, zeros filling the gap."""
    padded = np.pad(right, [(0, 0)] * (right.ndim - 2) + [(3, 3), (3, 3)])
    height, width = right.shape[-2:]
    return padded[..., 3 - down : 3 - down + height, 3 - along : 3 - along + width]


def repeated(right, axes, how):
    return np.broadcast_to(how(right, axis=axes, keepdims=True), right.shape).copy()


CHANGES = {
    "the sign explains it: what is claimed is −1 times": np.negative,
    "2 times the right gradient, exactly twice too large": lambda g: 2 * g,
    "half the right gradient": lambda g: g / 2,
    "4 times the right gradient, and 4 is the batch size": lambda g: 4 * g,
    "minus 4 times the right gradient, and 4 is the batch size": lambda g: -4 * g,
    "1/784 of the right gradient, and 784 is the number of output positions": lambda g: g / 784,
    "1/3136 of the right gradient, and 3136 is the batch size times the number of output": lambda g: g / 3136,
    "is 9 times the right gradient": lambda g: 9 * g,
    "is 2/3 of the right gradient": lambda g: g * 2 / 3,
    "is 0.3717 times the right gradient": lambda g: g * 0.3717,
    "it is zero everywhere": np.zeros_like,
    "rotated by 180°: the right numbers, reversed along both row and column": lambda g: g[..., ::-1, ::-1],
    "flipped: the right numbers, in reverse order along the axis row": lambda g: g[..., ::-1, :],
    "in reverse order along the axis column, and the sign flipped": lambda g: -g[..., ::-1],
    "both row and column; a factor besides: what stands there is 1/4 of": lambda g: g[..., ::-1, ::-1] / 4,
    "moved by 1 row forward, what leaves at one end coming in at the other": lambda g: np.roll(g, 1, -2),
    "moved by 2 columns back, what leaves": lambda g: np.roll(g, -2, -1),
    "moved by 1 row forward and 1 column forward, zeros filling the gap": lambda g: shifted(g, 1, 1),
    "moved by 1 column back, zeros filling the gap": lambda g: shifted(g, 0, -1),
    "laid out with the axes in the order column, row, channel, sample (Fortran's order)": lambda g: g.ravel(
        order="F"
    ).reshape(g.shape),
    "in the order channel, sample, row, column and reshaped": lambda g: g.swapaxes(0, 1).reshape(g.shape),
    "transposed after a reshape: read with the axes in the order channel, sample, row, column": lambda g: g.reshape(
        2, 3, 5, 6
    ).swapaxes(0, 1),
    "what belongs to sample 0 stands in sample 1": lambda g: g[[1, 0, 2]],
    "a constant 0.3 is added to every entry": lambda g: g + 0.3,
    "a constant 0.3 is taken from every entry": lambda g: g - 0.3,
    "by one number for each channel, the same along sample, row and column": lambda g: (
        g + np.array([0.3, -1.7])[:, None, None]
    ),
    "each channel has a factor of its own: what is claimed is 3, -0.7 times": lambda g: (
        g * np.array([3, -0.7])[:, None, None]
    ),
    "collapsed: the same number stands in every entry along row and column": lambda g: repeated(g, (2, 3), np.sum),
    "collapsed: every entry is": lambda g: repeated(g, (0, 1, 2, 3), np.sum),
    "what belongs to sample 2 stands in all of them": lambda g: np.broadcast_to(g[-1:], g.shape).copy(),
}
SIZES = {"the batch size": 4, "the number of output positions": 784}


@pytest.mark.parametrize("words", CHANGES)
@pytest.mark.parametrize("keep", SAMPLES)
@pytest.mark.parametrize("seed", range(3))
def test_a_change_is_recognised(words, keep, seed):
    right = normal(seed)
    lines = says(CHANGES[words](right), right, axes=IMAGES, keep=keep, seed=seed, sizes=SIZES)
    assert len(lines) == 2
    assert words in lines[1]


@pytest.mark.parametrize("words", CHANGES)
def test_a_change_is_recognised_through_noise_and_in_float32(words):
    right = normal(7)
    assert words.split(" stands")[0] in says(CHANGES[words](right), right, axes=IMAGES, noise=1e-5, sizes=SIZES)[1]
    claimed = CHANGES[words](right).astype(np.float32)
    assert words in says(claimed, right, axes=IMAGES, noise=1e-6, sizes=SIZES)[1]


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_square_arrays_are_transposed_and_turned(n, seed):
    right = normal(seed, (n, n))
    where, what = says(right.T, right)
    assert what == "transposed: the right numbers, with the axes row and column swapped"
    assert n == 2 or "everywhere but on the diagonal, where row and column are equal, right there" in where
    assert "and the sign flipped" in says(-right.T, right)[1]
    if n > 2:
        assert "rotated by 90°" in says(np.rot90(right), right)[1]


def test_axes_are_exchanged_and_flipped_in_large_arrays():
    right = normal(0, (16, 16, 64, 64))
    lines = says(right.swapaxes(0, 1)[..., ::-1, ::-1], right, axes=axis_names("w", 4), keep=1000)
    assert lines[1] == (
        "transposed: the right numbers, with the axes filter and channel swapped and reversed along row and column"
    )
    lines = says(right.transpose(1, 0, 3, 2), right, axes=axis_names("w", 4), keep=1000)
    assert "with the axes in the order channel, filter, column, row" in lines[1]
    order = RNG(1).permutation(16)
    assert (
        "mixed up: the right numbers, with the channels" in says(right[:, order], right, axes=IMAGES, keep=1000)[1]
    )


def test_axes_of_one_index_hide_nothing():
    right = normal(0, (1, 1, 3, 3))
    lines = says(right.swapaxes(2, 3), right, axes=IMAGES)
    assert lines[1] == "transposed: the right numbers, with the axes row and column swapped"


def test_padding_that_was_not_cropped_is_a_shift():
    padded = normal(0, (2, 2, 8, 9))
    lines = says(padded[..., :6, :7], padded[..., 1:7, 1:8], axes=IMAGES)
    assert "moved by 1 row forward and 1 column forward, other numbers filling the gap" in lines[1]


def test_a_law_may_hold_at_the_wrong_entries_alone():
    right = normal(0)
    where, what = says(changed(right, np.s_[1], lambda part: 4 * part), right, axes=IMAGES, sizes=SIZES)
    assert where.startswith("wrong in sample 1")
    assert "and 4 is the batch size" in what
    assert "exactly zero wherever it is wrong" in says(changed(right, np.s_[1], np.zeros_like), right)[1]
    assert "0.3 is added to every wrong entry" in says(changed(right, np.s_[1], lambda part: part + 0.3), right)[1]
    dropped = changed(right, RNG(0).random(SHAPE) < 0.3, np.zeros_like)
    assert "the right gradient is zero wherever it is wrong" in says(right, dropped)[1]


@pytest.mark.parametrize("keep", SAMPLES)
def test_other_arrays_explain(keep):
    right, w, gamma = normal(0), normal(1), normal(2, (2,))
    options = {"keep": keep, "axes": IMAGES, "others": {"dy": normal(3), "w": w, "gamma": gamma}}
    assert says(w, right, **options)[1].startswith("it is the array w itself")
    assert says(-3 * w, right, **options)[1].startswith("it is -3 times the array w")
    assert "the difference is 0.01 times w itself" in says(right + 0.01 * w, right, **options)[1]
    assert "has too small a factor" in says(right - 0.01 * w, right, **options)[1]
    assert "the factor w is missing" in says(right, right * w, **options)[1]
    assert "the factor w is one too many" in says(right * w, right, **options)[1]
    assert "relu's derivative is missing" in says(right, right * (w > 0), **options)[1]
    assert "a sigmoid's derivative" in says(right, right * w * (1 - w), **options)[1]
    assert "tanh's derivative" in says(right, right * (1 - w**2), **options)[1]
    times = gamma[:, None, None]
    assert "the factor gamma (one for each channel) is missing" in says(right, right * times, **options)[1]


def test_what_is_collapsed_is_a_sum_or_a_mean():
    kernel = normal(0, (3, 3))
    where, what = says(np.full((3, 3), kernel.sum()), kernel)
    assert where == "wrong in all 9 entries"
    assert what.endswith("one number for all 9, the sum of the right ones: a sum runs over too many axes")
    assert says(repeated(kernel, 0, np.mean), kernel)[1].endswith(
        "along row, where the right ones differ, the mean of the right ones"
    )


def test_two_sizes_of_one_value_are_both_named():
    right = normal(0)
    lines = says(2 * right, right, sizes={"the batch size": 2, "the stride": 2, "the padding": 1})
    assert "2 is the batch size, also the stride" in lines[1]


# --- nothing to say --------------------------------------------------------------------------------------------

DRAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "bits": lambda rng, shape: rng.integers(0, 2, shape).astype(float),
    "whole": lambda rng, shape: rng.integers(-2, 3, shape).astype(float),
    "sparse": lambda rng, shape: rng.normal(size=shape) * (rng.random(shape) < 0.4),
    "rounded": lambda rng, shape: np.round(rng.normal(size=shape), 1),
}


@pytest.mark.parametrize("draw", ["normal", "sparse", "rounded"])
@pytest.mark.parametrize("noise", [1e-9, 1e-2])
@pytest.mark.parametrize("shape", [(9,), (3, 3), (5, 5), (2, 2, 3, 3), (3, 3, 3, 3), (4, 4, 2), (2, 1, 2, 2, 3)])
def test_garbage_is_not_explained(draw, noise, shape):
    for seed in range(10):
        rng = RNG(seed)
        claimed, right, x = (DRAWS[draw](rng, shape) for _ in range(3))
        others = {"x": x, "bits": DRAWS["bits"](rng, shape), "b": rng.normal(size=shape[0])}
        lines = says(claimed, right, noise=noise, seed=seed, others=others, sizes={"a": 2, "b": 3, "c": 8})
        assert len(lines) == 1, lines


@pytest.mark.parametrize("draw", ["bits", "whole"])
@pytest.mark.parametrize("shape", [(3, 3), (5, 5), (2, 2, 3, 3), (3, 3, 3, 3), (4, 4, 2)])
def test_garbage_of_few_values_is_not_explained(draw, shape):
    for seed in range(10):
        rng = RNG(seed)
        claimed, right = DRAWS[draw](rng, shape), DRAWS[draw](rng, shape)
        lines = says(claimed, right, seed=seed, sizes={"a": 2, "b": 3})
        # That all wrong ones are zero is a fact, which happens among bits.
        assert [line for line in lines[1:] if "exactly zero" not in line] == []


def near(right):
    """Return a claim that all but obeys a law."""
    return {
        "a factor, but for noise": right * 4 * (1 + 1e-3 * normal(5)),
        "a factor, but for one entry": changed(right * 4, np.s_[0, 0, 0, 0], lambda _: 0.1),
        "an offset, but for noise": right + 0.3 + 1e-3 * normal(5),
        "turned, but for one entry": changed(right[..., ::-1, ::-1].copy(), np.s_[0, 0, 0, 0], lambda _: 0.1),
        "a regulariser of another array": right + 0.1 * normal(6),
    }


@pytest.mark.parametrize("which", near(normal(0)))
def test_a_near_miss_is_not_explained(which):
    assert len(says(near(normal(0))[which], normal(0), axes=IMAGES, others={"w": normal(8)}, sizes=SIZES)) == 1


def test_few_entries_need_a_simple_number():
    assert says(2.0, 1.0)[1].startswith("a factor explains it: what is claimed is 2 times")
    assert says(-1.25, 1.25)[1].startswith("the sign explains it")
    assert says([7.0], [1.0], sizes={"the batch size": 7})[1].endswith("is a division by it missing?")
    assert says([7.0], [1.0]) == ["wrong in its only entry"]
    assert says([1.234, 1.234], [1.0, 1.0]) == ["wrong in all 2 entries"]
    assert says([1.0, 2.0], [2.0, 1.0]) == ["wrong in all 2 entries"]


@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 3), (2, 3)])
def test_what_is_right_or_empty_has_no_findings(shape):
    right = normal(0, shape)
    assert says(right, right) == []
    assert says(np.zeros(shape), np.zeros(shape)) == []


def test_numbers_that_are_not_finite_come_first():
    right = normal(0)
    lines = says(changed(right, np.s_[0, 1, 2:3, 3], lambda part: part * np.nan), right)
    assert lines == [
        "not finite: NaN in 1 of the 180 entries, first at [0, 1, 2, 3]",
        "wrong only in the entry [0, 1, 2, 3], right elsewhere",
    ]
    lines = says(np.full((2, 2), np.inf), normal(0, (2, 2)))
    assert lines == ["not finite: infinity in every entry", "wrong in all 4 entries"]


def test_differences_that_are_unknown_are_left_out():
    right = normal(0, (4, 5))
    numeric, bound = right.ravel().copy(), np.full(20, 1e-9)
    numeric[3], bound[4] = np.nan, np.inf
    lines = findings(Sampled(right / 2, np.arange(20), numeric, bound, np.ones(20, bool)))
    assert "half the right gradient" in lines[1]


def test_whole_numbers_may_be_claimed():
    assert "2 times" in says(np.arange(2, 12, 2), np.arange(1.0, 6.0))[1]


def test_a_difference_too_small_for_a_law_supports_none():
    half = normal(0, (4, 4))
    right = half + half.T
    claimed = right * (1 + 5e-7)
    lines = findings(Sampled(claimed, np.arange(16), right.ravel(), np.zeros(16), np.ones(16, bool)))
    assert lines == ["wrong in all 16 entries"]


@pytest.mark.parametrize(
    ("name", "ndim", "axes"),
    [
        ("w", 4, ("filter", "channel", "row", "column")),
        ("conv1.weight", 4, ("filter", "channel", "row", "column")),
        ("K", 4, ("filter", "channel", "row", "column")),
        ("filters", 4, ("filter", "channel", "row", "column")),
        ("x", 4, IMAGES),
        ("window", 4, IMAGES),
        ("b", 1, ("entry",)),
        ("w", 2, ("row", "column")),
        ("x", 0, ()),
        ("x", 3, ("axis 0", "axis 1", "axis 2")),
    ],
)
def test_axes_have_names(name, ndim, axes):
    assert axis_names(name, ndim) == axes


@pytest.mark.parametrize("seed", range(5))
def test_offsets_are_found_in_a_sample_that_misses_some_groups(seed):
    right = normal(seed, (40, 2, 8, 8))
    claimed = right + normal(seed + 1, (40, 2, 1, 1))
    rng = RNG(seed)
    indices = np.sort(rng.choice(right.size // 2, 600, replace=False))
    sampled = Sampled(claimed, indices, right.ravel()[indices], np.full(600, 1e-9), np.ones(600, bool))
    where, what = findings(sampled, axes=IMAGES)
    assert where == f"wrong in all 600 entries compared (the array has {right.size})"
    assert "by one number for each sample and channel, the same along row and column" in what


def test_large_arrays_take_a_moment_only():
    right = normal(0, (1024, 1024))
    lines = says(right.T, right, keep=2000, others={"x": normal(1, right.shape)})
    assert lines[1].startswith("transposed")

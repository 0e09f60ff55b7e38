import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.shared import Source, assert_close, image, pairs, refusal, sources
from whygrad.errors import OptionError, ShapeError
from whygrad.ops.windows import crop, fold, four_sides, geometry, pad, tap, windows


@st.composite
def geometries(draw):
    """Draw an image, windows that fit it, and the options that place them: (size, options)."""
    kernel, dilation = draw(pairs(1, 3)), draw(pairs(1, 2))
    padding = draw(st.tuples(*[st.integers(0, 2)] * 4))
    size = tuple(
        max(1, dilation[a] * (kernel[a] - 1) + 1 - padding[2 * a] - padding[2 * a + 1]) + draw(st.integers(0, 4))
        for a in (0, 1)
    )
    options = {"stride": draw(pairs(1, 3)), "padding": padding, "dilation": dilation}
    return size, kernel, options | {"ceil_mode": draw(st.booleans())}


def positions(size, before, after, span, stride, ceil_mode):
    """Return where windows start on the padded axis, counted one by one."""
    starts = []
    while (start := len(starts) * stride) + span <= before + size + after:
        starts.append(start)
    all_seen = starts[-1] + span == before + size + after
    if ceil_mode and not all_seen and starts[-1] + stride < before + size:
        starts.append(starts[-1] + stride)
    return starts


@given(geometries())
def test_windows_start_where_counting_says(drawn):
    size, kernel, options = drawn
    where = geometry("op", size, kernel, **options)
    for axis in (0, 1):
        before, after = options["padding"][2 * axis : 2 * axis + 2]
        span = options["dilation"][axis] * (kernel[axis] - 1) + 1
        starts = positions(size[axis], before, after, span, options["stride"][axis], options["ceil_mode"])
        assert where.output[axis] == len(starts)
        assert where.span[axis] == span
        assert where.padded[axis] == max(before + size[axis] + after, starts[-1] + span)


@given(sources(), geometries())
def test_windows_show_the_pixel_that_the_formula_names(source, drawn):
    where = geometry("op", drawn[0], drawn[1], **drawn[2])
    padded = pad(source.normal(2, 3, *where.size), where.padding)
    seen = windows(padded, where)
    assert seen.shape == (2, 3, *where.output, *where.kernel)
    for i, j, r, s in np.ndindex(*seen.shape[2:]):
        a = i * where.stride[0] + r * where.dilation[0]
        b = j * where.stride[1] + s * where.dilation[1]
        np.testing.assert_array_equal(seen[:, :, i, j, r, s], padded[:, :, a, b])


@given(st.integers(0, 99), geometries())
def test_fold_adds_back_where_the_formula_reads(seed, drawn):
    where = geometry("op", drawn[0], drawn[1], **drawn[2])
    values = Source(seed).normal(2, 1, *where.output, *where.kernel)
    wanted = np.zeros((2, 1, *where.size))
    for i, j, r, s in np.ndindex(*values.shape[2:]):
        a = i * where.stride[0] + r * where.dilation[0] - where.padding[0]
        b = j * where.stride[1] + s * where.dilation[1] - where.padding[2]
        if 0 <= a < where.size[0] and 0 <= b < where.size[1]:
            wanted[:, :, a, b] += values[:, :, i, j, r, s]
    assert_close(fold(values, where), wanted)


@given(sources(), geometries())
def test_fold_is_the_transpose_of_windows(source, drawn):
    where = geometry("op", drawn[0], drawn[1], **drawn[2])
    x = source.normal(2, 2, *where.size)
    v = source.normal(2, 2, *where.output, *where.kernel)
    read = windows(pad(x, where.padding), where)
    # Cancellation may leave a sum near 0, so that it is the sum of the sizes that rounding compares with.
    scale = np.abs(read.astype(np.float64) * v).sum()
    left, right = (float((one.astype(np.float64) * other).sum()) for one, other in ((read, v), (x, fold(v, where))))
    assert abs(left - right) <= 1e-6 * scale if source.dtype == "float32" else abs(left - right) <= 1e-14 * scale


@given(geometries())
def test_tap_names_one_row_and_column_for_each_output_position(drawn):
    where = geometry("op", drawn[0], drawn[1], **drawn[2])
    for r, s in np.ndindex(*where.kernel):
        rows, columns = tap(where, r, s)
        wanted = [i * where.stride[0] + r * where.dilation[0] for i in range(where.output[0])]
        assert list(range(*rows.indices(where.padded[0]))) == wanted
        wanted = [j * where.stride[1] + s * where.dilation[1] for j in range(where.output[1])]
        assert list(range(*columns.indices(where.padded[1]))) == wanted


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_same_padding_gives_one_position_a_step_with_the_odd_remainder_behind(size, kernel, stride, dilation):
    where = geometry("op", (size, 5), (kernel, 1), stride=(stride, 1), dilation=(dilation, 1), padding="same")
    assert where.output == (-(-size // stride), 5)
    assert where.padding[1] - where.padding[0] in (0, 1)
    assert where.padding[2:] == (0, 0)


def test_windows_are_a_view_that_copies_nothing():
    x = Source(0).normal(1, 1, 4, 4)
    assert np.shares_memory(windows(x, geometry("op", (4, 4), 2)), x)


def test_crop_undoes_pad_and_nothing_to_pad_copies_nothing():
    x = image([[1, 2], [3, 4]])
    padded = pad(x, (1, 0, 2, 1), -np.inf)
    np.testing.assert_array_equal(padded[0, 0, 1:, 2:-1], x[0, 0])
    assert np.isneginf(padded).sum() == padded.size - 4
    np.testing.assert_array_equal(crop(padded, (1, 0, 2, 1)), x)
    assert pad(x, (0, 0, 0, 0)) is x


@pytest.mark.parametrize(
    ("given_as", "sides"),
    [(2, (2, 2, 2, 2)), ((1, 2), (1, 1, 2, 2)), ([1, 2, 3, 4], (1, 2, 3, 4)), (np.int64(1), (1, 1, 1, 1))],
)
def test_padding_may_be_given_for_all_sides_or_two_or_each(given_as, sides):
    assert four_sides("op", given_as) == sides
    assert geometry("op", (3, 3), 1, padding=given_as).padding == sides


@pytest.mark.parametrize("padding", [(1, 2, 3), 1.5, None, "valid", {1: 2}])
def test_refuses_padding_of_another_form(padding):
    forms = "a whole number, (vertical, horizontal) or (top, bottom, left, right)"
    with refusal(OptionError, f"op: expected padding as {forms}, received {padding!r}; change padding"):
        four_sides("op", padding)


@pytest.mark.parametrize("padding", [-1, (1, -1), (0, 0, -1, 0), True])
def test_refuses_padding_that_is_no_count(padding):
    with refusal(OptionError, "op: expected padding to be a whole number of at least 0, received"):
        four_sides("op", padding)


def test_refuses_a_window_larger_than_the_padded_image():
    text = "op: expected a window no larger than the padded image of 2x9 with padding (1, 0, 0, 0), received a 2x3"
    with refusal(ShapeError, f"{text} window that spans 4x3; use a smaller kernel or dilation, more padding"):
        geometry("op", (2, 9), (2, 3), padding=(1, 0, 0, 0), dilation=(3, 1))


def test_refuses_a_padding_by_another_name():
    expected = 'padding as "same", "valid", a whole number, a pair or four sides'
    with refusal(OptionError, f"op: expected {expected}, received 'full'; change padding"):
        geometry("op", (3, 3), 2, padding="full")


def test_an_option_that_equals_a_known_one_is_refused_all_the_same():
    assert geometry("op", (4, 4), kernel=(2, 2)).output == (3, 3)
    for alike in ((2.0, 2), 2.0, (True, 2)):
        with pytest.raises(OptionError):
            geometry("op", (4, 4), kernel=alike)

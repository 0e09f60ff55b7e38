import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.shared import assert_close, assert_pickles, refusal, sources
from whygrad.engines import engine
from whygrad.errors import OptionError, ShapeError
from whygrad.ops import take2d


@given(sources(), st.integers(0, 2), st.integers(1, 17), st.data(), st.sampled_from(["compiled", "definition"]))
def test_shows_what_is_named_and_adds_up_where_it_was_shown(source, n, c, data, name):
    size = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    places = [tuple(data.draw(st.lists(st.integers(0, k - 1), min_size=1, max_size=7))) for k in size]
    x = source.normal(n, c, *size)
    with engine(name):
        y, pullback = take2d(x, vertical=places[0], horizontal=places[1])
        dy = source.normal(*y.shape)
        dx = pullback(dy)
    wanted = np.zeros(x.shape)
    for i, row in enumerate(places[0]):
        for j, column in enumerate(places[1]):
            np.testing.assert_array_equal(y[:, :, i, j], x[:, :, row, column])
            wanted[:, :, row, column] += dy[:, :, i, j]
    assert_close(dx, wanted, source.dtype)


def test_turns_an_image_round_and_leaves_pixels_out():
    x = np.arange(6.0).reshape(1, 1, 2, 3)
    y, pullback = take2d(x, vertical=(1, 0), horizontal=(2, 0))
    assert_close(y[0, 0], [[5, 3], [2, 0]])
    assert_close(pullback(np.array([[1.0, 2], [3, 4]])[None, None])[0, 0], [[4, 0, 3], [2, 0, 1]])


@pytest.mark.parametrize(
    ("places", "shown"), [((), "()"), ((3,), "(3,)"), ((-1,), "(-1,)"), (2, "2"), ((0.0,), "(0.0,)")]
)
def test_refuses_rows_that_there_are_not(places, shown):
    expected = "take2d: expected vertical as a tuple of whole numbers from 0 to 2, at least one"
    with refusal(OptionError, f"{expected}, received {shown}; change vertical"):
        take2d(np.ones((1, 1, 3, 2)), vertical=places, horizontal=(0,))


def test_refuses_what_are_not_images():
    with refusal(ShapeError, "take2d: expected x of shape (N, C, H, W), received (2, 3)"):
        take2d(np.ones((2, 3)), vertical=(0,), horizontal=(0,))


def test_pullback_survives_pickling():
    _, pullback = take2d(np.ones((1, 2, 3, 3)), vertical=(0, 0), horizontal=(2,))
    assert_pickles(pullback, np.ones((1, 2, 2, 1)))

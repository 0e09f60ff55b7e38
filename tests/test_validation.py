import numpy as np
import pytest

from tests.ops.shared import refusal
from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.validation import axis_of, cotangent, floats, number, pair, rank, shape, whole


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_returns_float_arrays_in_order_and_untouched(dtype):
    first, second = np.ones(2, dtype), np.zeros(3, dtype)
    returned = floats("op", a=first, b=second)
    assert returned[0] is first
    assert returned[1] is second


def test_floats_takes_nested_lists_of_floats():
    (array,) = floats("op", x=[[1.0, 2.0]])
    np.testing.assert_array_equal(array, [[1, 2]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_, np.float16, np.complex128, np.object_])
def test_floats_refuses_every_other_dtype_with_a_hint_about_images(dtype):
    text = f"op: expected x of dtype float32 or float64, received {np.dtype(dtype)}; convert it, for an image with"
    with refusal(DTypeError, f"{text} x.astype(np.float32) / 255"):
        floats("op", x=np.ones(2, dtype))


def test_floats_refuses_dtypes_that_differ_and_names_the_conversion():
    text = "op: expected all arrays of one dtype (x is float32), received w of float64; convert with"
    with refusal(DTypeError, f"{text} w.astype(np.float32)"):
        floats("op", x=np.ones(2, np.float32), w=np.ones(2))


@pytest.mark.parametrize(
    ("dims", "layout", "remedy"),
    [
        (2, "(N, C, H, W)", "received (1, 1); add the missing axes with x[None, None]"),
        (3, "(N, C, H, W)", "received (1, 1, 1); add the missing axes with x[None]"),
        (5, "(N, C, H, W)", "received (1, 1, 1, 1, 1); reshape x to 4 axes"),
        (1, "(N, C, H, W)", "received (1,); reshape x to 4 axes"),
        (4, "(N, D)", "received (1, 1, 1, 1); flatten the axes after the first"),
        (1, "(N, D)", "received (1,); reshape x to 2 axes"),
        (2, "(F,)", "received (1, 1); reshape x to 1 axes"),
    ],
)
def test_rank_refuses_another_number_of_axes_and_says_what_to_do(dims, layout, remedy):
    with refusal(ShapeError, f"op: expected x of shape {layout}, {remedy}"):
        rank("op", "x", np.ones((1,) * dims), layout)


@pytest.mark.parametrize(("dims", "layout"), [(4, "(F, C/groups, R, S)"), (2, "(N, D)"), (1, "(F,)")])
def test_rank_accepts_the_number_of_axes_of_the_layout(dims, layout):
    assert rank("op", "x", np.ones((1,) * dims), layout) is None


def test_shape_refuses_another_shape_with_the_remedy_that_it_was_given():
    assert shape("op", "b", np.ones((2, 3)), (2, 3), "transpose it") is None
    with refusal(ShapeError, "op: expected b of shape (3, 2), received (2, 3); transpose it"):
        shape("op", "b", np.ones((2, 3)), (3, 2), "transpose it")


def test_cotangent_takes_the_dtype_of_the_operation():
    dy = np.ones(2)
    assert cotangent("op", dy, (2,), np.dtype(np.float64)) is dy
    assert cotangent("op", dy, (2,), np.dtype(np.float32)).dtype == np.float32


def test_cotangent_refuses_integers_and_another_shape():
    with refusal(DTypeError, "op backward: expected dy of dtype float32, received int64; convert with"):
        cotangent("op", np.ones(2, np.int64), (2,), np.dtype(np.float32))
    with refusal(ShapeError, "op backward: expected dy of shape (2, 1), received (2,); dy is the gradient with"):
        cotangent("op", np.ones(2), (2, 1), np.dtype(np.float32))


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(2)])
def test_whole_and_pair_return_plain_ints(value):
    assert type(whole("op", "stride", value, 1)) is int
    assert pair("op", "stride", value) == (2, 2)
    assert pair("op", "stride", [value, 3]) == (2, 3)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, None, "1", np.float64(1)])
def test_whole_refuses_what_is_no_count(value):
    with refusal(OptionError, f"op: expected n to be a whole number of at least 1, received {value!r}; change n"):
        whole("op", "n", value, 1)


@pytest.mark.parametrize("value", [(1,), (1, 2, 3), 1.5, None, "12", {1, 2}])
def test_pair_refuses_what_is_neither_a_number_nor_a_pair(value):
    text = f"op: expected stride as a whole number or (vertical, horizontal), received {value!r}; change stride"
    with refusal(OptionError, text):
        pair("op", "stride", value)


@pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.5), np.int64(1)])
def test_number_returns_plain_floats_from_a_closed_interval(value):
    assert type(number("op", "p", value, 0, 1)) is float
    assert number("op", "p", value, 0, 1) == value


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf, True, None, "0.5", 1j])
def test_number_refuses_what_lies_outside_the_interval(value):
    with refusal(OptionError, f"op: expected p in [0, 1], received {value!r}; change p"):
        number("op", "p", value, 0, 1)


def test_number_leaves_the_upper_end_out_where_the_interval_is_open():
    assert number("op", "p", 0.999, 0, 1, open_high=True) == 0.999
    with refusal(OptionError, "op: expected p in [0, 1), received 1; change p"):
        number("op", "p", 1, 0, 1, open_high=True)


def test_axis_of_counts_from_either_end():
    assert [axis_of("op", axis, 3) for axis in (0, 2, -1, -3, np.int64(1))] == [0, 2, 2, 0, 1]


@pytest.mark.parametrize("axis", [3, -4, 1.0, None, False])
def test_axis_of_refuses_an_axis_that_is_not_there(axis):
    with refusal(
        OptionError, f"op: expected axis from -3 to 2, received {axis!r}; name an axis that the array has"
    ):
        axis_of("op", axis, 3)

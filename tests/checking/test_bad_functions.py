"""Functions that cannot be checked: each error is one sentence that says what to change."""

import threading
import time

import numpy as np
import pytest

from tests.checking.shared import only, said
from tests.ops.shared import refusal
from whygrad.checking import (
    Verdict,
    check_gradient,
    check_hessian_vector,
    check_loss,
    check_model,
    check_op,
)
from whygrad.errors import CheckError, OptionError
from whygrad.layers import Linear, Sequential

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
W = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
MODEL = Sequential(Linear(2, 2))
PARAMS = MODEL.init(np.random.default_rng(0), np.float64)


def product(x, w):
    return x @ w


def refused(f, backward, inputs=None, **options):
    """Return the one sentence of the error."""
    with pytest.raises((CheckError, OptionError)) as caught:
        check_gradient(f, backward, {"x": X, "w": W} if inputs is None else inputs, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert "expected" in text
    assert "; " in text
    return text


def test_a_function_that_raises_is_quoted_with_its_line():
    def f(x, w):
        return x @ w.T  # the shapes do not fit

    text = refused(f, lambda dy, x, w: (dy, dy))
    assert text.startswith("f: expected a value, received ValueError: matmul")
    assert "of test_bad_functions.py)" in text
    assert "arrays of shape (2, 3), (3, 2)" in text


def test_a_backward_function_that_raises_is_quoted_with_its_line():
    text = refused(product, lambda dy, x, w: (dy @ w, x.T @ dy))
    assert text.startswith("the pullback: expected a value, received ValueError")
    assert "of test_bad_functions.py)" in text


def test_a_function_of_other_arguments_is_told_what_it_was_given():
    assert "received TypeError" in refused(lambda x: x, lambda dy: dy, (X, W))


@pytest.mark.parametrize(
    "nothing", [None, "0.5", object(), ["a", "b"], {"y": 1.0}], ids=["None", "text", "object", "texts", "mapping"]
)
def test_a_function_that_returns_no_numbers_is_refused(nothing):
    text = refused(lambda x: nothing, lambda dy: dy, {"x": X})
    assert text.startswith("f: expected a number or an array")
    assert "return" in text


def test_ragged_lists_are_no_array():
    assert refused(lambda x: [[1.0, 2.0], [3.0]], lambda dy: dy, {"x": X}).startswith("f: expected")


def test_a_backward_function_that_returns_nothing_is_refused():
    text = refused(product, lambda dy, x, w: None)
    assert "expected a gradient for each of x, w, received None; is there no return?" in text


def test_one_array_for_two_inputs_is_refused():
    assert "expected a gradient for each of x, w, received one array" in refused(product, lambda dy, x, w: dy @ w.T)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_another_number_of_gradients_is_refused(count):
    text = refused(product, lambda dy, x, w: (dy @ w.T,) * count)
    assert f"received {count} gradient" in text
    assert "in the order of the inputs" in text


def test_gradients_of_unknown_names_are_refused():
    text = refused(product, lambda dy, x, w: {"x": dy @ w.T, "weights": x.T @ dy})
    assert "received one for weights; use the names of the inputs" in text


@pytest.mark.parametrize("value", ["text", object()], ids=["text", "object"])
def test_gradients_that_are_no_numbers_are_refused(value):
    assert "real numbers" in refused(product, lambda dy, x, w: (value, x.T @ dy))


def test_complex_gradients_are_refused():
    assert "real numbers, received complex128" in refused(product, lambda dy, x, w: (1j * dy @ w.T, x.T @ dy))


def test_none_for_an_input_that_has_a_gradient_is_wrong():
    report = check_gradient(product, lambda dy, x, w: (dy @ w.T, None), {"x": X, "w": W})
    assert report["x"].verdict is Verdict.RIGHT
    assert report["w"].verdict is Verdict.WRONG
    assert "no gradient for w" in said(report["w"])


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((2, 3), "transpose it"),
        ((6,), "reshape it"),
        ((4, 3, 2), "sum over the axes"),
        ((2,), "one number for each entry"),
    ],
)
def test_a_gradient_of_another_shape_is_wrong_and_told_what_to_do(shape, remedy):
    report = check_gradient(product, lambda dy, x, w: (dy @ w.T, np.ones(shape)), {"x": X, "w": W})
    assert report["x"].verdict is Verdict.RIGHT
    assert report["w"].verdict is Verdict.WRONG
    assert f"has the shape {shape}, " in said(report["w"])
    assert remedy in said(report["w"])


def test_a_value_whose_shape_depends_on_earlier_calls_is_refused():
    calls = []

    def f(x):
        calls.append(1)
        return x[: 1 + len(calls) % 2]

    assert "values of one shape" in refused(f, lambda dy: dy, {"x": X})


def test_a_value_whose_shape_depends_on_numbers_is_refused():
    x = np.array([0.5, 1e-9, -0.3])
    assert "values of one shape" in refused(lambda x: x[x > 0], lambda dy: np.append(dy, 0), {"x": x})


def test_a_gradient_whose_shape_changes_is_not_right():
    calls = []

    def backward(dy):
        calls.append(1)
        return dy if len(calls) % 2 else dy[:1]

    assert not check_gradient(lambda x: 2 * x, backward, {"x": X}).right


@pytest.mark.parametrize("late", ["f", "the backward function"])
def test_a_function_that_never_returns_is_given_up(late):
    end = threading.Event()

    def forever(x):
        while not end.is_set():
            time.sleep(0.01)
        return x

    began = time.perf_counter()
    f, backward = (forever, lambda dy: dy) if late == "f" else (lambda x: x, forever)
    try:
        text = refused(f, backward, {"x": X}, time_limit=0.3)
    finally:
        end.set()
    assert time.perf_counter() - began < 3
    assert text.startswith(
        f"{late}: expected a value within 0.3 s, received none; look for a loop that does not end"
    )


def test_a_function_that_never_returns_later_is_given_up():
    end, calls = threading.Event(), []

    def f(x):
        calls.append(1)
        while len(calls) > 5 and not end.is_set():
            time.sleep(0.01)
        return 2 * x

    try:
        assert "within 0.3 s" in refused(f, lambda dy: 2 * dy, {"x": X}, time_limit=0.3)
    finally:
        end.set()


def test_no_gradient_at_all_is_refused():
    assert "expected a pullback or a gradient, received none" in refused(lambda x: x, None, {"x": X})


@pytest.mark.parametrize("inputs", [(), {}, None])
def test_no_inputs_are_refused(inputs):
    with pytest.raises(OptionError, match="expected the inputs at which to check, received none"):
        check_gradient(lambda x: x, lambda dy: dy, inputs)


def test_a_value_instead_of_a_function_is_refused():
    with pytest.raises(OptionError, match="expected f to be a function, received ndarray"):
        check_gradient(X, lambda dy: dy, {"x": X})


def test_a_backward_function_of_other_arguments_is_refused_with_what_it_may_take():
    text = refused(product, lambda a, b, c, d, e: None)
    assert "expected (dy), (dy, x, w) or (x, w), received (a, b, c, d, e)" in text


def test_a_cotangent_of_another_shape_is_refused():
    text = refused(product, lambda dy, x, w: (dy @ w.T, x.T @ dy), cotangent=np.ones((3, 3)))
    assert "expected the shape of f's value, (2, 2), received (3, 3)" in text


def test_a_complex_value_cannot_be_checked():
    row = only(check_gradient(lambda x: 1j * x, lambda dy: dy, {"x": X}))
    assert row.verdict is Verdict.FAULTY
    assert "only real functions" in said(row)


@pytest.mark.parametrize(
    "what", [KeyError("conv1"), ZeroDivisionError("division by zero"), RuntimeError("")], ids=repr
)
def test_any_error_is_quoted_by_its_kind(what):
    def f(x):
        raise what

    assert f"received {type(what).__name__}" in refused(f, lambda dy: dy, {"x": X})


def test_an_empty_input_is_right():
    assert check_gradient(lambda x: 2 * x, lambda dy: 2 * dy, {"x": np.zeros((0, 3))}).right


def test_what_f_interrupts_is_passed_on():
    def f(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_gradient(f, lambda dy: dy, {"x": X})


@pytest.mark.parametrize("seed", [-1, 0.5, "0", True])
def test_a_seed_is_a_whole_number(seed):
    x = np.ones(3)
    for check in (
        lambda: check_gradient(lambda x: x * x, lambda dy, x: 2 * x * dy, x, seed=seed),
        lambda: check_op("relu", seed=seed),
        lambda: check_loss("hinge", seed=seed),
        lambda: check_model(MODEL, PARAMS, np.ones((1, 2)), np.zeros(1, int), seed=seed),
        lambda: check_hessian_vector(lambda x: 2 * x, lambda v, x: 2 * v, x, seed=seed),
    ):
        with refusal(OptionError, "seed to be a whole number of at least 0"):
            check()


@pytest.mark.parametrize("limit", [0, -1.0, float("nan")])
def test_a_time_limit_leaves_time(limit):
    with refusal(OptionError, "time_limit above 0 seconds"):
        check_gradient(lambda x: x * x, lambda dy, x: 2 * x * dy, np.ones(3), time_limit=limit)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_arrays_with_an_arithmetic_of_their_own_are_refused():
    def check(x):
        return check_gradient(lambda x: x * x, lambda dy, x: 2 * x * dy, x)

    with refusal(OptionError, "x as a plain NumPy array, received a matrix"):
        check(np.asmatrix(np.ones((2, 2))))
    with refusal(OptionError, "a masked array; pass its filled()"):
        check(np.ma.masked_array([1.0, 2.0], [False, True]))

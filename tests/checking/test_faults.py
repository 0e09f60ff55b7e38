"""When the check itself is at fault it says so, and whatever form right functions come in, they are right."""

import functools

import numpy as np
import pytest

from tests.checking.shared import only, said
from whygrad.checking import Verdict, check_gradient

RNG = np.random.default_rng(0)
X, W, B = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=2)


def affine(x, w, b):
    return x @ w + b


def affine_backward(dy, x, w, b):
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(dy, x):
    y = softmax(x)
    return y * (dy - (dy * y).sum(axis=1, keepdims=True))


def normalise(x):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)


def normalise_backward(dy, x):
    y = normalise(x)
    return (dy - dy.mean(axis=0) - y * (dy * y).mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)


def faulty(report):
    """Return what is said about the check, all of whose rows are at fault."""
    assert report.verdict is Verdict.FAULTY, str(report)
    assert not report.right
    return " | ".join([*report.findings, *dict.fromkeys(line for row in report for line in row.findings)])


# The check at fault


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
def test_an_integer_input_cannot_be_moved(dtype):
    report = check_gradient(lambda x: x * 1.5, lambda dy: 1.5 * dy, {"x": np.ones((2, 3), dtype)})
    assert "x.astype(np.float64)" in faulty(report)


def test_an_integer_input_without_a_gradient_is_a_label():
    labels = np.array([0, 1, 0, 1])

    def loss(x, labels):
        return float((x[np.arange(4), labels] ** 2).sum())

    def gradient(x, labels):
        g = np.zeros_like(x)
        g[np.arange(4), labels] = 2 * x[np.arange(4), labels]
        return g, None

    report = check_gradient(loss, gradient, {"x": X, "labels": labels})
    assert report.right
    assert [row.name for row in report] == ["x"]


def test_a_function_that_draws_random_numbers_is_not_deterministic():
    rng = np.random.default_rng(0)
    said_ = faulty(check_gradient(lambda x: x * (rng.random(x.shape) > 0.5), lambda dy: dy, {"x": X}))
    assert "not deterministic" in said_
    assert "np.random.default_rng(0)" in said_


def test_a_function_that_counts_its_calls_is_not_deterministic():
    calls = []

    def f(x):
        calls.append(1)
        return x * len(calls)

    assert "not deterministic" in faulty(check_gradient(f, lambda dy: dy, {"x": X}))


def test_a_function_that_writes_to_its_input_is_named_and_undone():
    x = X.copy()

    def f(x):
        x *= 2
        return x.sum(axis=0)

    text = faulty(check_gradient(f, lambda dy, x: np.ones_like(x) * dy, {"x": x}))
    assert "f writes to its input x" in text
    assert "copy" in text
    assert np.array_equal(x, X)


def test_a_function_that_works_in_place_on_a_view_is_named():
    def f(x):
        y = x.reshape(-1)
        y[y < 0] = 0
        return y

    assert "writes to its input x" in faulty(
        check_gradient(f, lambda dy, x: (x > 0) * dy.reshape(x.shape), {"x": X.copy()})
    )


def test_a_backward_function_that_writes_to_an_input_is_named_and_undone():
    x = X.copy()

    def backward(dy, x, w, b):
        result = dy @ w.T, x.T @ dy, dy.sum(axis=0)
        x[...] = 0
        return result

    text = faulty(check_gradient(affine, backward, {"x": x, "w": W, "b": B}))
    assert "the backward function writes to its input x" in text
    assert np.array_equal(x, X)


def test_a_backward_function_that_writes_to_dy_is_named():
    def backward(dy, x):
        dy[x < 0] = 0
        return dy

    assert "writes to dy" in faulty(check_gradient(lambda x: np.maximum(x, 0), backward, {"x": X}))


@pytest.mark.parametrize(
    ("gradient", "words"),
    [
        (lambda x, w: (np.ones((4, 2)) @ w.T, x.T @ np.ones((4, 2))), "the sum of the outputs"),
        (lambda x, w: (np.ones((4, 2)) @ w.T / 8, x.T @ np.ones((4, 2)) / 8), "the mean of the outputs"),
        (lambda x, w: (x @ w @ w.T, x.T @ x @ w), "half the sum of the squared outputs"),
        (lambda x, w: (2 * x @ w @ w.T, 2 * x.T @ x @ w), "the sum of the squared outputs"),
        (lambda x, w: (x @ w @ w.T / 4, x.T @ x @ w / 4), "the mean of the squared outputs"),
        (lambda x, w: (x + 1, w + 1), "nobody can tell"),
    ],
)
def test_a_gradient_of_another_number_is_told_which(gradient, words):
    text = faulty(check_gradient(lambda x, w: x @ w, gradient, {"x": X, "w": W}))
    assert words in text
    assert "dy" in text


def test_precomputed_gradients_of_a_sum_are_told():
    gradients = {"x": np.ones((4, 2)) @ W.T, "w": X.T @ np.ones((4, 2))}
    assert "the sum of the outputs" in faulty(check_gradient(lambda x, w: x @ w, gradients, {"x": X, "w": W}))


@pytest.mark.parametrize(("f", "backward"), [(softmax, softmax_backward), (normalise, normalise_backward)])
def test_ones_as_a_cotangent_test_nothing_through_a_normalisation(f, backward):
    assert check_gradient(f, backward, {"x": X}).right
    text = faulty(check_gradient(f, backward, {"x": X}, cotangent=np.ones_like(X)))
    assert "cotangent" in text
    assert "leave cotangent out" in text
    assert faulty(check_gradient(f, lambda dy, x: np.zeros_like(x), {"x": X}, cotangent=np.ones_like(X)))


@pytest.mark.parametrize("f", [softmax, normalise])
def test_the_sum_of_a_normalisation_tests_nothing(f):
    text = faulty(check_gradient(lambda x: float(f(x).sum()), np.zeros_like, {"x": X}))
    assert "weight the outputs with random numbers" in text


def test_a_cotangent_of_ones_is_well_where_it_tests_something():
    assert check_gradient(affine, affine_backward, {"x": X, "w": W, "b": B}, cotangent=np.ones((4, 2))).right


def test_inputs_that_share_memory_are_named():
    x = X.copy()
    report = check_gradient(lambda a, b: a * b, lambda dy, a, b: (dy * b, dy * a), {"a": x, "b": x})
    assert "a" in faulty(report)
    assert "share memory" in faulty(report)
    view = check_gradient(lambda a, b: a[:2] * b, lambda dy, a, b: (dy, dy), {"a": x, "b": x[:2]})
    assert "share memory" in faulty(view)


def test_entries_that_share_memory_are_named():
    x = np.broadcast_to(np.array([1.0, 2.0, 3.0]), (4, 3))
    assert "as np.broadcast_to makes them" in faulty(check_gradient(lambda x: 2 * x, lambda dy: 2 * dy, {"x": x}))


# float32


def affine32(x, w, b):
    return x.astype(np.float32) @ w.astype(np.float32) + b.astype(np.float32)


def test_a_right_function_in_float32_is_never_wrong():
    inputs = {"x": X.astype(np.float32), "w": W.astype(np.float32), "b": B.astype(np.float32)}
    assert check_gradient(affine, affine_backward, inputs).right
    report = check_gradient(affine32, affine_backward, inputs)
    assert all(row.verdict.good or row.verdict is Verdict.UNDECIDED for row in report), str(report)
    for row in report:
        assert row.verdict.good or "float64" in said(row)


def test_a_wrong_gradient_in_float32_is_wrong():
    inputs = {"x": X.astype(np.float32), "w": W.astype(np.float32), "b": B.astype(np.float32)}

    def backward(dy, x, w, b):
        return dy @ w.T, -x.T @ dy, dy.sum(axis=0)

    report = check_gradient(affine, backward, inputs)
    assert [row.verdict for row in report] == [Verdict.RIGHT, Verdict.WRONG, Verdict.RIGHT], str(report)
    assert "sign" in said(report["w"])
    cut = check_gradient(affine32, backward, inputs)
    assert not cut["w"].verdict.good


# NaN and infinity


def test_the_first_operation_that_is_not_finite_is_named_with_its_line():
    def f(x):
        shifted = x - x.max() - 1
        logarithm = np.log(shifted)  # of negative numbers
        return logarithm * 2

    row = only(check_gradient(f, lambda dy: dy, {"x": X}))
    line = f.__code__.co_firstlineno + 2
    assert row.verdict is Verdict.NOT_FINITE
    assert "invalid value encountered in log" in said(row)
    assert f"line {line} of test_faults.py" in said(row)


def test_overflow_and_division_by_zero_are_named():
    row = only(check_gradient(lambda x: np.exp(1000 * (1 + x**2)), lambda dy: dy, {"x": X}))
    assert row.verdict is Verdict.NOT_FINITE
    assert "overflow encountered in exp" in said(row)
    row = only(check_gradient(lambda x: 1 / (x - x), lambda dy: dy, {"x": X}))
    assert "divide by zero" in said(row)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_input_that_is_not_finite_is_named_with_its_place(bad):
    x = X.copy()
    x[2, 1] = bad
    report = check_gradient(affine, affine_backward, {"x": x, "w": W, "b": B})
    assert report.verdict is Verdict.NOT_FINITE
    assert "the input x is not finite" in said(report["x"])
    assert "[2, 1]" in said(report["x"])


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_a_gradient_that_is_not_finite_is_named_with_its_place(bad):
    def backward(dy, x, w, b):
        dx, dw, db = affine_backward(dy, x, w, b)
        dw[1, 0] = bad
        return dx, dw, db

    report = check_gradient(affine, backward, {"x": X, "w": W, "b": B})
    assert [row.verdict for row in report] == [Verdict.RIGHT, Verdict.NOT_FINITE, Verdict.RIGHT]
    assert "1 of 6 entries" in said(report["w"])
    assert "[1, 0]" in said(report["w"])


# Forms


def loss(x, w, b):
    return float((affine(x, w, b) ** 2).sum())


def loss_gradient(x, w, b):
    return affine_backward(2 * affine(x, w, b), x, w, b)


class Layer:
    """As people write them: the forward pass leaves behind what the backward pass needs."""

    def __init__(self, w):
        self.w = w

    def forward(self, x):
        self.x = x
        return x @ self.w

    def backward(self, dy):
        self.dw = self.x.T @ dy
        return dy @ self.w.T

    def forward_wb(self, x, w):
        self.x, self.used = x, w
        return x @ w

    def backward_wb(self, dout):
        return dout @ self.used.T, self.x.T @ dout

    def __call__(self, x):
        return self.forward(x)


def with_cache(x, w, b):
    return affine(x, w, b), (x, w, b)


def with_pullback(x, w, b):
    return affine(x, w, b), lambda dy: affine_backward(dy, x, w, b)


def from_mapping(at):
    return affine(at["x"], at["w"], at["b"])


def scaled(x, w, b, *, scale=1.0):
    return scale * affine(x, w, b)


def by_names(x, w, b, dy):
    return affine_backward(dy, x, w, b)


def mixed_names(w, dy, b, x):
    dx, dw, db = affine_backward(dy, x, w, b)
    return {"w": dw, "x": dx, "b": db}


FORMS = {
    "backward(dy, x, w, b)": (affine, affine_backward),
    "backward(x, w, b, dy) by names": (affine, by_names),
    "any order by names": (affine, mixed_names),
    "backward(dout, x, w, b)": (affine, lambda dout, x, w, b: affine_backward(1.0 * dout, x, w, b)),
    "backward(x, w, b, grad_output)": (affine, lambda x, w, b, grad_output: affine_backward(grad_output, x, w, b)),
    "other names, dy first": (lambda p, q, r: p @ q + r, lambda g, p, q, r: (g @ q.T, p.T @ g, g.sum(axis=0))),
    "pullback(dy)": (affine, lambda dy: affine_backward(dy, X, W, B)),
    "f gives (y, pullback)": (with_pullback, None),
    "backward(dout, cache)": (with_cache, lambda dout, cache: affine_backward(dout, *cache)),
    "backward(cache, dout)": (with_cache, lambda cache, dout: affine_backward(dout, *cache)),
    "loss and gradient(x, w, b)": (loss, loss_gradient),
    "loss and arrays": (loss, loss_gradient(X, W, B)),
    "loss and a list": (loss, list(loss_gradient(X, W, B))),
    "loss and a dict": (loss, dict(zip("xwb", loss_gradient(X, W, B), strict=True))),
    "loss and a dict of dx": (loss, dict(zip(("dx", "dw", "db"), loss_gradient(X, W, B), strict=True))),
    "f gives (loss, grads)": (lambda x, w, b: (loss(x, w, b), loss_gradient(x, w, b)), None),
    "f gives (loss, dict)": (
        lambda x, w, b: (loss(x, w, b), dict(zip(("dx", "dw", "db"), loss_gradient(x, w, b), strict=True))),
        None,
    ),
    "a NumPy number": (lambda x, w, b: np.float64(loss(x, w, b)), loss_gradient),
    "an array without axes": (lambda x, w, b: np.array(loss(x, w, b)), loss_gradient),
    "functools.partial": (functools.partial(scaled, scale=1.0), affine_backward),
    "a partial backward": (
        affine,
        functools.partial(lambda scale, dy, x, w, b: affine_backward(scale * dy, x, w, b), 1.0),
    ),
    "options with defaults": (lambda x, w, b, scale=1.0: scale * affine(x, w, b), affine_backward),
    "f(*inputs)": (lambda *inputs: inputs[0] @ inputs[1] + inputs[2], affine_backward),
    "backward gives a list": (affine, lambda dy, x, w, b: list(affine_backward(dy, x, w, b))),
    "y as a list": (lambda x, w, b: affine(x, w, b).tolist(), affine_backward),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("named", [True, False])
def test_a_right_gradient_is_right_in_every_form(form, named):
    f, backward = FORMS[form]
    inputs = {"x": X, "w": W, "b": B} if named else (X, W, B)
    if named and form == "other names, dy first":
        inputs = {"p": X, "q": W, "r": B}
    report = check_gradient(f, backward, inputs)
    assert report.right, str(report)
    assert len(report.rows) == 3
    assert all(row.checked == row.entries for row in report)


def test_functions_of_one_mapping_are_right():
    inputs = {"x": X, "w": W, "b": B}
    assert check_gradient(from_mapping, lambda dy: affine_backward(dy, X, W, B), inputs).right
    grads = check_gradient(
        lambda params: loss(**params),
        lambda params: dict(zip("xwb", loss_gradient(**params), strict=True)),
        inputs,
    )
    assert grads.right
    assert [row.name for row in grads] == ["x", "w", "b"]


def test_methods_of_an_object_are_right():
    layer = Layer(W)
    assert check_gradient(layer.forward, layer.backward, X).right
    assert check_gradient(layer, layer.backward, X).right
    assert check_gradient(layer.forward_wb, layer.backward_wb, (X, W)).right


def test_a_method_that_is_wrong_is_wrong():
    layer = Layer(W)
    layer.backward_wb = lambda dout: (dout @ layer.used.T, layer.x.T @ dout / 4)
    report = check_gradient(layer.forward_wb, layer.backward_wb, (X, W))
    assert [row.verdict for row in report] == [Verdict.RIGHT, Verdict.WRONG]
    assert "4 is the batch size" in said(report["w"])


@pytest.mark.parametrize(
    "inputs", [X, (X,), [X], {"x": X}, {"scores": X}], ids=["array", "tuple", "list", "x", "other name"]
)
def test_one_input_may_come_alone(inputs):
    assert check_gradient(lambda x: 2 * np.tanh(x), lambda dy, x: 2 * dy * (1 - np.tanh(x) ** 2), inputs).right


@pytest.mark.parametrize("inputs", [X, (X,), {"x": X}], ids=["array", "tuple", "dict"])
def test_functions_of_numpy_itself_are_right(inputs):
    assert check_gradient(np.tanh, lambda dy, x: dy * (1 - np.tanh(x) ** 2), inputs).right
    assert check_gradient(np.square, lambda dy, x: 2 * x * dy, inputs).right


@pytest.mark.parametrize(
    "x", [2.0, np.float64(2.0), np.array(2.0), [1.0, 2.0, 3.0]], ids=["float", "NumPy", "0-d", "list"]
)
def test_numbers_and_lists_are_inputs_too(x):
    assert check_gradient(
        lambda x: x**2 if np.ndim(x) == 0 else np.asarray(x) ** 2, lambda dy, x: 2 * np.asarray(x) * dy, {"x": x}
    ).right


@pytest.mark.parametrize("inputs", [(X, W, B), {"x": X, "w": W, "b": B}])
def test_wrong_is_wrong_in_every_form(inputs):
    for f, backward in (
        (affine, lambda dy, x, w, b: (dy @ w.T, x.T @ dy, dy.mean(axis=0))),
        (loss, lambda x, w, b: (*loss_gradient(x, w, b)[:2], loss_gradient(x, w, b)[2] / 4)),
        (with_cache, lambda dout, cache: (*affine_backward(dout, *cache)[:2], dout.mean(axis=0))),
    ):
        report = check_gradient(f, backward, inputs)
        assert [row.verdict for row in report] == [Verdict.RIGHT, Verdict.RIGHT, Verdict.WRONG], str(report)


def test_a_backward_function_that_ignores_dy_is_told():
    report = check_gradient(lambda x: x**2, lambda dy, x: 2 * x, {"x": X})
    assert report.verdict is Verdict.WRONG
    assert "does not depend on dy" in said(only(report))


def test_two_checks_give_the_same():
    first, second = (check_gradient(affine, affine_backward, (X, W, B), seed=3) for _ in range(2))
    assert [row.to_dict() for row in first] == [row.to_dict() for row in second]


def test_nothing_that_was_given_is_changed():
    inputs = {"x": X.copy(), "w": W.copy(), "b": B.copy()}
    check_gradient(affine, affine_backward, inputs)
    assert all(np.array_equal(inputs[name], array) for name, array in (("x", X), ("w", W), ("b", B)))
    for array in inputs.values():
        array.flags.writeable = False
    assert check_gradient(affine, affine_backward, inputs).right

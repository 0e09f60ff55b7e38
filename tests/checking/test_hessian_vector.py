"""Products of the Hessian with a vector, against differences of gradients."""

import numpy as np
import pytest

from tests.checking.shared import said
from whygrad.checking import Verdict, check_hessian_vector
from whygrad.errors import CheckError

X = np.array([[1.0, -2.0, 0.5], [0.3, 0.7, -1.1]])


def gradient(x, w):
    """Return the gradient of Σ (x·w)³ / 3."""
    return (x * w) ** 2 * w, (x * w) ** 2 * x


def hessian_vector(v, x, w):
    (vx, vw), y = v, x * w
    return 2 * y * w**2 * vx + 3 * y**2 * vw, 3 * y**2 * vx + 2 * y * x**2 * vw


INPUTS = {"x": X, "w": np.array([[0.5, 1.5, -1.0], [2.0, -0.4, 0.9]])}


def test_right_products_are_right_for_every_input():
    report = check_hessian_vector(gradient, hessian_vector, INPUTS)
    assert report.right
    assert [row.name for row in report] == ["x", "w"]
    assert all(row.checked == row.entries == 6 for row in report)
    assert max(row.relative_error for row in report) < 1e-9
    assert report.findings == ()


def test_a_product_without_its_mixed_terms_is_wrong_in_that_input_only():
    def wrong(v, x, w):
        first, second = hessian_vector(v, x, w)
        return first - 3 * (x * w) ** 2 * v[1], second

    report = check_hessian_vector(gradient, wrong, INPUTS)
    assert [row.verdict for row in report] == [Verdict.WRONG, Verdict.RIGHT]
    assert report["x"].wrong
    assert "not symmetric" in report.findings[0]


def test_a_factor_is_named():
    report = check_hessian_vector(lambda x: 4 * x**3, lambda v, x: 6 * x**2 * v, X)
    assert report["x"].verdict is Verdict.WRONG
    assert "half the right" in said(report["x"])


def test_a_matrix_that_is_no_hessian_is_not_symmetric():
    turned = np.array([[0.0, 1.0], [-1.0, 0.0]])
    report = check_hessian_vector(lambda x: turned @ x, lambda v, x: turned @ v, np.array([1.0, 2.0]))
    assert report.right  # of the field that was given: it is the gradient of nothing
    assert report.findings == (
        "the products are not symmetric: u·(H·v) and v·(H·u) differ, as they do for no Hessian",
    )


def test_a_noisy_gradient_is_undecided():
    def noisy(x):
        return (4 * x**3).astype(np.float16).astype(np.float64)

    report = check_hessian_vector(noisy, lambda v, x: 12 * x**2 * v, X)
    assert report["x"].verdict is Verdict.UNDECIDED
    assert "too noisy" in said(report["x"])


@pytest.mark.parametrize(
    ("function", "product", "x", "text"),
    [
        (lambda x: x, lambda v, x: v, np.ones(2, np.float32), "expected x in float64, received float32"),
        (lambda x: x, lambda v, x: None, np.ones(2), "expected a gradient for each of x, received None"),
        (lambda x: x, lambda v, x: v[:1], np.ones(2), r"expected an array of shape \(2,\) for x, received \(1,\)"),
        (lambda x: 1 / 0, lambda v, x: v, np.ones(2), "the gradient: expected a value, received ZeroDivisionError"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_a_sentence(function, product, x, text):
    with pytest.raises(CheckError, match=text):
        check_hessian_vector(function, product, x)

"""At a kink every subgradient passes and nothing else does; beside a kink only the one slope there is."""

import numpy as np
import pytest

from tests.checking.shared import only, said
from whygrad.checking import Verdict, check_gradient
from whygrad.losses import hinge
from whygrad.ops import leaky_relu, max_pool2d, relu

AT, NEAR = 0.0, (1e-9, 1e-7, 1e-5, 1e-3)
#: So close that values of about 1 hold little of the distance: neither verdict can be demanded.
UNRESOLVED = 1e-12

#: Functions of one array with a kink at a point: value, slope to the left, slope to the right, the kink.
BENT = {
    "relu": (lambda x: np.maximum(x, 0), 0.0, 1.0, 0.0),
    "relu with where": (lambda x: np.where(x > 0, x, 0.0), 0.0, 1.0, 0.0),
    "leaky relu": (lambda x: np.where(x > 0, x, 0.1 * x), 0.1, 1.0, 0.0),
    "absolute value": (np.abs, -1.0, 1.0, 0.0),
    "lower end of a clip": (lambda x: np.clip(x, -1, 2), 0.0, 1.0, -1.0),
    "upper end of a clip": (lambda x: np.clip(x, -1, 2), 1.0, 0.0, 2.0),
    "hinge": (lambda x: np.maximum(0, 1 - x), -1.0, 0.0, 1.0),
    "our relu": (lambda x: relu(x)[0], 0.0, 1.0, 0.0),
    "our leaky relu": (lambda x: leaky_relu(x, negative_slope=0.2)[0], 0.2, 1.0, 0.0),
}
SHARES = (0.0, 0.5, 1.0)


def bent_inputs(kink, distance):
    """Return inputs of which one lies at a distance from the kink, and the others far from it."""
    x = np.array([[-2.7, 0.4, 1.6], [3.1, kink, -0.6]])
    x[1, 1] += distance
    return x


def check_bent(name, x, slope_there, weight=None):
    """Check f, behind a linear map if one is given, with a claimed slope at the entry in question."""
    f, _, _, kink = BENT[name]
    far = bent_inputs(kink, 0.2)  # the other entries are the same, and nowhere near the kink
    slope = (f(far + 1e-3) - f(far - 1e-3)) / 2e-3
    slope[1, 1] = slope_there
    if weight is None:
        return check_gradient(f, lambda dy: dy * slope, {"x": x})
    z = np.linalg.solve(weight.T, x.T).T
    return check_gradient(lambda x: f(x @ weight), lambda dy: (dy * slope) @ weight.T, {"x": z})


every_bend = pytest.mark.parametrize("name", BENT)
WEIGHT = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 2.0]])


@every_bend
@pytest.mark.parametrize("share", SHARES)
def test_every_number_between_the_slopes_is_right_at_a_kink(name, share):
    _, left, right, kink = BENT[name]
    row = only(check_bent(name, bent_inputs(kink, 0.0), left + share * (right - left)))
    assert row.verdict is Verdict.KINK, said(row)
    (found,) = row.kinks
    assert found.index == (1, 1)
    assert found.valid


@every_bend
@pytest.mark.parametrize("share", [-1.0, -0.01, 1.01, 2.0])
def test_a_number_outside_of_the_slopes_is_wrong_at_a_kink(name, share):
    _, left, right, kink = BENT[name]
    row = only(check_bent(name, bent_inputs(kink, 0.0), left + share * (right - left)))
    assert row.verdict is Verdict.WRONG, said(row)
    assert [entry.index for entry in row.wrong] == [(1, 1)]


@every_bend
@pytest.mark.parametrize("distance", [UNRESOLVED, *NEAR])
@pytest.mark.parametrize("side", [-1, 1])
def test_the_slope_of_the_side_is_right_beside_a_kink(name, distance, side):
    _, left, right, kink = BENT[name]
    row = only(check_bent(name, bent_inputs(kink, side * distance), right if side > 0 else left))
    assert row.verdict.good or (distance == UNRESOLVED and row.verdict is Verdict.UNDECIDED), said(row)


@every_bend
@pytest.mark.parametrize("distance", NEAR)
@pytest.mark.parametrize("side", [-1, 1])
def test_the_slope_of_the_other_side_is_wrong_beside_a_kink(name, distance, side):
    _, left, right, kink = BENT[name]
    row = only(check_bent(name, bent_inputs(kink, side * distance), left if side > 0 else right))
    assert row.verdict is Verdict.WRONG, said(row)
    assert [entry.index for entry in row.wrong] == [(1, 1)]


@every_bend
@pytest.mark.parametrize("share", SHARES)
def test_a_subgradient_carried_back_through_a_linear_map_is_right(name, share):
    _, left, right, kink = BENT[name]
    z_kink = bent_inputs(kink, 0.0)
    row = only(check_bent(name, z_kink, left + share * (right - left), WEIGHT))
    assert row.verdict.good, said(row)


@every_bend
def test_a_number_outside_of_the_slopes_is_wrong_behind_a_linear_map(name):
    _, left, right, kink = BENT[name]
    row = only(check_bent(name, bent_inputs(kink, 0.0), left + 2 * (right - left), WEIGHT))
    assert not row.verdict.good, said(row)


# Ties of max-pooling and of a maximum over an axis


def pool(x, k, stride):
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]
    return windows.max(axis=(4, 5))


def pool_backward(x, k, stride, dy, choose):
    """Carry dy back: choose(tied) gives the weights of the tied entries of a window, (k, k)."""
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dy.shape):
        there = (n, c, slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
        dx[there] += dy[n, c, i, j] * choose(x[there] == x[there].max())
    return dx


def first(tied):
    weights = np.zeros(tied.size)
    weights[tied.ravel().argmax()] = 1
    return weights.reshape(tied.shape)


def last(tied):
    return first(tied[::-1, ::-1])[::-1, ::-1]


def divided(tied):
    return tied / tied.sum()


def unevenly(tied):
    weights = tied * np.arange(1.0, tied.size + 1).reshape(tied.shape)
    return weights / weights.sum()


def everyone(tied):
    return tied * 1.0


def nobody(tied):
    return tied * (0.0 if tied.sum() > 1 else 1.0)


def too_much(tied):
    return 1.5 * divided(tied) if tied.sum() > 1 else tied * 1.0


def tied_images(ties, rng):
    """Return images of which some windows of size 2 have this many equal largest entries."""
    x = rng.permutation(np.linspace(-1, 1, 72)).reshape(1, 2, 6, 6)
    for c, i, j in ((0, 0, 2), (1, 2, 2), (1, 4, 0)):
        block = x[0, c, i : i + 2, j : j + 2]
        where = rng.permutation(4)[:ties]
        block.flat[:] = np.minimum(block.ravel(), 0.9)
        for at in where:
            x[0, c, i + at // 2, j + at % 2] = 2.0 + c + i
    return x


def check_pool(x, k, stride, choose, forward=pool):
    return check_gradient(
        lambda x: forward(x, k, stride), lambda dy, x: pool_backward(x, k, stride, dy, choose), {"x": x}
    )


def ours(x, k, stride):
    return max_pool2d(x, kernel_size=k, stride=stride)[0]


every_pool = pytest.mark.parametrize("forward", [pool, ours], ids=["numpy", "ours"])
every_layout = pytest.mark.parametrize(("k", "stride"), [(2, 2), (3, 3), (2, 1), (3, 2)])
every_tie = pytest.mark.parametrize("ties", [2, 3, 4])


@every_pool
@every_layout
@every_tie
@pytest.mark.parametrize("choose", [first, last, divided, unevenly], ids=lambda f: f.__name__)
def test_a_tie_may_be_given_to_one_or_divided(forward, k, stride, ties, choose):
    row = only(check_pool(tied_images(ties, np.random.default_rng(k)), k, stride, choose, forward))
    assert row.verdict.good, said(row)


@every_pool
@every_layout
@every_tie
@pytest.mark.parametrize("choose", [everyone, nobody, too_much], ids=lambda f: f.__name__)
def test_a_tie_may_not_be_given_to_everyone_or_nobody(forward, k, stride, ties, choose):
    row = only(check_pool(tied_images(ties, np.random.default_rng(k)), k, stride, choose, forward))
    assert not row.verdict.good, said(row)


@every_pool
@pytest.mark.parametrize("choose", [first, last, divided], ids=lambda f: f.__name__)
@pytest.mark.parametrize("value", [0.0, -3.0, 250.0])
def test_a_constant_image_is_one_great_tie(forward, choose, value):
    row = only(check_pool(np.full((1, 1, 4, 4), value), 2, 2, choose, forward))
    assert row.verdict.good, said(row)


@every_pool
@pytest.mark.parametrize("choose", [everyone, nobody], ids=lambda f: f.__name__)
def test_a_constant_image_given_to_everyone_is_wrong(forward, choose):
    row = only(check_pool(np.full((1, 1, 4, 4), 0.5), 2, 2, choose, forward))
    assert not row.verdict.good, said(row)


@pytest.mark.parametrize("distance", NEAR)
@every_pool
def test_nearly_a_tie_has_one_winner(forward, distance):
    x = tied_images(2, np.random.default_rng(0))
    tied = np.argwhere(x == x.max())
    x[tuple(tied[0])] += distance
    assert only(check_pool(x, 2, 2, first, forward)).verdict.good
    behind = x.copy()
    behind[tuple(tied[0])] -= 2 * distance
    wrong = check_gradient(lambda x: forward(x, 2, 2), lambda dy: pool_backward(behind, 2, 2, dy, first), {"x": x})
    assert only(wrong).verdict is Verdict.WRONG, said(only(wrong))


@pytest.mark.parametrize("ties", [2, 3, 5])
@pytest.mark.parametrize(
    ("choose", "good"), [(first, True), (last, True), (divided, True), (everyone, False), (nobody, False)],
    ids=lambda v: getattr(v, "__name__", ""),
)  # fmt: skip
def test_the_largest_of_an_axis_may_be_tied(ties, choose, good):
    x = np.random.default_rng(ties).permutation(np.linspace(-1, 1, 20)).reshape(4, 5)
    x[1, :ties] = x[3, 5 - ties :] = 1.5

    def backward(dy, x):
        weights = np.array([choose((row == row.max())[None])[0] for row in x])
        return dy[:, None] * weights

    row = only(check_gradient(lambda x: x.max(axis=1), backward, {"x": x}))
    assert row.verdict.good == good, said(row)


@pytest.mark.parametrize(("choose", "good"), [(first, True), (divided, True), (everyone, False)])
def test_a_tie_in_a_loss_that_is_one_number(choose, good):
    x = np.array([[0.3, 1.5, -0.2, 1.5], [0.1, -0.4, 0.9, 0.2]])
    weights = np.array([choose((row == row.max())[None])[0] for row in x])
    row = only(
        check_gradient(lambda x: float((x.max(axis=1) ** 2).sum()), 2 * x.max(axis=1)[:, None] * weights, {"x": x})
    )
    assert row.verdict.good == good, said(row)


@pytest.mark.parametrize("distance", [0.0, UNRESOLVED, *NEAR])
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_scores_at_and_near_the_margin_of_our_hinge_loss_are_right(distance, side, reduction):
    scores = np.array([[2.0, 1.0, -0.5], [0.25, 0.75, 3.0], [0.5, 0.5, 0.0]])
    scores[0, 1] += side * distance
    row = only(
        check_gradient(
            lambda scores: hinge(scores, np.array([0, 2, 1]), reduction=reduction), None, {"scores": scores}
        )
    )
    assert row.verdict.good or (distance == UNRESOLVED and row.verdict is Verdict.UNDECIDED), said(row)


@pytest.mark.parametrize("distance", NEAR)
@pytest.mark.parametrize("side", [-1, 1])
def test_the_wrong_side_of_the_margin_is_wrong(distance, side):
    scores = np.array([[2.0, 1.0, -0.5], [0.25, 0.75, 3.0]])
    labels = np.array([0, 2])
    scores[0, 1] += side * distance
    other = scores.copy()
    other[0, 1] -= 2 * side * distance
    row = only(check_gradient(lambda scores: hinge(scores, labels)[0], hinge(other, labels)[1], {"scores": scores}))
    assert row.verdict is Verdict.WRONG, said(row)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("zeros", [1, 3, 60])
def test_dead_inputs_of_a_relu_network_may_claim_any_subgradient(share, zeros):
    rng = np.random.default_rng(zeros)
    x = rng.normal(size=(8, 10))
    x.flat[:zeros] = 0.0
    w = rng.normal(size=(10, 4))

    def backward(dy, x, w):
        slope = np.where(x > 0, 1.0, 0.0) + share * (x == 0)
        return (dy @ w.T) * slope, np.maximum(x, 0).T @ dy

    report = check_gradient(lambda x, w: np.maximum(x, 0) @ w, backward, {"x": x, "w": w})
    assert report.right, str(report)
    assert report["x"].verdict is Verdict.KINK

import numpy as np
import pytest

from tests.examples.scripts import assert_exact, assert_printed, load, output_of

example = load("desired_filter")


def test_the_first_step_forward():
    first = example.one_pass(example.FILTER)
    assert_exact(first.h, [[3, 0], [-2, 1]])
    assert_exact(first.y, [[3, 0], [0, 1]])
    assert_exact(example.TARGET - first.y, [[-2, 0], [0, 0]])
    assert first.loss == 2.0


def test_the_first_step_as_it_was_made():
    gradient = example.correlation(np.array([[-2.0, 0], [0, 0]]))
    assert_exact(gradient, [[-2, 2], [0, -2]])
    assert_exact(example.FILTER - 0.5 * gradient, [[2, -2], [1, 2]])


def test_the_first_step_as_it_should_be():
    gradient = example.one_pass(example.FILTER).gradient
    assert_exact(gradient, [[2, -2], [0, 2]])
    assert_exact(example.FILTER - 0.5 * gradient, [[0, 0], [1, 0]])


def test_the_wrong_sign_climbs():
    losses, _ = example.train(-0.5, 40)
    assert_exact(losses[:7], [2, 14.5, 155.125, 1849.65625, 22544.3828125, 275912.400390625, 3379350.2543945312])
    assert (np.diff(losses) > 0).all()
    assert losses[-1] > 1e40


def test_the_right_sign_at_a_half_ends_at_one_with_dead_units():
    losses, weights = example.train(0.5, 100)
    assert_exact(losses[:6], [2, 1.5, 0.625, 0.15625, 0.0703125, 0.087890625])
    assert losses[34:] == [1.0] * 67
    last = example.one_pass(weights)
    assert (last.h <= 0).all()
    assert not last.y.any()
    assert not last.gradient.any()
    np.testing.assert_allclose(last.h, [[-0.06626905, 0], [0, -0.0998134885]], atol=1e-8)


def test_at_a_tenth_it_converges_to_another_filter():
    losses, weights = example.train(0.1, 1000)
    assert losses[-1] < 1e-30
    assert_printed(weights, [[0.633, 0.184], [0.184, 0.551]], 3)
    last = example.one_pass(weights)
    assert_printed(last.h, [[1, -0.449], [-0.367, 1]], 3)
    np.testing.assert_allclose(last.y, [[1, 0], [0, 1]], atol=1e-14)


def test_without_a_relu_it_recovers_the_desired_filter():
    losses, weights = example.train(0.1, 3000, example.TARGET_BELOW_ZERO, example.no_unit)
    assert losses[0] == 4.5
    assert losses[-1] < 1e-29
    np.testing.assert_allclose(weights, [[1, 0], [0, 0]], atol=1e-13)


def test_the_desired_filter_gives_the_targets():
    desired = np.array([[1.0, 0], [0, 0]])
    assert_exact(example.one_pass(desired).h, example.TARGET_BELOW_ZERO)
    assert_exact(example.one_pass(desired).y, example.TARGET)


@pytest.mark.parametrize(("rate", "grows"), [(0.29, False), (0.294, True)])
def test_the_largest_stable_rate_parts_the_rates(rate, grows):
    assert_printed(example.largest_stable_rate(), 0.292, 3)
    losses, _ = example.train(rate, 2000, example.TARGET_BELOW_ZERO, example.no_unit)
    assert (losses[-1] > losses[0]) == grows


def test_without_a_relu_a_half_diverges():
    losses, _ = example.train(0.5, 3, example.TARGET_BELOW_ZERO, example.no_unit)
    assert_exact(losses, [4.5, 7.625, 43.0625, 253.4453125])


def test_a_sigmoid_learns_it_where_the_target_went_through_it_as_well():
    target, _ = example.sigmoid(example.TARGET_BELOW_ZERO)
    losses, weights = example.train(1.0, 4000, target, example.sigmoid)
    assert losses[-1] < 1e-24
    np.testing.assert_allclose(weights, [[1, 0], [0, 0]], atol=1e-10)


def test_the_published_answer_has_two_wrong_entries_and_the_filter_of_the_right_ones():
    error = example.TARGET_BELOW_ZERO - example.one_pass(example.FILTER).y
    assert_exact(error, [[-2, -1], [0, 0]])
    exact = example.correlation(error)
    assert_exact(exact, [[-1, 2], [-1, -2]])
    assert_exact(example.PUBLISHED_GRADIENT, [[1, 2], [1, -2]])
    assert example.differing(example.PUBLISHED_GRADIENT, exact) == [(0, 0), (1, 0)]
    assert_exact(example.FILTER + 0.5 * exact, [[0.5, 0], [0.5, 0]])
    assert_exact(example.FILTER + 0.5 * example.PUBLISHED_GRADIENT, [[1.5, 0], [1.5, 0]])


def test_runs_as_a_script():
    printed = output_of("desired_filter")
    assert "2, 14.5, 155.125, 1849.66, 22544.4" in printed
    assert "subtracting the second [[0, 0], [1, 0]]" in printed
    assert "[[0.633, 0.184], [0.184, 0.551]] and not [[1, 0], [0, 0]]" in printed
    assert "filter [[1, 0], [0, 0]]." in printed
    assert "entry (0, 0) is -1, not 1\n  entry (1, 0) is -1, not 1\n" in printed

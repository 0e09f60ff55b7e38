import math

import numpy as np
import pytest

from tests.examples.scripts import assert_printed, load, output_of
from whygrad.checking import Verdict

example = load("all_nan")


@pytest.fixture(scope="module")
def arrays():
    return example.problem()


@pytest.fixture(scope="module")
def layers(arrays):
    return example.passes(*arrays)[1]


@pytest.fixture(scope="module")
def thousand_steps(arrays):
    return example.train(*arrays, example.right, example.SIGMOID_RATE, 1000)


def test_image_target_and_outputs_are_256x256_and_the_gradients_3x3(arrays, layers):
    image, target, kernels = arrays
    assert image.shape == target.shape == (1, 1, 256, 256)
    for layer, kernel in zip(layers, kernels, strict=True):
        assert layer.came_in.shape == layer.gave.shape == layer.delta.shape == (1, 1, 256, 256)
        assert layer.gradient.shape == kernel.shape == (1, 1, 3, 3)


def test_the_update_in_question_adds_one_scalar_to_all_nine_weights(layers):
    assert_printed([example.scalar(layer) for layer in layers], [-2.1435, 35.2609], 4)
    for layer in layers:
        np.testing.assert_array_equal(example.wrong(layer), np.full((1, 1, 3, 3), -example.scalar(layer)))


def test_the_right_updates_of_the_same_arrays(layers):
    first = [[-0.2667, -26.4404, 1.6201], [5.8082, -2.7414, -1.8666], [0.9946, 10.3583, -1.4059]]
    second = [[-4.2225, 114.6486, 88.0282], [-21.8549, 128.0325, 104.8353], [-6.6168, 89.3686, 101.7253]]
    assert_printed(-layers[0].gradient[0, 0], first, 4)
    assert_printed(-layers[1].gradient[0, 0], second, 4)


def test_each_weight_has_the_sum_of_delta_times_the_input_that_it_saw(layers):
    for layer in layers:
        seen = np.pad(layer.came_in[0, 0], 1)
        sums = [[(layer.delta[0, 0] * seen[r : r + 256, s : s + 256]).sum() for s in range(3)] for r in range(3)]
        np.testing.assert_allclose(-layer.gradient[0, 0], sums, rtol=1e-9)
        np.testing.assert_allclose((layer.delta * layer.came_in).sum(), sums[1][1], rtol=1e-9)


def test_delta_has_the_sign_of_hertz_krogh_and_palmer(arrays, layers):
    target, last = arrays[1], layers[-1]
    expected = (target - last.gave) * last.gave * (1 - last.gave)
    np.testing.assert_allclose(last.delta, expected, rtol=1e-12, atol=1e-15)


def test_finite_differences_accept_the_right_gradient_for_all_nine_entries_of_each_kernel(arrays, layers):
    image, target, kernels = arrays
    rows = [*example.check(layers[0].gave, target, kernels[1:]), *example.check(image, target, kernels)]
    assert [row.name for row in rows] == ["kernel 1", "kernel 1", "kernel 2"]
    assert [(row.checked, row.entries) for row in rows] == [(9, 9)] * 3
    assert {row.verdict for row in rows} == {Verdict.RIGHT}
    assert max(row.bound for row in rows) < 1e-9


def test_finite_differences_refuse_the_update_in_question(arrays):
    report = example.check(*arrays, example.wrong)
    errors = [row.relative_error for row in report]
    assert [row.verdict for row in report] == [Verdict.WRONG, Verdict.WRONG]
    np.testing.assert_allclose(errors, [0.918929, 0.724594], atol=1e-6)


def test_kernels_of_zeros_hide_the_first_kernels_gradient(arrays):
    image, target, kernels = arrays
    _, (first, second) = example.passes(image, target, [np.zeros_like(kernel) for kernel in kernels])
    assert not first.gradient.any()
    assert second.gradient.all()


def test_a_thousand_steps_with_the_right_gradient_stay_finite(thousand_steps):
    assert thousand_steps.first_bad is None
    assert len(thousand_steps.losses) == 1000
    assert np.isfinite(thousand_steps.losses).all()
    assert all(np.isfinite(kernel).all() for kernel in thousand_steps.kernels)


def test_a_thousand_steps_with_the_right_gradient_bring_the_loss_down(thousand_steps):
    at = [thousand_steps.losses[step - 1] for step in (1, 2, 10, 50, 100)]
    expected = [552.2520965880, 547.3959579697, 525.6472722958, 397.4529948975, 264.2133911588]
    np.testing.assert_allclose(at, expected, rtol=1e-9)
    np.testing.assert_allclose([thousand_steps.losses[step - 1] for step in (300, 1000)], [91.54, 63.92], atol=0.01)
    assert (np.diff(at) < 0).all()


def test_with_sigmoids_the_update_in_question_stalls(arrays):
    run = example.train(*arrays, example.wrong, example.SIGMOID_RATE, 50)
    assert run.first_bad is None
    np.testing.assert_allclose(
        np.array(run.losses)[[0, 1, 9, 49]], [552.2521, 550.7052, 550.5818, 550.5077], atol=1e-4
    )


def test_without_sigmoids_the_update_in_question_climbs_from_the_first_step_until_numbers_overflow(arrays):
    run = example.train(*arrays, example.wrong, example.LINEAR_RATE, 50, unit=example.no_unit)
    assert run.first_bad == "step 13, output of layer 2"
    np.testing.assert_allclose(run.losses[:4], [9216.816258, 9387.795394, 9629.550082, 9779.271139], rtol=1e-9)
    assert run.losses[10] > 1e60
    assert len(run.losses) == 13
    assert not math.isfinite(run.losses[-1])  # inf or, where inf meets −inf in a sum, NaN


def test_a_lower_rate_does_not_repair_the_update_in_question(arrays):
    run = example.train(*arrays, example.wrong, 0.1 * example.LINEAR_RATE, 15, unit=example.no_unit)
    assert (np.diff(run.losses) > 0).all()


def test_without_sigmoids_the_right_gradient_descends_at_the_same_rate(arrays):
    run = example.train(*arrays, example.right, example.LINEAR_RATE, 15, unit=example.no_unit)
    assert run.first_bad is None
    assert (np.diff(run.losses) < 0).all()
    np.testing.assert_allclose(run.losses[:3], [9216.816258, 9023.798698, 8867.440493], rtol=1e-9)


def test_a_rate_that_is_too_high_ruins_the_right_gradient_as_well(arrays):
    run = example.train(*arrays, example.right, 10 * example.LINEAR_RATE, 50, unit=example.no_unit)
    assert run.first_bad == "step 7, output of layer 2"


@pytest.mark.parametrize(
    ("rule", "limit", "losses"),
    [
        ("right", np.inf, [552.2521, 6881.5686, 5368.9347]),
        ("right", 1.0, [552.2521, 545.7628, 540.2885]),
        ("right", 10.0, [552.2521, 571.8005, 665.7320]),
        ("wrong", 1.0, [552.2521, 550.6039, 551.9485]),
    ],
)
def test_clipping_by_value_bounds_the_step_and_not_more(arrays, rule, limit, losses):
    run = example.train(*arrays, getattr(example, rule), example.TOO_HIGH, 3, limit=limit)
    np.testing.assert_allclose(run.losses, losses, atol=1e-4)
    moved = max(abs(new - old).max() for new, old in zip(run.kernels, arrays[2], strict=True))
    assert moved <= 3 * example.TOO_HIGH * limit * (1 + 1e-12)
    assert bool(run.cut) == (limit < np.inf)


def test_clipping_rescues_the_right_gradient_from_its_rate(arrays):
    run = example.train(*arrays, example.right, example.TOO_HIGH, 50, limit=1.0)
    np.testing.assert_allclose(run.losses[-1], 262.71, atol=0.5)


def test_runs_as_a_script():
    printed = output_of("all_nan", "15")
    assert "kernel 1: sum(sum(delta .* x_out)) = -2.1435 for all nine weights" in printed
    assert "kernel 2: sum(sum(delta .* x_out)) = 35.2609 for all nine weights" in printed
    assert "21.8549  128.0325  104.8353" in printed
    assert "two layers, wrong: kernel 2, 9 entries, largest error 7e-01: wrong\n" in printed
    assert "every entry is 2.1435, one number for all 9" in printed
    assert "right: all numbers finite" in printed
    assert "first number that is not finite: step 13, output of layer 2" in printed

import numpy as np

from tests.examples.scripts import assert_exact, assert_printed, load, output_of
from whygrad.checking import Verdict

example = load("pooled_kernel")


def test_the_deltas_before_the_sigmoid():
    assert_exact(example.deltas(), [[0.0364182, 0.068628], [0.04675125, -0.06818625]])


def test_two_of_the_printed_deltas_were_cut_off_and_not_rounded():
    exact = example.deltas()
    assert example.cut_off(exact, example.PRINTED).tolist() == [0.0467, -0.0681]
    assert_exact(exact.round(4), [[0.0364, 0.0686], [0.0468, -0.0682]])
    assert example.cut_off(exact, exact.round(4)).size == 0


def test_pooling_routes_the_deltas_to_the_maxima():
    expected = np.zeros((4, 4))
    expected[1, 1], expected[0, 2], expected[2, 1], expected[3, 3] = 0.0364, 0.0686, 0.0467, -0.0681
    np.testing.assert_array_equal(example.route(example.PRINTED), expected)


def test_the_kernels_gradient_from_the_printed_deltas():
    assert_exact(example.kernel_gradient(example.PRINTED), [[0.044606, 0.094061], [0.011262, 0.068288]])


def test_the_kernels_gradient_from_the_exact_deltas():
    gradient = example.kernel_gradient(example.deltas())
    assert_printed(gradient, [[0.0445918, 0.0941187], [0.0112577, 0.0683124]], 7)
    assert_exact(gradient, [[0.044591799, 0.0941186865], [0.01125765, 0.068312388]])


def test_the_update_subtracts_the_rate_times_the_gradient():
    assert example.updated_corner(0.0) == -0.13
    assert_exact(example.updated_corner(0.1), -0.1344591799)


def test_one_more_convolution_in_front():
    more = example.deeper()
    assert [(row.name, row.checked, row.entries) for row in more.report] == [("earlier", 4, 4), ("later", 4, 4)]
    assert {row.verdict for row in more.report} == {Verdict.RIGHT}
    assert max(row.bound for row in more.report) < 1e-9
    assert more.delta_o.shape == (5, 5)
    np.testing.assert_allclose(
        more.earlier, [[0.0227368663, 0.0385458887], [0.0317693518, 0.0323412033]], atol=1e-9
    )
    np.testing.assert_allclose(more.later, [[0.0259095605, 0.0309259610], [0.0032548264, 0.0070545121]], atol=1e-9)


def test_several_channels():
    gradient, report = example.channels()
    (row,) = report
    assert (row.checked, row.entries, row.verdict) == (24, 24, Verdict.RIGHT)
    assert row.bound < 1e-9
    assert gradient.shape == (2, 3, 2, 2)
    assert_printed(gradient[0, 0], [[0.0445918, 0.0941187], [0.0112577, 0.0683124]], 7)


def test_another_activation_changes_the_slope_alone():
    before = np.log(example.OUTPUTS[0, 0] / (1 - example.OUTPUTS[0, 0]))
    from_dense = np.array([[0.1495, 0.28], [0.2055, -0.2755]])
    assert_exact(example.deltas(example.tanh), from_dense * (1 - np.tanh(before) ** 2))
    assert_exact(example.deltas(example.relu), from_dense)


def test_runs_as_a_script():
    printed = output_of("pooled_kernel")
    assert "0.03641820    0.06862800\n" in printed
    assert "0.0467, -0.0681 were cut off" in printed
    assert "0.044606    0.094061\n" in printed
    assert "0.04459180" in printed
    assert "w[0, 0] = -0.13 becomes -0.13445918." in printed
    assert "finite differences, earlier kernel: 4 entries, right to " in printed
    assert "finite differences: 24 entries, right to " in printed

"""What must hold for every registered operation."""

from functools import partial

import numpy as np
import pytest

import whygrad.layers
import whygrad.ops
from tests.ops.shared import ORDERS, lay_out
from whygrad.checking import Verdict, check_gradient, check_op
from whygrad.engines import engine
from whygrad.errors import CheckError, OptionError
from whygrad.ops import OPERATIONS, operation

CASES = [(name, i) for name, op in OPERATIONS.items() for i in range(len(op.samples(np.random.default_rng(0))))]
KNOWN = 1e-9  # how well a right gradient must be known, relative to its largest entry
VISIBLE = 1e-6  # the least change, relative as well, that makes a gradient wrong
MUTATIONS = ["zero", "sign", "mean for sum", "transpose", "one entry"]


@pytest.fixture(params=["definition", "compiled"], autouse=True)
def _each_engine(request):
    with engine(request.param):
        yield


def sample_of(name, i, seed=0):
    return OPERATIONS[name].samples(np.random.default_rng(seed))[i]


def as_tuple(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)


def run_and_pull(op, sample, inputs=None, seed=1):
    """Return the value and the gradients under a random cotangent."""
    y, pullback = op.run(sample, inputs)
    dy = np.random.default_rng(seed).normal(size=y.shape).astype(y.dtype)
    return y, [g for g in as_tuple(pullback(dy)) if g is not None]


def each_case(test):
    return pytest.mark.parametrize(("name", "i"), CASES, ids=[f"{name}-{i}" for name, i in CASES])(test)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_agree_with_finite_differences(name, seed):
    report = check_op(name, seed=seed)
    samples = OPERATIONS[name].samples(np.random.default_rng(seed))
    inputs = [(key, array.shape) for sample in samples for key, array in sample.inputs.items()]
    assert [(row.name.split(": ")[-1], row.shape) for row in report] == inputs
    assert all(row.checked == row.entries for row in report)
    assert {row.verdict for row in report} == {Verdict.RIGHT}, str(report)
    assert max(row.bound for row in report) < KNOWN


@each_case
def test_float32_gradients_agree_with_those_of_float64(name, i):
    op, sample = OPERATIONS[name], sample_of(name, i)
    rounded = {key: array.astype(np.float32) for key, array in sample.inputs.items()}
    constants = tuple(array.astype(np.float32) for array in sample.constants)
    y, gradients = run_and_pull(op, sample._replace(constants=constants), rounded)
    # The same inputs in float64, so that nothing but the operation's own rounding is compared.
    exact = {key: array.astype(np.float64) for key, array in rounded.items()}
    wide = sample._replace(constants=tuple(array.astype(np.float64) for array in constants))
    y64, pullback64 = op.run(wide, exact)
    dy = np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
    gradients64 = [g for g in as_tuple(pullback64(dy.astype(np.float64))) if g is not None]
    assert y.dtype == np.float32
    for result, wanted in zip([y, *gradients], [y64, *gradients64], strict=True):
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, wanted, rtol=0, atol=2e-5 * max(1, np.abs(wanted).max()))


def plant(mutation, gradient):
    """Return the gradient with a mistake."""
    if mutation == "zero":
        return np.zeros_like(gradient)
    if mutation == "sign":
        return -gradient
    if mutation == "mean for sum":
        return gradient / max(2, len(gradient))
    if mutation == "transpose":
        return gradient.T.reshape(gradient.shape)
    wrong = gradient.copy()
    wrong.flat[wrong.size // 2] += 1e-3 * np.abs(gradient).max()
    return wrong


def remembered(op, sample):
    """Return the operation as a function of its inputs that computes nothing twice."""
    seen = {}

    def run(inputs):
        key = tuple(array.tobytes() for array in inputs.values())
        if key not in seen:
            seen[key] = op.run(sample, {name: array.copy() for name, array in inputs.items()})
        return seen[key]

    return run


def planted_run(run, mutation, inputs):
    """Run an operation with a mistake in every gradient."""
    y, pullback = run(inputs)
    return y, lambda dy: tuple(plant(mutation, g) for g in as_tuple(pullback(dy)) if g is not None)


@each_case
def test_a_planted_mistake_makes_the_check_fail(name, i):
    op, sample = OPERATIONS[name], sample_of(name, i)
    _, gradients = run_and_pull(op, sample)
    run = remembered(op, sample)
    for mutation in MUTATIONS:
        changes = [np.abs(plant(mutation, g) - g).max() > VISIBLE * np.abs(g).max() for g in gradients]
        assert all(changes) or mutation == "transpose"  # of a vector
        report = check_gradient(partial(planted_run, run, mutation), None, sample.inputs, subject=mutation)
        expected = [Verdict.WRONG if changed else Verdict.RIGHT for changed in changes]
        assert [row.verdict for row in report] == expected, str(report)


@each_case
def test_a_pullback_called_twice_gives_the_same(name, i):
    op, sample = OPERATIONS[name], sample_of(name, i)
    y, pullback = op.run(sample)
    dy = np.random.default_rng(1).normal(size=y.shape)
    first, second = as_tuple(pullback(dy)), as_tuple(pullback(dy))
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert (a is None and b is None) or np.array_equal(a, b)


@each_case
def test_nothing_is_written_to(name, i):
    op, sample = OPERATIONS[name], sample_of(name, i)
    before = [array.copy() for array in (*sample.inputs.values(), *sample.constants)]
    for array in (*sample.inputs.values(), *sample.constants):
        array.flags.writeable = False
    y, pullback = op.run(sample)
    kept, dy = y.copy(), np.random.default_rng(1).normal(size=y.shape)
    dy.flags.writeable = False
    for gradient in as_tuple(pullback(dy)):
        if gradient is not None and gradient.flags.writeable:
            gradient[...] = np.nan  # what a caller does to its gradient reaches nothing else
    for array, wanted in zip((*sample.inputs.values(), *sample.constants), before, strict=True):
        assert np.array_equal(array, wanted)
    assert np.array_equal(y, kept)
    _, again = op.run(sample)
    assert all(np.isfinite(g).all() for g in as_tuple(pullback(dy)) if g is not None)
    assert all(np.isfinite(g).all() for g in as_tuple(again(dy)) if g is not None)


@each_case
@pytest.mark.parametrize("order", ORDERS)
def test_any_memory_order_gives_the_same(name, i, order):
    op, sample = OPERATIONS[name], sample_of(name, i)
    laid_out = {key: lay_out(array, order) for key, array in sample.inputs.items()}
    y, pullback = op.run(sample)
    y2, pullback2 = op.run(sample, laid_out)
    dy = np.random.default_rng(1).normal(size=y.shape)
    np.testing.assert_allclose(y2, y, rtol=0, atol=1e-12 * max(1, np.abs(y).max()))
    for a, b in zip(as_tuple(pullback(dy)), as_tuple(pullback2(lay_out(dy, order))), strict=True):
        if a is not None:
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-12 * max(1, np.abs(a).max()))


@each_case
def test_a_batch_equals_its_samples_one_by_one(name, i):
    op, sample = OPERATIONS[name], sample_of(name, i)
    if op.couples_samples:
        pytest.skip("the samples of a batch share statistics or a mask by definition")
    y, pullback = op.run(sample)
    dy = np.random.default_rng(1).normal(size=y.shape)
    whole = dict(zip(sample.inputs, as_tuple(pullback(dy)), strict=False))
    sums = {key: 0.0 for key in sample.inputs if key not in op.batched}
    for n in range(len(y)):
        one = {key: a[n : n + 1] if key in op.batched else a for key, a in sample.inputs.items()}
        y1, pullback1 = op.run(sample, one)
        np.testing.assert_allclose(y1, y[n : n + 1], rtol=0, atol=1e-12)
        for key, gradient in zip(sample.inputs, as_tuple(pullback1(dy[n : n + 1])), strict=False):
            if key in op.batched:
                np.testing.assert_allclose(gradient, whole[key][n : n + 1], rtol=0, atol=1e-12)
            else:
                sums[key] = sums[key] + gradient
    for key, total in sums.items():
        np.testing.assert_allclose(total, whole[key], rtol=0, atol=1e-12 * max(1, np.abs(total).max()))


@each_case
def test_an_empty_batch_gives_an_empty_value_and_no_gradient(name, i):
    op, sample = OPERATIONS[name], sample_of(name, i)
    empty = {key: a[:0] if key in op.batched else a for key, a in sample.inputs.items()}
    y, gradients = run_and_pull(op, sample, empty)
    assert y.shape[0] == 0
    assert y.shape[1:] == op.run(sample)[0].shape[1:]
    for key, gradient in zip(sample.inputs, gradients, strict=True):
        assert gradient.shape == empty[key].shape
        assert not gradient.any()


@each_case
def test_two_calls_give_the_same_bits(name, i):
    op, sample = OPERATIONS[name], sample_of(name, i)
    (y, gradients), (y2, gradients2) = run_and_pull(op, sample), run_and_pull(op, sample)
    assert np.array_equal(y, y2)
    assert all(np.array_equal(a, b) for a, b in zip(gradients, gradients2, strict=True))


@each_case
def test_integers_are_refused_and_told_how_to_convert(name, i):
    op, sample = OPERATIONS[name], sample_of(name, i)
    integers = {key: np.round(array).astype(np.int64) for key, array in sample.inputs.items()}
    with pytest.raises(whygrad.DTypeError, match=r"float32 or float64, received int64; convert it, for an image"):
        op.run(sample, integers)


@each_case
def test_a_cotangent_of_another_shape_is_refused(name, i):
    y, pullback = OPERATIONS[name].run(sample_of(name, i))
    with pytest.raises(whygrad.ShapeError, match=rf"{name} backward: expected dy of shape"):
        pullback(np.zeros((*y.shape, 1)))


def test_every_operation_has_its_file_in_every_wing():
    for name in OPERATIONS:
        assert getattr(whygrad.ops, name) is OPERATIONS[name].function
        for wing in ("ops", "layers"):
            module = __import__(f"whygrad.{wing}.{name}", fromlist=["__doc__"])
            assert module.__doc__


def test_every_docstring_gives_formula_shapes_example_and_source():
    for entry in OPERATIONS.values():
        text = entry.function.__doc__
        for part in ("Args:", "Returns:", "Raises:", "Example:", "Source:"):
            assert part in text, f"{entry.function.__name__} lacks {part}"


def test_an_unknown_operation_is_refused_with_the_known_ones():
    with pytest.raises(OptionError, match=r"expected one of add, .*, received 'convolve'; check the spelling"):
        operation("convolve")


def test_a_gradient_that_is_missing_is_not_passed_over():
    op, sample = OPERATIONS["linear"], sample_of("linear", 0)

    def forgetful(inputs):
        return op.run(sample, inputs)[0], lambda dy: dy @ sample.inputs["w"]

    with pytest.raises(CheckError, match="expected a gradient for each of x, w, b, received one array"):
        check_gradient(forgetful, None, sample.inputs)

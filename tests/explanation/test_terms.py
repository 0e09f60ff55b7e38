"""Every entry of every operation and loss is the sum of its terms, in any configuration."""

import numpy as np
import pytest

from tests.checking.configurations import loss_call, operation_call
from tests.explanation.shared import arrays_of, some, traced_loss, traced_operation
from whygrad.checking import check_gradient
from whygrad.errors import OptionError
from whygrad.explanation.notation import parse
from whygrad.explanation.terms import RULES, rule, total
from whygrad.losses.registry import LOSSES
from whygrad.ops.registry import OPERATIONS, operation

SEEDS = range(6)


def assert_sums(call, rng, count=40):
    """Look at entries of all arrays of a call; return how many."""
    looked = 0
    for name, array in arrays_of(call).items():
        found = rule(call.op, name)
        for at in some(rng, array.shape, count):
            terms = list(found.terms(call, *at))
            size = sum(term.size for term in terms)
            assert abs(total(terms) - array[at]) <= 1e-12 * size + 1e-300, (call.op, name, at)
            assert isinstance(found.words(call, at, terms), str)
            looked += 1
    return looked


def test_every_operation_and_loss_has_rules_for_its_value_and_gradients():
    assert set(RULES) == set(OPERATIONS) | set(LOSSES)


@pytest.mark.parametrize("name", OPERATIONS)
def test_samples_are_sums_of_their_terms(name):
    rng = np.random.default_rng(1)
    for sample in operation(name).samples(rng):
        assert assert_sums(traced_operation(name, sample, rng), rng) > 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_random_calls_are_sums_of_their_terms(name, seed):
    rng = np.random.default_rng(seed)
    _, sample = operation_call(1000 * seed + 7, name)
    assert_sums(traced_operation(name, sample, rng), rng)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LOSSES)
def test_random_losses_are_sums_of_their_terms(name, seed):
    _, sample = loss_call(1000 * seed + 3, name)
    assert assert_sums(traced_loss(name, sample), np.random.default_rng(seed)) > 0


def summed_up(call, key):
    """Return the gradient of an input, every entry added up from its terms."""
    found, shape = rule(call.op, f"d{key}"), call.inputs[key].shape
    return np.array([total(found.terms(call, *at)) for at in np.ndindex(shape)]).reshape(shape)


@pytest.mark.parametrize("name", OPERATIONS)
def test_sums_of_terms_are_what_finite_differences_give(name):
    """The claims are built from the terms alone; the backward pass takes no part."""
    rng = np.random.default_rng(5)
    for sample in operation(name).samples(rng):
        call = traced_operation(name, sample, rng)

        summed = tuple(summed_up(call, key) for key in call.gradients)

        def forward(*arrays, sample=sample):
            return operation(name).run(sample, dict(zip(sample.inputs, arrays, strict=True)))[0]

        report = check_gradient(
            forward, lambda dy, *arrays, summed=summed: summed, sample.inputs, cotangent=call.dy
        )
        assert report.right, report
        assert max(row.relative_error for row in report) <= 1e-7


@pytest.mark.parametrize("name", RULES)
def test_every_formula_can_be_read(name):
    for found in RULES[name].values():
        assert parse(found.formula).kind != "word", found.formula


def test_hand_computed_terms_of_a_convolution():
    """Input and filter of a 3x3 image and a 2x2 kernel, δ = 2 at the first position alone."""
    x = np.array([[1.0, -1, 0], [0, 1, 0], [0, -1, 1]])[None, None]
    w = np.array([[1.0, -1], [1, 1]])[None, None]
    y, pullback = OPERATIONS["conv2d"].function(x, w)
    dy = np.array([[2.0, 0], [0, 0]])[None, None]
    dx, dw, _ = pullback(dy)
    from whygrad.explanation.terms import Call

    call = Call("conv2d", {"x": x, "w": w}, {}, y, dy, {"x": dx, "w": dw})
    terms = list(rule("conv2d", "dw").terms(call, 0, 0, 0, 1))
    assert [term.value for term in terms] == [-2, 0, 0, 0]
    assert [factor.text for factor in terms[0].factors] == ["dy[0,0,0,0]", "x[0,0,0,1]"]
    assert total(terms) == -2


def test_unknown_names_are_refused():
    with pytest.raises(OptionError, match="conv3d"):
        rule("conv3d", "y")
    with pytest.raises(OptionError, match="dx or dw or db"):
        rule("linear", "dq")

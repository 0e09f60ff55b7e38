"""A mistake in a gradient, whatever it is, is found in that gradient alone and at its place."""

import numpy as np
import pytest

from tests.checking.shared import INPUTS, check_planted, only, planted, said
from whygrad.checking import Verdict, check_gradient, check_model
from whygrad.layers import Conv2d, Flatten, Linear, MaxPool2d, Sequential, Tanh
from whygrad.losses import mean_squared_error
from whygrad.ops import add, avg_pool2d, conv2d, relu, tanh

#: How many evaluations may find one wrong entry among a million.
FEW = 170


def zero(gradient):
    return np.zeros_like(gradient)


def sign(gradient):
    return -gradient


def double(gradient):
    return 2 * gradient


def half(gradient):
    return gradient / 2


def mean_for_sum(gradient):
    return gradient / max(3, len(gradient))


def transpose(gradient):
    """Swap the first two axes of one length."""
    for i in range(gradient.ndim):
        for j in range(i):
            if gradient.shape[i] == gradient.shape[j]:
                return gradient.swapaxes(i, j)
    return gradient


def reshaped(gradient):
    """Lay the transpose down as if it had the right shape."""
    return gradient.T.reshape(gradient.shape)


def shifted(gradient):
    return np.roll(gradient, 1, axis=-1)


def shifted_rows(gradient):
    return np.roll(gradient, 1, axis=max(0, gradient.ndim - 2))


def one_entry(gradient):
    wrong = gradient.copy()
    wrong.flat[gradient.size // 2] += 0.01 * np.abs(gradient).max()
    return wrong


def at_the_border(gradient):
    if gradient.ndim < 2 or min(gradient.shape[-2:]) < 3:
        return gradient
    wrong = 0.9 * gradient
    wrong[..., 1:-1, 1:-1] = gradient[..., 1:-1, 1:-1]
    return wrong


def second_sample(gradient):
    wrong = gradient.copy()
    wrong[1:2] *= 1.1
    return wrong


def every_second(gradient):
    wrong = gradient.copy()
    wrong[..., 1::2] = 0
    return wrong


FACTORS = (double, half, mean_for_sum)
#: Mistakes, and words of which one has to be in what is said about each.
MUTATIONS = {
    zero: ("it is zero everywhere",),
    sign: ("the sign explains it", "sign"),
    transpose: ("transposed", "swapped"),
    reshaped: ("transpose",),
    shifted: ("shifted", "flipped"),
    shifted_rows: ("shifted", "flipped"),
    one_entry: ("only in the entry", "only entry"),
    at_the_border: ("border", "outermost", "everywhere but in the middle", "9/10"),
    second_sample: ("last", "1", "only entry"),
    every_second: ("every second", "column 1", "last", "only in the entr", "1"),
    **dict.fromkeys(FACTORS, ("a factor explains it",)),
}
#: So small that a rearrangement could be chance, or is another one as well: nothing needs to be said about it.
TELLING = 7


def _plan():
    """Return every mistake in every input, of the factors one for each."""
    for number, (name, i, key) in enumerate(INPUTS):
        for mutate in MUTATIONS:
            if mutate not in FACTORS or mutate is FACTORS[number % len(FACTORS)]:
                yield pytest.param(name, i, key, mutate, id=f"{name}-{i}-{key}-{mutate.__name__}")


@pytest.mark.parametrize(("name", "i", "key", "mutate"), list(_plan()))
def test_a_planted_mistake_is_found_where_it_was_planted_and_nowhere_else(name, i, key, mutate):
    report, changed = check_planted(name, i, key, mutate)
    if report is None:
        pytest.skip("it changes nothing here")
    for row in report:
        assert row.verdict is (Verdict.WRONG if row.name == key else Verdict.RIGHT), said(row)
    row = report[key]
    assert row.wrong
    assert all(changed[entry.index] for entry in row.wrong)
    assert changed[row.worst.index]
    rearranged = mutate in (transpose, reshaped, shifted, shifted_rows)
    few = changed.size < (24 if rearranged else TELLING)
    assert few or any(words in said(row) for words in MUTATIONS[mutate]), said(row)


# One entry among a million

BIG = np.random.default_rng(0).normal(size=(4, 25, 100, 100))
FILTERS = np.random.default_rng(1).normal(size=(2, 25, 3, 3))
LARGE = {
    "relu": (lambda at: relu(at["x"]), {"x": BIG}),
    "tanh": (lambda at: tanh(at["x"]), {"x": BIG}),
    "add": (lambda at: add(at["x"], at["b"]), {"x": BIG, "b": BIG + 1}),
    "avg_pool2d": (lambda at: avg_pool2d(at["x"], kernel_size=2), {"x": BIG}),
    "conv2d": (lambda at: conv2d(at["x"], FILTERS, stride=2, padding=1), {"x": BIG}),
}


def first_input(f):
    """Return f with the gradient of its first input alone where the others are closed over."""

    def alone(inputs):
        y, pullback = f(inputs)

        def backward(dy):
            gradients = pullback(dy)
            return gradients[: len(inputs)] if isinstance(gradients, tuple) else gradients

        return y, backward

    return alone


@pytest.mark.parametrize(("place", "by"), [((2, 7, 50, 33), 1.0), ((3, 24, 99, 98), -0.05)])
@pytest.mark.parametrize("name", LARGE)
def test_one_wrong_entry_among_a_million_is_found_with_few_evaluations(name, place, by):
    f, inputs = LARGE[name]

    def mutate(gradient):
        wrong = gradient.copy()
        wrong[place] += by * np.abs(gradient).max()
        return wrong

    report = check_gradient(planted(first_input(f), inputs, "x", mutate, []), None, inputs)
    assert [row.verdict for row in report] == [Verdict.WRONG, *[Verdict.RIGHT] * (len(inputs) - 1)]
    assert [entry.index for entry in report["x"].wrong] == [place]
    assert str(list(place)) in said(report["x"])
    assert report.evaluations < FEW


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (np.s_[:], "all"),
        (np.s_[1], "sample 1"),
        (np.s_[:, 3], "channel 3"),
        (np.s_[:, :, -1], "last row"),
        (np.s_[..., 1::2], "every second column"),
    ],
    ids=["all", "sample", "channel", "row", "columns"],
)
def test_a_wrong_region_of_a_large_gradient_is_named(where, words):
    x = np.random.default_rng(0).normal(size=(4, 8, 30, 40))

    def mutate(gradient):
        wrong = gradient.copy()
        wrong[where] *= -1
        return wrong

    row = only(check_gradient(planted(lambda at: tanh(at["x"]), "x", "x", mutate, []), None, {"x": x}))
    assert row.verdict is Verdict.WRONG
    assert words in said(row)
    assert "sign" in said(row)


# Parameters of models


class Wrong(Linear):
    """A dense layer whose weight gradient is the mean over the batch."""

    def forward(self, own, x, *, training, rng):
        y, pullback, changed = super().forward(own, x, training=training, rng=rng)

        def backward(dy, **options):
            dx, gradients = pullback(dy, **options)
            return dx, gradients | {"weight": gradients["weight"] / len(x)}

        return y, backward, changed


class Stale(Conv2d):
    """A convolution whose bias gradient has the sign turned."""

    def forward(self, own, x, *, training, rng):
        y, pullback, changed = super().forward(own, x, training=training, rng=rng)

        def backward(dy, **options):
            dx, gradients = pullback(dy, **options)
            return dx, gradients | {"bias": -gradients["bias"]}

        return y, backward, changed


class Shifted(Conv2d):
    """A convolution whose input gradient has moved by one column."""

    def forward(self, own, x, *, training, rng):
        y, pullback, changed = super().forward(own, x, training=training, rng=rng)

        def backward(dy, **options):
            dx, gradients = pullback(dy, **options)
            return np.roll(dx, 1, axis=-1), gradients

        return y, backward, changed


def network(conv1=Conv2d, conv2=Conv2d, fc=Linear):
    return Sequential(
        conv1=conv1(2, 4, 3),
        act1=Tanh(),
        pool1=MaxPool2d(2),
        conv2=conv2(4, 6, 2),
        act2=Tanh(),
        flatten=Flatten(),
        fc=fc(24, 5),
    )


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("layers", "wrong", "words"),
    [
        ({}, set(), ""),
        ({"fc": Wrong}, {"fc.weight"}, "factor"),
        ({"conv1": Stale}, {"conv1.bias"}, "sign"),
        ({"conv2": Stale}, {"conv2.bias"}, "sign"),
        ({"conv2": Shifted}, {"conv1.weight", "conv1.bias", "input"}, "wrong in"),
        ({"conv1": Shifted}, {"input"}, "shifted"),
        ({"conv1": Stale, "fc": Wrong}, {"conv1.bias", "fc.weight"}, "explains"),
    ],
    ids=["none", "fc.weight", "conv1.bias", "conv2.bias", "below conv2", "input", "two"],
)
def test_a_mistake_in_a_layer_is_named_and_what_lies_above_it_is_right(layers, wrong, words, full):
    model, rng = network(**layers), np.random.default_rng(0)
    params = model.init(rng)
    report = check_model(model, params, rng.normal(size=(3, 2, 8, 8)), rng.integers(0, 5, 3), full=full)
    assert {row.name for row in report if row.verdict is Verdict.WRONG} == wrong, str(report)
    assert all(row.verdict is Verdict.RIGHT for row in report if row.name not in wrong)
    assert all(words in said(report[name]) for name in wrong)


def test_one_wrong_entry_of_a_large_parameter_is_found():
    class OneWrong(Linear):
        def forward(self, own, x, *, training, rng):
            y, pullback, changed = super().forward(own, x, training=training, rng=rng)

            def backward(dy, **options):
                dx, gradients = pullback(dy, **options)
                weight = gradients["weight"].copy()
                weight[17, 301] += 0.1 * np.abs(weight).max()
                return dx, gradients | {"weight": weight}

            return y, backward, changed

    model, rng = Sequential(fc1=OneWrong(512, 100), act=Tanh(), fc2=Linear(100, 3)), np.random.default_rng(0)
    x, target = rng.normal(size=(2, 512)), rng.normal(size=(2, 3))
    report = check_model(model, model.init(rng), x, target, loss=mean_squared_error)
    assert [row.name for row in report if not row.verdict.good] == ["fc1.weight"]
    assert [entry.index for entry in report["fc1.weight"].wrong] == [(17, 301)]

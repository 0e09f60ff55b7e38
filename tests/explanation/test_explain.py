"""Any number of a network: where it comes from, and that the sums are what the network computed."""

from functools import partial

import numpy as np
import pytest

import whygrad
from whygrad.checking.report import Verdict
from whygrad.errors import OptionError
from whygrad.explanation import explain
from whygrad.layers import (
    Add,
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    Graph,
    LayerNorm,
    Linear,
    MaxPool2d,
    Node,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
)
from whygrad.layers.layer import Unary
from whygrad.losses import cross_entropy, half_squared_error, mean_squared_error
from whygrad.models import lenet5, resnet20
from whygrad.optim import SGD, Adam, AdamW, RMSprop


def chain():
    return Sequential(
        conv1=Conv2d(1, 2, 3, padding=1),
        bn1=BatchNorm2d(2),
        relu1=ReLU(),
        pool1=MaxPool2d(2),
        conv2=Conv2d(2, 3, 2),
        act2=Tanh(),
        flatten=Flatten(),
        drop=Dropout(0.3),
        norm=LayerNorm(12),
        fc1=Linear(12, 4),
    )


def shared_graph():
    """Return a graph in which a value is read three times and a parameter is used twice."""
    conv = Conv2d(2, 2, 3, padding=1)
    return Graph(
        {
            "a": (conv, "image"),
            "b": Node(conv, ("a",), "a"),
            "sum": (Add(), "a", "b"),
            "both": (Concat(), "sum", "a"),
            "flat": (Flatten(), "both"),
            "out": (Linear(64, 3), "flat"),
        },
        inputs=("image",),
        outputs="out",
    )


def residual():
    body = Sequential(conv1=Conv2d(2, 2, 3, padding=1), bn=BatchNorm2d(2))
    return Sequential(block=Residual(body, activation=ReLU()), flatten=Flatten(), fc=Linear(32, 3))


CASES = {
    "chain": (chain, (2, 1, 6, 6), 4),
    "shared": (shared_graph, (2, 2, 4, 4), 3),
    "residual": (residual, (2, 2, 4, 4), 3),
}


def explainer(case, convention="gradient", **options):
    build, shape, classes = CASES[case]
    rng = np.random.default_rng(3)
    model = build()
    params = model.init(rng, np.float64)
    params = {name: a + 0.1 * rng.normal(size=a.shape) * ("running" not in name) for name, a in params.items()}
    target = rng.integers(0, classes, shape[0])
    return explain(model, params, rng.normal(size=shape), target, convention=convention, **options)


def drawn(rng, shape):
    return tuple(int(rng.integers(0, n)) for n in shape)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_numbers_of_every_layer_add_up_and_are_borne_out(case, training):
    e, rng = explainer(case, training=training), np.random.default_rng(0)
    for name, value in e.trace.values.items():
        for _ in range(3):
            at = drawn(rng, value.array.shape)
            forward = e.activation(name, *at)
            assert forward.adds_up, forward
            assert forward.sum == pytest.approx(value.array[at], rel=1e-12, abs=1e-14)
            backward = e.delta(name, *at)
            assert backward.agrees, backward
            assert backward.difference.verdict.good
            assert backward.difference.value == pytest.approx(backward.sum, rel=1e-7, abs=1e-9)
    for name, gradient in e.trace.gradients.items():
        at = drawn(rng, gradient.shape)
        found = e.parameter(name, *at)
        assert found.agrees, found
        assert found.difference.value == pytest.approx(found.sum, rel=1e-7, abs=1e-9)
        assert f"∂E/∂{name}" in found.subject
    assert e.error().adds_up


def test_several_uses_of_a_parameter_and_of_a_value_add_up_visibly():
    e = explainer("shared")
    weight = e.parameter("a.weight", 1, 0, 1, 2)
    assert [part.call for part in weight.parts] == ["a", "b"]
    assert weight.sum == pytest.approx(sum(part.sum for part in weight.parts))
    assert "used 2 times" in weight.sentence
    value = e.delta("a", 0, 1, 2, 2)
    assert sorted(part.call for part in value.parts) == ["b", "both", "sum"]


def test_gradients_of_the_explanation_are_those_of_the_model():
    e = explainer("chain")
    model, params = e.trace.model, e.trace.params
    y, pullback, _ = model(params, *e.trace.inputs)
    _, gradients = pullback(cross_entropy(y, e.trace.target)[1])
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(e.trace.gradients[name], gradient)


def test_hertz_turns_the_sign_of_every_gradient_and_updates_add():
    ours, hertz = explainer("chain"), explainer("chain", convention="hertz")
    for ask in (
        lambda e: e.parameter("conv2.weight", 1, 1, 0, 1),
        lambda e: e.delta("pool1", 1, 0, 2, 1),
        lambda e: e.delta("fc1", 0, 2),
    ):
        a, b = ask(ours), ask(hertz)
        assert b.sum == -a.sum
        assert b.agrees
        assert b.subject.startswith("−∂E")
        assert b.difference.value == pytest.approx(-a.difference.value)
    assert ours.activation("fc1", 0, 1).sum == hertz.activation("fc1", 0, 1).sum
    a, b = (e.update("fc1.bias", 1, optimizer=SGD(0.5)) for e in (ours, hertz))
    assert a.sum == b.sum
    assert b.parts[0].terms[-1].factors[0].value == 0.5
    assert "adds them" in str(b)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.1),
        SGD(0.1, momentum=0.9),
        SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        SGD(0.1, momentum=0.9, weight_decay=0.01, decoupled=True),
        Adam(0.01),
        Adam(0.01, weight_decay=0.1),
        AdamW(0.01, weight_decay=0.1),
        RMSprop(0.01),
        RMSprop(0.01, momentum=0.5, centered=True, weight_decay=0.1),
    ],
    ids=str,
)
def test_updates_are_those_of_the_optimiser(optimizer):
    e = explainer("chain")
    params, state = e.trace.params, optimizer.init(e.trace.params)
    for _ in range(2):  # a state that is not zero
        _, state = optimizer.update(params, e.trace.gradients, state)
    wanted, _ = optimizer.update(params, e.trace.gradients, state)
    found = e.update("conv1.weight", 1, 0, 2, 1, optimizer=optimizer, state=state)
    assert found.adds_up
    assert found.sum == pytest.approx(wanted["conv1.weight"][1, 0, 2, 1], rel=1e-12)


def test_it_says_why_no_gradient_arrives():
    model = Sequential(conv1=Conv2d(1, 1, 2), pool1=MaxPool2d(2), act1=Sigmoid(), flatten=Flatten())
    rng = np.random.default_rng(0)
    params = model.init(rng, np.float64)
    e = explain(model, params, rng.normal(size=(1, 1, 5, 5)), np.zeros((1, 4)), loss=half_squared_error)
    assert e.parameter("conv1.weight", 0, 0, 1, 1).sentence == (
        "This weight was used at 16 positions; only 4 of the 16 carry gradient: "
        "at 12 pool1 passed another entry on."
    )


def test_the_published_filter():
    """Half the squared error, a ReLU, and the gradient [[2, −2], [0, 2]]."""
    model = Sequential(conv1=Conv2d(1, 1, 2, bias=False), relu1=ReLU())
    x = np.array([[1.0, -1, 0], [0, 1, 0], [0, -1, 1]])[None, None]
    params = {"conv1.weight": np.array([[1.0, -1], [1, 1]])[None, None]}
    e = explain(model, params, x, np.array([[1.0, 0], [0, 1]])[None, None], loss=half_squared_error)
    found = [[e.parameter("conv1.weight", 0, 0, r, s).sum for s in (0, 1)] for r in (0, 1)]
    assert found == [[2, -2], [0, 2]]
    assert e.error().sum == 2
    updated = e.update("conv1.weight", 0, 0, 0, 0, optimizer=SGD(0.5))
    assert updated.sum == 0


def test_a_weight_on_a_kink_is_right_between_its_slopes():
    model = Sequential(fc=Linear(1, 1, bias=False), relu=ReLU())
    e = explain(model, {"fc.weight": np.zeros((1, 1))}, np.ones((1, 1)), np.ones((1, 1)), loss=half_squared_error)
    found = e.parameter("fc.weight", 0, 0)
    assert found.difference.verdict is Verdict.KINK
    assert found.agrees


def test_a_wrong_sum_is_said_to_be_wrong():
    e = explainer("chain")
    e.trace.gradients["fc1.bias"][1] += 1e-6
    found = e.parameter("fc1.bias", 1)
    assert not found.adds_up
    assert not found.agrees
    assert found.difference.verdict is Verdict.WRONG
    assert "does NOT add up" in str(found)
    assert "does NOT add up" in found.latex()
    assert "does NOT add up" in found._repr_html_()


def test_losses_with_options_and_somebodys_own_losses():
    model, rng = Sequential(fc=Linear(3, 2)), np.random.default_rng(0)
    params, x = model.init(rng, np.float64), rng.normal(size=(4, 3))
    smooth = partial(cross_entropy, label_smoothing=0.2, reduction="sum")
    e = explain(model, params, x, np.array([0, 1, 1, 0]), loss=smooth)
    assert e.delta("fc", 1, 0).agrees
    assert e.error().adds_up

    def own(y, t):
        return mean_squared_error(y, t)

    e = explain(model, params, x, np.zeros((4, 2)), loss=own)
    assert e.parameter("fc.weight", 0, 1).agrees
    with pytest.raises(OptionError, match="whygrad's own"):
        e.delta("fc", 1, 0)


class Doubling(Unary):
    def operate(self, x):
        return 2 * x, lambda dy: 2 * dy


def test_a_layer_of_somebodys_own_is_passed_through_but_not_explained():
    model, rng = Sequential(fc=Linear(3, 2), twice=Doubling()), np.random.default_rng(0)
    e = explain(
        model, model.init(rng, np.float64), rng.normal(size=(2, 3)), np.zeros((2, 2)), loss=half_squared_error
    )
    assert e.parameter("fc.weight", 1, 2).agrees
    with pytest.raises(OptionError, match="Doubling"):
        e.activation("twice", 0, 0)


def test_a_subclass_that_computes_something_else_is_not_explained_as_its_base():
    class Louder(ReLU):
        def operate(self, x):
            y, pullback = super().operate(x)
            return 3 * y, lambda dy: pullback(3 * dy)

    model = Sequential(fc=Linear(3, 2), act=Louder())
    rng = np.random.default_rng(0)
    e = explain(
        model, model.init(rng, np.float64), rng.normal(size=(2, 3)), np.zeros((2, 2)), loss=half_squared_error
    )
    assert e.parameter("fc.weight", 0, 0).agrees
    with pytest.raises(OptionError, match="Louder"):
        e.activation("act", 0, 0)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda e: e.parameter("conv.weight", 0, 0, 0, 0), "did you mean conv2.weight or conv1.weight"),
        (lambda e: e.parameter("conv1.weight", 0, 0, 3, 0), r"conv1.weight\[0..1,0..0,0..2,0..2\]"),
        (lambda e: e.parameter("conv1.weight", 0, 0, 0), r"conv1.weight\[0,0,0\]"),
        (lambda e: e.parameter("conv1.weight", 0, 0, -1, 0), "change the index"),
        (lambda e: e.parameter("conv1.weight", 0, 0, 1.0, 0), "change the index"),
        (lambda e: e.activation("pool9", 0), "did you mean pool1"),
        (lambda e: e.delta("", 0), "a layer among input, conv1"),
        (lambda e: e.ask("parameter", "conv1.weight[0,a]"), "index in brackets"),
        (lambda e: e.parameter("bn1.running_mean", 0), "bn1.running_mean"),
    ],
)
def test_bad_questions(ask, said):
    with pytest.raises(OptionError, match=said):
        ask(explainer("chain"))


def test_an_unknown_convention_is_refused():
    with pytest.raises(OptionError, match='"gradient" or "hertz"'):
        explainer("chain", convention="krogh")


@pytest.mark.parametrize("build", [lenet5, resnet20])
def test_ready_models_at_batch_one(build):
    model, rng = build(), np.random.default_rng(0)
    shape = model.input_shape
    e = explain(model, model.init(rng), rng.normal(size=(1, *shape)), np.array([3]))
    for name, gradient in list(e.trace.gradients.items())[::5]:
        assert e.parameter(name, *drawn(rng, gradient.shape)).agrees


def test_faces_of_one_object():
    e = explainer("chain")
    found = e.parameter("conv2.weight", 1, 1, 0, 1)
    data = found.to_dict()
    assert data["agrees"] is True
    assert data["sum"] == sum(
        np.prod([f["value"] for f in t["factors"]]) for p in data["parts"] for t in p["terms"]
    )
    first = data["parts"][0]["terms"][0]["factors"]
    assert first[1]["cells"] == [{"array": "pool1", "index": [0, 1, 0, 1], "gradient": False}]
    assert first[0]["cells"][0]["gradient"] is True
    text, page = str(found), found._repr_html_()
    assert "backward pass" in text
    assert "adds up" in text
    assert "<math>" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert whygrad.explain is explain

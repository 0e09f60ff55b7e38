import numpy as np
import pytest

from tests.layers.shared import draw, images
from whygrad.checking.unrolled import Branch, Unrolled, flat
from whygrad.layers import (
    Add,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Graph,
    Layer,
    Linear,
    MaxPool2d,
    Node,
    ReLU,
    Residual,
    Sequential,
    Softmax,
)


class Own(Layer):
    """A layer of a user's own, which happens to take each sample alone."""

    def __call__(self, params, *inputs, training=False, rng=None):
        return inputs[0] + 1, None, {}


def unrolled(model, *shapes, training=True, inputs=None):
    inputs = images(*shapes) if inputs is None else inputs
    return Unrolled(model, draw(model), inputs, training=training, rng=np.random.default_rng(0))


def test_steps_have_the_names_prefixes_and_places_that_the_model_gives_them():
    inner = Graph(
        {"one": (Linear(3, 3), "x"), "two": Node(Linear(3, 3), ("one",), parameters="one")},
        inputs=("x",),
        outputs=("two", "one"),
    )
    body = Sequential(fc1=Linear(3, 3), act1=ReLU())
    model = Sequential(block=Residual(body, Linear(3, 3), activation=ReLU()), net=inner)
    at = unrolled(model, (3,))
    assert [(step.name, step.prefix, step.inputs, step.output) for step in at.steps] == [
        ("block.fc1", "block.fc1.", (0,), 1),
        ("block.act1", "block.act1.", (1,), 2),
        ("block.downsample", "block.downsample.", (0,), 3),
        ("block.add", "block.", (2, 3), 4),
        ("block.activation", "block.activation.", (4,), 5),
        ("net.one", "net.one.", (5,), 6),
        ("net.two", "net.one.", (6,), 7),
    ]
    assert at.output == (7, 6)
    assert flat(at.output) == [7, 6]
    read = {full for step in at.steps for full in step.reads.values()}
    assert read == set(model.parameters())
    np.testing.assert_equal(at.at(Branch(), at.output), model(draw(model), *images((3,)))[0])


@pytest.mark.parametrize(
    ("layer", "training", "alone"),
    [
        (Linear(3, 2), True, True),
        (Dropout(0.5), True, False),
        (Dropout(0.5), False, True),
        (Softmax(), True, True),
        (Softmax(axis=0), True, False),
        (Own(), True, False),
    ],
)
def test_layers_are_asked_whether_samples_matter_to_one_another(layer, training, alone):
    assert unrolled(layer, (3,), training=training).takes_samples_alone(0) is alone


@pytest.mark.parametrize("training", [True, False])
def test_images_are_asked_too(training):
    model = Sequential(Conv2d(2, 2, 3), BatchNorm2d(2), ReLU(), MaxPool2d(2), Flatten())
    at = unrolled(model, (2, 6, 6), training=training)
    assert [at.takes_samples_alone(i) for i in range(5)] == [True, not training, True, True, True]


def test_a_batch_of_zeros_hides_no_coupling():
    at = unrolled(Sequential(Softmax(axis=0), Softmax(axis=1)), inputs=[np.zeros((2, 3))])
    assert [at.takes_samples_alone(i) for i in range(2)] == [False, True]


def test_what_cannot_be_asked_counts_as_coupled():
    assert not unrolled(Linear(3, 2), inputs=[np.zeros((0, 3))]).takes_samples_alone(0)
    assert not unrolled(Linear(3, 2), inputs=[np.full((2, 3), np.nan)]).takes_samples_alone(0)
    differing = Graph({"y": (Add(), "a", "b")}, inputs=("a", "b"), outputs="y")
    assert unrolled(differing, (3,), (3,)).takes_samples_alone(0)

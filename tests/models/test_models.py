import numpy as np
import pytest

from tests.layers.shared import draw, images, shapes_of, trained
from tests.ops.peers import functional, needs_torch, pytorch, tensor
from tests.ops.shared import assert_close, refusal
from whygrad import models
from whygrad.checking import INPUT, Verdict, check_model
from whygrad.errors import OptionError, ShapeError
from whygrad.layers import count
from whygrad.losses import cross_entropy
from whygrad.models import MODELS, digits_cnn, lenet5, mnist_cnn, model_builder, resnet20, vgg_small

KNOWN = 1e-7  # how well a right gradient must be known, relative to its largest entry
COUNTS = {
    "compact_cnn": 421738,
    "vgg_slim": 141418,
    "digits_cnn": 9978,
    "lenet5": 61706,
    "mnist_cnn": 1199882,
    "vgg_small": 1186378,
    "resnet20": 272474,
}
#: A shape of images so small that a few evaluations of every model take no time.
SMALL = {
    "compact_cnn": (1, 4, 4),
    "digits_cnn": (1, 4, 4),
    "lenet5": (1, 12, 12),
    "mnist_cnn": (1, 6, 6),
    "vgg_slim": (1, 8, 8),
    "vgg_small": (3, 8, 8),
    "resnet20": (3, 8, 8),
}
every_model = pytest.mark.parametrize("name", COUNTS)


def test_every_model_is_registered_exported_and_counted():
    assert set(MODELS) == set(COUNTS)
    for name, builder in MODELS.items():
        assert getattr(models, name) is builder is model_builder(name)


def test_an_unknown_model_is_refused_with_the_known_ones():
    with refusal(
        OptionError,
        "model: expected one of compact_cnn, digits_cnn, lenet5, mnist_cnn, resnet20, vgg_slim, vgg_small, ",
    ):
        model_builder("alexnet")


@every_model
def test_has_the_number_of_parameters_that_its_documentation_says(name):
    model = MODELS[name]()
    assert count(model) == COUNTS[name]
    assert sum(model.init(np.random.default_rng(0))[p].size for p in trained(model)) == COUNTS[name]


@every_model
def test_gives_one_score_a_class_for_images_of_the_shape_it_was_built_for(name):
    model = MODELS[name](input_shape=SMALL[name], classes=7)
    assert model.input_shape == SMALL[name]
    assert model.output_shape(SMALL[name]) == (7,)
    params = model.init(np.random.default_rng(0))
    (x,) = images(SMALL[name], dtype=np.float32)
    for training in (True, False):
        y, _, _ = model(params, x, training=training, rng=np.random.default_rng(0))
        assert y.shape == (2, 7)
        assert y.dtype == np.float32
        assert np.isfinite(y).all()


@every_model
def test_takes_images_of_its_own_default_shape(name):
    model = MODELS[name]()
    y, _, _ = model(model.init(np.random.default_rng(0)), *images(model.input_shape, batch=1, dtype=np.float32))
    assert y.shape == (1, 10)
    with refusal(ShapeError, "conv1 (conv2d): expected x with"):
        model(model.init(np.random.default_rng(0)), *images((2, *model.input_shape[1:]), dtype=np.float32))


@every_model
def test_table_has_a_line_for_every_parameter_and_no_shape_is_open(name):
    model = MODELS[name]()
    header, *lines, total = str(model).splitlines()
    assert header.split() == ["name", "layer", "output", "shape", "parameters"]
    assert total.split() == ["total", f"{COUNTS[name]:,}"]
    named = {line.split()[0] for line in lines}
    assert {parameter.rsplit(".", 1)[0] for parameter in model.parameters()} <= named
    assert sum(int(line.split()[-1].replace(",", "")) for line in lines) == COUNTS[name]
    assert not any("?" in line for line in lines)
    assert lines[-1].split()[-2] == "10"
    assert len({len(line) for line in str(model).splitlines()}) == 1


@every_model
def test_gradients_are_those_of_finite_differences(name):
    model = MODELS[name](input_shape=SMALL[name], classes=3)
    params = model.init(np.random.default_rng(1))
    (x,) = images(SMALL[name])
    report = check_model(model, params, x, np.array([0, 2]))
    assert {row.name for row in report} == trained(model) | {INPUT}
    assert {row.verdict for row in report} == {Verdict.RIGHT}, str(report)
    assert all(row.checked == row.entries and row.bound < KNOWN for row in report), str(report)


def torch_lenet5():
    nn = pytorch().nn

    class LeNet5(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

        def forward(self, x):
            f = functional()
            x = f.max_pool2d(f.relu(self.conv1(x)), 2)
            x = f.max_pool2d(f.relu(self.conv2(x)), 2)
            return self.fc3(f.relu(self.fc2(f.relu(self.fc1(x.flatten(1))))))

    return LeNet5()


def torch_resnet20():
    nn = pytorch().nn

    class BasicBlock(nn.Module):
        def __init__(self, channels, filters, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(filters)
            self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(filters)
            self.downsample = nn.Identity()
            if stride != 1 or channels != filters:
                conv = nn.Conv2d(channels, filters, 1, stride, bias=False)
                self.downsample = nn.Sequential(conv, nn.BatchNorm2d(filters))

        def forward(self, x):
            f = functional()
            y = self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x)))))
            return f.relu(y + self.downsample(x))

    class ResNet20(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
            for i, (channels, filters, stride) in enumerate([(16, 16, 1), (16, 32, 2), (32, 64, 2)], start=1):
                blocks = [BasicBlock(channels, filters, stride), *(BasicBlock(filters, filters, 1) for _ in "12")]
                setattr(self, f"layer{i}", nn.Sequential(*blocks))
            self.fc = nn.Linear(64, 10)

        def forward(self, x):
            x = functional().relu(self.bn1(self.conv1(x)))
            return self.fc(self.layer3(self.layer2(self.layer1(x))).mean(dim=(2, 3)))

    return ResNet20()


@needs_torch
@pytest.mark.parametrize(
    ("build", "peer", "shape"),
    [
        pytest.param(lenet5, torch_lenet5, (1, 28, 28), id="lenet5"),
        pytest.param(resnet20, torch_resnet20, (3, 16, 16), id="resnet20"),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_parameters_load_into_pytorch_by_name_and_outputs_and_gradients_agree(build, peer, shape, training):
    model, theirs = build(input_shape=shape), peer().double().train(training)
    params = model.init(np.random.default_rng(0), np.float64)
    if not training:  # statistics that say something
        rng = np.random.default_rng(1)
        params |= {n: 0.1 * rng.normal(size=a.shape) for n, a in params.items() if n.endswith("running_mean")}
        params |= {n: rng.uniform(0.5, 1.5, a.shape) for n, a in params.items() if n.endswith("running_var")}
    counters = {name: array for name, array in theirs.state_dict().items() if name.endswith("num_batches_tracked")}
    theirs.load_state_dict({name: tensor(array) for name, array in params.items()} | counters, strict=True)

    (x,), target = images(shape, batch=3), np.array([1, 0, 9])
    y, pullback, changed = model(params, x, training=training)
    value, dy = cross_entropy(y, target)
    dx, gradients = pullback(dy)

    their_x = tensor(x, requires_grad=True)
    wanted = theirs(their_x)
    loss = functional().cross_entropy(wanted, pytorch().tensor(target))
    loss.backward()
    assert_close(y, wanted.detach().numpy())
    assert value == pytest.approx(loss.item(), rel=1e-12)
    assert_close(dx, their_x.grad.numpy())
    expected = {name: parameter.grad.numpy() for name, parameter in theirs.named_parameters()}
    assert set(gradients) == set(expected)
    for name, gradient in gradients.items():
        assert np.abs(expected[name]).max() > 0
        assert_close(gradient, expected[name])
    statistics = {name for name in params if "running" in name}
    assert set(changed) == (statistics if training else set())
    for name, array in changed.items():
        assert_close(array, theirs.state_dict()[name].numpy())


def test_layers_are_those_of_the_documentation():
    assert list(digits_cnn().layers)[-3:] == ["flatten", "dropout", "fc1"]
    assert shapes_of(lenet5())["fc1.weight"] == (120, 400)
    assert shapes_of(mnist_cnn())["fc1.weight"] == (128, 9216)
    assert shapes_of(vgg_small())["conv6.weight"] == (256, 256, 3, 3)
    assert shapes_of(resnet20())["layer2.0.downsample.0.weight"] == (32, 16, 1, 1)


@every_model
def test_colour_changes_the_first_layer_alone(name):
    height, width = SMALL[name][1:]
    grey, colour = (shapes_of(MODELS[name](input_shape=(c, height, width))) for c in (1, 3))
    assert {parameter for parameter in grey if grey[parameter] != colour[parameter]} == {"conv1.weight"}


def test_images_too_small_for_the_model_are_refused():
    with refusal(ShapeError, "conv2 (conv2d): expected a window no larger than the padded image of 4x4"):
        lenet5(input_shape=(1, 8, 8))


@every_model
def test_parameters_of_another_seed_differ_and_of_the_same_do_not(name):
    model = MODELS[name](input_shape=SMALL[name])
    first, same, other = (model.init(np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_equal(first, same)
    assert not np.array_equal(first["conv1.weight"], other["conv1.weight"])
    assert shapes_of(model) == {name: array.shape for name, array in draw(model).items()}

"""Mistakes planted in Functions and modules are named as they are in NumPy."""

import importlib

import pytest

from tests.interop.torch.shared import ByHand, Linear, Product, changed, forgotten
from whygrad import OptionError
from whygrad.diagnosis import Diagnosis, Judgement

torch = pytest.importorskip("torch")
Function, functional = torch.autograd.Function, torch.nn.functional
diagnose = importlib.import_module("whygrad.interop.torch").diagnose


class Convolution(Function):
    """conv2d with a backward that is put together from PyTorch's own."""

    @staticmethod
    def forward(ctx, input, weight, bias=None, stride=1, padding=0):  # noqa: A002
        ctx.save_for_backward(input, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(input, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        dx = torch.nn.grad.conv2d_input(x.shape, w, dy, ctx.stride, ctx.padding)
        dw = torch.nn.grad.conv2d_weight(x, w.shape, dy, ctx.stride, ctx.padding)
        return dx, dw, dy.sum((0, 2, 3)), None, None


def unrotated(ctx, dy):
    x, w = ctx.saved_tensors
    right = Convolution.backward(ctx, dy)
    dx = torch.nn.grad.conv2d_input(x.shape, w.flip(2, 3), dy, ctx.stride, ctx.padding)
    return dx, *right[1:]


def summed_over_one_axis_less(ctx, dy):
    dx, dw, _, *rest = Convolution.backward(ctx, dy)
    return dx, dw, dy.sum((2, 3)).mean(0), *rest


class Layer(torch.nn.Module):
    """A module with options as attributes, around a Function."""

    def __init__(self, function, stride=1):
        super().__init__()
        self.function, self.stride, self.padding = function, stride, 0
        self.weight = torch.nn.Parameter(torch.zeros(2, 2, 3, 3))
        self.bias = torch.nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return self.function.apply(x, self.weight, self.bias, self.stride, self.padding)


class TestFunctions:
    def test_right(self):
        found = diagnose(Convolution, "conv2d")
        assert isinstance(found, Diagnosis)
        assert found.healthy, str(found)
        assert [finding.output for finding in found] == ["dx", "dw", "db", "y"]

    @pytest.mark.parametrize(
        ("backward", "output", "cause"),
        [(unrotated, "dx", "kernel_not_rotated"), (summed_over_one_axis_less, "db", "batch_scale_wrong")],
    )
    def test_mistakes_have_their_names(self, backward, output, cause):
        for thing in (changed(Convolution, backward=backward), changed(Convolution, backward=backward).apply):
            found = diagnose(thing, "conv2d")
            assert found.cause == cause, str(found)
            assert found[output].verdict is Judgement.WRONG
            assert all(f.fine for f in found if f.output != output)

    def test_a_stride_that_the_backward_pass_forgets(self):
        def backward(ctx, dy):
            x, _ = ctx.saved_tensors
            right = Convolution.backward(ctx, dy)
            if ctx.stride not in (1, (1, 1)):
                return torch.zeros_like(x), *right[1:]
            return right

        found = diagnose(changed(Convolution, backward=backward), "conv2d")
        assert not found.healthy
        assert not found["dx"].fine
        assert found["dw"].fine

    def test_without_a_bias(self):
        def backward(ctx, dy):
            x, w = ctx.saved_tensors
            return dy @ w, x.t() @ dy

        found = diagnose(changed(Product, backward=backward), "linear")
        assert found.cause == "weight_gradient_transposed"
        assert [f.output for f in found] == ["dx", "dw", "y"]

    def test_an_activation_without_its_name(self):
        class Swish(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * torch.sigmoid(x)

            @staticmethod
            def backward(ctx, dy):
                (x,) = ctx.saved_tensors
                return dy * torch.sigmoid(x)

        found = diagnose(Swish)
        assert found.subject == "silu"
        assert found.cause == "activation_derivative_formula_wrong"

    def test_a_function_of_its_own_at_its_inputs(self):
        class Ratio(Function):
            @staticmethod
            def forward(ctx, a, b):
                ctx.save_for_backward(a, b)
                return a / (1 + b * b)

            @staticmethod
            def backward(ctx, dy):
                a, b = ctx.saved_tensors
                return dy / (1 + b * b), 2 * a * b * dy / (1 + b * b) ** 2

        found = diagnose(Ratio, inputs=(torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.3, 1.2, -0.7])))
        assert found["da"].fine
        assert found["db"].cause is not None
        assert "sign" in f"{found['db'].cause} {found['db'].says}"

    def test_gradients_that_are_missing_or_misshapen(self):
        found = diagnose(changed(Linear, backward=forgotten), "linear")
        assert found["db"].verdict is Judgement.MISSING
        assert found.cause == "missing_bias_gradient"

    def test_writing_to_the_inputs_is_seen(self):
        def forward(ctx, input, weight, bias=None, stride=1, padding=0):  # noqa: A002
            input.add_(1.0)
            return Convolution.forward(ctx, input, weight, bias, stride, padding)

        assert not diagnose(changed(Convolution, forward=forward), "conv2d").healthy


class TestModules:
    def test_right_whatever_its_sizes(self):
        layer = Layer(Convolution)
        before = {name: t.clone() for name, t in layer.state_dict().items()}
        assert diagnose(layer, "conv2d").healthy
        assert layer.stride == 1
        assert all(torch.equal(t, before[name]) for name, t in layer.state_dict().items())

    @pytest.mark.parametrize(
        ("module", "name"),
        [
            (torch.nn.Conv2d(2, 3, 3), "conv2d"),
            (torch.nn.Linear(3, 2), "linear"),
            (torch.nn.MaxPool2d(2), "max_pool2d"),
            (torch.nn.LeakyReLU(0.1), "leaky_relu"),
            (torch.nn.SiLU(), "silu"),
            (torch.sin, None),
        ],
        ids=["Conv2d", "Linear", "MaxPool2d", "LeakyReLU", "SiLU", "sin"],
    )
    def test_what_pytorch_brings(self, module, name):
        found = diagnose(module, name)
        assert found.healthy, str(found)

    def test_a_mistake_in_the_function_inside(self):
        assert diagnose(Layer(changed(Convolution, backward=unrotated)), "conv2d").cause == "kernel_not_rotated"

    def test_a_backward_method_of_its_own(self):
        assert diagnose(ByHand(1.0), "linear").healthy
        found = diagnose(ByHand(2.0), "linear")
        assert found.cause == "gradient_counted_twice"
        assert found["db"].verdict is Judgement.WRONG

    def test_a_module_of_several_layers(self):
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
        with pytest.raises(
            OptionError, match=r"a module of one operation, received Sequential, which has 0\.weight"
        ):
            diagnose(net, "linear")


def test_an_operation_that_is_unknown():
    with pytest.raises(OptionError, match="conv3d"):
        diagnose(Convolution, "conv3d")


def test_nothing_that_can_be_called():
    with pytest.raises(OptionError, match="something that can be called"):
        diagnose(3, "conv2d")

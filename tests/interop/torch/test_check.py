"""Backward passes written for PyTorch: right ones pass, and each planted mistake is found and named."""

import importlib
import time

import pytest

from tests.interop.torch.shared import (
    ByHand,
    Linear,
    Product,
    changed,
    forgotten,
    linear_inputs,
    normal,
    transposed,
)
from whygrad import CheckError, OptionError
from whygrad.checking import Report, Verdict

torch = pytest.importorskip("torch")
Function = torch.autograd.Function
check = importlib.import_module("whygrad.interop.torch").check


class TestRight:
    def test_a_function(self):
        report = check(Linear, linear_inputs())
        assert isinstance(report, Report)
        assert report.right
        assert [row.name for row in report] == ["x", "w", "b"]
        assert [row.checked for row in report] == [12, 15, 5]
        assert report.subject == "Linear"
        assert not report.findings
        assert report.to_dict()["torch"] == torch.__version__

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_inputs_of_every_precision(self, dtype):
        assert check(Linear, tuple(t.to(dtype) for t in linear_inputs())).right

    def test_apply_and_a_wrapped_function(self):
        x, w, b = linear_inputs()
        report = check(Linear.apply, (x, w, b))
        assert report.right
        assert report.subject == "Linear"
        report = check(lambda x, w: Linear.apply(x, w, b.double()).tanh(), (x.double(), w.double()), habits=False)
        assert report.right
        assert [row.name for row in report] == ["x", "w"]

    def test_inputs_that_are_not_contiguous_themselves(self):
        _, w, b = linear_inputs()
        assert check(Linear, (normal(3, 4).t(), w.repeat(2, 1)[::2], b.expand(5))).right

    def test_only_inputs_that_require_a_gradient_if_any_does(self):
        x, w, b = linear_inputs()
        assert [row.name for row in check(Linear, (x, w.requires_grad_(), b))] == ["w"]

    def test_integers_and_other_arguments_are_passed_on(self):
        class Gather(Function):
            @staticmethod
            def forward(ctx, x, index, scale, mode="plain"):
                assert mode == "square"
                assert index.dtype == torch.int64
                ctx.save_for_backward(x, index)
                ctx.scale = scale
                return scale * x[index] ** 2

            @staticmethod
            def backward(ctx, dy):
                x, index = ctx.saved_tensors
                dx = torch.zeros_like(x).index_add_(0, index, 2 * ctx.scale * x[index] * dy)
                return dx, None, None, None

        report = check(Gather, (normal(5, 2), torch.tensor([0, 3, 3]), 1.5, "square"))
        assert report.right
        assert [row.name for row in report] == ["x"]

    def test_several_outputs_of_which_one_has_no_gradient(self):
        class Largest(Function):
            @staticmethod
            def forward(ctx, x):
                value, index = x.max(dim=1)
                ctx.save_for_backward(index)
                positive = x > 0
                ctx.mark_non_differentiable(index, positive)
                ctx.shape = x.shape
                return value, index, 2 * x, positive

            @staticmethod
            def backward(ctx, dvalue, _, ddouble, __):
                (index,) = ctx.saved_tensors
                dx = torch.zeros(ctx.shape, dtype=dvalue.dtype)
                return dx.scatter_(1, index[:, None], dvalue[:, None]) + 2 * ddouble

        report = check(Largest, normal(3, 4))
        assert report.right
        assert report["x"].checked == 12

    def test_a_scalar_output(self):
        class Half(Function):
            @staticmethod
            def forward(ctx, x, t):
                ctx.save_for_backward(x, t)
                return 0.5 * ((x - t) ** 2).sum()

            @staticmethod
            def backward(ctx, dy):
                x, t = ctx.saved_tensors
                return dy * (x - t), dy * (t - x)

        assert check(Half, (normal(3, 2), normal(3, 2))).right

    def test_forward_and_setup_context_apart(self):
        class Cube(Function):
            @staticmethod
            def forward(x):
                return x**3

            @staticmethod
            def setup_context(ctx, inputs, output):
                ctx.save_for_backward(inputs[0])

            @staticmethod
            def backward(ctx, dy):
                (x,) = ctx.saved_tensors
                return 3 * x**2 * dy

        assert check(Cube, normal(7)).right

    def test_in_place_and_said_so(self):
        class Double(Function):
            @staticmethod
            def forward(ctx, x):
                x.mul_(2)
                ctx.mark_dirty(x)
                return x

            @staticmethod
            def backward(ctx, dy):
                return 2 * dy

        assert check(Double, normal(3, 4)).right

    def test_a_kink_is_right_on_either_side(self):
        class ReLU(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x.clamp(min=0)

            @staticmethod
            def backward(ctx, dy):
                (x,) = ctx.saved_tensors
                return dy * (x > 0)

        report = check(ReLU, torch.tensor([0.0, 1.0, -2.0]))
        assert report.right
        assert report["x"].verdict is Verdict.KINK

    def test_none_stands_for_a_gradient_that_is_zero(self):
        class First(Function):
            @staticmethod
            def forward(ctx, x, unused):
                return 3 * x

            @staticmethod
            def backward(ctx, dy):
                return 3 * dy, None

        assert check(First, (normal(2, 3), normal(4))).right


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(normal(5, 3))
        self.bias = torch.nn.Parameter(normal(5))
        self.frozen = torch.nn.Parameter(normal(5), requires_grad=False)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.calls += 1
        return self.frozen * Linear.apply(x, self.weight, self.bias)


class TestModules:
    def test_parameters_are_checked_and_nothing_is_changed(self):
        layer, x = Layer(), normal(4, 3)
        before = {name: t.clone() for name, t in layer.state_dict().items()}
        state = torch.get_rng_state()
        report = check(layer, x)
        assert report.right
        assert [row.name for row in report] == ["x", "weight", "bias"]
        assert all(torch.equal(t, before[name]) for name, t in layer.state_dict().items())
        assert layer.weight.grad is None
        assert layer.weight.dtype == torch.float32
        assert torch.equal(torch.get_rng_state(), state)

    def test_what_it_keeps_of_earlier_calls_is_left_as_it_is(self):
        class Keeping(torch.nn.Linear):
            def forward(self, x):
                self.y = super().forward(x)
                return self.y

        layer = Keeping(3, 2)
        y = layer(normal(4, 3))
        assert check(layer, normal(4, 3)).right
        assert layer.y is y

    def test_layers_of_layers_with_dropout_and_batch_norm(self):
        net = torch.nn.Sequential(
            torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.4), torch.nn.Flatten()
        )
        report = check(net, normal(3, 2, 4, 4))
        assert report.right, str(report)
        assert [row.name for row in report] == ["input", "0.weight", "0.bias", "1.weight", "1.bias"]

    def test_arguments_by_name(self):
        assert check(torch.nn.Bilinear(2, 3, 2), {"input2": normal(4, 3), "input1": normal(4, 2)}).right

    def test_a_backward_method_of_its_own(self):
        assert check(ByHand(), normal(4, 3)).right
        report = check(ByHand(2.0), normal(4, 3))
        assert [str(row.verdict) for row in report] == ["right", "right", "wrong"]
        assert "exactly twice too large" in " ".join(report["bias"].findings)

    def test_a_backward_method_that_keeps_nothing(self):
        class OnlyInput(ByHand):
            def backward(self, dy):
                return dy @ self.weight

        report = check(OnlyInput(), normal(4, 3))
        assert [str(row.verdict) for row in report] == ["right", "wrong", "wrong"]
        assert "backward gives None in its place" in report["weight"].findings[0]


def averaged(ctx, dy):
    x, w = ctx.saved_tensors
    return dy @ w, dy.t() @ x, dy.mean(dim=0)


def viewing(ctx, dy):
    x, w = ctx.saved_tensors
    return dy @ w, dy.t() @ x, dy.view(-1).view(dy.shape).sum(dim=0)


def by_strides(ctx, dy):
    """Read dy's memory as if it were contiguous, as an extension in C does."""
    x, w = ctx.saved_tensors
    dy = dy.as_strided(dy.shape, (dy.shape[1], 1)) if dy.stride() != (0, 0) else dy
    return dy @ w, dy.t() @ x, dy.sum(dim=0)


def greedy(ctx, dy):
    """Return what is asked for only, without keeping its place."""
    x, w = ctx.saved_tensors
    every = dy @ w, dy.t() @ x, dy.sum(dim=0)
    if all(ctx.needs_input_grad):
        return every
    return (None, every[1], every[2]) if ctx.needs_input_grad[2] else (every[0], 0.5 * every[1], None)


def writing(ctx, dy):
    x, w = ctx.saved_tensors
    dx, dw = dy @ w, dy.t() @ x
    return dx, dw, dy.mul_(1.0).add_(1e-3).sub(1e-3).sum(dim=0)


def spoiling(ctx, dy):
    x, w = ctx.saved_tensors
    gradients = dy @ w, dy.t() @ x, dy.sum(dim=0)
    w.data.zero_()
    return gradients


def half_precise(ctx, dy):
    x, w = ctx.saved_tensors
    dx = dy @ w if dy.dtype == torch.float64 else (dy * 1e25 @ (w * 1e20)) / 1e25 / 1e20
    return dx, dy.t() @ x, dy.sum(dim=0)


class TestPlanted:
    @pytest.mark.parametrize(
        ("backward", "name", "said"),
        [
            (transposed, "w", "transpose it"),
            (averaged, "b", "the batch size"),
            (forgotten, "b", "backward gives None in its place"),
            (viewing, "b", "where dy is not contiguous, it fails: RuntimeError: view size is not compatible"),
            (by_strides, "w", "where dy is not contiguous, it is another one"),
            (greedy, "w", "where only w requires a gradient, it is another one"),
            (writing, "x", "backward writes to dy, which belongs to its caller"),
            (half_precise, "x", "right in float64, and in float32 it is not"),
        ],
    )
    def test_mistakes_of_backward(self, backward, name, said):
        report = check(changed(Linear, backward=backward), linear_inputs())
        assert not report.right
        assert report[name].verdict in (Verdict.WRONG, Verdict.NOT_FINITE)
        assert said in " ".join(report[name].findings), str(report)

    @pytest.mark.parametrize("backward", [viewing, by_strides, greedy, writing, half_precise])
    def test_what_the_numbers_alone_do_not_show(self, backward):
        assert check(changed(Linear, backward=backward), linear_inputs(), habits=False).right

    def test_saved_tensors_that_backward_changes(self):
        report = check(changed(Linear, backward=spoiling), linear_inputs())
        assert not report.right
        assert "a second time" in str(report) or "backward writes to the input w" in str(report)

    def test_state_that_is_kept_in_one_place_for_all_calls(self):
        kept = {}

        def forward(ctx, x, w, b):
            kept["x"], kept["w"] = x, w
            return x @ w.t() + b

        def backward(ctx, dy):
            return dy @ kept["w"], dy.t() @ kept["x"], dy.sum(dim=0)

        report = check(changed(Linear, forward=forward, backward=backward), linear_inputs())
        assert [str(row.verdict) for row in report] == ["wrong", "wrong", "right"]
        assert "where forward was called with other numbers before backward" in report["x"].findings[0]

    def test_attributes_where_save_for_backward_belongs_are_a_remark(self):
        def forward(ctx, x, w, b):
            ctx.x, ctx.w = x, w
            return x @ w.t() + b

        def backward(ctx, dy):
            return dy @ ctx.w, dy.t() @ ctx.x, dy.sum(dim=0)

        report = check(changed(Linear, forward=forward, backward=backward), linear_inputs())
        assert report.right
        (remark,) = report.findings
        assert "changes the gradient of w without a word: save tensors with ctx.save_for_backward" in remark
        assert remark.split(":")[0] in " ".join(str(report).split())

    def test_in_place_without_saying_so(self):
        class Double(Function):
            @staticmethod
            def forward(ctx, x):
                x.mul_(2)
                return x.clone()

            @staticmethod
            def backward(ctx, dy):
                return 2 * dy

        x = normal(3, 4)
        before = x.clone()
        report = check(Double, x)
        assert report["x"].verdict is Verdict.WRONG
        assert "call ctx.mark_dirty(x), or work on a copy" in report["x"].findings[0]
        assert torch.equal(x, before)

    def test_an_output_that_is_used_alone(self):
        class SinCos(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.set_materialize_grads(False)
                ctx.save_for_backward(x)
                return x.sin(), x.cos()

            @staticmethod
            def backward(ctx, dsin, dcos):
                (x,) = ctx.saved_tensors
                return x.cos() * dsin - x.sin() * dcos

        report = check(SinCos, normal(6))
        assert "where output 1 of 2 is used alone, it fails: TypeError" in report["x"].findings[0]

    def test_a_mask_that_is_drawn_again(self):
        class Dropout(Function):
            @staticmethod
            def forward(ctx, x):
                return x * (torch.rand(x.shape) > 0.5)

            @staticmethod
            def backward(ctx, dy):
                return dy * (torch.rand(dy.shape) > 0.5)

        assert check(Dropout, normal(6, 5))["x"].verdict is Verdict.WRONG

    def test_an_image_whose_strides_are_relied_on(self):
        class Scale(Function):
            @staticmethod
            def forward(ctx, x):
                flat = x.as_strided((x.numel(),), (1,))
                return (flat * flat).reshape(x.shape).clone()

            @staticmethod
            def backward(ctx, dy):
                return dy

        report = check(Scale, torch.full((1, 2, 3, 2), 0.5))
        assert not report.right

    def test_numbers_that_are_not_finite(self):
        class Root(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x.clamp(min=0).sqrt()

            @staticmethod
            def backward(ctx, dy):
                (x,) = ctx.saved_tensors
                return dy / (2 * x.clamp(min=0).sqrt())

        assert check(Root, torch.tensor([1.0, 4.0, -1.0]))["x"].verdict is Verdict.NOT_FINITE

    def test_a_failure_where_an_input_lies_at_a_kink(self):
        class ReLU(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x.clamp(min=0)

            @staticmethod
            def backward(ctx, dy):
                (x,) = ctx.saved_tensors
                return (dy.view(-1) * (x > 0).reshape(-1)).view(dy.shape)

        report = check(ReLU, torch.tensor([[0.0, 1.0], [2.0, -2.0]]))
        assert "view size is not compatible" in report["x"].findings[0]

    def test_what_works_in_one_precision_only(self):
        def backward(ctx, dy):
            x, w = ctx.saved_tensors
            return dy @ w, (dy.t() @ x.to(torch.float64)), dy.sum(dim=0)

        report = check(changed(Linear, backward=backward), linear_inputs())
        assert (
            "in float32 it fails: RuntimeError: expected m1 and m2 to have the same dtype"
            in report["w"].findings[0]
        )


class TestErrors:
    def test_what_cannot_be_called(self):
        with pytest.raises(OptionError, match=r"torch: expected something that can be called, received int; pass"):
            check(3, normal(2))

    def test_no_inputs(self):
        with pytest.raises(OptionError, match="inputs: expected the tensors at which to look, received none"):
            check(Linear, ())

    def test_nothing_real_to_check(self):
        with pytest.raises(OptionError, match="at least one tensor of real numbers"):
            check(lambda n: n * 2, torch.tensor([1, 2]))

    def test_complex_and_nested_tensors(self):
        with pytest.raises(OptionError, match=r"received torch\.complex64; split it"):
            check(lambda x: x.abs(), torch.ones(2, dtype=torch.complex64))
        with pytest.raises(OptionError, match="a list of tensors; wrap it in a function"):
            check(sum, ([normal(2), normal(2)],))

    def test_no_history(self):
        with pytest.raises(CheckError, match="expected an output with a history, received none"):
            check(lambda x: x.detach() * 2, normal(3))

    def test_forward_that_returns_nothing(self):
        with pytest.raises(
            CheckError, match="forward: expected a tensor or several, received NoneType; let it return"
        ):
            check(lambda x: None, normal(3))

    def test_backward_that_fails_says_in_which_line(self):
        def backward(ctx, dy):
            raise ZeroDivisionError("no")

        with pytest.raises(CheckError, match=r"ZeroDivisionError: no \(line \d+ of test_check.py\)"):
            check(changed(Linear, backward=backward), linear_inputs())

    def test_a_module_that_cannot_be_copied(self):
        layer = torch.nn.Linear(2, 2)
        layer.kept = [layer(normal(1, 2))]
        with pytest.raises(CheckError, match="Linear: expected a module that can be copied, received RuntimeError"):
            check(layer, normal(4, 2))

    def test_forward_that_does_not_come_back(self):
        def forward(x):
            time.sleep(3)
            return x

        with pytest.raises(CheckError, match=r"a value within 0\.2 s"):
            check(forward, normal(2), time_limit=0.2)

    def test_a_wrong_number_of_gradients(self):
        with pytest.raises(CheckError, match="returned an incorrect number of gradients"):
            check(changed(Linear, backward=lambda ctx, dy: (dy, dy)), linear_inputs())


class TestWhatPyTorchBrings:
    """Modules that thousands rely on: whatever is found wrong here is wrong with the check."""

    @pytest.mark.parametrize(
        ("module", "inputs"),
        [
            (torch.nn.ConvTranspose2d(2, 3, 3, stride=2), normal(2, 2, 2, 3)),
            (torch.nn.GroupNorm(2, 4), normal(2, 4, 2, 2)),
            (torch.nn.LayerNorm(6), normal(3, 6)),
            (torch.nn.GRU(2, 3), normal(3, 2, 2)),
            (torch.nn.MultiheadAttention(4, 2), (normal(2, 1, 4), normal(2, 1, 4), normal(2, 1, 4))),
            (torch.nn.Embedding(7, 3), torch.tensor([[1, 2], [3, 3]])),
            (torch.nn.Embedding(7, 3, sparse=True), torch.tensor([[1, 2], [3, 3]])),
            (torch.nn.CrossEntropyLoss(), (normal(4, 3), torch.tensor([0, 1, 2, 1]))),
            (torch.nn.MaxPool2d(2), normal(2, 2, 4, 4)),
            (torch.nn.ReLU(inplace=True), normal(3, 4)),
            (torch.nn.Dropout(0.3, inplace=True), normal(5, 5)),
            (torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 2)), normal(3, 3)),
            (torch.sort, normal(6)),
            (torch.linalg.svdvals, normal(4, 3)),
            (torch.sin, torch.tensor(0.3)),
            (torch.sin, torch.zeros(0, 3)),
            (torch.exp, 30 * normal(4)),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else None,
    )
    def test_is_right(self, module, inputs):
        report = check(module, inputs)
        assert report.right, str(report)
        assert not report.findings

    def test_parameters_that_two_layers_share(self):
        net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh(), torch.nn.Linear(3, 3))
        net[2].weight = net[0].weight
        report = check(net, normal(4, 3))
        assert report.right
        assert [row.name for row in report] == ["input", "0.weight", "0.bias", "2.bias"]

    def test_one_wrong_entry_of_thousands(self):
        def backward(ctx, dy):
            dx, dw = Product.backward(ctx, dy)
            dw[17, 41] *= 1.0001
            return dx, dw

        report = check(changed(Product, backward=backward), (normal(3, 100), normal(80, 100)))
        assert [str(row.verdict) for row in report] == ["right", "wrong"]
        assert report["w"].worst.index == (17, 41)

"""Functions and modules for PyTorch, right ones and some with a mistake, that several tests look at."""

import pytest

torch = pytest.importorskip("torch")
Function, once_differentiable = torch.autograd.Function, torch.autograd.function.once_differentiable
GENERATOR = torch.Generator().manual_seed(3)


def normal(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=GENERATOR, dtype=dtype)


class Linear(Function):
    """y = x·wᵀ + b, as it should be; mistakes are planted in subclasses."""

    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        return x @ w.t() + b

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy @ w, dy.t() @ x, dy.sum(dim=0)


def linear_inputs():
    return normal(4, 3), normal(5, 3), normal(5)


class Product(Function):
    """y = x·wᵀ, as it should be."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w.t()

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy @ w, dy.t() @ x


def changed(function, **methods):
    """Return a Function with another forward or backward."""
    return type("Changed", (function,), {name: staticmethod(method) for name, method in methods.items()})


def transposed(ctx, dy):
    x, w = ctx.saved_tensors
    return dy @ w, x.t() @ dy, dy.sum(dim=0)


def forgotten(ctx, dy):
    x, w = ctx.saved_tensors
    return dy @ w, dy.t() @ x, None


class ByHand(torch.nn.Module):
    """A dense layer with a backward of its own, whose bias gets so many times its gradient."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.weight, self.bias = torch.nn.Parameter(normal(5, 3)), torch.nn.Parameter(normal(5))
        self.factor = factor

    def forward(self, x):
        self.x = x
        return x @ self.weight.t() + self.bias

    def backward(self, dy):
        self.weight.grad = dy.t() @ self.x
        self.bias.grad = self.factor * dy.sum(dim=0)
        return dy @ self.weight

"""Comparison with PyTorch, for the tests that ask for it; the others run without it."""

import warnings
from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest

from tests.ops.shared import assert_close

needs_torch = pytest.mark.skipif(
    find_spec("torch") is None, reason="PyTorch is absent; install it with: pip install whygrad[torch]"
)


@cache
def pytorch():
    """Return the module torch, imported without its warnings and kept to one thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
    torch.set_num_threads(1)
    return torch


def functional():
    """Return PyTorch's functions of the same names as ours."""
    return pytorch().nn.functional


def tensor(array, *, requires_grad=False):
    """Return a copy in float64, so that what differs from it is our rounding alone."""
    exact = np.array(array, dtype=np.float64, order="C")
    return pytorch().tensor(exact, requires_grad=requires_grad)


def assert_agrees(ours, theirs, source, *inputs):
    """Require the value and every gradient, for a random dy, to be those of PyTorch."""
    y, pullback = ours(*inputs)
    tensors = [tensor(array, requires_grad=True) for array in inputs]
    wanted = theirs(*tensors)
    assert_close(y, wanted.detach().numpy(), source.dtype)

    dy = source.normal(*y.shape)
    returned = pullback(dy)
    gradients = [g for g in (returned if isinstance(returned, tuple) else (returned,)) if g is not None]
    wanted_gradients = pytorch().autograd.grad(wanted, tensors, tensor(dy))
    assert len(gradients) == len(wanted_gradients)
    for gradient, wanted_gradient in zip(gradients, wanted_gradients, strict=True):
        assert_close(gradient, wanted_gradient.numpy(), source.dtype)

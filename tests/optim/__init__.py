"""What the tests of the optimisers share: a comparison with PyTorch, step by step."""

import warnings

import numpy as np
import pytest

STEPS = 14
# In float64 both compute the same formula and differ by the order of a few roundings; in float32 each of the
# steps adds some, relative to the parameters of order 1.
TOLERANCE = {"float64": {"rtol": 1e-12, "atol": 1e-14}, "float32": {"rtol": 1e-5, "atol": 2e-6}}
DTYPES = tuple(TOLERANCE)


def import_torch():
    """Return the module torch on one thread, or skip the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = pytest.importorskip(
            "torch", reason="PyTorch is absent; install it with: pip install whygrad[torch]"
        )
    torch.set_num_threads(1)
    return torch


def parameters(dtype):
    """Return parameters of order 1 with an unusual shape among them."""
    rng = np.random.default_rng(7)
    shapes = {"conv.weight": (3, 2, 2, 2), "conv.bias": (3,), "scale": (), "empty": (0, 4)}
    return {name: np.asarray(rng.normal(size=shape), dtype) for name, shape in shapes.items()}


def gradients(step, dtype):
    """Return the gradients of a step: sizes from 0 to about 30, signs mixed."""
    rng = np.random.default_rng(100 + step)
    drawn = {}
    for name, value in parameters(dtype).items():
        size = 10 ** rng.uniform(-3, 1.5, value.shape)
        drawn[name] = np.asarray(size * rng.choice([-1, 0, 1], value.shape, p=[0.4, 0.2, 0.4]), dtype)
    return drawn


def assert_follows_torch(ours, theirs, dtype, *, shrink=0.0):
    """Require the parameters after each of the steps to be those of PyTorch.

    ``theirs`` makes PyTorch's optimiser from its tensors; before each of its steps they are multiplied by
    1 − ``shrink``.
    """
    torch = import_torch()
    params = parameters(dtype)
    tensors = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in params.items()}
    optimizer, state = theirs(list(tensors.values())), ours.init(params)
    for step in range(STEPS):
        drawn = gradients(step, dtype)
        with torch.no_grad():
            for name, held in tensors.items():
                held.mul_(1 - shrink)
                held.grad = torch.tensor(drawn[name])
        optimizer.step()
        params, state = ours.update(params, drawn, state)
        assert state.step == step + 1
        for name, held in tensors.items():
            assert params[name].dtype == dtype
            wanted = held.detach().numpy()
            np.testing.assert_allclose(
                params[name], wanted, **TOLERANCE[dtype], err_msg=f"{name} after step {step}"
            )


def run(optimizer, w, *grads):
    """Return a single parameter after an update with each of the gradients, and the state."""
    params = {"w": np.array(w)}
    state = optimizer.init(params)
    for g in grads:
        params, state = optimizer.update(params, {"w": np.array(g)}, state)
    return params["w"], state

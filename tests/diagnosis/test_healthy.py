"""Right code gets no accusation, in whatever form it is written."""

import numpy as np
import pytest

from tests.diagnosis.healthy import variants
from whygrad.diagnosis import diagnose, diagnose_arrays

VARIANTS = dict(variants())
SEEDS = 6


@pytest.mark.parametrize("name", VARIANTS)
def test_right_code_is_healthy(name):
    for seed in range(SEEDS):
        found = VARIANTS[name](seed)
        assert found.healthy, f"seed {seed}\n{found}"
        assert found.cause == "no_bug"
        assert not any(finding.cause for finding in found)


def test_there_are_hundreds_of_them():
    assert SEEDS * len(VARIANTS) >= 500


@pytest.mark.parametrize("seed", range(8))
def test_pytorch_is_not_accused(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)

    def gradients(function, dy, *arrays):
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        function(*tensors).backward(torch.tensor(dy))
        return tuple(t.grad.numpy() for t in tensors)

    f = torch.nn.functional

    def conv(dy, x, w, b, stride, pad):
        return gradients(lambda *a: f.conv2d(*a, stride=stride, padding=pad), dy, x, w, b)

    def pool(dy, x, k, stride):
        return gradients(lambda a: f.max_pool2d(a, k, stride), dy, x)[0]

    def norm(dy, x, gamma, beta, eps):
        return gradients(
            lambda x, g, b: f.batch_norm(x, None, None, g, b, training=True, eps=eps), dy, x, gamma, beta
        )

    assert diagnose(conv, "conv2d", seed=seed).healthy
    assert diagnose(pool, "max_pool2d", seed=seed).healthy
    assert diagnose(norm, "batch_norm2d", seed=seed).healthy
    for name in ("relu", "sigmoid", "tanh", "softplus", "elu", "silu", "gelu"):
        assert diagnose(lambda dy, x, name=name: gradients(getattr(f, name), dy, x)[0], name, seed=seed).healthy, (
            name
        )
    x, w, dy = rng.normal(size=(2, 3, 6, 7)), rng.normal(size=(4, 3, 3, 2)), rng.normal(size=(2, 4, 3, 4))
    dx, dw = gradients(
        lambda x, w: f.conv2d(x, w, stride=2, padding=1), rng.normal(size=(2, 4, 3, 4)) * 0 + dy, x, w
    )
    assert diagnose_arrays("conv2d", x=x, w=w, dy=dy, dx=dx, dw=dw, stride=2, padding=1).healthy

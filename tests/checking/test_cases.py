"""Gradients that people really wrote, wrong and suspected ones, from the collection of cases if it is there."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tests.checking.shared import said
from whygrad.checking import Verdict, check_gradient
from whygrad.errors import CheckError

FOLDER = Path(__file__).parents[2] / "shared" / "cases" / "code"
FOLDERS = [FOLDER, Path(__file__).parents[3] / "shared" / "cases" / "code"]
ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "exp": np.exp,
}


def _cases():
    """Return the cases by name."""
    found = {}
    for folder in FOLDERS:
        for path in sorted(folder.glob("*.py")) if folder.is_dir() else ():
            spec = importlib.util.spec_from_file_location(path.stem, path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            if module.CASE["kind"] in DRIVERS:
                found[path.stem] = module
    return found


def convolve(x, w, b, stride, pad):
    windows = _windows(np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))), w.shape[2:], stride)
    return np.einsum("nchwij,ocij->nohw", windows, w) + b[None, :, None, None]


def _windows(x, kernel, stride):
    return np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))[:, :, ::stride, ::stride]


def check_conv2d(case, rng):
    at = case.CASE["config"]
    inputs = {
        "x": rng.normal(size=(at["N"], at["C"], at["H"], at["W"])),
        "w": rng.normal(size=(at["O"], at["C"], at["kh"], at["kw"])),
        "b": rng.normal(size=at["O"]),
    }
    options = at["stride"], at["pad"]
    return check_gradient(
        lambda x, w, b: convolve(x, w, b, *options),
        lambda dy, x, w, b: case.backward(dy, x, w, b, *options),
        inputs,
    )


def check_linear(case, rng):
    outputs = 4 if case.CASE.get("square") else 3
    inputs = {"x": rng.normal(size=(5, 4)), "w": rng.normal(size=(4, outputs)), "b": rng.normal(size=outputs)}
    return check_gradient(lambda x, w, b: x @ w + b, case.backward, inputs)


def check_pool(case, rng):
    at = case.CASE["config"]
    x = rng.normal(size=(at["N"], at["C"], at["H"], at["W"]))
    if at.get("ties"):
        x = np.maximum(x - 0.5, 0)
    reduce = np.max if case.CASE["kind"] == "maxpool2d" else np.mean
    k, stride = at["k"], at["stride"]
    return check_gradient(
        lambda x: reduce(_windows(x, (k, k), stride), axis=(4, 5)),
        lambda dy, x: case.backward(dy, x, k, stride),
        {"x": x},
    )


def check_batchnorm(case, rng):
    x = 2 * rng.normal(size=(3, 4, 2, 3) if case.CASE["config"]["nchw"] else (6, 4))
    axes = (0, *range(2, x.ndim))
    per_channel = (1, 4) + (1,) * (x.ndim - 2)

    def normalise(x, gamma, beta):
        spread = np.sqrt(x.var(axes, keepdims=True) + 1e-5)
        y = (x - x.mean(axes, keepdims=True)) / spread
        return gamma.reshape(per_channel) * y + beta.reshape(per_channel)

    inputs = {"x": x, "gamma": rng.normal(size=4) + 2, "beta": rng.normal(size=4)}
    return check_gradient(normalise, lambda dy, x, gamma, beta: case.backward(dy, x, gamma, beta, 1e-5), inputs)


def check_activation(case, rng):
    forward = getattr(case, "forward", None) or ACTIVATIONS[case.CASE["act"]]
    return check_gradient(forward, case.backward, {"x": 1.5 * rng.normal(size=(5, 4))})


def check_softmax(case, rng):
    def softmax(z):
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    return check_gradient(softmax, case.backward, {"z": rng.normal(size=(4, 5))})


def check_loss(case, rng):
    z, t = case.data(rng)
    return check_gradient(lambda z: case.loss(z, t), lambda z: case.backward(z, t), {"z": z})


def check_network(case, rng):
    params, x, t = case.make(rng)
    return check_gradient(lambda params: case.loss(params, x, t), lambda params: case.grads(params, x, t), params)


def check_dropout(case, rng):
    x = rng.normal(size=(6, 7))
    return check_gradient(lambda x: case.forward(x, 0.5, np.random.default_rng(3)), case.backward, {"x": x})


DRIVERS = {
    "conv2d": check_conv2d,
    "linear": check_linear,
    "maxpool2d": check_pool,
    "avgpool2d": check_pool,
    "batchnorm": check_batchnorm,
    "activation": check_activation,
    "softmax": check_softmax,
    "loss_grad": check_loss,
    "network": check_network,
    "dropout": check_dropout,
}
CASES = _cases()
#: What the collection calls gradients, by what the checks call them.
NAMES = {"dx": "x", "dw": "w", "db": "b", "dz": "z", "dgamma": "gamma", "dbeta": "beta"}


@pytest.mark.skipif(not CASES, reason="the collection of cases is not there")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_a_case_is_judged_as_it_deserves(name, seed):
    case = CASES[name].CASE
    if case.get("expect") == "raises":
        with pytest.raises(CheckError, match=f"line [0-9]+ of {name}.py"):
            DRIVERS[case["kind"]](CASES[name], np.random.default_rng(seed))
        return
    report = DRIVERS[case["kind"]](CASES[name], np.random.default_rng(seed))
    expected = {NAMES.get(key, key) for key in case["wrong"]}
    assert {row.name for row in report if not row.verdict.good} == expected, str(report)
    for row in report:
        if row.name in expected:
            assert row.verdict is Verdict.WRONG, said(row)
            assert row.findings

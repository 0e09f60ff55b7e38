"""Any small network: right numbers are right, a wrong one is found, and known mistakes are named."""

import numpy as np
import pytest

from whygrad.explanation.verification import Verdict, verify
from whygrad.explanation.verification.problem import Quantity, trained
from whygrad.explanation.verification.reading import read
from whygrad.explanation.verification.worked import World
from whygrad.losses import half_squared_error
from whygrad.ops.registry import OPERATIONS

RNG = np.random.default_rng(0)


def some(*shape):
    return RNG.normal(size=shape).round(2).tolist()


CONV = {"op": "conv2d", "name": "conv"}
NETWORKS = {
    "average pooling, tanh, batch of 2": {
        "input": some(2, 1, 5, 5),
        "layers": [
            {**CONV, "weight": some(2, 1, 2, 2), "bias": some(2)},
            {"op": "tanh"},
            {"op": "avg_pool2d", "kernel_size": 2},
            {"op": "flatten"},
            {"op": "linear", "name": "fc", "weight": some(3, 8), "bias": some(3)},
        ],
        "loss": {"op": "cross_entropy", "target": [2, 0]},
    },
    "stride 2, padding, leaky ReLU": {
        "input": some(2, 5, 5),
        "layers": [
            {**CONV, "weight": some(2, 2, 3, 3), "stride": 2, "padding": 1},
            {"op": "leaky_relu", "negative_slope": 0.1},
            {"op": "max_pool2d", "kernel_size": 2, "stride": 1},
        ],
        "loss": {"op": "mean_squared_error", "target": some(1, 2, 2, 2)},
    },
    "batch norm in training, a sum of two ways": {
        "input": some(3, 1, 3, 3),
        "layers": [
            {**CONV, "weight": some(1, 1, 3, 3), "padding": 1},
            {"op": "batch_norm2d", "name": "norm", "training": True, "weight": [1.5], "bias": [0.1]},
            {"op": "add", "name": "sum", "from": ["norm", "input"]},
            {"op": "sigmoid"},
        ],
        "loss": {"op": "half_squared_error", "target": some(3, 1, 3, 3)},
    },
}


def claims_of(problem, digits=4):
    """Return every number of a problem, printed."""
    world, claims = World(problem), {}
    for quantity in problem.order():
        array = np.vectorize(lambda x: f"{x:.{digits}f}", otypes=[object])(world.used(quantity)).tolist()
        kind, name = quantity
        if kind == "loss":
            claims["loss"] = array
        elif kind in ("value", "delta"):
            claims.setdefault(kind, {})[name] = array
        else:
            layer, _, title = name.rpartition(".")
            claims.setdefault(kind, {}).setdefault(layer, {})[title] = array
    return claims


def complete(network):
    return {**network, "learning_rate": 0.1}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("convention", ["gradient", "hertz"])
def test_right_numbers_are_right(name, convention):
    network = {**complete(NETWORKS[name]), "convention": convention}
    claims = claims_of(read({**network, "claims": {"loss": 1}}))
    found = verify({**network, "claims": claims})
    assert set(found.attempts[0].counts) == {Verdict.RIGHT}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_finite_differences(name):
    problem = read({**complete(NETWORKS[name]), "claims": {"loss": 1}})
    for node in problem.nodes:
        for own in trained(node):
            w = node.parameters[own]
            gradient = World(problem).used(Quantity("gradient", f"{node.name}.{node.titles[own]}"))
            at = tuple(n - 1 for n in w.shape)
            errors = []
            for step in (1e-5, -2e-5):
                w[at] += step
                errors.append(float(World(problem).used(Quantity("loss"))))
            w[at] += 1e-5
            assert (errors[0] - errors[1]) / 2e-5 == pytest.approx(gradient[at], rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_slip_in_any_quantity_is_the_only_wrong_number(name):
    network = complete(NETWORKS[name])
    problem = read({**network, "claims": {"loss": 1}})
    for quantity in problem.order():
        if quantity.name == "input" and quantity.kind == "value":
            continue
        right = np.asarray(World(problem).used(quantity))
        at = tuple(n - 1 for n in right.shape)
        key = ",".join(map(str, at))
        leaf = {key: f"{right[at] + 0.3:.4f}"} if at else f"{right + 0.3:.4f}"
        claims = {}
        inner = claims
        *path, last = quantity.key.split(".")
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = leaf
        cell = verify({**network, "claims": claims})[quantity.key].cells[0]
        assert cell.verdict is Verdict.WRONG
        assert cell.right == pytest.approx(float(right[at]), abs=1e-12)
        assert cell.working.numbers.endswith(f"= {cell.right + 0.0:.7g}".replace("-", "−"))


SMALL = {
    "input": [[1.5, -0.5, 2.0], [0.5, 1.0, -1.0], [2.5, -2.0, 0.25]],
    "learning_rate": 0.1,
    "layers": [
        {**CONV, "weight": [[1.0, 0.5], [-1.5, 2.0]], "bias": 0.25},
        {"op": "relu", "name": "relu"},
    ],
    "loss": {"op": "half_squared_error", "target": [[1, -1], [-2, 1]]},
}


def claim(key, array, network=SMALL):
    claims = {}
    inner = claims
    *path, last = key.split(".")
    for part in path:
        inner = inner.setdefault(part, {})
    inner[last] = np.vectorize(lambda x: f"{x:.6f}", otypes=[object])(array).tolist()
    return verify({**network, "claims": claims})[key]


def known(key, network=SMALL):
    kind, _, name = key.partition(".")
    return World(read({**network, "claims": {"loss": 1}})).used(Quantity(kind, name))


def run(op, *arrays, dy=None, **options):
    y, pullback = OPERATIONS[op].function(*arrays, **options)
    return y if dy is None else pullback(dy)


def arrays():
    x = np.array(SMALL["input"])[None, None]
    w = np.array(SMALL["layers"][0]["weight"])[None, None]
    return x, w, np.array([0.25])


def mistaken():
    x, w, b = arrays()
    y = known("value.relu")
    _, error = half_squared_error(y, np.array([[[[1.0, -1], [-2, 1]]]]))
    delta = known("delta.conv")
    gradient = known("gradient.conv.weight")
    return [
        ("value.conv", run("conv2d", x, w[..., ::-1, ::-1], b), "flipped"),
        ("value.conv", run("conv2d", x, w), "bias is missing"),
        ("value.relu", known("value.conv"), "not applied"),
        ("delta.relu", -error, "sign"),
        ("delta.relu", 2 * error, "factor 1/2"),
        ("delta.conv", error, "gate is missing"),
        ("delta.input", run("conv2d", x, w[..., ::-1, ::-1], b, dy=delta)[0], "not flipped"),
        ("gradient.conv.weight", run("conv2d", x, w, b, dy=error)[1], "gate of relu is missing"),
        ("gradient.conv.weight", gradient[..., ::-1, ::-1], "180°"),
        ("gradient.conv.weight", gradient.swapaxes(-1, -2), "swapped"),
        ("gradient.conv.weight", run("conv2d", x, w, b, dy=np.ones_like(delta))[1], "δ is missing"),
        ("new.conv.weight", w + 0.1 * gradient, "uphill"),
        ("new.conv.weight", w - gradient, "learning rate is missing"),
    ]


@pytest.mark.parametrize("number", range(13))
def test_known_mistakes_are_named(number):
    key, array, said = mistaken()[number]
    row = claim(key, array)
    sentences = " ".join([row.mistake, *(m for cell in row.cells for m in cell.mistakes)])
    assert said in sentences
    assert Verdict.WRONG in row.counts


def test_a_sigmoid_without_its_derivative_and_a_pooling_shared_out():
    network = {
        "input": some(4, 4),
        "layers": [{"op": "max_pool2d", "name": "pool", "kernel_size": 2}, {"op": "sigmoid", "name": "sigmoid"}],
        "given": {"delta": {"sigmoid": [[0.3, -0.2], [0.7, 0.4]]}},
    }
    everywhere = np.kron(known_in(network, "delta.pool"), np.ones((2, 2)))
    assert "every place" in claim("delta.input", everywhere, network).mistake
    assert (
        "derivative of sigmoid is missing"
        in claim("delta.pool", known_in(network, "delta.sigmoid"), network).mistake
    )


def known_in(network, key):
    kind, _, name = key.partition(".")
    problem = read({**network, "claims": {"value": {"sigmoid": {"0,0": 1}}}})
    return World(problem).used(Quantity(kind, name))


def test_unknown_numbers_stay_undecided_and_do_not_count_as_right():
    network = {**SMALL, "layers": [{**SMALL["layers"][0], "weight": [[1.0, "_"], [0.5, 0.5]]}, SMALL["layers"][1]]}
    found = verify({**network, "claims": {"value": {"conv": {"0,0": "1.0"}}}})
    assert found["value.conv"].cells[0].verdict is Verdict.UNDECIDED
    assert not found.right


def test_numbers_go_on_from_the_persons_own_where_the_start_is_not_known():
    network = {**SMALL, "input": {"shape": [1, 1, 3, 3]}}
    claims = {"value": {"conv": [["2.0", "-1.0"], ["0.5", "1.0"]], "relu": [["2.0", "0"], ["0.5", "1.5"]]}}
    found = verify({**network, "claims": claims})
    cells = found["value.relu"].cells
    assert [cell.verdict for cell in cells] == [Verdict.FROM_PRINTED] * 3 + [Verdict.WRONG]
    assert cells[3].right == 1.0

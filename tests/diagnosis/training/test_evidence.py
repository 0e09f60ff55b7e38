"""The modules of evidence, each by itself."""

import importlib.util

import numpy as np
import pytest

from tests.diagnosis.training.networks import Net, T, X, batch_of, training
from whygrad.diagnosis.training import (
    curvature,
    examine_calling,
    examine_curvature,
    examine_data,
    examine_flow,
    examine_gradient,
    examine_modes,
    examine_numbers,
    examine_outputs,
    examine_overfitting,
    examine_rate,
    examine_relation,
    examine_start,
    examine_updates,
    training_of,
)
from whygrad.diagnosis.training.gradient import _wrong_again
from whygrad.diagnosis.training.memory import Memory
from whygrad.diagnosis.training.numbers import classified
from whygrad.diagnosis.training.penalty import penalty
from whygrad.diagnosis.training.readings import Reading
from whygrad.diagnosis.training.relation import dependence
from whygrad.diagnosis.training.slopes import Slope, slope
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.tracing import first_not_finite

ALL = (
    examine_calling,
    examine_curvature,
    examine_data,
    examine_flow,
    examine_gradient,
    examine_modes,
    examine_numbers,
    examine_outputs,
    examine_overfitting,
    examine_rate,
    examine_relation,
    examine_start,
    examine_updates,
)


@pytest.mark.parametrize("examine", ALL)
def test_each_can_be_used_alone_and_accuses_nobody_of_a_healthy_training(examine):
    evidence = examine(training_of(**training()))
    assert not evidence.findings
    assert evidence.says or evidence.untested or evidence.area == "updates"


@pytest.mark.parametrize("examine", ALL)
def test_each_says_what_it_could_not_test(examine):
    x = np.ones((2, 3))
    bare = training_of(
        loss=lambda p, b: float((p["w"] ** 2).sum()), params={"w": x}, step=lambda p, b: {"w": 0.9 * p["w"]}
    )
    evidence = examine(bare)
    assert evidence.says or evidence.untested


def quadratic(h, w, momentum=0.0):
    """Return the descent of wᵀhw/2 from w."""
    return Subject(
        {"w": w},
        None,
        lambda p, _: float(p["w"] @ h @ p["w"] / 2),
        lambda p, _: {"w": h @ p["w"]},
        momentum=momentum,
    )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_curvature_against_the_eigenvalues_of_a_quadratic(momentum):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(12, 12))
    h = a @ a.T
    found = curvature(quadratic(h, rng.normal(size=12), momentum))
    largest = np.linalg.eigvalsh(h)[-1]
    assert found.largest == pytest.approx(largest, rel=0.01)
    assert found.limit == pytest.approx(2 * (1 + momentum) / largest, rel=0.01)


def test_the_limit_parts_what_diverges_from_what_does_not():
    h = np.diag([1.0, 10.0])
    limit = curvature(quadratic(h, np.ones(2))).limit
    for share, grows in ((0.95, False), (1.05, True)):
        w = np.ones(2)
        for _ in range(200):
            w = w - share * limit * h @ w
        assert (np.abs(w).max() > 1) == grows


def test_slopes_know_their_error():
    for f, truth in (
        (np.exp, 1.0),
        (lambda s: np.float32(np.exp(s)), 1.0),
        (lambda s: max(s, 0) + s, 1.5),
    ):
        found = slope(lambda s, f=f: float(f(s)))
        assert abs(found.value - truth) <= max(3 * found.error, 1e-9)


def test_penalties_are_measured():
    found = penalty(training_of(**training(Net(reg=0.25))))
    assert found == pytest.approx({"w1": 0.25, "w2": 0.25})
    assert penalty(training_of(**training())) == {}


def test_memory_puts_back_what_closures_globals_and_objects_keep():
    class Optimiser:
        def __init__(self):
            self.t, self.v = 0, np.zeros(2)

        def step(self, g):
            self.t += 1
            self.v += g
            return self.t, self.v.copy()

    one = Optimiser()
    memory = Memory([one.step])
    one.step(np.ones(2))
    memory.restore()
    t, v = one.step(np.ones(2))
    assert t == 1
    assert np.array_equal(v, np.ones(2))


def test_a_claim_that_is_off_by_chance_along_one_direction_is_not_wrong():
    near, off = Slope(1.0, 1e-9), Slope(1.001, 1e-9)
    right, odd, far = (Reading(1.0, slope, 1.0, 1.0) for slope in (near, off, Slope(2.0, 1e-9)))
    assert odd.wrong(2e-6)
    assert not _wrong_again([odd, right, right], 2e-6)
    assert _wrong_again([odd, right, odd], 2e-6)
    assert _wrong_again([far, right, right], 2e-6)


@pytest.mark.parametrize("seed", range(4))
def test_many_kinks_near_each_other_are_no_wrong_gradient(seed):
    net = Net((64, 40, 40, 10))
    equal = {name: 0 * a + 0.01 * name.startswith("w") for name, a in net.params.items()}
    assert examine_gradient(training_of(**training(net, params=equal, n=32)), seed=seed).cause is None


def test_memory_draws_the_same_numbers_again():
    rng = np.random.default_rng(0)

    def draw():
        return rng.random() + np.random.random()  # noqa: NPY002

    memory = Memory([draw])
    first = draw()
    memory.redraw()
    assert draw() == first


def test_harmless_infinities_are_passed_over():
    def loss(z):
        e = np.exp(-z)
        s = 1 / (1 + e)
        return np.log(s).sum()

    found = first_not_finite(loss, np.array([1.0, -1000.0]))
    assert found.expression == "np.log(s)"
    assert found.operation == "log"


def test_the_way_leads_through_calls_to_the_operation_of_a_package_that_overflows(tmp_path):
    (tmp_path / "whygrad").mkdir()  # a folder of that name is nobody's package
    path = tmp_path / "whygrad" / "passes_of_mine.py"
    path.write_text(
        "from whygrad import half_squared_error\n"
        "def passes(x, target, ws):\n"
        "    for w in ws:\n"
        "        x = x * w\n"
        "    value, _ = half_squared_error(x, target)\n"
        "    return value, x\n"
        "def loss(params, batch):\n"
        "    return passes(*batch, list(params.values()))[0]\n"
    )
    spec = importlib.util.spec_from_file_location("passes_of_mine", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    batch = np.ones((1, 2)), np.zeros((1, 2))
    assert module.loss({}, batch) == 1  # compiled by now, so that following it takes no time
    found = first_not_finite(module.loss, {"a": np.array([1e100]), "b": np.array([1e100])}, batch)
    assert (found.operation, found.function, found.line) == ("half_squared_error", "passes", 5)
    assert found.operands[0].max() == 1e200
    found = first_not_finite(module.loss, {"a": np.array([1e200]), "b": np.array([1e200])}, batch)
    assert (found.expression, found.line) == ("x * w", 4)


def test_an_update_in_place_is_followed():
    def loss(z):
        total = np.zeros(2)
        for k in range(3):
            total += np.exp(z * 400 * k)
        return total.sum()

    assert first_not_finite(loss, np.array([1.0, 0.1])).operation in ("exp", "add")


def test_an_error_of_the_math_module_is_a_culprit_too():
    import math

    def loss(z):
        return -math.log(z[0])

    found = first_not_finite(loss, [0.0])
    assert found.operation == "log"


def test_a_lambda_is_followed():
    scaled = [lambda z: z + 1, lambda z: z / (z - z[0])]

    def loss(z):
        return float(scaled[1](z).sum())

    found = first_not_finite(loss, np.array([2.0, 3.0]))
    assert found.expression == "z / (z - z[0])"
    assert found.operation == "divide"
    assert found.function == "<lambda>"


def test_a_return_within_a_with_statement_is_followed():
    def loss(z):
        with np.errstate(all="ignore"):
            return float(np.log(z).sum()), z

    assert first_not_finite(loss, np.array([0.0, 1.0])).operation == "log"


def test_comprehensions_are_looked_into():
    import math

    def listed(z):
        return float(np.mean([np.log(row)[k] for k, row in enumerate(z) if k]))

    def summed(z):
        return -sum(math.log(v) for row in z for v in row)

    z = np.array([[1.0, 0.0], [0.0, 0.0]])
    for loss, expression in ((listed, "np.log(row)"), (summed, "math.log(v)")):
        found = first_not_finite(loss, z)
        assert (found.operation, found.expression) == ("log", expression)
        assert classified(found)[0] == "log_of_zero"


def test_a_finite_call_in_an_argument_is_not_at_fault():
    def layer(z):
        return [z, 1000 * z]

    class Head:
        def __init__(self, shifted):
            self.shifted = shifted

        def softmax(self, z):
            e = np.exp(z - z.max() if self.shifted else z)
            return e / e.sum()

    def loss(z):
        return float(np.log(Head(False).softmax(layer(z)[-1])).sum())

    found = first_not_finite(loss, np.array([1.0, 2.0]))
    assert found.operation == "exp"
    assert found.function == "softmax"


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: np.true_divide(1.0, z).sum(),
        lambda z: np.reciprocal(z).sum(),
        lambda z: (z**-0.5).sum(),
        lambda z: np.where(z > 0, np.log(z), 0).sum() + (1 / z).sum(),
    ],
)
def test_every_way_of_dividing_by_zero_is_one(loss):
    with np.errstate(all="ignore"):
        assert classified(first_not_finite(loss, np.array([0.0, 2.0])))[0] == "division_by_zero"


def test_dependence_is_found_and_not_invented():
    from whygrad.diagnosis.training.data import Samples

    rng = np.random.default_rng(0)
    right, chance, deviation = dependence(Samples(X[:400], T[:400]), rng)
    assert (right - chance) / deviation > 10
    for seed in range(3):
        shuffled = np.random.default_rng(seed).permutation(T[:400])
        right, chance, deviation = dependence(Samples(X[:400], shuffled), rng)
        assert (right - chance) / deviation < 3


def test_spirals_are_no_noise():
    rng = np.random.default_rng(0)
    r, y = rng.random(300) * 2 + 0.3, rng.integers(0, 2, 300)
    angle = 2.2 * r + np.pi * y
    x = np.stack([r * np.cos(angle), r * np.sin(angle)], 1)
    assert not examine_relation(training_of(**training(batch=(x, y)))).findings


def test_a_right_gradient_in_float32_is_right():
    net = Net()

    def narrow(p):
        return {n: a.astype(np.float32) for n, a in p.items()}

    def batch32(batch):
        return batch[0].astype(np.float32), batch[1]

    given = training(
        net,
        loss=lambda p, b: net.loss(narrow(p), batch32(b)),
        gradients=lambda p, b: net.gradients(narrow(p), batch32(b)),
    )
    evidence = examine_gradient(training_of(**given))
    assert not evidence.findings
    assert "float32" in evidence.says


@pytest.mark.parametrize("relative", [1e-2, 1e-3])
def test_one_wrong_entry_is_found(relative):
    net = Net()

    def gradients(p, batch):
        g = net.gradients(p, batch)
        i = np.unravel_index(np.abs(g["w1"]).argmax(), g["w1"].shape)
        g["w1"][i] *= 1 + relative
        return g

    evidence = examine_gradient(training_of(**training(net, gradients=gradients)))
    assert [f.output for f in evidence.findings] == ["gradient of w1"]


def test_the_batch_may_be_a_dictionary():
    net = Net()
    x, t = batch_of()
    given = {
        "loss": lambda p, b: net.loss(p, (b["images"], b["labels"])),
        "gradients": lambda p, b: net.gradients(p, (b["images"], b["labels"])),
    }
    evidence = examine_data(training_of(**training(net, batch={"images": x, "labels": t}) | given))
    assert not evidence.findings
    assert "64 samples" in evidence.says

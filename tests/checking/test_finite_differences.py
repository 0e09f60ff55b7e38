import numpy as np
import pytest

from tests.ops.shared import refusal
from whygrad.checking import compare, compare_pullback
from whygrad.errors import DataError, NonFiniteError
from whygrad.ops import linear, relu, softmax

RNG = np.random.default_rng


def cubes(at):
    """Return Σ x³ + 2 Σ x·y, whose gradients are 3x² + 2y and 2x."""
    return float((at["x"] ** 3).sum() + 2 * (at["x"] * at["y"]).sum())


def problem():
    rng = RNG(0)
    inputs = {"x": rng.normal(size=(3, 3)), "y": rng.normal(size=(3, 3))}
    return inputs, {"x": 3 * inputs["x"] ** 2 + 2 * inputs["y"], "y": 2 * inputs["x"]}


def one_wrong(gradient):
    wrong = gradient.copy()
    wrong[1, 2] += 1e-3
    return wrong


def with_nan(gradient):
    wrong = gradient.copy()
    wrong[0, 1] = np.nan
    return wrong


MISTAKES = {
    "zero": np.zeros_like,
    "sign": np.negative,
    "factor": lambda g: g / 9,
    "transpose": np.transpose,
    "one wrong entry": one_wrong,
    "slightly off": lambda g: g * (1 + 1e-5),
    "nan": with_nan,
    "all nan": lambda g: np.full_like(g, np.nan),
    "infinity": lambda g: np.where(g == g.max(), np.inf, g),
}


def test_right_gradients_agree_and_every_entry_is_looked_at():
    inputs, gradients = problem()
    rows = compare(cubes, gradients, inputs, rng=RNG(0))
    assert [(row.name, row.checked, row.entries) for row in rows] == [("x", 9, 9), ("y", 9, 9)]
    assert max(row.relative_error for row in rows) < 1e-10
    for row in rows:
        assert row.analytic == gradients[row.name][row.worst]
        assert row.numeric == pytest.approx(row.analytic, rel=1e-8)


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", ["x", "y"])
def test_a_planted_mistake_is_caught_and_the_other_gradient_is_not_blamed(name, mistake):
    inputs, gradients = problem()
    wrong = gradients | {name: MISTAKES[mistake](gradients[name])}
    assert not np.array_equal(wrong[name], gradients[name])
    rows = {row.name: row for row in compare(cubes, wrong, inputs, rng=RNG(0))}
    assert rows.pop(name).relative_error > 1e-6
    assert all(row.relative_error < 1e-10 for row in rows.values())


def test_the_worst_entry_is_named():
    inputs, gradients = problem()
    (row,) = compare(cubes, {"x": one_wrong(gradients["x"])}, inputs, rng=RNG(0))
    assert row.worst == (1, 2)
    assert row.analytic - row.numeric == pytest.approx(1e-3, rel=1e-6)
    (row,) = compare(cubes, {"x": with_nan(gradients["x"])}, inputs, rng=RNG(0))
    assert row.worst == (0, 1)
    assert row.relative_error == np.inf


def test_a_gradient_that_is_truly_zero_passes_and_one_that_only_claims_so_does_not():
    x = {"x": np.linspace(1, 2, 4), "unused": np.ones(3)}
    zero = {"unused": np.zeros(3)}
    (row,) = compare(lambda at: float((at["x"] ** 2).sum()), zero, x, rng=RNG(0))
    assert row.relative_error == 0
    (row,) = compare(lambda at: float(at["x"].sum() + 1e-3 * at["unused"].sum()), zero, x, rng=RNG(0))
    assert row.relative_error > 1e-3


def test_the_noise_of_a_large_value_is_no_mistake():
    x = {"x": np.array([0.5])}
    (row,) = compare(lambda at: 1e6 + float(at["x"][0]) * 1e-3, {"x": np.array([1e-3])}, x, rng=RNG(0))
    assert row.relative_error < 1e-7


def test_an_empty_and_a_scalar_input_are_compared():
    inputs = {"none": np.zeros((0, 3)), "one": np.array(2.0)}
    rows = compare(
        lambda at: float(at["one"] ** 2), {"none": np.zeros((0, 3)), "one": np.array(4.0)}, inputs, rng=RNG(0)
    )
    assert [(row.name, row.checked, row.worst) for row in rows] == [("none", 0, ()), ("one", 1, ())]
    assert all(row.relative_error < 1e-10 for row in rows)
    (row,) = compare(lambda at: float(at["one"] ** 2), {"one": np.array(5.0)}, inputs, rng=RNG(0))
    assert row.relative_error == pytest.approx(0.2, rel=1e-6)


def test_entries_limits_how_many_are_drawn_from_the_generator():
    inputs, gradients = problem()
    looked_at = []

    def f(at):
        looked_at.append(np.flatnonzero(at["x"] != inputs["x"]).tolist())
        return cubes(at)

    (row,) = compare(f, {"x": gradients["x"]}, inputs, rng=RNG(0), entries=4)
    assert (row.checked, row.entries) == (4, 9)
    first = {i for indices in looked_at for i in indices}
    assert len(first) == 4
    looked_at.clear()
    compare(f, {"x": gradients["x"]}, inputs, rng=RNG(0), entries=4)
    assert {i for indices in looked_at for i in indices} == first
    (row,) = compare(f, {"x": gradients["x"]}, inputs, rng=RNG(0), entries=100)
    assert row.checked == 9


def test_a_smaller_step_steps_back_from_a_kink_and_never_excuses_a_wrong_gradient():
    x = {"x": np.array([1e-4])}

    def f(at):
        return float(np.abs(at["x"]).sum())

    (row,) = compare(f, {"x": np.ones(1)}, x, rng=RNG(0))
    assert row.relative_error > 0.1
    (row,) = compare(f, {"x": np.ones(1)}, x, rng=RNG(0), steps=(1e-3, 1e-5))
    assert row.relative_error < 1e-7
    (row,) = compare(f, {"x": -np.ones(1)}, x, rng=RNG(0), steps=(1e-3, 1e-5))
    assert row.relative_error > 0.1


def test_inputs_are_not_written_to():
    inputs, gradients = problem()
    for array in (*inputs.values(), *gradients.values()):
        array.flags.writeable = False
    assert len(compare(cubes, gradients, inputs, rng=RNG(0))) == 2


@pytest.mark.parametrize(
    ("x", "gradient", "text"),
    [
        (np.ones(2, np.float32), np.ones(2), "x in float64, received float32 (2,) and (2,); convert with astype"),
        (
            np.ones(2),
            np.ones(3),
            "x and its gradient as arrays of one shape, x in float64, received float64 (2,) and",
        ),
        (np.ones((2, 1)), np.ones(2), "received float64 (2, 1) and (2,)"),
        (np.ones(2, int), np.ones(2), "received int64 (2,) and (2,)"),
    ],
)
def test_refuses_other_dtypes_and_shapes(x, gradient, text):
    with refusal(DataError, text):
        compare(lambda at: float(at["x"].sum()), {"x": gradient}, {"x": x}, rng=RNG(0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_a_function_that_is_not_finite(value):
    with refusal(
        NonFiniteError, f"finite differences: expected a finite value, received {value}; start from finite"
    ):
        compare(lambda at: value, {"x": np.ones(1)}, {"x": np.ones(1)}, rng=RNG(0))


def test_a_function_that_is_not_finite_nearby_does_not_pass():
    def f(at):
        return 0.0 if at["x"][0] == 1 else float("nan")

    (row,) = compare(f, {"x": np.zeros(1)}, {"x": np.ones(1)}, rng=RNG(0))
    assert row.relative_error == np.inf


def dense(mutate=lambda *gradients: gradients):
    """Return the dense layer as a function of named inputs, with its gradients put through ``mutate``."""

    def function(at):
        y, pullback = linear(at["x"], at["w"], at["b"])
        return y, lambda dy: mutate(*pullback(dy))

    return function


def arrays():
    rng = RNG(1)
    return {"x": rng.normal(size=(3, 3)), "w": rng.normal(size=(3, 3)), "b": rng.normal(size=3)}


def test_a_right_pullback_agrees():
    rows = compare_pullback(dense(), arrays(), rng=RNG(0))
    assert [(row.name, row.checked) for row in rows] == [("x", 9), ("w", 9), ("b", 3)]
    assert max(row.relative_error for row in rows) < 1e-9


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_in_a_pullback_is_caught(mistake):
    rows = compare_pullback(dense(lambda dx, dw, db: (dx, MISTAKES[mistake](dw), db)), arrays(), rng=RNG(0))
    errors = {row.name: row.relative_error for row in rows}
    assert errors.pop("w") > 1e-6
    assert max(errors.values()) < 1e-9


def test_gradients_in_the_wrong_order_are_caught():
    rows = compare_pullback(dense(lambda dx, dw, db: (dw, dx, db)), arrays(), rng=RNG(0))
    assert [row.relative_error > 1e-2 for row in rows] == [True, True, False]


@pytest.mark.parametrize(
    ("mutate", "missing"),
    [
        (lambda dx, dw, db: (dx, None, db), "w"),
        (lambda dx, dw, db: (dx,), "w, b"),
        (lambda dx, dw, db: dx, "w, b"),
        (lambda dx, dw, db: (), "x, w, b"),
    ],
)
def test_a_missing_gradient_is_refused(mutate, missing):
    text = f"finite differences: expected a gradient for each of x, w, b, received none for {missing}; return the"
    with refusal(DataError, text):
        compare_pullback(dense(mutate), arrays(), rng=RNG(0))


def test_a_gradient_of_another_shape_is_refused():
    with refusal(DataError, "b in float64, received float64 (3,) and (1, 3); convert with astype"):
        compare_pullback(dense(lambda dx, dw, db: (dx, dw, db[None])), arrays(), rng=RNG(0))


def test_float32_is_refused():
    inputs = {name: array.astype(np.float32) for name, array in arrays().items()}
    with refusal(DataError, "x in float64, received float32 (3, 3) and (3, 3); convert with astype(np.float64)"):
        compare_pullback(dense(), inputs, rng=RNG(0))


def test_a_value_that_is_not_finite_is_refused():
    with refusal(NonFiniteError, "finite differences: expected a finite value, received nan"):
        compare_pullback(lambda at: (at["x"] * np.nan, lambda dy: dy), {"x": np.ones(3)}, rng=RNG(0))


def test_the_cotangent_is_random_so_that_a_softmax_without_gradient_is_caught():
    x = {"x": RNG(0).normal(size=(2, 4))}
    (row,) = compare_pullback(lambda at: (softmax(at["x"])[0], np.zeros_like), x, rng=RNG(0))
    assert row.relative_error > 0.5
    (row,) = compare_pullback(lambda at: softmax(at["x"]), x, rng=RNG(0))
    assert row.relative_error < 1e-9


def test_a_dead_unit_has_a_gradient_of_zero_and_passes():
    (row,) = compare_pullback(lambda at: relu(at["x"]), {"x": np.array([-1.0, -2.0])}, rng=RNG(0))
    assert row.relative_error == 0

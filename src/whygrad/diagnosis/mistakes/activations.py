"""What people get wrong about activations, whichever they are: y = f(x), so dx = dy · f′(x)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Mistake, Subject, mistake
from whygrad.diagnosis.composition import Term
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

Function: TypeAlias = Callable[[Array], Array]
Piece: TypeAlias = Callable[[Probe], Array]
RIGHT = "dx = dy * f′(x)"


def sigma(x: Array) -> Array:
    """1 / (1 + exp(−x))."""
    return 1 / (1 + np.exp(-np.asarray(x)))


def activation_mistakes(
    f: Function, slope: Function, *, formulas: bool = True, line: str = RIGHT
) -> tuple[Mistake, ...]:
    """Return what can go wrong with dx = dy·f′(x) for any f: another tensor, another formula, or none at all."""
    found = (*_other_tensors(f, slope, line), *_other_products(f, slope, line))
    if not formulas:
        return found
    label = "activation_derivative_formula_wrong"
    formula = ((does, _times_dy(_of_x(g))) for does, g in _other_formulas(f, slope))
    return (*found, *(mistake(label, "dx", "whole", g, does, line, rank=1) for does, g in formula))


def _of_x(g: Function) -> Piece:
    return lambda p: g(p["x"])


def _times_dy(g: Piece) -> Piece:
    return lambda p: p.dy * g(p)


def _other_tensors(f: Function, slope: Function, line: str) -> tuple[Mistake, ...]:
    """Return f′ at something else than x, or none."""

    def wrong_tensor(g: Piece, does: str, *, also: str = "", rank: int = 0) -> Mistake:
        return mistake("activation_derivative_of_wrong_tensor", "dx", "whole", g, does, line, also=also, rank=rank)

    return (
        mistake("missing_activation_derivative", "dx", "whole", lambda p: p.dy, "is dy as it came: f′ is left out",
                line,
                also="dx_not_propagated"),
        wrong_tensor(_times_dy(lambda p: slope(f(p["x"]))), "takes f′ at the output f(x), not at the input x"),
        wrong_tensor(_times_dy(lambda p: slope(p.dy)), "takes f′ at dy, not at x", also="relu_mask_wrong_tensor"),
        wrong_tensor(_times_dy(lambda p: f(p["x"])), "multiplies by f(x) itself in place of f′(x)",
                     also="missing_activation_derivative activation_derivative_formula_wrong"),
        wrong_tensor(_times_dy(lambda p: p["x"]), "multiplies by x in place of f′(x)",
                     also="missing_activation_derivative", rank=1),
        wrong_tensor(lambda p: slope(p.dy), "is f′(dy): neither x nor the product with dy is there",
                     also="upstream_gradient_not_multiplied"),
        wrong_tensor(lambda p: f(p.dy), "is f applied to dy",
                     also="missing_activation_derivative relu_mask_wrong_tensor"),
        wrong_tensor(lambda p: slope(p["x"] * p.dy), "is f′ of the product x·dy",
                     also="upstream_gradient_not_multiplied", rank=1),
        wrong_tensor(lambda p: slope(f(p["x"])), "is f′(f(x)), without dy",
                     also="upstream_gradient_not_multiplied", rank=2),
        wrong_tensor(lambda p: slope(p["x"] + p.dy), "is f′ of the sum x + dy",
                     also="upstream_gradient_not_multiplied", rank=1),
        wrong_tensor(_times_dy(lambda p: slope(-p["x"])), "takes f′ at −x", also="relu_mask_wrong_tensor", rank=3),
        wrong_tensor(_times_dy(lambda p: p["x"] * (1 - p["x"])),
                     "has x(1 − x): written with the output, not with the input, it is a sigmoid's derivative",
                     also="activation_derivative_formula_wrong", rank=1),
        wrong_tensor(_times_dy(lambda p: 1 - p["x"] ** 2),
                     "has 1 − x²: written with the output, not with the input, it is tanh's derivative",
                     also="activation_derivative_formula_wrong", rank=1),
    )  # fmt: skip


def _other_products(f: Function, slope: Function, line: str) -> tuple[Mistake, ...]:
    """Return dy and f′ that are put together in another way, or something else in their place."""
    return (
        mistake("extra_factor_in_delta", "dx", "whole", lambda p: p.dy * slope(p["x"]) ** 2, "contains f′ twice",
                line,
                also="activation_derivative_formula_wrong", rank=1),
        mistake("extra_factor_in_delta", "dx", "whole", lambda p: p.dy * slope(p["x"]) * p["x"],
                "contains x besides", line, rank=1),
        mistake("extra_factor_in_delta", "dx", "whole", lambda p: p.dy * slope(p["x"]) * f(p["x"]),
                "contains f(x) besides", line, rank=1),
        mistake("upstream_gradient_not_multiplied", "dx", "whole", lambda p: p.dy + slope(p["x"]),
                "adds dy where it has to multiply by it",
                line, rank=1),
        mistake("activation_derivative_formula_wrong", "dx", "whole", lambda p: p.dy / slope(p["x"]),
                "divides by f′ where it has to multiply",
                line, rank=1),
        mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", line),
        mistake("returns_wrong_variable", "dx", "whole", lambda p: f(p["x"]), "is f(x), the forward's value", line,
                also="activation_derivative_of_wrong_tensor"),
        mistake("stale_cache", "dx", "x", c.rolled(0, 1), "reads another sample's x", line,
                also="wrong_loop_variable_as_index"),
    )  # fmt: skip


def _other_formulas(f: Function, slope: Function) -> tuple[tuple[str, Function], ...]:
    """Return what people take for f′(x), and what is said of it."""
    return (
        ("is the sigmoid's derivative σ(1 − σ)", lambda x: sigma(x) * (1 - sigma(x))),
        ("is tanh's derivative 1 − tanh²", lambda x: 1 - np.tanh(x) ** 2),
        ("is relu's derivative [x > 0]", lambda x: (x > 0) * 1.0),
        ("is f (1 − f), as for a sigmoid", lambda x: f(x) * (1 - f(x))),
        ("is 1 − f²: as for tanh", lambda x: 1 - f(x) ** 2),
        ("is 1 − f, a factor is missing", lambda x: 1 - f(x)),
        ("is 1 + f²: the sign is wrong", lambda x: 1 + f(x) ** 2),
        ("is f(1 + f): the sign is wrong", lambda x: f(x) * (1 + f(x))),
        ("is (1 − f)²: the square is in the wrong place", lambda x: (1 - f(x)) ** 2),
        ("is f²", lambda x: f(x) ** 2),
        ("is 1 − f(x²): the square is in the wrong place", lambda x: 1 - f(x * x)),
        ("is 1 − x", lambda x: 1 - x),
        ("is f(1 − x): output and input are mixed", lambda x: f(x) * (1 - x)),
        ("is x(1 − f): output and input are mixed", lambda x: x * (1 - f(x))),
        ("is exp(x)", np.exp),
        ("is exp(−x)", lambda x: np.exp(-x)),
        ("is 1/cosh x, not its square", lambda x: 1 / np.cosh(x)),
        ("is σ(x)", sigma),
        ("is −σ(1 − σ)²: the chain rule of 1/(1 + exp(−x)) went astray", lambda x: sigma(x) * (1 - sigma(x)) ** 2),
        ("is 1/(1 + exp(−x))², without the factor exp(−x)", lambda x: sigma(x) ** 2),
        ("is exp(−x)/(1 + exp(−x)), without the square", lambda x: 1 - sigma(x)),
        ("is exp(x)/(1 + exp(−x))²: the sign in the exponent is wrong", lambda x: np.exp(x) * sigma(x) ** 2),
        ("is [x < 0], the opposite mask", lambda x: (x < 0) * 1.0),
        ("is f(x) + x·f", lambda x: f(x) + x * f(x)),
        ("is f + f′", lambda x: f(x) + slope(x)),
        ("is 1 where x > 0 and f elsewhere", lambda x: np.where(x > 0, 1.0, f(x))),
        ("is x where x > 0 and 0 elsewhere: the value, not the derivative", lambda x: np.maximum(x, 0)),
        ("is log f", lambda x: np.log(np.abs(f(x)))),
    )  # fmt: skip


SHAPES = ((4, 5), (2, 3, 4, 5), (1, 7), (6, 3))


def activation(
    name: str,
    f: Callable[[Array, Mapping[str, Any]], Array],
    slope: Callable[[Array, Mapping[str, Any]], Array],
    *,
    options: Mapping[str, Any] | None = None,
    more: Callable[[Callable[[Probe], Mapping[str, Any]]], tuple[Mistake, ...]] | None = None,
    lines: str = RIGHT,
    mask: bool = False,
    halves: Mapping[str, Function] | None = None,
) -> Subject:
    """Return the subject of an activation from its value and its derivative.

    Args:
        name: of the operation.
        f: (x, options) → y.
        slope: (x, options) → f′(x).
        options: what may be given, with what is usual.
        more: its own mistakes.
        lines: the right line.
        mask: whether f′ is 0 or 1, so that a wrong tensor is a wrong mask.
        halves: what f′ is the sum of, by name.
    """
    usual = dict(options or {})

    def used(p: Probe) -> Mapping[str, Any]:
        return {**usual, **p.options}

    def dx(p: Probe, joints: Joints) -> Array:
        return p.dy * slope(p["x"], used(p))

    def value(p: Probe, joints: Joints) -> Array:
        return f(p["x"], used(p))

    def probes(target: Subject, rng: np.random.Generator, given: Mapping[str, Any]) -> list[Probe]:
        made = []
        for shape in SHAPES:
            chosen = {k: given.get(k, v) for k, v in usual.items()}
            made.append(
                Probe(f"shape {shape}", {"x": spaced(rng, *shape)}, rng.normal(size=shape) + 0.3, target, chosen)
            )
        return made

    generic = activation_mistakes(lambda x: f(x, usual), lambda x: slope(x, usual), line=lines)
    if mask:
        generic = tuple(_as_mask(m) for m in generic)
    mistakes = (*(more(used) if more else ()), *generic, *c.common("dx"))
    wrong = "activation_derivative_formula_wrong"

    def terms(p: Probe) -> list[Term]:
        return [Term(does, p.dy * half(p["x"]), wrong, wrong) for does, half in (halves or {}).items()]

    return Subject(name, ("x",), {"dx": dx}, value, probes, mistakes,
                   lambda p: {"N": p["x"].shape[0], "size": p["x"].size}, usual, lines={"dx": lines},
                   terms={"dx": terms} if halves else {})  # fmt: skip


def _as_mask(m: Mistake) -> Mistake:
    if m.label == "activation_derivative_of_wrong_tensor" and "dy" in m.does and "product" not in m.does:
        return mistake(
            "relu_mask_wrong_tensor",
            m.outputs,
            m.joint,
            m.value,
            m.does,
            m.fix,
            also=(m.label, *m.also),
            rank=m.rank,
        )
    if m.label == "missing_activation_derivative":
        return mistake(
            m.label,
            m.outputs,
            m.joint,
            m.value,
            m.does,
            m.fix,
            also=("relu_mask_wrong_tensor", *m.also),
            rank=m.rank,
        )
    if m.label == "activation_derivative_formula_wrong" and "opposite mask" in m.does:
        return mistake(
            "relu_mask_wrong_tensor",
            m.outputs,
            m.joint,
            m.value,
            m.does,
            m.fix,
            also=(m.label, "mask_inverted"),
            rank=0,
        )
    return m

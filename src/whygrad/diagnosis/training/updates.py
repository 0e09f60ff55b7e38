"""What a step does with the gradients: whose formula it follows, and whether it reaches every parameter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.hints import source_of
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.absent import is_bias
from whygrad.diagnosis.training.factors import factor_name
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.rules import Rule, adam_from, right_rules, wrong_rules
from whygrad.diagnosis.training.subject import CallFailed, Subject
from whygrad.typing import Array

#: Share of a gradient's entries that clipping cuts, from which on it may be why little is learned.
_MOSTLY = 0.5
#: Weight decay, relative to the learning rate, from which on it may be why little is learned.
_DECAY = 0.05
#: Steps that are recorded.
_STEPS = 6
#: By how much steps may miss a formula, relative, beside the rounding of the parameters.
_TOLERANCE = 1e-4
_INTEGERS = r"\bint\(|astype\(\s*(np\.)?int|dtype\s*=\s*(np\.)?int|//"


class Recorded(NamedTuple):
    """One step: parameters before it, its batch, the right gradients there, and what was subtracted."""

    params: dict[str, Array]
    batch: Any
    gradients: dict[str, Array]
    taken: dict[str, Array]
    after: dict[str, Array]


class Fit(NamedTuple):
    """How well a rule reproduces the steps."""

    rule: Rule
    misfit: float
    rate: float
    decay: float  #: of weights, beside the gradient


def recorded(subject: Subject, steps: int = _STEPS) -> list[Recorded]:
    """Return the first steps of a training, from its beginning, on changing halves of the batch.

    Raises:
        CallFailed: a function fails.
    """
    step = subject.stepper()
    now = {n: np.array(a) for n, a in subject.params.items()}
    n = subject.count or 0
    halves: list[Any] = [None]
    if n >= 4:
        parts = [subject.part(np.arange(n // 2)), subject.part(np.arange(n - n // 2, n))]
        try:
            subject.gradients(now, parts[0])
            halves = parts
        except CallFailed:
            halves = [None]
    found = []
    for k in range(steps):
        batch = halves[k % len(halves)]
        batch = subject.batch if batch is None else batch
        gradients = {
            m: g for m, g in subject.gradients(now, batch).items() if m in subject.names and g.shape == now[m].shape
        }
        after = step(now, batch)
        with np.errstate(all="ignore"):
            taken: dict[str, Array] = {
                m: now[m].astype(np.float64) - np.asarray(after[m], np.float64) for m in gradients
            }
        if not all(np.isfinite(d).all() for d in taken.values()):
            break
        found.append(Recorded(now, batch, gradients, taken, after))
        now = {m: np.array(a) for m, a in after.items()}
    return found


def examine_updates(subject: Subject) -> Evidence:
    """Say which optimiser's formula the person's steps follow, or what is wrong with them.

    The gradients are taken for right.
    """
    if subject.step_function is None:
        return Evidence(
            "updates", untested=() if subject.gradients_function is not None else ("the update: no step was given",)
        )
    if subject.gradients_function is None:
        return Evidence("updates", untested=("the formula of the update: it needs gradients(params, batch)",))
    try:
        steps = recorded(subject.exact() if _integral(subject) is None else subject)
    except CallFailed as failed:
        return Evidence("updates", untested=(f"the formula of the update: {failed}",))
    if len(steps) < 2:
        return Evidence("updates", untested=("the formula of the update: two steps could not be made",))
    found = _integers(subject, steps) or _not_reached(subject, steps)
    if found is not None:
        return Evidence("updates", (found,))
    return _by_formula(subject, steps)


def _integral(subject: Subject) -> str | None:
    """Return a parameter of whole numbers."""
    return next((n for n in subject.names if subject.params[n].dtype.kind in "iu"), None)


def _integers(subject: Subject, steps: Sequence[Recorded]) -> Finding | None:
    """Return that steps round to whole numbers."""
    before, after = steps[0].params, steps[0].after
    for name in steps[0].gradients:
        if before[name].dtype.kind in "iu" or after[name].dtype.kind in "iu":
            which = before[name] if before[name].dtype.kind in "iu" else after[name]
            says = f"{name} is an array of whole numbers ({which.dtype}): what is subtracted from it is cut off"
            return fault(
                f"update of {name}",
                "integer_truncation",
                says,
                fix=f"{name} = {name}.astype(np.float64)",
                lesson=LESSONS.get("integer_truncation", ""),
            )
    moved = np.concatenate([r.taken[n].ravel() for r in steps for n in r.taken])
    needed = any(np.any(g) for g in steps[0].gradients.values())
    source = source_of(*_within(subject.step_function))
    if not needed or np.any(moved):
        if np.any(moved) and np.array_equal(moved, np.round(moved)):
            return fault(
                "update",
                "integer_truncation",
                "every step changes the parameters by whole numbers only",
                fix="compute with floats: no int() and no // in the update",
                lesson=LESSONS.get("integer_truncation", ""),
            )
        return None
    line = next((line.strip() for line in source.splitlines() if re.search(_INTEGERS, line)), "")
    if line or isinstance(subject.learning_rate, int | np.integer):
        why = (
            f"the learning rate is the whole number {subject.learning_rate}"
            if not line
            else f"its code says: {line}"
        )
        return fault(
            "update",
            "integer_truncation",
            f"no step changes any parameter, though the gradients are not 0; {why}",
            fix="keep the learning rate a float: 0.01 as a whole number is 0",
            also="layer_not_trained",
            lesson=LESSONS.get("integer_truncation", ""),
        )
    return None


def _within(function: Any, depth: int = 0) -> list[Any]:
    """Return a function and those of a person's own that it calls, as far as closures and globals tell."""
    function = getattr(function, "__wrapped__", function)
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType) or depth > 2:
        return []
    found = [function]
    inner = [c.cell_contents for c in function.__closure__ or () if _filled(c)]
    inner += [function.__globals__[n] for n in function.__code__.co_names if n in function.__globals__]
    for other in inner:
        if isinstance(other, FunctionType) and (other.__module__ or "").split(".")[0] not in (
            "numpy",
            "whygrad",
            "scipy",
        ):
            found += _within(other, depth + 1)
    return found


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _not_reached(subject: Subject, steps: Sequence[Recorded]) -> Finding | None:
    """Return which parameters no step changes."""
    still = [
        n
        for n in steps[0].gradients
        if not any(np.any(r.taken[n]) for r in steps) and any(np.any(r.gradients[n]) for r in steps)
    ]
    if not still:
        return None
    size = max(float(np.abs(r.gradients[still[0]]).max()) for r in steps)
    which = "any parameter" if len(still) == len(steps[0].gradients) else ", ".join(still)
    says = f"no step changes {which}, though the gradients there are up to {size:.3g}"
    label = (
        "missing_bias_gradient"
        if all(is_bias(subject, n) for n in still) and len(still) < len(steps[0].gradients)
        else "layer_not_trained"
    )
    return fault(
        f"update of {', '.join(still)}",
        label,
        says,
        fix=f"subtract the learning rate times the gradient of {which}, in place or in what step returns",
        also="layer_not_trained" if label != "layer_not_trained" else "",
        lesson=(
            "A parameter that no update reaches stays as it was drawn. The others learn around it, so that "
            "the loss falls and nothing is noticed."
        ),
    )


def _betas(subject: Subject, steps: Sequence[Recorded]) -> tuple[float, ...]:
    """Return momenta that the steps may have: the one given, usual ones, and those that the first steps tell."""
    found = {
        0.9,
        0.5,
        0.8,
        0.95,
        0.99,
    }
    g0, g1, d0, d1 = (_flat(x) for x in (steps[0].gradients, steps[1].gradients, steps[0].taken, steps[1].taken))
    square = float(g0 @ g0)
    rate = float(d0 @ g0) / square if square else 0.0
    if rate:
        found.add(round(float((d1 / rate - g1) @ g0) / square, 6))
        if subject.learning_rate:
            found.add(round(rate / float(subject.learning_rate) - 1, 6))
            found.add(round(1 - rate / float(subject.learning_rate), 6))
    given = {subject.momentum} if subject.momentum > 0 else set()
    return tuple(sorted({b for b in found if 0.01 < b < 0.9995} | given))


def _flat(arrays: dict[str, Array]) -> Array:
    return np.concatenate([np.ravel(a) for a in arrays.values()])


def fitted(rule: Rule, steps: Sequence[Recorded], *, decays: bool = True) -> Fit:
    """Return how well a rule reproduces steps, at the learning rate and weight decay that suit it best."""
    wanted, offered, weights, rounding = [], [], [], 0.0
    for r in steps:
        told = rule.steps(r.gradients, r.params)
        taken = {n: r.after[n].astype(np.float64) * -1 for n in told} if rule.replaces else r.taken
        wanted.append(_flat({n: taken[n] for n in told}))
        offered.append(_flat(told))
        weights.append(_flat({n: r.params[n] for n in told}).astype(np.float64))
        rounding = max(
            rounding,
            max(
                (
                    float(np.finfo(a.dtype).eps * np.abs(a).max(initial=0))
                    for a in r.params.values()
                    if a.dtype.kind == "f"
                ),
                default=0.0,
            ),
        )
    d, o, w = (np.concatenate(parts) for parts in (wanted, offered, weights))
    if rule.replaces:
        o = -o
        d = -d
    if not np.isfinite(o).all() or not np.any(o):
        return Fit(rule, np.inf, 0.0, 0.0)
    rate, decay = float(d @ o) / float(o @ o), 0.0
    if decays and not rule.replaces:
        matrix = np.stack([o, w], axis=1)
        (with_rate, with_decay), *_ = np.linalg.lstsq(matrix, d, rcond=None)
        if with_decay > 0 and _misses(d, with_rate * o + with_decay * w, rounding) < 0.3 * _misses(
            d, rate * o, rounding
        ):
            rate, decay = float(with_rate), float(with_decay)
    return Fit(rule, _misses(d, rate * o + decay * w, rounding), rate, decay)


def _misses(wanted: Array, told: Array, rounding: float) -> float:
    size = float(np.sqrt(np.mean(wanted**2)))
    error = float(np.sqrt(np.mean((wanted - told) ** 2)))
    return max(error - 2 * rounding, 0.0) / size if size else np.inf


def _by_formula(subject: Subject, steps: Sequence[Recorded]) -> Evidence:
    betas = _betas(subject, steps)
    best: Fit | None = None
    for rule in right_rules(betas):
        fit = fitted(rule, steps)
        if best is None or fit.misfit < 0.5 * best.misfit:
            best = fit
        if fit.misfit < _TOLERANCE:
            return _follows(subject, fit)
    for rule in wrong_rules(betas):
        fit = fitted(rule, steps)
        if fit.misfit < _TOLERANCE:
            return _follows_wrong(subject, rule)
    if _counts_parameters(steps):
        says = "counts t once for every parameter and not once a step"
        return _follows_wrong(subject, replace(adam_from(1, 1), wrong=says))
    cut = _cut_to_one_length(steps, betas)
    if cut is not None:
        return cut
    assert best is not None
    return _one_by_one(subject, steps) or _unknown(subject, best)


def _counts_parameters(steps: Sequence[Recorded]) -> bool:
    """Return whether the steps are Adam's with a t that grows with every parameter, whatever their order."""
    names = list(steps[0].gradients)
    places = []
    for name in names:
        alone = [r._replace(gradients={name: r.gradients[name]}, taken={name: r.taken[name]}) for r in steps]
        fits = [
            j
            for j in range(1, len(names) + 1)
            if fitted(adam_from(j, len(names)), alone, decays=False).misfit < _TOLERANCE
        ]
        if not fits:
            return False
        places.append(fits[0])
    return len(names) > 1 and sorted(places) == list(range(1, len(names) + 1))


def _cut_to_one_length(steps: Sequence[Recorded], betas: tuple[float, ...]) -> Evidence | None:
    """Return that the steps are a rule's with gradients that were all cut to one length."""
    lengths = [float(np.linalg.norm(_flat(r.gradients))) for r in steps]
    if not all(lengths):
        return None
    unit = [
        r._replace(gradients={n: g / length for n, g in r.gradients.items()})
        for r, length in zip(steps, lengths, strict=True)
    ]
    for rule in right_rules(betas):
        if rule.family in ("momentum", "nesterov"):
            fit = fitted(rule, unit, decays=False)
            if fit.misfit < _TOLERANCE and fit.rate > 0:
                says = (
                    f"the steps are those of {rule.name} with gradients cut to one length in every step: "
                    f"they were {min(lengths):.3g} to {max(lengths):.3g} long"
                )
                return Evidence("updates", (fault("update", "clipping_always", says),))
    return None


def _follows(subject: Subject, fit: Fit) -> Evidence:
    """Judge steps that follow a right rule: their sign, their size, their decay, their momentum."""
    rate = subject.learning_rate
    says = f"the steps are those of {fit.rule.name} at the learning rate {fit.rate:.4g}" + (
        f" with weight decay {fit.decay / fit.rate:.3g}" if fit.decay else ""
    )
    if abs(fit.decay - 1) < 1e-3:
        replaces = "replaces the parameter by the step where it should subtract it"
        return _follows_wrong(subject, replace(fit.rule, wrong=replaces))
    if fit.rate < 0:
        says = (
            f"the steps are those of {fit.rule.name} with the opposite sign: they add {-fit.rate:.4g} times "
            "the gradient, and climb"
        )
        return Evidence(
            "updates",
            (
                fault(
                    "update",
                    "sign_error",
                    says,
                    fix="w = w - learning_rate * gradient",
                    lesson=LESSONS.get("sign_error", ""),
                ),
            ),
        )
    if rate and fit.rule.family in ("sgd", "momentum", "nesterov"):
        factor, n = fit.rate / float(rate), subject.count
        halves = {"N": float(n), "N/2": n / 2} if n and n > 2 else {}
        named = factor_name(factor, halves)
        if named and abs(factor - 1) > 1e-3 and named not in ("1", "2", "1/2"):
            says = (
                f"the steps are {factor:.5g} times the learning rate given ({named} with N = {n}): a mean "
                "over the samples in place of a sum, or the reverse"
            )
            return Evidence(
                "updates",
                (
                    fault(
                        "update",
                        "batch_scale_wrong",
                        says,
                        fix="divide by the number of samples once, in the loss and its gradient alike",
                        lesson=LESSONS["batch_scale_wrong"],
                    ),
                ),
            )
    if fit.rate and fit.decay / fit.rate > _DECAY:
        says = f"{says}: each step takes {fit.decay:.3g} of every parameter away"
        return Evidence(
            "updates",
            (
                fault(
                    "update",
                    "regularisation_too_strong",
                    says,
                    decay=fit.decay,
                    lesson="A decay that outweighs the gradients pulls the weights to 0, whatever the data say.",
                ),
            ),
        )
    if subject.momentum and fit.rule.family == "sgd" and not subject.optimizer:
        says = (
            f"a momentum of {subject.momentum:g} was given, and the steps are those of plain gradient "
            "descent: nothing of a step is kept for the next"
        )
        return Evidence(
            "updates",
            (
                fault(
                    "update",
                    "optimizer_formula_wrong",
                    says,
                    fix="v = momentum * v + g; w = w - learning_rate * v, with v kept between steps",
                    lesson=LESSONS.get("optimizer_formula_wrong", ""),
                ),
            ),
        )
    return Evidence("updates", says=says)


def _follows_wrong(subject: Subject, rule: Rule) -> Evidence:
    del subject
    right = {
        "adam": "m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ), w = w − η·m̂/(√v̂ + eps), t counted once a step from 1",
        "rmsprop": "v = ρ·v + (1−ρ)·g², w = w − η·g/(√v + eps)",
        "momentum": "v = β·v + g, w = w − η·v",
        "nesterov": "v = β·v + g, w = w − η·(g + β·v)",
    }
    says = (
        f"the steps are those of {rule.name} as it {rule.wrong}"
        if not rule.wrong.startswith("uses")
        else f"every step {rule.wrong}"
    )
    label = rule.label if rule.label != "update_uses_wrong_variable" else "optimizer_formula_wrong"
    return Evidence(
        "updates",
        (
            fault(
                "update",
                label,
                says,
                fix=right.get(rule.family, "w = w − η·g"),
                also=rule.label if rule.label != label else "",
                lesson=LESSONS.get(label, ""),
            ),
        ),
    )


def _one_by_one(subject: Subject, steps: Sequence[Recorded]) -> Evidence | None:
    """Judge steps that are along the gradients, by other factors in other parameters or steps."""
    names = list(steps[0].gradients)
    factors = {n: [_factor(r.taken[n], r.gradients[n]) for r in steps] for n in names}
    plain = {n for n in names if all(f is not None for f in factors[n])}
    rate = float(subject.learning_rate or 0) or float(
        np.median([f for n in plain for f in factors[n] if f is not None] or [0.0])
    )
    if plain == set(names):
        return _other_factors(subject, steps, {n: [f or 0.0 for f in factors[n]] for n in names}, rate)
    cut = _clipped_by_value(steps, rate)
    if cut:
        return cut
    exact = {n for n in plain if all(abs((f or 0.0) / rate - 1) < 1e-3 for f in factors[n])} if rate else set()
    stale = _stale(subject, steps, rate)
    if stale is not None:
        return stale
    odd = [n for n in names if n not in exact]
    weights = [n for n in names if n in subject.weights]
    if (
        exact
        and odd
        and weights
        and weights[-1] in exact
        and all(names.index(n) < names.index(weights[-1]) for n in odd)
    ):
        near = [_cosine(r.taken[n], r.gradients[n]) for r in steps for n in odd]
        if min(near) > 0.2:
            says = (
                f"the steps of {', '.join(sorted(exact, key=names.index))} are exact, and those of "
                f"{', '.join(odd)}, which lie before, are near their gradients and not equal to them: the "
                "later layers were updated before dx was computed from their weights"
            )
            return Evidence(
                "updates",
                (
                    fault(
                        f"update of {', '.join(odd)}",
                        "weights_updated_before_dx",
                        says,
                        fix="compute all gradients first, then update all parameters",
                        also="optimizer_formula_wrong",
                        lesson=LESSONS.get("weights_updated_before_dx", ""),
                    ),
                ),
            )
    return None


def _factor(taken: Array, gradient: Array) -> float | None:
    square = float((gradient**2).sum())
    if not square:
        return 0.0 if not np.any(taken) else None
    factor = float((taken * gradient).sum()) / square
    rounding = 1e-5 * float(np.sqrt((taken**2).sum()))
    return factor if float(np.sqrt(((taken - factor * gradient) ** 2).sum())) <= max(rounding, 1e-12) else None


def _cosine(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / size if size else 1.0


def _other_factors(
    subject: Subject, steps: Sequence[Recorded], factors: dict[str, list[float]], rate: float
) -> Evidence | None:
    by_step = (
        [{float(f"{factors[n][k] / rate:.4g}") for n in factors if factors[n][k]} for k in range(len(steps))]
        if rate
        else []
    )
    if by_step and all(len(values) <= 1 for values in by_step):
        return _clipped(steps, [next(iter(v), 0.0) for v in by_step], rate)
    wrong = {
        n: f
        for n, f in factors.items()
        if f[0] and rate and abs(f[0] / rate - 1) > 1e-3 and abs(f[0] / f[-1] - 1) < 1e-3
    }
    findings = []
    for name, values in wrong.items():
        factor = values[0] / rate
        label = "sign_error" if factor < 0 else "batch_scale_wrong"
        if label == "batch_scale_wrong" and not factor_name(factor, {"N": float(subject.count or 0) or 7.0}):
            continue
        says = f"{name} is changed by {factor:.5g} times the learning rate times its gradient" + (
            ": it climbs while the others descend" if factor < 0 else ""
        )
        findings.append(
            fault(
                f"update of {name}",
                label,
                says,
                fix=f"{name} = {name} - learning_rate * gradient",
                lesson=LESSONS.get(label, ""),
            )
        )
    return Evidence("updates", tuple(findings)) if findings else None


def _clipped(steps: Sequence[Recorded], factors: Sequence[float], rate: float) -> Evidence | None:
    lengths = [rate * f * float(np.linalg.norm(_flat(r.gradients))) for f, r in zip(factors, steps, strict=True)]
    varied = float(np.ptp(factors)) > 1e-3 * max(factors)
    if (
        varied
        and min(factors) > 0
        and max(factors) < 0.999
        and np.ptp(lengths) <= 0.5 * np.ptp(factors) / max(factors) * max(lengths)
    ):
        says = (
            f"every step is about {lengths[0] / rate:.4g} times the learning rate long: gradients are "
            f"clipped, to {min(factors):.2g} to {max(factors):.2g} of their length"
        )
        return Evidence("updates", (fault("update", "clipping_always", says, share=max(factors)),))
    return Evidence(
        "updates",
        says=(
            f"the steps are along the gradients, {min(factors):.3g} to {max(factors):.3g} times the "
            "learning rate given"
        ),
    )


def _clipped_by_value(steps: Sequence[Recorded], rate: float) -> Evidence | None:
    """Return that entries are cut at one limit, where that is what the steps do."""
    if not rate:
        return None
    limit = max(float(np.abs(_flat(r.taken)).max(initial=0)) for r in steps) / rate
    for r in steps:
        told = rate * np.clip(_flat(r.gradients), -limit, limit)
        if np.abs(told - _flat(r.taken)).max() > 1e-4 * rate * limit:
            return None
    share = float(np.mean([np.mean(np.abs(_flat(r.gradients)[_flat(r.gradients) != 0]) > limit) for r in steps]))
    says = f"the steps are gradient descent with entries cut at {limit:.4g}: {share:.0%} of them"
    if share > _MOSTLY:
        return Evidence("updates", (fault("update", "clipping_always", says, share=share),))
    return Evidence("updates", says=says) if share else None


def _stale(subject: Subject, steps: Sequence[Recorded], rate: float) -> Evidence | None:
    """Return that steps use the gradient of an earlier batch or of earlier parameters."""
    if len(steps) < 3 or not rate:
        return None
    for what, old_params, old_batch in (
        ("the batch before", False, True),
        ("the parameters before", True, False),
        ("the step before", True, True),
    ):
        misses = []
        for before, now in pairwise(steps[1:]):
            source = before if old_params else now
            g = subject.gradients(source.params, before.batch if old_batch else now.batch)
            told = {n: rate * g[n] for n in now.taken if n in g}
            misses.append(_misses(_flat(now.taken), _flat(told), 0.0) if len(told) == len(now.taken) else np.inf)
        if max(misses) < 1e-3:
            says = f"every step uses the gradient of {what}, to {max(misses):.0e}"
            return Evidence(
                "updates",
                (
                    fault(
                        "update",
                        "stale_gradient",
                        says,
                        fix="compute the gradients of this step's batch and parameters, then update",
                        also="stale_cache",
                        lesson=LESSONS.get("stale_cache", ""),
                    ),
                ),
            )
    return None


def _unknown(subject: Subject, best: Fit) -> Evidence:
    if subject.optimizer:
        says = (
            f"the steps do not follow {subject.optimizer}'s formula, nor any other that is known; "
            f"{best.rule.name} comes nearest and misses by {best.misfit:.1%}"
        )
        return Evidence(
            "updates",
            (
                fault(
                    "update",
                    "optimizer_formula_wrong",
                    says,
                    fix="compare a step by hand with the formula",
                    lesson=LESSONS.get("optimizer_formula_wrong", ""),
                ),
            ),
        )
    return Evidence(
        "updates",
        untested=(
            f"the formula of the update: it is none that is known here ({best.rule.name} comes nearest and "
            f"misses by {best.misfit:.1%})",
        ),
    )

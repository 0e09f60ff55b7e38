"""``diagnose_network``: hand-written gradients of a whole network, compared with differences of its loss."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from whygrad import engines
from whygrad.checking.time_limit import Limited
from whygrad.clock import working_time
from whygrad.diagnosis.adapting import as_array
from whygrad.diagnosis.catalogue import Joints, Subject
from whygrad.diagnosis.chains import Chain, forward
from whygrad.diagnosis.differences import differences
from whygrad.diagnosis.faults import ALL, faults, generic
from whygrad.diagnosis.hints import source_of
from whygrad.diagnosis.identifying import as_given, identified
from whygrad.diagnosis.judging import judge
from whygrad.diagnosis.network_code import NetworkCode
from whygrad.diagnosis.network_findings import as_gradient, findings_of, located
from whygrad.diagnosis.outcomes import Outcome
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.report import Diagnosis, Finding, Judgement
from whygrad.diagnosis.updating import updated_layers
from whygrad.errors import CheckError, OptionError
from whygrad.typing import Array

TIME_LIMIT = 10.0
#: Seconds of the processor that differences of the loss may take, all points together.
PATIENCE = 4.0
#: Entries of a network's gradients that are kept for each mistake.
KEPT = 5000


def diagnose_network(
    loss: Callable[..., Any], gradients: Callable[..., Any], params: Mapping[str, Any], inputs: Sequence[Any] = (),
    *,
    seed: int = 0, time_limit: float = TIME_LIMIT, patience: float = math.inf,
) -> Diagnosis:  # fmt: skip
    """Say what is wrong with the hand-written gradients of a network.

    The reference is the loss itself, by differences. With ``inputs`` the network is found out: which layers,
    activations and loss give these numbers; and each mistake of each of its layers is tried. Without them, what can
    be said of the gradients alone is said.

    Args:
        loss: ``loss(params, *inputs)`` → a number.
        gradients: ``gradients(params, *inputs)`` → gradients by the names of the parameters.
        params: arrays by name, in the order of the layers.
        inputs: the data, most often (x, t).
        seed: of further parameters beside those given.
        time_limit: seconds that one call may take.
        patience: seconds that finding the network out may take.

    Returns:
        The diagnosis, with one finding for each parameter.

    Raises:
        OptionError: params is no mapping of arrays.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x, t, w = rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), rng.normal(size=(3, 2))
        >>> def loss(params, x, t): return ((np.tanh(x @ params["w"]) - t) ** 2).sum() / 2
        >>> def gradients(params, x, t): return {"w": x.T @ (np.tanh(x @ params["w"]) - t)}
        >>> diagnose_network(loss, gradients, {"w": w}, (x, t)).cause
        'missing_activation_derivative'
    """
    began = working_time()
    if not isinstance(params, Mapping) or not params:
        raise OptionError(
            "diagnose_network",
            "params as a dictionary of arrays",
            f"{type(params).__name__}",
            'pass {"W1": w1, "b1": b1, ...}',
        )
    arrays: dict[str, Array] = {}
    for name, value in params.items():
        array = as_array(value)
        if array is None:
            raise OptionError(
                "diagnose_network",
                f"{name} as an array of numbers",
                f"{type(value).__name__}",
                "pass the arrays by name",
            )
        arrays[str(name)] = array
    limited = Limited(time_limit)
    case = NetworkCode(limited.wrap("loss", loss), limited.wrap("gradients", gradients), arrays, tuple(inputs))
    case.until = began + patience
    source = source_of(loss, gradients)

    def work() -> Diagnosis:
        with engines.engine("definition"):
            return _diagnosed(case, np.random.default_rng(seed), source)

    try:
        found = limited.run(work)
    except CheckError as error:
        finding = Finding(output="all", verdict=Judgement.ERROR, says=f"the code did not come back: {error}")
        found = Diagnosis(subject="network", findings=(finding,))
    return replace(found, seconds=working_time() - began)


def _diagnosed(case: NetworkCode, rng: np.random.Generator, source: str) -> Diagnosis:
    value = case.loss(case.params)
    if not np.isfinite(value):
        finding = Finding(
            output="y",
            verdict=Judgement.ERROR,
            says="the loss is not a finite number at the parameters that were given",
        )
        return Diagnosis(subject="network", findings=(finding,), calls=case.calls)
    chain = _known(case, rng)
    target = network_subject(case, chain)
    probes = _points(case, target, rng)
    if chain is not None and not _agrees(chain, case, probes[0]):
        chain = None
        target = network_subject(case, None)
        probes = _points(case, target, rng)
    outcomes = [Outcome(p, case.gradients(p.inputs, p.options["inputs"])) for p in probes]
    late = updated_layers(chain, target, outcomes) if chain is not None else {}
    if late:
        findings = [as_gradient(late.get(n) or judge(target, n, outcomes, source)) for n in case.params]
    else:
        findings = findings_of(target, case, outcomes, source, known=chain is not None)
    notes = [f"read as {chain.described()}"] if chain is not None else []
    if chain is None:
        notes += located(findings)
    if any(o.result.written for o in outcomes):
        notes.append("it writes to the parameters while it computes their gradients")
    return Diagnosis(subject="network", findings=tuple(findings), notes=tuple(notes), calls=case.calls)


def _known(case: NetworkCode, rng: np.random.Generator) -> Chain | None:
    if len(case.inputs) != 2:
        return None
    x, t = as_array(case.inputs[0]), as_array(case.inputs[1])
    if x is None or t is None or not x.ndim:
        return None
    return identified(case.loss, case.params, x, t, rng, case.until)


def _agrees(chain: Chain, case: NetworkCode, probe: Probe) -> bool:
    """Whether the chain's gradients are those of the loss, along random directions."""
    gradients = _of_chain(chain, probe, {})
    rng = np.random.default_rng(0)
    for _ in range(3):
        direction: dict[str, Array] = {n: rng.normal(size=a.shape) for n, a in case.params.items()}

        def along(s: Array, direction: Mapping[str, Array] = direction) -> float:
            return case.loss({n: a + float(s[0]) * direction[n] for n, a in case.params.items()})

        slope = differences(along, np.zeros(1), 1e-4)[0]
        told = sum(float((gradients[n] * direction[n]).sum()) for n in case.params)
        if abs(slope - told) > 1e-4 * max(abs(slope), 1e-6):
            return False
    return True


def _of_chain(chain: Chain, p: Probe, joints: Joints) -> dict[str, Array]:
    """Return the gradients of a chain; what was computed for this probe before is kept with it."""
    memory = p.__dict__.setdefault("memory", {})
    key = tuple((name, id(value)) for name, value in joints.items() if name != "out")
    if key in memory:
        return dict(memory[key][0])
    if "ahead" not in memory:
        data = (np.asarray(a, np.float64) for a in p.options["inputs"])
        x, t = as_given(chain, *data)
        memory["ahead"] = x, t, forward(chain.stages, p.inputs, x)
    x, t, ahead = memory["ahead"]
    found = chain.gradients(p.inputs, x, t, joints, ahead)
    if sum(a.size for a in found.values()) < KEPT:
        memory[key] = found, dict(joints)  # the joints as well: an id is told again once its object is gone
    return dict(found)


def network_subject(case: NetworkCode, chain: Chain | None) -> Subject:
    """Return the subject of a network: its parameters are the inputs, and each has its gradient."""
    names = list(case.params)

    def numeric(p: Probe, name: str) -> Array:
        return differences(lambda a: case.loss({**p.inputs, name: a}, p.options["inputs"]), p[name])

    def one(name: str) -> Callable[[Probe, Joints], Array]:
        return lambda p, joints: _of_chain(chain, p, joints)[name] if chain is not None else numeric(p, name)

    def together(p: Probe, joints: Joints) -> Array:
        if chain is not None:
            found = _of_chain(chain, p, joints)
            return np.concatenate([np.ravel(found[name]) for name in names])
        return np.concatenate([np.ravel(p.right[name]) for name in names])

    def sizes(p: Probe) -> dict[str, float]:
        data = p.options["inputs"]
        found: dict[str, float] = {}
        if data and np.ndim(data[0]):
            found["N"] = len(data[0]) if chain is None or not chain.columns else np.shape(data[0])[1]
        widths = sorted({n for a in case.params.values() for n in a.shape})
        return found | {f"{n}": n for n in widths[:4] if n > 2}

    build = {name: one(name) for name in names}
    mistakes = [*generic(names), *(faults(chain, names) if chain is not None else ())]
    companions = tuple(m for m in mistakes if m.label == "ties_duplicate_gradient" and m.joint[0].isdigit())
    return Subject("network", tuple(names), {**build, ALL: together} if chain is not None else build,
                   lambda p, _: np.asarray(case.loss(p.inputs)),
                   lambda *_: [], tuple(mistakes), sizes,
                   factor_labels={"2": "batch_scale_wrong", "1/2": "batch_scale_wrong"},
                   companions=companions)  # fmt: skip


def _points(case: NetworkCode, target: Subject, rng: np.random.Generator) -> list[Probe]:
    """Return the parameters that were given, others near them, and the same with fewer samples."""

    def moved() -> dict[str, Array]:
        return {n: a + 0.2 * (np.abs(a).mean() + 0.1) * rng.normal(size=a.shape) for n, a in case.params.items()}

    made = [
        ("the parameters that were given", case.params, case.inputs),
        ("others near them", moved(), case.inputs),
    ]
    arrays = [a for a in case.inputs if isinstance(a, np.ndarray) and a.ndim]
    n = len(arrays[0]) if arrays else 0
    if n > 2 and len(arrays) == len(case.inputs) == 2 and all(len(a) == n for a in arrays):
        fewer = tuple(a[: n // 2] for a in case.inputs)
        if np.isfinite(case.loss(case.params, fewer)) and case.gradients(case.params, fewer).error is None:
            made.append(("half of the samples", moved(), fewer))
    entries = sum(a.size for a in case.params.values())
    began = time.thread_time()
    case.loss(case.params)
    cost = 4 * entries * (time.thread_time() - began)
    kept = made if cost * len(made) < PATIENCE or ALL in target.build else made[:1]
    return [Probe(name, dict(a), np.ones(()), target, {"inputs": b}) for name, a, b in kept]

"""``diagnose_network``: hand-written gradients of a whole network, compared with differences of its loss."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whygrad import engines
from whygrad.checking.time_limit import Limited
from whygrad.diagnosis.adapting import Result, as_array, guarded
from whygrad.diagnosis.catalogue import ImpossibleError, Joints, Subject
from whygrad.diagnosis.chains import Chain, forward
from whygrad.diagnosis.differences import differences
from whygrad.diagnosis.faults import ALL, faults, generic
from whygrad.diagnosis.hints import source_of
from whygrad.diagnosis.hypotheses import EXACT, Sample, search
from whygrad.diagnosis.identifying import as_given, identified
from whygrad.diagnosis.judging import Outcome, judge, judged, right, sample_of
from whygrad.diagnosis.losses import as_convention
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.report import Diagnosis, Finding, Judgement
from whygrad.diagnosis.signatures import parameters
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
    began = time.monotonic()
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
    case = _Case(limited.wrap("loss", loss), limited.wrap("gradients", gradients), arrays, tuple(inputs))
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
    return replace(found, seconds=time.monotonic() - began)


@dataclass
class _Case:
    """A person's network."""

    loss_function: Any
    gradients_function: Any
    params: dict[str, Array]
    inputs: tuple[Any, ...]
    calls: int = 0
    until: float = math.inf

    def loss(self, params: Mapping[str, Array], inputs: tuple[Any, ...] | None = None) -> float:
        """Return the loss; NaN where it fails."""
        self.calls += 1
        given = self.arguments(self.loss_function, params, self.inputs if inputs is None else inputs)
        raw, error, _, _ = guarded(lambda: self.loss_function(*given))
        number = as_array(raw[0] if isinstance(raw, tuple) else raw)
        return (
            float("nan") if error is not None or number is None or number.size != 1 else float(number.reshape(()))
        )

    def gradients(self, params: Mapping[str, Array], inputs: tuple[Any, ...]) -> Result:
        """Return the claimed gradients by the names of the parameters."""
        self.calls += 1
        given = self.arguments(self.gradients_function, params, inputs)
        raw, error, refused, printed = guarded(lambda: self.gradients_function(*given))
        result = Result(error=error, refused=refused, printed=printed)
        if error is None:
            result.outputs = self.by_name(raw)
            result.written = tuple(n for n, a in params.items() if not np.array_equal(a, given[0][n]))
        return result

    def arguments(self, function: Any, params: Mapping[str, Array], inputs: tuple[Any, ...]) -> list[Any]:
        """Return copies of the arguments; the data only where the function takes it."""
        copies: list[Any] = [{n: a.copy() for n, a in params.items()}]
        taken = parameters(function)
        if not taken or len(taken) > 1:
            copies += [a.copy() if isinstance(a, np.ndarray) else a for a in inputs]
        return copies

    def by_name(self, raw: Any) -> dict[str, Any]:
        """Return gradients by the names of the parameters, also where they are called dW1 or come in order."""
        names = list(self.params)
        if isinstance(raw, tuple | list) and len(raw) == 2 and isinstance(raw[1], Mapping):
            raw = raw[1]  # (loss, gradients)
        if isinstance(raw, Mapping):
            found: dict[str, Any] = {}
            for key, value in raw.items():
                plain = str(key)
                for name in (plain, plain.removeprefix("d"), plain.removeprefix("d_"), plain.removeprefix("grad_")):
                    if name in self.params:
                        found.setdefault(name, as_array(value))
            return found
        if isinstance(raw, tuple | list):
            return {name: as_array(value) for name, value in zip(names, raw, strict=False)}
        return {names[0]: as_array(raw)}


def _diagnosed(case: _Case, rng: np.random.Generator, source: str) -> Diagnosis:
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
        findings = [_as_gradient(late.get(n) or judge(target, n, outcomes, source)) for n in case.params]
    else:
        findings = _findings(target, case, outcomes, source, known=chain is not None)
    notes = [f"read as {chain.described()}"] if chain is not None else []
    if chain is None:
        notes += located(findings)
    if any(o.result.written for o in outcomes):
        notes.append("it writes to the parameters while it computes their gradients")
    return Diagnosis(subject="network", findings=tuple(findings), notes=tuple(notes), calls=case.calls)


def located(findings: Sequence[Finding]) -> list[str]:
    """Return where the mistake lies in a network that is not known: behind the last gradients that are right.

    Example:
        >>> told = {"w1": Judgement.WRONG, "w2": Judgement.WRONG, "w3": Judgement.RIGHT}
        >>> located([Finding(output=name, verdict=verdict) for name, verdict in told.items()])
        ['w3 is right and all before it is wrong: look at what is passed back from there to w2']
    """
    fine = [f.fine for f in findings]
    first = fine.index(True) if True in fine else 0
    if not first or not all(fine[first:]) or any(f.cause for f in findings):
        return []
    names = [f.output for f in findings]
    return [
        f"{names[first]} is right and all before it is wrong: look at what is passed back from there to "
        f"{names[first - 1]}"
    ]


def _known(case: _Case, rng: np.random.Generator) -> Chain | None:
    if len(case.inputs) != 2:
        return None
    x, t = as_array(case.inputs[0]), as_array(case.inputs[1])
    if x is None or t is None or not x.ndim:
        return None
    return identified(case.loss, case.params, x, t, rng, case.until)


def _agrees(chain: Chain, case: _Case, probe: Probe) -> bool:
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


def network_subject(case: _Case, chain: Chain | None) -> Subject:
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


def _points(case: _Case, target: Subject, rng: np.random.Generator) -> list[Probe]:
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


def _findings(
    target: Subject, case: _Case, outcomes: Sequence[Outcome], source: str, *, known: bool
) -> list[Finding]:
    """Return a finding for each parameter: by one fault for all together, or else each by its own."""
    return [_as_gradient(f) for f in _by_name(target, case, outcomes, source, known=known)]


def _as_gradient(finding: Finding) -> Finding:
    """Return a finding that calls the gradient of W1 dW1."""
    name = finding.output
    fix = finding.fix.replace(name, f"d{name}") if finding.fix.startswith(f"{name} = ") else finding.fix
    return replace(finding, says=finding.says.replace(f"your {name} ", f"your d{name} ", 1), fix=fix)


def _by_name(
    target: Subject, case: _Case, outcomes: Sequence[Outcome], source: str, *, known: bool
) -> list[Finding]:
    names = list(case.params)
    wrong = [n for n in names if not _is_right(n, outcomes)]
    if not wrong:
        return [judge(target, name, outcomes, source) for name in names]
    single = _one_fault(target, names, outcomes) if known else None
    if single is not None:
        joint = judge(target, ALL, _joined(names, outcomes), source)
        joint = as_convention(joint)
        if joint.cause is not None:
            return [
                _share(joint, name) if name in wrong else judge(target, name, outcomes, source) for name in names
            ]
    findings = judged(target, names, outcomes, source)
    factors = {f.evidence.get("factor_name") for f in findings}
    return [as_convention(f) for f in findings] if len(factors) == 1 else findings


def _is_right(name: str, outcomes: Sequence[Outcome]) -> bool:
    samples = [sample_of(o, name) for o in outcomes]
    return all(s.value is not None and right(s, name) for s in samples)


def _joined(names: Sequence[str], outcomes: Sequence[Outcome]) -> list[Outcome]:
    found = []
    for o in outcomes:
        arrays = [o.result.outputs.get(n) for n in names]
        whole = (
            None
            if any(a is None for a in arrays)
            else np.concatenate([np.ravel(a) for a in arrays if a is not None])
        )
        found.append(Outcome(o.probe, Result({ALL: whole}, o.result.error)))
    return found


def _one_fault(target: Subject, names: Sequence[str], outcomes: Sequence[Outcome]) -> bool | None:
    """Return whether one fault explains all gradients together."""
    for o in outcomes:
        for name in names:
            a = o.result.outputs.get(name)
            if a is None or a.shape != o.probe[name].shape:
                return None
    samples = [Sample(o.probe, o.result.outputs[ALL], EXACT) for o in _joined(names, outcomes)]
    try:
        return bool(search(target, ALL, samples, pairs=bool(target.companions)).accepted) or None
    except ImpossibleError:
        return None


def _share(joint: Finding, name: str) -> Finding:
    says = joint.says.replace(f"your {ALL} is wrong: ", "").replace(f"your {ALL}", f"your d{name}")
    return replace(joint, output=name, says=says, fix=joint.fix.replace(ALL, f"d{name}"))

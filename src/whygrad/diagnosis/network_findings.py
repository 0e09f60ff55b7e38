"""From what a person's network gave at the probes to a finding for each of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from whygrad.diagnosis.adapting import Result
from whygrad.diagnosis.catalogue import ImpossibleError, Subject
from whygrad.diagnosis.faults import ALL
from whygrad.diagnosis.hypotheses import EXACT, Sample, search
from whygrad.diagnosis.judging import judge, judged
from whygrad.diagnosis.losses import as_convention
from whygrad.diagnosis.network_code import NetworkCode
from whygrad.diagnosis.outcomes import Outcome, right, sample_of
from whygrad.diagnosis.report import Finding


def located(findings: Sequence[Finding]) -> list[str]:
    """Return where the mistake lies in a network that is not known: behind the last gradients that are right.

    Example:
        >>> from whygrad.diagnosis.report import Judgement
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


def findings_of(
    target: Subject, case: NetworkCode, outcomes: Sequence[Outcome], source: str, *, known: bool
) -> list[Finding]:
    """Return a finding for each parameter: by one fault for all together, or else each by its own."""
    return [as_gradient(f) for f in _by_name(target, case, outcomes, source, known=known)]


def as_gradient(finding: Finding) -> Finding:
    """Return a finding that calls the gradient of W1 dW1."""
    name = finding.output
    fix = finding.fix.replace(name, f"d{name}") if finding.fix.startswith(f"{name} = ") else finding.fix
    return replace(finding, says=finding.says.replace(f"your {name} ", f"your d{name} ", 1), fix=fix)


def _by_name(
    target: Subject, case: NetworkCode, outcomes: Sequence[Outcome], source: str, *, known: bool
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

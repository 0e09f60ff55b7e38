"""What one gradient says of the others: a factor that all share, sizes for which all are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.domains import domains
from whygrad.diagnosis.judging import judge
from whygrad.diagnosis.outcomes import Outcome
from whygrad.diagnosis.report import Finding, Judgement


def conventions(findings: list[Finding]) -> list[Finding]:
    """Return the findings, a factor that all gradients share being told as a convention.

    One factor for every output is a loss that was averaged or summed. One that the outputs do not share is a bug.
    """
    factors = {f.output: f.evidence.get("factor_name") for f in findings}
    names = set(factors.values())
    if len(findings) < 2 or len(names) != 1 or None in names or "-1" in names:
        return findings
    (name,) = names
    says = (
        f"{{}} is {name} times the gradient of Σ dy·y, as all the others are: a convention of the loss (mean or "
        f"sum); the learning rate means {name} of what it otherwise would"
    )
    return [
        Finding(
            output=f.output, verdict=Judgement.CONVENTION, cause=f.cause, also=f.also,
            says=says.format(f"your {f.output}"),
            evidence=f.evidence, where=f.where, lesson=f.lesson,
        )
        for f in findings
    ]  # fmt: skip


def excused(subject: Subject, findings: list[Finding], outcomes: Sequence[Outcome], source: str) -> list[Finding]:
    """Return the findings; what one gradient is judged for holds for the others as well.

    Code that fails somewhere because of one gradient says nothing against the others, and an output that is right
    at the sizes for which another one was judged is not wrong because it is not at others.
    """
    told = [f for f in findings if f.cause is not None and f.verdict is not Judgement.ERROR]
    if not told:
        return findings
    sizes = {f.evidence.get("sizes") for f in told} - {None}
    inside = [d.probes for d in domains([o.probe for o in outcomes]) if d.name in sizes]
    kept = [o for o in outcomes if not inside or o.probe.name in inside[0]]
    return [_excused_one(subject, finding, kept if inside else None, source) for finding in findings]


def _excused_one(subject: Subject, finding: Finding, kept: list[Outcome] | None, source: str) -> Finding:
    if finding.verdict is Judgement.ERROR:
        return Finding(output=finding.output, verdict=Judgement.RIGHT, notes=("where the code runs",))
    if finding.cause is None and kept is not None and not finding.verdict.good:
        again = judge(subject, finding.output, kept, source)
        return replace(again, notes=("at these sizes",)) if again.fine else finding
    return finding

"""How the diagnosis of a training is shown: in a terminal, as text and in a notebook. This module brings Rich."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from rich.text import Text

from whygrad.diagnosis.rendering import MARKS
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.folding import Folded, Line, plain

if TYPE_CHECKING:
    from whygrad.diagnosis.training.report import TrainingDiagnosis

_INDENT = 4


def renderable(diagnosis: TrainingDiagnosis) -> Folded:
    """Return what Rich prints of a diagnosis, folded for the width at which it is printed."""
    return Folded(lambda _: _lines(diagnosis))


def text(diagnosis: TrainingDiagnosis, width: int = 100) -> str:
    """Return a diagnosis as plain text of so many columns."""
    return plain(renderable(diagnosis), width)


def conclusion(diagnosis: TrainingDiagnosis) -> str:
    """Return the one sentence that a diagnosis comes to."""
    if diagnosis.healthy:
        return "Healthy: nothing that was tested is wrong."
    if (
        diagnosis.cause is None
        and not diagnosis.trials
        and all(f.verdict is Judgement.ERROR for f in diagnosis.faults)
    ):
        return "Whether something is wrong could not be told."
    if diagnosis.cause is None:
        return "Something is wrong, and its cause is not known."
    others = [f.cause for f in diagnosis.faults if f.cause and f.cause != diagnosis.cause]
    return f"The cause: {diagnosis.cause}." + (f" Beside it: {', '.join(dict.fromkeys(others))}." if others else "")


def details(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield what is said of a finding, each with its title."""
    if finding.says:
        yield "", _sentence(finding.says)
    for note in finding.notes:
        yield "", _sentence(note)
    if finding.experiment:
        yield "shown by", finding.experiment
    if finding.fix:
        yield "fix", finding.fix
    if finding.lesson:
        yield "why", finding.lesson


def _sentence(said: str) -> str:
    return f"{said[0].upper()}{said[1:]}" + ("" if said.endswith(".") else ".")


def _lines(diagnosis: TrainingDiagnosis) -> Iterator[Line]:
    yield Text(diagnosis.subject, "bold"), 0
    yield Text(), 0
    for finding in diagnosis.findings:
        good = finding.fine
        line = Text(f"{MARKS.get(finding.verdict, '✗')} ", "green" if good else "red").append(finding.output)
        if finding.cause:
            line.append(f"  {finding.cause}", "bold")
        if good:
            yield Text.assemble(line, (f": {finding.says}", "dim")), 2
            continue
        yield line, 2
        for title, sentence in details(finding):
            yield Text.assemble((f"{title}: " if title else "", "dim"), sentence), _INDENT
        yield Text(), 0
    if diagnosis.healthy:
        yield Text(), 0
    yield Text(conclusion(diagnosis), f"bold {'green' if diagnosis.healthy else 'red'}"), 0
    for reason in diagnosis.untested:
        yield Text(f"Not tested: {reason}.", "dim"), 0
    for note in diagnosis.notes:
        yield Text(f"Note: {note}.", "dim"), 0


def html(diagnosis: TrainingDiagnosis) -> str:
    """Return a diagnosis as HTML that needs nothing else, for light and dark pages."""
    blocks = []
    for finding in diagnosis.findings:
        colour = "#1a7f37" if finding.fine else "#cf222e"
        style = f"background:{colour};color:#fff;border-radius:9px;padding:1px 8px"
        cause = f" <b>{escape(finding.cause)}</b>" if finding.cause else ""
        blocks.append(
            f'<div style="margin-top:6px"><span style="{style}">{escape(finding.output)}</span>{cause}</div>'
        )
        for title, sentence in details(finding):
            label = f'<span style="opacity:.7">{title}: </span>' if title else ""
            blocks.append(
                f'<div style="max-width:60em;white-space:normal;padding-left:28px">{label}{escape(sentence)}</div>'
            )
    told = "".join(f'<div style="opacity:.7">Not tested: {escape(reason)}.</div>' for reason in diagnosis.untested)
    return (
        '<div style="font-size:13px;line-height:1.5;text-align:left">'
        f'<div style="font-weight:600">{escape(diagnosis.subject)}</div>{"".join(blocks)}'
        f'<div style="font-weight:600;margin-top:6px">{escape(conclusion(diagnosis))}</div>{told}</div>'
    )

"""How a diagnosis is shown: in a terminal, as plain text and in a notebook. This module brings Rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from rich.text import Text

from whygrad.diagnosis.report import Diagnosis, Finding, Judgement
from whygrad.folding import BAD, DOUBTFUL, GOOD, Folded, Line, plain
from whygrad.notebook import badge

_INDENT = 4
MARKS = {Judgement.RIGHT: "✓", Judgement.CONVENTION: "~"}
_COLOURS = {Judgement.RIGHT: GOOD, Judgement.CONVENTION: DOUBTFUL}
#: Of what is said beside the sentences.
_STYLES = {"evidence": "dim", "with": "dim", "fix": "cyan"}


def renderable(diagnosis: Diagnosis) -> Folded:
    """Return what Rich prints of a diagnosis, folded for the width at which it is printed.

    Example:
        >>> finding = Finding(output="dx", verdict=Judgement.RIGHT)
        >>> print(plain(renderable(Diagnosis(subject="relu", findings=(finding,)))))
        relu
        <BLANKLINE>
          dx  ✓ right
        <BLANKLINE>
        Healthy: the gradient dx is right.
    """
    return Folded(lambda _: _lines(diagnosis))


def text(diagnosis: Diagnosis, width: int = 100) -> str:
    """Return a diagnosis as plain text of so many columns."""
    return plain(renderable(diagnosis), width)


def conclusion(diagnosis: Diagnosis) -> str:
    """Return the one sentence that a diagnosis comes to.

    Example:
        >>> wrong = Finding(output="dx", verdict=Judgement.WRONG, cause="sign_error")
        >>> conclusion(Diagnosis(subject="relu", findings=(wrong,)))
        'Wrong: dx. The cause: sign_error.'
    """
    names = [finding.output for finding in diagnosis.findings if finding.verdict.good]
    if diagnosis.healthy:
        listed = ", ".join(name for name in names if name != "y")
        if not listed:
            return "Healthy: the value is right."
        several = "," in listed
        return f"Healthy: the gradient{'s' if several else ''} {listed} {'are' if several else 'is'} right."
    wrong = ", ".join(finding.output for finding in diagnosis.findings if not finding.fine)
    if diagnosis.cause is None:
        return f"Wrong: {wrong}. The cause is not known." if wrong else "Nothing could be judged."
    causes = [(f.output, f.cause) for f in diagnosis.findings if not f.fine]
    if len({cause for _, cause in causes if cause}) > 1:
        told = [f"{name} ({cause or 'not known'})" for name, cause in causes]
        return f"Wrong: {', '.join(told)}."
    return f"Wrong: {wrong}. The cause: {diagnosis.cause}."


def details(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield what is said of a finding, each with its title."""
    if finding.says:
        yield "", f"{finding.says[0].upper()}{finding.says[1:]}."
    if finding.where:
        yield "", f"{finding.where[0].upper()}{finding.where[1:]}."
    for note in finding.notes:
        yield "", f"{note[0].upper()}{note[1:]}."
    if finding.fix:
        line, _, shapes = finding.fix.partition("  # ")
        yield "fix", line
        if shapes:
            yield "with", shapes
    if finding.lesson:
        yield "why", finding.lesson
    if finding.evidence and "misfit" in finding.evidence:
        yield "evidence", evidence(finding)


def evidence(finding: Finding) -> str:
    """Return how well the cause reproduces the numbers, in words."""
    said = finding.evidence
    misfit = float(said["misfit"])
    exactly = "exactly" if misfit == 0 else f"to {misfit:.0e} of the largest"
    several = int(said.get("probes", 1)) > 1
    calls = f" in {said['probes']} calls" if several else ""
    counted = f"all {said['entries']:,} numbers" if "entries" in said else "the numbers"
    known = f"this gives {counted}{calls} {exactly}"
    if said.get("rival"):
        known += f"; the next best cause, {said['rival']}, is off by {float(said['rival_misfit']):.1g}"
    return known


def _lines(diagnosis: Diagnosis) -> Iterator[Line]:
    yield Text(diagnosis.subject, "bold"), 0
    yield Text(), 0
    width = max((len(finding.output) for finding in diagnosis.findings), default=0)
    for i, finding in enumerate(diagnosis.findings):
        colour = _COLOURS.get(finding.verdict, BAD)[0]
        line = Text(f"{finding.output:<{width}}  ").append(
            f"{MARKS.get(finding.verdict, '✗')} {finding.verdict}", colour
        )
        if finding.cause:
            line.append(f"  {finding.cause}", "bold")
        said = list(details(finding))
        like = _like(diagnosis.findings[:i], finding) if said else None
        if like:
            line.append(f"  like {like}", "dim")
            said = []
        yield line, 2
        for title, sentence in said:
            yield (
                Text.assemble(
                    (f"{title}: " if title else "", "dim"),
                    (sentence, _STYLES.get(title, "")),
                ),
                _INDENT,
            )
        if (
            said
            and i + 1 < len(diagnosis.findings)
            and not _like(diagnosis.findings[: i + 1], diagnosis.findings[i + 1])
        ):
            yield Text(), 0
    yield Text(), 0
    yield Text(conclusion(diagnosis), f"bold {'green' if diagnosis.healthy else 'red'}"), 0
    for note in diagnosis.notes:
        yield Text(f"Note: {note}.", "dim"), 0


def _like(earlier: Sequence[Finding], finding: Finding) -> str | None:
    """Return the gradient of which the same was said before."""

    def said(f: Finding) -> tuple[object, ...]:
        return f.verdict, f.cause, f.says.replace(f.output, ""), f.where, f.notes, f.lesson

    return next((f.output for f in earlier if f.says and said(f) == said(finding)), None)


def html(diagnosis: Diagnosis) -> str:
    """Return a diagnosis as HTML that needs nothing else, for light and dark pages.

    Example:
        >>> finding = Finding(output="dx", verdict=Judgement.WRONG, cause="sign_error", says="your dx has a < b")
        >>> "a &lt; b" in html(Diagnosis(subject="relu", findings=(finding,)))
        True
    """
    blocks = []
    for i, finding in enumerate(diagnosis.findings):
        verdict = badge(str(finding.verdict), _COLOURS.get(finding.verdict, BAD)[1])
        cause = f" <b>{escape(finding.cause)}</b>" if finding.cause else ""
        blocks.append(f'<div style="margin-top:6px">{escape(finding.output)} {verdict}{cause}</div>')
        like = _like(diagnosis.findings[:i], finding)
        for title, sentence in [("", f"Like {like}.")] if like else details(finding):
            shown = f"<code>{escape(sentence)}</code>" if title == "fix" else escape(sentence)
            label = f'<span style="opacity:.7">{title}: </span>' if title else ""
            blocks.append(f'<div style="max-width:60em;white-space:normal;padding-left:28px">{label}{shown}</div>')
    notes = "".join(f'<div style="opacity:.7">Note: {escape(note)}.</div>' for note in diagnosis.notes)
    return (
        '<div style="font-size:13px;line-height:1.5;text-align:left">'
        f'<div style="font-weight:600">{escape(diagnosis.subject)}</div>{"".join(blocks)}'
        f'<div style="font-weight:600;margin-top:6px">{escape(conclusion(diagnosis))}</div>{notes}</div>'
    )

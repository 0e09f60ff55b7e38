"""An explanation for the terminal and for notebooks."""

from __future__ import annotations

import html as markup
from collections.abc import Iterator
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from whygrad import folding
from whygrad.explanation.entry import Explanation, Part
from whygrad.explanation.lines import (
    digits,
    filled_in,
    in_numbers,
    in_symbols,
    joined,
    legend,
    rest_of,
    said_of,
    shown,
    witness,
)
from whygrad.explanation.notation import mathml

_CONVENTIONS = {
    "gradient": "δ and all gradients are ∂E/∂…: a step down subtracts them",
    "hertz": "δ and all gradients are −∂E/∂…, as Hertz, Krogh and Palmer write them: a step down adds them",
}


def text(explanation: Explanation, width: int) -> Iterator[Any]:
    """Yield what Rich prints."""
    yield Text.assemble((explanation.subject, "bold cyan"), " = ", (digits(explanation.sum, 9), "bold"))
    for part in explanation.parts:
        yield Text("")
        yield Text.assemble((part.call, "bold"), ("  " + part.op, "dim"), ("   " + legend(part), "dim"))
        yield Padding(Text(part.formula), (0, 0, 0, 2), expand=False)
        if part.where:
            yield Padding(Text(part.where, style="dim"), (0, 0, 0, 2), expand=False)
        if part.terms:
            yield Padding(Text(filled_in(part)), (0, 0, 0, 2), expand=False)
        yield _table(part, with_sum=len(explanation.parts) > 1)
    yield Text("")
    yield _witnesses(explanation)
    if explanation.sentence:
        yield Text("")
        yield Text(explanation.sentence)
    if explanation.kind in ("delta", "parameter", "update"):
        yield Text(_CONVENTIONS[explanation.convention], style="dim")
    del width


def _table(part: Part, *, with_sum: bool) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()  # sets the others in
    table.add_column(style="cyan", overflow="fold")
    table.add_column(justify="right", overflow="fold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    chosen = shown(part.terms)
    for term in chosen.terms:
        table.add_row("", in_symbols(term), in_numbers(term), digits(term.value), term.note)
    if chosen.others or chosen.zeros:
        table.add_row("", Text(rest_of(chosen), style="dim"), "", digits(chosen.rest), "")
    if not part.terms:
        table.add_row("", "no terms", "", "0", "")
    if with_sum:
        table.add_row("", Text(f"in {part.call}", style="bold"), "", Text(digits(part.sum), style="bold"), "")
    return table


def _witnesses(explanation: Explanation) -> Table:
    table = Table.grid(padding=(0, 2))
    for column in ("left", "right", "left"):
        table.add_column(justify=column)
    count = len(explanation.terms)
    if explanation.parts:
        table.add_row(f"sum of {count:,} terms" if count != 1 else "the one term", digits(explanation.sum, 9), "")
    verdict = Text("adds up", style="green") if explanation.adds_up else Text("does NOT add up", style="bold red")
    table.add_row(witness(explanation), digits(explanation.computed, 9), verdict if explanation.parts else "")
    if explanation.difference is not None:
        found = explanation.difference
        style = "green" if found.verdict.good else "yellow" if found.verdict.value == "undecided" else "bold red"
        table.add_row("finite difference", said_of(found), Text(found.verdict.value, style=style))
    return table


def plain(explanation: Explanation) -> str:
    """Return the text without colours."""
    return folding.plain(explanation)


_STYLE = (
    ".whygrad-explanation{font:14px/1.5 system-ui,sans-serif;max-width:60em}"
    ".whygrad-explanation table{border-collapse:collapse;margin:.4em 0}"
    ".whygrad-explanation td{padding:.1em .8em .1em 0;text-align:left}"
    ".whygrad-explanation td.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".whygrad-explanation .dim{opacity:.65}.whygrad-explanation .good{color:#1a7f37}"
    ".whygrad-explanation .bad{color:#cf222e;font-weight:bold}"
)


def html(explanation: Explanation) -> str:
    """Return a self-contained piece of HTML, formulas as MathML."""
    parts = "".join(_html_part(part) for part in explanation.parts)
    good = "good" if explanation.adds_up else "bad"
    adds_up = "adds up" if explanation.adds_up else "does NOT add up"
    rows = []
    if explanation.parts:
        rows.append(f"<tr><td>sum of {len(explanation.terms):,} terms<td class=n>{digits(explanation.sum, 9)}<td>")
    said = f"<td class={good}>{adds_up}" if explanation.parts else "<td>"
    rows.append(f"<tr><td>{witness(explanation)}<td class=n>{digits(explanation.computed, 9)}{said}")
    if explanation.difference is not None:
        found = explanation.difference
        good = "good" if found.verdict.good else "bad" if found.verdict.value == "wrong" else "dim"
        rows.append(f"<tr><td>finite difference<td class=n>{said_of(found)}<td class={good}>{found.verdict.value}")
    told = f"<p>{markup.escape(explanation.sentence)}</p>" if explanation.sentence else ""
    if explanation.kind in ("delta", "parameter", "update"):
        told += f'<p class="dim">{markup.escape(_CONVENTIONS[explanation.convention])}</p>'
    title = f"{mathml(explanation.subject.replace('∂E/∂', '∂E/∂'))} = <b>{digits(explanation.sum, 9)}</b>"
    return (
        f'<div class="whygrad-explanation"><style>{_STYLE}</style><p>{title}</p>{parts}'
        f"<table>{''.join(rows)}</table>{told}</div>"
    )


def _html_part(part: Part) -> str:
    chosen = shown(part.terms)
    rows = [
        f"<tr><td>{mathml(in_symbols(term))}<td class=n>{in_numbers(term)}<td class=n>{digits(term.value)}"
        f"<td class=dim>{markup.escape(term.note)}"
        for term in chosen.terms
    ]
    if chosen.others or chosen.zeros:
        rows.append(f"<tr><td class=dim>{rest_of(chosen)}<td><td class=n>{digits(chosen.rest)}<td>")
    head = f"<b>{markup.escape(part.call)}</b> <span class=dim>{part.op}: {markup.escape(legend(part))}</span>"
    where = f'<div class="dim">{markup.escape(part.where)}</div>' if part.where else ""
    numbers = joined([in_numbers(term) for term in part.terms[:4]])
    more = " + …" if len(part.terms) > 4 else ""
    filled = f"<div>{mathml(filled_in(part))} = {markup.escape(numbers)}{more}</div>" if part.terms else ""
    return f"<div>{head}<div>{mathml(part.formula)}</div>{where}{filled}<table>{''.join(rows)}</table></div>"

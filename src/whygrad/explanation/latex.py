"""An explanation as a LaTeX document that compiles as it is."""

from __future__ import annotations

from whygrad.explanation.entry import Explanation, Part
from whygrad.explanation.lines import digits, in_numbers, in_symbols, legend, rest_of, said_of, shown, witness
from whygrad.explanation.notation import escaped, latex

_HEAD = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[a4paper,margin=2cm]{geometry}
\usepackage{amsmath}
\allowdisplaybreaks
\begin{document}
\raggedright
"""


def document(explanation: Explanation) -> str:
    """Return the whole document."""
    return _HEAD + body(explanation) + "\n\\end{document}\n"


def body(explanation: Explanation) -> str:
    r"""Return what stands between ``\begin{document}`` and its end, to be pasted into another report."""
    lines = [rf"\noindent\textbf{{{escaped(explanation.subject)}}} $= {_number(explanation.sum, 9)}$", ""]
    for part in explanation.parts:
        lines += _part(part)
    said = "adds up" if explanation.adds_up else "does NOT add up"
    lines.append(rf"{escaped(witness(explanation))}: ${_number(explanation.computed, 9)}$ ({said})")
    if explanation.difference is not None:
        found = explanation.difference
        written = escaped(said_of(found)).replace("±", r"$\pm$")
        lines += ["", f"finite difference: {written} ({found.verdict.value})"]
    if explanation.sentence:
        lines += ["", escaped(explanation.sentence)]
    if explanation.convention == "hertz":
        lines += ["", r"Here $\delta$ and all gradients are $-\partial E/\partial\ldots$: a step down adds them."]
    return "\n".join(lines)


def _part(part: Part) -> list[str]:
    chosen = shown(part.terms)
    lines = [
        "",
        rf"\medskip\noindent\textit{{{escaped(part.call)}}} ({escaped(part.op)}: {escaped(legend(part))})",
        rf"\[ {latex(part.formula)} \]",
    ]
    if part.where:
        lines.append(rf"{{\small {escaped(part.where)}}}")
    rows = (
        [rf"{latex(part.symbol)} &= {_signed(chosen.terms, 0)}"] if chosen.terms else [f"{latex(part.symbol)} &= 0"]
    )
    rows += [f"&\\quad {_signed(chosen.terms, k)}" for k in range(1, len(chosen.terms))]
    if chosen.others or chosen.zeros:
        rows.append(rf"&\quad + {_number(chosen.rest)} \quad\text{{({escaped(rest_of(chosen))})}}")
    rows.append(f"&= {_number(part.sum, 9)}")
    return [*lines, r"\begin{align*}", " \\\\\n".join(rows), r"\end{align*}"]


def _signed(terms: tuple, k: int) -> str:  # type: ignore[type-arg]
    symbols, numbers = in_symbols(terms[k]), in_numbers(terms[k])
    negative = symbols.startswith("−")
    sign = "- " if negative else "+ " if k else ""
    written = latex(symbols[1:] if negative else symbols)
    value = latex(numbers.removeprefix("−") if negative else numbers)
    return rf"{sign}\underbrace{{{written}}}_{{{value}}}"


def _number(value: float, places: int = 6) -> str:
    return latex(digits(value, places))

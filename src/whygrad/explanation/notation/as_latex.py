"""A formula in LaTeX."""

from __future__ import annotations

import re

from whygrad.explanation.notation.names import WORDS, gradient_of
from whygrad.explanation.notation.parsing import Node, parse

_GREEK = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "Δ": r"\Delta", "ε": r"\varepsilon",
    "η": r"\eta", "λ": r"\lambda", "μ": r"\mu", "π": r"\pi", "σ": r"\sigma", "φ": r"\varphi", "Φ": r"\Phi",
}  # fmt: skip
_SIGNS = {"−": "-", "·": r"\cdot", "≤": r"\le", "≥": r"\ge"}


def latex(text: str) -> str:
    r"""Return a formula in LaTeX's mathematics.

    Example:
        >>> latex("dx = dy·y·(1 − y)")
        '\\frac{\\partial E}{\\partial x} = \\frac{\\partial E}{\\partial y} \\cdot y \\cdot (1 - y)'
    """
    return _written(parse(text))


def _written(node: Node) -> str:  # noqa: PLR0911 - one for each kind
    inner = [_written(part) for part in node.parts]
    match node.kind:
        case "sign" | "comma":
            return _SIGNS.get(node.text, node.text)
        case "number":
            whole, e, power = node.text.partition("e")
            return rf"{whole}\cdot 10^{{{power.replace('−', '-')}}}" if e else whole
        case "name":
            return _name(node.text)
        case "function":
            return rf"\operatorname{{{node.text}}}"
        case "indexed":
            return _indexed(node.text, inner[0])
        case "fraction":
            return rf"\frac{{{inner[0]}}}{{{inner[1]}}}"
        case "power":
            return f"{inner[0]}^{{{inner[1]}}}"
        case "root":
            return rf"\sqrt{{{inner[0]}}}"
        case "round":
            return f"({inner[0]})"
        case "bracket":
            return f"[{inner[0]}]"
        case "big":
            return (r"\sum_" if node.text == "Σ" else r"\max_") + f"{{{inner[0]}}}"
        case "word":
            return rf"\text{{{escaped(node.text)}}}"
    return " ".join(inner)


def _name(name: str) -> str:
    gradient = gradient_of(name)
    if gradient:
        return rf"\frac{{\partial E}}{{\partial {_name(gradient)}}}"
    name = WORDS.get(name, name)
    if name.endswith("′"):
        return _name(name[:-1]) + "'"
    if "\u0302" in name:
        return rf"\hat{{{_name(name.replace(chr(0x302), ''))}}}"
    if name in _GREEK:
        return _GREEK[name]
    if name == "…":
        return r"\ldots"
    return name if len(name) == 1 else rf"\mathrm{{{escaped(name)}}}"


def _indexed(name: str, index: str) -> str:
    gradient = gradient_of(name)
    if gradient:
        return rf"\frac{{\partial E}}{{\partial {_indexed(gradient, index)}}}"
    return f"{_name(name)}_{{{index}}}"


def escaped(text: str) -> str:
    """Return a text with LaTeX's special characters made harmless and the symbols of formulas written out."""
    special = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    special |= {c: "\\" + c for c in "&%$#_{}"}
    written = {**{c: f"$ {code} $" for c, code in _GREEK.items()}, "−": "$-$", "·": r"$\cdot$", "√": r"$\surd$",
               "Σ": r"$\Sigma$", "∂": r"$\partial$", "…": r"\ldots{}", "′": "'", "≤": r"$\le$", "≥": r"$\ge$",
               "⌊": r"$\lfloor$", "⌋": r"$\rfloor$", "–": "--", "→": r"$\to$", "<": r"$<$", ">": r"$>$",
               "½": r"$\frac12$", "×": r"$\times$"}  # fmt: skip
    out = "".join(special.get(c) or written.get(c, c) for c in re.sub(r"(\w)\u0302", r"\1", text))
    return "".join(c if ord(c) < 256 else "?" for c in out)

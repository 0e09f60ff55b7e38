"""The notation of formulas: one text, shown as it is, as LaTeX, or as MathML.

``dw[f,c] = Σ_{n} dy[n,f]·x[n,c]`` has sums and maxima over indices, products with ·, fractions with /, powers
with ^, roots with √, conditions in brackets that count 1 or 0, and indices in brackets after a name. A name that
begins with d is a gradient: dw is ∂E/∂w.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e[+\-−]?\d+)?)|(?P<big>(?:Σ|max)_\{)|(?P<name>[^\W\d_][\w.\u0302′]*(?:\u0302)?)"
    r"|(?P<sign>[=+\-−·/^√()\[\],>≤<≥:…{}]))"
)
_GREEK = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "Δ": r"\Delta", "ε": r"\varepsilon",
    "η": r"\eta", "λ": r"\lambda", "μ": r"\mu", "π": r"\pi", "σ": r"\sigma", "φ": r"\varphi", "Φ": r"\Phi",
}  # fmt: skip
_GRADIENTS = ("x", "w", "b", "y", "z", "a", "γ", "β", "gamma", "beta")
_FUNCTIONS = {"log", "tanh", "floor", "max"}
_WORDS = {"gamma": "γ", "beta": "β"}


class Node(NamedTuple):
    """A piece of a formula: its kind, what is written in it, and its parts."""

    kind: str
    text: str = ""
    parts: tuple[Node, ...] = ()


class _Parser:
    """Reads a formula from left to right; what it cannot read becomes plain text."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        token = self.peek()
        if not token or (wanted and token not in wanted):
            raise ValueError(token)
        self.at += 1
        return token

    def relation(self) -> Node:
        parts = [self.sum()]
        while self.peek() in ("=", ">", "<", "≤", "≥"):
            parts += [Node("sign", self.take()), self.sum()]
        return parts[0] if len(parts) == 1 else Node("row", "", tuple(parts))

    def sum(self) -> Node:
        parts: list[Node] = []
        if self.peek() in ("-", "−", "+"):
            parts.append(Node("sign", self.take()))
        parts.append(self.product())
        while self.peek() in ("+", "-", "−"):
            parts += [Node("sign", self.take()), self.product()]
        if self.peek() in ("if", "else"):
            word = self.take()
            parts += [Node("word", f" {word} "), self.relation()]
            if self.peek() == "else":
                parts += [Node("word", f" {self.take()} "), self.relation()]
        return parts[0] if len(parts) == 1 else Node("row", "", tuple(parts))

    def product(self) -> Node:
        parts = [self.quotient()]
        while self.peek() == "·":
            self.take()
            parts += [Node("sign", "·"), self.quotient()]
        return parts[0] if len(parts) == 1 else Node("row", "", tuple(parts))

    def quotient(self) -> Node:
        node = self.power()
        while self.peek() == "/":
            self.take()
            node = Node("fraction", "", (_bare(node), _bare(self.power())))
        return node

    def power(self) -> Node:
        node = self.atom()
        if self.peek() == "^":
            self.take()
            node = Node("power", "", (node, _bare(self.atom())))
        return node

    def atom(self) -> Node:  # noqa: PLR0911 - one for each kind
        piece = self.take()
        if piece in ("-", "−"):
            return Node("row", "", (Node("sign", piece), self.power()))
        if piece == "√":
            return Node("root", "", (_bare(self.power()),))
        if piece == "(":
            inner = self.several(")")
            return Node("round", "", (inner,))
        if piece == "[":
            return Node("bracket", "", (self.several("]"),))
        if piece.endswith("_{"):
            below = self.several("}")
            return Node("row", "", (Node("big", piece[:-2], (below,)), self.product()))
        if piece == "…":
            return Node("name", piece)
        if piece[0].isdigit():
            return Node("number", piece)
        if not piece[0].isalpha():
            raise ValueError(piece)
        return self.named(piece)

    def named(self, name: str) -> Node:
        if self.peek() == "[":
            self.take()
            return Node("indexed", name, (self.several("]"),))
        if name in _FUNCTIONS and self.peek() == "(":
            return Node("row", "", (Node("function", name), self.atom()))
        if self.peek() == "(":  # a function of one letter: σ(x)
            return Node("row", "", (Node("name", name), self.atom()))
        return Node("name", name)

    def several(self, end: str) -> Node:
        parts: list[Node] = []
        while self.peek() != end:
            parts.append(self.relation())
            if self.peek() == ",":
                self.take()
                parts.append(Node("comma", ","))
            elif self.peek() != end:
                raise ValueError(self.peek())
        self.take(end)
        return parts[0] if len(parts) == 1 else Node("row", "", tuple(parts))


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise ValueError(text[at])
        tokens.append(found.group().strip())
        at = found.end()
    return tokens


def _bare(node: Node) -> Node:
    """Take the round brackets away that a fraction, root or exponent does not need."""
    return node.parts[0] if node.kind == "round" else node


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """Return a formula as a tree; one that cannot be read as a single word.

    Example:
        >>> parse("dy[n]·2").parts[0]
        Node(kind='indexed', text='dy', parts=(Node(kind='name', text='n', parts=()),))
    """
    new, text_ = text.startswith("new "), text.removeprefix("new ")
    try:
        parser = _Parser(text_)
        tree = parser.relation()
        if parser.peek() == ",":
            raise ValueError
    except ValueError:
        return Node("word", text)
    if parser.at < len(parser.tokens):
        return Node("word", text)
    return Node("row", "", (Node("word", "new "), tree)) if new else tree


def latex(text: str) -> str:
    r"""Return a formula in LaTeX's mathematics.

    Example:
        >>> latex("dx = dy·y·(1 − y)")
        '\\frac{\\partial E}{\\partial x} = \\frac{\\partial E}{\\partial y} \\cdot y \\cdot (1 - y)'
    """
    return _latex(parse(text))


def mathml(text: str) -> str:
    """Return a formula as a MathML element.

    Example:
        >>> mathml("y = 2")
        '<math><mrow><mi>y</mi><mo>=</mo><mn>2</mn></mrow></math>'
    """
    return f"<math>{_mathml(parse(text))}</math>"


_LATEX_SIGNS = {"−": "-", "·": r"\cdot", "≤": r"\le", "≥": r"\ge"}


def _latex(node: Node) -> str:  # noqa: PLR0911 - one for each kind
    inner = [_latex(part) for part in node.parts]
    match node.kind:
        case "sign" | "comma":
            return _LATEX_SIGNS.get(node.text, node.text)
        case "number":
            whole, e, power = node.text.partition("e")
            return rf"{whole}\cdot 10^{{{power.replace('−', '-')}}}" if e else whole
        case "name":
            return _latex_name(node.text)
        case "function":
            return rf"\operatorname{{{node.text}}}"
        case "indexed":
            return _latex_indexed(node.text, inner[0])
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


def _latex_name(name: str) -> str:
    gradient = _gradient(name)
    if gradient:
        return rf"\frac{{\partial E}}{{\partial {_latex_name(gradient)}}}"
    name = _WORDS.get(name, name)
    if name.endswith("′"):
        return _latex_name(name[:-1]) + "'"
    if "\u0302" in name:
        return rf"\hat{{{_latex_name(name.replace(chr(0x302), ''))}}}"
    if name in _GREEK:
        return _GREEK[name]
    if name == "…":
        return r"\ldots"
    return name if len(name) == 1 else rf"\mathrm{{{escaped(name)}}}"


def _latex_indexed(name: str, index: str) -> str:
    gradient = _gradient(name)
    if gradient:
        return rf"\frac{{\partial E}}{{\partial {_latex_indexed(gradient, index)}}}"
    return f"{_latex_name(name)}_{{{index}}}"


def _gradient(name: str) -> str:
    """Return what a name is the gradient with respect to: "w" for "dw"; empty for other names."""
    inner = name[1:]
    is_one = name.startswith("d") and (inner in _GRADIENTS or re.fullmatch(r"[xz]\d+", inner))
    return inner if is_one else ""


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


def _mathml(node: Node) -> str:  # noqa: PLR0911 - one for each kind
    inner = [_mathml(part) for part in node.parts]
    match node.kind:
        case "sign" | "comma":
            return f"<mo>{_entity(node.text)}</mo>"
        case "number":
            return f"<mn>{node.text}</mn>"
        case "name":
            return _mathml_name(node.text)
        case "function":
            return f"<mo>{node.text}</mo>"
        case "indexed":
            return _mathml_indexed(node.text, inner[0])
        case "fraction":
            return f"<mfrac>{inner[0]}{inner[1]}</mfrac>"
        case "power":
            return f"<msup>{inner[0]}{inner[1]}</msup>"
        case "root":
            return f"<msqrt>{inner[0]}</msqrt>"
        case "round":
            return f"<mrow><mo>(</mo>{inner[0]}<mo>)</mo></mrow>"
        case "bracket":
            return f"<mrow><mo>[</mo>{inner[0]}<mo>]</mo></mrow>"
        case "big":
            sign = "∑" if node.text == "Σ" else "max"
            return f"<munder><mo>{sign}</mo>{inner[0]}</munder>"
        case "word":
            return f"<mtext>{_entity(node.text)}</mtext>"
    return f"<mrow>{''.join(inner)}</mrow>"


def _mathml_name(name: str) -> str:
    gradient = _gradient(name)
    if gradient:
        return _partial(_mathml_name(gradient))
    name = _WORDS.get(name, name)
    if "\u0302" in name:
        return f"<mover><mi>{_entity(name.replace(chr(0x302), ''))}</mi><mo>^</mo></mover>"
    return f"<mi>{_entity(name)}</mi>"


def _mathml_indexed(name: str, index: str) -> str:
    gradient = _gradient(name)
    if gradient:
        return _partial(_mathml_indexed(gradient, index))
    return f"<msub>{_mathml_name(name)}{index}</msub>"


def _partial(of: str) -> str:
    return f"<mfrac><mrow><mo>∂</mo><mi>E</mi></mrow><mrow><mo>∂</mo>{of}</mrow></mfrac>"


def _entity(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

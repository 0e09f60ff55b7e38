"""Reading a formula: from its text to a tree."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e[+\-−]?\d+)?)|(?P<big>(?:Σ|max)_\{)|(?P<name>[^\W\d_][\w.\u0302′]*(?:\u0302)?)"
    r"|(?P<sign>[=+\-−·/^√()\[\],>≤<≥:…{}]))"
)
_FUNCTIONS = {"log", "tanh", "floor", "max"}


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

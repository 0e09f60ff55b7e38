"""A formula in MathML."""

from __future__ import annotations

from whygrad.explanation.notation.names import WORDS, gradient_of
from whygrad.explanation.notation.parsing import Node, parse


def mathml(text: str) -> str:
    """Return a formula as a MathML element.

    Example:
        >>> mathml("y = 2")
        '<math><mrow><mi>y</mi><mo>=</mo><mn>2</mn></mrow></math>'
    """
    return f"<math>{_written(parse(text))}</math>"


def _written(node: Node) -> str:  # noqa: PLR0911 - one for each kind
    inner = [_written(part) for part in node.parts]
    match node.kind:
        case "sign" | "comma":
            return f"<mo>{_entity(node.text)}</mo>"
        case "number":
            return f"<mn>{node.text}</mn>"
        case "name":
            return _name(node.text)
        case "function":
            return f"<mo>{node.text}</mo>"
        case "indexed":
            return _indexed(node.text, inner[0])
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


def _name(name: str) -> str:
    gradient = gradient_of(name)
    if gradient:
        return _partial(_name(gradient))
    name = WORDS.get(name, name)
    if "\u0302" in name:
        return f"<mover><mi>{_entity(name.replace(chr(0x302), ''))}</mi><mo>^</mo></mover>"
    return f"<mi>{_entity(name)}</mi>"


def _indexed(name: str, index: str) -> str:
    gradient = gradient_of(name)
    if gradient:
        return _partial(_indexed(gradient, index))
    return f"<msub>{_name(name)}{index}</msub>"


def _partial(of: str) -> str:
    return f"<mfrac><mrow><mo>∂</mo><mi>E</mi></mrow><mrow><mo>∂</mo>{of}</mrow></mfrac>"


def _entity(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

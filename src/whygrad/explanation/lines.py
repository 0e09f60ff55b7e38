"""What the faces of an explanation have in common: which terms are shown, and how numbers are written."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import NamedTuple

from whygrad.explanation.entry import Difference, Explanation, Part
from whygrad.explanation.terms import Factor, Term
from whygrad.explanation.terms.rule import MINUS

#: So many terms are all shown; of more, the largest.
ALL, LARGEST = 12, 8
#: How many terms the formula with its indices filled in shows.
_FILLED = 4


class Shown(NamedTuple):
    """The terms of a part that are shown, in the order of the formula, and what is left of them."""

    terms: tuple[Term, ...]
    zeros: int  #: how many terms that are 0 are left out
    others: int  #: how many others are left out
    rest: float  #: the sum of what is left out


def shown(terms: Sequence[Term]) -> Shown:
    """Choose the terms to show: all of a few; otherwise the largest.

    Example:
        >>> from whygrad.explanation.terms.rule import number, product
        >>> many = [product(number(float(k))) for k in range(20)]
        >>> [term.value for term in shown(many).terms], shown(many).others, shown(many).rest
        ([12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0], 11, 66.0)
    """
    if len(terms) <= ALL:
        return Shown(tuple(terms), 0, 0, 0.0)
    by_size = sorted(range(len(terms)), key=lambda k: -abs(terms[k].value))
    chosen = sorted(k for k in by_size[:LARGEST] if terms[k].value != 0) or [0]
    left = [term for k, term in enumerate(terms) if k not in set(chosen)]
    zeros = sum(term.value == 0 for term in left)
    return Shown(tuple(terms[k] for k in chosen), zeros, len(left) - zeros, fsum(term.value for term in left))


def digits(value: float, places: int = 6) -> str:
    """Write a number with a true minus sign.

    Example:
        >>> digits(-0.25), digits(1e-9)
        ('−0.25', '1e−09')
    """
    return f"{value + 0.0:.{places}g}".replace("-", MINUS)


def in_symbols(term: Term) -> str:
    """Write a term in symbols: ``dy[0,0]·x[0,1]``."""
    factors = list(term.factors)
    sign = ""
    while len(factors) > 1 and factors[0].value == -1 and not factors[0].cells:
        sign, factors = (MINUS if not sign else ""), factors[1:]
    return sign + "·".join(_inside(factor, len(factors) > 1) for factor in factors)


def in_numbers(term: Term) -> str:
    """Write a term in numbers: ``0.5·(−2)``."""
    factors = list(term.factors)
    sign = ""
    while len(factors) > 1 and factors[0].value == -1 and not factors[0].cells:
        sign, factors = (MINUS if not sign else ""), factors[1:]
    written = [digits(factor.value) for factor in factors]
    return sign + "·".join(
        f"({one})" if one.startswith(MINUS) and (k or sign) else one for k, one in enumerate(written)
    )


def _inside(factor: Factor, among_others: bool) -> str:
    return f"({factor.text})" if among_others and factor.text.startswith(MINUS) else factor.text


def filled_in(part: Part) -> str:
    """Return the formula with its indices filled in: the first terms, and how many follow."""
    terms = [in_symbols(term) for term in part.terms[:_FILLED]]
    sum_ = joined(terms) or "0"
    more = len(part.terms) - len(terms)
    return f"{part.symbol} = {sum_}" + (" + …" if more else "")


def joined(terms: Sequence[str]) -> str:
    """Join terms with their signs: ``a − b``."""
    text = ""
    for term in terms:
        negative = term.startswith(MINUS)
        text += (f" {MINUS} {term[1:]}" if negative else f" + {term}") if text else term
    return text


def legend(part: Part) -> str:
    """Say what the operation's names are called in the network: ``y = conv1, x = input``."""
    order = sorted(part.bindings.items(), key=lambda item: (item[0] != "y", item[0]))
    return ", ".join(f"{own} = {name}" for own, name in order if not own.startswith("running_"))


def said_of(difference: Difference) -> str:
    """Write a finite difference with its bound and verdict."""
    if difference.left != difference.right and difference.verdict.value == "kink":
        return f"at a kink: {digits(difference.left)} to the left, {digits(difference.right)} to the right"
    return f"{digits(difference.value, 9)} ± {difference.bound:.1g}"


def witness(explanation: Explanation) -> str:
    """Name who computed the number: "backward pass"."""
    return {
        "activation": "forward pass",
        "loss": "forward pass",
        "update": "optimiser",
    }.get(explanation.kind, "backward pass")


def rest_of(chosen: Shown) -> str:
    """Say how many terms are not shown."""
    parts = []
    if chosen.others:
        parts.append(f"{chosen.others:,} smaller terms")
    if chosen.zeros:
        parts.append(f"{chosen.zeros:,} that are 0")
    return " and ".join(parts)

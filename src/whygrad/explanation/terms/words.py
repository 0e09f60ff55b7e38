"""Phrases that the sentences on operations share."""

from __future__ import annotations

from whygrad.explanation.terms.rule import Call, Index, Term, Words


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    Example:
        >>> plural(1, "position"), plural(1600, "position"), plural(3, "of them")
        ('1 position', '1,600 positions', '3 of them')
    """
    return f"{count:,} {noun}" if count == 1 or noun.startswith("of ") else f"{count:,} {noun}s"


def carrying(terms: list[Term]) -> str:
    """Say how many terms carry gradient: those whose dy is not 0.

    Example:
        >>> from whygrad.explanation.terms.rule import number, product
        >>> carrying([product(number(2.0), number(0.0)), product(number(0.0), number(1.0))])
        'only 1 of the 2 carries gradient'
    """
    alive = sum(1 for term in terms if term.factors[0].value != 0)
    if not terms:
        return "none carries gradient"
    if alive == len(terms):
        return "it carries gradient" if alive == 1 else f"all {alive:,} carry gradient"
    if not alive:
        return "no gradient arrives" if len(terms) == 1 else f"no gradient arrives at any of the {len(terms):,}"
    return f"only {alive:,} of the {len(terms):,} {'carries' if alive == 1 else 'carry'} gradient"


def used_at(what: str, places: str) -> Words:
    """Return words for something that takes part in one product at each of some places."""

    def words(call: Call, index: Index, terms: list[Term]) -> str:
        del call, index
        return f"This {what} was used for {plural(len(terms), places)}; {carrying(terms)}."

    return words

"""What dropout's value and gradient are: one factor an entry, the same in both directions."""

from __future__ import annotations

import numpy as np

from whygrad.explanation.terms.pointwise import of, pointwise
from whygrad.explanation.terms.rule import Call, Factor, Index, Term


def _factor(call: Call, x: Factor) -> Factor:
    index = x.cells[0].index
    factors = call.once("factors", lambda call: call.pull(np.ones_like(call.y)))
    written = ",".join(map(str, index))
    return of(f"m[{written}]/(1 - p)", float(factors[index]), x)


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del call, index
    return "This unit fell out." if terms[0].factors[1].value == 0 else "This unit stayed."


RULES = pointwise(
    "y = x·m/(1 − p)",
    "dx = dy·m/(1 − p)",
    value=lambda call, x: (x, _factor(call, x)),
    slope=lambda call, x, y: [(_factor(call, x),)],
    words=_words,
    where="m is 1 where a unit stayed and 0 where it fell out; in evaluation m/(1 − p) is 1",
)

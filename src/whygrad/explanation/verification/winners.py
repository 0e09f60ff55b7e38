"""Winners of max-pooling that are given instead of the numbers among which they won."""

from __future__ import annotations

import numpy as np

from whygrad.explanation.terms.max_pool2d import where_of
from whygrad.explanation.terms.positions import seen_from
from whygrad.explanation.terms.rule import Call
from whygrad.explanation.verification.place import Place
from whygrad.explanation.verification.problem import Node
from whygrad.typing import Array, Shape


def refuse_outside(node: Node, winners: Array, shape: Shape, place: Place) -> None:
    """Refuse a winner that its window does not see."""
    call = Call(node.op, {"x": np.zeros(shape)}, node.options, np.zeros(winners.shape[:-1]))
    for n, c, i, j in np.ndindex(*winners.shape[:-1]):
        seen = [(at.a, at.b) for at in seen_from(where_of(call), i, j)]
        won = tuple(map(int, winners[n, c, i, j]))
        if won not in seen:
            remedy = f"give one of {', '.join(map(str, seen[:9]))}"
            place.wrong(f"a winner that window ({i}, {j}) sees", str(won), remedy)

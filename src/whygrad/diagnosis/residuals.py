"""Skip connections in a chain: where a layer's or a block's input may be added to what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from whygrad.typing import Array


def with_skips(
    stages: tuple[Any, ...], params: Mapping[str, Array], add: Callable[[str], Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield layouts with the input of one layer, of two in a row or of every layer added to its output.

    Args:
        stages: a layout without any; None stands for a gap in which an activation may stand.
        params: arrays by name.
        add: makes the stage that adds the input of the layer whose weights have a name.

    Example:
        >>> from whygrad.diagnosis.chains import Stage, adding
        >>> import numpy as np
        >>> layer = Stage("linear", {"w": "w"}, transposed=True)
        >>> for found in with_skips((layer, None), {"w": np.zeros((4, 4))}, adding):
        ...     print([stage and stage.kind for stage in found])
        ['linear', None, 'add']
        ['linear', 'add', None]
    """
    layers = [k for k, stage in enumerate(stages) if stage is not None and "w" in stage.params]
    alone = [k for k in layers if _square(params[stages[k].params["w"]])]
    blocks = [(k, k) for k in alone]
    blocks += [(k, j) for j, k in pairwise(layers) if _fits(stages, params, j, k)]
    for after in (True, False):  # activations before the sum, or after it
        for block in blocks:
            yield _inserted(stages, [block], add, after=after)
        if len(alone) > 1:
            yield _inserted(stages, [(k, k) for k in alone], add, after=after)


def _square(w: Array) -> bool:
    """Whether a layer has as many outputs as inputs."""
    return w.shape[0] == w.shape[1]


def _fits(stages: Sequence[Any], params: Mapping[str, Array], j: int, k: int) -> bool:
    """Whether what enters layer j may have the width of what leaves layer k, both of one kind."""
    first, last = params[stages[j].params["w"]], params[stages[k].params["w"]]
    return first.ndim == last.ndim and bool(set(first.shape[:2]) & set(last.shape[:2]))


def _inserted(
    stages: tuple[Any, ...], sums: Sequence[tuple[int, int]], add: Callable[[str], Any], *, after: bool
) -> tuple[Any, ...]:
    """Return the layout with sums, (layer, layer whose input is added), behind the layer's gap or before it."""
    found: list[Any] = []
    behind = dict(sums)
    waiting = None
    for k, stage in enumerate(stages):
        found.append(stage)
        if waiting is not None and stage is None:
            found.append(waiting)
            waiting = None
        if k in behind:
            made = add(stages[behind[k]].params["w"])
            if after and k + 1 < len(stages) and stages[k + 1] is None:
                waiting = made
            else:
                found.append(made)
    return tuple(found)

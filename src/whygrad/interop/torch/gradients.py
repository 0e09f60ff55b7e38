"""Gradients as PyTorch's own engine asks for them, with the tensors that come from above."""

from __future__ import annotations

import re
from typing import Any

import torch

from whygrad.errors import CheckError
from whygrad.interop.torch.calling import Called, Tensors

_INVALID = re.compile(r"returned an invalid gradient at index \d+ - got \[([\d, ]*)\]")


class Gradients(dict[str, torch.Tensor]):
    """Gradients by name; zeros where backward gives None, which is PyTorch's word for them."""

    def __init__(self) -> None:
        super().__init__()
        #: For which of them backward gave None.
        self.none: set[str] = set()


def differentiable(called: Called, tensors: Tensors) -> list[bool]:
    """Return of each output whether gradients come back from it.

    Raises:
        CheckError: from none of them.
    """
    if called.by_hand:
        with torch.no_grad():
            return [y.is_floating_point() for y in called.outputs(tensors)]
    with torch.enable_grad():
        found = [y.requires_grad and y.is_floating_point() for y in called.outputs(called.leaves(tensors))]
    if not any(found):
        remedy = "compute with tensors all the way: .detach(), .data, .item() and .numpy() cut the history off"
        raise CheckError(called.name, "an output with a history", "none that requires a gradient", remedy)
    return found


def chosen(called: Called, outputs: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    """Return the outputs that gradients come back from."""
    assert called.differentiable is not None
    return [y for y, wanted in zip(outputs, called.differentiable, strict=False) if wanted]


def gradients(
    called: Called,
    tensors: Tensors,
    dys: list[torch.Tensor],
    *,
    wanted: set[str] | None = None,
    only: int | None = None,
    copies: bool = True,
) -> Gradients:
    """Return the gradients of Σ dy·y.

    Args:
        called: the function.
        tensors: where.
        dys: one for each differentiable output.
        wanted: the tensors that require a gradient; all if None.
        only: the one output that is used; the others stay unused, and nothing comes back from them.
        copies: let the function change its inputs in place.

    Raises:
        Exception: whatever the function raises.
    """
    if called.by_hand:
        return _by_hand(called, tensors, dys)
    leaves = called.leaves(tensors, wanted)
    with torch.enable_grad():
        ys = chosen(called, called.outputs(leaves, copies=copies))
    return back(ys, dys, leaves, only=only)


def back(
    ys: list[torch.Tensor],
    dys: list[torch.Tensor],
    leaves: Tensors,
    *,
    only: int | None = None,
    again: bool = False,
) -> Gradients:
    """Return the gradients of Σ dy·y in the leaves that require one; ``again`` keeps what another call needs."""
    # An output may depend on some of the inputs only, and where these require no gradient it does not either.
    used = [i for i in (range(len(ys)) if only is None else [only]) if ys[i].requires_grad]
    sources = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
    raw: Any = [None] * len(sources)
    if used:
        raw = torch.autograd.grad(
            [ys[i] for i in used],
            list(sources.values()),
            [dys[i] for i in used],
            retain_graph=again,
            allow_unused=True,
        )
    found = Gradients()
    for (name, leaf), gradient in zip(sources.items(), raw, strict=True):
        if gradient is None:
            found.none.add(name)
            gradient = torch.zeros_like(leaf)  # noqa: PLW2901
        found[name] = gradient.to_dense() if gradient.is_sparse else gradient
    return found


def _by_hand(called: Called, tensors: Tensors, dys: list[torch.Tensor]) -> Gradients:
    found = Gradients()
    for name, gradient in called.back_by_hand(tensors, tuple(dys)).items():
        if isinstance(gradient, torch.Tensor):
            found[name] = gradient
        else:
            found.none.add(name)
            found[name] = torch.zeros_like(tensors[name])
    return found


def misshapen(called: Called, tensors: Tensors, dys: list[torch.Tensor]) -> Gradients:
    """Return the gradients one by one, zeros of a wrong shape where PyTorch refused a gradient for its shape.

    Raises:
        RuntimeError: PyTorch refuses for another reason.
    """
    found = Gradients()
    for name in tensors:
        try:
            one = gradients(called, tensors, dys, wanted={name})
        except RuntimeError as error:
            shape = refused_shape(error)
            if shape is None:
                raise
            found[name] = torch.zeros(shape)
        else:
            found[name] = one[name]
            found.none |= one.none
    return found


def refused_shape(error: BaseException) -> tuple[int, ...] | None:
    """Return the shape for which PyTorch refused a gradient; None if it complains of something else.

    Example:
        >>> refused_shape(RuntimeError("F returned an invalid gradient at index 1 - got [3, 4] but expected"))
        (3, 4)
    """
    match = _INVALID.search(str(error))
    return None if match is None else tuple(int(n) for n in match[1].split(",") if n.strip())

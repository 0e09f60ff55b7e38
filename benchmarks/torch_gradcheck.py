"""PyTorch's side of ``check``."""

from __future__ import annotations

from typing import Any

import torch

from whygrad.typing import Array


class _Planted(torch.autograd.Function):
    """The identity, with a mistake in one entry of its gradient."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, planted: float) -> torch.Tensor:
        ctx.planted = planted
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        wrong = gradients[0].clone()
        wrong[1, 2, 7, 5] += ctx.planted * wrong.abs().max()
        return wrong, None


class Gradcheck:
    """``torch.autograd.gradcheck`` on PyTorch's own convolution, with its usual step and tolerances.

    Args:
        inputs: x, w and b in float64.
        padding: of the convolution.
        fast_mode: compare along random directions instead of whole Jacobians.
    """

    def __init__(self, inputs: dict[str, Array], padding: int, *, fast_mode: bool) -> None:
        self.tensors = tuple(torch.from_numpy(array.copy()).requires_grad_() for array in inputs.values())
        self.padding, self.fast_mode = padding, fast_mode

    def says(self, planted: float = 0.0) -> bool:
        """Return whether it finds the gradients right."""

        def function(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            if planted:
                x = _Planted.apply(x, planted)  # type: ignore[no-untyped-call]
            return torch.nn.functional.conv2d(x, w, b, padding=self.padding)

        return torch.autograd.gradcheck(function, self.tensors, fast_mode=self.fast_mode, raise_exception=False)

"""Compiled twin of ``conv_transpose2d``: the passes of the convolution whose transpose it is."""

from __future__ import annotations

from whygrad.kernels.conv2d import forward, input_gradient, weight_gradient

__all__ = ["forward", "input_gradient", "weight_gradient"]

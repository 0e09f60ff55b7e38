"""Single convolutions, and each of their passes on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.pairing import Call
from whygrad.kernels import conv2d
from whygrad.typing import Array
from whygrad.workspace import Workspace

PASSES = ("forward", "input gradient", "weight gradient")


@dataclass(frozen=True)
class Convolution:
    """A convolution with bias and zeros around the image."""

    name: str
    shape: tuple[int, int, int, int]  #: (N, C, H, W)
    filters: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    groups: int = 1

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(F, C/groups, R, S)."""
        return (self.filters, self.shape[1] // self.groups, self.kernel, self.kernel)

    @property
    def output(self) -> tuple[int, int]:
        """(I, J)."""
        i, j = ((size + 2 * self.padding - self.kernel) // self.stride + 1 for size in self.shape[2:])
        return i, j

    @property
    def operations(self) -> int:
        """Multiplications and additions of each pass, those with the zeros around the image included."""
        taps = self.weight_shape[1] * self.kernel**2
        return 2 * self.shape[0] * self.filters * self.output[0] * self.output[1] * taps

    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """Return x, w, b and dy of noise, images channels-last."""
        rng = np.random.default_rng(0)
        n, c, h, w = self.shape
        x = rng.standard_normal((n, h, w, c), np.float32).transpose(0, 3, 1, 2)
        dy = rng.standard_normal((n, *self.output, self.filters), np.float32).transpose(0, 3, 1, 2)
        weights = rng.standard_normal(self.weight_shape, np.float32)
        return x, weights, rng.standard_normal(self.filters, np.float32), dy


def _wide(shape: tuple[int, int, int, int], filters: int) -> Convolution:
    return Convolution("3x3", shape, filters)


CONVOLUTIONS = (
    _wide((64, 64, 32, 32), 64),
    _wide((64, 128, 16, 16), 128),
    _wide((64, 256, 8, 8), 256),
    _wide((64, 64, 16, 16), 128),
    Convolution("3x3, stride 2", (64, 64, 32, 32), 128, stride=2),
    Convolution("1x1", (64, 128, 16, 16), 128, kernel=1, padding=0),
    Convolution("3x3, depthwise", (64, 64, 32, 32), 64, groups=64),
    Convolution("LeNet-5, first", (64, 1, 28, 28), 6, kernel=5, padding=2),
    Convolution("LeNet-5, second", (64, 6, 14, 14), 16, kernel=5, padding=0),
)


def our_passes(c: Convolution) -> dict[str, Call]:
    """Return calls of whygrad's kernels for each pass, which return arrays."""
    x, w, b, dy = c.arrays()
    where = conv2d.Windows((c.stride,) * 2, (1, 1), (c.padding,) * 2)
    workspace = Workspace()

    def within(pass_: Call) -> Any:
        with workspace:
            return pass_()

    calls: tuple[Call, ...] = (
        partial(conv2d.forward, x, w, b, c.groups, where, c.output),
        partial(conv2d.input_gradient, dy, w, c.groups, where, (c.shape[2], c.shape[3])),
        partial(conv2d.weight_gradient, x, dy, w.shape, c.groups, where, with_bias=True),
    )
    return {name: partial(within, call) for name, call in zip(PASSES, calls, strict=True)}


def peer_passes(c: Convolution) -> dict[str, dict[str, Call]]:
    """Return calls of PyTorch's operators for each pass by memory layout, which return tensors."""
    import torch  # noqa: PLC0415 - it may be absent

    made: dict[str, dict[str, Call]] = {name: {} for name in PASSES}
    for layout, form in (("NCHW", torch.contiguous_format), ("channels-last", torch.channels_last)):
        x, w, _, dy = (torch.from_numpy(np.ascontiguousarray(a)) for a in c.arrays())
        b = torch.from_numpy(c.arrays()[2])
        x, w, dy = (a.contiguous(memory_format=form) for a in (x, w, dy))
        two = [[c.stride] * 2, [c.padding] * 2, [1, 1]]

        def forward(x: Any = x, w: Any = w, b: Any = b) -> Any:
            with torch.inference_mode():
                return torch.nn.functional.conv2d(x, w, b, c.stride, c.padding, 1, c.groups)

        def backward(mask: list[bool], x: Any = x, w: Any = w, dy: Any = dy, two: Any = two) -> Any:
            with torch.inference_mode():
                back = torch.ops.aten.convolution_backward
                found = back(dy, x, w, [c.filters], *two, False, [0, 0], c.groups, mask)
            return [gradient for gradient in found if gradient is not None]

        made["forward"][layout] = forward
        made["input gradient"][layout] = partial(backward, [True, False, False])
        made["weight gradient"][layout] = partial(backward, [False, True, True])
    return made

"""PyTorch's side: a training step, a prediction, and the ways to run them. Imports no whygrad."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from benchmarks.networks import MOMENTUM
from benchmarks.peer_models import BUILDERS

Images = npt.NDArray[np.float32]


class Mode(NamedTuple):
    """One of PyTorch's ways to run a network."""

    channels_last: bool = False
    compiled: bool = False
    optimizer: str = "loop"  #: "loop", "foreach" or "fused"

    @property
    def name(self) -> str:
        """The mode in words."""
        layout = "channels-last" if self.channels_last else "NCHW"
        return layout + (", compiled" if self.compiled else "")


def half_squared_error(y: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return half the sum of the squared differences."""
    return 0.5 * functional.mse_loss(y, target, reduction="sum")


LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "cross_entropy": functional.cross_entropy,
    "half_squared_error": half_squared_error,
}


def build(model: str, shape: tuple[int, ...], weights: Mapping[str, Any] | None = None) -> nn.Module:
    """Return the model of that name, with these parameters by name if they are given."""
    module = BUILDERS[model](shape)
    return module if weights is None else load(module, weights)


def load(module: nn.Module, weights: Mapping[str, Any]) -> nn.Module:
    """Set all parameters and running statistics of a module by name.

    Raises:
        ValueError: the names are not those of the module.
    """
    state = {name: torch.from_numpy(np.array(value, order="C")) for name, value in weights.items()}
    missing, unexpected = module.load_state_dict(state, strict=False)
    wrong = [name for name in missing if not name.endswith("num_batches_tracked")] + list(unexpected)
    if wrong:
        raise ValueError(f"parameters that only one side has: {', '.join(wrong)}")
    return module


def placed(x: Images, mode: Mode) -> torch.Tensor:
    """Return images in the memory order of the mode."""
    layout = torch.channels_last if mode.channels_last else torch.contiguous_format
    return torch.from_numpy(x).contiguous(memory_format=layout)


def _arranged(module: nn.Module, mode: Mode) -> nn.Module:
    return module.to(memory_format=torch.channels_last) if mode.channels_last else module  # type: ignore[call-overload]


def _forward(module: nn.Module, mode: Mode) -> Callable[[torch.Tensor], torch.Tensor]:
    if not mode.compiled:
        return module
    from torch._inductor import config  # noqa: PLC0415 - slow to import, and rarely needed

    config.compile_threads = 1  # no processes that would stay and take time from what is measured
    torch._dynamo.reset()
    return torch.compile(module)


class Trainer:
    """Makes training steps: forward, loss, backward, SGD with momentum."""

    def __init__(self, module: nn.Module, loss: str, rate: float, mode: Mode) -> None:
        self.module = _arranged(module, mode).train()
        self.forward, self.loss, self.rate, self.mode = _forward(self.module, mode), LOSSES[loss], rate, mode
        self.begin()

    def begin(self, weights: Mapping[str, Any] | None = None) -> None:
        """Forget all momentum, and take these parameters if they are given."""
        if weights is not None:
            load(self.module, weights)
        kind = {} if self.mode.optimizer == "loop" else {self.mode.optimizer: True}
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr=self.rate, momentum=MOMENTUM, **kind)

    def step(self, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Make one update and return the loss before it."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.forward(x), target)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss


class Predictor:
    """Predicts without recording anything for a backward pass."""

    def __init__(self, module: nn.Module, mode: Mode) -> None:
        self.module = _arranged(module, mode).eval()
        self.forward = _forward(self.module, mode)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the module's output in evaluation."""
        with torch.inference_mode():
            return self.forward(x)


def first_step(
    module: nn.Module, loss: str, x: Images, target: npt.NDArray[Any]
) -> tuple[float, dict[str, npt.NDArray[Any]]]:
    """Return the loss and the gradients at a module's parameters with nothing dropped out."""
    module.train()
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.eval()
    value = LOSSES[loss](module(torch.from_numpy(x)), torch.from_numpy(target))
    value.backward()  # type: ignore[no-untyped-call]
    return value.item(), {n: p.grad.numpy() for n, p in module.named_parameters() if p.grad is not None}

"""What all measurements have in common: how long, on how many threads, against what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Settings:
    """The choices of one run."""

    threads: int
    rounds: int
    torch: bool  #: whether PyTorch is measured as well
    compile: bool  #: whether torch.compile is tried
    quick: bool = False

    @property
    def piece(self) -> float:
        """Seconds of one turn of the clock."""
        return 0.02 if self.quick else 0.1

    @property
    def timing(self) -> dict[str, Any]:
        """How the clock is to run."""
        return {"piece": self.piece}

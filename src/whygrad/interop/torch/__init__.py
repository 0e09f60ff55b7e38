"""For PyTorch users: backward passes written by hand, checked and diagnosed where they stand.

``check`` is ``whygrad.check_gradient`` for a ``torch.autograd.Function``, a module or any function of tensors, and
tries besides what PyTorch does to a backward pass in practice. ``diagnose`` is ``whygrad.diagnose`` for them.
"""

from whygrad.errors import DependencyError

try:
    import torch as _torch
except ImportError:
    raise DependencyError(
        "whygrad.interop.torch", "the package torch", "none", "install it with: pip install 'whygrad[torch]'"
    ) from None

from whygrad.interop.torch.checking import check
from whygrad.interop.torch.diagnosing import diagnose

del _torch

__all__ = ["check", "diagnose"]

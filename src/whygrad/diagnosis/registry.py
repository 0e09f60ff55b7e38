"""The subjects by the names of their operations."""

from __future__ import annotations

from importlib import import_module

from whygrad.diagnosis.catalogue import Subject
from whygrad.errors import OptionError
from whygrad.ops.registry import OPERATIONS

#: Other names that people have for an operation.
ALIASES = {
    "conv": "conv2d", "convolution": "conv2d", "maxpool2d": "max_pool2d", "maxpool": "max_pool2d",
    "max_pool": "max_pool2d",
    "avgpool2d": "avg_pool2d", "avgpool": "avg_pool2d", "avg_pool": "avg_pool2d", "mean_pool": "avg_pool2d",
    "batchnorm": "batch_norm2d",
    "batch_norm": "batch_norm2d", "batchnorm2d": "batch_norm2d", "dense": "linear", "fc": "linear",
    "affine": "linear", "leakyrelu": "leaky_relu",
    "lrelu": "leaky_relu", "swish": "silu", "logsoftmax": "log_softmax", "logistic": "sigmoid",
    "layernorm": "layer_norm",
    "upsample": "upsample_nearest2d", "deconv": "conv_transpose2d", "global_avg_pool": "global_avg_pool2d",
    "pad": "pad2d",
}  # fmt: skip


def subject(name: str) -> Subject:
    """Return the subject of an operation.

    Raises:
        OptionError: there is no such operation.

    Example:
        >>> subject("conv2d").name, subject("maxpool2d").name
        ('conv2d', 'max_pool2d')
    """
    plain = ALIASES.get(name.lower(), name.lower()) if isinstance(name, str) else name
    if plain not in OPERATIONS:
        raise OptionError(
            "diagnose",
            f"op as one of {', '.join(OPERATIONS)}",
            f"{name!r}",
            "check the spelling, or pass the forward and leave op out",
        )
    return import_module(f"whygrad.diagnosis.mistakes.{plain}").SUBJECT

"""The package onnx, which only this wing needs."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from whygrad.errors import DependencyError


@cache
def onnx() -> Any:
    """Return the module ``onnx`` with the parts that are used here.

    Raises:
        DependencyError: it is not installed.
    """
    try:
        for part in ("checker", "helper", "inliner", "numpy_helper"):
            import_module(f"onnx.{part}")
        return import_module("onnx")
    except ImportError:
        remedy = "install it with: pip install 'whygrad[onnx]'"
        raise DependencyError("whygrad.interop.onnx", "the package onnx", "none", remedy) from None

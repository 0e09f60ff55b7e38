"""From layers to ONNX's operations: a function for each, in a file for each family."""

from whygrad.interop.onnx.writers.registry import WRITERS, Writer

__all__ = ["WRITERS", "Writer"]

"""From ONNX's operations to layers: a function for each, in a file for each family."""

from whygrad.interop.onnx.mappers.registry import MAPPERS, Mapper

__all__ = ["MAPPERS", "Mapper"]

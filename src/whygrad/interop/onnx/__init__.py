"""Networks in ONNX's format: read as graphs of whygrad's layers, and written so that others run them."""

from whygrad.interop.onnx.loading import load_onnx
from whygrad.interop.onnx.saving import save_onnx

__all__ = ["load_onnx", "save_onnx"]

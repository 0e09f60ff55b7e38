"""Pictures that stand in the page itself."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from whygrad.data.sources import Bytes
from whygrad.typing import Array

_PLUS, _MINUS, _ZERO = np.array([194, 65, 12]), np.array([29, 88, 168]), np.array([246, 243, 236])
_LARGEST = 96  #: pixels of a side; larger pictures are made smaller


def data_uri(image: Array) -> str:
    """Return an image (C, H, W), from 0 to 1, as the address of a PNG that holds it."""
    pixels = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
    return _uri(pixels[0] if len(pixels) not in (3, 4) else np.moveaxis(pixels[:3], 0, -1))


def filter_uri(weights: Array) -> str:
    """Return a filter (C, R, S) as the address of a PNG: in colours for three channels, else by sign.

    With other than three channels their mean is shown: orange is positive, blue negative, paper 0.
    """
    largest = float(np.abs(weights).max()) or 1.0
    if len(weights) == 3:
        return _uri(np.round(255 * (np.moveaxis(weights, 0, -1) / (2 * largest) + 0.5)).astype(np.uint8))
    mean = weights.mean(axis=0)
    scaled = mean / (float(np.abs(mean).max()) or 1.0)
    return _uri(signed(scaled))


def signed(values: Array) -> Bytes:
    """Return colours (H, W, 3) of values from −1 to 1.

    Example:
        >>> signed(np.array([[0.0, 1.0]])).tolist()
        [[[246, 243, 236], [194, 65, 12]]]
    """
    strength = np.abs(values)[..., None]
    towards = np.where(values[..., None] >= 0, _PLUS, _MINUS)
    colours: Bytes = np.round(_ZERO + (towards - _ZERO) * strength).astype(np.uint8)
    return colours


def _uri(pixels: Bytes) -> str:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if max(picture.size) > _LARGEST:
        picture.thumbnail((_LARGEST, _LARGEST), Image.Resampling.BOX)
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"

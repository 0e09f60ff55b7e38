"""Convolution with joints: its value and gradients, each step of which a mistake can replace."""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, fitting
from whygrad.diagnosis.composition import gathered
from whygrad.diagnosis.probes import Probe
from whygrad.ops.windows import Geometry, crop, fold, geometry, pad, windows
from whygrad.typing import Array, IntArray

ROT180 = 'dx[n, c] += correlate2d(dy[n, f], w[f, c, ::-1, ::-1], mode="full")'
DW = "dw[f, c, r, s] = (dy[:, f] * xp[:, c, r:r + t*I:t, s:s + t*J:t]).sum()"
SCATTER = "dxp[n, :, i*t:i*t+R, j*t:j*t+S] += w[f] * dy[n, f, i, j]"
CROP = "return dxp[:, :, p:p + H, p:p + W]"
Y = "y[n, f, i, j] = (w[f] * xp[n, :, i*t:i*t+R, j*t:j*t+S]).sum() + b[f]"
DB = "db = dy.sum(axis=(0, 2, 3))"


def where_of(p: Probe) -> Geometry:
    """Return where the windows of a probe lie."""
    return geometry(
        "conv2d", p["x"].shape[2:], p["w"].shape[2:], stride=p.options["stride"], padding=p.options["padding"]
    )


def places(where: Geometry, how: str | None) -> tuple[IntArray, IntArray]:
    """Return the rows and columns (I, J, R, S) of the padded image that each output and tap meet."""
    (t, u), (rows, columns) = where.stride, where.output
    i, j, r, s = np.ogrid[:rows, :columns, : where.kernel[0], : where.kernel[1]]
    if how == "stride ignored":
        a, b = i + r, j + s
    elif how == "rows for columns":
        a, b = j * t + r, i * u + s
    elif how == "row index twice":
        a, b = i * t + r, i * u + s
    elif how == "stride of rows ignored":
        a, b = i + r, j * u + s
    elif how == "stride of columns ignored":
        a, b = i * t + r, j + s
    elif how == "tap times stride":
        a, b = i * t + r * t, j * u + s * u
    elif how == "stride at the tap":
        a, b = i + r * t, j + s * u
    else:
        a, b = i * t + r, j * u + s
    shape = (rows, columns, *where.kernel)
    return np.broadcast_to(a, shape), np.broadcast_to(b, shape)


def seen(p: Probe, joints: Joints) -> Array:
    """Return what tap (r, s) sees at (i, j), as (N, C, I, J, R, S)."""
    where, image = where_of(p), padded(p, joints)
    how = joints.get("place")
    if how is None and image.shape[2:] == where.padded:
        return windows(image, where)
    a, b = places(where, how)
    fitting(bool(a.max() < image.shape[2] and b.max() < image.shape[3]))
    return image[:, :, a, b]


def padded(p: Probe, joints: Joints) -> Array:
    """Return the padded image, or what is taken for it."""
    sides, how = where_of(p).padding, joints.get("pad")
    top, bottom, left, right = sides
    if how == "after":
        return pad(p["x"], (0, top + bottom, 0, left + right))
    if how == "before":
        return pad(p["x"], (top + bottom, 0, left + right, 0))
    if how == "edge":
        return np.pad(p["x"], ((0, 0), (0, 0), (top, bottom), (left, right)), mode="edge")
    return pad(p["x"], sides)


def value(p: Probe, joints: Joints) -> Array:
    """Σ w·x + b, with joints for the windows and for the bias."""
    y = np.tensordot(seen(p, joints), p["w"], axes=((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
    taps = int(np.prod(p["w"].shape[1:])) if joints.get("bias") == "per tap" else 1
    bias = 0.0 if joints.get("bias") == "left out" else taps * p["b"][:, None, None]
    return y + bias


def dx(p: Probe, joints: Joints) -> Array:
    """Spread dy through the filters and add up where windows overlap."""
    where = where_of(p)
    give = joints.get("filters")
    if give is None:
        back = np.tensordot(p.dy, p["w"], axes=(1, 0)).transpose(0, 3, 1, 2, 4, 5)
    else:
        f = {"last": -1, "first": 0}[give]
        back = np.einsum("nij,crs->ncijrs", p.dy[:, f], p["w"][f], optimize=True)
    return on_grid(spread(back, where, joints), where, joints.get("grid"))


def on_grid(canvas: Array, where: Geometry, how: str | None) -> Array:
    """Return the part of the padded image's gradient that is returned: its middle, or what is taken for it."""
    top, bottom, left, right = where.padding
    height, width = where.size
    cut: tuple[Any, ...] = (..., slice(top, top + height), slice(left, left + width))
    if how == "uncropped":
        cut = (...,)
    elif how == "top left":
        cut = (..., slice(0, height), slice(0, width))
    elif how == "bottom right":
        cut = (..., slice(top + bottom, None), slice(left + right, None))
    elif how == "minus slice":
        fitting(top == bottom == left == right)
        cut = (..., slice(top, -top), slice(left, -left))
    elif how == "half the kernel":
        r, s = (k // 2 for k in where.kernel)
        cut = (..., slice(r, canvas.shape[2] - r), slice(s, canvas.shape[3] - s))
    elif how == "remainder dropped":
        rows, columns = ((n - 1) * t + k for n, t, k in zip(where.output, where.stride, where.kernel, strict=True))
        cut = (..., slice(top, rows - bottom), slice(left, columns - right))
    elif how == "border zero":
        inner = np.zeros_like(crop(canvas, where.padding))
        core = (..., slice(top, height - bottom or None), slice(left, width - right or None))
        inner[core] = crop(canvas, where.padding)[core]
        return inner
    return canvas[cut]


def spread(back: Array, where: Geometry, joints: Joints) -> Array:
    """Add what each tap gives back to the padded image; or write over it."""
    how, overlap = joints.get("place"), joints.get("overlap")
    if how is None and overlap is None:
        sides = where._replace(padding=(0, 0, 0, 0))
        return fold(back, sides._replace(size=where.padded))
    a, b = places(where, how)
    fitting(bool(a.max() < where.padded[0] and b.max() < where.padded[1]))
    canvas = np.zeros(back.shape[:2] + where.padded)
    if overlap == "last window":
        canvas[:, :, a, b] = back
    elif overlap == "last tap":
        order = (0, 1, 4, 5, 2, 3)
        canvas[:, :, a.transpose(2, 3, 0, 1), b.transpose(2, 3, 0, 1)] = back.transpose(order)
    else:
        place: Any = (slice(None), slice(None), a, b)
        np.add.at(canvas, place, back)
    return canvas


def contributions(p: Probe) -> list[Array]:
    """Return what each entry of dx is the sum of: one number for each tap, or for each filter and tap."""
    where = where_of(p)
    a, b = (np.reshape(i, (*where.output, -1)) for i in places(where, None))
    each = np.einsum("nfij,fcrs->ncijfrs", p.dy, p["w"])
    taps = each.sum(4).reshape(*each.shape[:4], -1)
    wide = np.tile(a, len(p["w"])), np.tile(b, len(p["w"]))
    single = each.reshape(*each.shape[:4], -1)
    found = [gathered(taps, a, b, where.padded), gathered(single, *wide, where.padded)]
    top, _, left, _ = where.padding
    return [c[:, :, top : top + where.size[0], left : left + where.size[1]] for c in found]


def dw(p: Probe, joints: Joints) -> Array:
    """Correlate the padded image with dy."""
    return np.tensordot(p.dy, seen(p, joints), axes=((0, 2, 3), (0, 2, 3)))


def db(p: Probe, joints: Joints) -> Array:
    """Σ dy over samples and positions."""
    return p.dy.sum((0, 2, 3))


def full_correlation(dy: Array, w: Array) -> Array:
    """Return the full correlation Σ_f dy ⋆ w of stride 1: (N, C, I+R−1, J+S−1)."""
    back = np.tensordot(dy, w[:, :, ::-1, ::-1], axes=(1, 0)).transpose(0, 3, 1, 2, 4, 5)
    where = geometry("conv2d", (dy.shape[2] + w.shape[2] - 1, dy.shape[3] + w.shape[3] - 1), w.shape[2:])
    return fold(back, where)


def dilated(dy: Array, where: Geometry) -> Array:
    """Return dy with stride − 1 zeros between its entries."""
    (t, u), (rows, columns) = where.stride, where.output
    wide = np.zeros((*dy.shape[:2], (rows - 1) * t + 1, (columns - 1) * u + 1))
    wide[:, :, ::t, ::u] = dy
    return wide

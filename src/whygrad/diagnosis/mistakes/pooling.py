"""What max-pooling and average-pooling share: windows of a probe, and writing back to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting
from whygrad.diagnosis.composition import gathered
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.ops.windows import Geometry, geometry
from whygrad.typing import Array, IntArray


def where_of(p: Probe) -> Geometry:
    """Return where the windows of a probe lie."""
    k = p.options["kernel_size"]
    stride = p.options.get("stride") or k
    return geometry("pooling", p["x"].shape[2:], k, stride=stride, padding=p.options.get("padding", 0))


def places(where: Geometry, how: str | None = None) -> tuple[IntArray, IntArray]:
    """Return the rows and columns (I, J, R·S) of the padded image that each window covers."""
    (t, u), (rows, columns), (height, width) = where.stride, where.output, where.kernel
    i, j, r, s = np.ogrid[:rows, :columns, :height, :width]
    if how == "stride ignored":
        a, b = i + r, j + s
    elif how == "window size for stride":
        a, b = i * height + r, j * width + s
    elif how == "rows for columns":
        a, b = j * t + r, i * u + s
    else:
        a, b = i * t + r, j * u + s
    shape = (rows, columns, height, width)
    flat = (rows, columns, height * width)
    return np.broadcast_to(a, shape).reshape(flat), np.broadcast_to(b, shape).reshape(flat)


def covered(p: Probe) -> Array:
    """Return the number of windows that each entry of the image is in, (H, W)."""
    where = where_of(p)
    return write(np.ones((1, 1, *where.output, int(np.prod(where.kernel)))), p, {})[0, 0]


def padded(p: Probe, value: float) -> Array:
    """Return the image with its padding."""
    top, bottom, left, right = where_of(p).padding
    return np.pad(p["x"], ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def write(back: Array, p: Probe, joints: Joints) -> Array:
    """Add what each window gives back, (N, C, I, J, R·S), to the image; or write over it."""
    where = where_of(p)
    a, b = places(where, joints.get("place"))
    height, width = where.padded
    fitting(bool(a.max() < height and b.max() < width))
    canvas = np.zeros((*back.shape[:2], height, width))
    overlap = joints.get("overlap")
    if overlap == "last window":
        for i in range(where.output[0]):
            for j in range(where.output[1]):
                canvas[:, :, a[i, j], b[i, j]] = back[:, :, i, j]
    elif overlap == "last non-zero":
        for i in range(where.output[0]):
            for j in range(where.output[1]):
                old = canvas[:, :, a[i, j], b[i, j]]
                canvas[:, :, a[i, j], b[i, j]] = np.where(back[:, :, i, j] != 0, back[:, :, i, j], old)
    else:
        place: Any = (slice(None), slice(None), a, b)
        np.add.at(canvas, place, back)
    if joints.get("grid") == "remainder dropped":
        return canvas[:, :, : int(a.max()) + 1, : int(b.max()) + 1]
    if joints.get("grid") == "uncropped":
        return canvas
    top, bottom, left, right = where.padding
    return canvas[:, :, top : height - bottom, left : width - right]


def contributions(back: Array, p: Probe) -> list[Array]:
    """Return what each entry of dx is the sum of, one number for each window that it is in."""
    where = where_of(p)
    a, b = places(where)
    top, _, left, _ = where.padding
    found = gathered(back, a, b, where.padded)
    return [found[:, :, top : top + where.size[0], left : left + where.size[1]]]


#: name, (N, C, H, W), window, stride; padding is what the caller says
PLANS = (
    ("overlapping windows", (2, 3, 7, 9), 3, 2),
    ("windows that tile", (2, 3, 6, 8), 2, 2),
    ("windows that overlap by all but one", (3, 2, 5, 6), 3, 1),
    ("a remainder that no window sees", (2, 2, 7, 8), 2, 2),
    ("gaps between windows", (2, 2, 8, 6), 2, 3),
    ("square, tiling", (2, 3, 4, 4), 2, 2),
    ("square, overlapping", (1, 2, 5, 5), 3, 2),
    ("one sample, one channel", (1, 1, 6, 8), 2, 2),
    ("windows of 3 that tile", (3, 1, 9, 6), 3, 3),
)


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any], *, ties: bool) -> list[Probe]:
    """Return windows that tile, overlap, leave gaps and a remainder; with ties if there is a maximum."""
    made = []
    plans = [(*plan, False) for plan in PLANS]
    if ties:
        plans += [("ties", (2, 3, 6, 8), 2, 2, True), ("ties in overlapping windows", (2, 2, 7, 7), 3, 2, True)]
    for name, shape, k, stride, tied in plans:
        chosen = {"kernel_size": options.get("kernel_size") or k, "stride": options.get("stride") or stride}
        if "kernel_size" in options and "stride" not in options:
            chosen["stride"] = chosen["kernel_size"]
        if "padding" in options:
            chosen["padding"] = options["padding"]
        x = np.maximum(np.round(spaced(rng, *shape) * 2) / 2, 0) if tied else spaced(rng, *shape)
        probe = Probe(name, {"x": x}, np.zeros(0), subject, chosen)
        where = where_of(probe)
        dy = rng.normal(size=(*shape[:2], *where.output)) + 0.3
        made.append(Probe(name, {"x": x}, dy, subject, chosen, tags_of(where, shape, tied)))
    return made


def tags_of(where: Geometry, shape: tuple[int, ...], tied: bool) -> frozenset[str]:
    """Return what is special about a probe."""
    rest = [(n - k) % t for n, k, t in zip(where.padded, where.kernel, where.stride, strict=True)]
    facts = {
        "windows that overlap": where.stride[0] < where.kernel[0],
        "windows with gaps between them": where.stride[0] > where.kernel[0],
        "a stride other than the window's size": where.stride[0] != where.kernel[0],
        "a remainder that the stride leaves": any(rest),
        "ties": tied,
        "images that are not square": shape[2] != shape[3],
        "more than one sample": shape[0] > 1,
        "more than one channel": shape[1] > 1,
    }
    return frozenset(name for name, holds in facts.items() if holds)


def sizes(p: Probe) -> dict[str, float]:
    """Return what a factor may be made of."""
    where = where_of(p)
    n, channels = p["x"].shape[:2]
    (i, j), (r, s) = where.output, where.kernel
    found: dict[str, float] = {
        "k²": r * s,
        "N": n,
        "C": channels,
        "I·J": i * j,
        "H·W": where.size[0] * where.size[1],
        "stride": where.stride[0],
    }
    if r == s:
        found["k"] = r
    return found

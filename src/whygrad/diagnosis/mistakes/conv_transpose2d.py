"""What people get wrong about transposed convolution: y[i·t + r] += w[r]·x[i], so dx[i] = Σ w[r]·dy[i·t + r]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.mistakes.conv2d.reference import places
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.ops.windows import Geometry, fold, geometry, pad
from whygrad.typing import Array

DX = "dx[n, c, i, j] = (w[c] * dyp[n, :, i*t:i*t+R, j*t:j*t+S]).sum()"
DW = "dw[c] += x[n, c, i, j] * dyp[n, :, i*t:i*t+R, j*t:j*t+S]"
DB = "db = dy.sum(axis=(0, 2, 3))"


def where_of(p: Probe) -> Geometry:
    """Return the windows that lie in y, one for each entry of x."""
    t, padding, (r, s) = p.options["stride"], p.options["padding"], p["w"].shape[2:]
    size = tuple((n - 1) * t + k - 2 * padding for n, k in zip(p["x"].shape[2:], (r, s), strict=True))
    return geometry("conv_transpose2d", size, (r, s), stride=t, padding=padding)


def value(p: Probe, joints: Joints) -> Array:
    """Every entry of x spread by its kernel."""
    return fold(np.einsum("ncij,cfrs->nfijrs", p["x"], p["w"], optimize=True), where_of(p)) + p["b"][:, None, None]


def seen(p: Probe, joints: Joints) -> Array:
    """Return what each entry of x touches in dy: (N, F, I, J, R, S)."""
    where = where_of(p)
    image = pad(p.dy, where.padding)
    a, b = places(where, joints.get("place"))
    fitting(bool(a.max() < image.shape[2] and b.max() < image.shape[3]))
    return image[:, :, a, b]


def dx(p: Probe, joints: Joints) -> Array:
    """The correlation of dy with the kernels."""
    return np.einsum("nfijrs,cfrs->ncij", seen(p, joints), p["w"], optimize=True)


def dw(p: Probe, joints: Joints) -> Array:
    """The correlation of dy with x."""
    return np.einsum("nfijrs,ncij->cfrs", seen(p, joints), p["x"], optimize=True)


def db(p: Probe, joints: Joints) -> Array:
    """Σ dy."""
    return p.dy.sum((0, 2, 3))


def _full(p: Probe) -> Array:
    """The full correlation, as in the backward pass of a convolution."""
    t = int(p.options["stride"])
    fitting(t == 1)
    back = np.einsum("nfij,cfrs->ncijrs", p.dy, p["w"], optimize=True)
    size = tuple(n + k - 1 for n, k in zip(p.dy.shape[2:], p["w"].shape[2:], strict=True))
    return fold(back, geometry("conv", size, p["w"].shape[2:]))


MISTAKES = (
    mistake("kernel_not_rotated", "dx", "w", c.flipped(2, 3),
            "has the kernel rotated by 180 degrees, as in a convolution's backward pass", DX,
            also="kernel_rotated_in_scatter_form kernel_rotated_over_wrong_axes"),
    mistake("kernel_rotated_over_wrong_axes", "dx", "w", c.flipped(2), "has the kernel upside down", DX),
    mistake("kernel_rotated_over_wrong_axes", "dx", "w", c.flipped(3), "has the kernel's columns reversed", DX),
    mistake("kernel_transposed", "dx", "w", c.transposed(2, 3), "has rows and columns of the kernel exchanged", DX,
            also="height_width_mixed_up"),
    mistake("channel_axes_not_swapped", "dx", "w",
            lambda w, _: np.swapaxes(w.reshape(w.shape[1], w.shape[0], *w.shape[2:]), 0, 1),
            "has the kernel's channel axes reshaped", DX,
            also="reshape_axes_wrong"),
    mistake("full_padding_missing", "dx", "whole", _full, "is a full correlation, larger than x", DX,
            also="dx_shape_wrong_no_convolution"),
    mistake("stride_ignored_in_backward", "dx dw", "place", "stride ignored",
            "uses the windows at (i, j), not at (i·stride, j·stride)", DX),
    mistake("height_width_mixed_up", "dx dw", "place", "rows for columns", "uses the window at (j, i) for x[i, j]",
            DX),
    mistake("kernel_gradient_flipped", "dw", "out", c.flipped(2, 3), "comes out rotated by 180 degrees", DW),
    mistake("kernel_gradient_flipped", "dw", "out", c.flipped(2), "comes out upside down", DW),
    mistake("kernel_gradient_flipped", "dw", "out", c.flipped(3), "comes out with its columns reversed", DW),
    mistake("weight_gradient_transposed", "dw", "out", c.transposed(0, 1), "comes out as (F, C, R, S)", DW,
            also="channel_axes_not_swapped"),
    mistake("weight_gradient_transposed", "dw", "out", c.transposed(2, 3),
            "comes out with rows and columns exchanged", DW, also="height_width_mixed_up"),
    mistake("channels_mixed_in_weight_gradient", "dw", "x", c.summed(1),
            "has the sum of x's channels in every channel", DW),
    mistake("wrong_loop_variable_as_index", "dw", "x", c.repeated(0), "reads the first image for every sample", DW),
    mistake("wrong_loop_variable_as_index", "dx dw", "dy", c.repeated(1),
            "takes the dy of filter 0 for every filter", DX),
    mistake("output_used_instead_of_input", "dw", "x", c.instead("y"), "has y in place of x", DW),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: p.dy.sum((2, 3)), "is not summed over the batch",
            DB, also="batch_sum_missing"),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: p.dy.sum(0), "is not summed over the positions",
            DB),
    mistake("bias_gradient_wrong_tensor", "db", "dy", lambda a, p: p.y, "is the sum of y", DB),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", DX),
    mistake("returns_wrong_variable", "dw", "whole", lambda p: p["w"], "is w itself", DW),
    mistake("forward_formula_wrong", "y", "w", c.flipped(2, 3), "has the kernel rotated",
            "y[i*t + r] += w[r] * x[i]", also="kernel_rotated_over_wrong_axes"),
    *c.common("dx dw db", zero={"db": "missing_bias_gradient"}),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return strides 1 to 3 with and without padding."""
    made = []
    for (n, channels, height, width), (f, r, s), stride, padding in (
        ((2, 3, 4, 3), (4, 3, 2), 1, 0), ((3, 2, 3, 4), (3, 3, 2), 2, 0), ((2, 2, 4, 3), (3, 3, 3), 2, 1),
        ((2, 3, 3, 3), (3, 3, 3), 1, 1), ((1, 2, 3, 2), (2, 2, 3), 3, 0),
    ):  # fmt: skip
        chosen = {"stride": options.get("stride", stride), "padding": options.get("padding", padding)}
        inputs = {
            "x": spaced(rng, n, channels, height, width),
            "w": rng.normal(size=(channels, f, r, s)),
            "b": rng.normal(size=f) + 0.5,
        }
        probe = Probe(
            f"stride {chosen['stride']}, padding {chosen['padding']}", inputs, np.zeros(0), subject, chosen
        )
        facts = {
            "stride > 1": chosen["stride"] > 1,
            "padding > 0": chosen["padding"] > 0,
            "more than one sample": n > 1,
        }
        tags = frozenset(k for k, holds in facts.items() if holds)
        made.append(Probe(probe.name, inputs, rng.normal(size=value(probe, {}).shape) + 0.2, subject, chosen, tags))
    return made


def sizes(p: Probe) -> dict[str, float]:
    """Return what a factor may be made of."""
    n, channels, height, width = p["x"].shape
    return {
        "N": n,
        "C": channels,
        "F": p["w"].shape[1],
        "H·W": height * width,
        "R·S": int(np.prod(p["w"].shape[2:])),
        "I·J": int(np.prod(p.dy.shape[2:])),
    }


SUBJECT = Subject("conv_transpose2d", ("x", "w", "b"), {"dx": dx, "dw": dw, "db": db}, value, probes, MISTAKES,
                  sizes,
                  {"stride": 1, "padding": 0}, lines={"dx": DX, "dw": DW, "db": DB})  # fmt: skip

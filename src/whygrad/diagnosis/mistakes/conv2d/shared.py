"""Mistakes about several results of a convolution: which dy is read, and where the windows lie."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whygrad.diagnosis.catalogue import fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.mistakes import orders
from whygrad.diagnosis.mistakes.activations import sigma
from whygrad.diagnosis.mistakes.conv2d.reference import SCATTER, where_of
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array


def _transposed_planes(dy: Array) -> Array:
    fitting(dy.shape[2] == dy.shape[3])
    return np.swapaxes(dy, 2, 3)


JOINED = (
    "The chain rule multiplies by each local derivative once, in the layer that it belongs to. If your layer is a "
    "convolution and an activation in one, pass its forward as well: it is then judged by that one."
)


def _inside(dy: Array, p: Probe) -> Array:
    """Dy of the windows that lie within the image, without its padding."""
    where = where_of(p)
    kept = [
        (np.arange(n) * t >= before) & (np.arange(n) * t + k <= before + size)
        for n, t, k, before, size in zip(
            where.output, where.stride, where.kernel, where.padding[::2], where.size, strict=True
        )
    ]
    return dy * (kept[0][:, None] & kept[1])


#: Derivatives of activations, of the layer's own output, that code of a joined layer has in its delta.
SLOPES: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("[y > 0]", "relu", lambda y: (y > 0) * 1.0),
    ("y(1 − y)", "sigmoid", lambda y: y * (1 - y)),
    ("σ(y)(1 − σ(y))", "sigmoid", lambda y: sigma(y) * (1 - sigma(y))),
    ("1 − y²", "tanh", lambda y: 1 - y * y),
    ("1 − tanh²(y)", "tanh", lambda y: 1 - np.tanh(y) ** 2),
)

MISTAKES = (
    *(mistake("extra_factor_in_delta", "dx dw db", "dy", lambda a, p, g=g: a * g(p.y),
              f"contains {what} besides, the derivative of a {name} that is not in this layer",
              "use dy as it comes: an activation is a layer of its own", lesson=JOINED,
              also="" if name == "relu" else "activation_derivative_of_wrong_tensor")
      for what, name, g in SLOPES),
    mistake("wrong_loop_variable_as_index", "dx dw", "dy", c.repeated(1),
            "takes the dy of filter 0 for every filter", "index dy by its own filter: dy[n, f]"),
    mistake("wrong_loop_variable_as_index", "dx dw", "dy", c.repeated(1, -1),
            "takes the dy of the last filter for every filter",
            "index dy by its own filter: dy[n, f]"),
    mistake("wrong_loop_variable_as_index", "dx dw", "dy", c.summed(1),
            "takes the dy of all filters together for each",
            "index dy by its own filter: dy[n, f]", also="channels_mixed_in_weight_gradient"),
    mistake("overlap_overwritten", "dx dw db", "dy", c.only(1, -1), "comes from the last filter alone",
            "add up over the filters: +=", also="wrong_loop_variable_as_index overwritten_in_batch_loop"),
    mistake("early_return_in_loop", "dx dw db", "dy", c.only(1, 0), "comes from the first filter alone",
            "return after the loop over the filters, not in it", also="wrong_loop_variable_as_index"),
    mistake("wrong_loop_variable_as_index", "dx dw db", "dy", lambda a, _: _transposed_planes(a),
            "reads dy[j, i] where dy[i, j] is meant",
            "dy[n, f, i, j]", also="height_width_mixed_up"),
    mistake("stride_ignored_in_backward", "dx dw", "place", "stride ignored",
            "uses the windows at (i, j), not at (i·stride, j·stride)", SCATTER, also="stride_not_dilated"),
    mistake("stride_ignored_in_backward", "dx dw", "place", "stride of rows ignored",
            "uses the stride for columns but not for rows", SCATTER),
    mistake("stride_ignored_in_backward", "dx dw", "place", "stride of columns ignored",
            "uses the stride for rows but not for columns", SCATTER),
    mistake("height_width_mixed_up", "dx dw y", "place", "rows for columns",
            "uses the window at (j, i) for output (i, j)", SCATTER,
            also="wrong_loop_variable_as_index"),
    mistake("wrong_loop_variable_as_index", "dx dw y", "place", "row index twice",
            "uses the row index for columns as well: the window at (i, i)", SCATTER,
            also="height_width_mixed_up"),
    mistake("stride_ignored_in_backward", "dx dw", "place", "tap times stride",
            "multiplies the taps by the stride as well", SCATTER),
    mistake("stride_ignored_in_backward", "dx dw y", "place", "stride at the tap",
            "multiplies the tap by the stride, not the output's place: it uses (i + r·stride, j + s·stride)",
            SCATTER, also="forward_stride_index_wrong wrong_loop_variable_as_index"),
    mistake("border_missing", "dx dw", "dy", _inside,
            "leaves out the windows that stick out into the padding", SCATTER, also="padding_not_cropped"),
    mistake("forward_backward_padding_disagree", "dw y", "pad", "after",
            "pads the image at the bottom and right only", "np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))"),
    mistake("forward_backward_padding_disagree", "dw y", "pad", "before", "pads the image at the top and left only",
            "np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))"),
    mistake("forward_backward_padding_disagree", "dw y", "pad", "edge", "repeats the border in place of zeros",
            "np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))"),
    mistake("early_return_in_loop", "dx dw", "dy", c.corner(last=False),
            "comes from the first output position alone", "return after the loops, not in them"),
    mistake("loop_bounds_off_by_one", "dx dw", "dy", c.without_last(2, 3),
            "leaves out the last row and column of dy", "for i in range(I): for j in range(J):",
            also="loop_over_input_size"),
    mistake("loop_bounds_off_by_one", "dx dw", "dy", c.without_last(2), "leaves out the last row of dy",
            "for i in range(I):", also="loop_over_input_size"),
    mistake("loop_bounds_off_by_one", "dx dw", "dy", c.without_last(3), "leaves out the last column of dy",
            "for j in range(J):", also="loop_over_input_size"),
    mistake("returns_wrong_variable", "dx dw", "whole", lambda p: p.dy, "is dy itself", "return dx, dw, db",
            also="dx_not_propagated"),
    mistake("returns_wrong_variable", "dx dw", "whole", lambda p: p.y, "is y itself", "return dx, dw, db"),
    *orders.columns(),
    *orders.results(),
    *c.common("dx dw db", zero={"db": "missing_bias_gradient"}),
)  # fmt: skip

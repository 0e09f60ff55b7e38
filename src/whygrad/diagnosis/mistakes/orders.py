"""Arrays that are reshaped where they have to be transposed: the right numbers, read in another order of axes."""

from __future__ import annotations

import numpy as np

from whygrad.diagnosis.catalogue import Mistake, fitting, mistake
from whygrad.diagnosis.mistakes.changes import Change
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

#: The orders in which matrices of an im2col convolution run over samples, filters and positions.
RESULTS = ("nfij", "nijf", "fnij", "fijn", "ijnf")
#: In which order dy lies, and in which it is taken to lie.
DELTAS = (
    ("nfij", "fnij"),
    ("nfij", "fijn"),
    ("nfij", "nijf"),
    ("fijn", "fnij"),
    ("fnij", "fijn"),
    ("nijf", "ijnf"),
)
#: In which order a row of weights runs over channels and taps, and in which a column of the image does.
COLUMNS = (("crs", "rsc"), ("rsc", "crs"), ("crs", "rcs"), ("crs", "scr"), ("crs", "src"), ("crs", "csr"))


def reread(axes: str, written: str, read: str) -> Change:
    """Lay an array out in one order of its axes, and read what lies there as if it were in another.

    Args:
        axes: a letter for each axis, as they are.
        written: the order in which the entries are laid out.
        read: the order in which they are taken to lie.

    Example:
        >>> a = np.arange(6).reshape(2, 3)
        >>> reread("nf", "nf", "fn")(a, None)  # a.reshape(3, 2).T
        array([[0, 2, 4],
               [1, 3, 5]])
    """
    order = [axes.index(axis) for axis in written]
    back = [read.index(axis) for axis in axes]

    def change(a: Array, _: Probe) -> Array:
        fitting(a.ndim == len(axes))
        lies = np.ascontiguousarray(a.transpose(order))
        return lies.reshape([a.shape[axes.index(axis)] for axis in read]).transpose(back)

    return change


def spelled(order: str) -> str:
    """Return an order of axes as a shape: "nfij" is "(N, F, I, J)".

    Example:
        >>> spelled("fijn")
        '(F, I, J, N)'
    """
    return f"({', '.join(order.upper())})"


#: Orders in which other libraries keep weights.
STORED = (("fcrs", "rscf"), ("rscf", "fcrs"))


def columns() -> tuple[Mistake, ...]:
    """Return im2col matrices whose columns run over channels and taps in another order than the weights do."""
    found = []
    for weights, column in COLUMNS:
        does = f"multiplies weights in the order {spelled(weights)} with columns in the order {spelled(column)}"
        fix = "give both one order: w.transpose(0, 2, 3, 1).reshape(F, -1) for columns (R, S, C)"
        label, also = "im2col_column_order_mismatch", "reshape_axes_wrong"
        if column == "csr":  # rows and columns of the kernel alone
            label, also = "height_width_mixed_up", f"{label} {also}"
        there, back = reread("fcrs", f"f{weights}", f"f{column}"), reread("fcrs", f"f{column}", f"f{weights}")
        found.append(mistake(label, "dx y", "w", there, does, fix, also=also))
        found.append(mistake(label, "dw", "out", back, does, fix, also=also))
    for written, read in STORED:
        does = f"reshapes weights from {spelled(written)} to {spelled(read)}, where they have to be transposed"
        fix = "w.transpose(2, 3, 1, 0)"
        also = "im2col_column_order_mismatch channel_axes_not_swapped"
        found.append(
            mistake("reshape_axes_wrong", "dx y", "w", reread("fcrs", written, read), does, fix, also=also)
        )
        found.append(
            mistake("reshape_axes_wrong", "dw", "out", reread("fcrs", read, written), does, fix, also=also)
        )
    return tuple(found)


def results() -> tuple[Mistake, ...]:
    """Return matrices of outputs, or of dy, that are read in another order than they were written in."""
    found = []
    for written in RESULTS:
        for read in RESULTS:
            if written == read:
                continue
            does = f"lies in the order {spelled(written)} and is reshaped to {spelled(read)}"
            found.append(mistake("reshape_axes_wrong", "y", "out", reread("nfij", written, read), does,
                                 f"reshape to {spelled(written)}, then transpose",
                                 also="im2col_column_order_mismatch", rank=1))  # fmt: skip
    for written, read in DELTAS:
        does = f"reads dy in the order {spelled(read)}, where it lies in the order {spelled(written)}"
        found.append(mistake("reshape_axes_wrong", "dx dw db", "dy", reread("nfij", written, read), does,
                             "dy.transpose(1, 0, 2, 3).reshape(F, -1), with columns that run over (N, I, J)",
                             also="channel_axes_not_swapped im2col_column_order_mismatch"))  # fmt: skip
    return tuple(found)

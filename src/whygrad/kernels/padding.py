"""Images with their zeros around them, in scratch space: what convolutions read."""

from __future__ import annotations

from whygrad.kernels.compiler import part
from whygrad.kernels.memory import clear, copy, fetch, put


@part
def pad_rows(x, n, c0, channels, first, rows, left, width, target):
    """Copy rows ``first`` to ``first + rows`` of image n to ``target`` as (rows, width, channels).

    Row and column 0 of the copy are row ``first`` and column ``−left`` of x; what lies outside x is zero. Of the
    channels those from c0 on are taken.
    """
    size = x.itemsize
    high, wide = x.shape[2], x.shape[3]
    begin, end = min(max(left, 0), width), max(min(width, wide + left), 0)
    end = max(begin, end)
    together = x.strides[1] == size and x.strides[3] == channels * size
    line = width * channels * size
    for i in range(rows):
        to = target + i * line
        h = first + i
        if h < 0 or h >= high or end <= begin:
            clear(to, line)
            continue
        if begin:
            clear(to, begin * channels * size)
        if end < width:
            clear(to + end * channels * size, (width - end) * channels * size)
        to += begin * channels * size
        origin = (
            x.ctypes.data + n * x.strides[0] + c0 * x.strides[1] + h * x.strides[2] + (begin - left) * x.strides[3]
        )
        if together:
            copy(to, origin, (end - begin) * channels * size)
        elif x.strides[1] == size:
            for j in range(end - begin):
                copy(to + j * channels * size, origin + j * x.strides[3], channels * size)
        else:
            for j in range(end - begin):
                for c in range(channels):
                    put(x, to + (j * channels + c) * size, fetch(x, origin + j * x.strides[3] + c * x.strides[1]))

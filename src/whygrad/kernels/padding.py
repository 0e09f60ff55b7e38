"""Images with their zeros around them, in scratch space: what convolutions read."""

from __future__ import annotations

from whygrad.kernels.compiler import part
from whygrad.kernels.memory import clear, copy, fetch, put


@part
def padded(x, n, images, first, rows, left, width, room):
    """Return (address, image pitch, row pitch), in numbers, of images with their zeros around them.

    Of ``images`` images from n on these are rows ``first`` to ``first + rows`` and ``width`` columns from −left on,
    all channels of a pixel side by side. They lie in x itself if it has them so, else in ``room``, copied.
    """
    size, channels = x.itemsize, x.shape[1]
    side_by_side = (channels == 1 or x.strides[1] == size) and x.strides[3] == channels * size
    inside = first >= 0 and first + rows <= x.shape[2] and left <= 0 and width - left <= x.shape[3]
    if side_by_side and inside:
        start = x.ctypes.data + n * x.strides[0] + first * x.strides[2] - left * x.strides[3]
        return start, x.strides[0] // size, x.strides[2] // size
    line = width * channels
    for m in range(images):
        pad_image(x, n + m, first, rows, left, width, room + m * rows * line * size, side_by_side)
    return room, rows * line, line


@part
def pad_image(x, n, first, rows, left, width, target, side_by_side):
    """Copy some rows of one image with its zeros."""
    size, channels = x.itemsize, x.shape[1]
    begin = min(max(left, 0), width)
    end = max(begin, min(width, x.shape[3] + left))
    pixel, line = channels * size, width * channels * size
    for i in range(rows):
        to, h = target + i * line, first + i
        if h < 0 or h >= x.shape[2]:
            clear(to, line)
            continue
        clear(to, begin * pixel)
        clear(to + end * pixel, (width - end) * pixel)
        to += begin * pixel
        origin = x.ctypes.data + n * x.strides[0] + h * x.strides[2] + (begin - left) * x.strides[3]
        if side_by_side:
            copy(to, origin, (end - begin) * pixel)
        elif x.strides[1] == size:
            for j in range(end - begin):
                copy(to + j * pixel, origin + j * x.strides[3], pixel)
        else:
            for c in range(channels):
                for j in range(end - begin):
                    put(x, to + j * pixel + c * size, fetch(x, origin + j * x.strides[3] + c * x.strides[1]))

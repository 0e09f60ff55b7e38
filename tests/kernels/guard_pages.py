"""Run every operation on arrays that end where readable memory ends: a read past a buffer ends the process.

Started by ``test_memory.py`` in a process of its own.
"""

import ctypes
import mmap
import sys
from functools import partial
from itertools import product

import numpy as np
from tests.kernels.test_convolutions import passes

from whygrad.ops import OPERATIONS, conv2d, linear

PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
kept = []


def at_the_end_of_a_page(array, *, before=False):
    """Return an equal array that ends at, or with ``before`` begins after, a page that must not be touched."""
    order = "C" if array.flags.c_contiguous else "channels last"
    dense = np.ascontiguousarray(array if order == "C" else array.transpose(0, 2, 3, 1))
    pages = -(-dense.nbytes // PAGE) + 2
    room = mmap.mmap(-1, pages * PAGE)
    kept.append(room)
    start = ctypes.addressof(ctypes.c_char.from_buffer(room))
    forbidden = start if before else start + (pages - 1) * PAGE
    if libc.mprotect(forbidden, PAGE, 0):
        raise OSError(ctypes.get_errno(), "mprotect")
    offset = PAGE if before else (pages - 1) * PAGE - dense.nbytes
    placed = np.frombuffer(room, dense.dtype, dense.size, offset).reshape(dense.shape)
    placed[...] = dense
    return placed if order == "C" else placed.transpose(0, 3, 1, 2)


def run(function, inputs, dtype, *, before):
    """Call forward and backward with all arrays beside forbidden pages."""
    inputs = [a.astype(dtype) for a in inputs]
    dy = np.ones_like(function(*inputs)[0])
    for images_last in (False, True):
        laid = [np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)
                if images_last and a.ndim == 4 else np.ascontiguousarray(a) for a in (*inputs, dy)]  # fmt: skip
        placed = [at_the_end_of_a_page(a, before=before) for a in laid]
        passes(function, placed[:-1], placed[-1])


def run_sample(operation, sample, dtype, *, before):
    """Call a registered operation with all arrays beside forbidden pages."""

    def placed(array):
        return at_the_end_of_a_page(array.astype(dtype), before=before)

    inputs = {key: placed(array) for key, array in sample.inputs.items()}
    sample = sample._replace(constants=tuple(placed(array) for array in sample.constants))
    y, pullback = operation.run(sample, inputs)
    pullback(placed(np.ones(y.shape)))


def main():
    rng = np.random.default_rng(0)
    for dtype, before in product(("float32", "float64"), (False, True)):
        for operation in OPERATIONS.values():
            for sample in operation.samples(rng):
                run_sample(operation, sample, dtype, before=before)
        for channels, filters in ((1, 1), (1, 6), (3, 16), (6, 17), (16, 33), (16, 16), (32, 48), (5, 64)):
            x, w = rng.normal(size=(3, channels, 9, 8)), rng.normal(size=(filters, channels, 3, 3))
            for padding, stride in ((0, 1), (1, 1), (0, 2), (1, 2)):
                run(partial(conv2d, padding=padding, stride=stride), [x, w], dtype, before=before)
        for samples, features, outputs in ((1, 7, 10), (9, 33, 17), (20, 300, 47)):
            shapes = (samples, features), (outputs, features), (outputs,)
            run(linear, [rng.normal(size=shape) for shape in shapes], dtype, before=before)
    sys.stdout.write("untouched\n")


if __name__ == "__main__":
    main()

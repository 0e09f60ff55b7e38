"""Compiled twin of ``gelu``."""

from __future__ import annotations

import math

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.elementwise import product
from whygrad.kernels.layout import new, order_of, tasks_for, vector
from whygrad.kernels.mathematics import bell, normal32, single, tanh
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array

backward = product

ROOT_HALF = math.sqrt(0.5)
PEAK = 1 / math.sqrt(2 * math.pi)  #: of the normal density
SCALE, CUBIC = math.sqrt(2 / math.pi), 0.044715
# Beyond these the unit is x or 0 to the last bit, and squares and cubes of x would only overflow.
FLAT_EXACT, FLAT_TANH = 40.0, 10.0


def forward(x: Array, approximate: str) -> tuple[Array, Array]:
    """Return y and its slope dy/dx."""
    order = order_of(x)
    y, slope = new(x.shape, x.dtype, order), new(x.shape, x.dtype, order)
    run = _exact if approximate == "none" else _tanh
    run[x.dtype](vector(x, order), vector(y, order), vector(slope, order), tasks_for(x.size))
    return y, slope


@part
def clip(x, limit):
    x = limit if x > limit else x
    return -limit if x < -limit else x


@kernel(reads(1), writes(1), writes(1), INT)
def _exact(x, y, slope, tasks):
    fork(_exact_part, tasks, (x, y, slope, tasks))


@part
def _exact_part(task, x, y, slope, tasks):
    x, y, slope = share(x, task, tasks), share(y, task, tasks), share(slope, task, tasks)
    real = x.dtype.type
    limit, peak = real(FLAT_EXACT), real(PEAK)
    for i in range(x.size):
        near = clip(x[i], limit)
        density = bell(near)
        weight = normal32(near, density) if single(near) else real(0.5 * math.erfc(-ROOT_HALF * near))
        y[i] = x[i] * weight
        slope[i] = weight + near * density * peak


@kernel(reads(1), writes(1), writes(1), INT)
def _tanh(x, y, slope, tasks):
    fork(_tanh_part, tasks, (x, y, slope, tasks))


@part
def _tanh_part(task, x, y, slope, tasks):
    x, y, slope = share(x, task, tasks), share(y, task, tasks), share(slope, task, tasks)
    real = x.dtype.type
    limit, one, half, three = real(FLAT_TANH), real(1), real(0.5), real(3 * CUBIC)
    scale, cubic = real(SCALE), real(CUBIC)
    for i in range(x.size):
        near = clip(x[i], limit)
        square = near * near
        t = tanh(scale * (near + cubic * near * square))
        weight = half * (one + t)
        y[i] = x[i] * weight
        slope[i] = weight + half * near * (one - t * t) * scale * (one + three * square)

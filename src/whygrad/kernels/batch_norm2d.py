"""Compiled twin of ``batch_norm2d``.

The variance comes from one pass over x, as Σd² − (Σd)²/M with d = x − centre, which is the same for every centre.
What it loses by cancellation grows with (mean − centre)² / variance. The centre of a channel is the mean of some of
its entries, S of the M: however these lie, the ratio is at most M/S, so that the result is as good as that of two
passes, also for a mean that is large.

Numbers of a channel recur at every pixel. Loops run over several pixels at once, against numbers that are written
out as often, so that few channels are as fast as many.

A ReLU that follows takes no pass of its own: forward it is a floor under y, and backward, where x is read anyway,
y is computed again to see where the gate was open.
"""

from __future__ import annotations

import numpy as np

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.layout import new_images, tasks_for, vector
from whygrad.kernels.threads import fork
from whygrad.typing import Array

WIDTH = 512  #: numbers in one loop, about
SAMPLES = 64  #: pixels that the centre is the mean of


def forward(
    x: Array,
    gamma: Array,
    beta: Array,
    running_mean: Array,
    running_var: Array,
    training: bool,
    momentum: float,
    eps: float,
    floor: float = -np.inf,
) -> tuple[Array, Array, Array, Array, Array]:
    """Return y, what it was made with: mean and 1/√(variance + eps), and the running statistics after it.

    With ``floor`` 0 y is what a ReLU makes of it.
    """
    n, c, h, w = x.shape
    y = new_images(n, c, h, w, x.dtype)
    mean, scale, new_mean, new_var = (np.empty(c, x.dtype) for _ in range(4))
    given = (vector(a, "rows") for a in (gamma, beta, running_mean, running_var))
    images = vector(x, "channels last"), vector(y, "channels last")
    made = (mean, scale, new_mean, new_var)
    _forward[x.dtype](*images, *given, *made, n * h * w, training, momentum, eps, floor, tasks_for(x.size))
    return y, mean, scale, new_mean, new_var


def backward(
    x: Array, mean: Array, scale: Array, gamma: Array, training: bool, beta: Array | None, dy: Array
) -> tuple[Array, Array, Array]:
    """Return dx, dgamma and dbeta; where a ReLU followed ``beta`` is given, without which no gate can be told."""
    n, c, h, w = x.shape
    dx = new_images(n, c, h, w, x.dtype)
    dgamma, dbeta = np.empty_like(mean), np.empty_like(mean)
    images = (vector(a, "channels last") for a in (x, dy, dx))
    given = (vector(a, "rows") for a in (mean, scale, gamma, mean if beta is None else beta))
    _backward[x.dtype](*images, *given, dgamma, dbeta, n * h * w, training, beta is None, tasks_for(x.size))
    return dx, dgamma, dbeta


@kernel(*[reads(1), writes(1)], *[reads(1)] * 4, *[writes(1)] * 4, INT, INT, *[DOUBLE] * 3, INT)
def _forward(
    x,
    y,
    gamma,
    beta,
    old_mean,
    old_var,
    mean,
    scale,
    new_mean,
    new_var,
    pixels,
    training,
    momentum,
    eps,
    floor,
    tasks,
):
    variance, factor = np.empty(mean.size, mean.dtype), np.empty(mean.size, mean.dtype)
    for c in range(mean.size):
        mean[c], new_mean[c], new_var[c], variance[c] = old_mean[c], old_mean[c], old_var[c], old_var[c]
    if training:
        _moments(x, mean, variance, pixels, tasks)
        for c in range(mean.size):
            new_mean[c] = (1 - momentum) * old_mean[c] + momentum * mean[c]
            new_var[c] = (1 - momentum) * old_var[c] + momentum * variance[c] * (pixels / (pixels - 1))
    for c in range(mean.size):
        scale[c] = 1 / np.sqrt(variance[c] + eps)
        factor[c] = gamma[c] * scale[c]
    times = _repetitions(pixels, mean.size)
    mean_, factor_, beta_ = _repeat(mean, times), _repeat(factor, times), _repeat(beta, times)
    fork(_normalise_part, tasks, (x, y, mean_, factor_, beta_, x.dtype.type(floor), tasks))


@part
def _repetitions(pixels, channels):
    """Return how many pixels a loop runs over."""
    return max(1, min(pixels, WIDTH // max(1, channels)))


@part
def _repeat(values, times):
    """Return a vector so many times on end."""
    result = np.empty(values.size * times, values.dtype)
    for i in range(times):
        for c in range(values.size):
            result[i * values.size + c] = values[c]
    return result


@part
def _added_up(sums, which, tasks, channels):
    """Return the sum of each channel from the sums, of two kinds, of all tasks."""
    total, width = np.zeros(channels), sums.size // (2 * tasks)
    for task in range(tasks):
        first = (2 * task + which) * width
        for start in range(first, first + width, max(1, channels)):
            values = sums[start : start + channels]
            for c in range(total.size):
                total[c] += values[c]
    return total


@part
def _moments(x, mean, variance, pixels, tasks):
    """Find the mean and the variance of each channel."""
    channels = mean.size
    _centre(x, mean, pixels)
    centre = _repeat(mean, _repetitions(pixels, channels))
    sums = np.zeros(2 * tasks * centre.size)
    fork(_moments_part, tasks, (x, centre, sums, tasks))
    first, second = _added_up(sums, np.int64(0), tasks, channels), _added_up(sums, np.int64(1), tasks, channels)
    for c in range(channels):
        off = first[c] / pixels
        if second[c] == np.inf and np.isfinite(first[c]):
            variance[c] = np.inf
        else:
            spread = second[c] / pixels - off * off
            variance[c] = 0 if spread < 0 else spread
        mean[c] += off


@part
def _centre(x, centre, pixels):
    """Find the mean of each channel over a few pixels, 0 where it is not finite."""
    channels, samples = centre.size, min(pixels, SAMPLES)
    for c in range(channels):
        total, first = 0.0, np.float64(x[c])
        for i in range(1, samples):
            total += x[pixels * i // samples * channels + c] - first
        value = first + total / samples
        centre[c] = value if np.isfinite(value) else 0


@part
def _moments_part(task, x, centre, sums, tasks):
    """Add up d and d² over this task's pixels."""
    width = centre.size
    first, second = sums[2 * task * width : (2 * task + 1) * width], sums[(2 * task + 1) * width :]
    fours = x.size // (4 * width)
    for four in range(fours * task // tasks, fours * (task + 1) // tasks):
        at = 4 * four * width
        x0, x1 = x[at : at + width], x[at + width : at + 2 * width]
        x2, x3 = x[at + 2 * width : at + 3 * width], x[at + 3 * width : at + 4 * width]
        for i in range(centre.size):
            d0, d1, d2, d3 = x0[i] - centre[i], x1[i] - centre[i], x2[i] - centre[i], x3[i] - centre[i]
            first[i] += (d0 + d1) + (d2 + d3)
            second[i] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
    if task == tasks - 1:
        for at in range(4 * fours * width, x.size, width):
            rest = x[at : at + width]
            for i in range(rest.size):
                d = x.dtype.type(rest[i] - centre[i])
                first[i] += d
                second[i] += d * d


@part
def _normalise_part(task, x, y, mean, factor, shift, floor, tasks):
    width = mean.size
    pieces = 0 if width == 0 else -(-x.size // width)
    for piece in range(pieces * task // tasks, pieces * (task + 1) // tasks):
        x_, y_ = x[piece * width : (piece + 1) * width], y[piece * width : (piece + 1) * width]
        for i in range(y_.size):
            value = (x_[i] - mean[i]) * factor[i] + shift[i]
            y_[i] = floor if value <= floor else value  # NaN stays NaN


@kernel(*[reads(1)] * 2, writes(1), *[reads(1)] * 4, *[writes(1)] * 2, *[INT] * 4)
def _backward(x, dy, dx, mean, scale, gamma, beta, dgamma, dbeta, pixels, training, all_open, tasks):
    channels, times = mean.size, _repetitions(pixels, mean.size)
    factor = np.empty(channels, mean.dtype)
    for c in range(channels):
        factor[c] = gamma[c] * scale[c]
    mean_, factor_, beta_ = _repeat(mean, times), _repeat(factor, times), _repeat(beta, times)
    sums = np.zeros(2 * tasks * mean_.size)
    fork(_sums_part, tasks, (x, dy, mean_, _repeat(scale, times), factor_, beta_, all_open != 0, sums, tasks))
    first, second = _added_up(sums, np.int64(0), tasks, channels), _added_up(sums, np.int64(1), tasks, channels)
    shift, slope = np.empty(channels, mean.dtype), np.empty(channels, mean.dtype)
    for c in range(channels):
        dbeta[c], dgamma[c] = first[c], second[c]
        shift[c] = dbeta[c] / pixels
        slope[c] = scale[c] * (dgamma[c] / pixels)
    shift_, slope_ = _repeat(shift, times), _repeat(slope, times)
    fork(_dx_part, tasks, (x, dy, dx, factor_, mean_, beta_, shift_, slope_, training, all_open != 0, tasks))


@part
def _sums_part(task, x, dy, mean, scale, factor, beta, all_open, sums, tasks):
    """Add up dy and dy·x̂ over this task's pixels, of dy what a ReLU lets through."""
    width = mean.size
    first, second, zero = sums[2 * task * width :], sums[(2 * task + 1) * width :], x.dtype.type(0)
    fours = 0 if width == 0 else x.size // (4 * width)
    for four in range(fours * task // tasks, fours * (task + 1) // tasks):
        at = 4 * four * width
        x0, x1 = x[at : at + width], x[at + width : at + 2 * width]
        x2, x3 = x[at + 2 * width : at + 3 * width], x[at + 3 * width : at + 4 * width]
        g0, g1 = dy[at : at + width], dy[at + width : at + 2 * width]
        g2, g3 = dy[at + 2 * width : at + 3 * width], dy[at + 3 * width : at + 4 * width]
        for i in range(mean.size):
            d0, d1, d2, d3 = x0[i] - mean[i], x1[i] - mean[i], x2[i] - mean[i], x3[i] - mean[i]
            e0 = _through(g0[i], d0 * factor[i] + beta[i], zero, all_open)
            e1 = _through(g1[i], d1 * factor[i] + beta[i], zero, all_open)
            e2 = _through(g2[i], d2 * factor[i] + beta[i], zero, all_open)
            e3 = _through(g3[i], d3 * factor[i] + beta[i], zero, all_open)
            first[i] += (e0 + e1) + (e2 + e3)
            second[i] += ((e0 * d0 + e1 * d1) + (e2 * d2 + e3 * d3)) * scale[i]
    if task == tasks - 1 and width:
        for at in range(4 * fours * width, x.size, width):
            x_, g_ = x[at : at + width], dy[at : at + width]
            for i in range(x_.size):
                d = x_[i] - mean[i]
                e = _through(g_[i], d * factor[i] + beta[i], zero, all_open)
                first[i] += e
                second[i] += e * (d * scale[i])


@part
def _through(g, y, zero, all_open):
    """Return g where the gate of y lets it through, else 0."""
    return g if all_open | (y > 0) else zero


@part
def _dx_part(task, x, dy, dx, factor, mean, beta, shift, slope, training, all_open, tasks):
    width, zero = mean.size, x.dtype.type(0)
    pieces = 0 if width == 0 else -(-x.size // width)
    for piece in range(pieces * task // tasks, pieces * (task + 1) // tasks):
        at, end = piece * width, (piece + 1) * width
        x_, g_, d_ = x[at:end], dy[at:end], dx[at:end]
        if training:
            for i in range(d_.size):
                d = x_[i] - mean[i]
                e = _through(g_[i], d * factor[i] + beta[i], zero, all_open)
                d_[i] = (e - shift[i] - d * slope[i]) * factor[i]
        else:
            for i in range(d_.size):
                d_[i] = _through(g_[i], (x_[i] - mean[i]) * factor[i] + beta[i], zero, all_open) * factor[i]

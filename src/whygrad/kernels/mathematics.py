"""Elementary functions without branches, so that a loop over them runs on the vector unit.

Each takes one number of either float type. Results lie within two and a half units in the last place of the right
ones, those of ``exp`` and ``tanh`` within about one. The exponential reduces its argument as W. J. Cody and W.
Waite do, "Software manual for the elementary functions" (1980), chapter 6:

    eˣ = 2ⁿ·eʳ,   n = x / log 2 rounded,   r = x − n·log 2,   so that |r| ≤ ½ log 2

log 2 is taken in two pieces, of which the first has so few digits that n times it is exact. The pieces are those
of S. L. Moshier's Cephes library for float32 and of Sun's fdlibm for float64. The power series of eʳ is cut where
what is left out lies below the last digit, and so is that of the logarithm; the coefficients of the hyperbolic
tangent near 0 are those of Cephes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from whygrad.kernels.compiler import intrinsic, part

LOG_2 = 0.6931471805599453
SQRT_2 = 1.4142135623730951
# Adding 1.5·2^23 (1.5·2^52) to a number leaves no room for its fraction: it is rounded to a whole number, which
# stands in the last digits of the sum.
ROUND32, ROUND64 = 1.5 * 2**23, 1.5 * 2**52


@intrinsic
def single(context: Any, x: Any) -> Any:
    """Say whether x is of float32, a constant."""

    def codegen(context: Any, builder: Any, _signature: Any, _values: Any) -> Any:
        return ir.Constant(ir.IntType(1), int(x == types.float32))

    return types.boolean(x), codegen


@intrinsic
def two_to(context: Any, n: Any) -> Any:
    """Return 2ⁿ for a whole number n held as a float, from the least to the greatest normal exponent."""
    bits, digits, rounding = (32, 23, ROUND32) if n == types.float32 else (64, 52, ROUND64)

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        real, whole = values[0].type, ir.IntType(bits)
        last_digits = builder.bitcast(builder.fadd(values[0], ir.Constant(real, rounding)), whole)
        shifted = builder.shl(last_digits, ir.Constant(whole, digits))
        one = builder.bitcast(ir.Constant(real, 1.0), whole)
        return builder.bitcast(builder.add(shifted, one), real)

    return n(n), codegen


@intrinsic
def maximum(context: Any, a: Any, b: Any) -> Any:
    """Return the greater of two numbers of one float type; NaN if one is NaN."""

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        real = values[0].type
        function = builder.module.declare_intrinsic("llvm.maximum", [real], ir.FunctionType(real, [real, real]))
        return builder.call(function, values)

    return a(a, a), codegen


@part
def whole_part(x):
    """Return n = x / log 2, rounded to a whole number."""
    real = type(x)
    rounding = real(ROUND32) if single(x) else real(ROUND64)
    return (x * real(1 / LOG_2) + rounding) - rounding


@part
def rest(x, n):
    """Return r = x − n·log 2."""
    real = type(x)
    high = real(0.693359375) if single(x) else real(6.93147180369123816490e-01)
    low = real(-2.12194440e-4) if single(x) else real(1.90821492927058770002e-10)
    return (x - n * high) - n * low


@part
def series(r):
    """Return eʳ − 1 = r + r²(1/2! + r/3! + r²/4! + …), up to r⁷ for float32 and r¹³ for float64."""
    real = type(r)
    s = real(1 / 5040)
    if not single(r):
        s += r * real(1 / 40320)
        t = real(1 / 6227020800) * r + real(1 / 479001600)
        t = (t * r + real(1 / 39916800)) * r + real(1 / 3628800)
        s += r * r * (t * r + real(1 / 362880))
    s = (s * r + real(1 / 720)) * r + real(1 / 120)
    s = (s * r + real(1 / 24)) * r + real(1 / 6)
    return r + r * r * (s * r + real(1 / 2))


@part
def exp(x):
    """Return eˣ. The power of two is multiplied in two steps, since it alone may lie outside the range."""
    real = type(x)
    lowest, highest = (real(-104), real(89)) if single(x) else (real(-746), real(710))
    x = lowest if x < lowest else x
    x = highest if x > highest else x
    n = whole_part(x)
    rounding = real(ROUND32) if single(x) else real(ROUND64)
    half = (n * real(0.5) + rounding) - rounding
    return (real(1) + series(rest(x, n))) * two_to(half) * two_to(n - half)


@part
def expm1(x):
    """Return eˣ − 1 = 2ⁿ(eʳ − 1) + (2ⁿ − 1), which keeps its digits for small x."""
    real = type(x)
    lowest, highest = (real(-20), real(89)) if single(x) else (real(-40), real(710))
    tiny = real(1e-9) if single(x) else real(1e-18)
    near = lowest if x <= lowest else x
    near = highest if near > highest else near
    n = whole_part(near)
    scale = two_to(n - real(1))  # half of 2ⁿ, which may lie outside the range
    y = (scale * series(rest(near, n)) + (scale - real(0.5))) * real(2)
    return x if abs(x) < tiny else y  # with the sign of zero


@part
def tanh(x):
    """Return tanh x = 1 − 2 / (e^(2|x|) + 1) with the sign of x; below 0.625 the rational function of Cephes."""
    real = type(x)
    size = abs(x)
    far = exp(size + size) + real(1)
    near = size < real(0.625)
    q = x * x
    if single(x):
        p = (real(-5.70498872745e-3) * q + real(2.06390887954e-2)) * q - real(5.37397155531e-2)
        p, below = (p * q + real(1.33314422036e-1)) * q - real(3.33332819422e-1), real(1)
    else:
        p = (real(-9.64399179425052238628e-1) * q - real(9.92877231001918586564e1)) * q
        p -= real(1.61468768441708447952e3)
        below = ((q + real(1.12811678491632931402e2)) * q + real(2.23548839060100448583e3)) * q
        below += real(4.84406305325125486048e3)
    above = size * q * p if near else real(-2)
    below = below if near else far
    y = (size if near else real(1)) + above / below
    y = -y if x < real(0) else y
    return x if size < (real(1e-9) if single(x) else real(1e-18)) else y


@part
def sigmoid(x):
    """Return 1 / (1 + e^(−x)); e is only ever raised to −|x|."""
    real = type(x)
    small = exp(-abs(x))
    return (real(1) if x >= real(0) else small) / (real(1) + small)


@part
def log1p(u):
    """Return log(1 + u) for 0 ≤ u ≤ 1.

    log(1 + u) = 2 artanh s = 2s(1 + s²/3 + s⁴/5 + …) with s = u / (2 + u). Where 1 + u > √2 it is halved first,
    which makes s smaller: s = (u − 1) / (u + 3) and log 2 is added in the end.
    """
    real = type(u)
    large = u > real(SQRT_2 - 1)
    s = (u - real(1) if large else u) / (u + (real(3) if large else real(2)))
    q = s * s
    t = real(1 / 9)
    if not single(u):
        t = real(1 / 21) * q + real(1 / 19)
        t = ((t * q + real(1 / 17)) * q + real(1 / 15)) * q + real(1 / 13)
        t = (t * q + real(1 / 11)) * q + real(1 / 9)
    t = ((t * q + real(1 / 7)) * q + real(1 / 5)) * q + real(1 / 3)
    s += s
    return (s + s * (q * t)) + (real(LOG_2) if large else real(0))


@part
def bell(x):
    """Return e^(−x²/2). x is parted into h, whose square is exact, and a small rest: x² = h² + (x − h)(x + h)."""
    real = type(x)
    rounding = real(ROUND32 / 2**8) if single(x) else real(ROUND64 / 2**20)
    h = (x + rounding) - rounding
    d = real(-0.5) * (x - h) * (x + h)
    s = (d * real(1 / 24) + real(1 / 6)) * d + real(1 / 2)
    return exp(real(-0.5) * h * h) * (real(1) + (d + d * d * s))


@part
def normal32(x, density):
    """Return Φ(x), the normal distribution function, for x of float32 and e^(−x²/2) given.

    Φ(−|x|) = e^(−x²/2) p(t) with t = (|x| − 3) / (|x| + 3). The polynomial p is the one of degree 9 whose largest
    relative error up to |x| = 14.5, where float32 ends, is least: 1e-8.
    """
    real = type(x)
    size = abs(x)
    t = (size - real(3)) / (size + real(3))
    p = real(5.316186926e-05) * t + real(1.150136720e-04)
    p = (p * t - real(3.390127964e-04)) * t - real(9.832882164e-04)
    p = (p * t + real(2.904387359e-03)) * t + real(6.131942285e-03)
    p = (p * t - real(4.621326362e-02)) * t + real(1.232250412e-01)
    tail = density * ((p * t - real(2.064026204e-01)) * t + real(1.215139475e-01))
    return real(1) - tail if x > real(0) else tail


@part(reorder=True)
def dot(a, b):
    """Return Σ a·b of two vectors."""
    total = a.dtype.type(0)
    for i in range(a.size):
        total += a[i] * b[i]
    return total

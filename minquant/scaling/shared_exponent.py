"""MX formats: 32 neighbours share a power of two, the scale is an exponent and nothing else.

    value = 2^e * element          e: one E8M0 byte per block;  element: fp8, fp6, fp4, or int8 / 64

Multiplying by 2^e is exact, so all rounding happens in the element, to nearest even, and elements beyond the format's
largest value saturate to it. The price: a scale can only be right to a factor of two.

**Which power?** With amax the block's largest magnitude, and emax the exponent of the element format's largest value
(8 for E4M3, 15 E5M2, 4 E3M2, 2 E2M3 and E2M1, 0 int8/64):

    floor   e = floor(log2 amax) - emax. The specification's rule. amax lands in the format's top binade, perhaps above
            its largest value: with fp4 an amax of 7.9 meets a largest value of 6 and loses a quarter of itself
    ceil    e = ceil(log2 amax) - emax. Nothing is ever clipped, but often half of the range lies idle
    even    as floor, after amax is rounded to as many mantissa bits as the element has (halves up): one more where
            amax would round up to the next power of two, for fp4 from 7 on
    rceil   the smallest e for which amax fits: ceil(log2(amax / max))
    mse, l2 the best of the floor rule's e, e + 1 and e - 1, by the sum of |error|^2.4 or |error|^2; the first wins ties

e is held in -127 .. 127, and low enough that the format's largest value times 2^e stays a float32. A block of zeros has
e = 0. Exponents come from ``np.frexp``: ``floor(log2(x))`` in float32 is wrong just below most powers of two.

Source: OCP Microscaling Formats (MX) Specification 1.0, section 6.3 (floor); PyTorch's torchao, mx_formats,
ScaleCalculationMode (the names of the other rules).

What we leave out: blocks of other sizes than 32, NaN as a block's scale.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..formats import FloatFormat, Format
from .scheme import Scheme

LOWEST = -127
_POWERS = {"mse": 2.4, "l2": 2.0}


def choose(blocks: np.ndarray, low: np.ndarray, high: np.ndarray, scheme: Scheme, error: Callable) -> np.ndarray:
    """Shared scales of blocks (n, 32) float32 with the range low .. high (n, 1): float32 powers of two (n, 1).

    error   ``calibrators.error``, which the two searches compare by
    """
    amax = np.maximum(high, -low)
    rule = scheme.calibrator
    if rule not in _POWERS:
        return scales(amax, scheme.format, rule)
    power = np.float32(_POWERS[rule])
    floor = scales(amax, scheme.format, "floor")
    best, least = floor.copy(), error(blocks, floor, None, scheme, power)
    lowest, top = np.float32(2.0**LOWEST), np.float32(2.0 ** highest(scheme.format))
    for factor in (2.0, 0.5):
        other = (floor.astype(np.float64) * factor).clip(lowest, top).astype(np.float32)
        other[amax == 0] = 1
        new = error(blocks, other, None, scheme, power)
        better = new < least
        np.copyto(least, new, where=better)
        np.copyto(best, other, where=better)
    return best


def scales(amax: np.ndarray, fmt: Format, rule: str = "floor") -> np.ndarray:
    """2^e for blocks whose largest magnitude is amax (float32, finite, >= 0): float32, same shape."""
    amax = np.asarray(amax, np.float32)
    fraction, exponent = np.frexp(amax.astype(np.float64))  # amax = fraction * 2^exponent, fraction in [1/2, 1)
    e = exponent - 1 - emax(fmt)
    if rule == "ceil":
        e = e + (fraction > 0.5)
    elif rule == "even":
        e = e + (fraction >= 1 - 2.0 ** -(mantissa_bits(fmt) + 2))  # halfway from the last mantissa to the next power
    elif rule == "rceil":
        e = e + (np.ldexp(amax.astype(np.float64), -e) > fmt.max)
    e = np.where(amax > 0, np.clip(e, LOWEST, highest(fmt)), 0)
    return np.ldexp(np.float32(1), e.astype(np.int32))


def emax(fmt: Format) -> int:
    """Exponent of the largest value of a format: floor(log2(max))."""
    return int(np.frexp(fmt.max)[1]) - 1


def highest(fmt: Format) -> int:
    """Largest exponent at which the format's largest value is still a float32."""
    return 127 - emax(fmt)


def mantissa_bits(fmt: Format) -> int:
    """Bits behind the leading one: of a float format its mantissa's, of a fixed-point format its fraction's."""
    return fmt.mantissa_bits if isinstance(fmt, FloatFormat) else fmt.fraction_bits

"""bfloat16 and 8-bit formats times a vector, in the vector layer; ``floats.py`` and ``integers.py`` have plain loops.

Every kernel computes some rows of ``out = m[layer] @ x``, for one thread. They are all the same three steps:

    1  the scales of a row                                 ``row_scales``, a few hundred bytes of working space
    2  32 weights at a time: codes, times 32 activations, times their scale, onto eight partial sums
    3  the eight sums together

Step 2 knows the format, and the kind of x decides what "codes times activations" is: four converted vectors for
float activations, one ``dot4`` for 8-bit ones (``inputs.py``). Numba compiles one kernel for each pair.

Two rows from distant places at once (``floats.places``), because an addition must wait for the one before it, and so
that two streams come from memory. ``prefetch`` asks for codes four kilobytes ahead, over the ends of rows: the
processor's own read-ahead stops at the end of a page.
"""

from __future__ import annotations

import numpy as np

from ._cache import inlined_jit, jit
from .bits import bf16_to_float
from .floats import places
from .packed import CHUNK
from .simd_parts import dot_signed, flat, row_scales
from .vector_bytes import as_floats, shift_and_mask, widen
from .vectors import add, load_bfloats, load_bytes, load_floats, multiply, multiply_add, prefetch, sum_floats, zeros

_f32 = np.float32
_AHEAD = 4096


# ----------------------------------------------------------------------------------------------------------- bfloat16

@inlined_jit
def _bf16_line(total, codes, place, values, column):
    """Plus 32 weights, a cache line, times the activations from ``column``; total: two vectors of partial sums."""
    a, b = total
    prefetch(codes, place + _AHEAD // 2)
    a = multiply_add(a, load_bfloats(codes, place), load_floats(values, column))
    b = multiply_add(b, load_bfloats(codes, place + 8), load_floats(values, column + 8))
    a = multiply_add(a, load_bfloats(codes, place + 16), load_floats(values, column + 16))
    b = multiply_add(b, load_bfloats(codes, place + 24), load_floats(values, column + 24))
    return a, b


@jit
def bf16_rows(out, m, layer, x, s, first, stop):
    """As ``floats.bf16_rows``."""
    codes, values = flat(m.codes[layer]), x.values
    columns, whole = values.size, values.size // CHUNK * CHUNK
    start, length, last = places(first, stop, 3)
    for r in range(start, start + length):
        q, p = min(r + length, last), min(r + 2 * length, last)
        a, b, d = (zeros(), zeros()), (zeros(), zeros()), (zeros(), zeros())
        for c in range(0, whole, CHUNK):
            a = _bf16_line(a, codes, r * columns + c, values, c)
            b = _bf16_line(b, codes, q * columns + c, values, c)
            d = _bf16_line(d, codes, p * columns + c, values, c)
        low, middle, high = sum_floats(add(*a)), sum_floats(add(*b)), sum_floats(add(*d))
        for c in range(whole, columns):
            low += bf16_to_float(codes[r * columns + c]) * values[c]
            middle += bf16_to_float(codes[q * columns + c]) * values[c]
            high += bf16_to_float(codes[p * columns + c]) * values[c]
        out[r], out[q], out[p] = low, middle, high


# --------------------------------------------------------------------------------------------------------------- int8

@jit
def int8_groups(out, m, layer, x, s, first, stop):
    """Rows first..stop - 1; s (at least columns,) float32 is working space."""
    columns, groups, chunks = m.codes.shape[2], m.scale.shape[2], x.sums.size
    codes, scale, low, high = flat(m.codes[layer]), flat(m.scale[layer]), s[:chunks], s[chunks:]
    start, length, last = places(first, stop, 2)
    for r in range(start, start + length):
        q = min(r + length, last)
        row_scales(low, scale, r * groups, groups, x)
        row_scales(high, scale, q * groups, groups, x)
        a, b = zeros(), zeros()
        for i in range(chunks):
            here, there = r * columns + CHUNK * i, q * columns + CHUNK * i
            prefetch(codes, here + _AHEAD)
            prefetch(codes, there + _AHEAD)
            a = multiply_add(a, dot_signed(x, load_bytes(codes, here), CHUNK * i), low[i])
            b = multiply_add(b, dot_signed(x, load_bytes(codes, there), CHUNK * i), high[i])
        out[r], out[q] = sum_floats(a), sum_floats(b)


# ---------------------------------------------------------------------------------------------------------------- fp8

@inlined_jit
def _e4m3_floats(ints):
    """``bits.e4m3_to_float`` of eight sign-extended codes."""
    return multiply(as_floats(shift_and_mask(ints, 20, -0x78100000)), _f32(2.0**120))


@inlined_jit
def _e4m3_dot(x, word, place):
    """32 fp8 numbers times the activations from ``place``."""
    values = x.every_fourth
    total = multiply_add(zeros(), _e4m3_floats(widen(word, 0)), load_floats(values, place))
    total = multiply_add(total, _e4m3_floats(widen(word, 1)), load_floats(values, place + 8))
    total = multiply_add(total, _e4m3_floats(widen(word, 2)), load_floats(values, place + 16))
    return multiply_add(total, _e4m3_floats(widen(word, 3)), load_floats(values, place + 24))


@jit
def e4m3_groups(out, m, layer, x, s, first, stop):
    """As ``int8_groups``, with float activations."""
    columns, groups, chunks = m.codes.shape[2], m.scale.shape[2], x.sums.size
    codes, scale, low, high = flat(m.codes[layer]), flat(m.scale[layer]), s[:chunks], s[chunks:]
    start, length, last = places(first, stop, 2)
    for r in range(start, start + length):
        q = min(r + length, last)
        row_scales(low, scale, r * groups, groups, x)
        row_scales(high, scale, q * groups, groups, x)
        a, b = zeros(), zeros()
        for i in range(chunks):
            a = multiply_add(a, _e4m3_dot(x, load_bytes(codes, r * columns + CHUNK * i), CHUNK * i), low[i])
            b = multiply_add(b, _e4m3_dot(x, load_bytes(codes, q * columns + CHUNK * i), CHUNK * i), high[i])
        out[r], out[q] = sum_floats(a), sum_floats(b)

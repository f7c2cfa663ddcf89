"""8-bit formats with a scale per group times a vector, in the vector layer: what to use; ``integers.py`` has plain loops.

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
from .floats import places
from .packed import CHUNK
from .simd_parts import dot_signed, flat, row_scales
from .vector_bytes import as_floats, shift_and_mask, widen
from .vectors import load_bytes, load_floats, multiply, multiply_add, prefetch, sum_floats, zeros

_f32 = np.float32
_AHEAD = 4096


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

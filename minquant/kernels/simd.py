"""Grouped formats times a vector, in the vector layer: what to use; ``integers.py`` has the same in plain loops.

Every kernel computes some rows of ``out = m[layer] @ x``, for one thread. They are all the same three steps:

    1  the scales of a row, and what its offset costs        ``row_scales``, a few hundred bytes of working space
    2  32 weights at a time: codes, times 32 activations, times their scale, onto eight partial sums
    3  the eight sums together, minus the offset

Step 2 knows the format, and the kind of x decides what "codes times activations" is: four converted vectors for
float activations, one ``dot4`` for 8-bit ones (``inputs.py``). Numba compiles one kernel for each pair.

Two independent sums per loop, because an addition must wait for the one before it; formats with several codes to a byte
have several parts anyway, int8 takes two rows from distant places (``floats.places``). ``prefetch`` asks for codes four
kilobytes ahead, over the ends of rows: the processor's own read-ahead stops at the end of a page.
"""

from __future__ import annotations

import numpy as np

from ._cache import inlined_jit, jit
from .floats import places
from .packed import CHUNK, OFFSET, Int2Groups, Int3Groups, Int4Groups
from .simd_parts import dot, dot_signed, flat, row_scales, zeros_offset
from .vector_bytes import as_floats, field, lookup, put_above, shift_and_mask, widen, widen_field
from .vectors import load_bytes, load_floats, multiply, multiply_add, prefetch, sum_floats, zeros

_f32 = np.float32
_AHEAD = 4096
_EIGHT, _FOUR, _TWO = _f32(OFFSET[Int4Groups]), _f32(OFFSET[Int3Groups]), _f32(OFFSET[Int2Groups])


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


# --------------------------------------------------------------------------------------------------------------- int4

@inlined_jit
def _int4_row(codes, first, half, x, s):
    """Sum of codes 0..15 times activations, over a row whose halves share the bytes from ``first``."""
    n, a, b = half // CHUNK, zeros(), zeros()
    for i in range(n):
        word = load_bytes(codes, first + CHUNK * i)
        prefetch(codes, first + CHUNK * i + _AHEAD)
        a = multiply_add(a, dot(x, word, 0, 4, CHUNK * i), s[i])
        b = multiply_add(b, dot(x, word, 4, 4, half + CHUNK * i), s[n + i])
    return sum_floats(a) + sum_floats(b)


@jit
def int4_groups(out, m, layer, x, s, first, stop):
    """As ``int8_groups``."""
    half, groups = m.codes.shape[2], m.scale.shape[2]
    codes, scale = flat(m.codes[layer]), flat(m.scale[layer])
    for r in range(first, stop):
        offset = _EIGHT * row_scales(s, scale, r * groups, groups, x)
        out[r] = _int4_row(codes, r * half, half, x, s) - offset


@jit
def int4_zeros(out, m, layer, x, s, first, stop):
    """As ``int8_groups``."""
    half, groups = m.codes.shape[2], m.scale.shape[2]
    codes, scale, zero = flat(m.codes[layer]), flat(m.scale[layer]), flat(m.zero[layer])
    for r in range(first, stop):
        row_scales(s, scale, r * groups, groups, x)
        offset = zeros_offset(scale, zero, r * groups, groups, x)
        out[r] = _int4_row(codes, r * half, half, x, s) - offset


# ------------------------------------------------------------------------------------------------------- 3 and 2 bits

@jit
def int2_groups(out, m, layer, x, s, first, stop):
    """As ``int8_groups``."""
    quarter, groups = m.codes.shape[2], m.scale.shape[2]
    codes, scale, n = flat(m.codes[layer]), flat(m.scale[layer]), quarter // CHUNK
    for r in range(first, stop):
        offset = _TWO * row_scales(s, scale, r * groups, groups, x)
        a, b = zeros(), zeros()
        for i in range(n):
            place = CHUNK * i
            word = load_bytes(codes, r * quarter + place)
            prefetch(codes, r * quarter + place + _AHEAD)
            for q in range(0, 4, 2):
                a = multiply_add(a, dot(x, word, 2 * q, 2, q * quarter + place), s[q * n + i])
                b = multiply_add(b, dot(x, word, 2 * q + 2, 2, (q + 1) * quarter + place), s[(q + 1) * n + i])
        out[r] = sum_floats(a) + sum_floats(b) - offset


@jit
def int3_groups(out, m, layer, x, s, first, stop):
    """As ``int8_groups``. 32 bytes of high bits complete twice 32 bytes of low ones, half a quarter of a row apart."""
    eighth, groups = m.codes.shape[2] // 3, m.scale.shape[2]
    codes, scale, n = flat(m.codes[layer]), flat(m.scale[layer]), eighth // CHUNK
    for r in range(first, stop):
        offset = _FOUR * row_scales(s, scale, r * groups, groups, x)
        a, b = zeros(), zeros()
        for i in range(n):
            place, start = CHUNK * i, 3 * r * eighth + CHUNK * i
            here, there = load_bytes(codes, start), load_bytes(codes, start + eighth)
            high = load_bytes(codes, start + 2 * eighth)
            prefetch(codes, start + _AHEAD)
            prefetch(codes, start + eighth + _AHEAD)
            for q in range(4):
                word = put_above(field(here, 2 * q, 2), field(high, 2 * q, 1), 2)
                a = multiply_add(a, dot(x, word, 0, 3, 2 * q * eighth + place), s[2 * q * n + i])
                word = put_above(field(there, 2 * q, 2), field(high, 2 * q + 1, 1), 2)
                b = multiply_add(b, dot(x, word, 0, 3, (2 * q + 1) * eighth + place), s[(2 * q + 1) * n + i])
        out[r] = sum_floats(a) + sum_floats(b) - offset


# ------------------------------------------------------------------------- values that are no whole numbers: fp8, books

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


@inlined_jit
def _book_dot(x, word, low, high, shift, place):
    """32 entries of the table (low, high), named by a nibble of each byte, times the activations from ``place``."""
    values = x.every_fourth
    total = multiply_add(zeros(), lookup(low, high, widen_field(word, 0, shift, 4)), load_floats(values, place))
    total = multiply_add(total, lookup(low, high, widen_field(word, 1, shift, 4)), load_floats(values, place + 8))
    total = multiply_add(total, lookup(low, high, widen_field(word, 2, shift, 4)), load_floats(values, place + 16))
    return multiply_add(total, lookup(low, high, widen_field(word, 3, shift, 4)), load_floats(values, place + 24))


@jit
def book4(out, m, layer, x, s, first, stop):
    """As ``int8_groups``, with float activations. The table of sixteen floats stays in two registers."""
    half, groups, low, high = m.codes.shape[2], m.scale.shape[2], load_floats(m.table, 0), load_floats(m.table, 8)
    codes, scale, n = flat(m.codes[layer]), flat(m.scale[layer]), half // CHUNK
    for r in range(first, stop):
        row_scales(s, scale, r * groups, groups, x)
        a, b = zeros(), zeros()
        for i in range(n):
            word = load_bytes(codes, r * half + CHUNK * i)
            a = multiply_add(a, _book_dot(x, word, low, high, 0, CHUNK * i), s[i])
            b = multiply_add(b, _book_dot(x, word, low, high, 4, half + CHUNK * i), s[n + i])
        out[r] = sum_floats(a) + sum_floats(b)

"""Integer weights times a vector in plain loops: to read first, to test against, and where there is nothing else.

**One scale per row** leaves the loop: sum the products of codes and x, multiply once at the end. (Two rows from distant
places at once: v4 in ``floats.py``.)

**One scale per group** cannot leave it. What looks natural, an inner loop over the 32 weights of a group, is slow: the
compiler unrolls it before it looks for vector instructions. The flat form does better:

    total += codes[c] * x[c] * scale[c >> 5]

Here 5 is a *constant* of the compiled code: only then can the compiler see that 16 neighbours share one scale, and load
it once. So the scales of a row are written out first, one float32 for every 32 weights (``rows.row_scales``), whatever
the size of the groups: a few hundred bytes of working space that stay in the innermost cache.

**int4** decodes two weights from a byte, about twice the instructions of int8 per weight, and int8 has only twice the
bytes: in plain loops 4 bits are limited by arithmetic, not by memory.

**8-bit activations** make the products whole numbers. In plain loops that gains nothing, since the compiler does not
find the instruction that adds four products of bytes at once; ``simd.py`` names it.

**Any other format** is decoded a row at a time into a small buffer: ``decoded_rows``.
"""

from __future__ import annotations

import numpy as np

from ._cache import jit
from .floats import places
from .inputs import input_scale
from .packed import CHUNK
from .rows import decode_row, row_scales

_f32, _i32 = np.float32, np.int32


@jit
def int8_rows(out, m, layer, x, s, first, stop):
    """Rows first..stop - 1 of ``m[layer] @ x.values``; s is not used."""
    codes, scale, values = m.codes[layer], m.scale[layer], x.values
    start, length, last = places(first, stop, 2)
    for r in range(start, start + length):
        q = min(r + length, last)
        a = b = _f32(0)
        for c in range(values.size):
            a += _f32(codes[r, c]) * values[c]
            b += _f32(codes[q, c]) * values[c]
        out[r], out[q] = a * scale[r], b * scale[q]


@jit
def int8_groups(out, m, layer, x, s, first, stop):
    """Rows first..stop - 1 of ``m[layer] @ x.values``; s (at least columns,) float32 is working space."""
    values = x.values
    for r in range(first, stop):
        row_scales(s, m.scale[layer, r], x)
        codes, total = m.codes[layer, r], _f32(0)
        for c in range(values.size):
            total += _f32(codes[c]) * values[c] * s[c >> 5]
        out[r] = total


@jit
def int4_groups(out, m, layer, x, s, first, stop):
    """As ``int8_groups``. Bytes hold the weights of both halves of a row, each plus 8."""
    values = x.values
    half = values.size // 2
    for r in range(first, stop):
        row_scales(s, m.scale[layer, r], x)
        codes, total, high = m.codes[layer, r], _f32(0), s[half >> 5:]
        for c in range(half):
            word = _i32(codes[c])
            total += _f32(_i32(word & _i32(15)) - _i32(8)) * values[c] * s[c >> 5]
            total += _f32(_i32(word >> _i32(4)) - _i32(8)) * values[half + c] * high[c >> 5]
        out[r] = total


@jit
def int8_groups_dot(out, m, layer, x, s, first, stop):
    """As ``int8_groups``, with 8-bit activations: whole numbers within a group."""
    for r in range(first, stop):
        row_scales(s, m.scale[layer, r], x)
        codes, total = m.codes[layer, r], _f32(0)
        for i in range(x.sums.size):
            products = _i32(0)
            for c in range(CHUNK * i, CHUNK * (i + 1)):
                products += _i32(codes[c]) * _i32(x.codes[c])
            total += _f32(products) * s[i]
        out[r] = total


@jit
def int4_groups_dot(out, m, layer, x, s, first, stop):
    """The same for int4."""
    half = m.codes.shape[2]
    n = half // CHUNK
    for r in range(first, stop):
        row_scales(s, m.scale[layer, r], x)
        codes, total = m.codes[layer, r], _f32(0)
        for i in range(n):
            low, high = _i32(0), _i32(0)
            for c in range(CHUNK * i, CHUNK * (i + 1)):
                word = _i32(codes[c])
                low += _i32(_i32(word & _i32(15)) - _i32(8)) * _i32(x.codes[c])
                high += _i32(_i32(word >> _i32(4)) - _i32(8)) * _i32(x.codes[half + c])
            total += _f32(low) * s[i] + _f32(high) * s[n + i]
        out[r] = total


@jit
def decoded_rows(out, m, layer, x, s, first, stop):
    """Any format: s (at least columns,) float32 takes one decoded row after another."""
    row = s[:x.values.size]
    for r in range(first, stop):
        decode_row(row, m, layer, r)
        total = _f32(0)
        for c in range(row.size):
            total += row[c] * x.values[c]
        out[r] = total


@jit
def decoded_rows_dot(out, m, layer, x, s, first, stop):
    """The same for 8-bit activations, as the numbers they stand for."""
    row = s[:x.values.size]
    for r in range(first, stop):
        decode_row(row, m, layer, r)
        total = _f32(0)
        for i in range(x.sums.size):
            part = _f32(0)
            for c in range(CHUNK * i, CHUNK * (i + 1)):
                part += row[c] * _f32(x.codes[c])
            total += part * input_scale(x, i)
        out[r] = total

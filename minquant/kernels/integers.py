"""Integer weights times a vector in plain loops: to read first, to test against, and where there is nothing else.

**One scale per row** leaves the loop: sum the products of codes and x, multiply once at the end. (Two rows from distant
places at once: v4 in ``floats.py``.)

**One scale per group** cannot leave it. What looks natural, an inner loop over the 32 weights of a group, is slow: the
compiler unrolls it before it looks for vector instructions. The flat form does better:

    total += codes[c] * x[c] * scale[c >> 5]

Here 5 is a *constant* of the compiled code: only then can the compiler see that 16 neighbours share one scale, and load
it once. So the scales of a row are written out first, one float32 for every 32 weights (``rows.row_scales``), whatever
the size of the groups: a few hundred bytes of working space that stay in the innermost cache.

**8-bit activations** make the products whole numbers. In plain loops that gains nothing, since the compiler does not
find the instruction that adds four products of bytes at once; the vector layer names it.

**Codes that share a word** are decoded a row at a time into a small buffer, which stays in the innermost cache:
``decoded_rows`` for float activations, ``grouped_dot`` for 8-bit ones. In plain loops such formats are limited by
arithmetic, not by memory; ``eight_rows.py`` changes that.
"""

from __future__ import annotations

import numpy as np

from ._cache import jit
from .floats import places
from .packed import CHUNK
from .rows import decode_codes, decode_row, row_scales, scales_of_row

_f32 = np.float32


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
def grouped_dot(out, m, layer, x, s, first, stop):
    """The whole numbers of any grouped format times 8-bit activations; s (at least two rows,) float32.

    Within a group products are whole numbers, and a float32 holds their sum exactly: at most 32 * 128 * 127 < 2^24.
    """
    columns, chunks = x.codes.size, x.sums.size
    codes, scale = s[:columns], s[columns:]
    for r in range(first, stop):
        decode_codes(codes, m, layer, r)
        row_scales(scale, scales_of_row(m, layer, r), x)
        total = _f32(0)
        for i in range(chunks):
            products = _f32(0)
            for c in range(CHUNK * i, CHUNK * (i + 1)):
                products += codes[c] * _f32(x.codes[c])
            total += products * scale[i]
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

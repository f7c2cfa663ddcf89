"""Integer weights times a vector: int8 with a scale per row, int8 and int4 with a scale per group.

**One scale per row** leaves the loop: sum the products of codes and x, multiply once at the end. (Two rows from distant
places at once: see v4 in ``floats.py``. The kernels with groups are limited by arithmetic and take one row at a time.)

**One scale per group** cannot leave it. What looks natural, an inner loop over the 32 weights of a group, is slow: the
compiler unrolls it before it looks for vector instructions. The flat form does better:

    total += codes[c] * x[c] * scale[c >> 5]

Here 5 must be a *constant* of the compiled code: only then can the compiler see that 16 neighbours share one scale, and
load it once. So there is one compiled kernel per group size (``_SHIFT``), made by a function that takes the shift.
The scales are float16 in memory; each row's are decoded first into a few hundred bytes that stay in the innermost cache
(``scales``, one line per thread).

**int4** decodes two weights from a byte. A nibble is not moved down to the bottom of a word but left (or moved) where
its sign is the word's sign: ``word << 28`` is the low nibble times 2^28, ``word & -16`` the high nibble times 16. The
powers of two cancel in the scale, exactly.
That is still about twice the instructions of int8 per weight, and int8 has only twice the bytes: in plain loops 4 bits
are limited by arithmetic, not by memory.

What we leave out: int8 activations (whole-number dot products), prefetching.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ._cache import parallel_jit
from .bits import half_to_float
from .floats import places

_f32, _i32 = np.float32, np.int32
_LOW, _HIGH = _f32(2.0**-28), _f32(2.0**-4)


@parallel_jit
def int8_rows_matvec(out, codes, scale, x, threads):
    """out (rows,) float32 = (codes (rows, columns) int8, times scale (rows,) float32) @ x (columns,) float32."""
    for thread in prange(threads):
        first, length, last = places(thread, threads, codes.shape[0], 2)
        for r in range(first, first + length):
            q = min(r + length, last)
            a = b = _f32(0)
            for c in range(codes.shape[1]):
                a += _f32(codes[r, c]) * x[c]
                b += _f32(codes[q, c]) * x[c]
            out[r], out[q] = a * scale[r], b * scale[q]


def _int8_groups(shift):
    """The int8 kernel for groups of 2**shift weights."""

    @parallel_jit
    def int8_groups_matvec(out, codes, scale, x, scales):
        """out (rows,) = (codes (rows, columns) int8, times scale (rows, groups) float16 bits) @ x.

        ``scales`` (threads, at least groups) float32 is working space.
        """
        rows, columns = codes.shape
        threads = scales.shape[0]
        for thread in prange(threads):
            s = scales[thread]
            for r in range(thread * rows // threads, (thread + 1) * rows // threads):
                for g in range(scale.shape[1]):
                    s[g] = half_to_float(scale[r, g])
                total = _f32(0)
                for c in range(columns):
                    total += _f32(codes[r, c]) * x[c] * s[c >> shift]
                out[r] = total

    return int8_groups_matvec


def _int4_groups(shift):
    """The int4 kernel for groups of 2**shift weights."""

    @parallel_jit
    def int4_groups_matvec(out, codes, scale, x, scales):
        """out (rows,) = (codes (rows, columns / 2) int8, two nibbles each, times scale (rows, groups)) @ x.

        ``scales`` (threads, at least groups) float32 is working space.
        """
        rows, half = codes.shape
        threads, groups = scales.shape[0], half >> shift  # groups of half a row
        for thread in prange(threads):
            low, high = scales[thread, :groups], scales[thread, groups:]
            for r in range(thread * rows // threads, (thread + 1) * rows // threads):
                for g in range(groups):
                    low[g] = half_to_float(scale[r, g]) * _LOW
                    high[g] = half_to_float(scale[r, groups + g]) * _HIGH
                total = _f32(0)
                for c in range(half):
                    word = _i32(codes[r, c])
                    total += _f32(_i32(word << _i32(28))) * x[c] * low[c >> shift]
                    total += _f32(_i32(word & _i32(-16))) * x[half + c] * high[c >> shift]
                out[r] = total

    return int4_groups_matvec


_SHIFT = {32: 5, 64: 6, 128: 7}
int8_g32_matvec, int8_g64_matvec, int8_g128_matvec = (_int8_groups(shift) for shift in _SHIFT.values())
int4_g32_matvec, int4_g64_matvec, int4_g128_matvec = (_int4_groups(shift) for shift in _SHIFT.values())

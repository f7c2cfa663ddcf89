"""Ways to use quantized weights that are slower than the weights they came from, written as well as they can be.

Most questions of the kind "why is my quantized model slower" end at one of these:

    fake quantization           weights stay in 16 bits and are rounded to their grid whenever they are used, to find
                                out what rounding does to a model. As many bytes as before, and more work.
    dequantize, then multiply   codes are turned into a float32 copy of the matrix, and then a product for floats reads
                                that copy: 1 byte a weight becomes 1 read, 4 written and 4 read again. (A processor that
                                fetches a cache line before it writes to it moves another 4.)
    many small launches         work is handed to all threads in pieces so small that handing over takes longer.

They are here to be measured (``benchmark.matvec_paths``, ``benchmark.launch_cost``) against the fused kernels, which
decode a weight in a register and use it there. All of them share rows out over the threads, as the fused ones do.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ._cache import inlined_jit, jit, parallel_jit
from .bits import bf16_to_float, half_to_float
from .floats import bf16_matvec
from .ladder import GROUP

_f32, _i32 = np.float32, np.int32


@parallel_jit
def fake_quant_matvec(out, codes, scale, x, largest):
    """out (rows,) float32 = round(W / scale) * scale @ x, with rounded weights within -largest..largest.

    codes (rows, columns) uint16 bits of bfloat16; scale (rows, groups) float32 of groups of 32; x (columns,) float32.
    """
    for r in prange(codes.shape[0]):
        total = _f32(0)
        for c in range(x.size):
            q = np.rint(bf16_to_float(codes[r, c]) / scale[r, c >> 5])
            total += min(max(q, -largest), largest) * scale[r, c >> 5] * x[c]
        out[r] = total


@parallel_jit
def dequantize_int8(weights, codes, scale):
    """weights (rows, columns) float32 = codes (rows, columns) int8 times scale (rows, groups) float16 bits as int16."""
    for r in prange(codes.shape[0]):
        for g in range(scale.shape[1]):
            s = half_to_float(scale[r, g])
            for c in range(GROUP * g, GROUP * (g + 1)):
                weights[r, c] = _f32(codes[r, c]) * s


@inlined_jit
def _int4_group(weights, packed, r, first, shift, place, s):
    """32 weights from the nibbles at ``shift`` of 32 bytes."""
    for c in range(GROUP):
        nibble = _i32(_i32(packed[r, first + c]) >> _i32(shift)) & _i32(15)
        weights[r, place + c] = _f32(nibble - _i32(8)) * s


@parallel_jit
def dequantize_int4(weights, packed, scale):
    """The same for codes in ``ladder.pack_halves``."""
    half = packed.shape[1]
    for r in prange(packed.shape[0]):
        for g in range(half // GROUP):
            _int4_group(weights, packed, r, GROUP * g, 0, GROUP * g, half_to_float(scale[r, g]))
            _int4_group(weights, packed, r, GROUP * g, 4, half + GROUP * g,
                        half_to_float(scale[r, half // GROUP + g]))


@parallel_jit
def float32_matvec(out, weights, x):
    """out (rows,) = weights (rows, columns) @ x (columns,), all float32."""
    for r in prange(weights.shape[0]):
        total = _f32(0)
        for c in range(x.size):
            total += weights[r, c] * x[c]
        out[r] = total


@jit
def bf16_in_pieces(out, codes, x, pieces):
    """``floats.bf16_matvec``, launched once for each of so many equal pieces of the rows; ``pieces`` divides them."""
    rows = out.size // pieces
    for first in range(0, out.size, rows):
        bf16_matvec(out[first:first + rows], codes[first:first + rows], x)

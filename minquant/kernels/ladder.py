"""One product, written again and again: what makes a quantized matrix-vector product fast, a step at a time.

``out = W @ x`` for weights of 8 or 4 bits, groups of 32 that share a float16 scale. Every version reads the same
codes and gives the same result (v3 on: for activations rounded to 8 bits). Each adds one idea to the one before:

    v0  NumPy: turn the codes into floats, then multiply. Every step is a pass over memory: 4 bits become 32 on the way.
    v1  one compiled loop that takes one code at a time: nothing is written but the result. Yet each weight costs a
        division of its place, a shift that depends on that place, a scale of its own, and an addition that waits for
        the one before it.
    v2  the same sum in a form the compiler can do eight or more at a time: codes that need the same shift lie side
        by side (two *halves* of a row share the bytes), the sum may be reordered, the scales of a row are unpacked
        first, and every eight neighbours share one. Even an index matters: the halves of x are slices, because a
        compiler that cannot tell whether ``half + c`` is negative looks at every element (Numba counts negative
        indices from the end) and gives up on doing many at once.
    v3  activations in 8 bits: whole numbers times whole numbers, one scale per 32 products. Fewer operations on paper;
        the compiler does not find the instruction that does four of them at once.
    v4  the vector layer names that instruction (int8 in ``simd.py``; int4 in ``eight_rows.py``, where eight rows lie
        together, so that no sum ever runs across a vector): ``matvec.matvec`` on one thread.
    v5  the rows shared out over all threads: ``matvec.matvec`` again.

This file has v0 to v3, for one thread. v4 and v5 are the kernels of the decoder and lie where they are used. What each
version gains on a machine is measured by ``benchmark.kernel_ladder``.

What we leave out: zero points, other widths, group sizes other than 32, rows that are no multiple of 64.
"""

from __future__ import annotations

import numpy as np

from ._cache import exact_jit, inlined_jit, jit
from .bits import half_to_float

GROUP = 32
_f32, _i32 = np.float32, np.int32


# ------------------------------------------------------------------------------------------------ two layouts of int4

def pack_neighbours(codes: np.ndarray) -> np.ndarray:
    """int4 for v0 and v1: byte j of a row holds code 2j in its low nibble and code 2j + 1 in its high one.

    codes (rows, columns) int8, -8..7, columns even -> uint8 (rows, columns / 2), each code plus 8.
    """
    unsigned = (codes + np.int8(8)).view(np.uint8)
    return unsigned[:, 0::2] | unsigned[:, 1::2] << np.uint8(4)


def pack_halves(codes: np.ndarray) -> np.ndarray:
    """int4 for v2 and v3: byte j of a row holds code j and code j + columns / 2. Else as ``pack_neighbours``."""
    unsigned, half = (codes + np.int8(8)).view(np.uint8), codes.shape[1] // 2
    return unsigned[:, :half] | unsigned[:, half:] << np.uint8(4)


# ----------------------------------------------------------------------------------------------------------- v0: NumPy

def int8_v0(codes: np.ndarray, scale: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Product (rows,) float32 of codes (rows, columns) int8 and x (columns,) float32.

    scale (rows, groups): float16 bits, as int16.
    """
    weights = codes.astype(_f32)
    weights.reshape(*scale.shape, GROUP)[...] *= scale.view(np.float16).astype(_f32)[..., None]
    return weights @ x


def int4_v0(packed: np.ndarray, scale: np.ndarray, x: np.ndarray) -> np.ndarray:
    """As ``int8_v0`` for codes in ``pack_neighbours``."""
    codes = np.empty((packed.shape[0], 2 * packed.shape[1]), np.int8)
    codes[:, 0::2], codes[:, 1::2] = packed & np.uint8(15), packed >> np.uint8(4)
    return int8_v0(codes - np.int8(8), scale, x)


# ---------------------------------------------------------------------------------- v1: one code after another

@exact_jit
def int8_v1(out, codes, scale, x):
    """out (rows,) float32 is written; the rest as in ``int8_v0``."""
    for r in range(codes.shape[0]):
        total = _f32(0)
        for c in range(x.size):
            total += _f32(codes[r, c]) * half_to_float(scale[r, c // GROUP]) * x[c]
        out[r] = total


@exact_jit
def int4_v1(out, packed, scale, x):
    """As ``int8_v1`` for codes in ``pack_neighbours``."""
    for r in range(packed.shape[0]):
        total = _f32(0)
        for c in range(x.size):
            nibble = (_i32(packed[r, c // 2]) >> _i32(4 * (c % 2))) & _i32(15)
            total += _f32(nibble - _i32(8)) * half_to_float(scale[r, c // GROUP]) * x[c]
        out[r] = total


# -------------------------------------------------------------------------------------------- v2: many codes at a time

@inlined_jit
def _row_scales(s, scale, r):
    for g in range(scale.shape[1]):
        s[g] = half_to_float(scale[r, g])


@jit
def int8_v2(out, codes, scale, x, s):
    """As ``int8_v1``; s (groups,) float32 is working space for the scales of a row."""
    for r in range(codes.shape[0]):
        _row_scales(s, scale, r)
        total = _f32(0)
        for c in range(x.size):
            total += _f32(codes[r, c]) * x[c] * s[c >> 5]
        out[r] = total


@jit
def int4_v2(out, packed, scale, x, s):
    """As ``int8_v2`` for codes in ``pack_halves``: one sum for each half of the row."""
    half = packed.shape[1]
    x_low, x_high, s_low, s_high = x[:half], x[half:], s[:half // GROUP], s[half // GROUP:]
    for r in range(packed.shape[0]):
        _row_scales(s, scale, r)
        low = high = _f32(0)
        for c in range(half):
            word = _i32(packed[r, c])
            low += _f32(_i32(word & _i32(15)) - _i32(8)) * x_low[c] * s_low[c >> 5]
            high += _f32(_i32(word >> _i32(4)) - _i32(8)) * x_high[c] * s_high[c >> 5]
        out[r] = low + high


# -------------------------------------------------------------------------------- v3: whole numbers times such

@jit
def int8_v3(out, codes, scale, x_codes, x_scale, s):
    """As ``int8_v2`` for activations x_scale[c // 32] * x_codes[c].

    x_codes (columns,) int8; x_scale (groups,) float32.
    """
    for r in range(codes.shape[0]):
        _row_scales(s, scale, r)
        total = _f32(0)
        for g in range(s.size):
            products = _i32(0)
            for c in range(GROUP * g, GROUP * (g + 1)):
                products += _i32(codes[r, c]) * _i32(x_codes[c])
            total += _f32(products) * s[g] * x_scale[g]
        out[r] = total


@jit
def int4_v3(out, packed, scale, x_codes, x_scale, s):
    """As ``int8_v3`` for codes in ``pack_halves``."""
    half, groups = packed.shape[1], packed.shape[1] // GROUP
    x_low, x_high = x_codes[:half], x_codes[half:]
    for r in range(packed.shape[0]):
        _row_scales(s, scale, r)
        total = _f32(0)
        for g in range(groups):
            low, high = _i32(0), _i32(0)
            for c in range(GROUP * g, GROUP * (g + 1)):
                word = _i32(packed[r, c])
                low += _i32(_i32(word & _i32(15)) - _i32(8)) * _i32(x_low[c])
                high += _i32(_i32(word >> _i32(4)) - _i32(8)) * _i32(x_high[c])
            total += _f32(low) * s[g] * x_scale[g] + _f32(high) * s[groups + g] * x_scale[groups + g]
        out[r] = total

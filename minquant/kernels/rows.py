"""Scales and rows of packed matrices back to float32: what every kernel needs, and the plainest of all products.

``decode_row`` knows every format, one short loop each: it is the readable definition of ``packed.py``. The vector
kernels never call it; what they compute is tested against it.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from . import packed
from ._cache import jit
from .bits import bf16_to_float, e4m3_to_float, e5m2_to_float, half_to_float
from .inputs import input_scale

_f32, _i32, _u32 = np.float32, np.int32, np.uint32


# ------------------------------------------------------------------------------------------------------------- scales

@jit
def _exponent_to_float(code):
    """uint8 E8M0 -> float32 2^(code - 127). Code 0 (a float32 subnormal) and 255 (NaN) do not occur in weights."""
    return _u32(_u32(code) << _u32(23)).view(_f32)


_SCALES = {np.dtype(np.int16): half_to_float, np.dtype(np.uint8): _exponent_to_float, np.dtype(np.float32): _f32}


def scale_to_float(scale):
    """A stored scale as float32: float16 bits (int16), an exponent (uint8), or a float32."""
    return _SCALES[np.dtype(type(scale))](scale)


@overload(scale_to_float)
def _scale_to_float_for(scale):
    return {types.int16: lambda scale: half_to_float(scale), types.uint8: lambda scale: _exponent_to_float(scale),
            types.float32: lambda scale: scale}.get(scale)


@jit
def row_scales(s, scale, x):
    """s[i] = scale of the weights of chunk i, times that of its activations; returns the sum of scale times ``x.sums``.

    s (at least chunks,) float32; scale (groups,) as stored, one group being one or more chunks of 32; x an input.
    """
    length, total = x.sums.size // scale.size, _f32(0)
    for g in range(scale.size):
        weight_scale = scale_to_float(scale[g])
        for i in range(g * length, (g + 1) * length):
            s[i] = weight_scale * input_scale(x, i)
            total += weight_scale * x.sums[i]
    return total


@jit
def zeros_offset(scale, zero, x):
    """What stored zero points add to a product: the sum of scale times zero point times ``x.sums``."""
    length, offset = x.sums.size // scale.size, _f32(0)
    for g in range(scale.size):
        total = _f32(0)
        for i in range(g * length, (g + 1) * length):
            total += x.sums[i]
        offset += scale_to_float(scale[g]) * _f32(zero[g]) * total
    return offset


# --------------------------------------------------------------------------------------------------------------- rows

@jit
def _float32_row(out, m, layer, row):
    for c in range(out.size):
        out[c] = m.codes[layer, row, c]


@jit
def _bf16_row(out, m, layer, row):
    for c in range(out.size):
        out[c] = bf16_to_float(m.codes[layer, row, c])


@jit
def _e4m3_row(out, m, layer, row):
    for c in range(out.size):
        out[c] = e4m3_to_float(m.codes[layer, row, c]) * m.scale[layer, row]


@jit
def _e5m2_row(out, m, layer, row):
    for c in range(out.size):
        out[c] = e5m2_to_float(m.codes[layer, row, c]) * m.scale[layer, row]


@jit
def _int8_row(out, m, layer, row):
    for c in range(out.size):
        out[c] = _f32(m.codes[layer, row, c]) * m.scale[layer, row]


@jit
def _scale_groups(out, scale):
    """Every group of out (columns,) times its scale (groups,)."""
    length = out.size // scale.size
    for g in range(scale.size):
        s = scale_to_float(scale[g])
        for c in range(g * length, (g + 1) * length):
            out[c] *= s


@jit
def _int8_groups_row(out, m, layer, row):
    for c in range(out.size):
        out[c] = _f32(m.codes[layer, row, c])
    _scale_groups(out, m.scale[layer, row])


@jit
def _e4m3_groups_row(out, m, layer, row):
    for c in range(out.size):
        out[c] = e4m3_to_float(m.codes[layer, row, c])
    _scale_groups(out, m.scale[layer, row])


@jit
def _fields(out, codes, bits):
    """The codes of a row of so many bits each, as numbers: part q of the row lies in bits ``bits * q`` and up."""
    for q in range(8 // bits):
        for c in range(codes.size):
            out[q * codes.size + c] = _f32((_i32(codes[c]) >> _i32(bits * q)) & _i32((1 << bits) - 1))


@jit
def _int4_groups_row(out, m, layer, row):
    _fields(out, m.codes[layer, row], 4)
    for c in range(out.size):
        out[c] -= _f32(8)
    _scale_groups(out, m.scale[layer, row])


@jit
def _int4_zeros_row(out, m, layer, row):
    _fields(out, m.codes[layer, row], 4)
    length = out.size // m.zero.shape[2]
    for c in range(out.size):
        out[c] -= _f32(m.zero[layer, row, c // length])
    _scale_groups(out, m.scale[layer, row])


@jit
def _int3_groups_row(out, m, layer, row):
    codes, eighth = m.codes[layer, row], out.size // 8
    _fields(out, codes[:2 * eighth], 2)
    for k in range(8):
        for c in range(eighth):
            high = (_i32(codes[2 * eighth + c]) >> _i32(k)) & _i32(1)
            out[k * eighth + c] += _f32(4 * high - 4)
    _scale_groups(out, m.scale[layer, row])


@jit
def _int2_groups_row(out, m, layer, row):
    _fields(out, m.codes[layer, row], 2)
    for c in range(out.size):
        out[c] -= _f32(2)
    _scale_groups(out, m.scale[layer, row])


@jit
def _book4_row(out, m, layer, row):
    _fields(out, m.codes[layer, row], 4)
    for c in range(out.size):
        out[c] = m.table[_i32(out[c])]
    _scale_groups(out, m.scale[layer, row])


_ROW = {packed.Float32: _float32_row, packed.BFloat16: _bf16_row, packed.E4M3: _e4m3_row, packed.E5M2: _e5m2_row,
        packed.Int8Rows: _int8_row, packed.Int8Groups: _int8_groups_row, packed.E4M3Groups: _e4m3_groups_row,
        packed.Int4Groups: _int4_groups_row, packed.Int4Zeros: _int4_zeros_row, packed.Int3Groups: _int3_groups_row,
        packed.Int2Groups: _int2_groups_row, packed.Book4: _book4_row}


def decode_row(out, m, layer, row):
    """``out = m[layer, row]`` in float32, out (columns,)."""
    _ROW[type(m)](out, m, layer, row)


@overload(decode_row)
def _decode_row_for(out, m, layer, row):
    kernel = _ROW.get(getattr(m, "instance_class", None))
    return kernel and (lambda out, m, layer, row: kernel(out, m, layer, row))

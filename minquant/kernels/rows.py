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
from .packed import CHUNK, LANES

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
    """s[i] = scale of the weights of chunk i, times that of its activations.

    s (at least chunks,) float32; scale (groups,) as stored, one group being one or more chunks of 32; x an input.
    """
    length = x.sums.size // scale.size
    for g in range(scale.size):
        weight_scale = scale_to_float(scale[g])
        for i in range(g * length, (g + 1) * length):
            s[i] = weight_scale * input_scale(x, i)


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
def _put_fields(out, column, word, bits):
    """The codes of a word of so many bits each, as numbers, from ``out[column]``."""
    for q in range(8 // bits):
        for k in range(4):
            out[column + 4 * q + k] = _f32(_i32(word >> _u32(8 * k + bits * q)) & _i32((1 << bits) - 1))


@jit
def _codes4(out, m, layer, row):
    words, lane = m.codes[layer, row // LANES], row % LANES
    for i in range(out.size // 8):
        _put_fields(out, 8 * i, words[i, lane], 4)


@jit
def _codes2(out, m, layer, row):
    words, lane = m.codes[layer, row // LANES], row % LANES
    for i in range(out.size // 16):
        _put_fields(out, 16 * i, words[i, lane], 2)


@jit
def _codes3(out, m, layer, row):
    words, lane = m.codes[layer, row // LANES], row % LANES
    for i in range(out.size // CHUNK):
        _put_fields(out, CHUNK * i, words[3 * i, lane], 2)
        _put_fields(out, CHUNK * i + 16, words[3 * i + 1, lane], 2)
        high = words[3 * i + 2, lane]
        for c in range(CHUNK):
            out[CHUNK * i + c] += _f32(4 * (_i32(high >> _u32(8 * (c % 4) + c // 4)) & _i32(1)))


@jit
def _int8_codes(out, m, layer, row):
    for c in range(out.size):
        out[c] = _f32(m.codes[layer, row, c])


@jit
def _int4_codes(out, m, layer, row):
    _codes4(out, m, layer, row)
    for c in range(out.size):
        out[c] -= _f32(8)


@jit
def _int3_codes(out, m, layer, row):
    _codes3(out, m, layer, row)
    for c in range(out.size):
        out[c] -= _f32(4)


@jit
def _int2_codes(out, m, layer, row):
    _codes2(out, m, layer, row)
    for c in range(out.size):
        out[c] -= _f32(2)


@jit
def _int4_zeros_codes(out, m, layer, row):
    _codes4(out, m, layer, row)
    zero, lane = m.zero[layer, row // LANES], row % LANES
    length = out.size // zero.shape[0]
    for g in range(zero.shape[0]):
        for c in range(g * length, (g + 1) * length):
            out[c] -= _f32(zero[g, lane])


@jit
def _e4m3_codes(out, m, layer, row):
    for c in range(out.size):
        out[c] = e4m3_to_float(m.codes[layer, row, c])


@jit
def _book4_codes(out, m, layer, row):
    _codes4(out, m, layer, row)
    for c in range(out.size):
        out[c] = m.table[_i32(out[c])]


_CODES = {packed.Int8Groups: _int8_codes, packed.E4M3Groups: _e4m3_codes, packed.Int4Groups: _int4_codes,
          packed.Int4Zeros: _int4_zeros_codes, packed.Int3Groups: _int3_codes, packed.Int2Groups: _int2_codes,
          packed.Book4: _book4_codes}


def decode_codes(out, m, layer, row):
    """A row of a grouped format without its scales, zero points taken off: out (columns,) float32."""
    _CODES[type(m)](out, m, layer, row)


@overload(decode_codes)
def _decode_codes_for(out, m, layer, row):
    kernel = _CODES.get(getattr(m, "instance_class", None))
    return kernel and (lambda out, m, layer, row: kernel(out, m, layer, row))


def scales_of_row(m, layer, row):
    """The scales (groups,) of a row of a grouped format, as stored: a view."""
    return m.scale[layer, row // LANES, :, row % LANES] if type(m) in packed.BITS else m.scale[layer, row]


@overload(scales_of_row)
def _scales_of_row_for(m, layer, row):
    if getattr(m, "instance_class", None) in packed.BITS:
        return lambda m, layer, row: m.scale[layer, row // LANES, :, row % LANES]
    return lambda m, layer, row: m.scale[layer, row]


@overload(packed.stored_rows)
def _stored_rows_for(m):
    if getattr(m, "instance_class", None) in packed.BITS:
        return lambda m: m.codes.shape[1] * LANES
    return lambda m: m.codes.shape[1]


@jit
def _grouped_row(out, m, layer, row):
    decode_codes(out, m, layer, row)
    scale = scales_of_row(m, layer, row)
    length = out.size // scale.size
    for g in range(scale.size):
        s = scale_to_float(scale[g])
        for c in range(g * length, (g + 1) * length):
            out[c] *= s


_ROW = {packed.Float32: _float32_row, packed.BFloat16: _bf16_row, packed.E4M3: _e4m3_row, packed.E5M2: _e5m2_row,
        packed.Int8Rows: _int8_row, **{kind: _grouped_row for kind in _CODES}}


def decode_row(out, m, layer, row):
    """``out = m[layer, row]`` in float32, out (columns,)."""
    _ROW[type(m)](out, m, layer, row)


@overload(decode_row)
def _decode_row_for(out, m, layer, row):
    kernel = _ROW.get(getattr(m, "instance_class", None))
    return kernel and (lambda out, m, layer, row: kernel(out, m, layer, row))

"""One name for all kernels: ``matvec`` and ``decode_row`` look at the type of the packed matrix.

The decode step is written once, for any format. When Numba compiles it for a model, the types of its arguments say
which packed formats that model holds, and ``overload`` picks the kernel then: nothing is decided while tokens run.
With the JIT switched off the same table is consulted by the Python functions.

To add a format: a named tuple in ``packed.py``, a kernel, a row decoder, and a line in each table here.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from . import floats, integers, packed
from ._cache import jit
from .bits import bf16_to_float, e4m3_to_float, half_to_float

_f32, _i32 = np.float32, np.int32


# ---------------------------------------------------------------- one row back to float32 (embedding, batches)

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
def _int8_row(out, m, layer, row):
    for c in range(out.size):
        out[c] = _f32(m.codes[layer, row, c]) * m.scale[layer, row]


@jit
def _int8_groups_row(out, m, layer, row):
    group = out.size // m.scale.shape[2]
    for g in range(m.scale.shape[2]):
        scale = half_to_float(m.scale[layer, row, g])
        for c in range(g * group, (g + 1) * group):
            out[c] = _f32(m.codes[layer, row, c]) * scale


@jit
def _int4_groups_row(out, m, layer, row):
    half = out.size // 2
    group = out.size // m.scale.shape[2]
    for g in range(m.scale.shape[2] // 2):
        low = half_to_float(m.scale[layer, row, g])
        high = half_to_float(m.scale[layer, row, half // group + g])
        for c in range(g * group, (g + 1) * group):
            word = _i32(m.codes[layer, row, c])
            out[c] = _f32(_i32(_i32(word << _i32(28)) >> _i32(28))) * low
            out[half + c] = _f32(_i32(word >> _i32(4))) * high


# ------------------------------------------------------------------------------------- the tables, by packed type

def _codes_only(kernel):
    def run(out, m, layer, x, scales):
        kernel(out, m.codes[layer], x, scales.shape[0])
    return run


def _with_scale(kernel):
    def run(out, m, layer, x, scales):
        kernel(out, m.codes[layer], m.scale[layer], x, scales.shape[0])
    return run


def _with_group_scales(kernel):
    def run(out, m, layer, x, scales):
        kernel(out, m.codes[layer], m.scale[layer], x, scales)
    return run


_MATVEC = {
    packed.Float32: _codes_only(floats.float32_matvec),
    packed.BFloat16: _codes_only(floats.bf16_places_matvec),
    packed.E4M3: _with_scale(floats.e4m3_matvec),
    packed.Int8Rows: _with_scale(integers.int8_rows_matvec),
    packed.Int8G32: _with_group_scales(integers.int8_g32_matvec),
    packed.Int8G64: _with_group_scales(integers.int8_g64_matvec),
    packed.Int8G128: _with_group_scales(integers.int8_g128_matvec),
    packed.Int4G32: _with_group_scales(integers.int4_g32_matvec),
    packed.Int4G64: _with_group_scales(integers.int4_g64_matvec),
    packed.Int4G128: _with_group_scales(integers.int4_g128_matvec),
}
_ROW = {
    packed.Float32: _float32_row, packed.BFloat16: _bf16_row, packed.E4M3: _e4m3_row, packed.Int8Rows: _int8_row,
    packed.Int8G32: _int8_groups_row, packed.Int8G64: _int8_groups_row, packed.Int8G128: _int8_groups_row,
    packed.Int4G32: _int4_groups_row, packed.Int4G64: _int4_groups_row, packed.Int4G128: _int4_groups_row,
}


def matvec(out, m, layer, x, scales):
    """``out = m[layer] @ x``: out (rows,), x (columns,) float32, m packed, scales (threads, groups) working space."""
    _MATVEC[type(m)](out, m, layer, x, scales)


def decode_row(out, m, layer, row):
    """``out = m[layer, row]`` in float32, out (columns,)."""
    _ROW[type(m)](out, m, layer, row)


@overload(matvec)
def _matvec_for(out, m, layer, x, scales):
    return _MATVEC.get(getattr(m, "instance_class", None))


@overload(decode_row)
def _decode_row_for(out, m, layer, row):
    kernel = _ROW.get(getattr(m, "instance_class", None))
    return kernel and (lambda out, m, layer, row: kernel(out, m, layer, row))

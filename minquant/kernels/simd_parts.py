"""What the vector kernels have in common: the scales of a row, and codes times activations.

The kind of the input decides what both mean: float activations have no scale and are multiplied eight by eight, 8-bit
ones have a scale for every 32 and are multiplied by ``dot4``. Numba picks one of the two when a kernel is compiled.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from ._cache import inlined_jit
from .inputs import Int8Input, input_scale
from .rows import scale_to_float
from .vector_bytes import dot4_signed, repeat, to_floats, widen
from .vectors import load_bytes, load_floats, load_scales, multiply, multiply_add, spread, store_floats, zeros

_f32 = np.float32


@inlined_jit
def flat(a):
    """A matrix as one array. Kernels make no view per row: each would be counted in and out again by Numba."""
    return a.reshape(a.size)


# ------------------------------------------------------------------------------------------------- the scales of a row

def input_scales(x, chunk):
    """FLOATS: what the products of eight chunks are still to be multiplied by."""


@overload(input_scales)
def _input_scales_for(x, chunk):
    if x.instance_class is Int8Input:
        return lambda x, chunk: load_floats(x.scale, chunk)
    return lambda x, chunk: spread(_f32(1))


@inlined_jit
def shift_for(length, groups):
    """(shift, groups): 2^shift = length, and how many groups may be taken eight at a time; 0 for another length."""
    shift = 0
    while (1 << shift) < length:
        shift += 1
    return shift, (groups // 8 * 8 if (1 << shift) == length else 0)


@inlined_jit
def row_scales(s, scale, first, groups, x):
    """s[i] = scale of the weights of chunk i, times that of its activations.

    The scales (groups,) of the row stand in the flat array from ``first``; a group is one or more chunks. Eight groups
    become ``length`` times eight chunks; what is left of a row goes group by group.
    """
    length = x.sums.size // groups
    shift, whole = shift_for(length, groups)
    for g in range(0, whole, 8):
        scales = load_scales(scale, first + g)
        for part in range(length):
            i = g * length + 8 * part
            store_floats(s, i, multiply(repeat(scales, 8 * part, shift), input_scales(x, i)))
    for g in range(whole, groups):
        weight_scale, start = scale_to_float(scale[first + g]), g * length
        for i in range(start, start + length // 8 * 8, 8):
            store_floats(s, i, multiply(input_scales(x, i), weight_scale))
        for i in range(start + length // 8 * 8, start + length):
            s[i] = weight_scale * input_scale(x, i)


# --------------------------------------------------------------------------------------------- codes times activations

def dot_signed(x, word, place):
    """FLOATS whose sum is the product of 32 signed bytes with the activations from ``place``."""


@inlined_jit
def _float_dot_signed(x, word, place):
    values = x.every_fourth
    total = multiply_add(zeros(), to_floats(widen(word, 0)), load_floats(values, place))
    total = multiply_add(total, to_floats(widen(word, 1)), load_floats(values, place + 8))
    total = multiply_add(total, to_floats(widen(word, 2)), load_floats(values, place + 16))
    return multiply_add(total, to_floats(widen(word, 3)), load_floats(values, place + 24))


@overload(dot_signed)
def _dot_signed_for(x, word, place):
    if x.instance_class is Int8Input:
        return lambda x, word, place: to_floats(dot4_signed(word, load_bytes(x.codes, place)))
    return lambda x, word, place: _float_dot_signed(x, word, place)

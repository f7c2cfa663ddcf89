"""Formats of fewer than eight bits times a vector, in the vector layer: eight rows at a time.

Every kernel computes some rows of ``out = m[layer] @ x``, for one thread, from a multiple of eight on. They are all the
same three steps, for 32 columns of eight rows (``packed.py`` has the picture):

    1  codes to bytes, four columns of every row at a time     the kernel knows the format
    2  bytes times activations, summed                         ``eight_products.py`` knows the kind of activations
    3  the sums times the scales of the rows, onto the total   a scale per row and group

Codes are stored with an offset, as unsigned numbers. What that adds to a product, offset * scale * (sum of activations),
is summed beside it and taken off at the end.

``int4_groups`` reads two distant blocks at once (``floats.places``): 1.11 times as fast as one, with 8-bit activations on
one thread and on two, in alternation on 2 cores of AMD Zen 3. The others still read one.

``prefetch`` asks for codes four kilobytes ahead, over the end of the block: the processor's own read-ahead stops at the
end of a page. In all loops over words the number of rounds is a constant, so the compiler writes them out.
"""

from __future__ import annotations

import numpy as np

from ._cache import inlined_jit, jit
from .eight_products import add_found, add_products, both_scales, four_sums, no_products, sums_of
from .floats import places
from .packed import CHUNK, LANES, OFFSET, Int2Groups, Int3Groups, Int4Groups
from .simd_parts import flat
from .vector_bytes import field, put_above
from .vectors import (load_bytes, load_floats, load_one, load_scales, load_small, multiply, multiply_add, prefetch,
                      store_first, zeros)

_f32 = np.float32
_AHEAD = 1024  # words of four bytes
_EIGHT, _FOUR, _TWO = _f32(OFFSET[Int4Groups]), _f32(OFFSET[Int3Groups]), _f32(OFFSET[Int2Groups])


# --------------------------------------------------------------------------------------------------------------- int4

@inlined_jit
def _four_bits(codes, place, x, column):
    """FLOATS: 32 columns of eight rows, codes 0..15 from word ``place``, times the activations from ``column``."""
    sums = no_products(x)
    for i in range(4):
        word = load_bytes(codes, place + LANES * i)
        sums = add_products(sums, field(word, 0, 4), x, column + 8 * i)
        sums = add_products(sums, field(word, 4, 4), x, column + 8 * i + 4)
    prefetch(codes, place + _AHEAD)
    prefetch(codes, place + _AHEAD + 2 * LANES)
    return sums_of(x, sums)


@jit
def int4_groups(out, m, layer, x, s, first, stop):
    """Rows first..stop - 1, first a multiple of eight, from two places at once; s is not used."""
    codes, scale, groups, chunks = flat(m.codes[layer]), flat(m.scale[layer]), m.scale.shape[2], x.sums.size
    length, (_, blocks, last) = chunks // groups, places(0, (stop - first + LANES - 1) // LANES, 2)
    for block in range(blocks):
        row, other = first + LANES * block, first + LANES * min(block + blocks, last)
        total, offset, other_total, other_offset = zeros(), zeros(), zeros(), zeros()
        for g in range(groups):
            scales = load_scales(scale, row * groups + LANES * g)
            other_scales = load_scales(scale, other * groups + LANES * g)
            for i in range(g * length, (g + 1) * length):
                here, there = row * 4 * chunks + 4 * LANES * i, other * 4 * chunks + 4 * LANES * i
                products, other_products = _four_bits(codes, here, x, CHUNK * i), _four_bits(codes, there, x, CHUNK * i)
                total = multiply_add(total, products, both_scales(scales, x, i))
                other_total = multiply_add(other_total, other_products, both_scales(other_scales, x, i))
                offset = multiply_add(offset, scales, load_one(x.sums, i))
                other_offset = multiply_add(other_offset, other_scales, load_one(x.sums, i))
        store_first(out, row, multiply_add(total, offset, -_EIGHT), stop - row)
        store_first(out, other, multiply_add(other_total, other_offset, -_EIGHT), stop - other)


@jit
def int4_zeros(out, m, layer, x, s, first, stop):
    """As ``int4_groups``."""
    codes, scale, groups, chunks = flat(m.codes[layer]), flat(m.scale[layer]), m.scale.shape[2], x.sums.size
    zero, length = flat(m.zero[layer]), chunks // groups
    for row in range(first, stop, LANES):
        total, offset = zeros(), zeros()
        for g in range(groups):
            scales = load_scales(scale, row * groups + LANES * g)
            taken_off = multiply(scales, load_small(zero, row * groups + LANES * g))
            for i in range(g * length, (g + 1) * length):
                products = _four_bits(codes, row * 4 * chunks + 4 * LANES * i, x, CHUNK * i)
                total = multiply_add(total, products, both_scales(scales, x, i))
                offset = multiply_add(offset, taken_off, load_one(x.sums, i))
        store_first(out, row, multiply_add(total, offset, _f32(-1)), stop - row)


# ------------------------------------------------------------------------------------------------------- 3 and 2 bits

@inlined_jit
def _three_bits(codes, place, x, column):
    sums = no_products(x)
    high = load_bytes(codes, place + 2 * LANES)
    for i in range(2):
        low = load_bytes(codes, place + LANES * i)
        for q in range(4):
            both = put_above(field(low, 2 * q, 2), field(high, 4 * i + q, 1), 2)
            sums = add_products(sums, both, x, column + 16 * i + 4 * q)
    prefetch(codes, place + _AHEAD)
    prefetch(codes, place + _AHEAD + 2 * LANES)
    return sums_of(x, sums)


@jit
def int3_groups(out, m, layer, x, s, first, stop):
    """As ``int4_groups``."""
    codes, scale, groups, chunks = flat(m.codes[layer]), flat(m.scale[layer]), m.scale.shape[2], x.sums.size
    length = chunks // groups
    for row in range(first, stop, LANES):
        total, offset = zeros(), zeros()
        for g in range(groups):
            scales = load_scales(scale, row * groups + LANES * g)
            for i in range(g * length, (g + 1) * length):
                products = _three_bits(codes, row * 3 * chunks + 3 * LANES * i, x, CHUNK * i)
                total = multiply_add(total, products, both_scales(scales, x, i))
                offset = multiply_add(offset, scales, load_one(x.sums, i))
        store_first(out, row, multiply_add(total, offset, -_FOUR), stop - row)


@inlined_jit
def _two_bits(codes, place, x, column):
    sums = no_products(x)
    for i in range(2):
        word = load_bytes(codes, place + LANES * i)
        for q in range(4):
            sums = add_products(sums, field(word, 2 * q, 2), x, column + 16 * i + 4 * q)
    prefetch(codes, place + _AHEAD)
    return sums_of(x, sums)


@jit
def int2_groups(out, m, layer, x, s, first, stop):
    """As ``int4_groups``."""
    codes, scale, groups, chunks = flat(m.codes[layer]), flat(m.scale[layer]), m.scale.shape[2], x.sums.size
    length = chunks // groups
    for row in range(first, stop, LANES):
        total, offset = zeros(), zeros()
        for g in range(groups):
            scales = load_scales(scale, row * groups + LANES * g)
            for i in range(g * length, (g + 1) * length):
                products = _two_bits(codes, row * 2 * chunks + 2 * LANES * i, x, CHUNK * i)
                total = multiply_add(total, products, both_scales(scales, x, i))
                offset = multiply_add(offset, scales, load_one(x.sums, i))
        store_first(out, row, multiply_add(total, offset, -_TWO), stop - row)


# ---------------------------------------------------------------------------------------------------------- code books

@inlined_jit
def _found(codes, place, low, high, values, column):
    sums = zeros(), zeros(), zeros(), zeros()
    for i in range(4):
        word = load_bytes(codes, place + LANES * i)
        sums = add_found(sums, field(word, 0, 4), low, high, values, column + 8 * i)
        sums = add_found(sums, field(word, 4, 4), low, high, values, column + 8 * i + 4)
    prefetch(codes, place + _AHEAD)
    prefetch(codes, place + _AHEAD + 2 * LANES)
    return four_sums(sums)


@jit
def book4(out, m, layer, x, s, first, stop):
    """As ``int4_groups``, with float activations. The table of sixteen floats stays in two registers."""
    codes, scale, groups, chunks = flat(m.codes[layer]), flat(m.scale[layer]), m.scale.shape[2], x.sums.size
    length, low, high = chunks // groups, load_floats(m.table, 0), load_floats(m.table, 8)
    for row in range(first, stop, LANES):
        total = zeros()
        for g in range(groups):
            scales = load_scales(scale, row * groups + LANES * g)
            for i in range(g * length, (g + 1) * length):
                products = _found(codes, row * 4 * chunks + 4 * LANES * i, low, high, x.values, CHUNK * i)
                total = multiply_add(total, products, scales)
        store_first(out, row, total, stop - row)

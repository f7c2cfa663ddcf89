"""Attention over each cache format in plain loops: the readable form, and what runs without vector instructions.

``attention_simd.py`` has the same four functions in the vector layer, ``attention.py`` uses either:

    score_rows     the products of some queries with some keys
    add_rows       values times their weights, onto a piece of the output
    score_groups   the same for the 2-bit keys of a KiviCache, whole groups of 32 tokens
    add_groups     and for its values

Decoding a number is one small function per format, ``number``; ``scale_of`` gives a scale, 1 where there is none.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from . import caches
from ._cache import jit
from .bits import bf16_to_float, e4m3_to_float, half_to_float
from .caches import GROUP
from .rows import scale_to_float

_f32, _i32 = np.float32, np.int32


# ------------------------------------------------------------------------------------------------------ single numbers

@jit
def _bf16_number(codes, i, part):
    return bf16_to_float(codes[i])


@jit
def _e4m3_number(codes, i, part):
    return e4m3_to_float(codes[i])


@jit
def _int8_number(codes, i, part):
    return _f32(codes[i])


@jit
def _int4_number(codes, i, part):
    nibble = _i32(_i32(codes[i]) >> _i32(4 * part)) & _i32(15)
    return _f32(_i32(nibble ^ _i32(8)) - _i32(8))  # a sign in four bits


@jit
def _two_bit_number(codes, i, part):
    return _f32(_i32(_i32(codes[i]) >> _i32(2 * part)) & _i32(3))


_NUMBER = {caches.BFloat16Cache: _bf16_number, caches.E4M3Cache: _e4m3_number, caches.Int8Cache: _int8_number,
           caches.Int4Cache: _int4_number}


def number(cache, codes, i, part):
    """A number of byte i (bfloat16: of item i), without its scale; part 1 for the second of a byte, else 0."""
    return _NUMBER[type(cache)](codes, i, part)


@overload(number)
def _number_for(cache, codes, i, part):
    kernel = _NUMBER[cache.instance_class]
    return lambda cache, codes, i, part: kernel(codes, i, part)


def in_a_byte(cache):
    """How many numbers of a row share a byte."""
    return 2 if isinstance(cache, caches.Int4Cache) else 1


@overload(in_a_byte)
def _in_a_byte_for(cache):
    many = 2 if cache.instance_class is caches.Int4Cache else 1
    return lambda cache: many


def scale_of(cache, scale, i):
    """Scale i as a float32."""
    return _f32(1) if isinstance(cache, caches.BFloat16Cache) else scale_to_float(scale[i])


@overload(scale_of)
def _scale_of_for(cache, scale, i):
    if cache.instance_class is caches.BFloat16Cache:
        return lambda cache, scale, i: _f32(1)
    return lambda cache, scale, i: scale_to_float(scale[i])


# ---------------------------------------------------------------------------------------------------------------- rows

@jit
def score_rows(cache, codes, scale, groups, row, count, scores, place, queries, h, last):
    """scores[i, place + t] = queries[i] . row ``row + t``, for t in 0 .. count - 1 and i in h .. last.

    cache: only its type is looked at. codes, scale: its keys, flat; groups: how many share a row. scores, queries as in
    ``attention.Room``.
    """
    many = in_a_byte(cache)
    n = queries.shape[1] // groups // many  # items of codes in a group
    for t in range(count):
        for i in range(h, last + 1):
            total = _f32(0)
            for g in range(groups):
                dot, start = _f32(0), ((row + t) * groups + g) * n
                for part in range(many):
                    for c in range(n):
                        dot += queries[i, (g * many + part) * n + c] * number(cache, codes, start + c, part)
                total += dot * scale_of(cache, scale, (row + t) * groups + g)
            scores[i, place + t] = total


@jit
def add_rows(cache, codes, scale, groups, row, count, out, piece, weights, place, h, last):
    """out[i, piece] += weights[i, place + t] times row ``row + t``; else as ``score_rows``, with values for keys."""
    many = in_a_byte(cache)
    n = out.shape[2] // groups // many
    for t in range(count):
        for i in range(h, last + 1):
            for g in range(groups):
                weight = weights[i, place + t] * scale_of(cache, scale, (row + t) * groups + g)
                start = ((row + t) * groups + g) * n
                for part in range(many):
                    first = (g * many + part) * n
                    for c in range(n):
                        out[i, piece, first + c] += weight * number(cache, codes, start + c, part)


# ---------------------------------------------------------------------------------------------------------------- KIVI

@jit
def score_groups(codes, scale, low, group, count, scores, place, queries, h, last):
    """As ``score_rows``, for the keys of the groups ``group`` .. ``group + count - 1``, of 32 tokens each.

    q . (low + scale * code) = sum q low + sum (q scale) code: the first sum is the same for all tokens of a group.
    """
    size = queries.shape[1]
    for g in range(count):
        for i in range(h, last + 1):
            first = place + g * GROUP
            for t in range(first, first + GROUP):
                scores[i, t] = _f32(0)
            for c in range(size):
                channel = (group + g) * size + c
                offset = queries[i, c] * half_to_float(low[channel])
                factor = queries[i, c] * half_to_float(scale[channel])
                for t in range(GROUP):
                    scores[i, first + t] += offset + factor * _two_bit_number(codes, 8 * channel + t % 8, t // 8)


@jit
def add_groups(codes, scale, low, row, count, out, piece, weights, place, h, last):
    """As ``add_rows``, for the 2-bit values of the rows ``row`` .. ``row + count - 1``."""
    groups = out.shape[2] // GROUP
    for t in range(count):
        for i in range(h, last + 1):
            for g in range(groups):
                here = (row + t) * groups + g
                offset = weights[i, place + t] * half_to_float(low[here])
                factor = weights[i, place + t] * half_to_float(scale[here])
                for c in range(GROUP):
                    out[i, piece, g * GROUP + c] += offset + factor * _two_bit_number(codes, 8 * here + c % 8, c // 8)

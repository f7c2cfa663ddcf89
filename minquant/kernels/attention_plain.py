"""Attention over each cache format in plain loops: the readable form, and what runs without vector instructions.

``attention_simd.py`` has the same functions in the vector layer, ``attention.py`` uses either:

    score_blocks   the products of some queries with some keys
    weigh          weights times the scales of the values
    add_rows       values times these factors, onto a piece of the output
    score_groups   as score_blocks, for the 2-bit keys of a KiviCache, whole groups of 32 tokens
    add_groups     as add_rows, for its values

Decoding a number is one small function per format, ``number``; ``scale_of`` gives a scale, 1 where there is none.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from . import caches
from ._cache import jit
from .bits import bf16_to_float, e4m3_to_float, half_to_float
from .caches import BLOCK, GROUP
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
# ``room`` is an ``attention.Room``: share counts its first axis, head is the first of the query heads that share the KV
# head, place the first token's place in scores and factors, a multiple of BLOCK.

@jit
def score_blocks(cache, codes, scale, groups, block, count, room, share, head, place, after):
    """room.scores = the products of some queries with the keys of ``count`` tokens, from the first of a block of tokens.

    cache: only its type is looked at. codes, scale: its keys, flat; ``block`` is counted over all heads and layers;
    groups: how many share a row. after: what will be read next, as an index of codes; only the vector form looks at it.
    (And it goes on to the end of the last block: those scores mean nothing.)
    """
    many = in_a_byte(cache)
    n = room.queries.shape[1] // groups // many  # items of codes in a group
    for t in range(count):
        for i in range(room.scores.shape[1]):
            total = _f32(0)
            for g in range(groups):
                here, dot = (block + t // BLOCK) * groups + g, _f32(0)
                for part in range(many):
                    for c in range(n):
                        k = number(cache, codes, (here * n + c) * BLOCK + t % BLOCK, part)
                        dot += room.queries[head + i, (g * many + part) * n + c] * k
                total += dot * scale_of(cache, scale, here * BLOCK + t % BLOCK)
            room.scores[share, i, place + t] = total


@jit
def weigh(cache, scale, groups, block, count, room, share, place):
    """room.factors = the weights, which stand where the scores stood, times the scales of ``count`` values."""
    for i in range(room.scores.shape[1]):
        for g in range(groups):
            for t in range(count):
                s = scale_of(cache, scale, ((block + t // BLOCK) * groups + g) * BLOCK + t % BLOCK)
                room.factors[share, i, g, place + t] = room.scores[share, i, place + t] * s


@jit
def add_rows(cache, codes, groups, row, count, room, share, head, piece, place, after):
    """room.parts[.., piece] += factors times the values ``row`` .. ``row + count - 1``, counted over all heads."""
    many = in_a_byte(cache)
    n = room.parts.shape[2] // groups // many
    for t in range(count):
        for i in range(room.scores.shape[1]):
            for g in range(groups):
                factor, start = room.factors[share, i, g, place + t], ((row + t) * groups + g) * n
                for part in range(many):
                    first = (g * many + part) * n
                    for c in range(n):
                        room.parts[head + i, piece, first + c] += factor * number(cache, codes, start + c, part)


# ---------------------------------------------------------------------------------------------------------------- KIVI

@jit
def score_groups(codes, scale, low, group, count, room, share, head):
    """As ``score_blocks``, for the keys of the groups ``group`` .. ``group + count - 1``, of 32 tokens each.

    q . (low + scale * code) = sum q low + sum (q scale) code: the first sum is the same for all tokens of a group.
    """
    size = room.queries.shape[1]
    for g in range(count):
        for i in range(room.scores.shape[1]):
            scores = room.scores[share, i, g * GROUP:(g + 1) * GROUP]
            for t in range(GROUP):
                scores[t] = _f32(0)
            for c in range(size):
                channel, q = (group + g) * size + c, room.queries[head + i, c]
                offset, factor = q * half_to_float(low[channel]), q * half_to_float(scale[channel])
                for t in range(GROUP):
                    scores[t] += offset + factor * _two_bit_number(codes, 8 * channel + t % 8, t // 8)


@jit
def add_groups(codes, low, row, count, room, share, head, piece):
    """As ``add_rows``, for the 2-bit values of the rows ``row`` .. ``row + count - 1``."""
    groups = room.parts.shape[2] // GROUP
    for t in range(count):
        for i in range(room.scores.shape[1]):
            for g in range(groups):
                lowest = half_to_float(low[((row + t) // BLOCK * groups + g) * BLOCK + (row + t) % BLOCK])
                offset, factor = room.scores[share, i, t] * lowest, room.factors[share, i, g, t]
                for c in range(GROUP):
                    code = _two_bit_number(codes, 8 * ((row + t) * groups + g) + c % 8, c // 8)
                    room.parts[head + i, piece, g * GROUP + c] += offset + factor * code

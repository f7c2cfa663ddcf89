"""Attention over each cache format in the vector layer: what to use; ``attention_plain.py`` says what it computes.

    score_blocks   a channel of eight tokens is a vector, and a query is one number, the same for all of them: the sums are
                   the scores themselves, and nothing is ever added up across a register. Four blocks and two query heads
                   at a time make eight sums, none of which waits for another
    add_rows       32 channels and two query heads at a time: again eight sums, which stay in registers for TURN tokens. The
                   other channels of these tokens take turns, while the tokens still lie in the nearest cache
    score_groups   as score_blocks: a channel holds 32 neighbouring tokens in 8 bytes
    add_groups     as add_rows

A number is loaded and turned into a float32 once for both heads; more than two take turns. Where blocks or heads are left
over, the last one is computed again in the free place, with the same result. ``prefetch`` asks for what comes next.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from . import caches
from ._cache import inlined_jit, jit
from .attention_plain import in_a_byte
from .caches import BLOCK, GROUP
from .simd_parts import flat
from .vector_bytes import as_floats, part_of, shift_and_mask, signed_part, to_floats
from .vectors import (add, load_floats, load_ints, load_one, load_scales, multiply, multiply_add, prefetch, spread,
                      store_floats, sum_floats, zeros)

_f32 = np.float32
TURN = 64  # tokens


# ------------------------------------------------------------------------------------------------------- eight numbers

@inlined_jit
def _eight_bf16(codes, i, part):
    return as_floats(shift_and_mask(load_ints(codes, i), 16, -1))


@inlined_jit
def _eight_e4m3(codes, i, part):
    return multiply(as_floats(shift_and_mask(load_ints(codes, i), 20, -0x78100000)), _f32(2.0**120))


@inlined_jit
def _eight_int8(codes, i, part):
    return to_floats(load_ints(codes, i))


@inlined_jit
def _eight_int4(codes, i, part):
    return to_floats(signed_part(load_ints(codes, i), 4 * part, 4))


@inlined_jit
def _eight_two_bits(codes, i, part):
    return to_floats(part_of(load_ints(codes, i), 2 * part, 2))


_EIGHT = {caches.BFloat16Cache: _eight_bf16, caches.E4M3Cache: _eight_e4m3, caches.Int8Cache: _eight_int8,
          caches.Int4Cache: _eight_int4}


def eight(cache, codes, i, part):
    """FLOATS: ``attention_plain.number`` of bytes i .. i + 7."""


@overload(eight)
def _eight_for(cache, codes, i, part):
    kernel = _EIGHT[cache.instance_class]
    return lambda cache, codes, i, part: kernel(codes, i, part)


def eight_scales(cache, scale, i):
    """FLOATS: eight of ``attention_plain.scale_of``."""


@overload(eight_scales)
def _eight_scales_for(cache, scale, i):
    if cache.instance_class is caches.BFloat16Cache:
        return lambda cache, scale, i: spread(_f32(1))
    return lambda cache, scale, i: load_scales(scale, i)


# ---------------------------------------------------------------------------------------------------------------- rows

@jit
def score_blocks(cache, codes, scale, groups, block, count, room, share, head, place):
    """As ``attention_plain.score_blocks``."""
    length, heads, many = room.queries.shape[1], room.scores.shape[1], in_a_byte(cache)
    x, s, last = flat(room.queries), flat(room.scores), block + (count + BLOCK - 1) // BLOCK - 1
    items = length // many
    n = items // groups
    for k0 in range(block, last + 1, 4):
        k1, k2, k3 = min(k0 + 1, last), min(k0 + 2, last), min(k0 + 3, last)
        for i in range(0, heads, 2):
            j = min(i + 1, heads - 1)
            p, q = (head + i) * length, (head + j) * length
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zeros()
            for g in range(groups):
                c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = zeros()
                for c in range(g * n, (g + 1) * n):
                    prefetch(codes, ((k0 + 4) * items + 4 * c) * BLOCK)
                    for part in range(many):
                        channel = c + (g * (many - 1) + part) * n
                        u, v = load_one(x, p + channel), load_one(x, q + channel)
                        k = eight(cache, codes, (k0 * items + c) * BLOCK, part)
                        c0, d0 = multiply_add(c0, k, u), multiply_add(d0, k, v)
                        k = eight(cache, codes, (k1 * items + c) * BLOCK, part)
                        c1, d1 = multiply_add(c1, k, u), multiply_add(d1, k, v)
                        k = eight(cache, codes, (k2 * items + c) * BLOCK, part)
                        c2, d2 = multiply_add(c2, k, u), multiply_add(d2, k, v)
                        k = eight(cache, codes, (k3 * items + c) * BLOCK, part)
                        c3, d3 = multiply_add(c3, k, u), multiply_add(d3, k, v)
                f = eight_scales(cache, scale, (k0 * groups + g) * BLOCK)
                a0, b0 = multiply_add(a0, c0, f), multiply_add(b0, d0, f)
                f = eight_scales(cache, scale, (k1 * groups + g) * BLOCK)
                a1, b1 = multiply_add(a1, c1, f), multiply_add(b1, d1, f)
                f = eight_scales(cache, scale, (k2 * groups + g) * BLOCK)
                a2, b2 = multiply_add(a2, c2, f), multiply_add(b2, d2, f)
                f = eight_scales(cache, scale, (k3 * groups + g) * BLOCK)
                a3, b3 = multiply_add(a3, c3, f), multiply_add(b3, d3, f)
            to = (share * heads + i) * room.scores.shape[2] + place - block * BLOCK
            other = (share * heads + j) * room.scores.shape[2] + place - block * BLOCK
            store_floats(s, to + k0 * BLOCK, a0), store_floats(s, to + k1 * BLOCK, a1)
            store_floats(s, to + k2 * BLOCK, a2), store_floats(s, to + k3 * BLOCK, a3)
            store_floats(s, other + k0 * BLOCK, b0), store_floats(s, other + k1 * BLOCK, b1)
            store_floats(s, other + k2 * BLOCK, b2), store_floats(s, other + k3 * BLOCK, b3)


@jit
def weigh(cache, scale, groups, block, count, room, share, place):
    """As ``attention_plain.weigh``, up to whole blocks."""
    heads, w, f = room.scores.shape[1], flat(room.scores), flat(room.factors)
    for i in range(share * heads, (share + 1) * heads):
        for g in range(groups):
            to = (i * room.factors.shape[2] + g) * room.factors.shape[3] + place
            for t in range(0, count, BLOCK):
                scales = eight_scales(cache, scale, (block * BLOCK + t) * groups + g * BLOCK)
                store_floats(f, to + t, multiply(load_floats(w, i * room.scores.shape[2] + place + t), scales))


@jit
def add_rows(cache, codes, groups, row, count, room, share, head, piece, place):
    """As ``attention_plain.add_rows``."""
    length, heads, many = room.parts.shape[2], room.scores.shape[1], in_a_byte(cache)
    pieces, f, o = room.parts.shape[1], flat(room.factors), flat(room.parts)
    items = length // many
    n = items // groups
    upper, again = (16 if many == 1 else n), 32 - 16 * many  # where numbers 17 to 32 belong, and where their codes are
    for start in range(row, row + count, TURN):
        stop = min(start + TURN, row + count)
        for i in range(0, heads, 2):
            j = min(i + 1, heads - 1)
            for g in range(groups):
                to, other = (((head + i) * pieces + piece) * length + g * n * many,
                             ((head + j) * pieces + piece) * length + g * n * many)
                u, v = (((share * heads + i) * room.factors.shape[2] + g) * room.factors.shape[3] + place - row,
                        ((share * heads + j) * room.factors.shape[2] + g) * room.factors.shape[3] + place - row)
                wide = 32 // many
                whole = n // wide * wide
                for c in range(0, whole, wide):
                    a0, a1 = load_floats(o, to + c), load_floats(o, to + c + 8)
                    a2, a3 = load_floats(o, to + c + upper), load_floats(o, to + c + upper + 8)
                    b0, b1 = load_floats(o, other + c), load_floats(o, other + c + 8)
                    b2, b3 = load_floats(o, other + c + upper), load_floats(o, other + c + upper + 8)
                    for t in range(start, stop):
                        here, p, q = t * items + g * n + c, load_one(f, u + t), load_one(f, v + t)
                        prefetch(codes, here + TURN * items)
                        k = eight(cache, codes, here, 0)
                        a0, b0 = multiply_add(a0, k, p), multiply_add(b0, k, q)
                        k = eight(cache, codes, here + 8, 0)
                        a1, b1 = multiply_add(a1, k, p), multiply_add(b1, k, q)
                        k = eight(cache, codes, here + again, many - 1)
                        a2, b2 = multiply_add(a2, k, p), multiply_add(b2, k, q)
                        k = eight(cache, codes, here + again + 8, many - 1)
                        a3, b3 = multiply_add(a3, k, p), multiply_add(b3, k, q)
                    store_floats(o, other + c, b0), store_floats(o, other + c + 8, b1)
                    store_floats(o, other + c + upper, b2), store_floats(o, other + c + upper + 8, b3)
                    store_floats(o, to + c, a0), store_floats(o, to + c + 8, a1)
                    store_floats(o, to + c + upper, a2), store_floats(o, to + c + upper + 8, a3)
                for c in range(whole, n, 8):
                    for part in range(many):
                        a, b = load_floats(o, to + c + part * n), load_floats(o, other + c + part * n)
                        for t in range(start, stop):
                            k = eight(cache, codes, t * items + g * n + c, part)
                            a, b = multiply_add(a, k, load_one(f, u + t)), multiply_add(b, k, load_one(f, v + t))
                        store_floats(o, other + c + part * n, b)
                        store_floats(o, to + c + part * n, a)


# ---------------------------------------------------------------------------------------------------------------- KIVI

@jit
def _scaled_query(x, query, scale, low, place, size, out, to):
    """out[to:][:size] = query * scale; returns the sum of query * low."""
    total = zeros()
    for c in range(0, size, 8):
        q = load_floats(x, query + c)
        store_floats(out, to + c, multiply(q, load_scales(scale, place + c)))
        total = multiply_add(total, q, load_scales(low, place + c))
    return sum_floats(total)


@jit
def score_groups(codes, scale, low, group, count, room, share, head):
    """As ``attention_plain.score_groups``. The queries times the scales of a group stand in room.factors meanwhile."""
    size, heads, s, x, f = (room.queries.shape[1], room.scores.shape[1], flat(room.scores), flat(room.queries),
                            flat(room.factors))
    for g in range(count):
        first = (group + g) * size
        for i in range(0, heads, 2):
            j, u = min(i + 1, heads - 1), share * heads * room.factors.shape[2] * room.factors.shape[3]
            a0 = spread(_scaled_query(x, (head + i) * size, scale, low, first, size, f, u))
            b0 = spread(_scaled_query(x, (head + j) * size, scale, low, first, size, f, u + size))
            a1 = a2 = a3 = a0
            b1 = b2 = b3 = b0
            for c in range(size):
                here, p, q = 8 * (first + c), load_one(f, u + c), load_one(f, u + size + c)
                prefetch(codes, here + 8 * size)
                k = _eight_two_bits(codes, here, 0)
                a0, b0 = multiply_add(a0, k, p), multiply_add(b0, k, q)
                k = _eight_two_bits(codes, here, 1)
                a1, b1 = multiply_add(a1, k, p), multiply_add(b1, k, q)
                k = _eight_two_bits(codes, here, 2)
                a2, b2 = multiply_add(a2, k, p), multiply_add(b2, k, q)
                k = _eight_two_bits(codes, here, 3)
                a3, b3 = multiply_add(a3, k, p), multiply_add(b3, k, q)
            to = (share * heads + i) * room.scores.shape[2] + g * GROUP
            other = (share * heads + j) * room.scores.shape[2] + g * GROUP
            store_floats(s, to, a0), store_floats(s, to + 8, a1)
            store_floats(s, to + 16, a2), store_floats(s, to + 24, a3)
            store_floats(s, other, b0), store_floats(s, other + 8, b1)
            store_floats(s, other + 16, b2), store_floats(s, other + 24, b3)


@jit
def _sum_of_lows(low, place, groups, w, first, count):
    """FLOATS, the same in every lane: the sum of weights times minima over whole blocks of tokens."""
    total = zeros()
    for t in range(0, count, BLOCK):
        total = multiply_add(total, load_floats(w, first + t), load_scales(low, place + t * groups))
    return spread(sum_floats(total))


@jit
def add_groups(codes, low, row, count, room, share, head, piece):
    """As ``attention_plain.add_groups``; count is a multiple of 32."""
    size, heads, pieces = room.parts.shape[2], room.scores.shape[1], room.parts.shape[1]
    groups, w, f, o = size // GROUP, flat(room.scores), flat(room.factors), flat(room.parts)
    for start in range(0, count, TURN):
        stop = min(start + TURN, count)
        for i in range(0, heads, 2):
            j = min(i + 1, heads - 1)
            for g in range(groups):
                to, other = (((head + i) * pieces + piece) * size + g * GROUP,
                             ((head + j) * pieces + piece) * size + g * GROUP)
                u, v = (((share * heads + i) * groups + g) * room.factors.shape[3],
                        ((share * heads + j) * groups + g) * room.factors.shape[3])
                lows = ((row + start) * groups) + g * BLOCK
                more = _sum_of_lows(low, lows, groups, w, (share * heads + i) * room.scores.shape[2] + start, stop - start)
                a0, a1 = add(more, load_floats(o, to)), add(more, load_floats(o, to + 8))
                a2, a3 = add(more, load_floats(o, to + 16)), add(more, load_floats(o, to + 24))
                more = _sum_of_lows(low, lows, groups, w, (share * heads + j) * room.scores.shape[2] + start, stop - start)
                b0, b1 = add(more, load_floats(o, other)), add(more, load_floats(o, other + 8))
                b2, b3 = add(more, load_floats(o, other + 16)), add(more, load_floats(o, other + 24))
                for t in range(start, stop):
                    here, p, q = 8 * ((row + t) * groups + g), load_one(f, u + t), load_one(f, v + t)
                    prefetch(codes, here + 8 * TURN * groups)
                    k = _eight_two_bits(codes, here, 0)
                    a0, b0 = multiply_add(a0, k, p), multiply_add(b0, k, q)
                    k = _eight_two_bits(codes, here, 1)
                    a1, b1 = multiply_add(a1, k, p), multiply_add(b1, k, q)
                    k = _eight_two_bits(codes, here, 2)
                    a2, b2 = multiply_add(a2, k, p), multiply_add(b2, k, q)
                    k = _eight_two_bits(codes, here, 3)
                    a3, b3 = multiply_add(a3, k, p), multiply_add(b3, k, q)
                store_floats(o, other, b0), store_floats(o, other + 8, b1)
                store_floats(o, other + 16, b2), store_floats(o, other + 24, b3)
                store_floats(o, to, a0), store_floats(o, to + 8, a1)
                store_floats(o, to + 16, a2), store_floats(o, to + 24, a3)

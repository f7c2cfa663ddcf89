"""Attention over the 2-bit groups of a ``KiviCache`` in the vector layer; ``attention_plain.py`` says what it computes.

A group is 8 bytes with four numbers each: byte j has numbers j, j + 8, j + 16 and j + 24. So ``load_two_bits`` makes the
vector of BLOCK numbers from number 8 n on by reading the 8 bytes and shifting them, those of a lane by 2 (n + lane // 8).

Two vectors, two channels (``score_groups``) or two tokens (``add_groups``), and two query heads make eight sums, as in
``attention_simd.py``. A group has two vectors of 16 numbers; where vectors have 8, its other half is a second turn.
"""

from __future__ import annotations

import numpy as np

from ._cache import jit
from .attention_simd import TURN
from .caches import BLOCK, GROUP
from .simd_parts import flat
from .vector_bytes import load_two_bits_of
from .vectors import add, multiply, multiply_add, of_lanes, prefetch, store_floats, sum_floats

_f32 = np.float32
HALF = 2 * BLOCK  # numbers of two vectors
load_floats, _, load_scales, load_one, spread, zeros = of_lanes(BLOCK)
load_two_bits = load_two_bits_of(BLOCK)


@jit
def _scaled_query(x, query, scale, low, place, size, out, to):
    """out[to:][:size] = query * scale; returns the sum of query * low."""
    total = zeros()
    for c in range(0, size, BLOCK):
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
            a = spread(_scaled_query(x, (head + i) * size, scale, low, first, size, f, u))
            b = spread(_scaled_query(x, (head + j) * size, scale, low, first, size, f, u + size))
            to = (share * heads + i) * room.scores.shape[2] + g * GROUP
            other = (share * heads + j) * room.scores.shape[2] + g * GROUP
            for half in range(0, GROUP, HALF):
                n, m = half // 8, (half + BLOCK) // 8
                a0, a1, b0, b1 = a, a, b, b
                a2 = a3 = b2 = b3 = zeros()
                for c in range(0, size, 2):
                    here, p, q = 8 * (first + c), load_one(f, u + c), load_one(f, u + size + c)
                    prefetch(codes, here + 8 * size)
                    k = load_two_bits(codes, here, n)
                    a0, b0 = multiply_add(a0, k, p), multiply_add(b0, k, q)
                    k = load_two_bits(codes, here, m)
                    a1, b1 = multiply_add(a1, k, p), multiply_add(b1, k, q)
                    here, p, q = here + 8, load_one(f, u + c + 1), load_one(f, u + size + c + 1)
                    k = load_two_bits(codes, here, n)
                    a2, b2 = multiply_add(a2, k, p), multiply_add(b2, k, q)
                    k = load_two_bits(codes, here, m)
                    a3, b3 = multiply_add(a3, k, p), multiply_add(b3, k, q)
                store_floats(s, to + half, add(a0, a2)), store_floats(s, to + half + BLOCK, add(a1, a3))
                store_floats(s, other + half, add(b0, b2)), store_floats(s, other + half + BLOCK, add(b1, b3))


@jit
def _sum_of_lows(low, place, groups, w, first, count):
    """Floats, the same in every lane: the sum of weights times minima over whole blocks of tokens."""
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
                lows = (row + start) * groups + g * BLOCK
                a = _sum_of_lows(low, lows, groups, w, (share * heads + i) * room.scores.shape[2] + start, stop - start)
                b = _sum_of_lows(low, lows, groups, w, (share * heads + j) * room.scores.shape[2] + start, stop - start)
                for half in range(0, GROUP, HALF):
                    n, m = half // 8, (half + BLOCK) // 8
                    a0, a1 = add(a, load_floats(o, to + half)), add(a, load_floats(o, to + half + BLOCK))
                    b0, b1 = add(b, load_floats(o, other + half)), add(b, load_floats(o, other + half + BLOCK))
                    a2 = a3 = b2 = b3 = zeros()
                    for t in range(start, stop, 2):
                        here, p, q = 8 * ((row + t) * groups + g), load_one(f, u + t), load_one(f, v + t)
                        prefetch(codes, here + 8 * TURN * groups)
                        k = load_two_bits(codes, here, n)
                        a0, b0 = multiply_add(a0, k, p), multiply_add(b0, k, q)
                        k = load_two_bits(codes, here, m)
                        a1, b1 = multiply_add(a1, k, p), multiply_add(b1, k, q)
                        here, p, q = here + 8 * groups, load_one(f, u + t + 1), load_one(f, v + t + 1)
                        k = load_two_bits(codes, here, n)
                        a2, b2 = multiply_add(a2, k, p), multiply_add(b2, k, q)
                        k = load_two_bits(codes, here, m)
                        a3, b3 = multiply_add(a3, k, p), multiply_add(b3, k, q)
                    store_floats(o, other + half, add(b0, b2)), store_floats(o, other + half + BLOCK, add(b1, b3))
                    store_floats(o, to + half, add(a0, a2)), store_floats(o, to + half + BLOCK, add(a1, a3))

"""Attention over rows in the vector layer: what to use; ``attention_plain.py`` says what it computes.

    score_blocks   a channel of BLOCK tokens is a vector, and a query is one number, the same for all of them: the sums are
                   the scores themselves, and nothing is ever added up across a register. Four blocks and two query heads
                   at a time make eight sums, none of which waits for another
    add_rows       two vectors of channels, two tokens and two query heads at a time: again eight sums, which stay in
                   registers for TURN tokens. The other channels of these tokens take turns, while the tokens still lie in
                   the nearest cache

A number is loaded and turned into a float32 once for both heads; more than two take turns. Where blocks or heads are left
over, the last one is computed again in the free place, with the same result. ``prefetch`` asks for what comes next; where
that is in another array, ``after`` says how far away (``attention.distance``).
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from . import caches
from ._cache import inlined_jit, jit
from .attention_plain import in_a_byte
from .caches import BLOCK
from .simd_parts import flat
from .vector_bytes import as_floats, shift_and_mask, signed_part, to_floats
from .vectors import add, multiply, multiply_add, of_lanes, prefetch, store_floats

_f32 = np.float32
load_floats, load_ints, load_scales, load_one, spread, zeros = of_lanes(BLOCK)
TURN = 64  # tokens


# ---------------------------------------------------------------------------------------------------------- numbers

@inlined_jit
def _bf16(codes, i, part):
    return as_floats(shift_and_mask(load_ints(codes, i), 16, -1))


@inlined_jit
def _e4m3(codes, i, part):
    return multiply(as_floats(shift_and_mask(load_ints(codes, i), 20, -0x78100000)), _f32(2.0**120))


@inlined_jit
def _int8(codes, i, part):
    return to_floats(load_ints(codes, i))


@inlined_jit
def _int4(codes, i, part):
    return to_floats(signed_part(load_ints(codes, i), 4 * part, 4))


_NUMBERS = {caches.BFloat16Cache: _bf16, caches.E4M3Cache: _e4m3, caches.Int8Cache: _int8, caches.Int4Cache: _int4}


def numbers(cache, codes, i, part):
    """Floats: ``attention_plain.number`` of BLOCK bytes from byte i."""


@overload(numbers)
def _numbers_for(cache, codes, i, part):
    kernel = _NUMBERS[cache.instance_class]
    return lambda cache, codes, i, part: kernel(codes, i, part)


def scales_of(cache, scale, i):
    """Floats: BLOCK times ``attention_plain.scale_of``."""


@overload(scales_of)
def _scales_of_for(cache, scale, i):
    if cache.instance_class is caches.BFloat16Cache:
        return lambda cache, scale, i: spread(_f32(1))
    return lambda cache, scale, i: load_scales(scale, i)


# ---------------------------------------------------------------------------------------------------------------- rows

@jit
def score_blocks(cache, codes, scale, groups, block, count, room, share, head, place, after):
    """As ``attention_plain.score_blocks``."""
    length, heads, many = room.queries.shape[1], room.scores.shape[1], in_a_byte(cache)
    x, s, last = flat(room.queries), flat(room.scores), block + (count + BLOCK - 1) // BLOCK - 1
    items = length // many
    n = items // groups
    for k0 in range(block, last + 1, 4):
        k1, k2, k3 = min(k0 + 1, last), min(k0 + 2, last), min(k0 + 3, last)
        ahead = (k0 + 4) * items * BLOCK if k0 + 4 <= last else after
        for i in range(0, heads, 2):
            j = min(i + 1, heads - 1)
            p, q = (head + i) * length, (head + j) * length
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zeros()
            for g in range(groups):
                c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = zeros()
                for c in range(g * n, (g + 1) * n):
                    prefetch(codes, ahead + 4 * c * BLOCK)
                    prefetch(codes, ahead + (4 * c + 2) * BLOCK)
                    for part in range(many):
                        channel = c + (g * (many - 1) + part) * n
                        u, v = load_one(x, p + channel), load_one(x, q + channel)
                        k = numbers(cache, codes, (k0 * items + c) * BLOCK, part)
                        c0, d0 = multiply_add(c0, k, u), multiply_add(d0, k, v)
                        k = numbers(cache, codes, (k1 * items + c) * BLOCK, part)
                        c1, d1 = multiply_add(c1, k, u), multiply_add(d1, k, v)
                        k = numbers(cache, codes, (k2 * items + c) * BLOCK, part)
                        c2, d2 = multiply_add(c2, k, u), multiply_add(d2, k, v)
                        k = numbers(cache, codes, (k3 * items + c) * BLOCK, part)
                        c3, d3 = multiply_add(c3, k, u), multiply_add(d3, k, v)
                f = scales_of(cache, scale, (k0 * groups + g) * BLOCK)
                a0, b0 = multiply_add(a0, c0, f), multiply_add(b0, d0, f)
                f = scales_of(cache, scale, (k1 * groups + g) * BLOCK)
                a1, b1 = multiply_add(a1, c1, f), multiply_add(b1, d1, f)
                f = scales_of(cache, scale, (k2 * groups + g) * BLOCK)
                a2, b2 = multiply_add(a2, c2, f), multiply_add(b2, d2, f)
                f = scales_of(cache, scale, (k3 * groups + g) * BLOCK)
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
                scales = scales_of(cache, scale, (block * BLOCK + t) * groups + g * BLOCK)
                store_floats(f, to + t, multiply(load_floats(w, i * room.scores.shape[2] + place + t), scales))


@jit
def add_rows(cache, codes, groups, row, count, room, share, head, piece, place, after):
    """As ``attention_plain.add_rows``."""
    length, heads, many = room.parts.shape[2], room.scores.shape[1], in_a_byte(cache)
    pieces, f, o = room.parts.shape[1], flat(room.factors), flat(room.parts)
    items = length // many
    n = items // groups
    upper, again = (BLOCK if many == 1 else n), BLOCK * (2 - many)  # where the second vector belongs, where its codes are
    whole, end = n // (BLOCK + again) * (BLOCK + again), row + count
    for start in range(row, row + count, TURN):
        stop = min(start + TURN, row + count)
        pairs = stop - (stop - start) % 2
        for i in range(0, heads, 2):
            j = min(i + 1, heads - 1)
            for g in range(groups):
                to, other = (((head + i) * pieces + piece) * length + g * n * many,
                             ((head + j) * pieces + piece) * length + g * n * many)
                u, v = (((share * heads + i) * room.factors.shape[2] + g) * room.factors.shape[3] + place - row,
                        ((share * heads + j) * room.factors.shape[2] + g) * room.factors.shape[3] + place - row)
                for c in range(0, whole, BLOCK + again):
                    a0, a1 = load_floats(o, to + c), load_floats(o, to + c + upper)
                    b0, b1 = load_floats(o, other + c), load_floats(o, other + c + upper)
                    a2 = a3 = b2 = b3 = zeros()
                    for t in range(start, pairs, 2):
                        here, p, q = t * items + g * n + c, load_one(f, u + t), load_one(f, v + t)
                        ahead = here + TURN * items + (0 if t + TURN < end else after - end * items)
                        prefetch(codes, ahead)
                        prefetch(codes, ahead + items)
                        k = numbers(cache, codes, here, 0)
                        a0, b0 = multiply_add(a0, k, p), multiply_add(b0, k, q)
                        k = numbers(cache, codes, here + again, many - 1)
                        a1, b1 = multiply_add(a1, k, p), multiply_add(b1, k, q)
                        here, p, q = here + items, load_one(f, u + t + 1), load_one(f, v + t + 1)
                        k = numbers(cache, codes, here, 0)
                        a2, b2 = multiply_add(a2, k, p), multiply_add(b2, k, q)
                        k = numbers(cache, codes, here + again, many - 1)
                        a3, b3 = multiply_add(a3, k, p), multiply_add(b3, k, q)
                    a0, a1, b0, b1 = add(a0, a2), add(a1, a3), add(b0, b2), add(b1, b3)
                    for t in range(pairs, stop):
                        here, p, q = t * items + g * n + c, load_one(f, u + t), load_one(f, v + t)
                        k = numbers(cache, codes, here, 0)
                        a0, b0 = multiply_add(a0, k, p), multiply_add(b0, k, q)
                        k = numbers(cache, codes, here + again, many - 1)
                        a1, b1 = multiply_add(a1, k, p), multiply_add(b1, k, q)
                    store_floats(o, other + c, b0), store_floats(o, other + c + upper, b1)
                    store_floats(o, to + c, a0), store_floats(o, to + c + upper, a1)
                for c in range(whole, n, BLOCK):  # a vector is left, of formats with one number in a byte
                    a, b = load_floats(o, to + c), load_floats(o, other + c)
                    for t in range(start, stop):
                        k = numbers(cache, codes, t * items + g * n + c, 0)
                        a, b = multiply_add(a, k, load_one(f, u + t)), multiply_add(b, k, load_one(f, v + t))
                    store_floats(o, other + c, b)
                    store_floats(o, to + c, a)

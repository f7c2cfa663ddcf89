"""Attention over each cache format in the vector layer: what to use; ``attention_plain.py`` says what it computes.

    score_rows, add_rows   four rows and two query heads at a time. A number is loaded and turned into a float32 once
                           for both heads, a query (or a piece of the output) is loaded once for the four rows, and
                           there are eight sums, none of which waits for another. Eight channels per step.
    score_groups           a channel holds 32 neighbouring tokens in 8 bytes: the sums are the scores themselves, in eight
                           registers for two heads, and nothing is ever added up across a register
    add_groups             as ``add_rows``, 32 channels per step

The four rows lie a quarter of the piece apart, because a processor reads ahead in several places at once
(``floats.places``). More than two query heads take turns over the four rows, which by then lie in the nearest cache. Where
rows or heads are left over, the last one is computed again in the free place: the same result, or a weight of 0.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from . import caches
from ._cache import inlined_jit, jit
from .attention_plain import in_a_byte, scale_of
from .bits import half_to_float
from .caches import GROUP
from .floats import places
from .simd_parts import flat
from .vector_bytes import as_floats, part_of, shift_and_mask, signed_part, to_floats
from .vectors import (load_floats, load_ints, load_scales, multiply, multiply_add, spread, store_floats, sum_floats,
                      zeros)

_f32 = np.float32


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


# ---------------------------------------------------------------------------------------------------------------- rows

@jit
def score_rows(cache, codes, scale, groups, row, count, scores, place, queries, h, last):
    """As ``attention_plain.score_rows``."""
    length, stride, many = queries.shape[1], scores.shape[1], in_a_byte(cache)
    n, s, x = length // groups // many, flat(scores), flat(queries)
    start, quarter, stop = places(0, count, 4)
    for t in range(start, quarter):
        t1, t2, t3 = min(t + quarter, stop), min(t + 2 * quarter, stop), min(t + 3 * quarter, stop)
        for i in range(h, last + 1, 2):
            j = min(i + 1, last)
            a0, a1, a2, a3, b0, b1, b2, b3 = zeros(), zeros(), zeros(), zeros(), zeros(), zeros(), zeros(), zeros()
            for g in range(groups):
                r0, r1, r2, r3 = ((row + t) * groups + g, (row + t1) * groups + g, (row + t2) * groups + g,
                                  (row + t3) * groups + g)
                c0, c1, c2, c3, d0, d1, d2, d3 = (zeros(), zeros(), zeros(), zeros(), zeros(), zeros(), zeros(),
                                                  zeros())
                for part in range(many):
                    first = (g * many + part) * n
                    for c in range(0, n, 8):
                        p, q = load_floats(x, i * length + first + c), load_floats(x, j * length + first + c)
                        k = eight(cache, codes, r0 * n + c, part)
                        c0, d0 = multiply_add(c0, k, p), multiply_add(d0, k, q)
                        k = eight(cache, codes, r1 * n + c, part)
                        c1, d1 = multiply_add(c1, k, p), multiply_add(d1, k, q)
                        k = eight(cache, codes, r2 * n + c, part)
                        c2, d2 = multiply_add(c2, k, p), multiply_add(d2, k, q)
                        k = eight(cache, codes, r3 * n + c, part)
                        c3, d3 = multiply_add(c3, k, p), multiply_add(d3, k, q)
                f = scale_of(cache, scale, r0)
                a0, b0 = multiply_add(a0, c0, f), multiply_add(b0, d0, f)
                f = scale_of(cache, scale, r1)
                a1, b1 = multiply_add(a1, c1, f), multiply_add(b1, d1, f)
                f = scale_of(cache, scale, r2)
                a2, b2 = multiply_add(a2, c2, f), multiply_add(b2, d2, f)
                f = scale_of(cache, scale, r3)
                a3, b3 = multiply_add(a3, c3, f), multiply_add(b3, d3, f)
            to, other = i * stride + place, j * stride + place
            s[to + t], s[to + t1], s[to + t2], s[to + t3] = sum_floats(a0), sum_floats(a1), sum_floats(a2), sum_floats(a3)
            s[other + t], s[other + t1], s[other + t2], s[other + t3] = (sum_floats(b0), sum_floats(b1), sum_floats(b2),
                                                                        sum_floats(b3))


@jit
def add_rows(cache, codes, scale, groups, row, count, out, piece, weights, place, h, last):
    """As ``attention_plain.add_rows``."""
    length, stride, many = out.shape[2], weights.shape[1], in_a_byte(cache)
    n, w, o = length // groups // many, flat(weights), flat(out)
    start, quarter, stop = places(0, count, 4)
    for t in range(start, quarter):
        t1, t2, t3 = min(t + quarter, stop), min(t + 2 * quarter, stop), min(t + 3 * quarter, stop)
        # Of a row computed again the weight is 0.
        m1, m2, m3 = (_f32(t + quarter <= stop), _f32(t + 2 * quarter <= stop), _f32(t + 3 * quarter <= stop))
        for i in range(h, last + 1, 2):
            j = min(i + 1, last)
            to, other = (i * out.shape[1] + piece) * length, (j * out.shape[1] + piece) * length
            u, v = i * stride + place, j * stride + place
            for g in range(groups):
                r0, r1, r2, r3 = ((row + t) * groups + g, (row + t1) * groups + g, (row + t2) * groups + g,
                                  (row + t3) * groups + g)
                f0, f1 = scale_of(cache, scale, r0), scale_of(cache, scale, r1) * m1
                f2, f3 = scale_of(cache, scale, r2) * m2, scale_of(cache, scale, r3) * m3
                a0, a1, a2, a3 = spread(w[u + t] * f0), spread(w[u + t1] * f1), spread(w[u + t2] * f2), spread(w[u + t3] * f3)
                b0, b1, b2, b3 = spread(w[v + t] * f0), spread(w[v + t1] * f1), spread(w[v + t2] * f2), spread(w[v + t3] * f3)
                for part in range(many):
                    first = (g * many + part) * n
                    for c in range(0, n, 8):
                        p, q = load_floats(o, to + first + c), load_floats(o, other + first + c)
                        x = eight(cache, codes, r0 * n + c, part)
                        p, q = multiply_add(p, x, a0), multiply_add(q, x, b0)
                        x = eight(cache, codes, r1 * n + c, part)
                        p, q = multiply_add(p, x, a1), multiply_add(q, x, b1)
                        x = eight(cache, codes, r2 * n + c, part)
                        p, q = multiply_add(p, x, a2), multiply_add(q, x, b2)
                        x = eight(cache, codes, r3 * n + c, part)
                        p, q = multiply_add(p, x, a3), multiply_add(q, x, b3)
                        store_floats(o, other + first + c, q)
                        store_floats(o, to + first + c, p)


# ---------------------------------------------------------------------------------------------------------------- KIVI

@jit
def score_groups(codes, scale, low, group, count, scores, place, queries, h, last):
    """As ``attention_plain.score_groups``."""
    size, stride, s, x = queries.shape[1], scores.shape[1], flat(scores), flat(queries)
    for g in range(group, group + count):
        for i in range(h, last + 1, 2):
            j = min(i + 1, last)
            a, b = zeros(), zeros()
            for c in range(0, size, 8):
                lows = load_scales(low, g * size + c)
                a = multiply_add(a, lows, load_floats(x, i * size + c))
                b = multiply_add(b, lows, load_floats(x, j * size + c))
            a0, b0 = spread(sum_floats(a)), spread(sum_floats(b))
            a1 = a2 = a3 = a0
            b1 = b2 = b3 = b0
            for c in range(size):
                here = g * size + c
                f = half_to_float(scale[here])
                p, q = spread(f * x[i * size + c]), spread(f * x[j * size + c])
                k = _eight_two_bits(codes, 8 * here, 0)
                a0, b0 = multiply_add(a0, k, p), multiply_add(b0, k, q)
                k = _eight_two_bits(codes, 8 * here, 1)
                a1, b1 = multiply_add(a1, k, p), multiply_add(b1, k, q)
                k = _eight_two_bits(codes, 8 * here, 2)
                a2, b2 = multiply_add(a2, k, p), multiply_add(b2, k, q)
                k = _eight_two_bits(codes, 8 * here, 3)
                a3, b3 = multiply_add(a3, k, p), multiply_add(b3, k, q)
            to, other = i * stride + place + (g - group) * GROUP, j * stride + place + (g - group) * GROUP
            store_floats(s, to, a0), store_floats(s, to + 8, a1)
            store_floats(s, to + 16, a2), store_floats(s, to + 24, a3)
            store_floats(s, other, b0), store_floats(s, other + 8, b1)
            store_floats(s, other + 16, b2), store_floats(s, other + 24, b3)


@jit
def add_groups(codes, scale, low, row, count, out, piece, weights, place, h, last):
    """As ``attention_plain.add_groups``."""
    size, stride, w, o = out.shape[2], weights.shape[1], flat(weights), flat(out)
    groups = size // GROUP
    for t in range(count):
        for i in range(h, last + 1, 2):
            j = min(i + 1, last)
            u, v = w[i * stride + place + t], w[j * stride + place + t]
            to, other = (i * out.shape[1] + piece) * size, (j * out.shape[1] + piece) * size
            for g in range(groups):
                here = (row + t) * groups + g
                f, m = half_to_float(scale[here]), half_to_float(low[here])
                for part in range(4):
                    c = g * GROUP + 8 * part
                    k = multiply_add(spread(m), _eight_two_bits(codes, 8 * here, part), f)
                    p = multiply_add(load_floats(o, to + c), k, u)
                    q = multiply_add(load_floats(o, other + c), k, v)
                    store_floats(o, other + c, q)
                    store_floats(o, to + c, p)

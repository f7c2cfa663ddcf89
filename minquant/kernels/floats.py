"""Float weights times a vector: float32, bfloat16, fp8.

``out = W @ x`` for one vector x reads every weight once and uses it once. A core can do far more arithmetic in that
time than memory can deliver weights, so the best kernel is the one that never makes memory wait. How it got there,
on the example of bfloat16 (two bytes a weight):

    v0  NumPy: ``(codes.astype(np.uint32) << 16).view(np.float32) @ x``   correct, but writes and reads back a float32
        copy: 2 bytes become 2 + 4 + 4 + 4. This is what "dequantize, then multiply" costs.
    v1  two plain loops, compiled: each weight is decoded in a register and used at once. Only 2 bytes a weight move,
        but the sum is one long chain of additions, each waiting for the one before.
    v2  the same loops, and the compiler may reorder the sum (``fastmath`` flags in ``_cache.py``): it keeps 64 partial
        sums and handles 16 weights per instruction.
    v3  rows shared out over the cores by ``prange``: ``bf16_matvec``, the version to read first.
    v4  ``bf16_rows`` and the others: each thread reads two or three distant places of its share at once (``places``
        below). One place in memory is read ahead by the processor only so far; the next lines of several places travel
        at the same time. On the machine this was written on, bfloat16 gained up to 1.7 times and int8 up to 2 times on
        one core. Neighbouring rows do not help: they lie in the same page, which the processor takes for one place.

    v5  ``simd.bf16_rows``: asks for every cache line four kilobytes before it is needed (``prefetch``). On 2 cores of a
        shared Intel Sapphire Rapids machine, in alternation, the matrices of a 0.6b model were read at 91% instead of
        75% of the read bandwidth by one thread, at 90% instead of 70% by two; AMD's Zen 3 had reached 96% without.

From v4 on a kernel computes the rows of one thread, and ``matvec.matvec`` shares the rows out. A row is summed by one
thread in one fixed order, so the result does not depend on the number of threads. ``out`` is an argument: nothing is
allocated per token.

The loops of this file need no vector layer: the compiler turns them into vector instructions by itself.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ._cache import jit, parallel_jit
from .bits import bf16_to_float, e4m3_to_float, e5m2_to_float

_f32 = np.float32


@jit
def places(first, stop, count):
    """(first, length, last): the rows first..stop - 1, read at ``count`` places that lie ``length`` rows apart.

    Place i starts at first + i * length; where the rows do not divide, the last place is a little short, and whoever
    walks it stays at ``last``.
    """
    return first, (stop - first + count - 1) // count, stop - 1


@parallel_jit
def bf16_matvec(out, codes, x):
    """out (rows,) float32 = codes (rows, columns) uint16 bits of bfloat16 @ x (columns,) float32."""
    for r in prange(codes.shape[0]):
        total = _f32(0)
        for c in range(codes.shape[1]):
            total += bf16_to_float(codes[r, c]) * x[c]
        out[r] = total


@jit
def float32_rows(out, m, layer, x, s, first, stop):
    """Rows first..stop - 1 of ``m[layer] @ x.values``; s is not used."""
    codes, values = m.codes[layer], x.values
    start, length, last = places(first, stop, 2)
    for r in range(start, start + length):
        q = min(r + length, last)
        a = b = _f32(0)
        for c in range(values.size):
            a += codes[r, c] * values[c]
            b += codes[q, c] * values[c]
        out[r], out[q] = a, b


@jit
def bf16_rows(out, m, layer, x, s, first, stop):
    """As ``float32_rows``, from three places."""
    codes, values = m.codes[layer], x.values
    start, length, last = places(first, stop, 3)
    for r in range(start, start + length):
        q, p = min(r + length, last), min(r + 2 * length, last)
        a = b = d = _f32(0)
        for c in range(values.size):
            a += bf16_to_float(codes[r, c]) * values[c]
            b += bf16_to_float(codes[q, c]) * values[c]
            d += bf16_to_float(codes[p, c]) * values[c]
        out[r], out[q], out[p] = a, b, d


@jit
def e4m3_rows(out, m, layer, x, s, first, stop):
    """As ``float32_rows``."""
    codes, scale, values = m.codes[layer], m.scale[layer], x.values
    start, length, last = places(first, stop, 2)
    for r in range(start, start + length):
        q = min(r + length, last)
        a = b = _f32(0)
        for c in range(values.size):
            a += e4m3_to_float(codes[r, c]) * values[c]
            b += e4m3_to_float(codes[q, c]) * values[c]
        out[r], out[q] = a * scale[r], b * scale[q]


@jit
def e5m2_rows(out, m, layer, x, s, first, stop):
    """As ``float32_rows``."""
    codes, scale, values = m.codes[layer], m.scale[layer], x.values
    start, length, last = places(first, stop, 2)
    for r in range(start, start + length):
        q = min(r + length, last)
        a = b = _f32(0)
        for c in range(values.size):
            a += e5m2_to_float(codes[r, c]) * values[c]
            b += e5m2_to_float(codes[q, c]) * values[c]
        out[r], out[q] = a * scale[r], b * scale[q]

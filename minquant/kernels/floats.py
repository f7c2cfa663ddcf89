"""Float weights times a vector: float32, bfloat16, fp8 E4M3.

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
    v4  ``bf16_places_matvec`` and the others: each thread reads two or three distant places of its share at once
        (``places`` below). One place in memory is read ahead by the processor only so far; the next lines of several
        places travel at the same time. On the machine this was written on, bfloat16 gained up to 1.7 times and int8
        up to 2 times on one core. Neighbouring rows do not help: they lie in the same page, which the processor takes
        for one place.

A row is summed by one thread in one fixed order, so the result does not depend on the number of threads.
``out`` is an argument: nothing is allocated per token.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ._cache import jit, parallel_jit
from .bits import bf16_to_float, e4m3_to_float

_f32 = np.float32


@jit
def places(thread, threads, rows, count):
    """(first, length, last): a thread's share is the rows first..last, read at ``count`` places ``length`` rows apart.

    The shares of all threads together are all rows. Place i starts at first + i * length; where the share does not
    divide, the last place is a little short, and whoever walks it stays at ``last``.
    """
    first, stop = thread * rows // threads, (thread + 1) * rows // threads
    return first, (stop - first + count - 1) // count, stop - 1


@parallel_jit
def float32_matvec(out, codes, x, threads):
    """out (rows,) = codes (rows, columns) float32 @ x (columns,) float32."""
    for thread in prange(threads):
        first, length, last = places(thread, threads, codes.shape[0], 2)
        for r in range(first, first + length):
            q = min(r + length, last)
            a = b = _f32(0)
            for c in range(codes.shape[1]):
                a += codes[r, c] * x[c]
                b += codes[q, c] * x[c]
            out[r], out[q] = a, b


@parallel_jit
def bf16_matvec(out, codes, x):
    """out (rows,) float32 = codes (rows, columns) uint16 bits of bfloat16 @ x (columns,) float32."""
    for r in prange(codes.shape[0]):
        total = _f32(0)
        for c in range(codes.shape[1]):
            total += bf16_to_float(codes[r, c]) * x[c]
        out[r] = total


@parallel_jit
def bf16_places_matvec(out, codes, x, threads):
    """``bf16_matvec`` as v4: every thread reads three places of its rows at once."""
    for thread in prange(threads):
        first, length, last = places(thread, threads, codes.shape[0], 3)
        for r in range(first, first + length):
            q, p = min(r + length, last), min(r + 2 * length, last)
            a = b = d = _f32(0)
            for c in range(codes.shape[1]):
                a += bf16_to_float(codes[r, c]) * x[c]
                b += bf16_to_float(codes[q, c]) * x[c]
                d += bf16_to_float(codes[p, c]) * x[c]
            out[r], out[q], out[p] = a, b, d


@parallel_jit
def e4m3_matvec(out, codes, scale, x, threads):
    """out (rows,) float32 = (codes (rows, columns) int8 bits of fp8 E4M3, times scale (rows,) float32) @ x."""
    for thread in prange(threads):
        first, length, last = places(thread, threads, codes.shape[0], 2)
        for r in range(first, first + length):
            q = min(r + length, last)
            a = b = _f32(0)
            for c in range(codes.shape[1]):
                a += e4m3_to_float(codes[r, c]) * x[c]
                b += e4m3_to_float(codes[q, c]) * x[c]
            out[r], out[q] = a * scale[r], b * scale[q]

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
    v3  rows shared out over the cores by ``prange``.

A row is summed by one thread in one fixed order, so the result does not depend on the number of threads.
``out`` is an argument: nothing is allocated per token.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ._cache import parallel_jit
from .bits import bf16_to_float, e4m3_to_float

_f32 = np.float32


@parallel_jit
def float32_matvec(out, codes, x):
    """out (rows,) = codes (rows, columns) float32 @ x (columns,) float32."""
    for r in prange(codes.shape[0]):
        total = _f32(0)
        for c in range(codes.shape[1]):
            total += codes[r, c] * x[c]
        out[r] = total


@parallel_jit
def bf16_matvec(out, codes, x):
    """out (rows,) float32 = codes (rows, columns) uint16 bits of bfloat16 @ x (columns,) float32."""
    for r in prange(codes.shape[0]):
        total = _f32(0)
        for c in range(codes.shape[1]):
            total += bf16_to_float(codes[r, c]) * x[c]
        out[r] = total


@parallel_jit
def e4m3_matvec(out, codes, scale, x):
    """out (rows,) float32 = (codes (rows, columns) int8 bits of fp8 E4M3, times scale (rows,) float32) @ x."""
    for r in prange(codes.shape[0]):
        total = _f32(0)
        for c in range(codes.shape[1]):
            total += e4m3_to_float(codes[r, c]) * x[c]
        out[r] = total * scale[r]

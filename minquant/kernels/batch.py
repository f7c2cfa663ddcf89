"""The same weights times several vectors at once: why a server answers many users for little more than one.

``out[:, b] = W @ x[b]`` for b = 0..B-1. Memory still delivers every weight once; what grows with B is arithmetic.

    decode two rows of W to float32      from two distant places (``floats.py``, v4); a few kilobytes, which stay in the
                                         innermost cache
    for every four vectors               eight dot products side by side: six numbers are loaded for eight
                                         multiplications, where one dot product alone loads two for one

As long as the products take less time than memory needs for the two rows, more vectors are free; from some B on
the cores are the limit and time grows in proportion (the roofline of Williams et al. 2009). One kernel for every
format and every B, so that the sweep compares like with like.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ._cache import jit, parallel_jit
from .floats import places
from .packed import stored_rows
from .rows import decode_row

_f32 = np.float32


@jit
def _eight_dots(out_a, out_b, a, b, x, first):
    """out_a[first + i] = a . x[first + i] and out_b[first + i] = b . x[first + i] for i = 0..3."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = _f32(0)
    for k in range(a.size):
        x0, x1, x2, x3 = x[first, k], x[first + 1, k], x[first + 2, k], x[first + 3, k]
        a0, a1, a2, a3 = a0 + a[k] * x0, a1 + a[k] * x1, a2 + a[k] * x2, a3 + a[k] * x3
        b0, b1, b2, b3 = b0 + b[k] * x0, b1 + b[k] * x1, b2 + b[k] * x2, b3 + b[k] * x3
    out_a[first], out_a[first + 1], out_a[first + 2], out_a[first + 3] = a0, a1, a2, a3
    out_b[first], out_b[first + 1], out_b[first + 2], out_b[first + 3] = b0, b1, b2, b3


@jit
def _one_dot(out, row, x, first):
    """out[first] = row . x[first]."""
    total = _f32(0)
    for k in range(row.size):
        total += row[k] * x[first, k]
    out[first] = total


@parallel_jit
def batch_matvec(out, m, layer, x, decoded):
    """``out[:, b] = m[layer] @ x[b]``.

    out (rows, B), x (B, columns) float32; m packed; decoded (threads, 2, at least columns) float32 is working space.
    """
    rows, threads = out.shape[0], decoded.shape[0]
    size, columns = x.shape
    whole = size - size % 4
    for thread in prange(threads):
        a, b = decoded[thread, 0, :columns], decoded[thread, 1, :columns]
        start, length, last = places(thread * rows // threads, (thread + 1) * rows // threads, 2)
        for r in range(start, start + length):
            q = min(r + length, last)
            decode_row(a, m, layer, r)
            decode_row(b, m, layer, q)
            for first in range(0, whole, 4):
                _eight_dots(out[r], out[q], a, b, x, first)
            for first in range(whole, size):
                _one_dot(out[r], a, x, first)
                _one_dot(out[q], b, x, first)


@jit
def batch_pass(out, weights, hidden, attended, inner, decoded):
    """Every matrix of a model once, times B vectors: what a pass over the weights costs, without attention.

    out (most rows of any matrix, B) float32 is overwritten by each product; hidden (B, hidden), attended
    (B, heads * head size) and inner (B, ffn) float32 are what the matrices are multiplied by.
    """
    w = weights
    for layer in range(w.qkv.codes.shape[0]):
        batch_matvec(out[:stored_rows(w.qkv)], w.qkv, layer, hidden, decoded)
        batch_matvec(out[:stored_rows(w.output)], w.output, layer, attended, decoded)
        batch_matvec(out[:stored_rows(w.gate_up)], w.gate_up, layer, hidden, decoded)
        batch_matvec(out[:stored_rows(w.down)], w.down, layer, inner, decoded)
    batch_matvec(out[:stored_rows(w.head)], w.head, 0, hidden, decoded)

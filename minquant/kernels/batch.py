"""The same weights times several vectors at once: why a server answers many users for little more than one.

``out[:, b] = W @ x[b]`` for b = 0..B-1. Memory still delivers every weight once; what grows with B is arithmetic.

    decode one row of W to float32       columns floats: a few kilobytes, which stay in the innermost cache
    for every four vectors               a weight is loaded into a register once and used four times
        four dot products

As long as the four-at-a-time products take less time than memory needs for the row, more vectors are free; from some B
on the cores are the limit and time grows in proportion (the roofline of Williams et al. 2009). One kernel for every
format and every B, so that the sweep compares like with like.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ._cache import jit, parallel_jit
from .matvec import decode_row

_f32 = np.float32


@jit
def _four_dots(out, row, x, first):
    """out[first + i] = row . x[first + i] for i = 0..3."""
    a = b = c = d = _f32(0)
    for k in range(row.size):
        w = row[k]
        a += w * x[first, k]
        b += w * x[first + 1, k]
        c += w * x[first + 2, k]
        d += w * x[first + 3, k]
    out[first], out[first + 1], out[first + 2], out[first + 3] = a, b, c, d


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

    out (rows, B), x (B, columns) float32; m packed; decoded (threads, columns) float32 is working space.
    """
    rows, threads = out.shape[0], decoded.shape[0]
    whole = x.shape[0] - x.shape[0] % 4
    for thread in prange(threads):
        row = decoded[thread, :x.shape[1]]
        for r in range(thread * rows // threads, (thread + 1) * rows // threads):
            decode_row(row, m, layer, r)
            for first in range(0, whole, 4):
                _four_dots(out[r], row, x, first)
            for first in range(whole, x.shape[0]):
                _one_dot(out[r], row, x, first)


@jit
def batch_pass(out, weights, hidden, attended, inner, decoded):
    """Every matrix of a model once, times B vectors: what a pass over the weights costs, without attention.

    out (most rows of any matrix, B) float32 is overwritten by each product; hidden (B, hidden), attended
    (B, heads * head size) and inner (B, ffn) float32 are what the matrices are multiplied by.
    """
    w = weights
    for layer in range(w.qkv.codes.shape[0]):
        batch_matvec(out[:w.qkv.codes.shape[1]], w.qkv, layer, hidden, decoded)
        batch_matvec(out[:w.output.codes.shape[1]], w.output, layer, attended, decoded)
        batch_matvec(out[:w.gate_up.codes.shape[1]], w.gate_up, layer, hidden, decoded)
        batch_matvec(out[:w.down.codes.shape[1]], w.down, layer, inner, decoded)
    batch_matvec(out[:w.head.codes.shape[1]], w.head, 0, hidden, decoded)

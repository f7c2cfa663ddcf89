"""Packed weights times many vectors at once: where reading is no longer the limit.

``out[t] = W @ x[t]`` for T tokens t. A weight is read, and decoded, once for all of them, so that from a few dozen
tokens on the time goes into arithmetic, and a kernel is measured by the multiplications and additions per second.

    decode EIGHT rows of W to float32     a *tile* per thread: never more of W than that is in float
    for DEPTH columns of the tile         these eight pieces of rows stay in the innermost cache
        for three tokens                  their pieces are read once for the eight rows
            for four rows                 twelve dot products side by side: a *block*

Why twelve: a core that starts two multiply-adds per cycle, each of which takes four, needs eight running at once, and
loads two vectors a cycle. Twelve dot products use seven loaded vectors for twelve multiply-adds, so loads do not hold
up arithmetic; twelve sums and the numbers they need just fill the sixteen vector registers of AVX2. (Blocks in
registers, panels in caches: Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication", section 4.)

Both operands lie row by row, so a block needs no packing. Rows are a cache line longer than they need be (``stride``):
at a distance of 4 kB all seven would fight for the same place in the cache.

What we leave out: vectors of 512 bits, and products of whole numbers where the activations are whole numbers too.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ._cache import jit, parallel_jit
from .rows import decode_row
from .targets import TARGET

_f32 = np.float32
EIGHT = 8          # rows of a tile
BLOCK_ROWS, BLOCK_TOKENS = 4, 3
DEPTH = 512        # columns: 8 x 512 x 4 bytes are half of an innermost cache of 32 kB


@jit
def padded(count, multiple):
    """The next multiple, or the number itself."""
    return (count + multiple - 1) // multiple * multiple


@jit
def stride(columns):
    """Distance of two rows of so many float32 in working space: whole vectors, and not a power of two."""
    return padded(columns, 8) + 16


@jit
def plain_block(sums, s, s_stride, a, i, a_stride, b, j, b_stride, n):
    """sums[s + t * s_stride + r] += a_r . b_t for four rows a_r and three tokens b_t of n numbers.

    All arrays are flat float32: a_r starts at a[i + r * a_stride], b_t at b[j + t * b_stride]. n a multiple of 8.
    """
    for t in range(BLOCK_TOKENS):
        a0 = a1 = a2 = a3 = _f32(0)
        first, place = j + t * b_stride, s + t * s_stride
        for k in range(n):
            x = b[first + k]
            a0 += a[i + k] * x
            a1 += a[i + a_stride + k] * x
            a2 += a[i + 2 * a_stride + k] * x
            a3 += a[i + 3 * a_stride + k] * x
        sums[place] += a0
        sums[place + 1] += a1
        sums[place + 2] += a2
        sums[place + 3] += a3


if TARGET is None:
    block = plain_block
else:
    from .simd_tiles import block


@jit
def tile_product(sums, s_stride, a, a_first, a_stride, rows, b, b_first, b_stride, tokens, columns):
    """``sums[t * s_stride + r] = a_r . b_t``; all arrays flat float32.

    rows a multiple of 4, tokens of 3, columns of 8: what is too much is computed too, from whatever lies there.
    """
    for t in range(tokens):
        for r in range(rows):
            sums[t * s_stride + r] = _f32(0)
    for k in range(0, columns, DEPTH):
        n = min(DEPTH, columns - k)
        for t in range(0, tokens, BLOCK_TOKENS):
            for r in range(0, rows, BLOCK_ROWS):
                block(sums, t * s_stride + r, s_stride, a, a_first + r * a_stride + k, a_stride,
                      b, b_first + t * b_stride + k, b_stride, n)


@parallel_jit
def matmul(out, rows, m, layer, x, columns, tokens, tile, sums):
    """``out[t * rows + r] = m[layer, r] . x_t`` for all rows of a packed matrix and so many tokens.

    out flat float32; x_t = x[t * stride(columns) :][:columns], flat float32, filled up with zeros to a multiple of 8,
    with room for a multiple of 3 tokens. Working space, no NaN in it: tile (threads, 8 * stride(columns)) float32, sums
    (threads, 8 * tokens, a multiple of 3) float32. A row is summed in one order, whoever computes it and with how many
    other tokens: neither the number of threads nor that of tokens changes a result.
    """
    threads, distance, tiles = tile.shape[0], stride(columns), (rows + EIGHT - 1) // EIGHT
    for thread in prange(threads):
        own, own_sums = tile[thread], sums[thread]
        for number in range(thread * tiles // threads, (thread + 1) * tiles // threads):
            first = number * EIGHT
            count = min(EIGHT, rows - first)
            for r in range(count):
                decode_row(own[r * distance:r * distance + columns], m, layer, first + r)
            tile_product(own_sums, EIGHT, own, 0, distance, EIGHT, x, 0, distance, padded(tokens, BLOCK_TOKENS),
                         padded(columns, 8))
            for t in range(tokens):
                for r in range(count):
                    out[t * rows + first + r] = own_sums[t * EIGHT + r]

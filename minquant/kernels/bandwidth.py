"""How fast can this machine read memory? The loops that do nothing else.

Decoding a token reads every weight once, so tokens per second cannot exceed (bytes read per second) / (bytes per
token). The first factor is measured here: all threads sum a buffer several times the last-level cache, 8 bytes at a
time. The buffer is cut into blocks of 1 MiB that the threads share out; a sum of whole numbers may be reordered
freely, so that nothing but memory limits the loops.

A roof has to be at least as fast as what is held against it, and the kernels read from several places at once (v4 in
``floats.py``): a processor reads ahead in each. So there are loops over one place of a block, two, and four. On 2 cores of
a shared AMD Zen 3 machine, in alternation, two places read 1.20 times as fast as one and four 1.31 times with one
thread, 1.22 and 1.37 with two. ``benchmark.bandwidth`` takes the loop that reads fastest on the machine at hand.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ._cache import parallel_jit


@parallel_jit
def sum_blocks(out, buffer):
    """``out[b]`` (blocks,) uint64 = sum, modulo 2^64, of ``buffer[b]`` (blocks, words) uint64."""
    for b in prange(buffer.shape[0]):
        total = np.uint64(0)
        for i in range(buffer.shape[1]):
            total += buffer[b, i]
        out[b] = total


@parallel_jit
def sum_halves(out, buffer):
    """The same, both halves of a block at once; words a multiple of 2."""
    for b in prange(buffer.shape[0]):
        half = buffer.shape[1] // 2
        low = high = np.uint64(0)
        for i in range(half):
            low += buffer[b, i]
            high += buffer[b, half + i]
        out[b] = low + high


@parallel_jit
def sum_quarters(out, buffer):
    """The same, four quarters of a block at once; words a multiple of 4."""
    for b in prange(buffer.shape[0]):
        part = buffer.shape[1] // 4
        first = second = third = last = np.uint64(0)
        for i in range(part):
            first += buffer[b, i]
            second += buffer[b, part + i]
            third += buffer[b, 2 * part + i]
            last += buffer[b, 3 * part + i]
        out[b] = first + second + third + last


LOOPS = {1: sum_blocks, 2: sum_halves, 4: sum_quarters}  # by the number of places

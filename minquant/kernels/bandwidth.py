"""How fast can this machine read memory? The loop that does nothing else.

Decoding a token reads every weight once, so tokens per second cannot exceed (bytes read per second) / (bytes per
token). The first factor is measured here: all threads sum a buffer several times the last-level cache, 8 bytes at a
time. The buffer is cut into blocks of 1 MiB that the threads share out; a sum of whole numbers may be reordered
freely, so that nothing but memory limits the loop.
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

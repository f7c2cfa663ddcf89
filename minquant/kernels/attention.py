"""Attention of one new token over all cached ones, keys and values in bfloat16.

The cache of one layer is two arrays (KV heads, context, head size): the keys of one head lie side by side, so that a
token reads them from front to back. With grouped-query attention several query heads share a KV head; each thread
takes whole KV heads and reads a key once for all query heads of its group.

    scores[h, t] = q[h] . k[t] / sqrt(head size)      one pass over the keys
    p            = softmax(scores[h])                 the largest score is subtracted first: exp cannot overflow
    out[h]       = sum_t p[h, t] v[t]                 one pass over the values

What we leave out: splitting one head over several threads (pays at very long context only), quantized caches.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ._cache import jit, parallel_jit
from .bits import bf16_to_float, exp_into, float_to_bf16

_f32 = np.float32


@jit
def append(keys, values, position, k, v):
    """Write one token's k and v, both (KV heads, head size) float32, into the cache at ``position``."""
    for head in range(k.shape[0]):
        for d in range(k.shape[1]):
            keys[head, position, d] = float_to_bf16(k[head, d])
            values[head, position, d] = float_to_bf16(v[head, d])


@jit
def _softmax(scores):
    """In place: scores (length,) become weights that sum to one."""
    largest = scores[0]
    for t in range(scores.size):
        largest = max(largest, scores[t])
    for t in range(scores.size):
        scores[t] -= largest
    exp_into(scores, scores)
    total = np.float64(0)
    for t in range(scores.size):
        total += scores[t]
    share = _f32(1.0 / total)
    for t in range(scores.size):
        scores[t] *= share


@parallel_jit
def attend(out, q, keys, values, length, scores):
    """Attention output of one token.

    out, q (heads, head size) float32; keys, values (KV heads, context, head size) uint16 bits of bfloat16, of which
    the first ``length`` positions count; scores (heads, at least length) float32 is working space.
    """
    heads, size = q.shape
    group = heads // keys.shape[0]
    scale = _f32(1.0 / np.sqrt(np.float64(size)))
    for kv_head in prange(keys.shape[0]):
        for t in range(length):
            for h in range(kv_head * group, (kv_head + 1) * group):
                dot = _f32(0)
                for d in range(size):
                    dot += q[h, d] * bf16_to_float(keys[kv_head, t, d])
                scores[h, t] = dot * scale
        for h in range(kv_head * group, (kv_head + 1) * group):
            _softmax(scores[h, :length])
            for d in range(size):
                out[h, d] = _f32(0)
        for t in range(length):
            for h in range(kv_head * group, (kv_head + 1) * group):
                weight = scores[h, t]
                for d in range(size):
                    out[h, d] += weight * bf16_to_float(values[kv_head, t, d])

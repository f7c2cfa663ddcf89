"""From logits to the next token, and the loop that writes a text, in compiled code.

    temperature 0     the likeliest token; of several, the one with the lowest number
    temperature t     p = softmax(logits / t), in float64
    top_k             keep the k likeliest
    top_p             of these, keep the smallest set that has at least this share of their probability: nucleus
                      sampling, Holtzman et al. 2020 (arXiv 1904.09751), section 3.1
    draw              one of what is left, in proportion to p

The meaning is that of ``minquant.model.generation``: the same share drawn gives the same token.

A nucleus has mostly a few hundred of 150,000 tokens, so they are not sorted: a heap (Williams 1964) is built once, in
time proportional to the vocabulary, and hands out the likeliest token, the next one, and so on, until there are enough.
What it hands out is stored behind what it still holds, in the same array: nothing is allocated.

Random numbers are SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", figure 17):
a counter, scrambled. Its state is ours, one uint64, so a seed gives the same draws on every platform.

What we leave out: penalties for repetition, min-p, several texts at once.
"""

from __future__ import annotations

import numpy as np

from ._cache import exact_jit, jit
from .step import decode_step

_u64 = np.uint64
BLOCK = 16  # tokens written by one call of ``write``: Python looks for Ctrl-C in between


@exact_jit
def draw(state):
    """The next number in [0, 1), float64, a multiple of 2^-53; state (1,) uint64 moves on."""
    state[0] += _u64(0x9E3779B97F4A7C15)
    z = state[0]
    z = _u64(_u64(z ^ _u64(z >> _u64(30))) * _u64(0xBF58476D1CE4E5B9))
    z = _u64(_u64(z ^ _u64(z >> _u64(27))) * _u64(0x94D049BB133111EB))
    z = _u64(z ^ _u64(z >> _u64(31)))
    return np.float64(_u64(z >> _u64(11))) * 2.0**-53


@exact_jit
def likeliest(logits):
    """The token of the largest of logits (vocabulary,), the lowest such."""
    best = 0
    for token in range(logits.size):
        if logits[token] > logits[best]:
            best = token
    return best


@exact_jit
def probabilities(p, logits, temperature):
    """p (vocabulary,) float64 = exp((logits - largest) / temperature); returns their sum."""
    largest, total = np.float64(logits[likeliest(logits)]), 0.0
    for token in range(logits.size):
        p[token] = np.exp((np.float64(logits[token]) - largest) / temperature)
        total += p[token]
    return total


@exact_jit
def _before(p, a, b):
    """Is token a to be handed out before b?"""
    return p[a] > p[b] or (p[a] == p[b] and a < b)


@exact_jit
def _sift(heap, size, place, p):
    """Let what stands at a place sink below what is likelier: the children of i are 2i + 1 and 2i + 2."""
    token = heap[place]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _before(p, heap[child + 1], heap[child]):
            child += 1
        if not _before(p, heap[child], token):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = token


@exact_jit
def _heapify(heap, p):
    for token in range(heap.size):
        heap[token] = token
    for place in range(heap.size // 2 - 1, -1, -1):
        _sift(heap, heap.size, place, p)


@exact_jit
def _pop(heap, size, p):
    """Move the first of ``size`` tokens behind the others."""
    first, heap[0] = heap[0], heap[size - 1]
    heap[size - 1] = first
    _sift(heap, size - 1, 0, p)


@exact_jit
def sample(logits, temperature, top_k, top_p, share, p, heap):
    """Token drawn from logits (vocabulary,) float32 by ``share``, a random number in [0, 1).

    top_k: 1 or more; the vocabulary, or more, for no limit. Working space, (vocabulary,) each: p float64, heap int64.
    """
    if temperature == 0:
        return likeliest(logits)
    total, size = probabilities(p, logits, temperature), logits.size
    if top_k >= size and top_p >= 1:
        return _walk(p, size, share * total)
    _heapify(heap, p)
    most, ready = min(top_k, size), 0  # ``ready`` tokens have been handed out
    if most < size:
        total = 0.0
        for ready in range(1, most + 1):
            _pop(heap, size - ready + 1, p)
            total += p[heap[size - ready]]
    count, kept = 0, 0.0
    while count < most and kept < top_p * total:
        count += 1
        if count > ready:
            _pop(heap, size - count + 1, p)
        kept += p[heap[size - count]]
    return _walk_back(p, heap, count, share * kept)


@exact_jit
def _walk(p, size, left):
    """The first token at which the sum of p passes ``left``."""
    for token in range(size - 1):
        left -= p[token]
        if left < 0:
            return token
    return size - 1


@exact_jit
def _walk_back(p, heap, count, left):
    """The same among the ``count`` likeliest tokens, which lie at the end of heap, the likeliest last."""
    for i in range(1, count):
        left -= p[heap[heap.size - i]]
        if left < 0:
            return heap[heap.size - i]
    return heap[heap.size - count]


@jit
def write(out, read_last, stop, logits, position, weights, cache, scratch, eps, temperature, top_k, top_p, state, p,
          heap):
    """Write tokens to out (n,) int64, the first drawn from logits, each then read at ``position`` and up.

    The last of out is read only if ``read_last``. Returns how many were written: fewer than n where ``stop`` (a token,
    or -1) was, which is the last one then and is not read. logits are those after the last token read.
    """
    for i in range(out.size):
        out[i] = sample(logits, temperature, top_k, top_p, draw(state), p, heap)
        if out[i] == stop:
            return i + 1
        if read_last or i < out.size - 1:
            decode_step(logits, out[i], position + i, weights, cache, scratch, eps)
    return out.size

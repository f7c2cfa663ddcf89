"""Attention of one new token over all cached ones, in whatever format the cache holds them.

    scores[h, t] = q[h] . k[t] / sqrt(head size)      one pass over the keys
    p            = softmax(scores[h])                 the largest score is subtracted first: exp cannot overflow
    out[h]       = sum_t p[h, t] v[t]                 one pass over the values

A long context is all reading: at 16,384 tokens the cache of a 0.6B model is five times as large as its 4-bit weights.
So a cached number is read once, turned into a float32 in a register and used there, for all query heads that share
its KV head (grouped-query attention, Ainslie et al. 2023); no float copy is ever made. A scale is applied to the score of
a whole group, not to its numbers: q . (s c) = s (q . c).

The context is cut into pieces of PIECE tokens. Each piece of each KV head is a piece of work of its own: its scores, their
softmax as if there were no others, its part of the output. At the end the parts are put together, each weighted by what
its largest score and its sum say ("flash-decoding": Dao et al. 2023; the formula is section 3.1 of Milakov & Gimelshein
2018, arXiv 1805.02867). Where the pieces lie depends on the context alone, so the result does not depend on the number of
threads, and a model of three KV heads keeps two threads busy.

Which kernel reads a cache is picked by its type, as in ``matvec.py``: ``attention_simd.py`` has the fast ones,
``attention_plain.py`` the same in plain loops.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange
from numba.extending import overload

from . import attention_plain, caches
from ._cache import jit, parallel_jit
from .bits import exp_into
from .caches import GROUP, WINDOW
from .packed import aligned
from .targets import TARGET

_f32 = np.float32
PIECE = 512  # tokens


fast = attention_plain
if TARGET is not None:
    from . import attention_simd as fast
score_rows, add_rows, score_groups, add_groups = fast.score_rows, fast.add_rows, fast.score_groups, fast.add_groups


class Room(NamedTuple):
    """Working space of ``attend``, float32, allocated once. A row is as long as the rows of the cache."""

    queries: np.ndarray  # (heads, row): q / sqrt(head size), filled up with zeros
    scores: np.ndarray   # (heads, context, and a cache line)
    parts: np.ndarray    # (heads, pieces, row): the outputs of the pieces
    largest: np.ndarray  # (heads, pieces): the largest score of a piece
    total: np.ndarray    # (heads, pieces): the sum of exp(score - largest)


def make_room(heads: int, context: int, row: int) -> Room:
    """Room for a cache of ``context`` tokens with rows of so many numbers (``caches.row_length``)."""
    pieces = -(-context // PIECE)
    shapes = (heads, row), (heads, context + 16), (heads, pieces, row), (heads, pieces), (heads, pieces)
    return Room(*(aligned(shape, _f32) for shape in shapes))


# ----------------------------------------------------------------------------------------- by the type of the cache

def _flat_rows(cache):
    """(keys, their scales, values, their scales, groups a row), the arrays flat."""
    keys, values = cache.keys.reshape(-1), cache.values.reshape(-1)
    return keys, cache.key_scale.reshape(-1), values, cache.value_scale.reshape(-1), cache.key_scale.shape[3]


def _flat_bf16(cache):
    """The same; where the scales would be, something that is not looked at."""
    keys, values = cache.keys.reshape(-1), cache.values.reshape(-1)
    return keys, keys, values, values, 1


def flat_arrays(cache):
    """The arrays of a cache of rows as the kernels take them."""
    return (_flat_bf16 if isinstance(cache, caches.BFloat16Cache) else _flat_rows)(cache)


@overload(flat_arrays)
def _flat_arrays_for(cache):
    return _flat_bf16 if cache.instance_class is caches.BFloat16Cache else _flat_rows


@jit
def _score_rows(cache, head, first, stop, length, room, h, last):
    keys, scale, _, _, groups = flat_arrays(cache)
    row = head * cache.keys.shape[2] + first
    score_rows(cache, keys, scale, groups, row, stop - first, room.scores, first, room.queries, h, last)


@jit
def _add_rows(cache, head, first, stop, length, room, h, last, piece):
    _, _, values, scale, groups = flat_arrays(cache)
    row = head * cache.keys.shape[2] + first
    add_rows(cache, values, scale, groups, row, stop - first, room.parts, piece, room.scores, first, h, last)


@jit
def _runs(first, stop, ring):
    """The tokens first .. stop - 1 lie in a ring in one or two runs: (row of the first, length of run 1, of run 2)."""
    row = first % ring
    one = min(stop - first, ring - row)
    return row, one, stop - first - one


@jit
def _score_kivi(cache, head, first, stop, length, room, h, last):
    old = min(max(max(length - WINDOW, 0) // GROUP * GROUP, first), stop)  # in 2 bits: as caches.tokens_in_groups
    codes, scale, low = cache.keys.reshape(-1), cache.key_scale.reshape(-1), cache.key_min.reshape(-1)
    group, count = head * cache.keys.shape[2] + first // GROUP, (old - first) // GROUP
    score_groups(codes, scale, low, group, count, room.scores, first, room.queries, h, last)
    new, ring = caches.BFloat16Cache(cache.new_keys, cache.new_values), cache.new_keys.shape[2]
    keys, base = cache.new_keys.reshape(-1), head * ring
    row, one, two = _runs(old, stop, ring)
    score_rows(new, keys, keys, 1, base + row, one, room.scores, old, room.queries, h, last)
    score_rows(new, keys, keys, 1, base, two, room.scores, old + one, room.queries, h, last)


@jit
def _add_kivi(cache, head, first, stop, length, room, h, last, piece):
    old = min(max(max(length - WINDOW, 0) // GROUP * GROUP, first), stop)
    codes, scale, low = cache.values.reshape(-1), cache.value_scale.reshape(-1), cache.value_min.reshape(-1)
    row = head * cache.values.shape[2] + first
    add_groups(codes, scale, low, row, old - first, room.parts, piece, room.scores, first, h, last)
    new, ring = caches.BFloat16Cache(cache.new_keys, cache.new_values), cache.new_keys.shape[2]
    values, base = cache.new_values.reshape(-1), head * ring
    row, one, two = _runs(old, stop, ring)
    add_rows(new, values, values, 1, base + row, one, room.parts, piece, room.scores, old, h, last)
    add_rows(new, values, values, 1, base, two, room.parts, piece, room.scores, old + one, h, last)


_SCORE = {kind: _score_rows for kind in caches.ROWS} | {caches.KiviCache: _score_kivi}
_ADD = {kind: _add_rows for kind in caches.ROWS} | {caches.KiviCache: _add_kivi}


def score(cache, head, first, stop, length, room, h, last):
    """room.scores[h..last, first:stop] of these tokens, of ``length`` in the cache; head counts KV heads over layers."""
    _SCORE[type(cache)](cache, head, first, stop, length, room, h, last)


@overload(score)
def _score_for(cache, head, first, stop, length, room, h, last):
    kernel = _SCORE[cache.instance_class]
    return lambda cache, head, first, stop, length, room, h, last: (
        kernel(cache, head, first, stop, length, room, h, last))


def add_values(cache, head, first, stop, length, room, h, last, piece):
    """Add the weighted values of the tokens to room.parts[h..last, piece]; the weights stand where the scores stood."""
    _ADD[type(cache)](cache, head, first, stop, length, room, h, last, piece)


@overload(add_values)
def _add_values_for(cache, head, first, stop, length, room, h, last, piece):
    kernel = _ADD[cache.instance_class]
    return lambda cache, head, first, stop, length, room, h, last, piece: (
        kernel(cache, head, first, stop, length, room, h, last, piece))


# -------------------------------------------------------------------------------------------------------- every format

@jit
def _weights(scores):
    """In place: scores (n,) become exp(score - largest). Returns the largest, and their sum."""
    largest = scores[0]
    for t in range(scores.size):
        largest = max(largest, scores[t])
    for t in range(scores.size):
        scores[t] -= largest
    exp_into(scores, scores)
    total = _f32(0)
    for t in range(scores.size):
        total += scores[t]
    return largest, total


@jit
def _attend_piece(cache, layer, kv_head, piece, length, room):
    kv_heads, first, stop = cache.keys.shape[1], piece * PIECE, min((piece + 1) * PIECE, length)
    head, group = layer * kv_heads + kv_head, room.queries.shape[0] // kv_heads
    start, last = kv_head * group, (kv_head + 1) * group - 1
    score(cache, head, first, stop, length, room, start, last)
    for h in range(start, last + 1):
        room.largest[h, piece], room.total[h, piece] = _weights(room.scores[h, first:stop])
        for c in range(room.parts.shape[2]):
            room.parts[h, piece, c] = _f32(0)
    add_values(cache, head, first, stop, length, room, start, last, piece)


@jit
def _prepare(queries, q):
    """q / sqrt(head size), and zeros behind it."""
    size = q.shape[1]
    scale = _f32(1.0 / np.sqrt(np.float64(size)))
    for h in range(q.shape[0]):
        for c in range(size):
            queries[h, c] = q[h, c] * scale
        for c in range(size, queries.shape[1]):
            queries[h, c] = _f32(0)


@jit
def _combine(out, room, pieces):
    """out[h] = the parts of a head, each times exp(its largest score - the largest of all), over the sum of these."""
    for h in range(out.shape[0]):
        largest, total = room.largest[h, 0], _f32(0)
        for i in range(pieces):
            largest = max(largest, room.largest[h, i])
        for i in range(pieces):
            room.largest[h, i] = np.exp(room.largest[h, i] - largest)
            total += room.largest[h, i] * room.total[h, i]
        for c in range(out.shape[1]):
            out[h, c] = _f32(0)
        for i in range(pieces):
            weight = room.largest[h, i] / total
            for c in range(out.shape[1]):
                out[h, c] += weight * room.parts[h, i, c]


@parallel_jit
def attend(out, q, cache, layer, length, room):
    """Attention output of one token.

    out, q (heads, head size) float32; cache: of ``caches.py``, of which ``layer`` and the first ``length`` tokens
    count; room: of ``make_room``.
    """
    pieces = (length + PIECE - 1) // PIECE
    _prepare(room.queries, q)
    for item in prange(cache.keys.shape[1] * pieces):
        _attend_piece(cache, layer, item // pieces, item % pieces, length, room)
    _combine(out, room, pieces)

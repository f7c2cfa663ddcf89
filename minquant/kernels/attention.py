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

Which kernel reads a cache is picked by its type, as in ``matvec.py``: ``attention_simd.py`` and
``attention_kivi.py`` have the fast ones, ``attention_plain.py`` the same in plain loops.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import config, prange
from numba.extending import overload

from . import attention_plain, caches
from ._cache import jit, parallel_jit
from .append import append_before, append_head
from .bits import exp_into, largest_of
from .caches import BLOCK, GROUP, WINDOW
from .packed import aligned
from .targets import TARGET

_f32 = np.float32
PIECE = 512  # tokens


rows = groups = attention_plain
if TARGET is not None:
    from . import attention_kivi as groups
    from . import attention_simd as rows
score_blocks, weigh, add_rows = rows.score_blocks, rows.weigh, rows.add_rows
score_groups, add_groups = groups.score_groups, groups.add_groups


class Room(NamedTuple):
    """Working space of ``attend``, float32, allocated once. A row is as long as the rows of the cache.

    Shares are parts of the work, one per thread; sharers are the query heads that share a KV head.
    """

    queries: np.ndarray  # (heads, row): q / sqrt(head size), filled up with zeros
    scores: np.ndarray   # (shares, sharers, PIECE): products, then weights
    factors: np.ndarray  # (shares, sharers, groups of a row, PIECE): weights times scales of the values
    parts: np.ndarray    # (heads, pieces, row): the outputs of the pieces
    largest: np.ndarray  # (heads, pieces): the largest score of a piece
    total: np.ndarray    # (heads, pieces): the sum of exp(score - largest)


def make_room(heads: int, context: int, cache: caches.Cache) -> Room:
    """Room for so many query heads and at most ``context`` tokens of a cache."""
    (row, groups), sharers = caches.row_and_groups(cache), heads // cache.keys.shape[1]
    pieces, shares = -(-context // PIECE), config.NUMBA_NUM_THREADS
    shapes = ((heads, row), (shares, sharers, PIECE), (shares, sharers, groups, PIECE), (heads, pieces, row),
              (heads, pieces), (heads, pieces))
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
def distance(a, b):
    """How many items of a the array b lies behind a: ``a[distance(a, b)]``, could it be read, would be ``b[0]``."""
    return (b.ctypes.data - a.ctypes.data) // a.itemsize


@jit
def _score_rows(cache, head, first, stop, length, room, share, query):
    keys, scale, values, _, groups = flat_arrays(cache)
    block, row = head * cache.keys.shape[2] + first // BLOCK, head * cache.values.shape[2] + first
    after = distance(keys, values) + row * cache.values.shape[3]
    score_blocks(cache, keys, scale, groups, block, stop - first, room, share, query, 0, after)


@jit
def _add_rows(cache, head, first, stop, length, room, share, query, piece):
    keys, _, values, scale, groups = flat_arrays(cache)
    blocks, items = cache.keys.shape[2:4]
    weigh(cache, scale, groups, head * blocks + first // BLOCK, stop - first, room, share, 0)
    next_block = head * blocks + stop // BLOCK if stop < length else (head + 1) * blocks
    after, row = distance(values, keys) + next_block * items * BLOCK, head * cache.values.shape[2] + first
    add_rows(cache, values, groups, row, stop - first, room, share, query, piece, 0, after)


@jit
def _two_bit_tokens(first, stop, length):
    """How many of the tokens first .. stop - 1 a KiviCache has in two bits: as ``caches.tokens_in_groups``."""
    return min(max(max(length - WINDOW, 0) // GROUP * GROUP, first), stop) - first


@jit
def _runs(first, stop, ring):
    """The tokens first .. stop - 1 lie in a ring in one or two runs: (row of the first, length of run 1, of run 2)."""
    row = first % ring
    one = min(stop - first, ring - row)
    return row, one, stop - first - one


@jit
def _score_kivi(cache, head, first, stop, length, room, share, query):
    codes, scale, low = cache.keys.reshape(-1), cache.key_scale.reshape(-1), cache.key_min.reshape(-1)
    old, ring = _two_bit_tokens(first, stop, length), cache.new_values.shape[2]
    score_groups(codes, scale, low, head * cache.keys.shape[2] + first // GROUP, old // GROUP, room, share, query)
    new, keys = caches.BFloat16Cache(cache.new_keys, cache.new_values), cache.new_keys.reshape(-1)
    row, one, two = _runs(first + old, stop, ring)
    base, after = head * ring // BLOCK, distance(keys, cache.new_values) + head * ring * cache.new_values.shape[3]
    score_blocks(new, keys, keys, 1, base + row // BLOCK, one, room, share, query, old, after)
    score_blocks(new, keys, keys, 1, base, two, room, share, query, old + one, after)


@jit
def _add_kivi(cache, head, first, stop, length, room, share, query, piece):
    codes, scale, low = cache.values.reshape(-1), cache.value_scale.reshape(-1), cache.value_min.reshape(-1)
    old, ring, start = _two_bit_tokens(first, stop, length), cache.new_values.shape[2], head * cache.values.shape[2] + first
    weigh(cache, scale, cache.value_scale.shape[3], start // BLOCK, old, room, share, 0)
    add_groups(codes, low, start, old, room, share, query, piece)
    new, values = caches.BFloat16Cache(cache.new_keys, cache.new_values), cache.new_values.reshape(-1)
    row, one, two = _runs(first + old, stop, ring)
    weigh(new, values, 1, 0, one + two, room, share, old)
    after = distance(values, cache.new_keys) + (head + 1) * ring * cache.new_values.shape[3]
    add_rows(new, values, 1, head * ring + row, one, room, share, query, piece, old, after)
    add_rows(new, values, 1, head * ring, two, room, share, query, piece, old + one, after)


_SCORE = {kind: _score_rows for kind in caches.ROWS} | {caches.KiviCache: _score_kivi}
_ADD = {kind: _add_rows for kind in caches.ROWS} | {caches.KiviCache: _add_kivi}


def score(cache, head, first, stop, length, room, share, query):
    """room.scores[share] of the tokens first .. stop - 1, of ``length`` in the cache.

    head counts KV heads over all layers; query is the first of the query heads that share it.
    """
    _SCORE[type(cache)](cache, head, first, stop, length, room, share, query)


@overload(score)
def _score_for(cache, head, first, stop, length, room, share, query):
    kernel = _SCORE[cache.instance_class]
    return lambda cache, head, first, stop, length, room, share, query: (
        kernel(cache, head, first, stop, length, room, share, query))


def add_values(cache, head, first, stop, length, room, share, query, piece):
    """Add the weighted values of the tokens to room.parts[.., piece]; the weights stand where the scores stood."""
    _ADD[type(cache)](cache, head, first, stop, length, room, share, query, piece)


@overload(add_values)
def _add_values_for(cache, head, first, stop, length, room, share, query, piece):
    kernel = _ADD[cache.instance_class]
    return lambda cache, head, first, stop, length, room, share, query, piece: (
        kernel(cache, head, first, stop, length, room, share, query, piece))


# -------------------------------------------------------------------------------------------------------- every format

@jit
def _weights(scores):
    """In place: scores (n,) become exp(score - largest). Returns the largest, and their sum."""
    largest, total = largest_of(scores), _f32(0)
    for t in range(scores.size):
        scores[t] -= largest
    exp_into(scores, scores)
    for t in range(scores.size):
        total += scores[t]
    return largest, total


@jit
def _attend_piece(cache, layer, kv_head, piece, length, room, share):
    first, stop = piece * PIECE, min((piece + 1) * PIECE, length)
    head, sharers = layer * cache.keys.shape[1] + kv_head, room.scores.shape[1]
    query = kv_head * sharers
    score(cache, head, first, stop, length, room, share, query)
    for i in range(sharers):
        h = query + i
        room.largest[h, piece], room.total[h, piece] = _weights(room.scores[share, i, :stop - first])
        for c in range(room.parts.shape[2]):
            room.parts[h, piece, c] = _f32(0)
    add_values(cache, head, first, stop, length, room, share, query, piece)


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
def attend(out, q, cache, layer, length, room, k=None, v=None):
    """Attention output of one token.

    out, q (heads, head size) float32; cache: of ``caches.py``, of which ``layer`` and the first ``length`` tokens
    count; room: of ``make_room``; k, v (KV heads, head size) float32: the newest token's, to be written to the cache first.
    Without them it is there already. Whoever reads a KV head writes its part, so it need not travel between cores.
    """
    pieces = (length + PIECE - 1) // PIECE
    _prepare(room.queries, q)
    if k is not None:
        append_before(cache, layer, length - 1, k, v)
    items, shares = cache.keys.shape[1] * pieces, room.scores.shape[0]
    for share in prange(shares):
        for item in range(share * items // shares, (share + 1) * items // shares):
            if k is not None and item % pieces == pieces - 1:
                append_head(cache, layer, length - 1, item // pieces, k, v)
            _attend_piece(cache, layer, item // pieces, item % pieces, length, room, share)
    _combine(out, room, pieces)

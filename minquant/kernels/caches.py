"""How cached keys and values lie in memory: one small named tuple per format, as ``packed.py`` has for weights.

A *row* is the key, or the value, that one KV head made of one token. Keys and values are read in different ways:

    score of a token = sum over channels      keys lie in blocks of BLOCK tokens, channel by channel: a vector holds one
                                              channel of a block, and its scores grow in a register
    output of a channel = sum over tokens     values lie row by row: a vector holds BLOCK channels of one token

    keys        (layers, KV heads, blocks of tokens, row, BLOCK)
    values      (layers, KV heads, tokens, row)
    key_scale, value_scale    (layers, KV heads, blocks of tokens, groups of a row, BLOCK)

BLOCK is 8, and 16 where registers are that wide (AVX-512).

A group is what shares a scale: the whole row, with a float32, or 32 channels, with a float16 (its bits, in an int16).

    BFloat16Cache   uint16, no scale                                2 bytes a number
    E4M3Cache       int8: the bits of fp8 E4M3                      1, and the scales
    Int8Cache       int8                                            1
    Int4Cache       uint8: two numbers with a sign in a byte        1/2, and row / 2 in place of row above

``Int4Cache`` pairs the halves of a group: byte c of a group of length n has channel c in bits 0..3 and channel c + n/2 in
bits 4..7. Rows are filled up with zeros to a multiple of BLOCK (twice that for int4), so that vectors fit; heads of 32, 64
or 128 need no filling.

``KiviCache`` follows KIVI (Liu et al. 2024, arXiv 2402.02750, section 3.3 and algorithm 1). Keys have channels that are
large in every token, so a key shares its scale with *its own channel* in 32 successive tokens; values have no such
channels, and share with 32 channels of their own token. A value is ``minimum + scale * code`` with code 0..3. A group of
keys can only be written when its 32 tokens are there, so the newest tokens are kept in bfloat16, in a ring of WINDOW +
32 rows: whenever 32 more than WINDOW are in it, the oldest 32 leave it. They are quantized once, from what the ring held,
and never again.

    keys        uint8 (layers, KV heads, groups of tokens, head size, 8)    byte j: tokens j, j + 8, j + 16, j + 24
    key_scale, key_min        float16 bits (layers, KV heads, groups of tokens, head size)
    values      uint8 (layers, KV heads, tokens, head size / 4)             8 bytes a group, in the same order
    value_scale, value_min    float16 bits (layers, KV heads, blocks of tokens, head size / 32, BLOCK)
    new_keys, new_values      as in a BFloat16Cache of WINDOW + 32 tokens   token t in place t % (WINDOW + 32)

2 bits and 2 float16 per 32 numbers are 3 bits a number.

What we leave out: KIVI's own values leave the window one token at a time; here keys and values leave it together.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .packed import aligned
from .targets import FLOAT_LANES

BLOCK = FLOAT_LANES  # tokens whose keys lie together
GROUP = 32    # numbers that share a scale, where not a whole row does
WINDOW = 128  # newest tokens that a KiviCache keeps in bfloat16, at least
RING = WINDOW + GROUP


class BFloat16Cache(NamedTuple):
    """The upper half of a float32."""

    keys: np.ndarray
    values: np.ndarray


class E4M3Cache(NamedTuple):
    """fp8 E4M3."""

    keys: np.ndarray
    values: np.ndarray
    key_scale: np.ndarray
    value_scale: np.ndarray


class Int8Cache(NamedTuple):
    """int8, symmetric."""

    keys: np.ndarray
    values: np.ndarray
    key_scale: np.ndarray
    value_scale: np.ndarray


class Int4Cache(NamedTuple):
    """int4, symmetric."""

    keys: np.ndarray
    values: np.ndarray
    key_scale: np.ndarray
    value_scale: np.ndarray


class KiviCache(NamedTuple):
    """Two bits; keys grouped by channel, values by token, the newest in bfloat16."""

    keys: np.ndarray
    key_scale: np.ndarray
    key_min: np.ndarray
    values: np.ndarray
    value_scale: np.ndarray
    value_min: np.ndarray
    new_keys: np.ndarray
    new_values: np.ndarray


ROWS = (BFloat16Cache, E4M3Cache, Int8Cache, Int4Cache)
Cache = BFloat16Cache | E4M3Cache | Int8Cache | Int4Cache | KiviCache
_CODES = {BFloat16Cache: (np.uint16, 1), E4M3Cache: (np.int8, 1), Int8Cache: (np.int8, 1), Int4Cache: (np.uint8, 2)}


def row_length(kind: type, head_size: int, group: int | None) -> int:
    """Numbers in a row, those counted that fill it up; ``group`` None for one scale a row."""
    multiple = group or {Int4Cache: 2 * BLOCK, KiviCache: GROUP}.get(kind, BLOCK)
    return -(-head_size // multiple) * multiple


def make_cache(kind: type, layers: int, kv_heads: int, context: int, head_size: int, group: int | None = None) -> Cache:
    """An empty cache for ``context`` tokens. ``group``: GROUP or None, of the kinds with a choice.

    Raises ValueError where a KiviCache cannot have the head size.
    """
    heads, row = (layers, kv_heads), row_length(kind, head_size, group)
    if kind is KiviCache:
        return _make_kivi(heads, context, head_size)
    dtype, in_a_byte = _CODES[kind]
    blocks, items = -(-context // BLOCK), row // in_a_byte
    codes = aligned((*heads, blocks, items, BLOCK), dtype), aligned((*heads, context, items), dtype)
    if kind is BFloat16Cache:
        return kind(*codes)
    scale = (*heads, blocks, row // (group or row), BLOCK), np.int16 if group else np.float32
    return kind(*codes, aligned(*scale), aligned(*scale))


def _make_kivi(heads: tuple[int, int], context: int, size: int) -> KiviCache:
    if size % GROUP:
        raise ValueError(f"a 2-bit cache groups {GROUP} channels of a value, and a head of {size} is no multiple of "
                         f"{GROUP}: choose a cache of 8 or 4 bits")
    old = tokens_in_groups(context)
    key, value = (*heads, old // GROUP, size), (*heads, old // BLOCK, size // GROUP, BLOCK)
    ring = min(RING // BLOCK, -(-context // BLOCK))
    return KiviCache(aligned((*key, 8), np.uint8), aligned(key, np.int16), aligned(key, np.int16),
                     aligned((*heads, old, size // 4), np.uint8), aligned(value, np.int16), aligned(value, np.int16),
                     aligned((*heads, ring, size, BLOCK), np.uint16), aligned((*heads, ring * BLOCK, size), np.uint16))


def row_and_groups(cache: Cache) -> tuple[int, int]:
    """Numbers in a row of values, and groups in it."""
    many = {Int4Cache: 2, KiviCache: 4}.get(type(cache), 1)
    return many * cache.values.shape[3], 1 if isinstance(cache, BFloat16Cache) else cache.value_scale.shape[3]


def tokens_in_groups(tokens: int) -> int:
    """Of so many tokens, how many a KiviCache holds in 2 bits."""
    return max(tokens - WINDOW, 0) // GROUP * GROUP


def nbytes(cache: Cache) -> int:
    """Bytes the cache occupies, scales and room for tokens to come counted."""
    return sum(array.nbytes for array in cache)


def bytes_read(cache: Cache, tokens: int) -> int:
    """Bytes of the keys, values and scales of so many cached tokens, which the next token reads."""
    layers, heads = cache.values.shape[:2]

    def a_token(array: np.ndarray, tokens: int) -> int:
        """Bytes of one token, of an array whose third axis counts so many tokens together."""
        return layers * heads * math.prod(array.shape[3:]) * array.itemsize // tokens

    if not isinstance(cache, KiviCache):
        keys, values, *scales = cache
        return tokens * (a_token(keys, BLOCK) + a_token(values, 1) + sum(a_token(scale, BLOCK) for scale in scales))
    old = tokens_in_groups(tokens + 1)
    keys = old // GROUP * sum(a_token(array, 1) for array in cache[:3])
    values = old * (a_token(cache.values, 1) + a_token(cache.value_scale, BLOCK) + a_token(cache.value_min, BLOCK))
    return keys + values + (tokens - old) * (a_token(cache.new_keys, BLOCK) + a_token(cache.new_values, 1))

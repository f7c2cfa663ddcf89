"""How cached keys and values lie in memory: one small named tuple per format, as ``packed.py`` has for weights.

A *row* is the key, or the value, that one KV head made of one token. Rows of one head lie side by side, so that a new
token reads them from front to back:

    codes[layer, KV head, token]      the numbers of a row
    scale[layer, KV head, token]      one scale a row, float32, or one per 32 channels, float16 (its bits, in an int16)

    BFloat16Cache   uint16, no scale                                2 bytes a number
    E4M3Cache       int8: the bits of fp8 E4M3                      1, and the scales
    Int8Cache       int8                                            1
    Int4Cache       uint8: two numbers with a sign in a byte        1/2

A group is what shares a scale, here the whole row or 32 channels. ``Int4Cache`` pairs the halves of a group: byte c of a
group of length n has channel c in bits 0..3 and channel c + n/2 in bits 4..7. Rows are filled up with zeros to a
multiple of 8 (16 for int4), so that vectors fit; the head sizes of published models need no filling.

``KiviCache`` follows KIVI (Liu et al. 2024, arXiv 2402.02750, section 3.3 and algorithm 1). Keys have channels that are
large in every token, so a key shares its scale with *its own channel* in 32 successive tokens; values have no such
channels, and share with 32 channels of their own token. A value is ``minimum + scale * code`` with code 0..3. A group of
keys can only be written when its 32 tokens are there, so the newest tokens are kept in bfloat16, in a ring of WINDOW +
32 rows: whenever 32 more than WINDOW are in it, the oldest 32 leave it. They are quantized once, from what the ring held,
and never again.

    keys        uint8 (layers, KV heads, groups of tokens, head size, 8)    byte j: tokens j, j + 8, j + 16, j + 24
    key_scale, key_min        float16 bits (layers, KV heads, groups of tokens, head size)
    values      uint8 (layers, KV heads, tokens, head size / 4)             8 bytes a group, in the same order
    value_scale, value_min    float16 bits (layers, KV heads, tokens, head size / 32)
    new_keys, new_values      uint16 (layers, KV heads, WINDOW + 32, head size)    token t in row t % (WINDOW + 32)

2 bits and 2 float16 per 32 numbers are 3 bits a number.

What we leave out: KIVI's own values leave the window one token at a time; here keys and values leave it together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .packed import aligned

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
    multiple = group or {Int4Cache: 16, KiviCache: GROUP}.get(kind, 8)
    return -(-head_size // multiple) * multiple


def make_cache(kind: type, layers: int, kv_heads: int, context: int, head_size: int, group: int | None = None) -> Cache:
    """An empty cache for ``context`` tokens. ``group``: GROUP or None, of the kinds with a choice.

    Raises ValueError where a KiviCache cannot have the head size.
    """
    heads, row = (layers, kv_heads), row_length(kind, head_size, group)
    if kind is KiviCache:
        return _make_kivi(heads, context, head_size)
    dtype, in_a_byte = _CODES[kind]
    codes = [aligned((*heads, context, row // in_a_byte), dtype) for _ in range(2)]
    if kind is BFloat16Cache:
        return kind(*codes)
    scale = (*heads, context, row // (group or row)), np.int16 if group else np.float32
    return kind(*codes, aligned(*scale), aligned(*scale))


def _make_kivi(heads: tuple[int, int], context: int, size: int) -> KiviCache:
    if size % GROUP:
        raise ValueError(f"a 2-bit cache groups {GROUP} channels of a value, and a head of {size} is no multiple of "
                         f"{GROUP}: choose a cache of 8 or 4 bits")
    groups = tokens_in_groups(context) // GROUP
    key, value = (*heads, groups, size), (*heads, groups * GROUP, size // GROUP)
    ring = (*heads, min(RING, context), size)
    return KiviCache(aligned((*key, 8), np.uint8), aligned(key, np.int16), aligned(key, np.int16),
                     aligned((*heads, groups * GROUP, size // 4), np.uint8), aligned(value, np.int16),
                     aligned(value, np.int16), aligned(ring, np.uint16), aligned(ring, np.uint16))


def tokens_in_groups(tokens: int) -> int:
    """Of so many tokens, how many a KiviCache holds in 2 bits."""
    return max(tokens - WINDOW, 0) // GROUP * GROUP


def nbytes(cache: Cache) -> int:
    """Bytes the cache occupies, scales and room for tokens to come counted."""
    return sum(array.nbytes for array in cache)


def bytes_read(cache: Cache, tokens: int) -> int:
    """Bytes of the keys, values and scales of so many cached tokens, which the next token reads."""
    if not isinstance(cache, KiviCache):
        return sum(array[:, :, 0].nbytes for array in cache) * tokens
    old = tokens_in_groups(tokens + 1)
    *packed, keys, values = cache
    a_group = sum(array[:, :, :GROUP if array.shape[2] == cache.values.shape[2] else 1].nbytes for array in packed)
    return old // GROUP * a_group + (keys[:, :, 0].nbytes + values[:, :, 0].nbytes) * (tokens - old)

"""Write the keys and values of new tokens into a cache, rounded to its format.

The codes and scales are exactly those of ``scaling.quantize``: scale = largest magnitude / largest code, rounded to
the type it is stored in, and the numbers divided by the *stored* scale. A row of zeros has scale 1. Each row is rounded
once, when it is written; in a ``KiviCache``, when it leaves the window (``caches.py``), 32 tokens at a time.

``append`` picks the writer by the type of the cache, as ``matvec.py`` picks kernels by the type of the weights.

What we leave out: checks. Keys and values are finite where the weights are.
"""

from __future__ import annotations

import numpy as np
from numba import prange, types
from numba.extending import overload

from . import caches
from ._cache import exact_jit, parallel_jit
from .bits import bf16_to_float, float_to_bf16, float_to_e4m3, half_bits, nearest_half
from .caches import BLOCK, GROUP, RING

_f32, _i32, _u32 = np.float32, np.int32, np.uint32


# -------------------------------------------------------------------------------------------------------------- scales

@exact_jit
def _put_float(scale, i, value):
    kept = max(value, _f32(1.4e-45))  # the smallest there is
    scale[i] = kept
    return kept


@exact_jit
def _put_half(scale, i, value):
    kept = max(nearest_half(value), _f32(2.0**-24))
    scale[i] = half_bits(kept)
    return kept


def put_scale(scale, i, value):
    """Store a scale in ``scale[i]``; returns it as it is stored, a float32."""
    return (_put_float if scale.dtype == np.float32 else _put_half)(scale, i, value)


@overload(put_scale)
def _put_scale_for(scale, i, value):
    if scale.dtype == types.float32:
        return lambda scale, i, value: _put_float(scale, i, value)
    return lambda scale, i, value: _put_half(scale, i, value)


@exact_jit
def largest(x, first, stop):
    """The largest magnitude of x[first:stop]. Compared as whole numbers, which order floats of one sign as well."""
    found = _u32(0)
    for i in range(first, stop):
        found = max(found, _u32(_f32(x[i]).view(_u32) & _u32(0x7FFFFFFF)))
    return _u32(found).view(_f32)


@exact_jit
def group_scale(scale, i, x, first, stop, top):
    """Choose and store the scale of x[first:stop], whose largest magnitude is to become ``top``."""
    size = largest(x, first, stop)
    return put_scale(scale, i, _f32(1) if size == 0 else _f32(size / top))


# ---------------------------------------------------------------------------------------------------------------- rows
# Item c of a row goes to codes[start + step * c]; the scale of group g to scale[at + 8 g].

@exact_jit
def _bf16_row(codes, start, step, items, x, first, size):
    for c in range(items):
        codes[start + step * c] = float_to_bf16(x[first + c]) if c < size else np.uint16(0)


@exact_jit
def code_of(x, scale, top):
    """The integer code of a number."""
    return min(max(np.rint(_f32(x / scale)), -top), top)


@exact_jit
def _int8_row(codes, start, step, items, scale, at, groups, x, first, size):
    n = items // groups
    for g in range(groups):
        stop = min((g + 1) * n, size)
        s = group_scale(scale, at + BLOCK * g, x, first + g * n, first + stop, _f32(127))
        for c in range(g * n, stop):
            codes[start + step * c] = np.int8(code_of(x[first + c], s, _f32(127)))
        for c in range(max(stop, g * n), (g + 1) * n):
            codes[start + step * c] = np.int8(0)


@exact_jit
def _e4m3_row(codes, start, step, items, scale, at, groups, x, first, size):
    n = items // groups
    for g in range(groups):
        stop = min((g + 1) * n, size)
        s = group_scale(scale, at + BLOCK * g, x, first + g * n, first + stop, _f32(448))
        for c in range(g * n, (g + 1) * n):
            codes[start + step * c] = float_to_e4m3(_f32(x[first + c] / s)) if c < size else np.int8(0)


@exact_jit
def _int4_row(codes, start, step, items, scale, at, groups, x, first, size):
    half = items // groups
    for g in range(groups):
        begin = 2 * g * half
        s = group_scale(scale, at + BLOCK * g, x, first + begin, first + min(begin + 2 * half, size), _f32(7))
        for i in range(half):
            c = begin + i
            low = _i32(code_of(x[first + c], s, _f32(7))) if c < size else _i32(0)
            high = _i32(code_of(x[first + c + half], s, _f32(7))) if c + half < size else _i32(0)
            codes[start + step * (g * half + i)] = np.uint8(_i32(low & _i32(15)) | _i32(_i32(high & _i32(15)) << _i32(4)))


# ---------------------------------------------------------------------------------------------------------------- KIVI

@exact_jit
def _range_of_group(scale, low_out, i, low, high):
    """Store scale and minimum of a group; returns both as stored."""
    low = nearest_half(low)
    low_out[i] = half_bits(low)
    return _put_half(scale, i, _f32(1) if high <= low else _f32(_f32(high - low) / _f32(3))), low


@exact_jit
def _two_bits(x, scale, low):
    return _i32(min(max(np.rint(_f32(_f32(x - low) / scale)), _f32(0)), _f32(3)))


@exact_jit
def _place(first, step, n):
    return first + n // BLOCK * step + n % BLOCK


@exact_jit
def _two_bit_group(codes, start, scale, low_out, at, x, first, step):
    """32 bfloat16 numbers become 8 bytes from ``start``; their scale and minimum go to place ``at``.

    Byte j has number j in its lowest two bits, then j + 8, j + 16 and j + 24. A block of BLOCK numbers lies together, the
    next one ``step`` further.
    """
    low = high = bf16_to_float(x[first])
    for part in range(4):
        for j in range(8):
            value = bf16_to_float(x[_place(first, step, 8 * part + j)])
            low, high = min(low, value), max(high, value)
    s, kept_low = _range_of_group(scale, low_out, at, low, high)
    for j in range(8):
        byte = _i32(0)
        for part in range(4):
            code = _two_bits(bf16_to_float(x[_place(first, step, 8 * part + j)]), s, kept_low)
            byte = _i32(byte | _i32(code << _i32(2 * part)))
        codes[start + j] = np.uint8(byte)


@exact_jit
def _retire(cache, head, group):
    """The oldest 32 tokens of the window, group number ``group``, become 2-bit codes. head counts over all layers."""
    groups, size = cache.keys.shape[2], cache.keys.shape[3]
    first = (head * RING + group * GROUP % RING) * size  # 32 divides the ring: a group never wraps around its end
    new_keys, new_values = cache.new_keys.reshape(-1), cache.new_values.reshape(-1)
    codes, scale, low = cache.keys.reshape(-1), cache.key_scale.reshape(-1), cache.key_min.reshape(-1)
    for c in range(size):
        at = (head * groups + group) * size + c
        _two_bit_group(codes, 8 * at, scale, low, at, new_keys, first + BLOCK * c, BLOCK * size)
    codes, scale, low = cache.values.reshape(-1), cache.value_scale.reshape(-1), cache.value_min.reshape(-1)
    in_a_row = size // GROUP
    for token in range(GROUP):
        row = (head * groups + group) * GROUP + token
        for g in range(in_a_row):
            at = (row // BLOCK * in_a_row + g) * BLOCK + row % BLOCK
            _two_bit_group(codes, 8 * (row * in_a_row + g), scale, low, at, new_values,
                           first + token * size + GROUP * g, BLOCK)


# -------------------------------------------------------------------------------------------------------- one for all

def _write_bf16(cache, head, position, k, v, first, value, size):
    items, block = cache.keys.shape[3], head * cache.keys.shape[2] + position // BLOCK
    _bf16_row(cache.keys.reshape(-1), block * items * BLOCK + position % BLOCK, BLOCK, items, k, first, size)
    _bf16_row(cache.values.reshape(-1), (head * cache.values.shape[2] + position) * items, 1, items, v, value, size)


def _writer(write_row):
    """A writer for the formats with scales."""
    def write_both(cache, head, position, k, v, first, value, size):
        items, groups, lane = cache.keys.shape[3], cache.key_scale.shape[3], position % BLOCK
        block = head * cache.keys.shape[2] + position // BLOCK
        at, row = block * groups * BLOCK + lane, head * cache.values.shape[2] + position
        write_row(cache.keys.reshape(-1), block * items * BLOCK + lane, BLOCK, items,
                  cache.key_scale.reshape(-1), at, groups, k, first, size)
        write_row(cache.values.reshape(-1), row * items, 1, items,
                  cache.value_scale.reshape(-1), at, groups, v, value, size)
    return write_both


def _write_kivi(cache, head, position, k, v, first, value, size):
    window = caches.BFloat16Cache(cache.new_keys, cache.new_values)
    write(window, head, position % cache.new_values.shape[2], k, v, first, value, size)
    if position + 1 >= RING and (position + 1) % GROUP == 0:
        _retire(cache, head, (position + 1 - RING) // GROUP)


_WRITE = {caches.BFloat16Cache: _write_bf16, caches.E4M3Cache: _writer(_e4m3_row), caches.Int8Cache: _writer(_int8_row),
          caches.Int4Cache: _writer(_int4_row), caches.KiviCache: _write_kivi}


def write(cache, head, position, k, v, first, value, size):
    """Write k[first:][:size] and v[value:][:size], flat float32, at a position; head counts over all layers."""
    _WRITE[type(cache)](cache, head, position, k, v, first, value, size)


@overload(write)
def _write_for(cache, head, position, k, v, first, value, size):
    return _WRITE.get(getattr(cache, "instance_class", None))


@exact_jit
def append(cache, layer, position, k, v):
    """Write one token's k and v, both (KV heads, head size) float32, into a layer of the cache at ``position``."""
    heads, size = k.shape
    flat_k, flat_v = k.reshape(-1), v.reshape(-1)
    for head in range(heads):
        write(cache, layer * heads + head, position, flat_k, flat_v, head * size, head * size, size)


def append_before(cache, layer, position, k, v):
    """What of ``append`` must be done before any thread reads the layer: all of it, where old tokens change their place."""
    if isinstance(cache, caches.KiviCache):
        append(cache, layer, position, k, v)


def append_head(cache, layer, position, head, k, v):
    """What of ``append`` the thread can do that reads this KV head: the rest."""
    if not isinstance(cache, caches.KiviCache):
        _append_head(cache, layer, position, head, k, v)


@exact_jit
def _append_head(cache, layer, position, head, k, v):
    heads, size = k.shape
    write(cache, layer * heads + head, position, k.reshape(-1), v.reshape(-1), head * size, head * size, size)


@overload(append_before)
def _append_before_for(cache, layer, position, k, v):
    if cache.instance_class is caches.KiviCache:
        return lambda cache, layer, position, k, v: append(cache, layer, position, k, v)
    return lambda cache, layer, position, k, v: None


@overload(append_head)
def _append_head_for(cache, layer, position, head, k, v):
    if cache.instance_class is caches.KiviCache:
        return lambda cache, layer, position, head, k, v: None
    return lambda cache, layer, position, head, k, v: _append_head(cache, layer, position, head, k, v)


@parallel_jit
def append_many(cache, layer, first, k, v):
    """Write T successive tokens, from position ``first``: k and v (T, KV heads, head size) float32, contiguous.

    The same bytes as T times ``append``; threads take KV heads.
    """
    tokens, heads, size = k.shape
    flat_k, flat_v = k.reshape(-1), v.reshape(-1)
    for head in prange(heads):
        for t in range(tokens):
            start = (t * heads + head) * size
            write(cache, layer * heads + head, first + t, flat_k, flat_v, start, start, size)

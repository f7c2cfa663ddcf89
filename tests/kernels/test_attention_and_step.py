"""Attention over the cache, and the small parts of a step."""

from __future__ import annotations

import numpy as np
import pytest

import minquant as mq
import naive
from minquant.kernels import append, attention, attention_plain, bandwidth, bits, caches, step

KINDS = [(caches.BFloat16Cache, None), (caches.E4M3Cache, None), (caches.E4M3Cache, 32), (caches.Int8Cache, None),
         (caches.Int8Cache, 32), (caches.Int4Cache, None), (caches.Int4Cache, 32), (caches.KiviCache, None)]


def bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def filled(kind, group, heads, tokens, size, seed=0):
    """A cache of two layers with the same random tokens in both, one by one; k and v (tokens, KV heads, head size)."""
    k, v = np.random.default_rng(seed).standard_normal((2, tokens, heads, size)).astype(np.float32)
    cache = caches.make_cache(kind, 2, heads, tokens + 3, size, group)
    for layer in range(2):
        for t in range(tokens):
            append.append(cache, layer, t, k[t], v[t])
    return cache, k, v


def attention_of(cache, q, length, layer=1):
    """``attend`` in fresh room."""
    out = np.full(q.shape, np.nan, np.float32)
    attention.attend(out, q, cache, layer, length, attention.make_room(len(q), length + 3, cache))
    return out


@pytest.mark.parametrize("kind, group", KINDS, ids=str)
@pytest.mark.parametrize("heads, kv_heads, length, size", [(4, 4, 1, 32), (6, 2, 5, 64), (3, 1, 200, 32)])
def test_attention_of_one_token(kind, group, heads, kv_heads, length, size):
    """Against float64, over the numbers that ``naive.cached`` finds in the bytes of the cache."""
    q = 3 * np.random.default_rng(1).standard_normal((heads, size)).astype(np.float32)
    cache, *_ = filled(kind, group, kv_heads, length, size)
    keys, values = (naive.cached(cache, 1, part, length, size) for part in ("keys", "values"))
    expected = naive.attend(q, keys, values)
    out = attention_of(cache, q, length)
    np.testing.assert_allclose(out, expected, rtol=0, atol=4e-6 * np.abs(expected).max())


@pytest.mark.parametrize("kind, group", [pair for pair in KINDS if pair[0] is not caches.KiviCache], ids=str)
def test_what_is_cached_is_what_the_quantizer_gives(kind, group):
    cache, k, v = filled(kind, group, 2, 7, 64)
    name = {caches.BFloat16Cache: "bf16", caches.E4M3Cache: "fp8_e4m3", caches.Int8Cache: "int8", caches.Int4Cache: "int4"}
    scheme = name[kind] + ("" if kind is caches.BFloat16Cache else f":g{group}" if group else ":token")
    for part, x in (("keys", k), ("values", v)):
        stored = naive.cached(cache, 1, part, 7, 64).swapaxes(0, 1).reshape(-1, 64)
        np.testing.assert_array_equal(stored.astype(np.float32), mq.quantize(x.reshape(-1, 64), scheme).dequantize())


def test_a_kivi_cache_holds_what_the_paper_says():
    """Old keys by channel over 32 tokens, old values by token over 32 channels, at least 128 new tokens in bfloat16."""
    cache, k, v = filled(caches.KiviCache, None, 1, 230, 64)
    keys, values = (naive.cached(cache, 0, part, 230, 64)[0] for part in ("keys", "values"))
    expected_keys, expected_values = naive.kivi(k[:, 0], 1), naive.kivi(v[:, 0], 0)
    np.testing.assert_allclose(keys, expected_keys, rtol=0, atol=1e-6)
    np.testing.assert_allclose(values, expected_values, rtol=0, atol=1e-6)


def test_a_group_of_a_kivi_cache_is_written_once():
    rng = np.random.default_rng(0)
    cache = caches.make_cache(caches.KiviCache, 1, 1, 400, 32)
    written = {}
    for t in range(400):
        k, v = rng.standard_normal((2, 1, 32)).astype(np.float32)
        append.append(cache, 0, t, k, v)
        for g in range(caches.tokens_in_groups(t + 1) // caches.GROUP):
            now = cache.keys[0, 0, g].tobytes() + cache.values[0, 0, 32 * g:32 * g + 32].tobytes()
            assert written.setdefault(g, now) == now
    assert len(written) == (400 - caches.WINDOW) // caches.GROUP


@pytest.mark.parametrize("kind, group", KINDS, ids=str)
def test_many_tokens_are_the_same_bytes_as_one_by_one(kind, group):
    cache, k, v = filled(kind, group, 3, 170, 32)
    other = caches.make_cache(kind, 2, 3, 173, 32, group)
    append.append_many(other, 1, 0, k[:50], v[:50])
    append.append_many(other, 1, 50, k[50:], v[50:])
    q = np.ones((3, 32), np.float32)
    np.testing.assert_array_equal(attention_of(other, q, 170), attention_of(cache, q, 170))


@pytest.mark.parametrize("length", (1, 160, 577))
@pytest.mark.parametrize("kind, group", [(caches.BFloat16Cache, None), (caches.Int4Cache, 32), (caches.KiviCache, None)], ids=str)
def test_attend_appends_the_newest_token(kind, group, length):
    """As ``append`` and then ``attend``; with pieces, and where a 2-bit group is written in this very step."""
    cache, k, v = filled(kind, group, 2, length, 32)
    other = caches.make_cache(kind, 2, 2, length + 3, 32, group)
    for t in range(length - 1):
        append.append(other, 1, t, k[t], v[t])
    q, out = np.ones((4, 32), np.float32), np.zeros((4, 32), np.float32)
    attention.attend(out, q, other, 1, length, attention.make_room(4, length + 3, other), k[-1], v[-1])
    np.testing.assert_allclose(out, attention_of(cache, q, length), rtol=0, atol=1e-6)  # compiled apart
    for part in ("keys", "values"):
        np.testing.assert_array_equal(*(naive.cached(c, 1, part, length, 32) for c in (other, cache)))


@pytest.mark.needs_jit
@pytest.mark.parametrize("kind, group", KINDS, ids=str)
def test_plain_loops_agree(kind, group, monkeypatch):
    """The vector kernels against the plain ones: each function in turn, on the same room."""
    cache, *_ = filled(kind, group, 1, 230, 64)
    results, count = [], 96 if kind is caches.KiviCache else 230
    for module in (attention, attention_plain):
        room = attention.make_room(3, 230, cache)
        room.queries[...] = np.random.default_rng(1).standard_normal(room.queries.shape)
        room.parts[...], flat = 0, [a.reshape(-1) for a in cache]
        if kind is caches.KiviCache:
            keys, scale, low, values, value_scale, value_low = flat[:6]
            module.score_groups(keys, scale, low, 0, 3, room, 0, 0)
            module.weigh(cache, value_scale, 2, 0, 96, room, 0, 0)
            module.add_groups(values, value_low, 0, 96, room, 0, 0, 0)
        else:
            keys, values, *scales = flat if len(flat) > 2 else (*flat, *flat)
            groups, blocks = 64 // (group or 64), cache.keys.shape[2]
            module.score_blocks(cache, keys, scales[0], groups, blocks, 230, room, 0, 0, 0, 0)
            module.weigh(cache, scales[1], groups, blocks, 230, room, 0, 0)
            module.add_rows(cache, values, groups, 233, 230, room, 0, 0, 0, 0, 0)
        results.append((room.scores[0, :, :count].copy(), room.factors[0, :, :, :count].copy(), room.parts[:, 0].copy()))
    for got, expected in zip(*results, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=3e-6 * np.abs(expected).max())


def test_attention_does_not_overflow():
    cache = caches.make_cache(caches.BFloat16Cache, 1, 1, 2, 8)
    for t in range(2):
        append.append(cache, 0, t, np.full((1, 8), 1e10, np.float32), np.ones((1, 8), np.float32))
    out = attention_of(cache, np.full((1, 8), 1e18, np.float32), 2, layer=0)
    np.testing.assert_allclose(out, 1, rtol=1e-6)


def test_append_writes_one_position_of_one_layer():
    cache = caches.make_cache(caches.BFloat16Cache, 2, 2, 3, 8)
    for array in cache:
        array[...] = 0
    k, v = np.random.default_rng(0).standard_normal((2, 2, 8)).astype(np.float32)
    append.append(cache, 1, 1, k, v)
    np.testing.assert_allclose(bf16(cache.keys[1, :, 0, :8, 1]), k, rtol=2.0**-8)
    np.testing.assert_allclose(bf16(cache.values[1, :, 1, :8]), v, rtol=2.0**-8)
    assert not cache.keys[0].any() and not cache.keys[1, ..., [0, *range(2, caches.BLOCK)]].any()
    assert not cache.values[0].any() and not cache.values[1, :, [0, 2]].any()


def test_halves_and_fp8_are_rounded_to_nearest_even():
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(2000) * 2.0 ** rng.integers(-30, 17, 2000)).astype(np.float32)
    for value in x:
        half = np.array(bits.half_bits(bits.nearest_half(value)), np.int16).view(np.float16)
        assert half == np.float16(np.clip(value, -65504, 65504))
    e4m3 = mq.formats.get("fp8_e4m3")
    codes = np.array([bits.float_to_e4m3(value) for value in x], np.int8).view(np.uint8)
    np.testing.assert_array_equal(e4m3.decode(codes), e4m3.round(np.clip(x, -448, 448)))


def test_rms_norm():
    x, gain = np.random.default_rng(0).standard_normal((2, 48), np.float32)
    out = np.empty(48, np.float32)
    step.rms_norm(out, x, gain, 1e-5)
    np.testing.assert_allclose(out, x / np.sqrt(np.mean(x.astype(np.float64) ** 2) + 1e-5) * gain, rtol=1e-6)


def test_rotate_turns_halves_and_keeps_lengths():
    x = np.random.default_rng(0).standard_normal((2, 8), np.float32)
    angle = np.linspace(0, 2, 4)
    turned = x.copy()
    step.rotate(turned, np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32))
    for head in range(2):
        for d in range(4):
            expected = complex(x[head, d], x[head, d + 4]) * complex(np.cos(angle[d]), np.sin(angle[d]))
            assert abs(complex(turned[head, d], turned[head, d + 4]) - expected) < 1e-6


def test_swiglu():
    gate = np.array([-1e4, -100, -88, -5, -0.0, 0.5, 20, 1e4], np.float32)
    up, out = np.full(8, 2, np.float32), np.empty(8, np.float32)
    step.swiglu(out, gate, up)
    exact = gate.astype(np.float64)
    np.testing.assert_allclose(out, 2 * exact / (1 + np.exp(np.minimum(-exact, 700))), rtol=1e-6, atol=1e-30)


@pytest.mark.filterwarnings("ignore:overflow encountered")  # sums are modulo 2^64; only Python's NumPy warns
@pytest.mark.parametrize("places", bandwidth.LOOPS)
def test_reading_reads_everything(places):
    buffer = np.random.default_rng(0).integers(0, 2**64, (5, 36), np.uint64)
    out = np.zeros(5, np.uint64)
    bandwidth.LOOPS[places](out, buffer)
    np.testing.assert_array_equal(out, buffer.sum(axis=1, dtype=np.uint64))

"""Cache formats of the decoder: the packed path against the simulated one."""

from __future__ import annotations

import numpy as np
import pytest

import minquant as mq
from minquant.decoder import KV
from minquant.kernels import caches
from minquant.kernels.append import append_many
from minquant.model import Config, random_model

MINI = Config(vocab_size=37, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=128, context=32)
ODD = Config(vocab_size=37, hidden=60, layers=2, heads=5, kv_heads=1, head_dim=12, ffn=96, context=32)
LONG = Config(vocab_size=37, hidden=64, layers=2, heads=6, kv_heads=2, head_dim=32, ffn=96, context=700)
TOKENS = [5, 0, 36, 5, 17, 9, 30, 2]
RECIPES = [kv for kv in KV if kv != "kivi2"]
BY_TOKEN = [kv for kv in RECIPES if not kv.endswith(":g32")]  # of a head that is no whole number of groups
SAME_CACHE = 1e-5  # of the largest logit: only the order of float32 sums differs


def relative_error(got, expected):
    return np.abs(got - expected).max() / np.abs(expected).max()


def copy_cache(decoder, cache, first, stop):
    """Write the reference's stored keys and values into the decoder's: on the format's grid, so nothing is rounded."""
    for layer in range(decoder.config.layers):
        k, v = (np.ascontiguousarray(a[layer, :, first:stop].transpose(1, 0, 2)) for a in (cache.keys, cache.values))
        append_many(decoder._cache, layer, first, k, v)


@pytest.mark.parametrize("config, kv", [*((MINI, kv) for kv in BY_TOKEN), *((ODD, kv) for kv in BY_TOKEN),
                                        *((LONG, kv) for kv in RECIPES)])
def test_logits_equal_the_simulated_model(config, kv):
    """Before each token the decoder gets the reference's cache, so that a tie rounded otherwise is not carried on."""
    model = random_model(config, seed=3)
    reference = model.quantize(mq.Recipe(weights="bf16", head="bf16", kv=kv))
    decoder, cache, errors = mq.Decoder(model, "bf16", kv=kv, context=16), reference.new_cache(16), []
    for i, token in enumerate(TOKENS):
        copy_cache(decoder, cache, 0, i)
        errors.append(relative_error(decoder.step(token), reference.run([token], cache=cache)[0]))
    assert np.median(errors) < SAME_CACHE, errors


@pytest.mark.needs_jit
@pytest.mark.parametrize("kv", KV)
def test_token_by_token_equals_the_full_forward(kv):
    """Beyond KIVI's window too. The decoder reads the stored keys and values of the pass over all 200 tokens, and must
    say at each what the pass said there. What it cannot share is the token's own key: where the order of a sum tips a
    number of it over the edge between two codes, that token is off by a code; so nearly all, not all."""
    text = np.random.default_rng(4).integers(0, LONG.vocab_size, 200)
    model = random_model(LONG, seed=3)
    reference = model.quantize(mq.Recipe(weights="bf16", head="bf16", kv=kv))
    decoder, cache = mq.Decoder(model, "bf16", kv=kv, context=200), reference.new_cache(200)
    expected, errors = reference.run(text, cache), []
    for t, token in enumerate(text):
        errors.append(relative_error(decoder.step(token), expected[t]))
        for layer, held in enumerate(cache.layers):  # what waits for its group is in bf16
            k, v = (held.keys, held.values) if held.new_keys is None else (held.new_keys, held.new_values)
            append_many(decoder._cache, layer, t, *(np.ascontiguousarray(a[:, t:t + 1].transpose(1, 0, 2)) for a in (k, v)))
    assert np.mean(np.array(errors) < SAME_CACHE) > 0.85, np.sort(errors)[::-1][:40]


@pytest.mark.needs_jit
@pytest.mark.parametrize("kv", KV)
def test_greedy_text_of_the_trained_model_is_the_same(kv):
    model = mq.load("tiny")
    prompt = [1, 2, 3, 4]
    reference = model.quantize(mq.Recipe(weights="bf16", head="bf16", kv=kv))
    decoder, cache = mq.Decoder(model, "bf16", kv=kv, context=260), reference.new_cache(260)
    for token in prompt:
        logits, expected = decoder.step(token), reference.run([token], cache=cache)[0]
    for _ in range(256):
        token = int(np.argmax(logits))
        assert token == np.argmax(expected)
        if decoder.position < 260:
            logits, expected = decoder.step(token), reference.run([token], cache=cache)[0]


@pytest.mark.needs_jit
@pytest.mark.parametrize("kv", KV)
def test_the_number_of_threads_changes_nothing(kv):
    """Over more than one piece of the context, with three query heads to a KV head."""
    one, two = (mq.Decoder(random_model(LONG), "bf16", kv=kv, context=700, threads=n) for n in (1, 2))
    for decoder in (one, two):
        decoder.fill_cache(650)
    for token in TOKENS:
        np.testing.assert_array_equal(one.step(token), two.step(token))


@pytest.mark.parametrize("kv", KV)
def test_bytes_reported_are_bytes_held(kv):
    config = Config(vocab_size=37, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=64, ffn=128, context=32)
    decoder = mq.Decoder(random_model(config), "bf16", kv=kv, context=448)
    assert decoder.cache_nbytes == sum(a.nbytes for a in decoder._cache)
    read = decoder.bytes_per_token(447) - decoder.bytes_per_token(0)
    numbers = 2 * config.layers * config.kv_heads * config.head_dim
    if kv == "kivi2":  # 320 of 448 tokens in 3 bits, the newest 127 (and the new one) in 16
        assert read == numbers * (320 * 3 // 8 + 127 * 2)
        assert decoder.cache_nbytes == numbers * (320 * 3 // 8 + caches.RING * 2)
    else:
        bits = {"bf16": 16, "fp8_e4m3:token": 8.5, "fp8_e4m3:g32": 8.5, "int8:token": 8.5, "int8:g32": 8.5,
                "int4:token": 4.5, "int4:g32": 4.5}[kv]  # a float32 per 64 is as much as a float16 per 32
        assert read == 447 * numbers * bits / 8 and decoder.cache_nbytes == 448 * numbers * bits / 8


def test_a_format_without_a_kernel_is_named():
    with pytest.raises(ValueError, match="no kernel for a cache in 'int5:token'. The decoder caches .* in bf16, .*kivi2"):
        mq.Decoder(random_model(MINI), "bf16", kv="int5:token")
    with pytest.raises(ValueError, match="head of 16 is no multiple of 32: choose a cache of 8 or 4 bits"):
        mq.Decoder(random_model(MINI), "bf16", kv="kivi2")


def test_a_recipe_with_the_same_cache_is_taken():
    model = random_model(MINI).quantize(mq.Recipe(kv="int8:token"))
    assert mq.Decoder(model, "bf16", kv="int8:token", context=4).kv == "int8:token"
    with pytest.raises(ValueError, match="kv='int8:token'"):
        mq.Decoder(model, "bf16", kv="int4:g32", context=4)


@pytest.mark.needs_jit
def test_a_kivi_cache_rewinds_only_over_what_it_still_has():
    decoder = mq.Decoder(random_model(LONG), "bf16", kv="kivi2", context=400)
    decoder.fill_cache(300)
    before = decoder.step(1)
    decoder.rewind(300)
    np.testing.assert_array_equal(decoder.step(1), before)
    with pytest.raises(ValueError, match="cannot rewind from 301 to 200: the newest 160 tokens"):
        decoder.rewind(200)
    decoder.rewind(0)
    assert decoder.position == 0

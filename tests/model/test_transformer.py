"""The whole model against loops over heads and positions; the cache against no cache; what it refuses."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minquant.model import KVCache, Recipe, Transformer, linear_names, random_model
from minquant.scaling import fake_quantize
from tests import naive

from .conftest import SMALL, in_memory

LOOSE = 2e-6  # float32 against float64 over a few dozen products, for logits of size 1


@pytest.mark.parametrize("changes", [{}, {"tied": False}, {"heads": 2}, {"kv_heads": 6}, {"kv_heads": 1},
                                     {"rope_theta": 50.0}, {"layers": 1, "head_dim": 10},
                                     {"qk_norm": True}, {"qk_norm": True, "tied": False, "kv_heads": 3},
                                     {"rope_theta": 300.0, "rope_scaling": (4.0, 1.0, 4.0, 12), "head_dim": 8}])
def test_logits_match_the_loops(changes, tokens):
    model = in_memory(dataclasses.replace(SMALL, **changes), seed=3)
    assert any((w != 1).any() for name, w in model.weights.items() if "norm" in name), "gains of 1 would hide a mistake"
    ref = naive.logits(model.config, model.weights, tokens)
    got = model.logits(tokens)
    assert got.dtype == np.float32 and got.shape == (len(tokens), SMALL.vocab_size)
    assert_allclose(got, ref, atol=LOOSE)


@pytest.mark.parametrize("part, scheme", [("activations", "int8:token"), ("kv", "int4:token"), ("kv", "bf16"),
                                          ("attention", "int8:token"), ("activations", "int4:g4:asym")])
def test_quantized_parts_match_the_loops(part, scheme, tokens):
    """Each part is rounded where the recipe says: keys after RoPE, once; probabilities without what lies ahead."""
    model = in_memory(SMALL, seed=3)

    def through(row):
        return [float(v) for v in fake_quantize(np.array(row, np.float32), scheme)]

    ref = naive.logits(SMALL, model.weights, tokens, **{part: through})
    got = model.quantize(Recipe(**{part: scheme})).logits(tokens)
    assert np.abs(got - model.logits(tokens)).max() > 1e-4, "the part was not rounded"
    # A value that lies on the edge between two codes in float64 may fall to the other side in float32; with this seed
    # none does, so the agreement is as close as without rounding.
    assert_allclose(got, ref, atol=5 * LOOSE)


def test_the_input_of_the_output_matrix_is_rounded_only_where_the_matrix_is_too(tokens):
    model = in_memory(dataclasses.replace(SMALL, tied=False), seed=3)
    both = model.quantize(Recipe(activations="int8:token", head="bf16"))  # random weights are exact in bf16

    def through(row):
        return [float(v) for v in fake_quantize(np.array(row, np.float32), "int8:token")]

    ref = naive.logits(model.config, model.weights, tokens, activations=through, float_head=False)
    assert_allclose(both.logits(tokens), ref, atol=5 * LOOSE)


def test_no_cache_format_changes_no_bit(small, tokens):
    ref = small.logits(tokens)
    assert np.array_equal(small.quantize(Recipe(kv=None)).logits(tokens), ref)
    assert np.array_equal(small.run(tokens, small.new_cache()), ref)


def test_bf16_cache_is_rounding_keys_and_values(small, tokens, monkeypatch):
    """The same model with K and V rounded by hand between RoPE and attention."""
    got = small.quantize(Recipe(kv="bf16")).logits(tokens)
    plain = type(small)._remembered

    def rounded(self, layer, k, v, cache, prefill):
        return plain(self, layer, fake_quantize(k, "bf16"), fake_quantize(v, "bf16"), cache, prefill)

    monkeypatch.setattr(type(small), "_remembered", rounded)
    assert np.array_equal(small.logits(tokens), got)


@pytest.mark.parametrize("recipe", [
    Recipe(), Recipe(kv="int8:token"), Recipe(kv="int4:g4"), Recipe(weights="int8:channel"),
    Recipe(activations="int8:token", attention="int8:token", kv="bf16"),
])
@pytest.mark.parametrize("chunks", [[1] * 20, [7, 1, 1, 11], [20]])
def test_token_by_token_equals_all_at_once(small, recipe, chunks):
    tokens = np.random.default_rng(1).integers(0, SMALL.vocab_size, 20)
    model = small.quantize(recipe)
    cache, parts = model.new_cache(20), []
    for part in np.split(tokens, np.cumsum(chunks)[:-1]):
        parts.append(model.run(part, cache))
    assert cache.length == 20
    assert_allclose(np.concatenate(parts), model.logits(tokens), atol=1e-5)


def test_token_by_token_at_the_length_of_the_trained_model():
    model = random_model("tiny")
    model = Transformer(model.config, dict(model.weights))
    tokens = np.random.default_rng(1).integers(0, 2048, 512)
    cache = model.new_cache()
    first = model.run(tokens[:500], cache)
    rest = [model.run(tokens[i:i + 1], cache) for i in range(500, 512)]
    assert_allclose(np.concatenate([first, *rest]), model.logits(tokens), atol=1e-5)


def test_an_earlier_token_does_not_see_a_later_one(small, tokens):
    changed = tokens.copy()
    changed[-1] = 1
    assert_allclose(small.logits(changed)[:-1], small.logits(tokens)[:-1], atol=1e-6)
    assert np.abs(small.logits(changed)[-1] - small.logits(tokens)[-1]).max() > 1e-3


def test_prefill_attends_in_float_and_stores_what_it_rounded(small, tokens):
    model = small.quantize(Recipe(kv="int4:token"))
    cache, reference = model.new_cache(), small.new_cache()
    assert np.array_equal(model.run(tokens, cache, prefill=True), small.run(tokens, reference))
    assert np.array_equal(cache.keys[0, :, :7], fake_quantize(reference.keys[0, :, :7], "int4:token"))
    assert np.array_equal(cache.values[1, :, :7], fake_quantize(reference.values[1, :, :7], "int4:token"))


def test_a_stored_key_is_never_rounded_again(small, tokens):
    model = small.quantize(Recipe(kv="int4:token"))
    cache = model.new_cache()
    model.run(tokens[:4], cache)
    kept = cache.keys[:, :, :4].copy()
    model.run(tokens[4:], cache)
    assert np.array_equal(cache.keys[:, :, :4], kept)


def test_taps_show_the_input_of_every_linear_layer_and_of_attention(tokens):
    model = in_memory(dataclasses.replace(SMALL, tied=False)).quantize(Recipe(activations="int4:token"))
    seen = {}
    got = model.run(tokens, tap=lambda name, x: seen.setdefault(name, x.copy()))
    assert np.array_equal(got, model.logits(tokens)), "observing changed the result"
    names = set(linear_names(model.config)) | {"lm_head.weight"}
    attention = {f"model.layers.{i}.self_attn.{part}" for i in range(2) for part in "qkv"}
    assert set(seen) == names | attention
    assert all(seen[name].shape == (7, model.weights[name].shape[1]) for name in names)
    assert [seen[f"model.layers.1.self_attn.{part}"].shape for part in "qkv"] == [(6, 7, 4), (2, 7, 4), (2, 7, 4)]
    x = seen["model.layers.0.self_attn.v_proj.weight"]
    assert not np.array_equal(x, fake_quantize(x, "int4:token")), "a tap sees the input before it is rounded"
    v = fake_quantize(x, "int4:token") @ model.weights["model.layers.0.self_attn.v_proj.weight"].T
    assert_allclose(seen["model.layers.0.self_attn.v"].transpose(1, 0, 2).reshape(7, -1), v, atol=1e-6)


def test_last_only_is_the_last_row(small, tokens):
    assert_allclose(small.run(tokens, last_only=True), small.logits(tokens)[-1:], atol=1e-6)


@pytest.mark.parametrize("tokens, kind, words", [
    ([0, 1, 19], ValueError, "token 19 at position 2 is outside the vocabulary: this model knows 0 to 18"),
    ([-1], ValueError, "token -1 at position 0"),
    (np.array([5, 2**40]), ValueError, "token 1099511627776 at position 1"),
    ([], ValueError, "at least one"),
    ([[1, 2]], ValueError, r"shape \(T,\), not \(1, 2\)"),
    (3, ValueError, r"not \(\)"),
    ([0.5], TypeError, "whole numbers, not float64"),
    ([True], TypeError, "whole numbers, not bool"),
    ("text", TypeError, "tokenizer.encode"),
    ([1] * 25, ValueError, "25 tokens from position 0 do not fit: the model's context holds 24 tokens"),
])
def test_bad_tokens_are_named(small, tokens, kind, words):
    with pytest.raises(kind, match=words):
        small.logits(tokens)


def test_a_full_cache_is_named_and_stays_as_it_was(small):
    cache = small.new_cache(4)
    small.run([1, 2, 3], cache)
    with pytest.raises(ValueError, match="2 tokens from position 3 do not fit: the cache holds 4 tokens"):
        small.run([4, 5], cache)
    assert cache.length == 3
    with pytest.raises(ValueError, match="token 99 at position 3"):
        small.run([99], cache)
    with pytest.raises(ValueError, match="full"):
        cache.store(0, np.zeros((2, 2, 4), np.float32), np.zeros((2, 2, 4), np.float32))


@pytest.mark.parametrize("capacity", [0, -1, 25])
def test_a_cache_outside_the_context_is_refused(capacity):
    with pytest.raises(ValueError, match="allows 1 to 24"):
        KVCache(SMALL, capacity)


def test_missing_and_misshapen_weights_are_named(small):
    weights = dict(small.weights)
    del weights["model.layers.1.mlp.up_proj.weight"]
    with pytest.raises(ValueError, match=r"model.layers.1.mlp.up_proj.weight is missing.*\(24, 16\)"):
        Transformer(SMALL, weights)
    with pytest.raises(ValueError, match=r"model.norm.weight has shape \(3,\).*\(16,\)"):
        Transformer(SMALL, small.weights | {"model.norm.weight": np.ones(3, np.float32)})


def test_a_float_model_is_counted_as_bf16(small):
    assert small.config.parameters == sum(w.size for w in small.weights.values())
    assert small.nbytes == 2 * small.config.parameters
    assert small.bits_per_weight == 16


def test_a_model_says_what_it_is(small):
    model = small.quantize(Recipe(weights="bf16"))
    assert repr(model) == "Transformer(2 layers, hidden 16, vocabulary 19, 4,736 weights at 16 bits)"


def test_bits_per_weight_counts_scales_and_what_stays_in_float(small):
    model = small.quantize(Recipe(weights="int4:g8", skip="down_proj"))
    names = [n for n in linear_names(SMALL) if "down_proj" not in n]
    quantized = sum(math.prod(small.weights[n].shape) for n in names)
    assert model.nbytes == quantized // 2 + 2 * quantized // 8 + 2 * (SMALL.parameters - quantized)
    assert model.bits_per_weight == pytest.approx(8 * model.nbytes / SMALL.parameters)

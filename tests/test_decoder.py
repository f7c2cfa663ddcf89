"""The packed path against the simulated one, and what the decoder refuses."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest

import minquant as mq
from minquant.decoder import SCHEMES, takes_activations
from minquant.decoder.pack import packed_type
from minquant.kernels.caches import BLOCK
from minquant.model import Config, random_model

# Wide enough for groups of 128, and no larger than plain Python can walk. 64 divides no vocabulary here, nor does 2.
WIDE = Config(vocab_size=101, hidden=256, layers=1, heads=2, kv_heads=1, head_dim=128, ffn=256, context=16)
MINI = Config(vocab_size=37, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=128, context=32)
UNTIED = Config(vocab_size=37, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=128, context=32, tied=False)
TOKENS = [5, 0, 36, 5, 17, 9, 30, 2]

# One token's logits, where both paths read the same cached keys and values, differ by the order of float32 sums.
SAME_CACHE = 1e-5
# Left to themselves the paths round keys and values to bf16 from values that differ in the last bit; once in a while a
# tie then falls the other way, by 2^-8 of one cached number. (Two orders of summation in NumPy differ as much.) How often
# depends on the processor's vector width, so the bound is that one step itself, not what one machine showed.
OWN_CACHE = 2.0**-8
# The same with 8-bit activations: an input that falls on a tie in one path only moves by one step, 2^-7 of the largest of
# 32, and the layers behind it see that.
ONE_STEP = 2.0**-5


def relative_error(got, expected):
    return np.abs(got - expected).max() / np.abs(expected).max()


def simulated(model, weights, head=None, kv="bf16", activations=None):
    return model.quantize(mq.Recipe(weights=weights, head=head or weights, kv=kv, activations=activations))


def compare_with_same_cache(model, decoder, reference, tokens):
    """Relative error of every token's logits; before each token the decoder gets the reference's keys and values."""
    cache, errors = reference.new_cache(len(tokens)), []
    for i, token in enumerate(tokens):
        keys, values = (theirs[:, :, :i].view(np.uint32) >> 16 for theirs in (cache.keys, cache.values))
        for t in range(i):  # keys lie in blocks of tokens, channel by channel
            decoder._cache.keys[:, :, t // BLOCK, :keys.shape[3], t % BLOCK] = keys[:, :, t]
        decoder._cache.values[:, :, :i] = values
        errors.append(relative_error(decoder.step(token), reference.run([token], cache=cache)[0]))
    return np.array(errors)


PAIRS = [*((weights, None) for weights in SCHEMES),
         *((weights, "int8:g32") for weights in SCHEMES if takes_activations(weights))]


@pytest.mark.parametrize("weights, activations", PAIRS)
def test_logits_equal_the_simulated_model(weights, activations):
    wide = weights.startswith(("int3", "int2", "ternary")) or "g64" in weights or "g128" in weights
    config, tokens = (WIDE, TOKENS[:3]) if wide else (MINI, TOKENS)
    model = random_model(config, seed=3)
    reference = simulated(model, weights, activations=activations)
    decoder = mq.Decoder(model, weights, context=16, activations=activations)
    errors = compare_with_same_cache(model, decoder, reference, tokens)
    most = OWN_CACHE if activations is None else ONE_STEP
    assert np.median(errors) < SAME_CACHE and errors.max() < most  # a token's own key or value may hit a tie too


@pytest.mark.needs_jit
@pytest.mark.parametrize("weights", ("bf16", "fp8_e4m3:channel", "int8:channel", "int4:g32", "q8_0", "q4_0"))
def test_logits_of_the_tiny_shape(weights):
    model = random_model("tiny")
    tokens = np.random.default_rng(0).integers(0, 2048, 48)
    decoder, reference = mq.Decoder(model, weights, context=48), simulated(model, weights)
    errors = compare_with_same_cache(model, decoder, reference, tokens)
    assert np.mean(errors < SAME_CACHE) > 0.8 and errors.max() < OWN_CACHE  # the others hit a tie
    decoder.reset()
    got = np.stack([decoder.step(token) for token in tokens])
    assert relative_error(got, reference.logits(tokens)) < OWN_CACHE


@pytest.mark.needs_jit
def test_logits_of_the_trained_model():
    model = mq.load("tiny")
    tokens = np.random.default_rng(0).integers(0, model.config.vocab_size, 24)
    decoder, reference = mq.Decoder(model, "int8:channel", context=24), simulated(model, "int8:channel")
    assert relative_error(np.stack([decoder.step(t) for t in tokens]), reference.logits(tokens)) < OWN_CACHE


def test_head_in_another_format():
    model = random_model(MINI)
    decoder = mq.Decoder(model, "int8:channel", head="bf16", context=8)
    errors = compare_with_same_cache(model, decoder, simulated(model, "int8:channel", "bf16"), TOKENS)
    assert np.median(errors) < SAME_CACHE
    assert decoder.packed_weights.embedding is decoder.packed_weights.head


def test_an_untied_embedding_stays_in_float():
    model = random_model(UNTIED)
    decoder = mq.Decoder(model, "int8:channel", context=8)
    errors = compare_with_same_cache(model, decoder, simulated(model, "int8:channel"), TOKENS)
    assert np.median(errors) < SAME_CACHE
    assert decoder.packed_weights.embedding.codes.dtype == np.float32


def test_a_quantized_model_keeps_its_codes():
    """Not re-quantized from its dequantized values, which need not give the same codes."""
    model = random_model(MINI).quantize(mq.Recipe(weights="int4:g32", head="int8:channel", kv="bf16"))
    name = "model.layers.1.mlp.down_proj.weight"
    q = model.qtensors[name]
    odd = mq.QTensor(np.clip(q.codes + 1, -7, 7).astype(np.int8), q.scale, None, q.scheme)
    changed = type(model)(model.config, {**model.weights, name: odd.dequantize()}, recipe=model.recipe,
                          qtensors={**model.qtensors, name: odd})
    decoder = mq.Decoder(changed, "int4:g32", head="int8:channel", context=8)
    stored = decoder.packed_weights.down.scale[1]  # eight rows together
    np.testing.assert_array_equal(stored.swapaxes(1, 2).reshape(odd.scale.shape), odd.scale.view(np.int16))
    assert relative_error(decoder.step(3), changed.logits([3])[0]) < OWN_CACHE


def test_generate_is_greedy_and_starts_afresh():
    model = random_model(MINI, seed=1)
    decoder = mq.Decoder(model, "bf16", context=16)
    first = decoder.generate([3, 4, 5], 6)
    assert first.shape == (6,) and first.dtype == np.int64
    np.testing.assert_array_equal(decoder.generate([3, 4, 5], 6), first)
    assert decoder.generate([3, 4, 5], 0).shape == (0,) and decoder.position == 0
    logits = [decoder.step(t) for t in (3, 4, 5)][-1]
    for token in first:
        assert token == np.argmax(logits)
        logits = decoder.step(token)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
@pytest.mark.parametrize("weights", ("bf16", "int4:g32"))
def test_the_number_of_threads_changes_nothing(weights):
    model = random_model(MINI)
    before = numba.get_num_threads()
    one, two = (mq.Decoder(model, weights, context=8, threads=n) for n in (1, 2))
    for token in TOKENS[:3]:
        np.testing.assert_array_equal(one.step(token), two.step(token))
    assert (one.threads, two.threads) == (1, 2) and numba.get_num_threads() == before


def test_out_is_written_and_rewind_forgets():
    decoder = mq.Decoder(random_model(MINI), "int8:channel", context=4)
    out = np.zeros(MINI.vocab_size, np.float32)
    assert decoder.step(1, out=out) is out
    second = decoder.step(2)
    decoder.rewind(1)
    assert decoder.position == 1
    np.testing.assert_array_equal(decoder.step(2), second)
    assert not np.array_equal(out, second)
    with pytest.raises(ValueError, match="cannot rewind to position 5: 2 tokens"):
        decoder.rewind(5)


def test_filled_cache_is_at_its_position():
    decoder = mq.Decoder(random_model(MINI), "bf16", context=8)
    decoder.fill_cache(7)
    assert decoder.position == 7 and np.isfinite(decoder.step(0)).all()
    with pytest.raises(ValueError, match="cannot fill 9 tokens into a cache of 8"):
        decoder.fill_cache(9)


def test_bytes_are_counted():
    c, model = MINI, random_model(MINI)
    matrix = c.layers * c.hidden * (2 * c.heads * c.head_dim + 2 * c.kv_heads * c.head_dim + 3 * c.ffn)
    head, norms = c.vocab_size * c.hidden, 4 * c.hidden * (2 * c.layers + 1)
    decoder = mq.Decoder(model, "bf16", context=8)
    assert decoder.nbytes == 2 * (matrix + head) + norms
    assert decoder.bytes_per_token(0) == decoder.nbytes + 2 * c.hidden
    cached = 2 * 2 * c.layers * c.kv_heads * c.head_dim
    assert decoder.bytes_per_token(5) - decoder.bytes_per_token(0) == 5 * cached
    decoder.step(0)
    assert decoder.bytes_per_token() == decoder.bytes_per_token(1)
    whole_blocks = -(-c.vocab_size // 8) * 8 * c.hidden  # eight rows lie together
    assert mq.Decoder(model, "int4:g32", context=8).nbytes == (matrix + whole_blocks) * 18 // 32 + norms
    untied = mq.Decoder(random_model(UNTIED), "bf16", context=8)
    assert untied.nbytes - decoder.nbytes == 4 * head
    assert untied.bytes_per_token(0) == decoder.nbytes + 4 * c.hidden


def test_weights_are_asked_for_one_at_a_time():
    """No float copy of a model whose weights are made on demand."""
    model, alive = random_model(MINI), []

    class Watched(type(model.weights)):
        def __getitem__(self, name):
            import weakref
            array = super().__getitem__(name)
            if array.ndim == 2:
                alive.append(weakref.ref(array))
            assert sum(r() is not None for r in alive) <= 1, f"a weight is still held while {name} is asked for"
            return array

    mq.Decoder(type(model)(MINI, Watched(MINI)), "int8:channel", context=4)
    assert len(alive) == 7 * MINI.layers + 1


def test_repr_says_what_it_is():
    text = repr(mq.Decoder(random_model(MINI), "q4_0", context=4, threads=1))
    assert "q4_0" in text and "MB" in text and "0 of 4" in text


@pytest.mark.parametrize("weights", ("int5:g32", "int4:channel", "int8:g32:asym", "int8:g16", "fp6_e2m3:g32", "fp16"))
def test_a_format_without_a_kernel_is_named(weights):
    with pytest.raises(ValueError, match="there is no kernel for .*The decoder has bf16"):
        packed_type(weights)


@pytest.mark.parametrize("arguments, error, message", [
    ({"weights": "int9"}, ValueError, "unknown scheme"),
    ({"head": "int5:g32"}, ValueError, "no kernel for 'int5:g32'"),
    ({"kv": "int5:token"}, ValueError, "no kernel for a cache in 'int5:token'"),
    ({"context": 0}, ValueError, "context must be at least 1, not 0"),
    ({"context": 2.5}, TypeError, "context must be a whole number"),
    ({"threads": 0}, ValueError, "threads must be at least 1"),
    ({"threads": 10_000}, ValueError, "10000 threads asked for, but there are"),
])
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        mq.Decoder(random_model(MINI), **{"weights": "bf16", **arguments})


def test_only_a_transformer_is_decoded():
    with pytest.raises(TypeError, match="takes a Transformer, such as minquant.load"):
        mq.Decoder("tiny")


@pytest.mark.parametrize("token, error, message", [
    (37, ValueError, "token 37 is outside the vocabulary: this model knows 0 to 36"),
    (-1, ValueError, "token -1 is outside"),
    (1.5, TypeError, "a token is one whole number, not 1.5"),
    ([1, 2], TypeError, "a token is one whole number"),
])
def test_bad_tokens(token, error, message):
    decoder = mq.Decoder(random_model(MINI), "bf16", context=4)
    with pytest.raises(error, match=message):
        decoder.step(token)
    assert decoder.position == 0


def test_a_full_cache_says_how_to_enlarge_it():
    decoder = mq.Decoder(random_model(MINI), "bf16", context=2)
    decoder.step(0), decoder.step(1)
    with pytest.raises(ValueError, match=r"the cache is full: it holds 2 tokens.*context=4"):
        decoder.step(2)
    with pytest.raises(ValueError, match="2 prompt tokens and 4 new ones do not fit a cache of 2.*context=6"):
        decoder.generate([1, 2], 4)
    with pytest.raises(ValueError, match="n must be at least 0, not -1"):
        decoder.generate([1], -1)


def test_a_wrong_out_is_refused():
    decoder = mq.Decoder(random_model(MINI), "bf16", context=2)
    for out in (np.zeros(36, np.float32), np.zeros(37), np.zeros((37, 2), np.float32)[:, 0]):
        with pytest.raises(ValueError, match="out must be a contiguous float32 array of shape"):
            decoder.step(0, out=out)


def test_nan_in_a_weight_is_named():
    model = random_model(MINI)
    name = "model.layers.0.mlp.up_proj.weight"
    bad = np.array(model.weights[name])
    bad[3, 4] = np.nan
    broken = type(model)(MINI, {**{n: model.weights[n] for n in model.weights}, name: bad})
    with pytest.raises(ValueError, match="up_proj.*NaN"):
        mq.Decoder(broken, "int8:channel")


@pytest.mark.parametrize("recipe", ({"activations": "int8:token"}, {"attention": "int8:token"}, {"kv": "int8:token"},
                                    {"weights": "int8:channel", "skip": ("down_proj",)}))
def test_a_recipe_the_kernels_cannot_follow_is_refused(recipe):
    with pytest.raises(ValueError, match="the decoder has no kernel for that"):
        mq.Decoder(random_model(MINI).quantize(mq.Recipe(**recipe)), "int8:channel")


@pytest.mark.parametrize("change", [{"qk_norm": True}, {"qk_norm": True, "rope_scaling": (8.0, 1.0, 4.0, 16)}])
def test_norms_of_q_and_k_and_scaled_rope_in_step_and_prefill(change):
    model = random_model(replace(MINI, **change), seed=3)
    decoder = mq.Decoder(model, "q8_0", context=16)
    assert compare_with_same_cache(model, decoder, simulated(model, "q8_0"), TOKENS).max() < SAME_CACHE
    stepped = decoder.step(7)
    read = mq.Decoder(model, "q8_0", context=16).prefill([*TOKENS, 7])
    assert relative_error(read, stepped) < OWN_CACHE

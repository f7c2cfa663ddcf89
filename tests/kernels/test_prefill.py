"""A prompt at once against the simulated model, which reads it at once too, and against single steps."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import minquant as mq
from minquant.kernels import prefill
from minquant.kernels.caches import BLOCK
from minquant.model import Config, random_model

MINI = Config(vocab_size=37, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=128, context=256)
UNTIED = Config(vocab_size=37, hidden=64, layers=1, heads=3, kv_heads=1, head_dim=6, ffn=96, context=256, tied=False)
LENGTHS = (1, 2, 31, 33, 200)
SAME = 1e-5  # both attend in float: only the order of float32 sums differs
# A prompt read in steps sees its keys and values rounded to bf16.
ROUNDED_CACHE = 2.0**-6


def relative_error(got, expected):
    return np.abs(got - expected).max() / np.abs(expected).max()


def simulated(model, weights, activations=None):
    return model.quantize(mq.Recipe(weights=weights, head=weights, kv="bf16", activations=activations))


def expected_logits(reference, tokens):
    return reference.run(tokens, reference.new_cache(len(tokens)), prefill=True, last_only=True)[0]


def compare(config, weights, activations, lengths):
    model = random_model(config, seed=3)
    decoder = mq.Decoder(model, weights, context=200, activations=activations)
    reference = simulated(model, weights, activations)
    errors = []
    for length in lengths:
        tokens = np.random.default_rng(length).integers(0, config.vocab_size, length)
        decoder.reset()
        errors.append(relative_error(decoder.prefill(tokens), expected_logits(reference, tokens)))
        assert decoder.position == length
    return np.array(errors)


def test_a_short_prompt_equals_the_simulated_model():
    assert compare(MINI, "int4:g32", None, (3,)).max() < SAME


@pytest.mark.needs_jit
@pytest.mark.parametrize("config, weights", [(MINI, "bf16"), (MINI, "int4:g32"), (MINI, "nf4"),
                                             (UNTIED, "int8:channel")])
def test_a_prompt_equals_the_simulated_model(config, weights):
    assert compare(config, weights, None, LENGTHS).max() < SAME


@pytest.mark.needs_jit
@pytest.mark.parametrize("weights", ("int4:g32", "int8:g32"))
def test_a_prompt_with_8_bit_activations_equals_the_simulated_model(weights):
    """Now and then an input falls on a tie in one path only and moves by one step, as in single steps."""
    errors = compare(MINI, weights, "int8:g32", LENGTHS)
    assert np.median(errors) < SAME and errors.max() < 2.0**-5


@pytest.mark.needs_jit
@pytest.mark.parametrize("activations", (None, "int8:g32"))
def test_a_prompt_is_near_the_same_tokens_in_steps(activations):
    decoder = mq.Decoder(random_model(MINI, seed=3), "int4:g32", context=64, activations=activations)
    tokens = np.random.default_rng(0).integers(0, 37, 40)
    for token in tokens:
        one_by_one = decoder.step(token)
    cache = decoder._cache.keys[0, :, :5].copy(), decoder._cache.values[0, :, :40].copy()  # five blocks, 40 tokens
    decoder.reset()
    assert relative_error(decoder.prefill(tokens), one_by_one) < (2.0**-4 if activations else ROUNDED_CACHE)
    for mine, theirs in zip((decoder._cache.keys, decoder._cache.values), cache):  # of layer 0: the same, but for ties
        assert np.mean(mine[0, :, :theirs.shape[1]] != theirs) < 0.01
    reference = simulated(random_model(MINI, seed=3), "int4:g32", activations)
    assert relative_error(decoder.step(5), expected_logits(reference, [*tokens, 5])) < 2.0**-4


@pytest.mark.needs_jit
def test_tokens_that_follow_others_are_read_too():
    decoder = mq.Decoder(random_model(MINI), "bf16", context=8)
    decoder.prefill([1, 2, 3])
    steps = [decoder.step(token) for token in (4, 5)]
    decoder.reset()
    decoder.prefill([1, 2, 3])
    np.testing.assert_array_equal(decoder.prefill([4, 5]), steps[-1])
    assert decoder.position == 5


@pytest.mark.needs_jit
@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
@pytest.mark.parametrize("weights, activations", [("bf16", None), ("int4:g32", "int8:g32")])
def test_the_number_of_threads_changes_nothing(weights, activations):
    one, two = (mq.Decoder(random_model(MINI), weights, context=64, threads=n, activations=activations) for n in (1, 2))
    tokens = np.random.default_rng(0).integers(0, 37, 50)
    np.testing.assert_array_equal(one.prefill(tokens), two.prefill(tokens))
    np.testing.assert_array_equal(*(decoder._cache.keys[:, :, :50 // BLOCK] for decoder in (one, two)))


@pytest.mark.needs_jit
def test_greedy_text_is_that_of_the_simulated_model():
    model = random_model(MINI, seed=1)
    decoder, reference = mq.Decoder(model, "int8:channel", context=256), simulated(model, "int8:channel")
    np.testing.assert_array_equal(decoder.generate([3, 4, 5], 250), reference.generate([3, 4, 5], 250))


@pytest.mark.parametrize("tokens, most", [(1, 1), (192, 192), (193, 97), (1000, 167)])
def test_chunks_are_equal(tokens, most):
    assert prefill.chunk_length(tokens) == most <= prefill.TOKENS


@pytest.mark.parametrize("tokens, message", [([], "a row of at least one number"), ([37], "vocabulary"),
                                             ([1] * 5, "5 tokens do not fit a cache of 4 that holds 0.*context=5")])
def test_bad_prompts(tokens, message):
    decoder = mq.Decoder(random_model(MINI), "bf16", context=4)
    with pytest.raises(ValueError, match=message):
        decoder.prefill(tokens)
    assert decoder.position == 0

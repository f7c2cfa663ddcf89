"""Writing tokens: greedy, sampled, and through a quantized cache."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.model import Recipe
from minquant.model.generation import sample

from .conftest import SMALL, in_memory


def test_greedy_text_is_what_full_forward_passes_would_write(small, tokens):
    text = list(tokens)
    for _ in range(10):
        text.append(int(small.logits(text)[-1].argmax()))
    got = small.generate(tokens, 10)
    assert got.dtype == np.int64 and list(got) == text[7:]


def test_only_the_prompt_is_read_in_float(tokens):
    """The first token follows the float model; later ones read every key and value through the cache format."""
    small = in_memory(SMALL, seed=16)  # a seed at which both differences show
    model = small.quantize(Recipe(kv="int2:token"))
    got, text = model.generate(tokens, 12), list(tokens)
    cache = model.new_cache()
    text.append(int(small.logits(tokens)[-1].argmax()))
    model.run(tokens, cache, prefill=True)
    for _ in range(11):
        text.append(int(model.run(text[-1:], cache)[0].argmax()))
    assert list(got) == text[7:]
    assert list(got) != list(small.generate(tokens, 12)), "the cache format made no difference"
    assert got[0] != model.logits(tokens)[-1].argmax(), "a prompt read through the cache format would look the same"


def test_a_seed_fixes_the_text(small, tokens):
    texts = [tuple(small.generate(tokens, 12, temperature=1.0, seed=seed)) for seed in (0, 0, 1, 2)]
    assert texts[0] == texts[1] and len(set(texts)) == 3


def test_samples_follow_the_probabilities():
    p = np.array([0.1, 0.6, 0.25, 0.05])
    rng = np.random.default_rng(0)
    counts = np.bincount([sample(np.log(p), 1.0, 1.0, rng) for _ in range(20000)], minlength=4) / 20000
    assert np.abs(counts - p).max() < 0.015  # four standard errors


def test_temperature_sharpens_and_zero_takes_the_likeliest():
    p = np.array([0.1, 0.6, 0.25, 0.05])
    rng = np.random.default_rng(0)
    counts = np.bincount([sample(np.log(p), 0.5, 1.0, rng) for _ in range(20000)], minlength=4) / 20000
    assert np.abs(counts - p**2 / (p**2).sum()).max() < 0.015
    assert sample(np.log(p), 0.0, 1.0, rng) == 1
    assert sample(np.array([2.0, 2.0]), 0.0, 1.0, rng) == 0, "of equals the first"


@pytest.mark.parametrize("top_p, kept", [(0.5, {1}), (0.59, {1}), (0.61, {1, 2}), (0.94, {0, 1, 2}),
                                         (1.0, {0, 1, 2, 3})])
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p, kept):
    logits, rng = np.log(np.array([0.1, 0.6, 0.25, 0.05])), np.random.default_rng(0)
    assert {sample(logits, 1.0, top_p, rng) for _ in range(2000)} == kept


def test_a_tiny_temperature_does_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        assert sample(np.array([1.0, 3.0, 2.0], np.float32), 1e-6, 1.0, np.random.default_rng(0)) == 1


def test_the_context_may_be_filled_to_the_last_place(small):
    assert len(small.generate([1] * 20, 5)) == 5  # the fifth is written after 24 tokens, and never read
    with pytest.raises(ValueError, match="20 tokens of prompt and 6 new ones do not fit a context of 24; .* at most 5"):
        small.generate([1] * 20, 6)
    with pytest.raises(ValueError, match="at most 0"):
        small.generate([1] * 30, 1)


def test_no_tokens_asked_no_tokens_written(small):
    assert small.generate([1], 0).shape == (0,)


@pytest.mark.parametrize("given", [{"n": -1}, {"temperature": -0.1}, {"temperature": float("nan")}, {"top_p": 0.0},
                                   {"top_p": 1.5}])
def test_impossible_settings_are_refused(small, given):
    with pytest.raises(ValueError, match="generate: "):
        small.generate([1], **({"n": 3} | given))


@pytest.mark.parametrize("tokens, kind, words", [
    ([], ValueError, "token 0 starts a text"), ([50], ValueError, "token 50"), ("Return", TypeError, "encode"),
])
def test_a_bad_prompt_is_refused(small, tokens, kind, words):
    with pytest.raises(kind, match=words):
        small.generate(tokens, 3)


def test_a_broken_number_of_tokens_is_a_type_error(small):
    with pytest.raises(TypeError):
        small.generate([1], 2.5)

"""Perplexity and bits per byte against one forward pass per position."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest

import minquant as mq
from minquant.evaluation import bits_per_byte, perplexity, standard_error
from minquant.evaluation.likelihood import scored_bytes, token_nll
from minquant.model import Transformer


@pytest.mark.parametrize("context, stride", [(None, None), (12, 12), (12, 1), (8, 4), (7, 3), (1, 1), (12, 6)])
def test_nll_is_that_of_one_pass_per_position(model, tokens, context, stride):
    got = perplexity(model, tokens, context, stride)
    expected = naive.nll(model, tokens, context or 12, stride or max(1, (context or 12) // 2))
    assert got.nll.dtype == np.float64 and got.nll.shape == (len(tokens) - 1,)
    np.testing.assert_allclose(got.nll, expected, atol=2e-5)  # float32 logits of windows of different length
    assert got.value == pytest.approx(math.exp(np.mean(expected)), rel=2e-5)
    assert got.stderr == pytest.approx(got.value * standard_error(got.nll))


def test_a_text_within_the_context_is_read_once(model, tokens):
    short = tokens[:12]
    expected = [-naive.log_probabilities(row)[t] for row, t in zip(model.logits(short[:-1]), short[1:])]
    np.testing.assert_allclose(perplexity(model, short).nll, expected, atol=1e-12)


def test_an_even_guess_among_v_tokens_has_perplexity_v(model, tokens):
    weights = {name: np.zeros_like(w) if name == "model.norm.weight" else w for name, w in model.weights.items()}
    even = perplexity(Transformer(model.config, weights), tokens)
    assert even.value == pytest.approx(model.config.vocab_size) and even.stderr == pytest.approx(0, abs=1e-9)


def test_the_error_of_perplexity_is_the_slope_times_the_error_of_the_mean():
    nll = np.random.default_rng(0).gamma(2.0, size=4096)
    got = mq.Perplexity.from_nll(nll)
    error = standard_error(nll)
    assert got.stderr == pytest.approx((math.exp(nll.mean() + error) - math.exp(nll.mean() - error)) / 2, rel=1e-3)


def test_huge_logits_and_hopeless_models_do_not_overflow():
    logits = np.array([[3e38, -3e38, 0], [0, 0, 0]], np.float32)
    assert token_nll(logits, np.array([0, 1])) == pytest.approx([0, math.log(3)])
    assert mq.Perplexity.from_nll(np.array([1e5, 1e5])).value == math.inf


def test_bits_per_byte_count_the_bytes_of_the_scored_tokens(model):
    text = "thethe in é"
    tokens = np.r_[0, model.tokenizer.encode(text), 0]  # the special token at the end stands for no text
    assert scored_bytes(model, tokens) == len(text.encode())
    expected = sum(naive.nll(model, tokens, 12, 6)) / math.log(2) / len(text.encode())
    assert bits_per_byte(model, tokens) == pytest.approx(expected, rel=1e-5)


def test_progress_is_told_window_by_window(model, tokens):
    seen = []
    perplexity(model, tokens, 8, 4, progress=lambda w: (seen.append(x) or x for x in w))
    assert [w.begin for w in seen] == [4 * i for i in range(len(seen))]


@pytest.mark.parametrize("tokens, options, message", [
    ([], {}, "0 tokens leave nothing to score.*give at least 2"),
    ([0], {}, "1 tokens leave nothing to score"),
    ([0, 260], {}, "token 260 at position 1 is outside the vocabulary"),
    ([0] * 15 + [-1], {}, "token -1 at position 15 is outside the vocabulary"),
    ([0, 1], {"context": 13}, "context 13 is longer than the 12 tokens this model reads"),
    ([0, 1], {"context": 0}, "context must be a whole number of at least 1, not 0"),
    ([0, 1], {"context": 8.0}, "context must be a whole number"),
    ([0, 1], {"context": 8, "stride": 9}, "stride 9 is longer than the context of 8"),
    ([0, 1], {"stride": 0}, "stride must be a whole number of at least 1"),
    ([[0, 1], [2, 3]], {}, r"shape \(T,\), not \(2, 2\)"),
])
def test_bad_input_is_refused_with_words(model, tokens, options, message):
    with pytest.raises(ValueError, match=message):
        perplexity(model, tokens, **options)


def test_text_and_fractions_are_no_tokens(model):
    with pytest.raises(TypeError, match="turn text into them"):
        perplexity(model, "the cat")
    with pytest.raises(TypeError, match="whole numbers"):
        perplexity(model, [0.5, 1.0])


def test_bits_per_byte_need_a_tokenizer_and_text(model):
    with pytest.raises(ValueError, match="this model has no tokenizer"):
        bits_per_byte(Transformer(model.config, model.weights), [0, 1])
    with pytest.raises(ValueError, match="hold no text"):
        bits_per_byte(model, [0, 0, 0])

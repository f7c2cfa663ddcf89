"""KL and top-1 agreement against one forward pass per position."""

from __future__ import annotations

import naive
import numpy as np
import pytest

from minquant.evaluation import Reference, kl_divergence, kl_quantiles, top1_agreement
from minquant.evaluation.divergence import kl_rows
from minquant.model import Config, Transformer, random_model


@pytest.mark.parametrize("context, stride", [(None, None), (12, 12), (7, 3), (1, 1)])
def test_kl_is_that_of_one_pass_per_position(model, rounded, tokens, context, stride):
    got = kl_divergence(rounded, model, tokens, context, stride)
    expected = naive.kl(rounded, model, tokens, context or 12, stride or max(1, (context or 12) // 2))
    assert got.dtype == np.float64 and got.shape == tokens.shape
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-6)  # float32 logits of windows of different length
    assert min(expected) > 1e-4  # there is something to compare


def test_the_reference_comes_first(model, rounded, tokens):
    """KL is not symmetric: KL(reference || model) weighs by the reference's probabilities."""
    forward, backward = kl_divergence(rounded, model, tokens), kl_divergence(model, rounded, tokens)
    assert not np.allclose(forward, backward, rtol=0.01)
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.25, 0.5])
    got = kl_rows(np.log(q)[None].astype(np.float32), np.log(p)[None].astype(np.float32))
    assert got[0] == pytest.approx(0.5 * np.log(2) - 0.25 * np.log(2), abs=1e-6)


def test_equal_logits_are_at_distance_zero_exactly(model, tokens):
    assert not kl_divergence(model, model, tokens).any()
    assert top1_agreement(model, model, tokens) == 1.0


def test_kl_is_not_negative_but_for_rounding():
    rng = np.random.default_rng(0)
    reference = (10 * rng.standard_normal((2000, 50))).astype(np.float32)
    near = reference * np.float32(1 + 1e-7) + np.float32(3)  # a constant added to all logits changes nothing
    assert -1e-14 < kl_rows(near, reference).min() and kl_rows(near, reference).max() < 1e-9
    assert kl_rows(rng.standard_normal((2000, 50)), reference).min() > 0


def test_tokens_out_of_reach_count_nothing():
    logits = np.array([[0, 0, -np.float32(3e38)]], np.float32)
    assert kl_rows(logits, logits)[0] == 0
    assert kl_rows(np.zeros((1, 3), np.float32), logits)[0] == pytest.approx(np.log(3 / 2))


def test_top1_agreement_is_a_share_of_positions(model, rounded, tokens):
    rows = zip(naive.next_token_rows(model, tokens, 8, 4), naive.next_token_rows(rounded, tokens, 8, 4))
    expected = np.mean([np.argmax(a) == np.argmax(b) for a, b in rows])
    assert top1_agreement(rounded, model, tokens, 8, 4) == expected
    assert 0 < expected < 1


def test_one_token_has_a_distribution_after_it(model, rounded):
    assert kl_divergence(rounded, model, [0]).shape == (1,)


def test_a_reference_keeps_its_logits_up_to_the_limit(model, tokens):
    everything = Reference(model, tokens, 8, 4)
    logits = [everything.logits(n) for n in range(len(everything.windows))]
    assert everything.nbytes == len(tokens) * model.config.vocab_size * 4
    assert all(everything.logits(n) is kept and kept.base is None for n, kept in enumerate(logits))
    limited = Reference(model, tokens, 8, 4, memory=logits[0].nbytes + logits[1].nbytes + 1)
    again = [limited.logits(n) for n in range(len(limited.windows))]
    assert limited.nbytes == logits[0].nbytes + logits[1].nbytes
    for one, other in zip(logits, again):
        np.testing.assert_array_equal(one, other)


def test_models_that_cannot_be_compared_are_refused(model, tokens):
    other = Config(**{**model.config.__dict__, "vocab_size": 300})
    with pytest.raises(ValueError, match="the model knows 300 tokens and the reference 260"):
        kl_divergence(random_model(other), model, tokens)
    short = Transformer(Config(**{**model.config.__dict__, "context": 6}), model.weights)
    with pytest.raises(ValueError, match="read 12 tokens at once, this model reads 6 at most; give context=6"):
        kl_divergence(short, model, tokens)
    assert not kl_divergence(short, model, tokens, context=6).any()
    with pytest.raises(ValueError, match="at least one number"):
        kl_divergence(model, model, [])
    with pytest.raises(ValueError, match="context 13 is longer"):
        top1_agreement(model, model, tokens, context=13)


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_quantiles_against_a_sorted_list(count):
    kl = np.random.default_rng(count).gamma(0.2, size=count)
    got = kl_quantiles(kl)
    shares = {"kl_median": 0.5, "kl_p90": 0.9, "kl_p99": 0.99, "kl_max": 1.0}
    assert got == pytest.approx({name: naive.quantile(kl, share) for name, share in shares.items()}, rel=1e-12)
    assert got["kl_max"] == kl.max()


def test_no_tokens_have_no_quantiles():
    with pytest.raises(ValueError, match="no token"):
        kl_quantiles([])

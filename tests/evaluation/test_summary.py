"""All figures in one pass are those of the single functions; held-out text as tokens."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minquant.cli.eval import ITSELF
from minquant.evaluation import (Reference, bits_per_byte, evaluate, heldout, heldout_tokens, kl_divergence,
                                 kl_quantiles, perplexity, standard_error, top1_agreement, top1_flips)
from minquant.evaluation.summary import COMPARED
from minquant.model import Transformer


@pytest.mark.parametrize("options", [{}, {"context": 8, "stride": 8}, {"context": 5, "stride": 2}])
def test_one_pass_gives_what_the_single_functions_give(model, rounded, tokens, options):
    got = evaluate(rounded, model, tokens, **options)
    scored, kl = perplexity(rounded, tokens, **options), kl_divergence(rounded, model, tokens, **options)
    difference = scored.nll - perplexity(model, tokens, **options).nll
    flips = top1_flips(rounded, model, tokens, **options)
    np.testing.assert_allclose(got.nll, scored.nll, atol=1e-5)
    np.testing.assert_array_equal(got.kl_per_token, kl)
    np.testing.assert_array_equal(got.flips.flipped, flips.flipped)
    for name, expected in {
        "perplexity": scored.value, "perplexity_stderr": scored.stderr, "kl": kl.mean(),
        "kl_stderr": standard_error(kl),
        "bits_per_byte": bits_per_byte(rounded, tokens, **options), "bits_per_weight": rounded.bits_per_weight,
        "top1_agreement": top1_agreement(rounded, model, tokens, **options), "nll_difference": difference.mean(),
        "nll_difference_stderr": standard_error(difference), "scored_tokens": len(tokens) - 1,
        "top1_agreement_stderr": flips.stderr, "right_to_wrong": flips.right_to_wrong,
        "wrong_to_right": flips.wrong_to_right, **kl_quantiles(kl),
    }.items():
        assert getattr(got, name) == pytest.approx(expected, rel=1e-4, abs=1e-6), name


def test_without_a_reference_there_is_nothing_to_compare(model, tokens):
    got = evaluate(model, tokens=tokens)
    assert got.perplexity == perplexity(model, tokens).value and got.bits_per_weight == 16
    assert got.kl_per_token is got.flips is None
    assert all(getattr(got, name) is None for name in COMPARED) and got.figures().keys() >= set(COMPARED)
    assert (got.context, got.stride) == (12, 6)


def test_a_model_against_itself(model, tokens):
    got = evaluate(model, model, tokens)
    assert {name: getattr(got, name) for name in COMPARED} == ITSELF  # what `minquant eval` says without flags


def test_figures_are_ready_for_json(model, rounded, tokens):
    figures = evaluate(rounded, model, tokens).figures()
    assert json.loads(json.dumps(figures)) == figures
    assert {"perplexity", "perplexity_stderr", "bits_per_byte", "kl", "kl_stderr", "top1_agreement",
            "bits_per_weight"} <= figures.keys()


class Counted(Transformer):
    """A model that counts how often it is asked."""

    asked = 0

    def logits(self, tokens):
        type(self).asked += 1
        return super().logits(tokens)


def test_a_reference_is_run_once_for_many_recipes(model, rounded, tokens):
    counted = Counted(model.config, model.weights, model.tokenizer)
    reference = Reference(counted, tokens, 8, 4)
    first = evaluate(rounded, reference)
    assert Counted.asked == len(reference.windows)
    assert evaluate(rounded, reference).figures() == first.figures() == evaluate(rounded, model, tokens, 8, 4).figures()
    assert evaluate(model, reference, tokens, context=8).kl == 0
    assert Counted.asked == len(reference.windows)


def test_another_text_or_another_window_than_the_reference_s_is_refused(model, rounded, tokens):
    reference = Reference(model, tokens, 8, 4)
    with pytest.raises(ValueError, match="not those of the Reference"):
        evaluate(rounded, reference, tokens[:-1])
    with pytest.raises(ValueError, match="context 12 is not the Reference's 8"):
        evaluate(rounded, reference, context=12)
    with pytest.raises(ValueError, match="stride 8 is not the Reference's 4"):
        evaluate(rounded, reference, stride=8)
    with pytest.raises(ValueError, match="1 tokens leave nothing to score"):
        evaluate(rounded, Reference(model, [0]))


def test_the_difference_sees_what_two_error_bars_hide(model, rounded, tokens):
    """The control: the paired error is smaller than the two errors together."""
    got = evaluate(rounded, model, tokens)
    apart = np.hypot(standard_error(got.nll), standard_error(perplexity(model, tokens).nll))
    assert got.nll_difference_stderr < 0.7 * apart


def test_heldout_tokens_are_the_text_after_token_0(model):
    tokens = heldout_tokens(model)
    assert tokens[0] == 0 and tokens.dtype == np.int64
    assert model.tokenizer.decode(tokens[1:]) == heldout("test").text
    np.testing.assert_array_equal(tokens, heldout_tokens(model, "test"))
    assert not np.array_equal(tokens[:50], heldout_tokens(model, "validation")[:50])


@pytest.mark.parametrize("limit", [1, 2, 100, 8000])
def test_a_limit_cuts_between_two_tokens(model, limit):
    everything, tokens = heldout_tokens(model), heldout_tokens(model, limit_bytes=limit)
    np.testing.assert_array_equal(tokens, everything[:len(tokens)])
    size = len(b"".join(model.tokenizer.token_bytes(tokens[1:])))
    after = len(model.tokenizer.token_bytes(everything[len(tokens):len(tokens) + 1])[0])
    assert size <= limit < size + after


def test_heldout_tokens_that_cannot_be_had(model):
    with pytest.raises(ValueError, match="no tokenizer"):
        heldout_tokens(Transformer(model.config, model.weights))
    with pytest.raises(ValueError, match="limit_bytes=0 leaves nothing"):
        heldout_tokens(model, limit_bytes=0)
    with pytest.raises(ValueError, match="unknown split"):
        heldout_tokens(model, "train")

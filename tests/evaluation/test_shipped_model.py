"""What the shipped model promises: it guesses held-out text well, and loses it bit by bit."""

from __future__ import annotations

import pytest

import minquant as mq
from minquant.evaluation import Reference, evaluate, heldout_tokens

SLICE = 16_000  # bytes of the test text for the comparisons: enough to tell the levels apart


@pytest.fixture(scope="module")
def model():
    return mq.load("tiny")


@pytest.fixture(scope="module")
def measured(model):
    """Evaluation of each level against float, on one slice."""
    reference = Reference(model, heldout_tokens(model, limit_bytes=SLICE), stride=model.config.context)
    levels = {None: model} | {w: model.quantize(mq.Recipe(weights=w, head=w)) for w in ("int8:channel", "int4:channel",
                                                                                       "int3:channel", "int2:channel")}
    return {level: evaluate(quantized, reference) for level, quantized in levels.items()}


def test_the_held_out_text_costs_at_most_a_bit_and_a_half_per_byte(model):
    """In windows that do not overlap, which is the harder reading: gzip -9 needs 3.04 on the same bytes."""
    got = evaluate(model, tokens=heldout_tokens(model), stride=model.config.context)
    assert got.bits_per_byte <= 1.50


def test_int8_is_within_one_standard_error_of_float(measured):
    level, floats = measured["int8:channel"], measured[None]
    assert abs(level.perplexity - floats.perplexity) < floats.perplexity_stderr
    assert level.kl < 0.001 and level.top1_agreement > 0.98


def test_int3_loses_visibly_and_int2_collapses(measured):
    three, two = measured["int3:channel"], measured["int2:channel"]
    assert three.nll_difference > 5 * three.nll_difference_stderr > 0
    assert two.perplexity > 5 * measured[None].perplexity


def test_each_bit_less_costs_more(measured):
    kl = [measured[level].kl for level in (None, "int8:channel", "int4:channel", "int3:channel", "int2:channel")]
    assert kl[0] == 0 and all(less < more for less, more in zip(kl, kl[1:]))
    weights = [measured[level].bits_per_weight for level in ("int8:channel", "int4:channel", "int2:channel")]
    assert 8 < weights[0] < 8.2 and 4 < weights[1] < 4.2 and 2 < weights[2] < 2.2

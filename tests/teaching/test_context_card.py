"""The context slider of lesson 12: its bytes are those of the decoder, and its crossing is where it says."""

from __future__ import annotations

import pytest

import minquant as mq
from minquant.model import Config, random_model
from minquant.model.random import SHAPES
from minquant.teaching import context_card

MINI = Config(vocab_size=64, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=64, ffn=128, context=512)


@pytest.mark.parametrize("weights", context_card.WEIGHTS)
@pytest.mark.parametrize("kv", context_card.CACHES)
def test_bytes_are_those_the_decoder_reads(weights, kv):
    decoder = mq.Decoder(random_model(MINI), weights, kv=kv, context=512)
    assert context_card.weight_bytes(MINI, weights) == decoder.bytes_per_token(0)
    for tokens in (1, 100, 300):
        if kv != "kivi2":
            assert context_card.cache_bytes(MINI, kv, tokens) == decoder.bytes_per_token(tokens) - decoder.bytes_per_token(0)
        else:  # the decoder reads its own new key too, and writes a group before it reads
            assert context_card.cache_bytes(MINI, kv, tokens) <= decoder.bytes_per_token(tokens) + 2 * 32 * 2 * 2 * 2 * 64


def test_the_course_s_figure():
    """int4 weights of the 0.6b shape and a bf16 cache are equal at about 2,900 tokens."""
    assert 2_800 < context_card.crossing(SHAPES["0.6b"], "int4:g32", "bf16") < 3_000


@pytest.mark.parametrize("shape", ["tiny", "0.1b", "0.6b"])
@pytest.mark.parametrize("kv", ["bf16", "kivi2"])
def test_the_crossing_is_the_first_such_number(shape, kv):
    config = SHAPES[shape]
    equal, weights = context_card.crossing(config, "int4:g32", kv), context_card.weight_bytes(config, "int4:g32")
    assert context_card.cache_bytes(config, kv, equal) >= weights
    assert all(context_card.cache_bytes(config, kv, n) < weights for n in range(max(equal - 3000, 0), equal))


def test_the_card_says_what_it_shows():
    draw = context_card.context_drawing(10.0)
    card = draw(4096, "0.6b", "int4:g32", "bf16")
    both = context_card.weight_bytes(SHAPES["0.6b"], "int4:g32") + context_card.cache_bytes(SHAPES["0.6b"], "bf16", 4096)
    assert card.startswith("<svg") and f"{1e10 / both:.3g} tok/s" in card and "Both are equal at 2,9" in card
    assert card != draw(4096, "0.6b", "int4:g32", "kivi2") != draw(8192, "0.6b", "int4:g32", "kivi2")


@pytest.mark.parametrize("shape", SHAPES)
def test_every_card_can_be_drawn(shape):
    draw = context_card.context_drawing(10.0)
    for kv in context_card.CACHES:
        assert draw(context_card.CONTEXTS[-1], shape, "bf16", kv).endswith("</svg>")

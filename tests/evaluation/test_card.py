"""Cards: every figure is that of the model, bytes are counted by hand, a budget says what is kept."""

from __future__ import annotations

import json

import pytest

import minquant as mq
from minquant.evaluation import Reference, evaluate, heldout_tokens
from minquant.evaluation.card import (Budget, bytes_per_token, measure_card, model_card, recipe_words, report_card)
from minquant.model import Config, random_model, tensor_shapes

WORDS = {"weights": "int4:g32", "overrides": {"v_proj": "int8:g32"}, "head": "int8:channel", "kv": "int8:token"}


@pytest.fixture(scope="module")
def made():
    model = mq.load("tiny")
    reference = Reference(model, heldout_tokens(model, limit_bytes=600))
    small = model.quantize(mq.Recipe(**WORDS))
    return small, reference, measure_card(small, reference, "600 bytes", 100)


def test_bytes_by_hand(made):
    small, _, card = made
    total = 0
    for name, shape in tensor_shapes(small.config).items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        if name.endswith("embed_tokens.weight"):
            total += count + 4 * shape[0]
        elif len(shape) == 1:
            total += 2 * count
        else:
            total += count + count // 16 if "v_proj" in name else count // 2 + count // 16
    cache = 4 * 2 * 2 * 100 * (32 + 4)  # layers, keys and values, heads, tokens, a head and its float32 scale
    assert (card.nbytes, card.cache, card.moved) == (total, cache, total + cache)


def test_one_row_of_an_embedding_that_is_no_output_matrix_is_read():
    config = Config(vocab_size=96, hidden=32, layers=1, heads=2, kv_heads=1, head_dim=16, ffn=64, context=64, tied=False)
    model = random_model(config)
    assert bytes_per_token(model, 0) == model.nbytes - 95 * 32 * 2
    assert bytes_per_token(model, 10) - bytes_per_token(model, 0) == 10 * 2 * 16 * 2  # bf16 where no format is given


def test_figures_are_those_of_the_evaluation(made):
    small, reference, card = made
    assert card.evaluation.figures() == evaluate(small, reference).figures()
    assert json.loads(json.dumps(card.figures()))["recipe"] == WORDS
    assert mq.Recipe(**recipe_words(small.recipe)) == small.recipe
    text = report_card(card)
    for words in (f"{card.nbytes:,}", f"{card.moved:,}", f"{card.evaluation.kl:.4f}", "600 bytes", "not measured"):
        assert words in text
    assert "missed" not in text and "kept" not in text


def test_a_budget_says_what_is_kept_and_what_is_missed(made):
    card = made[2]
    kl = card.evaluation.kl
    assert card.within(Budget(card.nbytes, card.moved, 1.0, kl)) == {
        "nbytes": True, "moved": True, "kl": True, "tokens_per_s": False}
    assert card.within(Budget(card.nbytes - 1, None, None, kl * 0.99)) == {"nbytes": False, "kl": False}
    text = report_card(card, Budget(card.nbytes - 1, card.moved, None, None))
    assert text.count("**missed**") == 1 and text.count("| kept |") == 1


def test_a_model_card_has_all_its_parts(made):
    text = model_card(made[2], "Four", "The tiny model", "four.gguf, by a command", "Docstrings only.")
    for words in ("# Four", "The tiny model", "four.gguf", "Docstrings only.", f"{made[2].evaluation.kl:.4f}"):
        assert words in text
    with pytest.raises(ValueError, match="limits is empty"):
        model_card(made[2], "Four", "x", "y", " ")

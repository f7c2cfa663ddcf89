"""Measuring on the shipped model: the same figures as by hand, and each only once."""

from __future__ import annotations

import pytest

import minquant as mq
from minquant.evaluation import evaluate, heldout_tokens
from minquant.teaching.small_model import measure


def test_the_card_is_that_of_the_model_on_that_text():
    words = {"weights": "int3:g32", "kv": "int8:token"}
    card = measure(words, "calibration", 300, 64)
    model = mq.load("tiny")
    plain = evaluate(model.quantize(mq.Recipe(**words)), model, heldout_tokens(model, "calibration", 300))
    assert card.evaluation.kl == pytest.approx(plain.kl, rel=1e-6) and card.cached == 64
    assert measure(dict(words), "calibration", 300, 64) is card


@pytest.mark.parametrize("wrong", [None, [], "int4:g32", {"weights": "int99"}, {"wieghts": "int4"}])
def test_what_is_no_recipe_is_refused(wrong):
    with pytest.raises((TypeError, ValueError)):
        measure(wrong)

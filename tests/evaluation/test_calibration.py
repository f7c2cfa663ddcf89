"""Calibration text: the same for everyone, another for every seed, none of it test text."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.evaluation import calibration_tokens, heldout
from minquant.model import Transformer


def test_it_is_paragraphs_of_the_calibration_split_in_an_order_the_seed_draws(model):
    text = model.tokenizer.decode(calibration_tokens(model, 4000, seed=1)[1:])
    wanted, test = set(heldout("calibration").paragraphs), set(heldout("test").paragraphs)
    whole = text.split("\n\n")[:-1]  # the last one may be cut
    assert len(whole) > 5 and set(whole) <= wanted and not set(whole) & test
    order = [heldout("calibration").paragraphs.index(p) for p in whole]
    assert order != sorted(order)


def test_count_and_seed(model):
    tokens = calibration_tokens(model, 300)
    assert tokens.dtype == np.int64 and tokens.shape == (300,) and tokens[0] == 0
    assert np.array_equal(calibration_tokens(model, 150), tokens[:150])
    assert np.array_equal(calibration_tokens(model, 300, seed=0), tokens)
    assert not np.array_equal(calibration_tokens(model, 300, seed=1), tokens)
    assert calibration_tokens(model, 1).tolist() == [0]


@pytest.mark.parametrize("count, said", [(0, "at least one"), (-3, "at least one"), (10**7, "has only [0-9]+")])
def test_a_count_that_cannot_be(model, count, said):
    with pytest.raises(ValueError, match=f"{count} calibration tokens: .*{said}"):
        calibration_tokens(model, count)


def test_a_model_without_a_tokenizer_says_so(model):
    with pytest.raises(ValueError, match="no tokenizer"):
        calibration_tokens(Transformer(model.config, model.weights), 10)

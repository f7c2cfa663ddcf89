"""Training text: of the running library, nothing held out, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest

import minquant as mq
from minquant.evaluation import heldout, training_tokens
from minquant.evaluation.sieve import HeldOutSieve, runs
from minquant.model import Transformer


def test_training_text_is_clean_and_a_limit_takes_its_start():
    model = mq.load("tiny")
    tokens = training_tokens(model, 3000)
    assert tokens.shape == (3000,) and tokens[0] == 0 and tokens.dtype == np.int64
    assert np.array_equal(training_tokens(model, 500), tokens[:500])
    text, sieve = model.tokenizer.decode(tokens[1:]), HeldOutSieve()
    assert all(sieve.clean(paragraph) for paragraph in text.split("\n\n")[:-1])
    assert not any(paragraph in text for split in ("test", "validation") for paragraph in heldout(split).paragraphs)


def test_the_sieve_knows_a_held_out_paragraph_in_another_wrapping():
    sieve, paragraph = HeldOutSieve(), heldout("test").paragraphs[0]
    assert not sieve.clean(paragraph) and not sieve.clean("\n".join(paragraph.split()))
    assert sieve.clean("nothing of this sentence stands in any docstring of the library, or so one hopes")


def test_runs_of_words():
    assert runs("one two three") == []
    assert [lines for _, *lines in runs("a b c d e\nf g h i j k")] == [[0, 1], [0, 1]]


def test_a_model_without_a_tokenizer_is_refused():
    model = mq.load("tiny")
    with pytest.raises(ValueError, match="no tokenizer"):
        training_tokens(Transformer(model.config, model.weights))

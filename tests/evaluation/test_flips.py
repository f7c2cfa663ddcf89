"""Flips against one forward pass per position, and the four boxes they fall into."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest

from minquant.evaluation import Flips, Reference, top1_agreement, top1_flips
from minquant.model import Config, random_model


@pytest.mark.parametrize("context, stride", [(None, None), (8, 4), (5, 2), (1, 1)])
def test_the_likeliest_tokens_are_those_of_one_pass_per_position(model, rounded, tokens, context, stride):
    got = top1_flips(rounded, model, tokens, context, stride)
    windows = context or 12, stride or max(1, (context or 12) // 2)
    own, other = naive.likeliest(rounded, tokens, *windows), naive.likeliest(model, tokens, *windows)
    assert got.own.tolist() == own and got.reference.tolist() == other
    assert got.flipped.tolist() == [a != b for a, b in zip(own, other)] and any(got.flipped)
    assert got.rate == pytest.approx(1 - top1_agreement(rounded, model, tokens, context, stride))


def test_the_boxes_are_counted_one_by_one():
    tokens = np.array([0, 1, 2, 3, 4, 5, 6])
    own = np.array([1, 9, 3, 8, 5, 7, 1])
    other = np.array([1, 2, 9, 9, 5, 9, 1])
    got = Flips(tokens, own, other)
    assert got.rate == 4 / 7
    assert (got.right_to_wrong, got.wrong_to_right) == (1 / 6, 1 / 6)  # token 2 lost, token 3 gained
    assert got.accuracy == got.reference_accuracy == 3 / 6
    assert got.stderr == pytest.approx(got.flipped.std(ddof=1) / math.sqrt(7))


def test_accuracy_sees_the_difference_of_two_boxes(model, rounded, tokens):
    rng = np.random.default_rng(0)
    text, own, other = (rng.integers(0, 3, 5000) for _ in range(3))
    for got in (Flips(text, own, other), top1_flips(rounded, model, tokens)):
        assert got.accuracy - got.reference_accuracy == pytest.approx(got.wrong_to_right - got.right_to_wrong)
        assert got.rate >= got.right_to_wrong + got.wrong_to_right - 1 / len(got.tokens)


def test_a_model_does_not_flip_against_itself(model, tokens):
    got = top1_flips(model, Reference(model, tokens, 8, 4))
    assert (got.rate, got.stderr, got.right_to_wrong, got.wrong_to_right) == (0, 0, 0, 0)


def test_one_token_can_flip_and_be_neither_right_nor_wrong(model, rounded):
    got = top1_flips(rounded, model, [0])
    assert got.rate in (0, 1) and math.isnan(got.accuracy) and math.isnan(got.right_to_wrong)


def test_what_cannot_be_compared(model, tokens):
    with pytest.raises(TypeError, match="none with a Reference"):
        top1_flips(model, Reference(model, tokens), tokens)
    with pytest.raises(TypeError, match="give tokens"):
        top1_flips(model, model)
    with pytest.raises(ValueError, match="different vocabularies"):
        top1_flips(random_model(Config(**{**model.config.__dict__, "vocab_size": 300})), model, tokens)

"""Greedy runs: reading what the other wrote gives what writing would have given."""

from __future__ import annotations

import naive
import numpy as np
import pytest

from minquant.evaluation import GreedyRuns, binomial_interval, cut_prompts, greedy_agreement, write_greedily
from minquant.evaluation import greedy as module
from minquant.model import Config, Recipe, random_model

CONFIG = Config(vocab_size=30, hidden=16, layers=2, heads=4, kv_heads=2, head_dim=4, ffn=24, context=40)
RECIPES = (Recipe(weights="int6:channel"), Recipe(weights="int4:channel"), Recipe(weights="int2:channel"),
           Recipe(kv="int3:token"), Recipe(weights="int4:channel", kv="int4:token", activations="int8:token"))
N = 25


@pytest.fixture(scope="module")
def small():
    return random_model(CONFIG, seed=3)


@pytest.fixture(scope="module")
def prompts():
    return np.random.default_rng(0).integers(0, CONFIG.vocab_size, (12, 6))


def same(one, other) -> int:
    """Tokens before the first difference, counted."""
    count = 0
    for a, b in zip(one, other):
        if a != b:
            return count
        count += 1
    return count


def test_a_model_writes_the_likeliest_token_each_time(small, prompts):
    got = write_greedily(small, prompts, 8)
    assert got.dtype == np.int64 and got.tolist() == [naive.greedy(small, prompt, 8) for prompt in prompts]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_reading_finds_where_writing_would_leave(small, prompts, recipe):
    """Also with a rounded cache: the prompt attends in float, what follows reads rounded keys and values."""
    rounded = small.quantize(recipe)
    written = write_greedily(small, prompts, N)
    expected = [same(rounded.generate(prompt, N), text) for prompt, text in zip(prompts, written)]
    got = greedy_agreement(rounded, prompts, written)
    assert got.identical.tolist() == expected and got.length == N


def test_the_recipes_of_this_test_leave_early_late_and_never(small, prompts):
    written = write_greedily(small, prompts, N)
    seen = np.concatenate([greedy_agreement(small.quantize(r), prompts, written).identical for r in RECIPES])
    assert seen.min() == 0 and seen.max() == N and len(set(seen)) > 6


@pytest.mark.parametrize("n", [1, 2, 8, 9, 10, N])
def test_a_model_agrees_with_itself_in_pieces_of_any_size(small, prompts, monkeypatch, n):
    written = write_greedily(small, prompts, n)
    for piece in (1, 3, 8, 100):
        monkeypatch.setattr(module, "FIRST_PIECE", piece)
        assert greedy_agreement(small, prompts, written).identical.tolist() == [n] * len(prompts)


@pytest.mark.parametrize("place", [0, 1, 7, 8, 9, N - 1])
def test_one_changed_token_is_found_where_it_is(small, prompts, place):
    written = write_greedily(small, prompts, N)
    written[:, place] = (written[:, place] + 1) % CONFIG.vocab_size
    assert greedy_agreement(small, prompts, written).identical.tolist() == [place] * len(prompts)


def test_shares_fall_with_n_and_have_an_interval():
    runs = GreedyRuns(np.array([0, 3, 8, 8]), 8)
    assert [runs.share(n) for n in (0, 1, 3, 4, 8)] == [1, 0.75, 0.75, 0.5, 0.5]
    assert runs.interval(4) == binomial_interval(2, 4) and runs.interval(4, 0.5) == binomial_interval(2, 4, 0.5)
    for n in (-1, 9):
        with pytest.raises(ValueError, match="runs of 8 tokens"):
            runs.share(n)


def test_prompts_come_from_all_over_the_text():
    text = np.arange(103)
    got = cut_prompts(text, 5, 4)
    assert got.dtype == np.int64 and got.tolist() == [[s, s + 1, s + 2, s + 3] for s in (0, 20, 40, 60, 80)]
    assert cut_prompts(text[:20], 5, 4).ravel().tolist() == list(range(20))  # just enough
    with pytest.raises(ValueError, match="need a text of 20, not"):
        cut_prompts(text[:19], 5, 4)
    with pytest.raises(ValueError, match="count must be a whole number"):
        cut_prompts(text, 0)
    with pytest.raises(ValueError, match="length must be a whole number"):
        cut_prompts(text, 2, 1.5)


def test_bad_input_is_named(small, prompts):
    written = write_greedily(small, prompts[:2], 3)
    with pytest.raises(ValueError, match="12 prompts and 2 continuations"):
        greedy_agreement(small, prompts, written)
    with pytest.raises(ValueError, match="0 prompts"):
        greedy_agreement(small, [], [])
    with pytest.raises(ValueError, match="token 30 at position 1 is outside the vocabulary"):
        greedy_agreement(small, prompts[:1], [[1, 30]])
    with pytest.raises(ValueError, match="context allows 1 to 40"):
        greedy_agreement(small, prompts[:1], [[1] * 60])
    with pytest.raises(ValueError, match="n must be a whole number"):
        write_greedily(small, prompts, 0)

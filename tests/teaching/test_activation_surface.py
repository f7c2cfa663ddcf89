"""The activation surface of lesson 10: what it counts and draws is what the methods do."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.methods import hadamard, smooth_scales
from minquant.methods.llm_int8 import decompose
from minquant.scaling import fake_quantize
from minquant.teaching import activation_surface
from minquant.teaching.activation_surface import FACTORS, RESCUES, rounded, surface_drawing

CHANNEL = 5


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(4)
    return rng.standard_normal((40, 64)).astype(np.float32), rng.standard_normal((8, 64)).astype(np.float32)


def share(back, X):
    off, X = (np.delete(a, CHANNEL, axis=1).astype(np.float64) for a in (back - X, X))
    return (off**2).sum() / (X**2).sum()


@pytest.mark.parametrize("factor", [1, 8, 64])
def test_errors_are_those_of_the_methods(problem, factor):
    X, W = problem
    large = X * np.where(np.arange(64) == CHANNEL, np.float32(factor), np.float32(1))
    s, H = smooth_scales(np.abs(large).max(axis=0), W), hadamard(64)
    apart, beside = decompose(large, W), large.copy()
    beside[:, apart.regular] = apart.x_codes * apart.x_scale
    for rescue, back in {"one scale": fake_quantize(large, "int8:tensor"),
                         "scale per token": fake_quantize(large, "int8:token"), "LLM.int8()": beside,
                         "SmoothQuant": fake_quantize(large / s, "int8:tensor") * s,
                         "Hadamard": fake_quantize(large @ H, "int8:tensor") @ H.T}.items():
        assert rounded(X, W, CHANNEL, factor, rescue).error == pytest.approx(share(back, large), rel=1e-4)


def test_a_loud_channel_takes_the_levels_of_all_others(problem):
    levels = [rounded(*problem, CHANNEL, factor, "one scale").levels for factor in FACTORS]
    assert levels == sorted(levels, reverse=True) and levels[0] > 150 and levels[-1] < 12


def test_every_rescue_leaves_more_levels_and_less_error(problem):
    lost = rounded(*problem, CHANNEL, 64, "one scale")
    for rescue in list(RESCUES)[1:]:
        saved = rounded(*problem, CHANNEL, 64, rescue)
        assert saved.levels > lost.levels and saved.error < lost.error


def test_levels_are_the_different_codes_of_the_others(problem):
    result = rounded(*problem, CHANNEL, 8, "one scale")
    assert result.levels == len(set(np.delete(result.codes, CHANNEL, axis=1).ravel().tolist()))
    assert result.counts.sum() == 40 * 63


def test_columns_in_float_have_no_codes(problem):
    result = rounded(*problem, CHANNEL, 64, "LLM.int8()")
    assert np.flatnonzero(~result.kept).tolist() == [CHANNEL] and not result.codes[:, CHANNEL].any()


def test_the_given_input_stays(problem):
    X, W = problem
    kept = X.copy()
    rounded(X, W, CHANNEL, 64, "one scale")
    assert np.array_equal(X, kept)


def test_an_unknown_rescue_is_named(problem):
    with pytest.raises(ValueError, match="'prayer' is none of one scale"):
        rounded(*problem, CHANNEL, 2, "prayer")


@pytest.mark.parametrize("channel", [0, 31, 32, 63])
@pytest.mark.parametrize("rescue", RESCUES)
def test_cards_are_drawn_for_channels_at_the_edge(problem, channel, rescue):
    card = surface_drawing(*problem, channel, "An input")(64, rescue)
    assert card.startswith("<svg") and f"channel {channel} times 64" in card


def test_the_card_says_what_it_shows(problem):
    draw = surface_drawing(*problem, CHANNEL, "An input")
    quiet, loud = draw(1, "one scale"), draw(64, "one scale")
    levels = [rounded(*problem, CHANNEL, f, "one scale").levels for f in (1, 64)]
    assert f"use {levels[1]} different codes ({levels[0]} with one scale, times 1)" in loud
    assert quiet.count("<rect") == levels[0] and loud.count("<rect") == levels[1]
    assert "multiplied in float" in draw(64, "LLM.int8()") and "multiplied in float" not in loud
    assert loud.count("<polygon") == 2 * activation_surface.TOKENS + 1  # ridges, marks, an arrow's head

"""Rounded operands of attention, with and without the mean key: against query by query."""

from __future__ import annotations

import dataclasses

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose

from minquant.model import Recipe
from minquant.model.attending import AttentionFormat, attend, known_keys
from minquant.model.recipe import fake_quantizer
from minquant.scaling import fake_quantize

from .conftest import SMALL, in_memory


def operands(seed, tokens=40, bias=0.0):
    q, k, v = np.random.default_rng(seed).standard_normal((3, 2, tokens, 16)).astype(np.float32)
    k[..., 5] += bias
    return q, k, v


@pytest.mark.parametrize("scheme", ["int8:token", "fp8_e4m3:token", "int4:token", "int8:g4"])
@pytest.mark.parametrize("smooth", [False, True])
def test_rounded_attention_matches_the_loops(scheme, smooth):
    q, k, v = operands(1, bias=6)

    def through(row):
        padded = np.pad(np.array(row, np.float32), (0, -len(row) % 4))
        return fake_quantize(padded, scheme)[:len(row)].astype(float).tolist()

    got = attend(q, k, v, fake_quantizer(scheme), smooth)
    for head in range(2):
        assert_allclose(got[head], naive.attend_to_all(q[head], k[head], v[head], through, smooth), atol=2e-3)
    errors = [np.abs(got[h] - naive.attend_to_all(q[h], k[h], v[h], through, smooth)) for h in range(2)]
    assert np.median(errors) < 1e-6  # the few above stem from values on the edge between two codes


def test_softmax_does_not_notice_the_mean():
    q, k, v = operands(2, bias=6)
    assert_allclose(attend(q, k, v, lambda x: x, True), attend(q, k, v, lambda x: x), atol=1e-5)


def test_smoothing_helps_where_keys_have_something_in_common_and_only_there():
    through = fake_quantizer("int4:token")
    error = {}
    for bias in (0.0, 20.0):
        q, k, v = operands(3, 128, bias)
        exact = attend(q, k, v, lambda x: x)
        for smooth in (False, True):
            error[bias, smooth] = np.square(attend(q, k, v, through, smooth) - exact).mean()
    assert error[20, True] < error[20, False] / 4
    assert error[0, True] == pytest.approx(error[0, False], rel=0.3)


@pytest.mark.parametrize("chunks", [[40], [1] * 40, [31, 1, 1, 7]])
def test_pieces_see_what_single_queries_see(chunks):
    """A causal mean: the same numbers, however many queries come at once."""
    q, k, v = operands(4, bias=6)
    through, first, got = fake_quantizer("int8:token"), 0, []
    for n in chunks:
        got.append(attend(q[:, first:first + n], k[:, :first + n], v[:, :first + n], through, True))
        first += n
    assert_allclose(np.concatenate(got, axis=1), attend(q, k, v, through, True), atol=1e-5)
    assert [known_keys(n) for n in (1, 5, 31, 32, 33, 63, 64, 100)] == [1, 5, 31, 32, 32, 32, 64, 96]


@pytest.mark.parametrize("attention", ["int8:token:smooth", "fp8_e4m3:token:smooth", "mxfp8:smooth"])
def test_the_recipe_reaches_attention(attention, tokens):
    model = in_memory(dataclasses.replace(SMALL, head_dim=32), seed=3)
    rounded = model.quantize(Recipe(attention=attention))
    assert rounded.recipe.attention == attention
    plain = model.quantize(Recipe(attention=attention.removesuffix(":smooth"))).logits(tokens)
    got = rounded.logits(tokens)
    assert 0 < np.abs(got - plain).max() < 0.5
    cache = rounded.new_cache()
    steps = np.concatenate([rounded.run([t], cache) for t in tokens])
    assert_allclose(steps, got, atol=1e-5)


def test_formats_are_read_and_refused_by_name():
    assert AttentionFormat.parse("int8:smooth:token") == AttentionFormat.parse("int8:token")._replace(smooth=True)
    for given, words in (("int8:tensor", "whole tensor"), ("int8:token:smoth", "smoth"), ("smooth", "unknown scheme")):
        with pytest.raises(ValueError, match=f"recipe, attention: .*{words}"):
            Recipe(attention=given)

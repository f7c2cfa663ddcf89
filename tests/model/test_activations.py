"""Recipes about activations: static scales, SmoothQuant, LLM.int8(), rotation, on a model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minquant as mq
from minquant.methods import llm_int8_matmul
from minquant.model import Recipe, Transformer, linear_names, plant, rotate, smooth
from minquant.scaling import FixedGrid, fake_quantize, quantize

from .conftest import SMALL, in_memory

TEXT = np.random.default_rng(2).integers(0, SMALL.vocab_size, 60)
STATIC = "int8:tensor:static"


def inputs(model: Transformer, text: np.ndarray) -> dict[str, np.ndarray]:
    """What every matrix reads over the windows of a text."""
    seen: dict[str, list] = {}
    for start in range(0, len(text), model.config.context):
        model.run(text[start:start + model.config.context], tap=lambda n, x: seen.setdefault(n, []).append(x))
    return {name: np.concatenate(pieces, axis=-2) for name, pieces in seen.items()}


# ---- one scale, chosen beforehand


@pytest.mark.parametrize("scheme", ["int8:tensor", "int4:tensor:asym", "fp8_e4m3:tensor", "int8:tensor:p99"])
def test_a_fixed_grid_is_that_of_its_samples_and_saturates(scheme):
    x = np.random.default_rng(0).normal(size=(40, 9)).astype(np.float32)
    grid = FixedGrid.of(x, scheme)
    assert np.array_equal(grid.fake_quantize(x), fake_quantize(x, scheme))
    assert np.array_equal(grid.fake_quantize(x[3:5]), fake_quantize(x, scheme)[3:5])  # not the scale of these two
    ends = grid.fake_quantize(np.array([-1e6, 1e6], np.float32))
    assert ends[0] < 0 < ends[1] < 10 * x.max()


def test_a_fixed_grid_refuses_what_it_cannot_be():
    with pytest.raises(ValueError, match="one scale for the whole tensor"):
        FixedGrid("int8:token", 1.0)
    with pytest.raises(ValueError, match="finite and above 0"):
        FixedGrid("int8:tensor", 0.0)
    with pytest.raises(ValueError, match="zero point"):
        FixedGrid("int8:tensor", 1.0, 3)
    with pytest.raises(ValueError, match="NaN"):
        FixedGrid("int8:tensor", 1.0).fake_quantize(np.array([np.nan]))


@pytest.mark.parametrize("scheme", ["int8:tensor", "int6:tensor:asym", "int8:tensor:p99"])
@pytest.mark.parametrize("head", [None, "int8:channel"])
def test_static_scales_are_those_of_the_calibration_text(small, scheme, head):
    model = small.quantize(Recipe(activations=f"{scheme}:static", head=head, skip="v_proj"), TEXT)
    plain = small.quantize(Recipe(head=head))
    seen = inputs(plain, TEXT)
    names = [n for n in linear_names(SMALL) if "v_proj" not in n] + ([SMALL.head_name] if head else [])
    assert set(model.grids) == set(names)
    for name in names:
        expected = quantize(seen[name].reshape(1, -1), scheme)
        assert_allclose(model.grids[name].scale, expected.scale, rtol=1e-6)
    assert np.abs(model.logits(TEXT[:9]) - plain.logits(TEXT[:9])).max() > 0


def test_static_scales_do_not_depend_on_the_tokens_at_hand(small):
    static, dynamic = (small.quantize(Recipe(activations=a), TEXT) for a in (STATIC, "int4:tensor"))
    assert_allclose(static.logits(TEXT[:9])[:4], static.logits(TEXT[:4]), atol=1e-5)
    assert np.abs(dynamic.logits(TEXT[:9])[:4] - dynamic.logits(TEXT[:4])).max() > 1e-3


def test_static_scales_ask_for_text_and_for_one_scale(small):
    with pytest.raises(ValueError, match="'int8:tensor:static' need calibration tokens"):
        small.quantize(Recipe(activations=STATIC))
    with pytest.raises(ValueError, match="only one scale for the whole tensor"):
        Recipe(activations="int8:token:static")
    with pytest.raises(ValueError, match="no scale was chosen for the input of .*q_proj"):
        Transformer(SMALL, small.weights, recipe=Recipe(activations=STATIC))
    small.weights["model.layers.1.input_layernorm.weight"][3] = np.inf
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=r"layers\.1\.self_attn\.q_proj"):
        small.quantize(Recipe(activations=STATIC), TEXT)


# ---- methods


def test_smoothquant_smooths_then_rounds(small, tokens):
    for method, alpha in (("smoothquant", 0.5), ("smoothquant:0.8", 0.8), ("smoothquant:search", "search")):
        recipe = Recipe(weights="int8:channel", activations="int8:token", method=method)
        smoothed = smooth(small, TEXT, alpha, "int8:channel", "int8:token")
        expected = smoothed.quantize(Recipe(weights="int8:channel", activations="int8:token"))
        assert np.array_equal(small.quantize(recipe, TEXT).logits(tokens), expected.logits(tokens)), method
    only = small.quantize(Recipe(activations="int8:token", method="smoothquant"), TEXT)
    assert not only.qtensors and np.isfinite(only.logits(tokens)).all()


def test_rotate_rotates_then_rounds(small, tokens):
    recipe = Recipe(weights="int4:channel", activations="int4:token", kv="int8:token", head="int8:channel")
    got = small.quantize(dataclasses.replace(recipe, method="rotate:3"))
    assert np.array_equal(got.logits(tokens), rotate(small, 3).quantize(recipe).logits(tokens))
    assert set(got.qtensors) == {*linear_names(SMALL), "lm_head.weight"}


def test_llm_int8_decomposes_every_matrix_of_the_blocks(small, tokens):
    planted = plant(small, [3, 9], 64)
    recipe = Recipe(weights="int8:channel", activations="int8:token", method="llm_int8", skip="k_proj")
    model = planted.quantize(recipe)
    seen, name = {}, "model.layers.0.self_attn.{}_proj.weight"
    model.run(tokens, tap=seen.__setitem__)
    x, (q, v) = seen[name.format("q")], (planted.weights[name.format(p)] for p in "qv")
    assert np.array_equal(model._product(x, name.format("q")), llm_int8_matmul(x, q))
    got = model._linears(x, [name.format(p) for p in "qkv"], None)
    assert np.array_equal(got[1], x @ planted.weights[name.format("k")].T)  # skipped: in float
    assert np.array_equal(got[2], llm_int8_matmul(x, v))


def test_llm_int8_with_threshold_zero_is_float_and_with_infinity_plain_int8(small, tokens):
    parts = {"weights": "int8:channel", "activations": "int8:token"}
    in_float = small.quantize(Recipe(**parts, method="llm_int8:0"))
    assert_allclose(in_float.logits(tokens), small.logits(tokens), atol=1e-6)
    plain = small.quantize(Recipe(**parts))
    whole = small.quantize(Recipe(**parts, method="llm_int8:inf"))
    assert_allclose(whole.logits(tokens), plain.logits(tokens), atol=1e-5)
    assert whole.nbytes == plain.nbytes


@pytest.mark.parametrize("given, words", [
    ({"method": "smoothquant:2"}, "alpha is a number from 0 to 1, or 'search', not '2'"),
    ({"method": "smoothquant:much"}, "alpha is a number"),
    ({"method": "rotate:-1"}, "the seed is a whole number, not '-1'"),
    ({"method": "llm_int8:nan", "weights": "int8:channel"}, "the threshold is a number from 0"),
    ({"method": "gptq:3"}, "'gptq' takes no option"),
    ({"method": "llm_int8"}, "weights='int8:channel', activations='int8:token'"),
    ({"method": "llm_int8", "weights": "int6:channel", "activations": "int8:token"}, "activations='int6:token'"),
    ({"method": "llm_int8", "weights": "int8:g8", "activations": "int8:token"}, "write int8:channel, not int8:g8"),
])
def test_a_method_that_cannot_be_is_refused_when_the_recipe_is_made(given, words):
    with pytest.raises(ValueError, match=f"recipe, .*{words}"):
        Recipe(**given)


# ---- what they are for: the shipped model with planted outliers


def kl(model, reference) -> float:
    from minquant.evaluation import evaluate
    return evaluate(model, reference).kl


def test_on_the_outlier_model_every_rescue_recovers_nine_tenths_of_what_w8a8_loses():
    """A static scale per tensor on both sides; 2,000 tokens of calibration text, 1,000 of held-out text."""
    from minquant.evaluation import Reference, calibration_tokens, heldout_tokens

    model = mq.load("tiny")
    planted, seen = plant(model, [3, 90, 200], 64), calibration_tokens(model, 2048)
    reference = Reference(model, heldout_tokens(model)[:1024])
    w8a8 = {"weights": "int8:tensor", "activations": STATIC}
    naive = kl(planted.quantize(Recipe(**w8a8), seen), reference)
    smoothed = kl(planted.quantize(Recipe(**w8a8, method="smoothquant"), seen), reference)
    rotated = kl(planted.quantize(Recipe(**w8a8, method="rotate"), seen), reference)
    int8 = kl(planted.quantize(Recipe(weights="int8:channel", activations="int8:token", method="llm_int8")), reference)
    assert naive > 0.1 and max(smoothed, rotated, int8) < 0.1 * naive


def test_four_bits_on_both_sides_are_better_after_rotation():
    from minquant.evaluation import Reference, heldout_tokens

    model = mq.load("tiny")
    reference = Reference(model, heldout_tokens(model)[:1024])
    w4a4 = {"weights": "int4:channel", "activations": "int4:token"}
    plain, rotated = (kl(model.quantize(Recipe(**w4a4, method=method)), reference) for method in ("rtn", "rotate"))
    assert rotated < 0.7 * plain

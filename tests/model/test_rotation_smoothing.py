"""Rotation, smoothing and planted outliers: other weights, the same function, and what they do to activations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minquant as mq
from minquant.methods import hadamard, smooth_scales
from minquant.model import Config, Recipe, Transformer, awq, linear_names, plant, rotate, smooth

from .conftest import SMALL, in_memory

MODELS = [SMALL, dataclasses.replace(SMALL, tied=False), dataclasses.replace(SMALL, heads=4, kv_heads=4),
          dataclasses.replace(SMALL, head_dim=6)]  # no Hadamard matrix of size 6: values stay as they are
TEXT = np.random.default_rng(2).integers(0, SMALL.vocab_size, 60)
Q, DOWN = "model.layers.0.self_attn.q_proj.weight", "model.layers.1.mlp.down_proj.weight"


def with_gains(config: Config) -> Transformer:
    """A random model whose norm gains are not 1."""
    model, rng = in_memory(config), np.random.default_rng(7)
    for name, w in model.weights.items():
        if w.ndim == 1:
            model.weights[name] = np.exp(rng.normal(size=w.shape)).astype(np.float32)
    return model


def inputs(model: Transformer, tokens: np.ndarray) -> dict[str, np.ndarray]:
    seen = {}
    model.run(tokens, tap=seen.__setitem__)
    return seen


def kurtosis(x: np.ndarray) -> float:
    """Of each token's vector, the mean over tokens: 3 for a normal distribution."""
    x = x - x.mean(axis=1, keepdims=True)
    return float(((x**4).mean(axis=1) / (x**2).mean(axis=1) ** 2).mean())


# ---- rotation


@pytest.mark.parametrize("config", MODELS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_rotated_model_is_the_same_function(config, seed, tokens):
    model = with_gains(config)
    before = {name: w.copy() for name, w in model.weights.items()}
    turned = rotate(model, seed)
    assert_allclose(turned.logits(tokens), model.logits(tokens), rtol=1e-4, atol=1e-4)
    assert not turned.config.tied and turned.config.online_hadamard
    assert all((w == 1).all() for w in turned.weights.values() if w.ndim == 1)
    assert not any(np.allclose(turned.weights[name], model.weights[name]) for name in linear_names(config))
    assert all(np.array_equal(model.weights[name], w) for name, w in before.items())


def test_the_shipped_model_keeps_its_logits_and_loses_its_tails():
    model, text = mq.load("tiny"), np.arange(200) * 7 % 2048
    turned = mq.rotate(model)
    expected = model.logits(text)
    assert np.abs(turned.logits(text) - expected).max() < 1e-4 * np.abs(expected).max()
    before, after = (inputs(m, text) for m in (plant(model, [3, 90], 64), turned))
    for name in linear_names(model.config):
        if "o_proj" not in name:  # its input is turned head by head, not across heads
            assert 2.7 < kurtosis(after[name]) < 3.4, name
    assert min(kurtosis(before[n]) for n in linear_names(model.config) if "q_proj" in n or "down" in n) > 4


def test_what_is_planted_is_spread_and_does_not_matter():
    model = in_memory(dataclasses.replace(SMALL, hidden=64, ffn=48))
    for turned in (rotate(model), rotate(plant(model, [3], 64))):
        assert np.abs(inputs(turned, TEXT[:20])[Q]).max() < 5  # a row has a mean square of 1


def test_the_tap_sees_what_down_reads(tokens):
    model, turned = with_gains(SMALL), rotate(with_gains(SMALL))
    assert_allclose(inputs(turned, tokens)[DOWN], inputs(model, tokens)[DOWN] @ hadamard(SMALL.ffn), atol=1e-4)


def test_other_signs_for_another_seed():
    model = in_memory(SMALL)
    assert np.array_equal(rotate(model, 3).weights[Q], rotate(model, 3).weights[Q])
    assert not np.allclose(rotate(model, 3).weights[Q], rotate(model, 4).weights[Q])


@pytest.mark.parametrize("change, words", [({"hidden": 18}, "hidden is 18"), ({"ffn": 25}, "ffn is 25")])
def test_sizes_without_a_hadamard_matrix_are_refused_by_name(change, words):
    with pytest.raises(ValueError, match=f"{words}, and there is no Hadamard matrix of size"):
        rotate(in_memory(dataclasses.replace(SMALL, **change)))


def test_what_cannot_be_rotated_is_refused(small, tmp_path):
    with pytest.raises(ValueError, match="rotated already"):
        rotate(rotate(small))
    with pytest.raises(ValueError, match="quantized already"):
        rotate(small.quantize(Recipe(weights="int8:channel")))
    with pytest.raises(ValueError, match="config.json cannot describe a rotated model"):
        rotate(small).config.to_huggingface()
    with pytest.raises(ValueError, match="online_hadamard must be true or false"):
        dataclasses.replace(SMALL, online_hadamard=1)
    with pytest.raises(ValueError, match="no kernel for the Hadamard matrix"):
        mq.Decoder(rotate(small), weights="int8:channel")
    small.weights[DOWN][0, 0] = np.nan
    with pytest.raises(ValueError, match=f"{DOWN} holds NaN"):
        rotate(small)


def test_a_rotated_model_is_saved_cached_and_scaled_by_awq(small, tokens, tmp_path):
    turned = rotate(small)
    turned.save(tmp_path / "turned")
    assert np.array_equal(mq.load(tmp_path / "turned").logits(tokens), turned.logits(tokens))
    assert np.array_equal(turned.generate([1], 6), small.generate([1], 6))
    assert [place.part for place in awq.folds(turned.config, 0)] == ["attention", "feed_forward"]
    assert np.isfinite(turned.quantize(Recipe(weights="int4:g8:asym", method="awq"), TEXT).logits(tokens)).all()


# ---- smoothing


@pytest.mark.parametrize("config", MODELS[:3])
@pytest.mark.parametrize("alpha", [0, 0.3, 0.5, 1, "search"])
def test_a_smoothed_model_is_the_same_function(config, alpha, tokens):
    model = with_gains(config)
    smoothed = smooth(model, TEXT, alpha, "int8:channel", "int8:token")
    assert_allclose(smoothed.logits(tokens), model.logits(tokens), rtol=1e-5, atol=1e-5)
    assert not np.allclose(smoothed.weights[Q], model.weights[Q])


def test_the_shipped_model_keeps_its_logits_when_smoothed():
    model, text = mq.load("tiny"), np.arange(300) * 7 % 2048
    for outliers in (model, plant(model, [3, 90], 64)):
        expected = outliers.logits(text)
        assert np.abs(smooth(outliers, text).logits(text) - expected).max() < 1e-5 * np.abs(expected).max()


def test_one_s_is_shared_by_all_that_read_a_norm_and_divided_out_of_its_gain(small):
    smoothed = smooth(small, TEXT[:20], 0.75)
    seen, names = inputs(small, TEXT[:20]), [Q.replace("q_proj", f"{p}_proj") for p in "qkv"]
    s = smooth_scales(np.abs(seen[Q]).max(axis=0), [small.weights[name] for name in names], 0.75)
    for name in names:
        assert_allclose(smoothed.weights[name], small.weights[name] * s, rtol=1e-5)
    norm = "model.layers.0.input_layernorm.weight"
    assert_allclose(smoothed.weights[norm], small.weights[norm] / s, rtol=1e-5)
    for part in ("self_attn.o_proj", "mlp.down_proj"):
        assert smoothed.weights[f"model.layers.0.{part}.weight"] is small.weights[f"model.layers.0.{part}.weight"]


def test_what_cannot_be_smoothed_is_refused(small):
    with pytest.raises(ValueError, match="smoothquant.* needs calibration tokens"):
        smooth(small, None)
    with pytest.raises(ValueError, match="q_proj.*alpha must be from 0 to 1"):
        smooth(small, TEXT, 1.5)
    with pytest.raises(ValueError, match="quantized already"):
        smooth(small.quantize(Recipe(weights="int8:channel")), TEXT)


# ---- planted outliers


def test_planting_changes_no_bit_of_a_logit_and_makes_outliers(small, tokens):
    planted = plant(small, [3, 9], 64)
    assert np.array_equal(planted.logits(tokens), small.logits(tokens))
    before, after = inputs(small, tokens), inputs(planted, tokens)
    for name in linear_names(SMALL):
        factor = np.ones(before[name].shape[1])
        if not name.endswith(("o_proj.weight", "down_proj.weight")):
            factor[[3, 9]] = 64
        assert np.array_equal(after[name], (before[name] * factor).astype(np.float32))
    with pytest.raises(ValueError, match="no power of two"):
        plant(small, [3], 60)

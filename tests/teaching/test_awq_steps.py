"""Lesson 09's steps of AWQ: scaled and planted models are the same function, every place is judged by its own part."""

import dataclasses

import numpy as np
import pytest

from minquant.methods import clip_weights
from minquant.model import awq, random_model
from minquant.model.config import Config, linear_names
from minquant.scaling import fake_quantize
from minquant.teaching import awq_steps

SHAPE = Config(vocab_size=64, hidden=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=48, context=24)
SCHEME = "int3:g8:asym"
TOKENS = np.random.default_rng(0).integers(0, 64, 60)  # two windows of 24, one of 12


@pytest.fixture(scope="module", params=[2, 4], ids=["grouped", "every head"])
def model(request):
    return random_model(dataclasses.replace(SHAPE, kv_heads=request.param))


@pytest.fixture(scope="module")
def inputs(model):
    return awq_steps.observe(model, TOKENS)


@pytest.fixture(scope="module")
def found(model, inputs):
    return awq_steps.search_all(model, inputs, SCHEME)


def test_every_matrix_is_observed_over_all_windows(model, inputs):
    assert list(inputs) == linear_names(model.config)
    assert all(X.shape == (60, model.weights[name].shape[1]) for name, X in inputs.items())
    last = {}
    model.run(TOKENS[48:], tap=lambda name, x: last.setdefault(name, x))
    for name, X in inputs.items():
        np.testing.assert_array_equal(X[48:], last[name])


def test_each_place_is_judged_by_the_output_of_its_part(model, inputs, found):
    assert list(found) == [p for layer in range(2) for p in awq.folds(model.config, layer)]
    for place, result in found.items():
        rounded = {name: fake_quantize(model.weights[name], SCHEME) for name in place.readers}
        layer, X = int(place.source[13]), inputs[place.readers[0]]
        other = type(model)(model.config, {**model.weights, **rounded})
        if place.part == "feed_forward":
            before, after = (m.feed_forward(layer, X) for m in (model, other))
        elif place.part == "attention":
            before, after = (np.concatenate([_attention(m, layer, X[i:i + 24]) for i in (0, 24, 48)])
                             for m in (model, other))
        else:
            (name,) = place.readers
            before, after = X @ model.weights[name].T, X @ rounded[name].T
        assert result.errors[0] == pytest.approx(((before - after) ** 2).sum(), rel=1e-3)


def _attention(model, layer, x):
    from minquant.model import layers
    angles = layers.rope_angles(np.arange(len(x)), model.config.head_dim, model.config.rope_theta)
    return model.attention(layer, x, angles)


def test_the_scaled_model_is_the_same_function(model, found):
    scaled = awq_steps.scaled(model, found)
    assert any(result.alpha > 0 for result in found.values())
    np.testing.assert_allclose(scaled.logits(TOKENS[:24]), model.logits(TOKENS[:24]), atol=1e-5)
    for place, result in found.items():
        for name in place.readers:
            scales = scaled.weights[name] / model.weights[name]
            if name.endswith(("v_proj.weight", "up_proj.weight")):  # their rows are divided as well, one place later
                scales = scales / scales[:, :1] * result.scales[0]
            np.testing.assert_allclose(scales, np.broadcast_to(result.scales, scales.shape), rtol=1e-5)


def test_all_but_q_and_k_are_clipped(model, inputs):
    clipped = awq_steps.clipped(model, inputs, SCHEME)
    for name, X in inputs.items():
        alone = "q_proj" in name or "k_proj" in name
        expected = model.weights[name] if alone else clip_weights(model.weights[name], X, SCHEME)
        np.testing.assert_array_equal(clipped.weights[name], expected)


def test_planting_changes_inputs_and_not_a_bit_of_the_logits(model, inputs):
    planted = awq_steps.plant(model, [3, 9], 16)
    np.testing.assert_array_equal(planted.logits(TOKENS[:24]), model.logits(TOKENS[:24]))
    for name, X in awq_steps.observe(planted, TOKENS).items():
        ratio = np.ones(X.shape[1])
        if not name.endswith(("o_proj.weight", "down_proj.weight")):
            ratio[[3, 9]] = 16
        np.testing.assert_array_equal(X, (inputs[name] * ratio).astype(np.float32))


def test_a_factor_that_would_round_is_refused(model):
    with pytest.raises(ValueError, match="no power of two"):
        awq_steps.plant(model, [0], 10)

"""AWQ on a whole model: folding changes nothing, the search judges by the right part, blocks see quantized blocks."""

from __future__ import annotations

import dataclasses
from collections import ChainMap

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minquant.methods import clip_weights, gptq, rtn, search_scales
from minquant.model import Recipe, Transformer, awq, calibration, linear_names, random_model
from minquant.scaling import fake_quantize

from .conftest import SMALL, in_memory

SCHEME = "int3:g8:asym"
EVERY_HEAD = dataclasses.replace(SMALL, heads=4, kv_heads=4)
UNTIED = dataclasses.replace(SMALL, tied=False)
CALIBRATION = np.random.default_rng(2).integers(0, SMALL.vocab_size, 100)  # four windows of 24, one of 4
BLOCK = "model.layers.0."
Q, K, V, O = (f"{BLOCK}self_attn.{p}_proj.weight" for p in "qkvo")  # noqa: E741
GATE, UP, DOWN = (f"{BLOCK}mlp.{p}_proj.weight" for p in ("gate", "up", "down"))
FIRST_NORM, SECOND_NORM = f"{BLOCK}input_layernorm.weight", f"{BLOCK}post_attention_layernorm.weight"


def states(model: Transformer) -> list:
    return calibration.start(model, CALIBRATION, "awq")


def scaled(model: Transformer, skip: tuple[str, ...] = (), clip: bool = False) -> dict[str, np.ndarray]:
    """The changed weights of block 0."""
    model = Transformer(model.config, model.weights, recipe=Recipe(weights=SCHEME, skip=skip))
    return awq.scale_block(model, 0, states(model), clip)


def seen(model: Transformer, name: str, first: int | None = None) -> np.ndarray:
    """What a matrix of block 0 reads on the first windows of the calibration text."""
    found = []
    for x, angles in states(model)[:first]:
        model.block(0, x, angles, tap=lambda n, x: found.append(x) if n == name else None)
    return np.concatenate(found)


def with_outliers(model: Transformer, factor: float = 32.0) -> Transformer:
    """The same function, but two channels of every norm are as much larger as the columns behind are smaller."""
    weights = dict(model.weights)
    scales = np.ones(model.config.hidden, np.float32)
    scales[[3, 9]] = 1 / factor
    for layer in range(model.config.layers):
        for place in awq.folds(model.config, layer):
            if place.part:
                weights |= awq.fold(weights, place, scales)
    return Transformer(model.config, weights)


# ---- folding


@pytest.mark.parametrize("config", [SMALL, EVERY_HEAD, UNTIED])
def test_folding_any_scales_leaves_float_logits_unchanged(config, tokens):
    model, rng = in_memory(config), np.random.default_rng(0)
    weights = dict(model.weights)
    for layer in range(config.layers):
        for place in awq.folds(config, layer):
            width = weights[place.readers[0]].shape[1]
            weights |= awq.fold(weights, place, np.exp(rng.normal(size=width)).astype(np.float32))
    assert not any(np.array_equal(weights[name], model.weights[name]) for name in linear_names(config) if
                   "o_proj" not in name or config is EVERY_HEAD)
    assert_allclose(Transformer(config, weights).logits(tokens), model.logits(tokens), rtol=1e-5, atol=1e-5)


def test_scaling_the_tiny_models_blocks_leaves_its_logits_unchanged():
    import minquant as mq

    model, text = mq.load("tiny"), np.arange(64)
    weights = dict(model.weights)
    for layer in range(model.config.layers):
        view = Transformer(model.config, weights, recipe=Recipe(weights="int4:g32:asym"))
        weights |= awq.scale_block(view, layer, [state_before(view, layer, text)], clip=False)
    expected, got = model.logits(text), Transformer(model.config, weights).logits(text)
    assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def state_before(model: Transformer, layer: int, text: np.ndarray) -> tuple:
    """The state of a text before a block."""
    [state] = calibration.start(model, text, "awq")
    for earlier in range(layer):
        [state] = calibration.advance(model, earlier, [state])
    return state


def test_value_rows_go_with_output_columns_only_where_every_query_head_has_its_own():
    assert [place.source for place in awq.folds(SMALL, 0)] == [FIRST_NORM, SECOND_NORM, UP]
    assert [place.source for place in awq.folds(EVERY_HEAD, 0)] == [FIRST_NORM, V, SECOND_NORM, UP]
    assert O not in scaled(in_memory(SMALL)) and O in scaled(in_memory(EVERY_HEAD))


def test_what_changes_is_the_block_and_its_norms(small):
    before = {name: w.copy() for name, w in small.weights.items()}
    changed = scaled(small, clip=True)
    assert set(changed) == {FIRST_NORM, SECOND_NORM, Q, K, V, O, GATE, UP, DOWN}
    assert all(np.array_equal(small.weights[name], w) for name, w in before.items())
    assert all(w.dtype == np.float32 and w.shape == before[name].shape for name, w in changed.items())


# ---- the search


def test_query_key_and_value_are_judged_by_the_output_of_attention(small):
    """The errors again, from the input that the output projection reads in a whole block."""
    s, alpha = scaled(small)[Q] / small.weights[Q], np.empty(20)
    target = seen(small, O) @ small.weights[O].T
    for i in range(20):
        trial = awq_scales(seen(small, Q), i / 20)
        rounded = {name: fake_quantize(small.weights[name] * trial, SCHEME) / trial for name in (Q, K, V)}
        output = seen(Transformer(SMALL, {**small.weights, **rounded}), O) @ small.weights[O].T
        alpha[i] = np.square(output - target).sum()
    assert_allclose(s, np.broadcast_to(awq_scales(seen(small, Q), alpha.argmin() / 20), s.shape), rtol=1e-4)
    alone = search_scales([small.weights[name] for name in (Q, K, V)], seen(small, Q), SCHEME)
    assert alone.alpha != alpha.argmin() / 20  # so the judge made a difference


def test_gate_and_up_are_judged_by_the_output_of_the_feed_forward_part(small):
    s, alpha = scaled(small)[GATE] / small.weights[GATE], np.empty(20)
    target = seen(small, DOWN) @ small.weights[DOWN].T
    for i in range(20):
        trial = awq_scales(seen(small, GATE), i / 20)
        rounded = {name: fake_quantize(small.weights[name] * trial, SCHEME) / trial for name in (GATE, UP)}
        output = seen(Transformer(SMALL, {**small.weights, **rounded}), DOWN) @ small.weights[DOWN].T
        alpha[i] = np.square(output - target).sum()
    assert_allclose(s, np.broadcast_to(awq_scales(seen(small, GATE), alpha.argmin() / 20), s.shape), rtol=1e-4)


def awq_scales(X: np.ndarray, alpha: float) -> np.ndarray:
    powers = np.abs(X).mean(axis=0, dtype=np.float64) ** alpha
    return (powers / np.sqrt(powers.max() * powers.min())).astype(np.float32)


def test_down_is_judged_by_its_own_output_on_all_of_the_text(small, monkeypatch):
    monkeypatch.setattr(awq, "JUDGED", 1)  # one window for attention and feed-forward
    X = seen(small, DOWN)
    expected = search_scales([small.weights[DOWN]], X, SCHEME)
    assert_allclose(scaled(small)[DOWN], small.weights[DOWN] * expected.scales, rtol=1e-6)


def test_attention_is_judged_on_the_first_windows(small, monkeypatch):
    read = []
    original = Transformer.attention
    monkeypatch.setattr(Transformer, "attention",
                        lambda self, layer, x, *rest: read.append(len(x)) or original(self, layer, x, *rest))
    monkeypatch.setattr(awq, "JUDGED", 50)  # two windows of 24
    scaled(small)
    assert read == [24, 24, 24, 24, 4] + 21 * [24, 24]


# ---- the whole model


def test_matrices_are_scaled_clipped_but_for_q_and_k_and_rounded(small):
    model = small.quantize(Recipe(weights=SCHEME, method="awq"), calibration=CALIBRATION)
    weights = scaled(small)
    plain = Transformer(SMALL, ChainMap(weights, small.weights))
    for name in linear_names(SMALL, 0):
        expected = weights.get(name, small.weights[name])
        if name not in (Q, K):
            expected = clip_weights(expected, seen(plain, name), SCHEME)
        assert (model.qtensors[name].codes == rtn(expected, SCHEME).codes).mean() > 0.999
        assert_allclose(model.weights[name], rtn(expected, SCHEME).dequantize(), rtol=1e-3, atol=1e-3)
    assert set(model.qtensors) == set(linear_names(SMALL))
    for name in (FIRST_NORM, SECOND_NORM):
        assert np.array_equal(model.weights[name], weights[name])
    for name in ("model.embed_tokens.weight", "model.norm.weight"):
        assert model.weights[name] is small.weights[name]
    assert small.qtensors == {} and small.recipe == Recipe()


def test_a_block_is_scaled_for_what_the_quantized_blocks_before_it_produce(small):
    model = small.quantize(Recipe(weights=SCHEME, method="awq"), calibration=CALIBRATION)
    after, float_after = (calibration.advance(m, 0, states(small)) for m in (model, small))
    name = FIRST_NORM.replace("layers.0", "layers.1")
    recipe = Transformer(SMALL, small.weights, recipe=Recipe(weights=SCHEME))
    expected, other = (awq.scale_block(recipe, 1, before)[name]
                       for before in (after, float_after))
    assert np.array_equal(model.weights[name], expected) and not np.array_equal(expected, other)


@pytest.mark.parametrize("method", ["awq", "awq+gptq"])
def test_with_outlier_channels_it_beats_round_to_nearest(method):
    model = with_outliers(in_memory(dataclasses.replace(SMALL, hidden=32, ffn=64, heads=4, head_dim=8)))
    expected = model.logits(CALIBRATION[:24])
    errors = [np.square(model.quantize(Recipe(weights="int4:g32", method=m), CALIBRATION).logits(CALIBRATION[:24])
                        - expected).mean() for m in ("rtn", method)]
    assert errors[1] < errors[0] / 3


def test_gptq_after_scaling_rounds_the_scaled_and_unclipped_weights(small):
    model = small.quantize(Recipe(weights=SCHEME, method="awq+gptq"), calibration=CALIBRATION)
    weights = scaled(small)
    plain = Transformer(SMALL, ChainMap(weights, small.weights))
    for name in (Q, V, DOWN):
        expected = gptq(weights[name], seen(plain, name), SCHEME)
        assert (model.qtensors[name].codes == expected.codes).mean() > 0.99
    assert np.array_equal(model.weights[FIRST_NORM], weights[FIRST_NORM])


def test_a_skipped_matrix_is_scaled_with_the_others_and_not_rounded(small, tokens):
    model = small.quantize(Recipe(weights=SCHEME, method="awq", skip="v_proj"), calibration=CALIBRATION)
    changed = scaled(small, skip=("v_proj",), clip=True)
    assert V not in model.qtensors and Q in model.qtensors
    assert np.array_equal(model.weights[V], changed[V])  # multiplied, or the norm in front would be wrong for it
    assert_allclose((changed[V] / small.weights[V])[0], (changed[Q] / small.weights[Q])[0], rtol=1e-5)
    everything = small.quantize(Recipe(weights=SCHEME, method="awq", skip="layers"), calibration=CALIBRATION)
    assert np.array_equal(everything.logits(tokens), small.logits(tokens))


def test_one_token_and_lazy_weights_are_enough(tokens):
    recipe = Recipe(weights=SCHEME, method="awq", activations="int8:token", kv="int8:token", head="int8:channel")
    lazy = random_model(SMALL, seed=5).quantize(recipe, calibration=[3])
    kept = in_memory(SMALL, 5).quantize(recipe, calibration=[3])
    assert np.isfinite(lazy.logits(tokens)).all() and np.array_equal(lazy.logits(tokens), kept.logits(tokens))


# ---- what is refused


def test_weights_that_are_not_finite_are_named(small):
    for name in (V, DOWN):
        model = in_memory(SMALL)
        model.weights[name][1, 2] = np.nan
        with pytest.raises(ValueError, match=name):
            model.quantize(Recipe(weights=SCHEME, method="awq"), calibration=CALIBRATION)


def test_inputs_that_are_not_finite_are_named_with_their_matrix(small):
    small.weights["model.embed_tokens.weight"][CALIBRATION[5]] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=f"{Q}.*: X holds nan at sample"):
        small.quantize(Recipe(weights=SCHEME, method="awq"), calibration=CALIBRATION)


def test_what_the_methods_cannot_do_is_refused_when_the_recipe_is_made():
    with pytest.raises(ValueError, match="recipe, weights, method 'awq': AWQ needs a scale per row or per group"):
        Recipe(weights="int4:tensor", method="awq")
    with pytest.raises(ValueError, match="recipe, weights, method 'awq\\+gptq': .*"):
        Recipe(weights="q4_0", method="awq+gptq")
    with pytest.raises(ValueError, match="recipe, weights, method 'hqq': HQQ moves the zero point"):
        Recipe(weights="int4:g32", method="hqq")


def test_calibration_text_is_asked_for(small):
    with pytest.raises(ValueError, match="method 'awq' needs calibration tokens"):
        small.quantize(Recipe(weights=SCHEME, method="awq"))
    assert small.quantize(Recipe(weights=SCHEME, method="hqq")).qtensors  # looks at no text

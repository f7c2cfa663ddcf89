"""Recipes and what they do to a model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minquant.methods import rtn
from minquant.model import METHODS, Method, Recipe, Transformer, linear_names, quantizing, random_model
from minquant.model.recipe import fake_quantizer
from minquant.scaling import Scheme, fake_quantize

from .conftest import SMALL, in_memory


def test_weights_are_rounded_to_nearest_one_matrix_at_a_time(small, tokens):
    model = small.quantize(Recipe(weights="int4:g8"))
    for name, weight in small.weights.items():
        if name in linear_names(SMALL):
            expected = rtn(weight, "int4:g8")
            assert np.array_equal(model.weights[name], expected.dequantize())
            assert np.array_equal(model.qtensors[name].codes, expected.codes)
        else:
            assert model.weights[name] is weight
    assert set(model.qtensors) == set(linear_names(SMALL))
    assert_allclose(model.logits(tokens), Transformer(SMALL, dict(model.weights)).logits(tokens), rtol=0)


def test_nothing_of_the_given_model_changes(small, tokens):
    weights, ref = {name: w.copy() for name, w in small.weights.items()}, small.logits(tokens)
    small.quantize(Recipe(weights="int2:channel", activations="int4:token", kv="int4:token", head="int4:g8"))
    assert all(np.array_equal(small.weights[name], w) for name, w in weights.items())
    assert small.recipe == Recipe() and small.qtensors == {}
    assert np.array_equal(small.logits(tokens), ref)


@pytest.mark.parametrize("tied", [True, False])
def test_the_head_is_the_output_matrix_and_the_embedding_where_tied(tied, tokens):
    float_model = in_memory(dataclasses.replace(SMALL, tied=tied))
    model = float_model.quantize(Recipe(head="int4:channel"))
    name = "model.embed_tokens.weight" if tied else "lm_head.weight"
    assert set(model.qtensors) == {name}
    assert np.array_equal(model.weights[name], fake_quantize(float_model.weights[name], "int4:channel"))
    if not tied:
        assert model.weights["model.embed_tokens.weight"] is float_model.weights["model.embed_tokens.weight"]
    assert np.abs(model.logits(tokens) - float_model.logits(tokens)).max() > 1e-3


@pytest.mark.parametrize("skip, left", [
    ("down_proj", {f"model.layers.{i}.mlp.down_proj.weight" for i in range(2)}),
    (("layers.1",), {name for name in linear_names(SMALL, 1)}),
    (("model.layers.0.self_attn.k_proj.weight", "*.1.*.v_proj"),
     {"model.layers.0.self_attn.k_proj.weight", "model.layers.1.self_attn.v_proj.weight"}),
    ("embed_tokens", {"model.embed_tokens.weight"}),
])
def test_skip_leaves_matrices_and_their_inputs_in_float(small, tokens, skip, left):
    model = small.quantize(Recipe(weights="int2:channel", head="int2:channel", skip=skip))
    assert {*linear_names(SMALL), "model.embed_tokens.weight"} - set(model.qtensors) == left
    assert all(model.weights[name] is small.weights[name] for name in left)


def test_a_skipped_layer_reads_its_input_unrounded(small, tokens):
    everything = small.quantize(Recipe(activations="int2:token", skip="model"))
    assert np.array_equal(everything.logits(tokens), small.logits(tokens))


def test_layers_one_is_not_layers_eleven():
    recipe = Recipe(skip="layers.1")
    assert recipe.skips("model.layers.1.mlp.up_proj.weight") and not recipe.skips("model.layers.11.mlp.up_proj.weight")


def test_int8_is_close_and_int2_is_not(small, tokens):
    ref = small.logits(tokens)
    models = [small.quantize(Recipe(weights=f"int{bits}:channel")) for bits in (8, 4, 3, 2)]
    errors = [np.abs(model.logits(tokens) - ref).mean() for model in models]
    assert errors == sorted(errors) and errors[0] < 0.02 < 0.1 < errors[-1]


def test_a_model_with_lazy_weights_is_quantized_without_keeping_the_rest(tokens):
    lazy = random_model(SMALL, seed=5)
    model = lazy.quantize(Recipe(weights="int4:g8"))
    assert set(model.weights) == set(lazy.weights) and len(model.weights) == len(lazy.weights)
    assert np.array_equal(model.logits(tokens), in_memory(SMALL, 5).quantize(Recipe(weights="int4:g8")).logits(tokens))


def test_bf16_weights_of_a_bf16_model_change_nothing(small, tokens):
    model = small.quantize(Recipe(weights="bf16", head="bf16"))
    assert np.array_equal(model.logits(tokens), small.logits(tokens)) and model.bits_per_weight == 16


# ---- mixed precision


DOWN, KEY = "model.layers.{}.mlp.down_proj.weight", "model.layers.{}.self_attn.k_proj.weight"
MIXED = {"down_proj": "int8:g8", "layers.1": "int2:g4:asym", "model.layers.1.mlp.down_proj.weight": "mxfp4"}


def test_the_last_override_that_matches_counts_and_skip_above_all():
    recipe = Recipe(weights="int4:g8", overrides=MIXED, skip="v_proj")
    assert recipe.scheme_of(DOWN.format(0)) == "int8:g8" and recipe.scheme_of(DOWN.format(1)) == "mxfp4"
    assert recipe.scheme_of(KEY.format(0)) == "int4:g8" and recipe.scheme_of(KEY.format(1)) == "int2:g4:asym"
    assert recipe.scheme_of("model.layers.1.self_attn.v_proj.weight") is None
    reverse = Recipe(weights="int4:g8", overrides=list(reversed(MIXED.items())))
    assert reverse.scheme_of(DOWN.format(1)) == "int8:g8"


def test_each_matrix_is_rounded_to_its_own_scheme(small, tokens):
    recipe = Recipe(weights="int4:g8", overrides={**MIXED, DOWN.format(1): "nf4"} | {"o_proj": "int3:channel"},
                    skip="q_proj")
    small = in_memory(dataclasses.replace(SMALL, ffn=64))
    model = small.quantize(recipe)
    for name in linear_names(small.config):
        scheme = recipe.scheme_of(name)
        assert (name in model.qtensors) == (scheme is not None)
        if scheme is not None:
            assert model.qtensors[name].scheme == Scheme.parse(scheme)
            assert np.array_equal(model.weights[name], fake_quantize(small.weights[name], scheme))
    assert len({q.scheme for q in model.qtensors.values()}) == 5


def test_overrides_alone_quantize_what_they_name(small):
    model = small.quantize(Recipe(overrides={"layers.1.mlp": "int4:g8"}))
    assert set(model.qtensors) == {name for name in linear_names(SMALL, 1) if "mlp" in name}
    assert model.nbytes < small.nbytes


def test_a_uniform_recipe_written_as_overrides_is_the_same(small, tokens):
    calibration = np.arange(1, 19)
    for method, scheme in (("rtn", "int3:g8"), ("gptq", "int3:g8"), ("gptq_act_order", "int3:channel"),
                           ("awq", "int3:g8:asym"), ("awq+gptq", "int3:g8:asym"), ("hqq", "int3:g8:asym")):
        one = small.quantize(Recipe(weights=scheme, method=method), calibration)
        other = small.quantize(Recipe(method=method, overrides={"layers": scheme}), calibration)
        assert np.array_equal(one.logits(tokens), other.logits(tokens)), method
        recipe = Recipe(weights="int8:g8:asym", method=method, overrides={"layers.0": scheme})
        mixed = small.quantize(recipe, calibration)
        assert all(np.array_equal(mixed.qtensors[name].codes, one.qtensors[name].codes)
                   for name in linear_names(SMALL, 0)), method
        assert {str(mixed.qtensors[name].scheme) for name in linear_names(SMALL, 1)} == {"int8:g8:asym"}


# ---- methods that look at inputs


@pytest.fixture
def spy(monkeypatch):
    """A method that rounds to nearest and keeps the inputs it was given."""
    calls = []

    def quantize(weight, inputs, scheme):
        calls.append(inputs)
        return rtn(weight, scheme)

    monkeypatch.setitem(METHODS, "spy", Method(quantize, needs_inputs=True))
    return calls


def test_each_block_is_calibrated_on_what_the_quantized_blocks_before_it_produce(small, spy):
    tokens = np.random.default_rng(2).integers(0, SMALL.vocab_size, 40)  # two windows: 24 and 16 tokens
    recipe = Recipe(weights="int3:channel", method="spy", head="int4:channel")
    model = small.quantize(recipe, calibration=tokens)
    names = linear_names(SMALL)
    assert len(spy) == len(names)

    half = Transformer(SMALL, {name: small.weights[name] if ".layers.1." in name else w
                               for name, w in model.weights.items()})  # block 0 quantized, block 1 in float
    for layer, judge in enumerate((None, half)):
        seen = {}
        for window in (tokens[:24], tokens[24:]):
            (judge or Transformer(SMALL, small.weights | {"model.embed_tokens.weight": model.weights[
                "model.embed_tokens.weight"]})).run(window, tap=lambda n, x: seen.setdefault(n, []).append(x))
        for name in linear_names(SMALL, layer):
            assert_allclose(spy[names.index(name)], np.concatenate(seen[name]), atol=1e-5, err_msg=name)


def test_a_method_that_needs_calibration_says_so(small, spy):
    with pytest.raises(ValueError, match="method 'spy' needs calibration tokens"):
        small.quantize(Recipe(weights="int4:channel", method="spy"))
    with pytest.raises(ValueError, match="token 77 at position 1"):
        small.quantize(Recipe(weights="int4:channel", method="spy"), calibration=[1, 77])


def test_progress_wraps_the_blocks(small):
    steps = []

    def wrap(items):
        for item in items:
            steps.append(item)
            yield item

    small.quantize(Recipe(weights="int4:channel"), progress=wrap)
    assert steps == [0, 1]


def test_progress_true_shows_a_bar(small, capsys):
    small.quantize(Recipe(weights="int4:channel"), progress=True)
    assert "quantize" in capsys.readouterr().err


# ---- what is refused


@pytest.mark.parametrize("given, words", [
    ({"weights": "int9:channel"}, "recipe, weights: .*int9"),
    ({"kv": "int8:g0"}, "recipe, kv: "),
    ({"head": "nonsense"}, "recipe, head: .*nonsense"),
    ({"method": "magic"}, "method: 'magic' is unknown; this version has rtn, gptq"),
    ({"weights": "nvfp4", "method": "gptq"}, "recipe, weights, method 'gptq': nvfp4 fixes .* use fp4_e2m1:g16"),
    ({"kv": "int8:tensor"}, "recipe, kv: one scale for the whole tensor.*write int8:token"),
    ({"kv": "int8:channel"}, "recipe, kv: one scale per channel.*write int8:token"),
    ({"attention": "fp8_e4m3:tensor"}, "recipe, attention: .*write fp8_e4m3:token"),
    ({"activations": "int8:channel"}, "recipe, activations: .*write int8:token"),
    ({"overrides": {"down_proj": "int9:g32"}}, "recipe, overrides, 'down_proj': .*int9"),
    ({"overrides": {"down_proj": None}}, "recipe, overrides: 'down_proj' has no scheme; .*name it in skip"),
    ({"overrides": {"down_proj": "q4_0"}, "method": "gptq"}, "overrides, 'down_proj', method 'gptq': q4_0 rounds by"),
])
def test_a_recipe_checks_itself_when_it_is_made(given, words):
    with pytest.raises(ValueError, match=words):
        Recipe(**given)


@pytest.mark.parametrize("given", [
    {"weights": 4}, {"skip": (1,)}, {"skip": ("",)}, {"overrides": {"": "int8:g8"}}, {"overrides": {"down_proj": 8}},
    {"overrides": "down_proj=int8:g8"}, {"overrides": ("down_proj", "int8:g8")}, {"overrides": 3}])
def test_a_recipe_of_the_wrong_types_is_refused(given):
    with pytest.raises(TypeError, match="recipe, "):
        Recipe(**given)


def test_a_recipe_is_plain_data():
    recipe = Recipe(weights=Scheme.parse("int4:g32:asym"), skip=["a", "b"], overrides={"c": Scheme.parse("int8:g8")})
    assert recipe == Recipe(weights="int4:g32:asym", skip=("a", "b"), overrides=[("c", "int8:g8")]) and hash(recipe)
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.weights = None


@pytest.mark.parametrize("recipe, words", [
    (Recipe(weights="int4:g16"), "weights of model.layers.0.self_attn.o_proj.weight: a row of 24 .* groups of 16"),
    (Recipe(weights="int4:g5"), "weights of model.layers.0.self_attn.q_proj.weight: a row of 16 .* groups of 5"),
    (Recipe(activations="int8:g32"), "activations of model.layers.0.self_attn.q_proj.weight"),
    (Recipe(head="int8:g32"), "head of model.embed_tokens.weight: a row of 16"),
    (Recipe(kv="int8:g32"), "kv: a head: a row of 4 is no whole number of groups of 32"),
    (Recipe(attention="int8:g8"), "attention: a head"),
    (Recipe(weights="int4:channel", skip="downproj"), "skip: 'downproj' matches no weight"),
    (Recipe(overrides={"layers.0": "int4:g8", "layers.2": "int4:g8"}), "overrides: 'layers.2' matches no matrix of the"),
    (Recipe(overrides={"embed_tokens": "int4:g8"}), "overrides: 'embed_tokens' matches no matrix of the blocks"),
    (Recipe(overrides={"o_proj": "int4:g16"}), "weights of model.layers.0.self_attn.o_proj.weight: a row of 24"),
])
def test_a_recipe_that_does_not_fit_the_model_is_refused_before_any_work(small, monkeypatch, recipe, words):
    monkeypatch.setattr(quantizing, "quantize_weight", lambda *_: pytest.fail("work was done"))
    with pytest.raises(ValueError, match=words):
        small.quantize(recipe)


def test_a_group_size_that_only_a_skipped_layer_breaks_is_fine(small, tokens):
    recipe = Recipe(weights="int4:g16", activations="int8:g16", skip=("down_proj", "o_proj"))
    assert np.isfinite(small.quantize(recipe).logits(tokens)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_named(small, value):
    name = "model.layers.1.self_attn.v_proj.weight"
    small.weights[name][3, 2] = value
    with pytest.raises(ValueError, match=name):
        small.quantize(Recipe(weights="int8:channel"))


def test_a_quantized_model_is_not_quantized_again(small):
    with pytest.raises(ValueError, match="quantized already.*int8:channel.*quantize the float model"):
        small.quantize(Recipe(weights="int8:channel")).quantize(Recipe(kv="int8:token"))
    assert small.quantize(Recipe(kv="int8:token")).quantize(Recipe(weights="int8:channel")).recipe.kv is None


def test_a_scheme_instead_of_a_recipe_is_a_type_error(small):
    with pytest.raises(TypeError, match=r"Recipe\(weights='int8:channel'\)"):
        small.quantize("int8:channel")


def test_rows_that_are_no_whole_number_of_groups_are_filled_up_with_zeros():
    p = np.random.default_rng(0).random((2, 3, 37)).astype(np.float32)
    got = fake_quantizer("int8:g32")(p)
    assert np.array_equal(got[..., :32], fake_quantize(p[..., :32], "int8:g32"))
    last = np.concatenate((p[..., 32:], np.zeros((2, 3, 27), np.float32)), axis=-1)
    assert np.array_equal(got[..., 32:], fake_quantize(last, "int8:g32")[..., :5])

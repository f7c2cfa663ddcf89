"""``minquant eval`` on a very small model: the JSON agrees with the functions, and what is wrong is named."""

from __future__ import annotations

import json

import pytest

from minquant import Recipe, load
from minquant.evaluation import calibration_tokens, evaluate, heldout_tokens

KEYS = {"perplexity", "perplexity_stderr", "bits_per_byte", "kl", "kl_stderr", "top1_agreement", "bits_per_weight"}
SHORT = ("--limit-bytes", "400")


def test_without_flags_it_is_the_float_model(command, checkpoint):
    done = command("eval", checkpoint, "--json", *SHORT)
    assert done.code == 0 and done.err == ""
    got = json.loads(done.out)
    assert KEYS <= set(got)
    assert (got["kl"], got["top1_agreement"], got["bits_per_weight"], got["checkpoint"]) == (0, 1, 16, checkpoint)
    model = load(checkpoint)
    ref = evaluate(model, model, heldout_tokens(model, limit_bytes=400))
    assert got["perplexity"] == pytest.approx(ref.perplexity) and ref.kl == 0 and ref.top1_agreement == 1


def test_every_flag_reaches_the_recipe(command, checkpoint):
    recipe = {"weights": "int4:g32", "activations": "int8:token", "kv": "int4:token", "attention": "int8:token",
              "head": "int8:channel", "method": "rtn"}
    flags = [word for part, scheme in recipe.items() for word in (f"--{part}", scheme)]
    got = json.loads(command("eval", checkpoint, "--json", *SHORT, "--context", 32, *flags).out)
    assert got["recipe"] == recipe and got["context"] == 32
    model = load(checkpoint)
    ref = evaluate(model.quantize(Recipe(**recipe)), model, heldout_tokens(model, limit_bytes=400), context=32)
    for key in KEYS:
        assert got[key] == pytest.approx(getattr(ref, key)), key
    assert got["kl"] > 0


def test_single_matrices_get_schemes_of_their_own(command, checkpoint):
    words = ("eval", checkpoint, *SHORT, "--override", "down_proj=int8:g32", "--override", "layers.1=float")
    got = json.loads(command(*words, "--weights", "int3:g32", "--json").out)
    model = load(checkpoint)
    recipe = Recipe(weights="int3:g32", overrides={"down_proj": "int8:g32"}, skip="layers.1")
    expected = evaluate(model.quantize(recipe), model, heldout_tokens(model, limit_bytes=400))
    assert (got["kl"], got["bits_per_weight"]) == (pytest.approx(expected.kl), expected.bits_per_weight)
    assert f"{checkpoint}: down_proj int8:g32, layers.1 float; " in command(*words).out  # without --weights


def test_a_calibrated_method_reads_the_text_the_flags_choose(command, checkpoint):
    words = ("eval", checkpoint, *SHORT, "--weights", "int3:channel", "--method", "gptq")
    got = json.loads(command(*words, "--json", "--calibration-tokens", 100, "--calibration-seed", 3).out)
    assert got["calibration"] == {"tokens": 100, "seed": 3}
    model = load(checkpoint)
    rounded = model.quantize(Recipe(weights="int3:channel", method="gptq"), calibration_tokens(model, 100, seed=3))
    assert got["kl"] == pytest.approx(evaluate(rounded, model, heldout_tokens(model, limit_bytes=400)).kl)
    assert "gptq on 70 tokens of calibration text, seed 0" in command(*words, "--calibration-tokens", 70).out
    plain = json.loads(command("eval", checkpoint, "--json", *SHORT, "--weights", "int3:channel").out)
    assert plain["calibration"] is None


@pytest.mark.parametrize("flags", [
    ["--weights", "int8:channel", "--activations", "int8:tensor:static", "--method", "smoothquant:0.75"],
    ["--weights", "int8:channel", "--activations", "int8:token", "--method", "llm_int8:4"],
    ["--weights", "int4:channel", "--activations", "int4:token", "--method", "rotate"],
    ["--activations", "mxfp8"], ["--activations", "fp8_e4m3:tensor:static"],
])
def test_schemes_and_methods_of_activations_are_reached(command, checkpoint, flags):
    words = dict(zip([flag[2:] for flag in flags[::2]], flags[1::2]))
    got = json.loads(command("eval", checkpoint, "--json", *SHORT, "--calibration-tokens", 100, *flags).out)
    model, recipe = load(checkpoint), Recipe(**words)
    assert (got["calibration"] is not None) == recipe.needs_text
    seen = calibration_tokens(model, 100) if recipe.needs_text else None
    expected = evaluate(model.quantize(recipe, seen), model, heldout_tokens(model, limit_bytes=400))
    assert got["kl"] == pytest.approx(expected.kl) and got["kl"] > 0


def test_the_report_for_people_holds_the_same_figures(command, checkpoint):
    words = ("eval", checkpoint, *SHORT, "--weights", "int2:g32")
    got, text = json.loads(command(*words, "--json").out), command(*words).out
    assert "weights int2:g32" in text and f"{got['kl']:.3g} ± {got['kl_stderr']:.2g}" in text
    assert f"{got['perplexity']:.4g} ± {got['perplexity_stderr']:.2g}" in text


@pytest.mark.parametrize("flags, said", [
    (["--weights", "int9:channel"], "recipe, weights: unknown scheme 'int9:channel'"),
    (["--method", "magic"], "'magic' is unknown"),
    (["--override", "downproj=int8:g32"], "overrides: 'downproj' matches no matrix of the blocks"),
    (["--override", "down_proj=int9:g32"], "overrides, 'down_proj': unknown scheme 'int9:g32'"),
    (["--kv", "int8:tensor"], "int8:token"),
    (["--weights", "int4:g48"], "48"),
    (["--context", "65"], "longer than the 64 tokens"),
    (["--limit-bytes", "0"], "at least 1"),
    (["--weights", "q4_0", "--method", "gptq"], "use int4:g32:full"),
    (["--weights", "int4:g32", "--method", "gptq", "--calibration-tokens", "9999999"], "9999999 calibration tokens"),
    (["--calibration-tokens", "0"], "at least 1"),
])
def test_a_recipe_that_cannot_be_is_refused_in_one_line(refused, checkpoint, flags, said):
    assert said in refused("eval", checkpoint, *SHORT, *flags)


def test_a_missing_checkpoint_is_named(refused, tmp_path):
    assert "nowhere" in refused("eval", tmp_path / "nowhere")
    assert "config.json" in refused("eval", tmp_path)


def test_a_model_without_a_tokenizer_cannot_read_the_text(refused, checkpoint, tmp_path):
    from shutil import copytree

    folder = copytree(checkpoint, tmp_path / "copy")
    (folder / "tokenizer.json").unlink()
    assert "tokenizer" in refused("eval", folder)
    assert "tokenizer" in refused("generate", folder)


def test_a_truncated_checkpoint_is_refused(refused, checkpoint, tmp_path):
    from shutil import copytree

    folder = copytree(checkpoint, tmp_path / "copy")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "model.safetensors" in refused("eval", folder)

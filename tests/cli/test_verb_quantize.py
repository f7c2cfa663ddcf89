"""``minquant quantize``: the file is the model, and the other verbs read it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minquant import Recipe, load
from minquant.evaluation import calibration_tokens, evaluate, heldout_tokens

RECIPE = ("--weights", "int3:g32", "--method", "gptq", "--override", "down_proj=int8:g32", "--kv", "int8:token",
          "--calibration-tokens", "100", "--calibration-seed", "3")


@pytest.fixture(scope="module")
def file(checkpoint, tmp_path_factory):
    """A quantized model in a file."""
    from minquant.cli import main

    path = tmp_path_factory.mktemp("out") / "three.safetensors"
    assert main(["quantize", checkpoint, "--output", str(path), *RECIPE]) == 0
    return path


def test_the_file_holds_the_model_that_the_flags_spell(checkpoint, file):
    model = load(checkpoint)
    recipe = Recipe(weights="int3:g32", method="gptq", kv="int8:token", overrides={"down_proj": "int8:g32"})
    expected, got = model.quantize(recipe, calibration_tokens(model, 100, seed=3)), load(file)
    assert got.recipe == recipe and got.nbytes == expected.nbytes
    assert np.array_equal(got.logits([0, 5, 9]), expected.logits([0, 5, 9]))


def test_it_says_what_it_wrote(command, checkpoint, tmp_path):
    path = tmp_path / "four.safetensors"
    got = json.loads(command("quantize", checkpoint, "--output", path, "--weights", "int4:g32", "--json").out)
    assert (got["file"], got["file_bytes"]) == (str(path), path.stat().st_size)
    assert got["weight_bytes"] == load(path).nbytes < got["file_bytes"] and got["calibration"] is None
    text = command("quantize", checkpoint, "--output", path, "--weights", "int4:g32").out
    assert text == f"{path}: {got['file_bytes']:,} bytes, {got['weight_bytes']:,} of them weights at " \
                   f"{got['bits_per_weight']:.3f} bits\n"


def test_eval_reads_it_and_compares_it_with_what_it_was_made_from(command, checkpoint, file):
    words = ("eval", file, "--limit-bytes", "400")
    got = json.loads(command(*words, "--reference", checkpoint, "--json").out)
    model = load(checkpoint)
    expected = evaluate(load(file), model, heldout_tokens(model, limit_bytes=400))
    assert got["kl"] == expected.kl > 0 and got["bits_per_weight"] == expected.bits_per_weight
    assert got["recipe"] == {"weights": "int3:g32", "method": "gptq", "kv": "int8:token",
                             "overrides": [["down_proj", "int8:g32"]]}
    alone = json.loads(command(*words, "--json").out)
    assert alone["kl"] is None and alone["perplexity"] == pytest.approx(got["perplexity"])
    text = command(*words).out
    assert "weights int3:g32, kv int8:token, down_proj int8:g32" in text
    assert "KL to float, nats per token      -\n" in text


def test_generate_reads_it(command, checkpoint, file):
    assert command("generate", file, "--tokens", "5").code == 0


@pytest.mark.parametrize("words, said", [
    ((), "--output"), (("--output", "."), "is a folder: name a file"),
    (("--output", "/nowhere/at/all/x"), "there is no folder /nowhere/at/all"),
    (("--output", "x", "--weights", "int9:g32"), "unknown scheme 'int9:g32'"),
])
def test_what_is_refused_before_any_work(refused, words, said):
    assert said in refused("quantize", *words)


def test_a_quantized_file_is_not_quantized_again_and_a_damaged_one_is_named(refused, file, tmp_path):
    assert "quantized already" in refused("eval", file, "--weights", "int4:g32")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(file.read_bytes()[:-9])
    assert "cut.safetensors is cut short" in refused("eval", cut)
    assert "cut.safetensors is cut short" in refused("generate", cut)

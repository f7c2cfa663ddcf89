"""GPTQ, AWQ and compressed-tensors folders: read back by brute force, and by our own loader."""

from __future__ import annotations

import dataclasses
import json

import ml_dtypes  # noqa: F401  (NumPy learns of bfloat16)
import numpy as np
import pytest
import safetensors.numpy

import minquant as mq
import naive
from minquant.interop import write_checkpoint
from minquant.model import Config, Transformer, linear_names, random_model, tensor_shapes

MINI = Config(vocab_size=64, hidden=64, layers=1, heads=4, kv_heads=2, head_dim=16, ffn=96, context=64)
UP = "model.layers.0.mlp.up_proj."
CASES = [("gptq", "int4:g32"), ("gptq", "int4:g32:asym"), ("gptq", "int8:g32"), ("gptq", "int3:g32"),
         ("gptq", "int2:g32:asym"), ("gptq", "int4:g32:full"), ("awq", "int4:g32:asym"), ("awq", "int4:g32"),
         ("compressed-tensors", "int4:g32"), ("compressed-tensors", "int4:g32:asym"),
         ("compressed-tensors", "int8:channel"), ("compressed-tensors", "int3:g32")]


def made(scheme: str, **changes) -> Transformer:
    config = dataclasses.replace(MINI, **changes)
    return Transformer(config, dict(random_model(config, 3).weights)).quantize(mq.Recipe(weights=scheme))


@pytest.mark.parametrize("format, scheme", CASES)
def test_other_code_reads_exactly_our_weights(tmp_path, format, scheme):
    model = made(scheme)
    write_checkpoint(model, tmp_path, format)
    stored = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    about = json.loads((tmp_path / "config.json").read_text())["quantization_config"]
    rows = np.array([naive.checkpoint_weight(stored, UP, about, 5, i) for i in range(64)], np.float32)
    assert np.array_equal(rows, model.weights[f"{UP}weight"][5])
    assert about["quant_method"] == format


@pytest.mark.parametrize("format, scheme", CASES)
@pytest.mark.parametrize("lazy", [True, False])
def test_our_loader_reads_exactly_our_weights(tmp_path, format, scheme, lazy):
    model = made(scheme, qk_norm=True, tied=False)
    write_checkpoint(model, tmp_path, format)
    again = mq.load(tmp_path, lazy=lazy)
    assert again.config == model.config
    assert all(np.array_equal(again.weights[name], model.weights[name]) for name in tensor_shapes(model.config))


@pytest.mark.parametrize("format, recipe, words", [
    ("exl2", {"weights": "int4:g32"}, "unknown format 'exl2'"), ("gptq", {}, "is in float"),
    ("gptq", {"weights": "int4:g32", "head": "int8:channel"}, "leave the head of the recipe in float"),
    ("gptq", {"weights": "int4:g32", "overrides": {"down_proj": "int8:g32"}}, "different schemes"),
    ("gptq", {"weights": "int4:channel"}, "no place for 'int4:channel'"), ("awq", {"weights": "int8:g32"}, "no place for"),
    ("compressed-tensors", {"weights": "q4_0"}, "no place for 'q4_0'"),
    ("compressed-tensors", {"weights": "mxfp4"}, "no place for 'mxfp4'")])
def test_what_a_format_cannot_hold_is_refused_before_anything_is_written(tmp_path, format, recipe, words):
    model = Transformer(MINI, dict(random_model(MINI, 3).weights)).quantize(mq.Recipe(**recipe))
    with pytest.raises(ValueError, match=words):
        write_checkpoint(model, tmp_path / "out", format)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("changes, words", [
    ({"quant_method": "bitsandbytes"}, "quant_method 'bitsandbytes' is not supported"),
    ({"checkpoint_format": "marlin"}, "checkpoint_format 'marlin'"), ({"bits": "4"}, "bits '4'"),
    ({"bits": 8}, "qweight has shape|need words of shape"), ({"bits": 5}, "2, 3, 4 or 8 bits")])
def test_a_config_that_lies_is_refused(tmp_path, changes, words):
    write_checkpoint(made("int4:g32"), tmp_path, "gptq")
    raw = json.loads((tmp_path / "config.json").read_text())
    raw["quantization_config"] |= changes
    (tmp_path / "config.json").write_text(json.dumps(raw))
    with pytest.raises(ValueError, match=words):
        mq.load(tmp_path)


def test_missing_and_foreign_tensors_are_named(tmp_path):
    write_checkpoint(made("int4:g32"), tmp_path, "awq")
    raw = json.loads((tmp_path / "config.json").read_text())
    raw["quantization_config"]["quant_method"] = "gptq"
    (tmp_path / "config.json").write_text(json.dumps(raw))
    with pytest.raises(ValueError, match="g_idx is missing"):
        mq.load(tmp_path)
    assert len(linear_names(MINI)) == 7

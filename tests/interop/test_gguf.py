"""GGUF files out and in: byte for byte through the gguf package (llama.cpp itself: test_llama_cpp.py)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import gguf as oracle
import numpy as np
import pytest

import minquant as mq
from minquant.interop import gguf_out, read_gguf, write_gguf
from minquant.model import Config, Transformer, random_model, tensor_shapes
from minquant.packing import gguf

MINI = Config(vocab_size=64, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=96, context=64)
QWEN = dataclasses.replace(MINI, qk_norm=True, tied=False, rope_theta=1e6, norm_eps=1e-6)
SCALED = dataclasses.replace(MINI, rope_theta=5e5, rope_scaling=(8.0, 1.0, 4.0, 64))
TOKENS = [1, 5, 9, 63, 0, 7]
Q = "model.layers.0.self_attn.q_proj.weight"


def made(config: Config) -> Transformer:
    return Transformer(config, dict(random_model(config, 3).weights))


@pytest.mark.parametrize("config", [MINI, QWEN, SCALED], ids=["llama", "qwen3", "llama3"])
@pytest.mark.parametrize("type", ["F32", "BF16"])
def test_a_model_survives_the_way_through_a_file(tmp_path, config, type):
    model = made(config)  # exact in bf16
    write_gguf(model, tmp_path / "m.gguf", type)
    for lazy in (False, True):
        again = mq.load(tmp_path / "m.gguf", lazy=lazy)
        assert again.config == config and again.tokenizer is None
        assert np.array_equal(again.logits(TOKENS), model.logits(TOKENS))
    assert [p.name for p in tmp_path.iterdir()] == ["m.gguf"]


@pytest.mark.parametrize("type", ["F16", "Q8_0", "Q5_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K"])
def test_values_are_those_of_the_gguf_package(tmp_path, type):
    config = dataclasses.replace(MINI, hidden=256, ffn=256)
    model = made(config)
    write_gguf(model, tmp_path / "m.gguf", type)
    again = read_gguf(tmp_path / "m.gguf")
    for tensor in oracle.GGUFReader(tmp_path / "m.gguf").tensors:
        values = oracle.quants.dequantize(np.asarray(tensor.data), tensor.tensor_type)
        if tensor.name == "blk.0.attn_q.weight":  # neighbours there, halves here
            values = values.reshape(4, 8, 2, 256).swapaxes(1, 2).reshape(64, 256)
            assert np.array_equal(values, again.weights[Q])
            assert tensor.tensor_type.name == type
        if tensor.name == "blk.1.attn_output.weight":  # rows of 64 are no super-block
            assert tensor.tensor_type.name == {"Q4_K": "Q5_0", "Q6_K": "Q8_0"}.get(type, type)
        if tensor.name == "blk.1.ffn_down.weight":
            assert np.array_equal(values, again.weights["model.layers.1.mlp.down_proj.weight"])


def test_codes_of_a_quantized_model_are_written_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(gguf_out, "ROWS_AT_ONCE", 7)
    model = made(MINI)
    quantized = model.quantize(mq.Recipe(weights="q4_0", head="q8_0", overrides={"down_proj": "q4_1"}))
    write_gguf(quantized, tmp_path / "m.gguf")
    again = read_gguf(tmp_path / "m.gguf")
    assert all(np.array_equal(again.weights[name], quantized.weights[name]) for name in tensor_shapes(MINI))
    write_gguf(model, tmp_path / "direct.gguf", "Q4_0", head="Q8_0")
    assert np.array_equal(read_gguf(tmp_path / "direct.gguf").weights[Q], quantized.weights[Q])


def test_the_vocabulary_survives(tmp_path):
    model = mq.load("tiny")
    write_gguf(model, tmp_path / "m.gguf", "Q8_0", name="tiny")
    again = mq.load(tmp_path / "m.gguf")
    text = "Return a new list \u2014 na\u00efve, 42.\n<|endoftext|>def"
    assert np.array_equal(again.tokenizer.encode(text), model.tokenizer.encode(text))
    assert again.tokenizer.decode(again.tokenizer.encode(text)) == text and again.config == model.config
    fields = {key: field.contents() for key, field in oracle.GGUFReader(tmp_path / "m.gguf").fields.items()}
    assert fields["tokenizer.ggml.model"] == "gpt2" and fields["tokenizer.ggml.pre"] == "gpt-2"
    assert fields["tokenizer.ggml.eos_token_id"] == 0 and fields["tokenizer.ggml.token_type"][:2] == [3, 1]
    assert fields["general.file_type"] == 7 and not fields["tokenizer.ggml.add_bos_token"]


@pytest.mark.parametrize("call, words", [
    (lambda m, p: write_gguf(m, p, "Q3_K"), "no model is written in 'Q3_K'"),
    (lambda m, p: write_gguf(m.quantize(mq.Recipe(weights="int4:g32")), p), "GGUF has no blocks for 'int4:g32'"),
    (lambda m, p: write_gguf(m.quantize(mq.Recipe(weights="q4_0")), p, "Q8_0"), "would be rounded twice"),
    (lambda m, p: write_gguf(Transformer(MINI, {**m.weights, Q: m.weights[Q] * np.float32(np.nan)}), p, "Q8_0"),
     f"{Q}: .*NaN"),
])
def test_what_cannot_be_written_leaves_no_file(tmp_path, call, words):
    with pytest.raises(ValueError, match=words):
        call(made(MINI), tmp_path / "m.gguf")
    assert not list(tmp_path.iterdir())


def tampered(path: Path, metadata=None, tensors=None) -> None:
    """Write the mini model's file again, with other keys or tensors."""
    write_gguf(made(MINI), path, "BF16")
    keys, found = gguf.file.read(path)
    found = {name: (np.array(raw), type, shape) for name, (raw, type, shape) in found.items()} | (tensors or {})
    gguf.file.write(path, {k: v for k, v in (keys | (metadata or {})).items() if v is not None},
                    {k: v for k, v in found.items() if v is not None})


RAW = (np.zeros(128, np.uint8), "BF16", (64,))


@pytest.mark.parametrize("metadata, tensors, words", [
    ({"general.architecture": "gemma3"}, {}, "general.architecture = 'gemma3' is not supported"),
    ({"llama.block_count": None}, {}, "the key llama.block_count is missing"),
    ({"llama.block_count": 10**6}, {}, "layers must be a whole number from 1 to 1000"),
    ({"llama.block_count": 3}, {}, "tensor blk.2.attn_norm.weight is missing"),
    ({"llama.attention.head_count": [4, 4]}, {}, "head_count must be one whole number"),
    ({"llama.feed_forward_length": 97}, {}, r"ffn_gate.weight has shape \(96, 64\); the metadata ask for \(97, 64\)"),
    ({"llama.expert_count": 8}, {}, "llama.expert_count = 8 is not supported"),
    ({"llama.rope.scaling.type": "yarn"}, {}, "llama.rope.scaling.type = 'yarn' is not supported"),
    ({"llama.rope.dimension_count": 8}, {}, "differs from the size of a head"),
    ({"llama.vocab_size": 65}, {}, "the embedding has 64 rows"),
    ({"llama.rope.freq_base": "x"}, {}, "rope.freq_base is missing, or is no number"),
    ({"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a"]}, {}, "names 1 tokens"),
    ({}, {"blk.0.attn_q.bias": RAW}, "tensor blk.0.attn_q.bias has no place"),
    ({}, {"token_embd.weight": None}, "token_embd.weight is missing"),
    ({}, {"rope_freqs.weight": (gguf.quantize(np.linspace(1, 3, 8, dtype=np.float32), "F32"), "F32", (8,))},
     "none of Llama 3's scalings"),
])
def test_files_that_are_not_supported_are_refused_by_name(tmp_path, metadata, tensors, words):
    tampered(tmp_path / "m.gguf", metadata, tensors)
    with pytest.raises(ValueError, match=f"m.gguf: .*{words}"):
        mq.load(tmp_path / "m.gguf")


def test_a_vocabulary_we_cannot_read_leaves_the_model_without_one(tmp_path):
    tampered(tmp_path / "m.gguf", {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": ["a"] * 64})
    with pytest.warns(UserWarning, match="without its tokenizer: tokenizer.ggml.model is 'llama'"):
        assert mq.load(tmp_path / "m.gguf").tokenizer is None

"""config.json in its spellings, and the settings that are refused by name."""

from __future__ import annotations

import dataclasses
import json

import pytest

from minquant.model import SHAPES, Config, linear_names, tensor_shapes

OLD = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 100, "hidden_size": 48,
       "num_hidden_layers": 3, "num_attention_heads": 6, "intermediate_size": 80, "max_position_embeddings": 64,
       "rms_norm_eps": 1e-6, "rope_theta": 500.0, "torch_dtype": "float16"}
NEW = {key: value for key, value in OLD.items() if key not in ("rope_theta", "torch_dtype")} | {
    "dtype": "float16", "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}


def test_old_and_new_spelling_give_the_same_shape():
    expected = Config(vocab_size=100, hidden=48, layers=3, heads=6, kv_heads=6, head_dim=8, ffn=80, context=64,
                      norm_eps=1e-6, rope_theta=500.0, tied=False)
    assert Config.from_huggingface(OLD) == Config.from_huggingface(NEW) == expected


def test_what_a_file_may_leave_out():
    full = OLD | {"head_dim": 16, "num_key_value_heads": 2, "tie_word_embeddings": True}
    got = Config.from_huggingface(full)
    assert (got.head_dim, got.kv_heads, got.tied) == (16, 2, True)
    plain = {key: value for key, value in OLD.items() if key != "rope_theta"}
    assert Config.from_huggingface(plain).rope_theta == 10000.0


def test_qwen3_has_norms_of_q_and_k_and_heads_of_128():
    qwen = OLD | {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "sliding_window": None,
                  "layer_types": ["full_attention"] * 3, "use_sliding_window": False}
    got = Config.from_huggingface(qwen)
    assert got.qk_norm and got.head_dim == 128
    assert tensor_shapes(got)["model.layers.2.self_attn.k_norm.weight"] == (128,)
    assert Config.from_huggingface(got.to_huggingface()) == got
    assert not any("_norm.weight" in name for name in tensor_shapes(Config.from_huggingface(OLD)) if "self_attn" in name)


def test_llama3_scaling_in_both_spellings():
    scaling = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    old = OLD | {"rope_scaling": {"rope_type": "llama3", **scaling}}
    new = NEW | {"rope_parameters": {"rope_type": "llama3", "rope_theta": 500.0, **scaling}}
    got = Config.from_huggingface(old)
    assert got.rope_scaling == (8.0, 1.0, 4.0, 64) and got == Config.from_huggingface(new)
    assert Config.from_huggingface(json.loads(json.dumps(got.to_huggingface()))) == got


@pytest.mark.parametrize("shape", SHAPES)
def test_a_config_survives_the_way_through_a_file(shape):
    raw = json.loads(json.dumps(SHAPES[shape].to_huggingface()))
    assert Config.from_huggingface(raw) == SHAPES[shape]


@pytest.mark.parametrize("changes, words", [
    ({"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe"}, "Qwen3MoeForCausalLM.*not supported"),
    ({"architectures": ["Qwen3ForCausalLM"]}, "Qwen3ForCausalLM.*'llama' is not supported"),
    ({"model_type": ["llama"]}, "is not supported"),
    ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types = .*sliding"),
    ({"use_sliding_window": True}, "use_sliding_window = True"),
    ({"rope_parameters": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 1.0,
                          "original_max_position_embeddings": 64}}, "low_freq_factor 4.0 must be below"),
    ({"rope_scaling": {"rope_type": "llama3", "factor": "8", "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                       "original_max_position_embeddings": 64}}, "rope_scaling must be four finite numbers"),
    ({"model_type": "mistral"}, "model_type 'mistral' is not supported"),
    ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "scaling 'llama3' needs 'low_freq_factor'"),
    ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling"),
    ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope_parameters = .*yarn"),
    ({"rope_parameters": "default"}, "rope_parameters = 'default'"),
    ({"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5"),
    ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "rope_parameters = .*partial"),
    ({"attention_bias": True}, "attention_bias = True is not supported"),
    ({"mlp_bias": True}, "mlp_bias = True"),
    ({"hidden_act": "gelu"}, "hidden_act = 'gelu'"),
    ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config = .*gptq"),
    ({"vocab_size": None}, "vocab_size must be a whole number"),
    ({"num_hidden_layers": 10**9}, "layers must be a whole number from 1 to 1000, not 1000000000"),
    ({"hidden_size": 48.0}, "head_dim is missing|hidden must be"),
    ({"hidden_size": True, "head_dim": 8}, "hidden must be a whole number.*not True"),
    ({"hidden_size": 50}, "hidden_size 50 is not a multiple of num_attention_heads 6"),
    ({"num_key_value_heads": 4}, "6 query heads cannot share 4 key/value heads"),
    ({"head_dim": 7}, "head_dim must be even"),
    ({"rms_norm_eps": 0}, "norm_eps must be a finite number above 0"),
    ({"rope_theta": float("nan")}, "rope_theta must be a finite number"),
    ({"tie_word_embeddings": "yes"}, "tied must be true or false"),
])
def test_what_we_would_compute_wrongly_is_refused_by_name(changes, words):
    with pytest.raises(ValueError, match=words):
        Config.from_huggingface(OLD | changes)


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "rms_norm_eps", "max_position_embeddings"])
def test_a_missing_key_is_named(key):
    with pytest.raises(ValueError, match=f"the key '{key}' is missing"):
        Config.from_huggingface({k: v for k, v in OLD.items() if k != key})


def test_the_named_shapes_are_those_agreed():
    agreed = {"0.1b": (12, 768, 12, 4, 64, 2048, 32768), "0.6b": (28, 1024, 16, 8, 128, 3072, 151936),
              "0.8b": (26, 1280, 20, 4, 64, 5120, 151936)}
    for name, numbers in agreed.items():
        c = SHAPES[name]
        assert (c.layers, c.hidden, c.heads, c.kv_heads, c.head_dim, c.ffn, c.vocab_size) == numbers and c.tied
    assert [round(SHAPES[n].parameters / 1e6) for n in agreed] == [101, 596, 808]


def test_names_and_shapes_of_the_weights():
    config = dataclasses.replace(SHAPES["tiny"], tied=False)
    shapes = tensor_shapes(config)
    assert len(shapes) == 4 * 9 + 3
    assert shapes["model.layers.3.self_attn.k_proj.weight"] == (64, 256)
    assert shapes["model.layers.0.mlp.down_proj.weight"] == (256, 768)
    assert shapes["lm_head.weight"] == shapes["model.embed_tokens.weight"] == (2048, 256)
    assert len(linear_names(config)) == 28
    assert linear_names(config, 2)[0] == "model.layers.2.self_attn.q_proj.weight"

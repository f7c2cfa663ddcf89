"""``config.json``: what Hugging Face writes about a model, read and written.

How it works
    Keys have changed over the years, and files of every age are on people's disks, so each spelling is read:

        base of RoPE         rope_theta, or rope_parameters: {"rope_theta": ...}
        scaling of RoPE      rope_scaling: {"type" or "rope_type": "llama3", ...}, or the same in rope_parameters
        size of a head       head_dim, or hidden_size / num_attention_heads (Llama), or 128 (Qwen3)
        key/value heads      num_key_value_heads, or as many as query heads

    A setting that we would compute differently is refused by name: a model that quietly ignores a setting computes
    something else.

Source
    transformers: ``models/llama/configuration_llama.py``, ``models/qwen3/configuration_qwen3.py`` and
    ``modeling_rope_utils.py`` (which keys "llama3" needs).

What we leave out
    Biases, other scalings of RoPE (yarn, linear, ...), sliding windows, mixtures of experts, activations other than
    SiLU.
"""

from __future__ import annotations

from typing import Any, Mapping

from .config import Config, refuse_rotated

FAMILIES = {"llama": "LlamaForCausalLM", "qwen3": "Qwen3ForCausalLM"}
QWEN3_HEAD = 128  # head_dim where a Qwen3 file names none
SCALING = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
ONLY = {"hidden_act": ("silu",), "attention_bias": (False,), "mlp_bias": (False,), "quantization_config": (None,),
        "partial_rotary_factor": (1.0,), "use_sliding_window": (False, None)}  # what we compute; others are refused


def read(raw: Mapping[str, Any]) -> Config:
    """The shape of a model from the content of its ``config.json``.

    Raises ValueError naming the key that is missing or unsupported.
    """
    family = _family(raw)
    _refuse_unsupported(raw)
    heads, kv_heads = _required(raw, "num_attention_heads"), raw.get("num_key_value_heads")
    return Config(
        vocab_size=_required(raw, "vocab_size"), hidden=_required(raw, "hidden_size"),
        layers=_required(raw, "num_hidden_layers"), heads=heads, kv_heads=heads if kv_heads is None else kv_heads,
        head_dim=_head_dim(raw, family), ffn=_required(raw, "intermediate_size"),
        context=_required(raw, "max_position_embeddings"), norm_eps=_required(raw, "rms_norm_eps"),
        rope_theta=_rope(raw).get("rope_theta", raw.get("rope_theta", 10000.0)),
        tied=raw.get("tie_word_embeddings", False), qk_norm=family == "qwen3", rope_scaling=_scaling(raw))


def write(config: Config) -> dict[str, Any]:
    """The content of a ``config.json`` that other tools read; both spellings of what was renamed.

    Raises ValueError for a rotated model: no setting of a config.json says that a Hadamard matrix runs along.
    """
    refuse_rotated(config, "a config.json cannot describe", "Write it with model.save(path), or the model before rotation")
    family = "qwen3" if config.qk_norm else "llama"
    scaling = {} if config.rope_scaling is None else {"rope_type": "llama3", **dict(zip(SCALING, config.rope_scaling))}
    parameters = {"rope_type": "default", **scaling, "rope_theta": config.rope_theta}
    return {
        "architectures": [FAMILIES[family]], "model_type": family, "hidden_size": config.hidden,
        "intermediate_size": config.ffn, "num_hidden_layers": config.layers, "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads, "head_dim": config.head_dim, "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context, "rms_norm_eps": config.norm_eps, "rope_theta": config.rope_theta,
        "rope_parameters": parameters, **({"rope_scaling": scaling} if scaling else {}),
        "tie_word_embeddings": config.tied, "hidden_act": "silu", "attention_bias": False,
        **({"mlp_bias": False} if family == "llama" else {}),
        "bos_token_id": 0, "eos_token_id": 0, "torch_dtype": "bfloat16", "dtype": "bfloat16",
    }


def _required(raw: Mapping[str, Any], key: str) -> Any:
    if key not in raw:
        raise ValueError(f"config.json: the key {key!r} is missing")
    return raw[key]


def _family(raw: Mapping[str, Any]) -> str:
    """"llama" or "qwen3". Raises ValueError for any other architecture."""
    architectures, kind = raw.get("architectures"), raw.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES or architectures not in (None, [], [FAMILIES[kind]]):
        raise ValueError(f"config.json: architecture {architectures}, model_type {kind!r} is not supported; this "
                         f"version reads {' and '.join(FAMILIES.values())}, model_type {' and '.join(FAMILIES)}")
    return kind


def _head_dim(raw: Mapping[str, Any], family: str) -> Any:
    if raw.get("head_dim") is not None:
        return raw["head_dim"]
    if family == "qwen3":
        return QWEN3_HEAD
    hidden, heads = _required(raw, "hidden_size"), _required(raw, "num_attention_heads")
    if not (isinstance(hidden, int) and isinstance(heads, int) and heads > 0 and hidden % heads == 0):
        raise ValueError(f"config: head_dim is missing and hidden_size {hidden!r} is not a multiple of "
                         f"num_attention_heads {heads!r}")
    return hidden // heads


def _rope(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """New files' rope_parameters; empty for old ones."""
    return raw.get("rope_parameters") or {}


def _scaling(raw: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The four numbers of Llama 3's scaling, where the file asks for it. Raises ValueError where one is missing."""
    for rope in (_rope(raw), raw.get("rope_scaling") or {}):
        if _kind(rope) == "llama3":
            missing = [key for key in SCALING if key not in rope]
            if missing:
                raise ValueError(f"config.json: RoPE scaling 'llama3' needs {missing[0]!r}, which is missing")
            return tuple(rope[key] for key in SCALING)
    return None


def _kind(rope: Mapping[str, Any]) -> Any:
    return rope.get("rope_type", rope.get("type", "default"))


def _refuse_unsupported(raw: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the setting, for a model that ours would compute differently."""
    for key in ("rope_scaling", "rope_parameters"):
        rope = raw.get(key) or {}
        if (not isinstance(rope, dict) or _kind(rope) not in ("default", "llama3")
                or rope.get("partial_rotary_factor", 1.0) != 1.0):
            raise ValueError(f"config.json: {key} = {rope!r} is not supported; only plain RoPE and 'llama3' are")
    for key, known in ONLY.items():
        if raw.get(key, known[0]) not in known:
            raise ValueError(f"config.json: {key} = {raw[key]!r} is not supported; only {known[0]!r} is")
    layers = raw.get("layer_types") or []
    if not isinstance(layers, list) or any(kind != "full_attention" for kind in layers):
        raise ValueError(f"config.json: layer_types = {layers!r:.100} is not supported; only 'full_attention' is")

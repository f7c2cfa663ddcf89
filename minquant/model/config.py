"""The numbers that fix a model's shape, and the names of its tensors.

How it works
    A decoder-only transformer of the Llama family is described by eleven numbers. From them follow the names
    and shapes of every weight tensor; the names are those of Hugging Face's ``LlamaForCausalLM``, so that a
    checkpoint from the hub and one of ours look the same. ``Config.from_huggingface`` reads a ``config.json``.

What we leave out
    Biases, scaled RoPE, sliding windows, mixtures of experts, other activations than SiLU. Each is refused by
    name: a model that quietly ignores a setting computes something else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Mapping

from ..methods import hadamard

MOST = {"layers": 1000}  # a config.json is input: a thousand million layers would fill the memory with names
EMBEDDING, HEAD, FINAL_NORM = "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"


@dataclass(frozen=True)
class Config:
    """Shape of a decoder-only transformer.

    Attributes:
        vocab_size: number of tokens the model knows.
        hidden: width of the residual stream.
        layers: number of blocks.
        heads, kv_heads: query heads and key/value heads; ``heads`` is a multiple of ``kv_heads``.
        head_dim: width of one head (even, because RoPE turns pairs).
        ffn: width inside the feed-forward part.
        context: most tokens the model reads at once.
        norm_eps: added to the mean square in RMSNorm.
        rope_theta: base of the RoPE wavelengths.
        tied: the output matrix is the embedding matrix.
        online_hadamard: the input of every down projection is multiplied by a Hadamard matrix (``rotation.py``).

    Raises ValueError where a number is impossible.
    """

    vocab_size: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    context: int
    norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    tied: bool = True
    online_hadamard: bool = False

    def __post_init__(self) -> None:
        for field in fields(self)[:8]:
            value = getattr(self, field.name)
            most = MOST.get(field.name, 2**31 - 1)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise ValueError(f"config: {field.name} must be a whole number from 1 to {most}, not {value!r}")
        for name in ("norm_eps", "rope_theta"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
                raise ValueError(f"config: {name} must be a finite number above 0, not {value!r}")
        for name in ("tied", "online_hadamard"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"config: {name} must be true or false, not {getattr(self, name)!r}")
        if self.online_hadamard:
            hadamard(self.ffn)  # raises where there is none of this size
        if self.heads % self.kv_heads:
            raise ValueError(f"config: {self.heads} query heads cannot share {self.kv_heads} key/value heads evenly")
        if self.head_dim % 2:
            raise ValueError(f"config: head_dim must be even (RoPE turns pairs), not {self.head_dim}")

    @property
    def head_name(self) -> str:
        """Name of the output matrix: the embedding itself where they are tied."""
        return EMBEDDING if self.tied else HEAD

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(math.prod(shape) for shape in tensor_shapes(self).values())

    @classmethod
    def from_huggingface(cls, raw: Mapping[str, Any]) -> Config:
        """Read the content of a Hugging Face ``config.json`` (Llama), in its old or its new spelling.

        Old files write ``rope_theta``, new ones ``rope_parameters: {"rope_theta": ...}``. ``head_dim`` and
        ``num_key_value_heads`` may be missing. Raises ValueError naming the key that is missing or unsupported.
        """
        _refuse_unsupported(raw)
        heads = _required(raw, "num_attention_heads")
        hidden = _required(raw, "hidden_size")
        head_dim = raw.get("head_dim")
        if head_dim is None:
            if not (isinstance(hidden, int) and isinstance(heads, int) and heads > 0 and hidden % heads == 0):
                raise ValueError(f"config: head_dim is missing and hidden_size {hidden!r} is not a multiple of "
                                 f"num_attention_heads {heads!r}")
            head_dim = hidden // heads
        kv_heads = raw.get("num_key_value_heads")
        return cls(
            vocab_size=_required(raw, "vocab_size"), hidden=hidden, layers=_required(raw, "num_hidden_layers"),
            heads=heads, kv_heads=heads if kv_heads is None else kv_heads, head_dim=head_dim,
            ffn=_required(raw, "intermediate_size"), context=_required(raw, "max_position_embeddings"),
            norm_eps=_required(raw, "rms_norm_eps"), rope_theta=_rope_theta(raw),
            tied=raw.get("tie_word_embeddings", False))

    def to_huggingface(self) -> dict[str, Any]:
        """The content of a ``config.json`` that other tools read; both spellings of what was renamed.

        Raises ValueError for a rotated model: no setting of a config.json says that a Hadamard matrix runs along.
        """
        if self.online_hadamard:
            raise ValueError("this model multiplies by a Hadamard matrix before every down projection, and a "
                             "config.json cannot say so: write it with model.save(path), or the model before rotation")
        return {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": self.hidden,
            "intermediate_size": self.ffn, "num_hidden_layers": self.layers, "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads, "head_dim": self.head_dim, "vocab_size": self.vocab_size,
            "max_position_embeddings": self.context, "rms_norm_eps": self.norm_eps, "rope_theta": self.rope_theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_theta},
            "tie_word_embeddings": self.tied, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
            "bos_token_id": 0, "eos_token_id": 0, "torch_dtype": "bfloat16", "dtype": "bfloat16",
        }


def _required(raw: Mapping[str, Any], key: str) -> Any:
    if key not in raw:
        raise ValueError(f"config.json: the key {key!r} is missing")
    return raw[key]


def _rope_theta(raw: Mapping[str, Any]) -> Any:
    """Base of the RoPE wavelengths, where new or old files write it."""
    return (raw.get("rope_parameters") or {}).get("rope_theta", raw.get("rope_theta", 10000.0))


def _refuse_unsupported(raw: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the setting, for a model that ours would compute differently."""
    architectures, kind = raw.get("architectures"), raw.get("model_type")
    if kind != "llama" or architectures not in (None, [], ["LlamaForCausalLM"]):
        raise ValueError(f"config.json: architecture {architectures}, model_type {kind!r} is not supported; "
                         "this version reads LlamaForCausalLM, model_type 'llama'")
    for key in ("rope_scaling", "rope_parameters"):
        rope = raw.get(key) or {}
        if not isinstance(rope, dict) or (rope.get("rope_type", rope.get("type", "default")) != "default"
                                          or rope.get("partial_rotary_factor", 1.0) != 1.0):
            raise ValueError(f"config.json: {key} = {rope!r} is not supported; only plain RoPE is")
    for key, only in (("hidden_act", "silu"), ("attention_bias", False), ("mlp_bias", False),
                      ("quantization_config", None), ("partial_rotary_factor", 1.0)):
        if raw.get(key, only) != only:
            raise ValueError(f"config.json: {key} = {raw[key]!r} is not supported; only {only!r} is")


def block_shapes(config: Config, layer: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of one block's tensors, in the order they are used. Matrices are (out, in)."""
    d, q, kv = config.hidden, config.heads * config.head_dim, config.kv_heads * config.head_dim
    block = f"model.layers.{layer}"
    return {
        f"{block}.input_layernorm.weight": (d,),
        f"{block}.self_attn.q_proj.weight": (q, d),
        f"{block}.self_attn.k_proj.weight": (kv, d),
        f"{block}.self_attn.v_proj.weight": (kv, d),
        f"{block}.self_attn.o_proj.weight": (d, q),
        f"{block}.post_attention_layernorm.weight": (d,),
        f"{block}.mlp.gate_proj.weight": (config.ffn, d),
        f"{block}.mlp.up_proj.weight": (config.ffn, d),
        f"{block}.mlp.down_proj.weight": (d, config.ffn),
    }


def tensor_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Names and shapes of every tensor of the model, from the embedding to the output matrix."""
    shapes: dict[str, tuple[int, ...]] = {EMBEDDING: (config.vocab_size, config.hidden)}
    for layer in range(config.layers):
        shapes |= block_shapes(config, layer)
    shapes[FINAL_NORM] = (config.hidden,)
    if not config.tied:
        shapes[HEAD] = (config.vocab_size, config.hidden)
    return shapes


def linear_names(config: Config, layer: int | None = None) -> list[str]:
    """Names of the matrices of one block, or of all blocks: what ``Recipe.weights`` quantizes."""
    layers = range(config.layers) if layer is None else (layer,)
    return [name for i in layers for name, shape in block_shapes(config, i).items() if len(shape) == 2]

"""The numbers that fix a model's shape, and the names of its tensors.

How it works
    A decoder-only transformer of the Llama or the Qwen3 family is described by a dozen numbers. From them follow the
    names and shapes of every weight tensor; the names are those of Hugging Face's ``LlamaForCausalLM`` and
    ``Qwen3ForCausalLM``, so that a checkpoint from the hub and one of ours look the same. ``huggingface.py`` reads and
    writes a ``config.json``.

    Qwen3 differs in one thing: every head of q and k passes an RMSNorm before RoPE (``qk_norm``).
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
        qk_norm: every head of q and k is normalised before RoPE, as in Qwen3.
        rope_scaling: None, or Llama 3's stretching of long wavelengths: (factor, low_freq_factor, high_freq_factor,
            original context); see ``layers.rope_frequencies``.
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
    qk_norm: bool = False
    rope_scaling: tuple[float, float, float, int] | None = None
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
        for name in ("tied", "qk_norm", "online_hadamard"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"config: {name} must be true or false, not {getattr(self, name)!r}")
        if self.rope_scaling is not None:
            object.__setattr__(self, "rope_scaling", _checked_scaling(self.rope_scaling))
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
        """Read the content of a ``config.json`` (Llama, Qwen3); see ``minquant.model.huggingface.read``."""
        from .huggingface import read
        return read(raw)

    def to_huggingface(self) -> dict[str, Any]:
        """The content of a ``config.json``; see ``minquant.model.huggingface.write``."""
        from .huggingface import write
        return write(self)


def _checked_scaling(scaling: Any) -> tuple[float, float, float, int]:
    """Llama 3's four numbers. Raises ValueError where they are not four, or would divide by zero."""
    numbers = tuple(scaling) if isinstance(scaling, (list, tuple)) else ()
    if len(numbers) != 4 or not all(type(x) in (int, float) and 0 < x < math.inf for x in numbers):
        raise ValueError(f"config: rope_scaling must be four finite numbers above 0 (factor, low_freq_factor, "
                         f"high_freq_factor, original context), not {scaling!r}")
    if not numbers[1] < numbers[2]:
        raise ValueError(f"config: rope_scaling: low_freq_factor {numbers[1]} must be below high_freq_factor "
                         f"{numbers[2]}")
    return numbers


def refuse_rotated(config: Config, who: str, instead: str) -> None:
    """Raise ValueError for a rotated model where somebody (``who``) cannot multiply by the Hadamard matrix that its
    down projections need as it runs. ``instead`` says what to do."""
    if config.online_hadamard:
        raise ValueError(f"{who} a rotated model (config.online_hadamard): it multiplies by a Hadamard matrix before every "
                         f"down projection as it runs, and without that its weights compute something else. {instead}")


def block_shapes(config: Config, layer: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of one block's tensors, in the order they are used. Matrices are (out, in)."""
    d, q, kv = config.hidden, config.heads * config.head_dim, config.kv_heads * config.head_dim
    block = f"model.layers.{layer}"
    norms = {f"{block}.self_attn.{x}_norm.weight": (config.head_dim,) for x in "qk"} if config.qk_norm else {}
    return {
        f"{block}.input_layernorm.weight": (d,),
        f"{block}.self_attn.q_proj.weight": (q, d),
        f"{block}.self_attn.k_proj.weight": (kv, d),
        f"{block}.self_attn.v_proj.weight": (kv, d),
        **norms,
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

"""What a model's tensors are called in a GGUF file, and how their rows are ordered there.

How it works
    ``model.layers.3.self_attn.q_proj.weight`` is ``blk.3.attn_q.weight``, and so on. Matrices are (out, in) in both.

    **The rows of q and k.** Architecture "llama" turns neighbours, components 2i and 2i + 1 of a head; Hugging Face's
    Llama turns i and i + half. Both are the same rotation of differently numbered components, so a file for llama.cpp
    holds the rows of q and k in another order, head by head. Architecture "qwen3" turns halves, and nothing is moved.

Source
    llama.cpp: ``gguf-py/gguf/tensor_mapping.py`` (names), ``conversion/llama.py`` (permute).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..model import Config
from ..model.config import EMBEDDING, FINAL_NORM, HEAD, block_shapes

ROPE_FACTORS = "rope_freqs.weight"
_PARTS = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
          "self_attn.v_proj": "attn_v", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
          "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
          "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def names(config: Config) -> Iterator[tuple[str, str]]:
    """(name in the file, name in the model) of every tensor, in the order they are written."""
    yield "token_embd.weight", EMBEDDING
    for layer in range(config.layers):
        for name in block_shapes(config, layer):
            part = name.removeprefix(f"model.layers.{layer}.").removesuffix(".weight")
            yield f"blk.{layer}.{_PARTS[part]}.weight", name
    yield "output_norm.weight", FINAL_NORM
    if not config.tied:
        yield "output.weight", HEAD


def row_order(config: Config, name: str) -> np.ndarray | None:
    """For each row of a matrix in the file, its row in the model: int64 (rows,). None where nothing is moved."""
    heads = {"q_proj": config.heads, "k_proj": config.kv_heads}.get(name.split(".")[-2])
    if heads is None or config.qk_norm:
        return None
    rows = np.arange(heads * config.head_dim).reshape(heads, 2, config.head_dim // 2)
    return rows.swapaxes(1, 2).reshape(-1)

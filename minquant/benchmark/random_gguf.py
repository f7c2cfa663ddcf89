"""A random model of a shape as a GGUF file: what llama.cpp is timed on beside our decoder.

How it works
    The same seeded weights that our decoder packs, in blocks of one type throughout ("pure": the embedding, which is
    the output matrix too, included; norm gains stay F32), some thousand rows at a time. So both programs read the same
    numbers, and as many bytes. There is no vocabulary inside, only its size, which is enough to be timed.

    Architecture "llama". Its rotary embedding turns neighbours (2i, 2i + 1), ours i and i + half: the rows of q and k
    are put in that order, as llama.cpp's ``convert_hf_to_gguf.py`` does with checkpoints of Hugging Face.

What we leave out
    Tokenizers, and writing a trained model: whoever wants to talk to one needs its vocabulary.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .. import _paths
from ..model import Config, random_model
from ..model.config import EMBEDDING, FINAL_NORM, HEAD, block_shapes
from ..packing import gguf

ROWS_AT_ONCE = 4096
_FILE_TYPES = {"BF16": 32, "Q8_0": 7, "Q4_0": 2}  # general.file_type: enum llama_ftype in llama.cpp's include/llama.h
_PARTS = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
          "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
          "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def random_gguf(shape: str | Config, blocks: str, folder: Path | None = None,
                progress: Callable[[str], None] | None = None) -> Path:
    """The file of a random model in such blocks ("BF16", "Q8_0", "Q4_0"), written where it is not there yet.

    ``folder``: None for ``gguf`` in the cache of minquant. The file's name holds a checksum of the shape.
    Raises ValueError for an unknown shape or type, OSError where the disk has no room for it.
    """
    if blocks not in _FILE_TYPES:
        raise ValueError(f"no random model is written in {blocks!r}: choose one of {', '.join(_FILE_TYPES)}")
    model = random_model(shape)
    config, name = model.config, shape if isinstance(shape, str) else "model"
    folder = _paths.cache_dir() / "gguf" if folder is None else Path(folder)
    path = folder / f"random-{name}-{zlib.crc32(repr(config).encode()):08x}-{blocks}.gguf"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = config.parameters * gguf.TYPES[blocks].bits_per_weight / 8, shutil.disk_usage(folder).free
    if needed > 0.95 * free:
        raise OSError(f"{path.name} takes {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free in {folder}: name "
                      "another folder, or make room there")
    if progress:
        progress(f"writing {path.name} ({needed / 1e9:.2f} GB)")
    gguf.file.write(path, _metadata(config, blocks), dict(_tensors(model, blocks)))
    return path


def _metadata(c: Config, blocks: str) -> dict:
    return {"general.architecture": "llama", "general.name": "random weights", "general.file_type": _FILE_TYPES[blocks],
            "llama.vocab_size": c.vocab_size, "llama.context_length": c.context, "llama.embedding_length": c.hidden,
            "llama.block_count": c.layers, "llama.feed_forward_length": c.ffn, "llama.attention.head_count": c.heads,
            "llama.attention.head_count_kv": c.kv_heads, "llama.attention.key_length": c.head_dim,
            "llama.attention.value_length": c.head_dim, "llama.rope.dimension_count": c.head_dim,
            "llama.rope.freq_base": float(c.rope_theta), "llama.attention.layer_norm_rms_epsilon": float(c.norm_eps),
            "tokenizer.ggml.model": "no_vocab"}


def _names(config: Config) -> Iterator[tuple[str, str]]:
    """(name in the file, name in the model) of every tensor."""
    yield "token_embd.weight", EMBEDDING
    for layer in range(config.layers):
        for name in block_shapes(config, layer):
            part = name.removeprefix(f"model.layers.{layer}.").removesuffix(".weight")
            yield f"blk.{layer}.{_PARTS[part]}.weight", name
    yield "output_norm.weight", FINAL_NORM
    if not config.tied:
        yield "output.weight", HEAD


def _tensors(model, blocks: str) -> Iterator[tuple[str, gguf.file.Later]]:
    """Every tensor, its bytes still to be made."""
    for written, name in _names(model.config):
        shape = model.weights.shapes[name]
        type = blocks if len(shape) == 2 else "F32"
        yield written, (lambda name=name, type=type: _pieces(model, name, type), type, shape)


def _pieces(model, name: str, type: str) -> Iterator[np.ndarray]:
    """The bytes of a tensor, some thousand rows at a time."""
    tensor = model.weights[name]
    if name.endswith(("q_proj.weight", "k_proj.weight")):
        tensor = neighbours(tensor, model.config.head_dim)
    for start in range(0, len(tensor), ROWS_AT_ONCE):
        yield gguf.quantize(tensor[start:start + ROWS_AT_ONCE], type)


def neighbours(matrix: np.ndarray, head_dim: int) -> np.ndarray:
    """Rows i and i + head_dim/2 of every head become its rows 2i and 2i + 1. matrix (heads * head_dim, columns)."""
    rows, columns = matrix.shape
    return matrix.reshape(-1, 2, head_dim // 2, columns).swapaxes(1, 2).reshape(rows, columns)

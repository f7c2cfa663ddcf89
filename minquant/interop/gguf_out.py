"""write_gguf: a model as a file that llama.cpp, Ollama and whatever builds on them load.

How it works
    Metadata say the shape and the vocabulary; then every tensor follows in blocks. Matrices are quantized to the blocks
    asked for, or, where the model is quantized already to a layout of ggml, written as they are; norm gains stay float32.
    Rows are converted some thousand at a time: a model whose weights stay on the disk may be larger than memory.

    Which blocks: llama.cpp's ``llama-quantize --pure`` gives every matrix one type, as we do. (Its own mixtures, such as
    Q4_K_M, keep some matrices finer; ``head="Q6_K"`` does that for the output matrix.) Rows that are no whole number of
    blocks get the same substitute as there: Q5_0 for Q4_K, Q8_0 for Q6_K, and F16 where that does not fit either.

Source
    llama.cpp: ``src/llama-quant.cpp`` (tensor_type_fallback), ``include/llama.h`` (enum llama_ftype),
    ``conversion/base.py`` (which keys a converter writes).

What we leave out
    Importance matrices, and what a recipe says about activations, cache and attention: that is the reader's business.
    Rotated models: no key says that a Hadamard matrix runs along.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..model import Transformer, method_of, tensor_shapes
from ..model.config import refuse_rotated
from ..model.qtensors import packed_parts, scheme_of
from ..model.shards import row_blocks
from ..packing import gguf
from . import gguf_names
from .gguf_shape import rope_factors, shape_keys
from .gguf_tokens import token_keys

ROWS_AT_ONCE = 4096
BLOCKS = {"F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q5_0": 8, "Q4_0": 2, "Q4_1": 3, "Q4_K": 14, "Q6_K": 18}
_SUBSTITUTES = {"Q4_K": "Q5_0", "Q6_K": "Q8_0"}  # type -> what takes its place; BLOCKS: type -> general.file_type
_PLAIN = ("F32", "F16", "BF16")


def write_gguf(model: Transformer, path: str | os.PathLike, type: str | None = None, head: str | None = None, *,
               name: str | None = None, progress: Callable[[str], None] | None = None) -> None:
    """Write a model as a GGUF file.

    Args:
        model: a model of the Llama or Qwen3 family, with a tokenizer or without.
        path: the file. It is written under a temporary name beside it and renamed when it is whole.
        type: blocks of the matrices, a key of ``BLOCKS``. None, for a model that is quantized: each weight keeps its
            codes (q8_0, q5_0, q4_0, q4_1, bf16, fp16), and those left in float become BF16.
        head: blocks of the output matrix (the embedding, where tied) and of the embedding; None for ``type``.
        name: general.name of the model.
        progress: called with a line of text for every tensor.

    Raises ValueError, before anything is written, for an unknown type, a scheme that GGUF has no blocks for, a model
    that is quantized already and would be rounded twice, a rotated model, or a tokenizer that cannot be described; and
    for NaN or infinity, naming the tensor.
    """
    types, metadata = check_gguf(model, type, head, name)
    gguf.file.write(path, metadata, dict(_tensors(model, types, progress or (lambda line: None))))


def check_gguf(model: Transformer, type: str | None = None, head: str | None = None,
               name: str | None = None) -> tuple[dict[str, str], dict[str, Any]]:
    """The blocks of every tensor, and the metadata: all of a file but its numbers. Raises as ``write_gguf``."""
    refuse_rotated(model.config, "a GGUF file cannot hold", "Keep it in a file of ours (minquant quantize --format "
                   "minquant, model.save), or write the model before rotation")
    if model.recipe.has_weights and method_of(model.recipe.method)[0].decompose:
        raise ValueError(f"{model.recipe.method} rounds the weights anew with every input, so there are no codes to write: "
                         "GGUF wants another method, such as rtn")
    for blocks in (type, head):
        if blocks is not None and blocks not in BLOCKS:
            raise ValueError(f"no model is written in {blocks!r}: choose one of {', '.join(BLOCKS)}")
    types = {tensor: _type_of(model, tensor, shape, type, head) for tensor, shape in tensor_shapes(model.config).items()}
    most = type or _commonest(types)
    return types, {**shape_keys(model.config), "general.name": name or "minquant", "general.file_type": BLOCKS[most],
                   **({} if most in _PLAIN else {"general.quantization_version": 2}),
                   **token_keys(model.tokenizer, model.config.vocab_size)}


def _type_of(model: Transformer, name: str, shape: tuple[int, ...], type: str | None, head: str | None) -> str:
    """The blocks a tensor is written in."""
    if len(shape) == 1:
        return "F32"
    if name in (model.config.head_name, "model.embed_tokens.weight") and head is not None:
        type = head
    scheme = scheme_of(model.qtensors, name)
    stored = None if scheme is None else {"bf16": "BF16", "fp16": "F16"}.get(str(scheme), scheme.preset.upper())
    if scheme is None or type in _PLAIN or type == stored:
        return _fitting(type or "BF16", shape[-1])
    if type is not None:
        raise ValueError(f"{name} is quantized already ({scheme}) and would be rounded twice: write {type} from the "
                         "float model, or leave the type out")
    if stored not in BLOCKS:
        raise ValueError(f"{name}: GGUF has no blocks for {str(scheme)!r}; quantize to q8_0, q5_0, q4_0, q4_1, bf16 or "
                         "fp16, or name plain blocks (F16)")
    return stored


def _fitting(type: str, columns: int) -> str:
    """The type, or what takes its place where rows of so many columns are no whole number of its blocks."""
    for candidate in (type, _SUBSTITUTES.get(type, type), "F16"):
        if columns % gguf.TYPES[candidate].elements == 0:
            return candidate
    raise AssertionError("F16 blocks hold one number")


def _commonest(types: dict[str, str]) -> str:
    matrices = [t for t in types.values() if t != "F32"]
    return max(matrices, key=matrices.count, default="F32")


def _tensors(model: Transformer, types: dict[str, str],
             progress: Callable[[str], None]) -> Iterator[tuple[str, gguf.file.Tensor | gguf.file.Later]]:
    """Every tensor, its bytes still to be made."""
    shapes = tensor_shapes(model.config)
    factors = rope_factors(model.config)
    if factors is not None:
        yield gguf_names.ROPE_FACTORS, (gguf.quantize(factors, "F32"), "F32", factors.shape)
    for written, name in gguf_names.names(model.config):
        def pieces(name: str = name, type: str = types[name]) -> Iterator[np.ndarray]:
            progress(f"writing {name} ({type})")
            try:
                yield from _pieces(model, name, type)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None

        yield written, (pieces, types[name], shapes[name])


def _pieces(model: Transformer, name: str, type: str) -> Iterator[np.ndarray]:
    """The blocks of a tensor, some thousand rows at a time; q and k, which are small, at once and in llama.cpp's order."""
    scheme, order = scheme_of(model.qtensors, name), gguf_names.row_order(model.config, name)
    rows = tensor_shapes(model.config)[name][0]
    if scheme is not None and scheme.preset.upper() == type:
        blocks = packed_parts(model.qtensors, name)["blocks"].reshape(rows, -1)  # (rows, bytes)
        yield blocks if order is None else blocks[order]
    elif order is not None:
        yield gguf.quantize(model.weights[name][order], type)
    else:
        for block in row_blocks(model.weights, name, rows, ROWS_AT_ONCE):
            yield gguf.quantize(block, type)

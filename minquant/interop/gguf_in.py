"""read_gguf: a model from a GGUF file, in whatever blocks its tensors are.

How it works
    The header says shape, vocabulary and where each tensor lies; it is checked against the size of the file, and the
    tensors against the shape, before any number is read. Weights are dequantized, at once or when they are asked for;
    the rows of q and k are put back into Hugging Face's order. The file is mapped into memory, not copied.

What we leave out
    Multiplying the blocks as they lie: quantize the loaded model to the same layout (q8_0, q4_0), and the same codes come
    out again, because the block's largest value is one of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..model import Config, Transformer, tensor_shapes
from ..model.shards import Stored
from ..packing import gguf
from . import gguf_names
from .gguf_shape import read_shape
from .gguf_tokens import read_tokens


def read_gguf(path: str | os.PathLike, lazy: bool = False) -> Transformer:
    """Read a model of the Llama or Qwen3 family from a GGUF file.

    Args:
        path: the file; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q6_K and the other blocks of ``packing.gguf``.
        lazy: leave the weights on the disk; ``model.weights`` then dequantizes a tensor each time it is asked for.

    Returns:
        A float Transformer with the values that the blocks stand for. Its tokenizer is None, with a warning, where the
        file's is of a kind we cannot read.

    Raises ValueError, naming the file and what is wrong: damaged, cut short, another architecture, a tensor that is
    missing, superfluous, of another shape, or not finite.
    """
    path = Path(path)
    try:
        metadata, tensors = gguf.file.read(path)
        config = _shape(metadata, tensors)
        tokenizer = read_tokens(metadata, config.vocab_size)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    weights = Stored(_Blocks(path.name, config, tensors), tensor_shapes(config))
    return Transformer(config, weights if lazy else dict(weights), tokenizer)


def _shape(metadata: Mapping[str, Any], tensors: Mapping[str, gguf.file.Tensor]) -> Config:
    """The shape, and that the tensors are those of the shape."""
    if "token_embd.weight" not in tensors:
        raise ValueError("tensor token_embd.weight is missing: this file holds no language model")
    factors = tensors.get(gguf_names.ROPE_FACTORS)
    embedding = tensors["token_embd.weight"][2]
    config = read_shape(metadata, embedding[0], "output.weight" not in tensors,
                        None if factors is None else gguf.dequantize(*factors[:2]))
    expected = tensor_shapes(config)
    places = dict(gguf_names.names(config))
    for written, name in places.items():
        if written not in tensors:
            raise ValueError(f"tensor {written} is missing; the metadata ask for it as {expected[name]}")
        if tensors[written][2] != expected[name]:
            raise ValueError(f"tensor {written} has shape {tensors[written][2]}; the metadata ask for {expected[name]}")
    for written in tensors.keys() - places.keys() - {gguf_names.ROPE_FACTORS}:
        raise ValueError(f"tensor {written} has no place in this model; a model that uses it is not supported")
    return config


class _Blocks(Mapping):
    """The tensors under the names of the model: float32 arrays, dequantized when asked for."""

    def __init__(self, title: str, config: Config, tensors: Mapping[str, gguf.file.Tensor]) -> None:
        self._title = title
        self._tensors = {name: tensors[written] for written, name in gguf_names.names(config)}
        self._orders = {name: gguf_names.row_order(config, name) for name in self._tensors}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.rows(name)

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Some rows of a tensor as a new float32 array. Raises ValueError for NaN or infinity."""
        (raw, type, _), order = self._tensors[name], self._orders[name]
        if order is not None:
            raw = raw[np.argsort(order)]
        x = gguf.dequantize(raw[start:stop] if raw.ndim > 1 else raw, type)
        if not np.isfinite(x).all():
            raise ValueError(f"{self._title}: {name} holds NaN or infinity; weights must be finite")
        return x

    def __contains__(self, name: object) -> bool:
        return name in self._tensors  # Mapping's own would read the tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

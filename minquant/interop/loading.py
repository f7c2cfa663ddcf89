"""load: whatever holds a model that we can read.

    "tiny"                 the model that comes with minquant
    a folder               Hugging Face's layout, in float or quantized as GPTQ, AWQ or compressed-tensors
    FILE that starts GGUF  llama.cpp's
    any other file         one that ``model.save`` or ``minquant quantize`` wrote

A file is known by its first bytes, not by its name.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..model import Transformer
from ..model import load as load_ours
from ..model.loading import read_json
from .checkpoints_in import read_checkpoint
from .gguf_in import read_gguf


def load(source: str | os.PathLike, lazy: bool = False) -> Transformer:
    """Load a model.

    Args:
        source: ``"tiny"``; a folder with ``config.json`` and safetensors files (Llama or Qwen3; bf16, fp16 or float32, or
            packed as GPTQ, AWQ or compressed-tensors);
            a GGUF file of these families; or a file that ``model.save`` wrote, quantized or not.
        lazy: leave the weights of a folder or a GGUF file on the disk, and read them each time they are asked for.

    Returns:
        A Transformer; its ``tokenizer`` is None where there is none that we can read.

    Raises:
        FileNotFoundError: the folder, a file in it or the file is missing.
        ValueError: a file is damaged, cut short or not supported. The message names the file and what is wrong.
    """
    path = Path(source)
    if path.is_file():
        with open(path, "rb") as file:
            if file.read(4) == b"GGUF":
                return read_gguf(path, lazy)
    if source != "tiny" and (path / "config.json").is_file():
        raw = read_json(path / "config.json")
        if raw.get("quantization_config") is not None:
            return read_checkpoint(path, raw, lazy)
    return load_ours(source, lazy)

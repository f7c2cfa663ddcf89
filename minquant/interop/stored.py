"""In how many bits do the weights of a file lie? A GGUF file or a GPTQ folder is loaded as floats, but is not float.

How it works
    Only headers are read: the bytes that the tensors take in the file, scales and parts left in float included.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..model.loading import open_shards, read_json
from ..packing import gguf

_FLOATS = ("F32", "F16", "BF16")


def stored_weights(source: str | os.PathLike) -> tuple[str, int] | None:
    """What somebody else quantized: (in words how, bytes of the tensors), as in ("GGUF, Q4_0 and F32", 2010112).

    None for a float checkpoint, a float GGUF file, a file of ours (which knows its recipe) and "tiny". Raises as ``load``.
    """
    path = Path(source)
    if path.is_file():
        with open(path, "rb") as file:
            if file.read(4) != gguf.file.MAGIC:
                return None
        tensors = gguf.file.read(path)[1].values()
        types = dict.fromkeys(type for _, type, _ in tensors)
        quantized = [type for type in types if type not in _FLOATS]
        words = "GGUF, " + " and ".join([*quantized, *(type for type in types if type in _FLOATS)])
        return (words, sum(raw.nbytes for raw, _, _ in tensors)) if quantized else None
    if source == "tiny" or not (path / "config.json").is_file():
        return None
    about = read_json(path / "config.json").get("quantization_config")
    if about is None:
        return None
    shards = open_shards(path)
    return str(about["quant_method"]), sum(shards.stored(name).nbytes for name in shards)

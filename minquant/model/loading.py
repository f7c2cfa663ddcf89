"""Loading and saving a model: a folder in Hugging Face's layout.

How it works
    ``config.json`` gives the shape, ``model.safetensors`` or several files (``shards.py``) the weights,
    ``tokenizer.json`` the pieces. From the shape follow the names and shapes of all tensors; what the files hold must
    be exactly that. Weights are read through a memory map and become float32, at once or each time they are asked for.

What we leave out
    Other families than Llama and Qwen3, quantized checkpoints of others (``minquant.interop`` reads some; ``saving.py``
    writes and reads our own). Each is refused by name.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from .._paths import data_dir, data_path
from . import safetensors, saving
from .config import EMBEDDING, HEAD, Config, tensor_shapes
from .library_tokenizer import read_tokenizer
from .shards import Shards, Stored
from .transformer import Transformer


def load(source: str | os.PathLike, lazy: bool = False) -> Transformer:
    """Load a model.

    Args:
        source: ``"tiny"``, the trained model that comes with minquant; or a folder with ``config.json``,
            ``model.safetensors`` or several files and their index (bf16, fp16 or float32), and perhaps
            ``tokenizer.json``; or a file that ``model.save`` wrote, quantized or not.
        lazy: leave the weights of a folder on the disk. ``model.weights`` then reads a tensor each time it is asked
            for: a checkpoint may be larger than memory, and a forward pass takes longer.

    Returns:
        A Transformer with float32 weights; its ``tokenizer`` is None where the folder has none that we can read.

    Raises:
        FileNotFoundError: the folder, a file in it or the file is missing.
        ValueError: a file is damaged, cut short or not supported; a tensor is missing, superfluous, of another shape
            or type, or not finite. The message names the file and the tensor.
    """
    if source == "tiny":
        data_path("model.safetensors")  # says where it should be, if it is missing
        return load(data_dir(), lazy)
    folder = Path(source)
    if folder.is_file():
        return saving.load_file(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no model {str(source)!r}: give 'tiny', a folder with config.json and "
                                "model.safetensors, or a file that model.save wrote")
    config = Config.from_huggingface(read_json(folder / "config.json"))
    shards = open_shards(folder)
    check_tensors(config, shards)
    weights = Stored(shards, tensor_shapes(config))
    if config.tied and HEAD in shards and not _same(shards, HEAD, EMBEDDING):
        raise ValueError(f"{shards.file_of(HEAD)}: {HEAD} differs from {EMBEDDING}, though config.json ties them")
    tokenizer = read_tokenizer(folder / "tokenizer.json", config)
    return Transformer(config, weights if lazy else dict(weights), tokenizer)


def save(model: Transformer, folder: str | os.PathLike) -> None:
    """Write a model as a folder that ``load`` and other tools read: bf16 safetensors, config and tokenizer.

    Weights are rounded to bf16. Of a quantized model the dequantized values are written; ``model.save`` keeps its
    codes, in one file of ours. Each file is written under a temporary name and renamed when it is whole. Raises
    ValueError naming a weight that is NaN or infinite, or for a rotated model; no file of the folder has then changed.
    """
    folder, config = Path(folder), json.dumps(model.config.to_huggingface(), indent=2) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.write(folder / "model.safetensors", tensor_shapes(model.config), model.weights)
    if model.tokenizer is not None:
        write_text(folder / "tokenizer.json", model.tokenizer.to_json())
    write_text(folder / "config.json", config)


def open_shards(folder: Path) -> Shards:
    """The tensors of a folder. Raises FileNotFoundError where there are none, ValueError for pickled or damaged ones."""
    if not (folder / "model.safetensors").is_file() and not (folder / "model.safetensors.index.json").is_file():
        if list(folder.glob("*.bin")) or list(folder.glob("*.pt*")):
            raise ValueError(f"{folder.name}: the weights are pickled, and a pickle can run code; convert them to "
                             "model.safetensors first")
        raise FileNotFoundError(f"{folder.name}: model.safetensors is missing")
    return Shards(folder)


def check_tensors(config: Config, shards: Shards) -> None:
    """Raise ValueError unless the files hold exactly the tensors of the shape (and perhaps a tied lm_head)."""
    expected = tensor_shapes(config)
    for name, shape in expected.items():
        if name not in shards:
            raise ValueError(f"{shards.title}: tensor {name} is missing; config.json asks for it as {shape}")
        if shards.shapes[name] != shape:
            raise ValueError(f"{shards.file_of(name)}: tensor {name} has shape {shards.shapes[name]}; config.json asks "
                             f"for {shape}")
    known = {*expected, HEAD}
    for name in shards:
        if name not in known and not name.endswith("rotary_emb.inv_freq"):  # old files store the RoPE wavelengths
            raise ValueError(f"{shards.file_of(name)}: tensor {name} has no place in this model; a model that uses it "
                             "is not supported")


def _same(shards: Shards, one: str, other: str) -> bool:
    """Do two tensors hold the same numbers? Compared some rows at a time."""
    if shards.shapes[one] != shards.shapes[other]:
        return False
    rows, step = shards.shapes[one][0], 4096
    return all(np.array_equal(shards.rows(one, i, i + step), shards.rows(other, i, i + step))
               for i in range(0, rows, step))


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises FileNotFoundError or ValueError, naming the file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent.name}: {path.name} is missing")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is no valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return value


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

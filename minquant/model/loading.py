"""Loading and saving a model: a folder in Hugging Face's layout.

How it works
    ``config.json`` gives the shape, ``model.safetensors`` the weights, ``tokenizer.json`` the pieces. From the shape
    follow the names and shapes of all tensors; what the file holds must be exactly that. Weights are read through a
    memory map and become float32.

What we leave out
    Other families than Llama, weights spread over several files, quantized checkpoints of others (``saving.py`` writes
    and reads our own). Each is refused by name.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from .._paths import data_dir, data_path
from . import safetensors, saving
from .config import EMBEDDING, HEAD, Config, tensor_shapes
from .tokenizer import Tokenizer
from .transformer import Transformer


def load(source: str | os.PathLike) -> Transformer:
    """Load a model.

    Args:
        source: ``"tiny"``, the trained model that comes with minquant; or a folder with ``config.json``,
            ``model.safetensors`` (bf16, fp16 or float32) and perhaps ``tokenizer.json``; or a file that ``model.save``
            wrote, quantized or not.

    Returns:
        A Transformer with float32 weights; its ``tokenizer`` is None where the folder has none that we can read.

    Raises:
        FileNotFoundError: the folder, a file in it or the file is missing.
        ValueError: a file is damaged, cut short or not supported; a tensor is missing, superfluous, of another shape
            or type, or not finite. The message names the file and the tensor.
    """
    if source == "tiny":
        data_path("model.safetensors")  # says where it should be, if it is missing
        return load(data_dir())
    folder = Path(source)
    if folder.is_file():
        return saving.load_file(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no model {str(source)!r}: give 'tiny', a folder with config.json and "
                                "model.safetensors, or a file that model.save wrote")
    config = Config.from_huggingface(_read_json(folder / "config.json"))
    file = safetensors.SafetensorsFile(_weights_file(folder))
    _check_tensors(config, file)
    weights = {name: file[name] for name in tensor_shapes(config)}
    if config.tied and HEAD in file and not np.array_equal(file[HEAD], weights[EMBEDDING]):
        raise ValueError(f"{file.path.name}: {HEAD} differs from {EMBEDDING}, though config.json ties them")
    return Transformer(config, weights, _read_tokenizer(folder / "tokenizer.json", config))


def save(model: Transformer, folder: str | os.PathLike) -> None:
    """Write a model as a folder that ``load`` and other tools read: bf16 safetensors, config and tokenizer.

    Weights are rounded to bf16. Of a quantized model the dequantized values are written; ``model.save`` keeps its
    codes, in one file of ours. Each file is written under a temporary name and renamed when it is whole. Raises
    ValueError naming a weight that is NaN or infinite; no file of the folder has then changed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.write(folder / "model.safetensors", tensor_shapes(model.config), model.weights)
    if model.tokenizer is not None:
        _write_text(folder / "tokenizer.json", model.tokenizer.to_json())
    _write_text(folder / "config.json", json.dumps(model.config.to_huggingface(), indent=2) + "\n")


def _weights_file(folder: Path) -> Path:
    """``model.safetensors`` of a folder; clear words for the other ways weights are stored."""
    path = folder / "model.safetensors"
    if path.is_file():
        return path
    if (folder / "model.safetensors.index.json").exists():
        raise ValueError(f"{folder.name}: the weights are spread over several files (model.safetensors.index.json); "
                         "this version reads a single model.safetensors")
    if list(folder.glob("*.bin")) or list(folder.glob("*.pt*")):
        raise ValueError(f"{folder.name}: the weights are pickled, and a pickle can run code; convert them to "
                         "model.safetensors first")
    raise FileNotFoundError(f"{folder.name}: model.safetensors is missing")


def _check_tensors(config: Config, file: safetensors.SafetensorsFile) -> None:
    """Raise ValueError unless the file holds exactly the tensors of the shape (and perhaps a tied lm_head)."""
    expected = tensor_shapes(config)
    for name, shape in expected.items():
        if name not in file.shapes:
            raise ValueError(f"{file.path.name}: tensor {name} is missing; config.json asks for it as {shape}")
        if file.shapes[name] != shape:
            raise ValueError(f"{file.path.name}: tensor {name} has shape {file.shapes[name]}; config.json asks for "
                             f"{shape}")
    known = {*expected, HEAD}
    for name in file:
        if name not in known and not name.endswith("rotary_emb.inv_freq"):  # old files store the RoPE wavelengths
            raise ValueError(f"{file.path.name}: tensor {name} has no place in this model; a model that uses it is not "
                             "supported")


def _read_tokenizer(path: Path, config: Config) -> Tokenizer | None:
    if not path.exists():
        return None
    try:
        tokenizer = Tokenizer.from_file(path)
    except ValueError as error:
        warnings.warn(f"the model is loaded without its tokenizer: {error}", stacklevel=3)
        return None
    if tokenizer.vocab_size > config.vocab_size:
        raise ValueError(f"tokenizer.json has token {tokenizer.vocab_size - 1}, and config.json a vocabulary of "
                         f"{config.vocab_size}: they belong to different models")
    return tokenizer


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent.name}: {path.name} is missing")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is no valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return value


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

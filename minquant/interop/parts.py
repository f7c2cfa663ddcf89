"""Quantizing layer by layer into files: work that can be interrupted, in memory that does not grow with the model.

How it works
    ``FILE.parts`` is a folder beside the file to be made. In it lie ``job.json``, which says what is being made of what,
    and one safetensors file for each finished layer (and one for the output matrix), written under a temporary name and
    renamed. Whoever comes back to a folder of the same job skips the layers that are there; where a method looks at
    calibration text, the text is run through them again, from the very weights that were stored, so the layers that
    follow get the same inputs and the same codes as without the interruption.

    At the end the parts are a model: ``quantize_in_parts`` gives a Transformer whose weights are read from them when
    asked for, and every writer (``save``, ``write_gguf``, ``write_checkpoint``) makes its file from that.

What we leave out
    Methods that rewrite the whole model before they round (SmoothQuant, rotation), LLM.int8() and static scales of
    activations: those are quantized in memory, all at once. Resuming within a layer: the unit of work is some seconds.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..model import Recipe, Transformer, method_of, tensor_shapes
from ..model import calibration as text
from ..model.config import EMBEDDING, block_shapes
from ..model.loading import read_json, write_text
from ..model.quantizing import check, quantize_block, quantize_weight
from ..model.safetensors import SafetensorsFile, write_stored
from ..model.saving import exact
from ..model.shards import row_blocks
from ..scaling import QTensor, Scheme, quantize

ROWS_AT_ONCE = 4096
JOB, HEAD_PART = "job.json", "head.safetensors"
_OVER_ROWS = ("nvfp4", "nf4_dq")  # presets with something that all rows share


def quantize_in_parts(model: Transformer, recipe: Recipe, folder: Path, source: Any, calibration: Any = None,
                      progress: Callable[[str], None] | None = None) -> Transformer:
    """A quantized model whose weights lie in ``folder``, layer by layer; finished layers of the same job are kept.

    Args:
        model: a float model, best one whose weights stay on the disk (``load(..., lazy=True)``).
        recipe, calibration: as for ``Transformer.quantize``.
        folder: made where it is missing. What an other job left in it is removed.
        source: what the model was made from, anything that JSON can hold: part of what makes a job the same.
        progress: called with a line of text for every layer.

    Returns:
        A Transformer that reads its weights and codes from the folder, which must stay while it is used.

    Raises as ``Transformer.quantize``, before the folder is touched, and ValueError for a folder that holds other things.
    """
    check(model, recipe)
    (method, _), say = method_of(recipe.method), progress or (lambda line: None)
    if method.prepare or method.decompose or recipe.static:
        say("quantizing in memory, all at once")
        return model.quantize(recipe, calibration)
    states: list = []
    rounded: dict[str, np.ndarray] = {}
    partial = Transformer(model.config, ChainMap(rounded, model.weights), model.tokenizer, recipe)
    looks = recipe.has_weights and method.needs_text
    if looks and calibration is None:
        text.start(partial, None, recipe.method)  # raises
    _prepare(folder, {"config": asdict(model.config), "recipe": asdict(recipe), "source": source, "text":
                      zlib.crc32(np.asarray(calibration, np.int64).tobytes()) if looks else None})
    files = []
    if recipe.head is not None and not recipe.skips(model.config.head_name):
        say(f"quantizing {model.config.head_name}")
        files.append(_kept(folder / HEAD_PART) or _head_part(model, recipe.head, folder / HEAD_PART))
    if looks:
        if files and model.config.tied:
            rounded[EMBEDDING] = _Parts(model, files).weights[EMBEDDING]
        states = text.start(partial, calibration, recipe.method)
        rounded.clear()
    for layer in range(model.config.layers if recipe.has_weights else 0):
        path = folder / f"layer_{layer:04d}.safetensors"
        file = _kept(path)
        if file is None:
            say(f"quantizing layer {layer + 1} of {model.config.layers}")
            file = _layer_part(partial, layer, states, path)
        files.append(file)
        if looks:  # the text goes on through the weights as they were stored
            rounded.clear()
            done = _Parts(model, [file]).weights
            rounded.update({name: done[name] for name in block_shapes(model.config, layer)})
            states = text.advance(partial, layer, states)
        rounded.clear()
    parts = _Parts(model, files)
    return Transformer(model.config, parts.weights, model.tokenizer, recipe, parts.qtensors)


def _prepare(folder: Path, job: dict[str, Any]) -> None:
    """Make the folder, empty unless it is of this job."""
    job = json.loads(json.dumps(job))
    try:
        same = read_json(folder / JOB) == job
    except (ValueError, FileNotFoundError):
        same = False
    if not same:
        if folder.exists():
            if any(folder.iterdir()) and not (folder / JOB).exists():
                raise ValueError(f"{folder} is a folder that quantize did not make, and finished layers would be put there: "
                                 "move it away, or write under another name")
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        write_text(folder / JOB, json.dumps(job))


def _layer_part(partial: Transformer, layer: int, states: list, path: Path) -> SafetensorsFile:
    """Quantize a block and write it: packed codes, and what of it stays in float (AWQ changes that too)."""
    packed, schemes, edited = {}, {}, partial.weights.maps[0]

    def put(name: str, method, scheme: str, inputs: Any = None) -> None:
        q = quantize_weight(name, partial.weights[name], inputs, method, scheme)
        packed.update({f"{name}.{part}": x.reshape(-1) for part, x in q.pack().items()})
        schemes[name] = str(q.scheme)
        if partial.recipe.method != "rtn":  # the block's later matrices are calibrated on the block as it was
            edited[name] = q.dequantize()

    quantize_block(partial, layer, states, method_of(partial.recipe.method)[0], put)
    plain = {name: exact(name, partial.weights[name]) for name in block_shapes(partial.config, layer)
             if name not in schemes}
    return _write(path, plain | packed, schemes)


def _head_part(model: Transformer, scheme: str, path: Path) -> SafetensorsFile:
    """Quantize the output matrix, rows at a time where no number is shared over rows."""
    name, parsed = model.config.head_name, Scheme.parse(scheme)
    rows = tensor_shapes(model.config)[name][0]
    whole = parsed.granularity == "tensor" or parsed.preset in _OVER_ROWS or parsed.format.name == "ternary"
    found: dict[str, list[np.ndarray]] = {}
    for block in row_blocks(model.weights, name, rows, rows if whole else ROWS_AT_ONCE):
        try:
            q = quantize(block, parsed)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        for part, x in q.pack().items():
            found.setdefault(f"{name}.{part}", []).append(x.reshape(-1))
    return _write(path, {part: np.concatenate(pieces) for part, pieces in found.items()}, {name: str(parsed)})


def _write(path: Path, tensors: dict[str, np.ndarray], schemes: dict[str, str]) -> SafetensorsFile:
    write_stored(path, tensors, {"schemes": json.dumps(schemes), "crc32": str(_checksum(tensors.values()))})
    return SafetensorsFile(path)


def _kept(path: Path) -> SafetensorsFile | None:
    """The part of an earlier run; None where there is none that is whole."""
    try:
        file = SafetensorsFile(path)
        return file if file.metadata.get("crc32") == str(_checksum(file.stored(name) for name in file)) else None
    except (ValueError, FileNotFoundError):
        return None


def _checksum(arrays: Any) -> int:
    crc = 0
    for array in arrays:
        crc = zlib.crc32(np.ascontiguousarray(array).data, crc)
    return crc


class _Parts:
    """What lies in the files of a job; what is in none of them comes from the float model."""

    def __init__(self, model: Transformer, files: list[SafetensorsFile]) -> None:
        self.model, self.shapes = model, tensor_shapes(model.config)
        self.file_of = {tensor: file for file in files for tensor in file}
        self.schemes = {name: (file, Scheme.parse(scheme)) for file in files
                        for name, scheme in json.loads(file.metadata["schemes"]).items()}
        self.qtensors, self.weights = _QTensors(self), _Weights(self)


class _QTensors(Mapping):
    """Name to QTensor, unpacked when asked for."""

    def __init__(self, parts: _Parts) -> None:
        self._parts = parts

    def scheme(self, name: str) -> Scheme:
        """The scheme of a weight."""
        return self._parts.schemes[name][1]

    def packed(self, name: str) -> dict[str, np.ndarray]:
        """The packed bytes of a weight, mapped."""
        file, scheme = self._parts.schemes[name]
        return {part: file.stored(f"{name}.{part}") for part in scheme.packed_sizes(self._parts.shapes[name])}

    def __getitem__(self, name: str) -> QTensor:
        packed = self.packed(name)
        return QTensor.unpack(packed, self._parts.schemes[name][1], self._parts.shapes[name])

    def __contains__(self, name: object) -> bool:
        return name in self._parts.schemes

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts.schemes)

    def __len__(self) -> int:
        return len(self._parts.schemes)


class _Weights(Mapping):
    """Name to float32 array: dequantized, or as it was stored."""

    def __init__(self, parts: _Parts) -> None:
        self._parts = parts

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self._parts.schemes:
            return self._parts.qtensors[name].dequantize()
        file = self._parts.file_of.get(name)
        return self._parts.model.weights[name] if file is None else file[name]

    def stored(self, name: str) -> np.ndarray | None:
        """A float weight as its file holds it, mapped; None where it lies in no file."""
        file = self._parts.file_of.get(name)
        if file is not None:
            return file.stored(name)
        stored = getattr(self._parts.model.weights, "stored", None)
        return None if stored is None else stored(name)

    def __contains__(self, name: object) -> bool:
        return name in self._parts.shapes  # Mapping's own would read the tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts.shapes)

    def __len__(self) -> int:
        return len(self._parts.shapes)

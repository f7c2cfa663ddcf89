"""A quantized model in one file, and back: the same codes, the same logits, bit for bit.

How it works
    A safetensors file. A quantized weight lies in it as the packed bytes of its QTensor, ``NAME.codes``, ``NAME.scale``
    and so on, so that the file takes the bytes that ``model.nbytes`` claims, and a header. A weight in float lies there
    as bf16 where that is exact, else as float32: AWQ leaves norm gains divided by its scales. What is no tensor stands
    in the header, in two strings of metadata: "crc32", the checksum of the other and of all bytes of the tensors, in
    the order of the file; and "minquant", a JSON object with

        version      of this layout, 1
        config       the shape of the model
        recipe       how it was quantized
        grids        name of a matrix -> scale and zero point of its input, where they were chosen beforehand
        schemes      name of a quantized weight -> its scheme, with which its bytes are read
        tokenizer    the content of a tokenizer.json, or null

    Reading trusts nothing: the header is checked against the size of the file, everything against the checksum, names
    and shapes against the config. Then weights are dequantized, as they were when the model was made.

What we leave out
    Other programs: they read none of this. ``loading.save`` writes a folder of bf16 weights for them.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..formats import get as get_format
from ..scaling import FixedGrid, QTensor, Scheme
from .config import Config, tensor_shapes
from .library_tokenizer import from_json
from .qtensors import packed_parts, scheme_of
from .recipe import Recipe
from .safetensors import SafetensorsFile, write_stored
from .transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEY, VERSION = "minquant", 1
ROWS_AT_ONCE = 4096


def save_file(model: Transformer, path: str | os.PathLike) -> None:
    """Write a model, quantized or not, as one file that ``load_file`` reads back bit for bit.

    The file is written under a temporary name and renamed when it is whole. What lies in a mapped file already, as the
    parts of ``minquant.interop.parts`` do, is copied from there; the rest is put together in memory.

    Raises ValueError naming a weight that is NaN or infinite.
    """
    tensors: dict[str, np.ndarray] = {}
    for name in tensor_shapes(model.config):
        if name in model.qtensors:
            tensors |= {f"{name}.{part}": x.reshape(-1) for part, x in packed_parts(model.qtensors, name).items()}
        else:
            tensors[name] = as_stored(model.weights, name)
    about = {"version": VERSION, "config": asdict(model.config), "recipe": asdict(model.recipe),
             "grids": {name: [grid.scale, grid.zero_point] for name, grid in model.grids.items()},
             "schemes": {name: str(scheme_of(model.qtensors, name)) for name in model.qtensors},
             "tokenizer": None if model.tokenizer is None else model.tokenizer.to_json()}
    text = json.dumps(about)
    write_stored(path, tensors, {KEY: text, "crc32": _checksum(text, tensors.values())})


def load_file(path: str | os.PathLike) -> Transformer:
    """Read a model that ``save_file`` wrote.

    Returns:
        A Transformer with the same logits; its ``qtensors`` hold the same codes and scales.

    Raises ValueError, naming the file, where it is cut short or damaged, of another kind, or of another version.
    """
    file = SafetensorsFile(path)
    about = _description(file)
    try:
        config, recipe = Config(**about["config"]), Recipe(**about["recipe"])
        schemes = {name: Scheme.parse(scheme) for name, scheme in about["schemes"].items()}
        grids = {name: FixedGrid(recipe.activation_scheme, *grid) for name, grid in about.get("grids", {}).items()}
        tokenizer = None if about["tokenizer"] is None else from_json(about["tokenizer"])
        expected = _expected(config, schemes)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file.path.name}: what it says about its model is incomplete: {error!r}") from None
    except ValueError as error:
        raise ValueError(f"{file.path.name}: {error}") from None
    _check_tensors(file, expected)
    qtensors, weights = {}, {}
    for name, shape in tensor_shapes(config).items():
        if name in schemes:
            try:
                qtensors[name] = _unpack(file, name, schemes[name], shape)
            except ValueError as error:
                raise ValueError(f"{file.path.name}: {name}: {error}") from None
            weights[name] = qtensors[name].dequantize()
        else:
            weights[name] = file[name]
    return Transformer(config, weights, tokenizer, recipe, qtensors, grids)


def as_stored(weights: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A float weight as it lies in a file, mapped, where it does, else as ``exact`` makes it. Raises ValueError naming a
    weight that is NaN or infinite."""
    stored = getattr(weights, "stored", None)
    found = None if stored is None else stored(name)
    if found is None:
        return exact(name, weights[name])
    for start in range(0, len(found), ROWS_AT_ONCE):
        rows = found[start:start + ROWS_AT_ONCE]
        if not np.isfinite(rows if rows.dtype.kind == "f" else get_format("bf16").decode(rows)).all():
            raise ValueError(f"{name} holds NaN or infinity: nothing was written")
    return found


def exact(name: str, weight: np.ndarray) -> np.ndarray:
    """A float weight as codes of bf16 (uint16) where they give it back, else as it is (float32)."""
    weight = np.asarray(weight, np.float32)
    if not np.isfinite(weight).all():
        raise ValueError(f"{name} holds NaN or infinity: the model was not saved")
    bf16 = get_format("bf16")
    codes = bf16.encode(weight)
    return codes if np.array_equal(bf16.decode(codes).view(np.uint32), weight.view(np.uint32)) else weight


def _unpack(file: SafetensorsFile, name: str, scheme: Scheme, shape: tuple[int, ...]) -> QTensor:
    return QTensor.unpack({part: np.array(file.stored(f"{name}.{part}")) for part in scheme.packed_sizes(shape)},
                          scheme, shape)


def _checksum(text: str, arrays: Iterable[np.ndarray]) -> str:
    crc = zlib.crc32(text.encode())
    for array in arrays:
        crc = zlib.crc32(array.astype(array.dtype.newbyteorder("<"), order="C", copy=False), crc)
    return f"{crc:08x}"


def _description(file: SafetensorsFile) -> dict[str, Any]:
    """What the file says about its model. Raises ValueError for another kind of file, another version, or damage."""
    if KEY not in file.metadata:
        raise ValueError(f"{file.path.name} was not written by minquant: it holds tensors and no model. Of a "
                         "checkpoint in Hugging Face's layout, give the folder")
    try:
        about = json.loads(file.metadata[KEY])
        version = about["version"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise ValueError(f"{file.path.name}: what it says about its model is damaged") from None
    if version != VERSION:
        raise ValueError(f"{file.path.name} has version {version!r} of this layout; this minquant reads version "
                         f"{VERSION}. Write it again, or update minquant")
    found = _checksum(file.metadata[KEY], (file.stored(name) for name in file))
    if found != file.metadata.get("crc32"):
        raise ValueError(f"{file.path.name} is damaged: its checksum is {found}, not {file.metadata.get('crc32')}. "
                         "Write it again, or fetch it again")
    return about


def _expected(config: Config, schemes: dict[str, Scheme]) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that the file of such a model holds. Raises ValueError for impossible schemes."""
    shapes = tensor_shapes(config)
    if schemes.keys() - shapes.keys():
        raise ValueError(f"the model has no weight {min(schemes.keys() - shapes.keys())} to be quantized")
    packed = {f"{name}.{part}": (size,) for name, scheme in schemes.items()
              for part, size in scheme.packed_sizes(shapes[name]).items()}
    return {name: shape for name, shape in shapes.items() if name not in schemes} | packed


def _check_tensors(file: SafetensorsFile, expected: dict[str, tuple[int, ...]]) -> None:
    """Raise ValueError unless the file holds exactly these tensors."""
    wrong = expected.keys() ^ set(file)
    if wrong:
        raise ValueError(f"{file.path.name}: tensor {min(wrong)} is missing, or has no place in this model")
    for name, shape in expected.items():
        if file.shapes[name] != shape:
            raise ValueError(f"{file.path.name}: tensor {name} has shape {file.shapes[name]}; the model's shape asks "
                             f"for {shape}")

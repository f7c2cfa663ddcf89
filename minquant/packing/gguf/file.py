"""The GGUF file: a header that says what is inside, then the blocks of every tensor.

    "GGUF" | version uint32 | tensors uint64 | keys uint64
    for each key      its name (text), the type of its value (uint32), the value
    for each tensor   its name (text), axes (uint32), length of each (uint64, *innermost first*), type (uint32), offset
                      (uint64, counted from where the data starts)
    padding to a multiple of the alignment: 32, or what the key general.alignment says
    the blocks of each tensor, each padded to the alignment

Nothing is compressed and nothing points backwards: a program can map the file into memory and use the blocks where
they lie, as llama.cpp does.

**A header is not to be trusted.** It says how long things are before they come. Every count, length and offset is
compared with the bytes that are really there before anything is allocated or looped over.

Source: ``docs/gguf.md`` and ``src/gguf.cpp`` of the ggml project, version 3. As gguf.cpp, we want tensors one right
after the other, in the order of their entries, names of less than 64 bytes, at most 4 axes.

What we leave out: versions 1 and 2, big-endian files, and tensors of types not in TYPES.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .blocks import TYPES, BlockType
from .fields import Cursor, Span, number_bytes, text_bytes, value_bytes

MAGIC, VERSION = b"GGUF", 3
ALIGNMENT = "general.alignment"
_MOST_AXES, _LONGEST_NAME, _LONGEST_KEY = 4, 63, 65535
_TYPE_OF = {type.number: type for type in TYPES.values()}

Tensor = tuple[np.ndarray, str, tuple[int, ...]]  # bytes uint8, name of the type, shape of the matrix
Later = tuple[Callable[[], Iterable[np.ndarray]], str, tuple[int, ...]]  # the same, bytes made in their turn


def write(path: str | os.PathLike, metadata: Mapping[str, Any], tensors: Mapping[str, Tensor | Later]) -> None:
    """Write a GGUF file.

    path       It is written under a temporary name beside it and renamed when it is whole.
    metadata   key to bool, number, text, or a list of one of them; see fields.value_bytes for the types they get.
               llama.cpp wants at least "general.architecture" and what that architecture needs.
    tensors    name to (raw, type, shape): what ``quantize`` gives, the type's name, and the shape of the float matrix,
               as NumPy counts axes, last one innermost. Instead of an array, raw may be a function that gives the
               bytes piece by piece when their turn comes: a file may then be larger than memory

    Raises ValueError naming the key or tensor that cannot be written; nothing is written then.
    """
    path, alignment = Path(path), metadata.get(ALIGNMENT, 32)
    if not _can_align(alignment):
        raise ValueError(f"metadata {ALIGNMENT}: must be a power of two, uint32, got {alignment!r}")
    parts = {name: _checked(name, *tensor) for name, tensor in tensors.items()}
    header = [MAGIC, number_bytes(VERSION, "<u4"), number_bytes(len(parts), "<u8"), number_bytes(len(metadata), "<u8")]
    for key, value in metadata.items():
        if not isinstance(key, str) or not 0 < len(key.encode()) <= _LONGEST_KEY:
            raise ValueError(f"metadata: a key is a text of 1 to {_LONGEST_KEY} bytes, got {key!r:.60}")
        header += [text_bytes(key), value_bytes(key, value)]
    offset = 0
    for name, (raw, type, shape) in parts.items():
        header += [text_bytes(name), number_bytes(len(shape), "<u4"), np.array(shape[::-1], "<u8").tobytes(),
                   number_bytes(type.number, "<u4"), number_bytes(offset, "<u8")]
        offset += _size(type, shape) + -_size(type, shape) % alignment
    head = b"".join(header)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(head + bytes(-len(head) % alignment))
            for name, (raw, type, shape) in parts.items():
                size = sum(file.write(np.ascontiguousarray(piece)) for piece in (raw() if callable(raw) else [raw]))
                if size != _size(type, shape):
                    raise ValueError(f"tensor {name}: {type.name} of shape {shape} is {_size(type, shape)} bytes, and "
                                     f"{size} came")
                file.write(bytes(-size % alignment))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(source: str | os.PathLike | bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Metadata and tensors of a GGUF file, or of its bytes: what ``write`` was given.

    Tensors are (raw, type, shape) with raw uint8 (rows..., bytes), ready for ``dequantize(raw, type)``; raw is a view
    that cannot be written to, of a file that is mapped into memory: only what is used is read. Values of a type that ``write`` would not choose by itself come as NumPy scalars, arrays
    of numbers as NumPy arrays.

    Raises ValueError, naming the field and its byte offset, for a file that is cut short, damaged, or uses what this
    module leaves out.
    """
    return _parse(Cursor(_load(source)))


def spans(source: str | os.PathLike | bytes) -> list[Span]:
    """Every byte of a GGUF file, explained: (start, stop, name, value, meaning), in order, without gap or overlap.

    For small files: each field of the header is a span of its own; the data of a tensor is one. Raises as read.
    """
    found: list[Span] = []
    _parse(Cursor(_load(source), found))
    return found


def _load(source: str | os.PathLike | bytes) -> np.ndarray:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return np.frombuffer(bytes(source), np.uint8) if len(source) else np.empty(0, np.uint8)
    if not Path(source).stat().st_size:
        return np.empty(0, np.uint8)  # an empty file cannot be mapped
    return np.asarray(np.memmap(source, np.uint8, "r"))


def _parse(cursor: Cursor) -> tuple[dict[str, Any], dict[str, Tensor]]:
    tensor_count, key_count = _opening(cursor)
    metadata: dict[str, Any] = {}
    for i in range(key_count):
        start, key = cursor.at, cursor.text(f"key {i}", "a key")
        if key in metadata or not key:
            raise cursor.wrong(f"key {i}", start, f"{key!r} is there already" if key else "a key needs a name")
        metadata[key] = cursor.value(key)
        if key == ALIGNMENT and not _can_align(metadata[key]):
            raise cursor.wrong(key, start, f"must be a power of two, uint32, got {metadata[key]!r:.60}")
    entries: dict[str, tuple[BlockType, tuple[int, ...]]] = {}
    alignment, offset = metadata.get(ALIGNMENT, 32), 0
    for i in range(tensor_count):
        start, name = cursor.at, cursor.text(f"tensor {i}", "name of a tensor")
        if name in entries or len(name.encode()) > _LONGEST_NAME:
            raise cursor.wrong(f"tensor {i}", start, f"the name {name!r:.80} is there already or longer than 63 bytes")
        entries[name] = _entry(cursor, name, offset)
        size = _size(*entries[name])
        offset += size + -size % alignment
    _padding(cursor, alignment, required=bool(entries))
    tensors = {}
    for i, (name, (type, shape)) in enumerate(entries.items()):
        start, raw = cursor.at, cursor.take(_size(type, shape), f"data of {name}")
        cursor.note(start, f"{name}: data", type.name, f"{math.prod(shape) // type.elements} blocks {type.name}, each "
                    f"{type.nbytes} bytes for {type.elements} weights; matrix of shape {shape}")
        _padding(cursor, alignment, required=i + 1 < len(entries))
        tensors[name] = (raw.reshape(*shape[:-1], shape[-1] // type.elements * type.nbytes), type.name, shape)
    if cursor.at < len(cursor.data):
        more = len(cursor.data) - cursor.at
        raise cursor.wrong("end of file", cursor.at, f"{more} bytes more than the header accounts for")
    return metadata, tensors


def _opening(cursor: Cursor) -> tuple[int, int]:
    """Numbers of tensors and of keys."""
    magic = cursor.take(4, "magic").tobytes()
    if magic != MAGIC:
        raise cursor.wrong("magic", 0, f"a GGUF file starts with {MAGIC!r}, this one with {magic!r}")
    cursor.note(0, "magic", "GGUF", "the four letters with which every GGUF file starts")
    start, version = cursor.at, cursor.number("<u4", "version", "version of the layout")
    if version != VERSION:
        hint = "; its bytes are in big-endian order" if version == VERSION << 24 else ""
        raise cursor.wrong("version", start, f"this module reads version {VERSION}, got {version}{hint}")
    tensors = cursor.count("tensor count", "number of tensors", 24)  # bytes of the shortest entry
    return tensors, cursor.count("key count", "number of keys in the metadata", 13)


def _entry(cursor: Cursor, name: str, offset: int) -> tuple[BlockType, tuple[int, ...]]:
    """Type and shape of a tensor whose data has to start at this offset."""
    start, axes = cursor.at, cursor.number("<u4", f"{name}: axes", "number of axes")
    if not 1 <= axes <= _MOST_AXES:
        raise cursor.wrong(f"{name}: axes", start, f"a tensor has 1 to {_MOST_AXES}, got {axes}")
    start, shape = cursor.at, []
    for axis in range(axes):
        what = "columns, the innermost axis" if axis == 0 else f"axis {axis}, counted from the innermost"
        shape.insert(0, cursor.number("<u8", f"{name}: length {axis}", what))
    type_at, number = cursor.at, cursor.number("<u4", f"{name}: type", "type of the blocks")
    type = _TYPE_OF.get(number)
    if type is None:
        raise cursor.wrong(f"{name}: type", type_at, f"blocks of type {number} are not read here, only those of "
                                                     f"{', '.join(TYPES)}")
    if shape[-1] % type.elements:
        raise cursor.wrong(f"{name}: length 0", start, f"{shape[-1]} columns are not whole {type.name} blocks of "
                                                       f"{type.elements}")
    if math.prod(max(length, 1) for length in shape) * type.nbytes >= 2**63:
        raise cursor.wrong(f"{name}: length 0", start, f"no memory can hold shape {tuple(shape)}")
    start, meaning = cursor.at, "where its data starts, counted from the first data"
    stored = cursor.number("<u8", f"{name}: offset", meaning)
    if stored != offset:
        raise cursor.wrong(f"{name}: offset", start, f"its data must follow the tensor before it, at {offset}, not at "
                                                     f"{stored}")
    return type, tuple(shape)


def _padding(cursor: Cursor, alignment: int, required: bool) -> None:
    start, count = cursor.at, -cursor.at % alignment
    cursor.take(count if required else min(count, len(cursor.data) - start), "padding")
    cursor.note(start, "padding", None, f"zeros up to the next multiple of {alignment}")


def _size(type: BlockType, shape: tuple[int, ...]) -> int:
    return math.prod(shape) // type.elements * type.nbytes


def _can_align(value: Any) -> bool:
    return type(value) in (int, np.uint32) and 0 < value < 2**32 and not value & value - 1


def _checked(name: str, raw, type: str, shape) -> tuple[Any, BlockType, tuple[int, ...]]:
    """raw, block type and shape of a tensor, if they fit each other."""
    if type not in TYPES:
        raise ValueError(f"tensor {name}: unknown GGUF block type {type!r}: choose one of {', '.join(TYPES)}")
    if len(name.encode()) > _LONGEST_NAME:
        raise ValueError(f"tensor {name}: names have at most {_LONGEST_NAME} bytes")
    block, shape = TYPES[type], tuple(int(n) for n in shape)
    if not 1 <= len(shape) <= _MOST_AXES or min(shape) < 0 or shape[-1] % block.elements:
        raise ValueError(f"tensor {name}: {type} needs 1 to {_MOST_AXES} axes, the last one a multiple of "
                         f"{block.elements}, got shape {shape}")
    if callable(raw):
        return raw, block, shape
    raw = np.asarray(raw)
    if raw.dtype != np.uint8 or raw.size != _size(block, shape):
        raise ValueError(f"tensor {name}: {type} of shape {shape} is {_size(block, shape)} bytes, uint8, got "
                         f"{raw.size} of dtype {raw.dtype}")
    return raw, block, shape

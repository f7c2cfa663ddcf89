"""Reading and writing safetensors files.

How it works
    A file is eight bytes (the header's length, little-endian), a JSON header (name -> dtype, shape, begin and end of
    its bytes), and the bytes, row by row, without gaps. Nothing in it can run code. The header is still input from a
    stranger: every size and offset is checked against the size of the file before an array is made. Tensors are read
    through a memory map; bf16, which NumPy lacks, is read as uint16 codes and decoded by our own format.

Source
    https://huggingface.co/docs/safetensors, section "Format". We take the rules of its Rust reader: no gaps, no
    overlaps, at most 100 MB of header.

What we leave out
    Other integers than those that quantized checkpoints hold (U8, I8, I32, I64), and 8-bit floats.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..formats import get as get_format

MAX_HEADER = 100_000_000
_FLOATS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_STORED = {**_FLOATS, "U8": "|u1", "I8": "|i1", "I32": "<i4", "I64": "<i8"}
_WRITTEN = {np.dtype(np.uint16): "BF16"} | {np.dtype(t): name for name, t in _STORED.items() if name != "BF16"}
BLOCK = 1 << 20  # numbers converted at once


class SafetensorsFile(Mapping):
    """The tensors of a safetensors file: name to float32 array, read when asked for.

    ``shapes`` holds the shape of each without reading it, ``metadata`` the strings beside them, by name. Raises
    ValueError, naming the file and what is wrong, for a file that is cut short, damaged, or of another kind.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        header, self._start = _read_header(self.path)
        self.metadata: dict[str, str] = _strings(header.pop("__metadata__", None))
        size = self.path.stat().st_size - self._start
        self._entries = _check_entries(self.path, header, size)
        self.shapes = {name: shape for name, (_, shape, _) in self._entries.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        """The tensor as a new float32 array, converted in blocks of rows. Raises as ``rows``."""
        shape = self.shapes[name]
        if len(shape) < 2 or math.prod(shape) <= BLOCK:
            return self.rows(name)
        x, step = np.empty(shape, np.float32), max(1, BLOCK // math.prod(shape[1:]))
        for start in range(0, shape[0], step):
            x[start:start + step] = self.rows(name, start, start + step)
        return x

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Some rows of a tensor as a new float32 array; nothing else of the file is read.

        Raises ValueError for a dtype that is no float, NaN or infinity.
        """
        dtype = self._entries[name][0]
        if dtype not in _FLOATS:
            raise ValueError(f"{self.path.name}: tensor {name} has dtype {dtype}; this version reads "
                             f"{', '.join(_FLOATS)}")
        stored = self.stored(name)[start:stop] if self.shapes[name] else self.stored(name)
        x = get_format("bf16").decode(stored) if dtype == "BF16" else np.array(stored, np.float32)
        if not np.isfinite(x).all():
            where = tuple(map(int, np.argwhere(~np.isfinite(x))[0]))
            place = (where[0] + start, *where[1:]) if where else where
            raise ValueError(f"{self.path.name}: tensor {name} holds {x[where]} at {place}; weights must be finite")
        return x

    def stored(self, name: str) -> np.ndarray:
        """The tensor as the file holds it, read only: float32, float16, uint16 (codes of bf16) or integers.
        Raises ValueError for another dtype."""
        dtype, shape, begin = self._entries[name]
        if dtype not in _STORED:
            raise ValueError(f"{self.path.name}: tensor {name} has dtype {dtype}; this version reads "
                             f"{', '.join(_STORED)}")
        if 0 in shape:
            return np.zeros(shape, _STORED[dtype])
        return np.memmap(self.path, _STORED[dtype], "r", self._start + begin, shape)

    def __contains__(self, name: object) -> bool:
        return name in self._entries  # Mapping's own would read the tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def write(path: str | os.PathLike, shapes: Mapping[str, tuple[int, ...]], tensors: Mapping[str, np.ndarray]) -> None:
    """Write float tensors as bf16 (rounded to nearest, ties to even).

    Args:
        path: the file. It is written under a temporary name beside it and renamed when it is whole.
        shapes: name to shape, in the order to write.
        tensors: name to array; each is read once, one at a time.

    Raises ValueError naming a tensor that holds NaN or infinity or has another shape; the file is then not there.
    """
    path = Path(path)

    def encoded() -> Iterator[np.ndarray]:
        for name, shape in shapes.items():
            x = np.asarray(tensors[name], np.float32)
            if x.shape != shape or not np.isfinite(x).all():
                fault = f"has shape {x.shape}, not {shape}" if x.shape != shape else "holds NaN or infinity"
                raise ValueError(f"{path.name} was not written: tensor {name} {fault}")
            yield get_format("bf16").encode(x)

    write_streamed(path, {name: ("BF16", shape) for name, shape in shapes.items()}, encoded(), {"format": "pt"})


def write_stored(path: str | os.PathLike, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays as they are.

    Args:
        path: as for ``write``.
        tensors: name to array: float32, float16, uint16 (codes of bf16), int8, uint8, int32 or int64.
        metadata: name to string.
    """
    kinds = {name: (_WRITTEN[x.dtype], x.shape) for name, x in tensors.items()}
    write_streamed(path, kinds, iter(tensors.values()), metadata)


def write_streamed(path: str | os.PathLike, kinds: Mapping[str, tuple[str, tuple[int, ...]]],
                   arrays: Iterator[np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write tensors of these (dtype, shape), read one at a time, under a temporary name first.

    Raises ValueError for an array that is not what was announced; the file is then not there.
    """
    path = Path(path)
    header, end = {"__metadata__": dict(metadata)}, 0
    for name, (dtype, shape) in kinds.items():
        begin, end = end, end + np.dtype(_STORED[dtype]).itemsize * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the bytes start at a multiple of eight
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for (name, (dtype, shape)), array in zip(kinds.items(), arrays, strict=True):
                if array.shape != tuple(shape):
                    raise ValueError(f"{path.name} was not written: tensor {name} has shape {array.shape}, not {shape}")
                file.write(np.ascontiguousarray(array.astype(_STORED[dtype], copy=False)).data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The JSON header, metadata included, and where the bytes behind it start."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        first = file.read(8)
        length = int.from_bytes(first, "little")
        if len(first) < 8:
            raise ValueError(f"{path.name} is no safetensors file: it has {size} bytes, its header alone needs 8")
        if length > min(size - 8, MAX_HEADER):
            raise ValueError(f"{path.name} is cut short or no safetensors file: it announces a header of {length} "
                             f"bytes, and {size - 8} follow (at most {MAX_HEADER} are read)")
        text = file.read(length)
    try:
        header = json.loads(text, object_pairs_hook=_no_doubles)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name}: the header is damaged: {error}") from None
    if not isinstance(header, dict):
        raise ValueError(f"{path.name}: the header is damaged: it is no JSON object")
    return header, 8 + length


def _strings(metadata: Any) -> dict[str, str]:
    """The strings among the metadata, whatever else a stranger put there."""
    items = metadata.items() if isinstance(metadata, dict) else ()
    return {name: value for name, value in items if isinstance(value, str)}


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a name stands in it twice")
    return result


def _check_entries(path: Path, header: dict[str, Any], size: int) -> dict[str, tuple[str, tuple[int, ...], int]]:
    """Name to (dtype, shape, first byte). Raises ValueError unless the tensors fill the bytes exactly."""
    entries, spans = {}, []
    for name, entry in header.items():
        if not (isinstance(entry, dict) and isinstance(entry.get("dtype"), str) and _is_sizes(entry.get("shape"))
                and _is_sizes(entry.get("data_offsets")) and len(entry["data_offsets"]) == 2):
            raise ValueError(f"{path.name}: the header is damaged: tensor {name} has no valid dtype, shape and offsets")
        (begin, end), shape = entry["data_offsets"], tuple(entry["shape"])
        width = np.dtype(_STORED[entry["dtype"]]).itemsize if entry["dtype"] in _STORED else None
        if end < begin or (width and end - begin != width * math.prod(shape)):
            raise ValueError(f"{path.name}: the header is damaged: tensor {name}, {entry['dtype']} of shape {shape}, "
                             f"cannot lie in bytes {begin} to {end}")
        entries[name] = (entry["dtype"], shape, begin)
        spans.append((begin, end, name))
    expected = 0
    for begin, end, name in sorted(spans):
        if begin != expected:
            raise ValueError(f"{path.name}: the header is damaged: tensor {name} starts at byte {begin}, "
                             f"not {expected}")
        expected = end
    if expected != size:
        raise ValueError(f"{path.name} is {'cut short' if expected > size else 'damaged'}: its header describes "
                         f"{expected} bytes of weights, and {size} are there")
    return entries


def _is_sizes(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 8 and all(type(n) is int and 0 <= n < 1 << 63 for n in value)

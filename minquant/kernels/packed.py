"""How packed matrices lie in memory: one small named tuple per format, the bytes a token has to read.

Every array has a leading axis for the layers of the model (1 for the output matrix), so that the same matrix of all
layers is one object: ``codes[layer, row]`` is one output channel, and its bytes lie side by side. A token reads
``codes`` and ``scale`` once, from front to back.

    Float32      codes float32 (layers, rows, columns)        4 bytes a weight; only for embeddings kept in float
    BFloat16     codes uint16                                 2
    E4M3         codes int8 (the bits), scale float32 (layers, rows)         1, and 4 a row
    Int8Rows     codes int8, scale float32 (layers, rows)                    1, and 4 a row
    Int8G32..    codes int8, scale int16 (layers, rows, columns / 32)        1, and 2 a group
    Int4G32..    codes int8 (layers, rows, columns / 2), scale as above      1/2, and 2 a group

A group's scale is a float16; Numba has no such type, so its bits are kept as int16 (``bits.half_to_float``).
Two 4-bit codes share a byte: the low nibble of byte c is weight c, the high nibble is weight c + columns/2, both in
two's complement (-8..7). File formats pair neighbours or the halves of a block of 32 instead (GGUF); halves of a row
let both nibbles meet the input vector at consecutive places, which is what a vector unit wants. Same bytes, other order.

The type *is* the format: ``matvec.matvec`` picks the kernel by it when a decode step is compiled.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Float32(NamedTuple):
    """float32 as it is; for embeddings kept in float."""

    codes: np.ndarray


class BFloat16(NamedTuple):
    """The upper half of a float32."""

    codes: np.ndarray


class E4M3(NamedTuple):
    """fp8 E4M3 with one scale per row."""

    codes: np.ndarray
    scale: np.ndarray


class Int8Rows(NamedTuple):
    """int8 with one scale per row."""

    codes: np.ndarray
    scale: np.ndarray


class Int8G32(NamedTuple):
    """int8 with one float16 scale per 32 neighbours of a row."""

    codes: np.ndarray
    scale: np.ndarray


class Int8G64(NamedTuple):
    """int8 with one float16 scale per 64 neighbours of a row."""

    codes: np.ndarray
    scale: np.ndarray


class Int8G128(NamedTuple):
    """int8 with one float16 scale per 128 neighbours of a row."""

    codes: np.ndarray
    scale: np.ndarray


class Int4G32(NamedTuple):
    """int4 with one float16 scale per 32 neighbours of a row."""

    codes: np.ndarray
    scale: np.ndarray


class Int4G64(NamedTuple):
    """int4 with one float16 scale per 64 neighbours of a row."""

    codes: np.ndarray
    scale: np.ndarray


class Int4G128(NamedTuple):
    """int4 with one float16 scale per 128 neighbours of a row."""

    codes: np.ndarray
    scale: np.ndarray


INT8_GROUPS = {32: Int8G32, 64: Int8G64, 128: Int8G128}
INT4_GROUPS = {32: Int4G32, 64: Int4G64, 128: Int4G128}
Packed = Float32 | BFloat16 | E4M3 | Int8Rows | Int8G32 | Int8G64 | Int8G128 | Int4G32 | Int4G64 | Int4G128


def aligned(shape: tuple[int, ...], dtype) -> np.ndarray:
    """An uninitialised array whose first byte starts a cache line: vector loads of 64 bytes then touch one line, not two.

    From ``np.empty``, for which NumPy asks Linux for huge pages (``np.zeros`` does not): with pages of 4 kB, walking a
    large matrix waits for page tables, and a token took up to 1.4 times as long.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start:start + size].view(dtype).reshape(shape)


def nbytes(packed: Packed) -> int:
    """Bytes of codes and scales together."""
    return sum(array.nbytes for array in packed)


def pack_nibbles(codes: np.ndarray, group: int) -> np.ndarray:
    """int8 codes (rows, columns) in -8..7 -> int8 (rows, columns / 2): the two halves of a row in one byte.

    Raises ValueError where half a row does not hold whole groups.
    """
    columns = codes.shape[-1]
    if columns % (2 * group):
        raise ValueError(f"the 4-bit kernels keep half a row in the low nibbles: with groups of {group} the number of "
                         f"columns must be a multiple of {2 * group}, and {columns} is not. Use a smaller group")
    low, high = codes[..., : columns // 2], codes[..., columns // 2:]
    return ((low & 15) | (high << 4)).astype(np.int8)

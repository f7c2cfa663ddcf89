"""How packed matrices lie in memory: one small named tuple per format, the bytes a token has to read.

Every array has a leading axis for the layers of the model (1 for the output matrix), so that the same matrix of all
layers is one object: ``codes[layer, row]`` is one output channel, and its bytes lie side by side. A token reads
``codes`` and ``scale`` once, from front to back.

    Float32      codes float32 (layers, rows, columns)         4 bytes a weight; only for embeddings kept in float
    BFloat16     codes uint16                                  2
    E4M3, E5M2   codes int8 (the bits), scale float32 (layers, rows)      1, and 4 a row
    Int8Rows     codes int8, scale float32 (layers, rows)                 1, and 4 a row
    Int8Groups   codes int8, scale (layers, rows, groups)                 1, and a scale per group
    E4M3Groups   the same, codes the bits of fp8: MXFP8
    Int4Groups   codes uint8 (layers, rows, columns / 2), each weight + 8      1/2
    Int4Zeros    the same, weight + zero point; zero uint8 (layers, rows, groups)
    Int3Groups   codes uint8 (layers, rows, 3 columns / 8), each weight + 4    3/8
    Int2Groups   codes uint8 (layers, rows, columns / 4), each weight + 2      1/4; ternary too
    Book4        codes uint8 (layers, rows, columns / 2), each the number of a value in table float32 (16,): NF4, MXFP4

A scale is stored as float32, as the bits of a float16 in an int16 (Numba has no such type) or as an exponent in a
uint8, 2^(code - 127); ``rows.scale_to_float`` tells them apart by the type of the array. A group is 32 neighbours of a
row or a multiple; one group may be the whole row.

Several codes share a byte, and in which order is free: file formats pair neighbours, or the halves of a block (GGUF).
We pair what lies half a row apart, so that 32 bytes hold 32 *neighbours* in their low nibbles and 32 others in the high
ones, which a vector unit can take as they come:

    4 bits    byte c: weight c in bits 0..3, weight c + columns/2 in bits 4..7
    2 bits    byte c: weight c + q columns/4 in bits 2q and 2q + 1, q = 0..3
    3 bits    first the low two bits, as above; then in bit k of byte c the high bit of weight c + k columns/8

The type *is* the format: ``matvec.matvec`` picks the kernel by it when a decode step is compiled.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

CHUNK = 32  # weights, and at most bytes, that a vector kernel takes at once


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


class E5M2(NamedTuple):
    """fp8 E5M2 with one scale per row."""

    codes: np.ndarray
    scale: np.ndarray


class Int8Rows(NamedTuple):
    """int8 with one scale per row."""

    codes: np.ndarray
    scale: np.ndarray


class Int8Groups(NamedTuple):
    """int8 with a scale per group."""

    codes: np.ndarray
    scale: np.ndarray


class E4M3Groups(NamedTuple):
    """fp8 E4M3 with a scale per group."""

    codes: np.ndarray
    scale: np.ndarray


class Int4Groups(NamedTuple):
    """int4 with a scale per group."""

    codes: np.ndarray
    scale: np.ndarray


class Int4Zeros(NamedTuple):
    """int4 with a scale and a zero point per group."""

    codes: np.ndarray
    scale: np.ndarray
    zero: np.ndarray


class Int3Groups(NamedTuple):
    """int3 with a scale per group."""

    codes: np.ndarray
    scale: np.ndarray


class Int2Groups(NamedTuple):
    """int2, or ternary, with a scale per group."""

    codes: np.ndarray
    scale: np.ndarray


class Book4(NamedTuple):
    """Four bits that number sixteen values, with a scale per group."""

    codes: np.ndarray
    scale: np.ndarray
    table: np.ndarray


KINDS = (Float32, BFloat16, E4M3, E5M2, Int8Rows, Int8Groups, E4M3Groups, Int4Groups, Int4Zeros, Int3Groups, Int2Groups,
         Book4)
Packed = (Float32 | BFloat16 | E4M3 | E5M2 | Int8Rows | Int8Groups | E4M3Groups | Int4Groups | Int4Zeros | Int3Groups
          | Int2Groups | Book4)
BITS = {Int4Groups: 4, Int4Zeros: 4, Book4: 4, Int3Groups: 3, Int2Groups: 2}  # of codes that share a byte
OFFSET = {Int4Groups: 8, Int3Groups: 4, Int2Groups: 2}  # is added to a weight before it is stored
_MULTIPLE = {4: 2 * CHUNK, 3: 8 * CHUNK, 2: 4 * CHUNK}


def aligned(shape: tuple[int, ...], dtype) -> np.ndarray:
    """An uninitialised array whose first byte starts a cache line: a vector load then touches one line, not two.

    From ``np.empty``, for which NumPy asks Linux for huge pages (``np.zeros`` does not): with pages of 4 kB, walking a
    large matrix waits for page tables, and a token took up to 1.4 times as long.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start:start + size].view(dtype).reshape(shape)


def nbytes(packed: Packed) -> int:
    """Bytes of codes, scales and what else there is, together."""
    return sum(array.nbytes for array in packed)


def check_columns(kind: type, columns: int) -> None:
    """Raise ValueError for a row length that this format's bytes cannot hold."""
    multiple = _MULTIPLE[BITS[kind]] if kind in BITS else CHUNK
    if columns % multiple and kind not in (Float32, BFloat16, E4M3, E5M2, Int8Rows):
        raise ValueError(f"the {BITS.get(kind, 8)}-bit kernels take rows of a multiple of {multiple} weights (32 bytes "
                         f"hold neighbours of several parts of a row), and {columns} is not one. Choose another format")


def pack_bits(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes 0 .. 2^bits - 1, uint8 (rows, columns), in the order of bytes above: uint8 (rows, columns * bits / 8)."""
    codes = codes.astype(np.uint8, copy=False)
    if bits == 3:
        return np.concatenate([_planes(codes & 3, 2), _planes(codes >> 2, 1)], axis=-1)
    return _planes(codes, bits)


def _planes(codes: np.ndarray, bits: int) -> np.ndarray:
    """Part q of every row in bits ``bits * q`` and up."""
    parts = np.split(codes, 8 // bits, axis=-1)
    out = parts[0].copy()
    for q, part in enumerate(parts[1:], 1):
        out |= part << np.uint8(bits * q)
    return out

"""How packed matrices lie in memory: one small named tuple per format, the bytes a token has to read.

Every array has a leading axis for the layers of the model (1 for the output matrix), so that the same matrix of all
layers is one object. A token reads all arrays of a matrix once, from front to back.

Formats of a byte or more keep the bytes of a row side by side: ``codes[layer, row]`` is one output channel.

    Float32      codes float32 (layers, rows, columns)         4 bytes a weight; only for embeddings kept in float
    BFloat16     codes uint16                                  2
    E4M3, E5M2   codes int8 (the bits), scale float32 (layers, rows)      1, and 4 a row
    Int8Rows     codes int8, scale float32 (layers, rows)                 1, and 4 a row
    Int8Groups   codes int8, scale (layers, rows, groups)                 1, and a scale per group
    E4M3Groups   the same, codes the bits of fp8: MXFP8

Formats of fewer bits keep *eight rows* together, as a vector unit has eight lanes of 32 bits: word i of the eight rows,
then word i + 1. Where the rows are not a multiple of eight the last block ends in rows of zeros.

    Int4Groups   codes uint32 (layers, rows / 8, columns / 8, 8), each weight + 8      1/2
    Int4Zeros    the same, weight + zero point; zero uint8 (layers, rows / 8, groups, 8)
    Int3Groups   codes uint32 (layers, rows / 8, 3 columns / 32, 8), each weight + 4   3/8
    Int2Groups   codes uint32 (layers, rows / 8, columns / 16, 8), each weight + 2     1/4; ternary too
    Book4        as Int4Groups, each the number of a value in table float32 (16,): NF4, MXFP4

and scale (layers, rows / 8, groups, 8) in all of them. So one load brings the same columns of eight rows, one more their
eight scales, the activations they are multiplied by are the same for all lanes, and the eight sums of a block never have
to be added up across a vector. (llama.cpp repacks its Q4_0 in blocks of rows for the same reason:
ggml/src/ggml-cpu/repack.cpp.)

A scale is stored as float32, as the bits of a float16 in an int16 (Numba has no such type) or as an exponent in a
uint8, 2^(code - 127); ``rows.scale_to_float`` tells them apart by the type of the array. A group is 32 neighbours of a
row or a multiple; one group may be the whole row.

A 32-bit word holds several codes, four in the same bits of its four bytes, because four products of bytes are one
instruction (``dot4``). With columns counted from the first of the word:

    4 bits    byte k: column k in bits 0..3, column 4 + k in bits 4..7
    2 bits    byte k: column 4q + k in bits 2q and 2q + 1, q = 0..3
    3 bits    three words for 32 columns: two with the low two bits as above, then one with the high bits: byte k has
              that of column 4q + k in bit q, q = 0..7

The type *is* the format: ``matvec.matvec`` picks the kernel by it when a decode step is compiled.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

CHUNK = 32  # columns, and at most bytes of a row, that a vector kernel takes at once
LANES = 8   # rows that lie together in formats of fewer than eight bits


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
BITS = {Int4Groups: 4, Int4Zeros: 4, Book4: 4, Int3Groups: 3, Int2Groups: 2}  # of codes that share a word
OFFSET = {Int4Groups: 8, Int3Groups: 4, Int2Groups: 2}  # is added to a weight before it is stored


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


def stored_rows(packed: Packed) -> int:
    """Rows of a packed matrix, those included that fill up its last block of eight."""
    return packed.codes.shape[1] * (LANES if type(packed) in BITS else 1)


def check_columns(kind: type, columns: int) -> None:
    """Raise ValueError for a row length that this format's bytes cannot hold."""
    if columns % CHUNK and kind not in (Float32, BFloat16, E4M3, E5M2, Int8Rows):
        raise ValueError(f"kernels of formats with a scale per group take rows of a multiple of {CHUNK} weights, and "
                         f"{columns} is not one. Choose a format with one scale per row")


def pack_bits(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes 0 .. 2^bits - 1, uint8 (rows, columns), in words as above: uint32 (rows, columns * bits / 32)."""
    codes = codes.astype(np.uint8, copy=False)
    if bits == 3:
        low, high = _words(codes & 3, 2).reshape(len(codes), -1, 2), _words(codes >> 2, 1)
        return np.concatenate([low, high[:, :, None]], axis=2).reshape(len(codes), -1)
    return _words(codes, bits)


def _words(codes: np.ndarray, bits: int) -> np.ndarray:
    """Four codes in the lowest bits of the bytes of a word, the next four above them."""
    fields = codes.reshape(len(codes), -1, 8 // bits, 4)
    places = (bits * np.arange(8 // bits, dtype=np.uint8))[:, None]
    return np.bitwise_or.reduce(fields << places, axis=2).view("<u4").reshape(len(codes), -1).astype(np.uint32)


def put_rows(array: np.ndarray, layer: int, first: int, part: np.ndarray) -> None:
    """Write rows (n, words or groups) from row ``first`` into a layer of an array that keeps eight rows together."""
    rows = np.arange(first, first + len(part))
    array[layer, rows // LANES, :, rows % LANES] = part

"""One small real matrix in four layouts, and what every nibble of each of them holds.

How it works
    ``Matrix.of(model)`` cuts 8 rows of 32 weights, the followed weight among them, and rounds them as Q4_0 does: one
    code and one float16 scale decide a value, ``scale * code`` with codes -8..7. All four layouts can hold exactly
    that. GPTQ and AWQ want codes 0..15 and a zero point: code + 8 and 8.

    Nothing here knows where a layout puts a code. It asks: the package packs a matrix in which every code is a digit of
    its own address, and the digits are then read from the bytes. So the picture shows what ``minquant.packing`` does,
    not what somebody wrote about it.

What we leave out
    g_idx of GPTQ: four bytes for every column, in order. GPTQ's zero points are those of its first version, minus one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..packing import awq, gguf, gptq, pack_bits
from .one_weight import followed

ROWS, COLUMNS = 8, 32
NAMES = ("dense", "GGUF Q4_0", "GPTQ", "AWQ")
Part = tuple[str, np.ndarray]  # what it is called, and its bytes


@dataclass(frozen=True)
class Holds:
    """What a nibble holds: ``kind`` "code", "zero point" or "scale"; its row, and its column where it has one.

    ``digit`` is which nibble of a float16 it is, 0 the lowest; 0 for what fits one nibble.
    """

    kind: str
    row: int
    column: int | None = None
    digit: int = 0


@dataclass(frozen=True, eq=False)
class Matrix:
    """8 x 32 weights: codes int8 (8, 32), scales float16 (8, 1), their first row, the place of the followed weight."""

    codes: np.ndarray
    scale: np.ndarray
    first_row: int
    followed: tuple[int, int]

    @classmethod
    def of(cls, model) -> Matrix:
        """The rows around the followed weight of a model. Raises ValueError for a model too narrow to hold it."""
        weight = followed(model)
        first = weight.row - weight.row % ROWS
        scale, codes = gguf.choose_codes(model.weights[weight.tensor][first:first + ROWS, :COLUMNS], "Q4_0")
        return cls(codes, scale, first, (weight.row - first, weight.column))

    def value(self, row: int, column: int) -> float:
        """The weight that code and scale stand for."""
        return float(np.float32(self.scale[row, 0]) * np.float32(self.codes[row, column]))

    def parts(self, name: str) -> list[Part]:
        """The bytes of the matrix in one layout, by the tensors or fields that a file would hold."""
        return _parts(name, self.codes, np.full(ROWS, 8, np.uint8), self.scale)


def data_of(parts: list[Part]) -> np.ndarray:
    """All bytes of a layout, one part behind the other: uint8 (n,)."""
    return np.concatenate([data for _, data in parts])


def _parts(name: str, codes: np.ndarray, zero: np.ndarray, scale: np.ndarray) -> list[Part]:
    """codes int8 (8, 32), zero uint8 (8,), scale float16 (8, 1) -> the parts of a layout."""
    if name not in NAMES:
        raise ValueError(f"unknown layout {name!r}: choose one of {', '.join(NAMES)}")
    if name == "GGUF Q4_0":
        return [("blocks", gguf.pack_blocks(scale, codes, "Q4_0").reshape(-1))]
    if name == "dense":
        return [("codes", pack_bits(codes, 4)), ("scales", _bytes(scale, "<f2"))]
    unsigned = (codes + np.int8(8)).view(np.uint8)
    words = gptq.pack(unsigned, zero[:, None], 4) if name == "GPTQ" else awq.pack(unsigned, zero[:, None])
    return [*((part, _bytes(w, "<i4")) for part, w in zip(("qweight", "qzeros"), words, strict=True)),
            ("scales", _bytes(scale.T, "<f2"))]


def _bytes(array: np.ndarray, dtype: str) -> np.ndarray:
    return np.ascontiguousarray(array).astype(dtype).reshape(-1).view(np.uint8)


@cache
def nibble_map(name: str) -> tuple[Holds, ...]:
    """What each nibble of a layout holds: nibble 2j is the low half of byte j, 2j + 1 its high half.

    Found by packing matrices of which all but one thing is stored as zeros.
    """
    index, rows = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS), np.arange(ROWS)
    no_zero = 1 if name == "GPTQ" else 0  # what is stored as 0

    def nibbles(code: np.ndarray | int = 0, zero: np.ndarray | int = 0, scale: np.ndarray | int = 0) -> np.ndarray:
        """The nibbles of a matrix with these bits for its codes, zero points and scales, as the layout stores them."""
        codes = np.broadcast_to(code, index.shape)
        codes = ((codes ^ 8) - 8 if name == "dense" else codes - 8).astype(np.int8)
        zeros = (np.broadcast_to(zero, ROWS) + no_zero & 15).astype(np.uint8)
        scales = np.broadcast_to(scale, (1, ROWS)).T.astype(np.uint16).view(np.float16)
        data = data_of(_parts(name, codes, zeros, scales))
        return np.stack([data & 15, data >> 4], axis=1).reshape(-1).astype(int)

    is_code, is_zero = nibbles(code=15) > 0, nibbles(zero=15) > 0
    address = nibbles(code=index & 15) + 16 * nibbles(code=index >> 4)  # its digits to base 16, one matrix for each
    zero_row = nibbles(zero=rows)
    digits = [nibbles(scale=rows + 1 << 4 * digit) for digit in range(4)]
    found = []
    for n, number in enumerate(address):
        if is_code[n]:
            found.append(Holds("code", int(number) // COLUMNS, int(number) % COLUMNS))
        elif is_zero[n]:
            found.append(Holds("zero point", int(zero_row[n])))
        else:
            digit = next(d for d in range(4) if digits[d][n])
            found.append(Holds("scale", int(digits[digit][n]) - 1, digit=digit))
    return tuple(found)


def nibble_of(name: str, row: int, column: int) -> int:
    """Number of the nibble that holds the code of a weight."""
    return nibble_map(name).index(Holds("code", row, column))


def bits_per_weight(parts: list[Part]) -> float:
    """All bytes counted."""
    return 8 * data_of(parts).size / (ROWS * COLUMNS)

"""Codes of 1, 2 or 4 bits in lanes, as GGUF lays them.

``width`` bytes hold 8 / bits lanes of ``width`` codes each. Lane 0 is the lowest bits of the bytes, lane 1 the next:

    4 bits, lanes of 16, byte j:   code j + 16 | code j                            (high bits on the left)
    2 bits, lanes of 32, byte j:   code j + 96 | code j + 64 | code j + 32 | code j

Then the next ``width`` bytes follow with the next codes. Lanes of 1 are codes one after the other.

(Masks and shifts are applied to whole arrays, also where a lane needs only a part: NumPy is quick on one long row and
slow on many short ones.)
"""

from __future__ import annotations

import numpy as np


def split(raw: np.ndarray, bits: int, width: int) -> np.ndarray:
    """Codes of the bytes of blocks: uint8 (n, bytes) -> uint8 (n, bytes * 8 / bits), 0 .. 2**bits - 1."""
    groups = np.ascontiguousarray(raw).reshape(len(raw), raw.shape[1] // width, width)
    codes = np.empty((*groups.shape[:2], 8 // bits, width), np.uint8)
    for lane in range(8 // bits):
        codes[:, :, lane] = groups >> np.uint8(bits * lane) & np.uint8(2**bits - 1)
    return codes.reshape(len(raw), raw.shape[1] * 8 // bits)


def merge(codes: np.ndarray, bits: int, width: int) -> np.ndarray:
    """Bytes of codes: the way back. Bits of a code above ``bits`` are dropped."""
    codes = codes & np.uint8(2**bits - 1)
    shape = (len(codes), codes.shape[1] * bits // 8 // width, 8 // bits, width)
    raw = codes.reshape(shape)[:, :, 0]
    for lane in range(1, 8 // bits):
        raw = raw | (codes * np.uint8(2 ** (bits * lane))).reshape(shape)[:, :, lane]  # NumPy is slow at <<
    return raw.reshape(len(codes), codes.shape[1] * bits // 8)

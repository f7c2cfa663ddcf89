"""TQ1_0 and TQ2_0: weights that are -1, 0 or 1 times a scale, 256 to a block.

    d = amax        code = round(x / d), halves away from zero

Made for networks trained to be ternary (BitNet b1.58), where this loses nothing; of other weights little is left.

**Five to a byte.** 3^5 = 243 fits in 256, so five digits to base 3 fit in a byte: 1.6 bits each, scale not counted.
Their number N = 81 a + 27 b + 9 c + 3 d + e would need divisions to be read. TQ1_0 stores the fraction N / 243 instead,
as B = ceil(N * 256 / 243) in 256ths: 3 * B / 256 then shows the first digit before the point, and what is left behind
the point, 3 * B mod 256, shows the second when multiplied by 3 again. Two multiplications and a shift for each digit.

TQ2_0 spends 2 bits each on what needs 1.58, and is faster to read.

Source: ggml, ``src/ggml-quants.c`` (quantize_row_tq1_0_ref, dequantize_row_tq1_0, quantize_row_tq2_0_ref); the ``gguf``
package gives the same bytes. We differ at the ends of float as ``linear.py`` does.
"""

from __future__ import annotations

import numpy as np

from . import lanes
from .blocks import BlockType
from .rounding import amax_of, half, inverse, round_away

# TQ1_0: (first element, last, digits in a byte, first byte of qs and qh together, last)
_RUNS = ((0, 160, 5, 0, 32), (160, 240, 5, 32, 48), (240, 256, 4, 48, 52))


def choose(x: np.ndarray, type: BlockType) -> tuple[np.ndarray, np.ndarray]:
    """float32 (n, 256) -> d float16 (n,), codes int8 (n, 256)."""
    d = amax_of(x)
    return half(d), round_away(x * inverse(d)[:, None]).astype(np.int8)


def pack(parts: tuple[np.ndarray, ...], type: BlockType, out: np.ndarray) -> None:
    """Writes what ``choose`` gives into blocks (n,), a structured array."""
    out["d"], codes = parts
    digits = (codes + np.int8(1)).view(np.uint8)
    if type.name == "TQ2_0":
        out["qs"] = lanes.merge(digits, 2, 32)
        return
    raw = np.empty((len(codes), 52), np.uint8)
    for start, stop, count, first, last in _RUNS:
        number = np.zeros((len(codes), last - first), np.uint16)
        for digit in np.moveaxis(digits[:, start:stop].reshape(len(codes), count, last - first), 1, 0):
            number = number * np.uint16(3) + digit
        number *= np.uint16(3 ** (5 - count))
        raw[:, first:last] = (number * np.uint16(256) + np.uint16(242)) // np.uint16(243)
    out["qs"], out["qh"] = raw[:, :48], raw[:, 48:]


def unpack(blocks: np.ndarray, type: BlockType) -> tuple[np.ndarray, np.ndarray]:
    """What ``pack`` was given."""
    if type.name == "TQ2_0":
        digits = lanes.split(blocks["qs"], 2, 32)
    else:
        digits = np.empty((len(blocks), 256), np.uint8)
        raw = np.concatenate([blocks["qs"], blocks["qh"]], axis=1)
        for start, stop, count, first, last in _RUNS:
            fraction = raw[:, first:last].astype(np.uint16)
            for digit in np.moveaxis(digits[:, start:stop].reshape(len(blocks), count, last - first), 1, 0):
                fraction *= np.uint16(3)
                digit[...] = fraction >> np.uint16(8)
                fraction &= np.uint16(255)
    return blocks["d"].astype(np.float16), digits.view(np.int8) - np.int8(1)


def values(parts: tuple[np.ndarray, ...], type: BlockType, out: np.ndarray) -> None:
    """Writes the numbers that ``unpack``'s parts stand for: float32 (n, 256)."""
    d, codes = parts
    np.copyto(out, codes)
    out *= d.astype(np.float32)[:, None]

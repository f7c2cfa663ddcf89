"""The "pack-quantized" layout of compressed-tensors, which vLLM and llm-compressor read and write.

Like dense.py, with two differences: every row starts a new int32 word, and signed codes are stored in **offset
binary**, code + 2^(bits-1), not in two's complement. The smallest code is all zeros, larger codes are larger fields:

    4 bits     code    -8    -1     0     7
               field  0000  0111  1000  1111

    weight_packed[o, w]    | 8w+7 | 8w+6 | 8w+5 | 8w+4 | 8w+3 | 8w+2 | 8w+1 | 8w |    inputs of output o

Rows stay outputs and words run along the inputs, lowest bits first, so the matrix is not transposed: weight_packed of a
symmetric 4-bit matrix is the transpose of GPTQ's qweight. The file also keeps weight_scale (out, in / group size) and
weight_shape (out, in), without which one could not tell how much of a row's last word is padding.

Widths that do not divide 32 are **dense**: 32 codes fill exactly ``bits`` words, and some straddle two. This is what
compressed-tensors writes from version 0.18.0 on; up to 0.17.1 a word held 32 // bits whole codes and left its upper
bits idle (ten codes of 3 bits and 2 idle bits). For 1, 2, 4 and 8 bits both rules are the same.

Bits per weight, where every word is full: bits + 16 / group size with float16 scales; 4.125 for 4 bits in groups of
128.

Source: compressed-tensors 0.20.0, compressors/pack_quantized/helpers.py (pack_to_int32, unpack_from_int32) and base.py.

What we leave out: the older rule, and the zero points of asymmetric files. Those are packed down the outputs, which is
``pack(zero_point.T, bits).T`` of signed zero points.
"""

from __future__ import annotations

import numpy as np

from . import _words as words


def bits_per_weight(bits: int, group_size: int) -> float:
    """Codes and float16 scales, symmetric, where every word is full."""
    _check(bits)
    return bits + 16 / group_size


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """weight_packed of a matrix: int32 (out, ceil(in * bits / 32)).

    codes   int8 (out, in), -2**(bits-1) .. 2**(bits-1) - 1
    bits    1 to 8

    Raises TypeError for codes that are not int8, ValueError for codes that do not fit.
    """
    _check(bits)
    half = 1 << bits - 1
    codes = words.check_codes("compressed-tensors codes", codes, np.int8, -half, half - 1)
    return words.pack_rows(codes.view(np.uint8) + np.uint8(half), bits)  # wraps: -8 is 248, and 248 + 8 is 0


def unpack(packed: np.ndarray, bits: int, shape: tuple[int, int]) -> np.ndarray:
    """int8 codes (out, in) of packed words; ``shape`` is (out, in), as in weight_shape.

    Raises TypeError for words that are not int32, ValueError for words of a shape that does not hold such a matrix.
    """
    _check(bits)
    out, n = shape
    why = f"{out} x {n} codes of {bits} bits, packed densely,"
    packed = words.check_words("weight_packed", packed, (out, words.count(n, bits)), why)
    return (words.unpack_rows(packed, bits, n) - np.uint8(1 << bits - 1)).view(np.int8)


def _check(bits: int) -> None:
    if bits not in range(1, 9):
        raise ValueError(f"pack-quantized holds codes of 1 to 8 bits, not {bits}")

"""The layout of AWQ checkpoints (the "GEMM" version): 4 bits, eight output columns to a word, in an odd order.

Everything is stored transposed, (in, out). One int32 word holds eight neighbouring *outputs* of one input row, and the
zero points of a group lie the same way, as they are (no minus one, unlike GPTQ):

    bit           31                                                 0
    qweight[i, c]  | 8c+7 | 8c+5 | 8c+3 | 8c+1 | 8c+6 | 8c+4 | 8c+2 | 8c |    outputs of input i
    qzeros[g, c]   | 8c+7 | 8c+5 | 8c+3 | 8c+1 | 8c+6 | 8c+4 | 8c+2 | 8c |    outputs of group g

    scales   float16 (in / group size, out)

**Why the order.** A GPU multiplies two float16 at a time, kept in the halves of a 32-bit register.
``word & 0x000F000F`` leaves nibble 0 at the bottom of the lower half and nibble 4 at the bottom of the upper half. OR
0x64006400 to that and each half is a float16: 0x6400 is 1024, whose last mantissa bit is worth 1, so that a nibble n
there reads 1024 + n. One operation (AND and OR are a single instruction, lop3) unpacks two weights, and these two
should be neighbours: nibble 0 is column 0, nibble 4 column 1. The mask 0x00F000F0 does the same for nibbles 1 and 5,
sixteen times too large, and both masks once more after a shift by 8 finish the word. Four operations and one shift for
eight weights, and no conversion from integer to float: what remains is to take off the 1024 (and the factor 16), again
two weights at a time.

    nibble       0  1  2  3  4  5  6  7
    column       0  2  4  6  1  3  5  7

Bits per weight, where every word is full: 4 + 20 / group size; 4.15625 in groups of 128.

Source: AutoAWQ 0.2.9, awq/modules/linear/gemm.py (WQLinear_GEMM.from_linear) and awq/utils/packing_utils.py; the
unpacking on the GPU: vLLM, csrc/quantization/awq/dequantize.cuh (dequantize_s4_to_fp16x2).

What we leave out: the GEMV layouts, which lie (out, in), and Marlin. AutoAWQ wants out to be a multiple of 8; here any
shape packs, the last word ending in zeros.
"""

from __future__ import annotations

import numpy as np

from . import _words as words

ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # nibble i of a word holds column ORDER[i] of its eight


def bits_per_weight(group_size: int) -> float:
    """Codes, float16 scales and zero points, where every word is full."""
    return 4 + (16 + 4) / group_size


def pack(codes: np.ndarray, zero_point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(qweight, qzeros) of a matrix of 4-bit codes.

    codes        uint8 (out, in), 0..15
    zero_point   uint8 (out, in / group size), 0..15

    Returns int32 (in, ceil(out / 8)) and int32 (in / group size, ceil(out / 8)). Raises TypeError for other types,
    ValueError for codes that do not fit and shapes that do not belong together.
    """
    codes = words.check_codes("AWQ codes", codes, np.uint8, 0, 15)
    zero_point = words.check_codes("AWQ zero points", zero_point, np.uint8, 0, 15)
    words.check_groups(codes, zero_point)
    return _pack_outputs(codes), _pack_outputs(zero_point)


def _pack_outputs(codes: np.ndarray) -> np.ndarray:
    """uint8 (out, n) -> int32 (n, ceil(out / 8)): one nibble of all words at a time."""
    out, n = codes.shape
    eights = np.pad(codes, ((0, -out % 8), (0, 0))).reshape(-(-out // 8), 8, n)
    packed = np.zeros((len(eights), n), np.uint32)
    for nibble, column in enumerate(ORDER):
        packed |= eights[:, column].astype(np.uint32) << np.uint32(4 * nibble)
    return np.ascontiguousarray(packed.T).view(np.int32)


def unpack(qweight: np.ndarray, qzeros: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Codes and zero points of packed words; ``shape`` is that of the codes, (out, in).

    Returns uint8 (out, in) and uint8 (out, groups), as many groups as qzeros has rows. Raises TypeError for words that
    are not int32, ValueError for words of a shape that does not hold such a matrix.
    """
    out, n = shape
    matrix = f"{out} x {n} codes of 4 bits (out x in)"
    qweight = words.check_words("qweight", qweight, (n, words.count(out, 4)), matrix)
    qzeros = words.check_words("qzeros", qzeros, (None, words.count(out, 4)), matrix)
    return _unpack_outputs(qweight, out), _unpack_outputs(qzeros, out)


def _unpack_outputs(packed: np.ndarray, out: int) -> np.ndarray:
    """int32 (n, ceil(out / 8)) -> uint8 (out, n)."""
    columns = np.ascontiguousarray(packed.T).view(np.uint32)
    eights = np.empty((columns.shape[0], 8, columns.shape[1]), np.uint8)
    for nibble, column in enumerate(ORDER):
        np.copyto(eights[:, column], columns >> np.uint32(4 * nibble) & np.uint32(15), casting="unsafe")
    return eights.reshape(8 * columns.shape[0], columns.shape[1])[:out]


def dequantize(qweight: np.ndarray, qzeros: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The weights, float32 (out, in), from the three tensors of a checkpoint and nothing else.

    scales   float16 or float32 (groups, out); input i belongs to group i // (in / groups)

    Raises TypeError and ValueError as unpack, and for scales or groups that do not fit.
    """
    scales, n = np.asarray(scales), len(qweight)
    if scales.ndim != 2 or len(scales) != len(qzeros):
        raise ValueError(f"scales must be (groups, out) with one group per row of qzeros {np.shape(qzeros)}, "
                         f"got shape {scales.shape}")
    groups, out = scales.shape
    if groups == 0 or n % groups:
        raise ValueError(f"{n} inputs cannot be split into {groups} groups of one size")
    codes, zero_point = unpack(qweight, qzeros, (out, n))
    weights = codes.astype(np.float32).reshape(out, groups, n // groups)
    weights -= zero_point[:, :, None]
    weights *= scales.T.astype(np.float32)[:, :, None]
    return weights.reshape(out, n)

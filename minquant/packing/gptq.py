"""The layout of GPTQ checkpoints: qweight, qzeros, scales, g_idx.

Everything is stored transposed, (in, out), and packed into int32 words, the lowest bits first. One word of
**qweight** holds consecutive *input* rows of one output column; one word of **qzeros** holds the zero points of
consecutive outputs of one group. With 4 bits (highest bit on the left):

    qweight[w, o]    | 8w+7 | 8w+6 | 8w+5 | 8w+4 | 8w+3 | 8w+2 | 8w+1 | 8w |    inputs of output o
    qzeros[g, w]     | 8w+7 | 8w+6 | 8w+5 | 8w+4 | 8w+3 | 8w+2 | 8w+1 | 8w |    outputs of group g

3 bits do not divide 32, so 32 values take three words without a gap, and values 10 and 21 straddle two:

    word 3k      v10 low 2 bits | v9 ... v0
    word 3k+1    v21 low 1 bit  | v20 ... v11 | v10 high bit
    word 3k+2    v31 ... v22    | v21 high 2 bits

    scales   float16 (in / group size, out)
    g_idx    int32 (in,): which group every input row belongs to

Threads of a GPU that own neighbouring outputs read neighbouring words, and each finds in its word eight inputs of
the sum it is adding up: that is what packing *down* the columns is for.

**The missing one.** Version 1 stores zero_point - 1, and readers add 1. A zero point of 0 wraps to 2^bits - 1, and
only a reader that masks after adding gets it back. We mask; AutoGPTQ 0.7.1 does not: it reads 2^bits, and its writer
lets the -1 run over into the higher fields of the word. GPTQModel turns a 4-bit file of version 1 into version 2 by
adding 0x11111111 to every word, where a wrapped field carries into the next. Version 2 stores the zero point as it is.
Symmetric files do not notice: their zero point is 2^(bits-1) everywhere (a code q of -8..7 is stored as q + 8), and
every word of 4-bit qzeros is 0x77777777.

**Activation order.** GPTQ may process columns in another order and group them in that order. The rows of qweight stay
in the order of the inputs; g_idx then says which group each of them ended up in. With static groups, which are laid
out before the columns are sorted, g_idx is the plain one.

Bits per weight, where every word is full: bits + (16 + bits) / group size; 4.15625 for 4 bits in groups of 128. g_idx
adds 32 / out, which we do not count.

Source: AutoGPTQ 0.7.1, nn_modules/qlinear/qlinear_cuda.py (pack, forward) and quantization/gptq.py (g_idx);
GPTQModel 7.7.0, utils/model.py (convert_gptq_v1_to_v2_format_module).

What we leave out: the planar layout of GPTQModel (5, 6 and 7 bits), words other than int32, the shuffled copies that
ExLlama and Marlin make when they load. Those projects want in and out to be multiples of 32; here any shape packs, the
last word ending in zero bits.
"""

from __future__ import annotations

import numpy as np

from . import _words as words

_BITS = (2, 3, 4, 8)


def bits_per_weight(bits: int, group_size: int) -> float:
    """Codes, float16 scales and zero points, where every word is full; g_idx is not counted."""
    _check(bits)
    return bits + (16 + bits) / group_size


def pack(codes: np.ndarray, zero_point: np.ndarray, bits: int, *, version: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(qweight, qzeros) of a matrix.

    codes        uint8 (out, in), 0 .. 2**bits - 1
    zero_point   uint8 (out, in / group size), 0 .. 2**bits - 1; symmetric: 2**(bits-1) everywhere
    bits         2, 3, 4 or 8
    version      1 stores zero_point - 1 modulo 2**bits, 2 stores zero_point

    Returns int32 (ceil(in * bits / 32), out) and int32 (in / group size, ceil(out * bits / 32)). Raises TypeError for
    other types, ValueError for codes that do not fit and shapes that do not belong together.
    """
    _check(bits, version)
    codes = words.check_codes("GPTQ codes", codes, np.uint8, 0, (1 << bits) - 1)
    zero_point = words.check_codes("GPTQ zero points", zero_point, np.uint8, 0, (1 << bits) - 1)
    words.check_groups(codes, zero_point)
    if version == 1:
        zero_point = zero_point - np.uint8(1) & np.uint8((1 << bits) - 1)
    return np.ascontiguousarray(words.pack_rows(codes, bits).T), words.pack_rows(zero_point.T, bits)


def unpack(qweight: np.ndarray, qzeros: np.ndarray, bits: int, shape: tuple[int, int], *,
           version: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Codes and zero points of packed words; ``shape`` is that of the codes, (out, in).

    Returns uint8 (out, in) and uint8 (out, groups), as many groups as qzeros has rows. Raises TypeError for words that
    are not int32, ValueError for words of a shape that does not hold such a matrix.
    """
    _check(bits, version)
    out, n = shape
    matrix = f"{out} x {n} codes of {bits} bits (out x in)"
    qweight = words.check_words("qweight", qweight, (words.count(n, bits), out), matrix)
    qzeros = words.check_words("qzeros", qzeros, (None, words.count(out, bits)), matrix)
    zero_point = words.unpack_rows(qzeros, bits, out)
    if version == 1:
        zero_point = zero_point + np.uint8(1) & np.uint8((1 << bits) - 1)
    return words.unpack_rows(qweight.T, bits, n), np.ascontiguousarray(zero_point.T)


def g_idx(in_features: int, group_size: int, order: np.ndarray | None = None) -> np.ndarray:
    """Group of every input row: int32 (in_features,).

    order   the permutation of activation order, order[i] being the column that was processed i-th and so came into
            group i // group_size: g_idx[order[i]] = i // group_size. None: the columns in their own order, or static
            groups.

    Raises ValueError for a group size that does not divide, or an order that is no permutation.
    """
    if group_size < 1 or in_features % group_size:
        raise ValueError(f"group size {group_size} does not divide {in_features} inputs (one group: {in_features})")
    groups = np.arange(in_features, dtype=np.int32) // np.int32(group_size)
    if order is None:
        return groups
    order = np.asarray(order)
    if order.dtype.kind not in "iu" or not np.array_equal(np.sort(order, axis=None), np.arange(in_features)):
        raise ValueError(f"order must name each of the {in_features} columns once, got dtype {order.dtype} of shape "
                         f"{order.shape}")
    groups[order] = groups.copy()
    return groups


def dequantize(qweight: np.ndarray, qzeros: np.ndarray, scales: np.ndarray, g_idx: np.ndarray, bits: int, *,
               version: int = 1) -> np.ndarray:
    """The weights, float32 (out, in), from the four tensors of a checkpoint and nothing else.

    scales   float16 or float32 (groups, out)
    g_idx    int32 (in,): W[o, i] = scales[g_idx[i], o] * (code[o, i] - zero_point[o, g_idx[i]])

    Raises TypeError and ValueError as unpack, and for scales or groups that do not fit.
    """
    scales, g_idx = np.asarray(scales), np.asarray(g_idx)
    if scales.ndim != 2 or len(scales) != len(qzeros):
        raise ValueError(f"scales must be (groups, out) with one group per row of qzeros {np.shape(qzeros)}, "
                         f"got shape {scales.shape}")
    if g_idx.ndim != 1 or g_idx.dtype.kind not in "iu":
        raise TypeError(f"g_idx must be integers of shape (in,), got {g_idx.dtype} of shape {g_idx.shape}")
    if g_idx.size and not 0 <= g_idx.min() <= g_idx.max() < len(scales):
        raise ValueError(f"g_idx names groups {g_idx.min()} to {g_idx.max()}, the scales have {len(scales)}")
    codes, zero_point = unpack(qweight, qzeros, bits, (scales.shape[1], g_idx.size), version=version)
    weights = codes.astype(np.float32)
    weights -= zero_point[:, g_idx]
    weights *= scales.T.astype(np.float32)[:, g_idx]
    return weights


def _check(bits: int, version: int = 1) -> None:
    if bits not in _BITS:
        raise ValueError(f"GPTQ files hold codes of 2, 3, 4 or 8 bits, not {bits}")
    if version not in (1, 2):
        raise ValueError(f"GPTQ format version is 1 (zero points stored minus one) or 2 (as they are), not {version}")

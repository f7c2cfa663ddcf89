"""Ternary codes, -1, 0 and 1, five to a byte: 1.6 bits per weight.

Three equally likely values carry log2(3) = 1.585 bits, and no layout stores them in fewer. Two bits each waste a fifth:
one of the four patterns is never used. But five codes make 3^5 = 243 patterns, and a byte has 256: 8 / 5 = 1.6 bits,
1% above the bound. (The next count that fits better is 17 trits in 27 bits, 1.588.)

    byte = t0 + 3 t1 + 9 t2 + 27 t3 + 81 t4        t = code + 1, the first code in the lowest digit; byte <= 242

    codes    1  0 -1  0  1    t   2 1 0 1 2    byte = 2 + 3*1 + 9*0 + 27*1 + 81*2 = 194

A digit is no longer a field of bits: shifts and masks do not reach it. We look all five up in a table of 243 rows.

GGUF's TQ1_0 also puts five trits into a byte, but takes the first as the *highest* digit and stores
ceil(n * 256 / 243): n / 243 stretched over the byte. Multiplying the byte by 3 then pushes the next digit out at the
top, into the byte above, and a vector unit needs no division. Its blocks of 256 keep 240 codes so and 16 codes four to
a byte, beside a float16 scale: 1.6875 bits per weight. See gguf beside this file.

Source: the arithmetic above. TQ1_0: ggml, src/ggml-quants.c (quantize_row_tq1_0_ref) and src/ggml-common.h
(block_tq1_0).

What we leave out: a scale (ternary models keep one per matrix, or per row), and shorter codes for frequent zeros.
"""

from __future__ import annotations

import numpy as np

PER_BYTE = 5
PATTERNS = 3**PER_BYTE  # 243; bytes above 242 mean nothing
BITS_PER_WEIGHT = 8 / PER_BYTE
_DIGITS = (np.arange(PATTERNS)[:, None] // 3 ** np.arange(PER_BYTE) % 3 - 1).astype(np.int8)  # byte -> its five codes


def pack(codes: np.ndarray) -> np.ndarray:
    """Pack codes five to a byte: uint8, 1-D, ``ceil(codes.size / 5)`` bytes; the last byte is filled up with code 0.

    codes   int8, any shape, taken in C order; -1, 0 or 1

    Raises TypeError for codes that are not int8, ValueError for other values.
    """
    codes = np.asarray(codes)
    if codes.dtype != np.int8:
        raise TypeError(f"ternary codes are int8, -1, 0 or 1, got dtype {codes.dtype}")
    if codes.size and (codes.min() < -1 or codes.max() > 1):
        raise ValueError(f"ternary codes are -1, 0 or 1, got values from {codes.min()} to {codes.max()}")
    trits = np.pad((codes.reshape(-1) + np.int8(1)).view(np.uint8), (0, -codes.size % PER_BYTE), constant_values=1)
    trits = trits.reshape(-1, PER_BYTE)
    packed = trits[:, -1].copy()
    for digit in reversed(range(PER_BYTE - 1)):  # Horner: at most 242, so nothing overflows
        packed *= np.uint8(3)
        packed += trits[:, digit]
    return packed


def unpack(buf: np.ndarray | bytes, count: int) -> np.ndarray:
    """The first ``count`` codes of packed bytes: int8, ``(count,)``.

    Raises TypeError for a buffer that is not bytes, ValueError for one that is too short or holds a byte above 242.
    """
    buf = np.frombuffer(buf, np.uint8) if isinstance(buf, (bytes, bytearray, memoryview)) else np.asarray(buf)
    if buf.dtype != np.uint8:
        raise TypeError(f"packed ternary codes are uint8, got dtype {buf.dtype}")
    if count < 0:
        raise ValueError(f"cannot unpack {count} codes")
    needed = -(-count // PER_BYTE)
    if buf.size < needed:
        raise ValueError(f"{count} ternary codes need {needed} bytes, the buffer has {buf.size}")
    packed = buf.reshape(-1)[:needed]
    if packed.max(initial=0) >= PATTERNS:
        where = int(np.argmax(packed >= PATTERNS))
        raise ValueError(f"byte {where} is {packed[where]}: five ternary codes make at most {PATTERNS - 1}. These are "
                         "not codes packed in base 3, or they are damaged")
    return np.take(_DIGITS, packed, axis=0).reshape(-1)[:count]

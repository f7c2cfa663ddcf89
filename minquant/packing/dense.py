"""Dense n-bit packing: codes of 1 to 8 bits, one right after the other, least significant bit first.

Code ``i`` takes the bits ``i*bits .. (i+1)*bits - 1`` of the stream, and bit ``k`` of the stream is bit ``k % 8`` of
byte ``k // 8``. With 3 bits, codes a to h fill three bytes, and c and f straddle two (a0 is a's lowest bit):

    byte 0                     byte 1                     byte 2
    c1 c0 b2 b1 b0 a2 a1 a0 |  f0 e2 e1 e0 d2 d1 d0 c2 |  h2 h1 h0 g2 g1 g0 f2 f1     (highest bit on the left)

**How it is done without a loop over codes.** Where codes do not straddle bytes (1, 2, 4, 8 bits), the first code of
every byte is taken at once, then the second of every byte, and so on. Elsewhere eight codes of one byte each are one
64-bit word in which every byte has ``8 - bits`` idle bits on top. Three times, neighbours are pushed together: bytes
into pairs, pairs into fours, fours into one run of ``8 * bits`` bits, which is ``bits`` whole bytes. Unpacking walks
the same steps back.

What we leave out: word-oriented layouts (GPTQ's int32 along the input axis, AWQ's interleaved order).
"""

from __future__ import annotations

import numpy as np

_WORD = np.dtype("<u8")  # little-endian whatever the machine: byte 0 holds the lowest bits
_PIECE = 1 << 17  # codes worked on at a time: they stay in a core's cache, and being 8 x n they end on a whole byte


def pack_bits(codes: np.ndarray, bits: int) -> np.ndarray:
    """Pack integer codes densely: uint8, 1-D, ``ceil(codes.size * bits / 8)`` bytes, spare bits zero.

    codes   any shape, any integer type, taken in C order; 0 .. 2**bits - 1, or negative down to -2**(bits-1), which
            are stored in two's complement
    bits    1 to 8

    Raises TypeError for codes that are not integers, ValueError for a code that does not fit, naming it.
    """
    _check_bits(bits)
    codes = np.ascontiguousarray(codes)
    if codes.dtype.kind not in "iu":
        raise TypeError(f"codes to pack are integers, got dtype {codes.dtype}")
    _check_range(codes, bits)
    codes = codes.reshape(-1)
    packed = np.empty(-(-codes.size * bits // 8), np.uint8)
    if 8 % bits == 0:
        return _pack_whole(codes, bits, packed)
    for start in range(0, codes.size, _PIECE):
        piece = packed[start * bits // 8 : (start + _PIECE) * bits // 8]
        piece[:] = _push_together(codes[start : start + _PIECE], bits)[: piece.size]
    return packed


def _push_together(codes: np.ndarray, bits: int) -> np.ndarray:
    """Bytes of codes (n,), the last word filled up with zeros."""
    padded = np.zeros(-(-codes.size // 8) * 8, np.uint8)
    np.copyto(padded[: codes.size], codes, casting="unsafe")  # two's complement: the low 8 bits are kept
    words = padded.view(_WORD)
    for lane in (8, 16, 32):  # two lanes become one: the upper moves down onto the end of the lower, idle bits are lost
        used = lane * bits // 8
        low = _every(2 * lane, used)
        words = words & low | words >> np.uint64(lane - used) & low << np.uint64(used)
    return words.astype(_WORD, copy=False).view(np.uint8).reshape(-1, 8)[:, :bits].reshape(-1)


def unpack_bits(buf: np.ndarray | bytes, bits: int, count: int) -> np.ndarray:
    """The first ``count`` codes of a dense stream: uint8, ``(count,)``, values 0 .. 2**bits - 1.

    For signed codes take ``sign_extend`` of the result. Raises ValueError if the buffer is too short.
    """
    _check_bits(bits)
    buf = np.frombuffer(buf, np.uint8) if isinstance(buf, (bytes, bytearray, memoryview)) else np.asarray(buf)
    if buf.dtype != np.uint8:
        raise TypeError(f"packed codes are uint8, got dtype {buf.dtype}")
    if count < 0:
        raise ValueError(f"cannot unpack {count} codes")
    needed = -(-count * bits // 8)
    if buf.size < needed:
        raise ValueError(f"{count} codes of {bits} bits need {needed} bytes, the buffer has {buf.size}")
    packed = buf.reshape(-1)[:needed]
    if 8 % bits == 0:
        return _unpack_whole(packed, bits)[:count]
    codes = np.empty(count, np.uint8)
    for start in range(0, count, _PIECE):
        piece = codes[start : start + _PIECE]
        piece[:] = _pull_apart(packed[start * bits // 8 : (start + _PIECE) * bits // 8], bits)[: piece.size]
    return codes


def _pack_whole(codes: np.ndarray, bits: int, packed: np.ndarray) -> np.ndarray:
    """Codes that never straddle bytes: the i-th code of every byte is shifted to its place, into packed."""
    mask, per_byte = np.uint8((1 << bits) - 1), 8 // bits
    for i in range(per_byte):
        part = codes[i::per_byte].astype(np.uint8)  # two's complement: the low 8 bits are kept
        part &= mask
        if i == 0:
            packed[:] = part
        else:
            packed[: part.size] |= part << np.uint8(i * bits)
    return packed


def _unpack_whole(packed: np.ndarray, bits: int) -> np.ndarray:
    """The codes of packed (n,), ``8 / bits`` of every byte."""
    codes = np.empty((packed.size, 8 // bits), np.uint8)
    for i in range(8 // bits):
        codes[:, i] = packed >> np.uint8(i * bits)
    codes &= np.uint8((1 << bits) - 1)
    return codes.reshape(-1)


def _pull_apart(packed: np.ndarray, bits: int) -> np.ndarray:
    """Codes of packed bytes (n,), and perhaps a few zeros after them: the steps of _push_together backwards."""
    padded = np.zeros((-(-packed.size // bits), 8), np.uint8)
    whole = packed.size // bits
    padded[:whole, :bits] = packed[: whole * bits].reshape(whole, bits)
    padded[whole:, : packed.size - whole * bits] = packed[whole * bits :]
    words = padded.reshape(-1).view(_WORD)
    for lane in (32, 16, 8):
        used = lane * bits // 8
        low = _every(2 * lane, used)
        words = words & low | (words >> np.uint64(used) & low) << np.uint64(lane)
    return words.astype(_WORD, copy=False).view(np.uint8)


def sign_extend(codes: np.ndarray, bits: int) -> np.ndarray:
    """int8 values of unsigned ``bits``-bit codes read as two's complement: flip the sign bit, subtract its weight."""
    _check_bits(bits)
    sign = np.uint8(1 << bits - 1)
    return ((np.asarray(codes, np.uint8) ^ sign) - sign).view(np.int8)


def _every(period: int, ones: int) -> np.uint64:
    """A 64-bit word with the lowest ``ones`` bits of every ``period`` bits set."""
    return np.uint64(sum(((1 << ones) - 1) << start for start in range(0, 64, period)))


def _check_bits(bits: int) -> None:
    if bits not in range(1, 9):
        raise ValueError(f"dense packing takes 1 to 8 bits per code, got {bits}")


def _check_range(codes: np.ndarray, bits: int) -> None:
    if not codes.size:
        return
    low, high = int(codes.min()), int(codes.max())
    if low < -(1 << bits - 1) or high >= 1 << bits or low < 0 and high >= 1 << bits - 1:
        raise ValueError(f"codes from {low} to {high} do not fit in {bits} bits: unsigned codes lie in "
                         f"0..{(1 << bits) - 1}, signed ones in {-(1 << bits - 1)}..{(1 << bits - 1) - 1}")

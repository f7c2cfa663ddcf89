"""Codes in the int32 words of a checkpoint: every row of a matrix is a dense stream of its own, lowest bits first.

A row of n codes fills ceil(n * bits / 32) words, the last one ending in zero bits. On a little-endian machine the bytes
of these words are the stream of dense.py, so that is what packs and unpacks them; only the ends of the rows are ours.

Bit 31 of a word is a bit like any other. That int32 calls it a sign matters to whoever shifts to the right: view the
words as uint32 first.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from .dense import pack_bits, unpack_bits

_WORD = np.dtype("<i4")  # bytes of a word in the order of the stream, whatever the machine


def count(codes: int, bits: int) -> int:
    """Words that so many codes fill, the last one perhaps in part."""
    return -(-codes * bits // 32)


def pack_rows(codes: np.ndarray, bits: int) -> np.ndarray:
    """uint8 codes (rows, n) -> int32 words (rows, count(n, bits))."""
    rows, n = codes.shape
    whole = _whole(n, bits)
    if whole != n:
        codes = np.pad(codes, ((0, 0), (0, whole - n)))
    words = pack_bits(codes, bits).view(_WORD).reshape(rows, whole * bits // 32)
    return np.ascontiguousarray(words[:, :count(n, bits)], np.int32)


def unpack_rows(words: np.ndarray, bits: int, n: int) -> np.ndarray:
    """int32 words (rows, count(n, bits)) -> the uint8 codes (rows, n) in them."""
    rows, whole = len(words), _whole(n, bits)
    stream = np.zeros((rows, whole * bits // 32), _WORD) if whole != n else np.empty(words.shape, _WORD)
    stream[:, :words.shape[1]] = words
    codes = unpack_bits(stream.view(np.uint8), bits, rows * whole).reshape(rows, whole)
    return np.ascontiguousarray(codes[:, :n])


def _whole(n: int, bits: int) -> int:
    """n rounded up to where the stream ends with a word: to 8 codes of 4 bits, 32 codes of 3."""
    unit = 32 // gcd(bits, 32)
    return -(-n // unit) * unit


def check_codes(name: str, codes: np.ndarray, dtype: type, low: int, high: int) -> np.ndarray:
    """``codes`` as a matrix of ``dtype`` with values in low..high; TypeError or ValueError that says what is wrong."""
    codes, dtype = np.asarray(codes), np.dtype(dtype)
    if codes.dtype != dtype:
        raise TypeError(f"{name} must be {dtype}, {low}..{high}, got dtype {codes.dtype}")
    if codes.ndim != 2:
        raise ValueError(f"{name} must be a matrix, got shape {codes.shape}")
    if codes.size and (codes.min() < low or codes.max() > high):
        raise ValueError(f"{name} must lie in {low}..{high}, got values from {codes.min()} to {codes.max()}")
    return codes


def check_words(name: str, words: np.ndarray, shape: tuple[int | None, int | None], why: str) -> np.ndarray:
    """``words`` as an int32 matrix of a shape (None: any length); TypeError or ValueError that says what is wrong."""
    words = np.asarray(words)
    if words.dtype != np.int32:
        raise TypeError(f"{name} must be int32 words, got dtype {words.dtype}")
    if words.ndim != 2 or any(want is not None and want != got for want, got in zip(shape, words.shape)):
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name} has shape {words.shape}, but {why} need words of shape ({wanted})")
    return words


def check_groups(codes: np.ndarray, zero_point: np.ndarray) -> None:
    """Raise ValueError unless codes (out, in) and zero points (out, groups) have as many rows."""
    if len(codes) != len(zero_point):
        raise ValueError(f"codes {codes.shape} are (out, in) and zero points (out, in / group size), one row for each "
                         f"output: got zero points {zero_point.shape}")

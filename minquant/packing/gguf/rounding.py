"""What the searches for scales and codes share: ranges of blocks, safe inverses, float16 that never overflows."""

from __future__ import annotations

import numpy as np

_LARGEST_HALF = np.float32(65504)


def range_of(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of every block (n, length): two (n,)."""
    columns = np.ascontiguousarray(blocks.T)  # NumPy reduces many short rows slowly, few long columns fast
    return columns.min(axis=0), columns.max(axis=0)


def amax_of(blocks: np.ndarray) -> np.ndarray:
    """Largest magnitude in every block: (n,)."""
    low, high = range_of(blocks)
    return np.maximum(np.abs(low), np.abs(high))


def largest_of(blocks: np.ndarray) -> np.ndarray:
    """The value of largest magnitude in every block, with its sign; of two equal magnitudes the first: (n,)."""
    low, high = range_of(blocks)
    largest = np.where(high > -low, high, low)
    even = np.flatnonzero(high == -low)
    largest[even] = blocks[even, np.abs(blocks[even]).argmax(axis=1)]
    return largest


def inverse(d: np.ndarray) -> np.ndarray:
    """1/d in float32, 0 for d = 0 (all-zero block) and for a d so small that 1/d overflows (its float16 is 0)."""
    with np.errstate(divide="ignore", over="ignore"):
        result = np.float32(1) / d
    result[~np.isfinite(result)] = 0
    return result


def half(d: np.ndarray) -> np.ndarray:
    """float16 of d, held at 65504 where it would be infinite."""
    return np.clip(d, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)


def round_away(x: np.ndarray) -> np.ndarray:
    """Whole numbers nearest to x, halves away from zero, as C's roundf; x is used up.

    trunc(x + 0.5) would be wrong just below a half, where the sum rounds up to a whole number; twice the fraction is
    exact.
    """
    whole = np.trunc(x)
    x -= whole
    whole += np.trunc(x + x)
    return whole

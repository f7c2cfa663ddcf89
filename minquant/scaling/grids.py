"""How a scale is chosen, and how a block is put on its grid.

A *block* is what shares a scale. All functions here take blocks as rows, ``(n, length)`` float32, and return one
scale and one zero point per row, ``(n, 1)``. All arithmetic is float32, and a value is divided by the scale, never
multiplied by its reciprocal, which would round twice.

Symmetric, restricted range:   scale = amax / qmax,            code = clip(rint(x / scale), -qmax, qmax)
Asymmetric:                    scale = (hi - lo) / (2^b - 1),  zero = clip(rint(-lo / scale)),
                               code = clip(rint(x / scale) + zero, 0, 2^b - 1)
Float formats, code books:     scale = amax / largest value,   code = nearest value to x / scale

The asymmetric range ``lo .. hi`` is widened to contain 0, so that 0 has a code of its own and stays exact. (AWQ's
code does not widen: a group of values all well above zero then collapses.) Ties go to the even code.

**The stored scale is the scale.** A group's scale is kept as float16; it is rounded first and codes are computed with
the rounded one, so no error is hidden between the two. At the ends of a type: a scale too small for it becomes its
smallest value above zero (2^-24 in float16), one too large its largest (65504; in float32 the largest that keeps
``code * scale`` finite), and values beyond the grid saturate. A block of zeros gets scale 1. So finite input never
gives NaN, infinity or a division by zero.

What we leave out: where to clip (``calibrators.py``), exponents shared by a block (``shared_exponent.py``), two-level
scales (``nvfp4.py``, ``nf4.py``).
"""

from __future__ import annotations

import numpy as np

from .scheme import Scheme


def range_of(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of every block, widened to contain 0: two (n, 1)."""
    if len(blocks) > 16 and blocks.shape[1] <= 128:
        columns = np.ascontiguousarray(blocks.T)  # NumPy reduces many short rows slowly, few long columns fast
        low, high = columns.min(axis=0, initial=0), columns.max(axis=0, initial=0)
        return low[:, None], high[:, None]
    return blocks.min(axis=1, initial=0, keepdims=True), blocks.max(axis=1, initial=0, keepdims=True)


def grid_for(low: np.ndarray, high: np.ndarray, scheme: Scheme) -> tuple[np.ndarray, np.ndarray | None]:
    """Scale (n, 1), in the type it is stored in, and zero point (n, 1), float32 or None.

    low, high   (n, 1) float32, finite: the range the grid spans; it contains 0
    """
    zeros = low == high
    if scheme.symmetric:
        largest = scheme.code_range[1] if scheme.is_integer else scheme.format.max
        clipped = scheme.full_range and scheme.calibrator != "minmax"  # only what is beyond the range gets -2^(b-1)
        return stored(np.maximum(high, -low) / np.float32(largest), zeros, scheme.scale_dtype, largest + clipped), None
    levels = np.float32(scheme.code_range[1])
    with np.errstate(over="ignore"):
        scale = (high - low) / levels
    scale = np.where(np.isfinite(scale), scale, high / levels - low / levels)  # a range may be wider than float32
    scale = stored(scale, zeros, scheme.scale_dtype, 1)
    zero = np.rint(-low / scale.astype(np.float32))
    np.minimum(zero, levels, out=zero)
    return np.minimum(scale, largest_scale(np.maximum(zero, levels - zero), scheme.scale_dtype)), zero


def stored(scale: np.ndarray, zeros: np.ndarray, dtype: np.dtype, largest_code: float) -> np.ndarray:
    """A float32 scale as it is kept: rounded to dtype and held inside it, 1 where a block is all zeros."""
    kept = np.minimum(scale, largest_scale(largest_code, dtype)).astype(dtype)
    np.maximum(kept, np.finfo(dtype).smallest_subnormal, out=kept)
    kept[zeros] = 1
    return kept


def largest_scale(code: np.ndarray | float, dtype: np.dtype) -> np.ndarray:
    """The largest scale of that type with which ``code * scale`` is still a float32."""
    if dtype != np.float32:  # any float16 will do
        return np.finfo(dtype).max
    largest = np.finfo(np.float32).max
    top = largest / np.asarray(code, np.float32)
    return np.where(top * np.float64(code) > largest, np.nextafter(top, np.float32(0)), top)


def snap(blocks: np.ndarray, scale: np.ndarray, zero: np.ndarray | None, scheme: Scheme,
         out: np.ndarray | None = None) -> np.ndarray:
    """Blocks divided by the scale and rounded, float32: codes of integers, values of float formats. Into out if given.
    """
    out = np.divide(blocks, scale, out=out)
    if not scheme.is_integer:
        return scheme.format.round(out, out=out)
    lowest, highest = scheme.code_range
    np.rint(out, out=out)
    if zero is not None:
        out += zero
    return out.clip(np.float32(lowest), np.float32(highest), out=out)  # clip as floats: a cast would wrap


def unsnap(snapped: np.ndarray, scale: np.ndarray, zero: np.ndarray | None) -> np.ndarray:
    """What snapped values stand for, in place: ``scale * (code - zero)``."""
    if zero is not None:
        snapped -= zero
    snapped *= scale
    return snapped


CHUNK = 1 << 16  # elements worked on at a time: 256 kB of float32, which stay in a core's cache from pass to pass


def row_chunks(count: int, length: int):
    """Slices that cut ``count`` blocks of ``length`` elements into pieces of about CHUNK elements."""
    step = max(CHUNK // max(length, 1), 1)
    return (slice(start, start + step) for start in range(0, count, step))


def column_chunks(length: int):
    """Slices that cut one long block into pieces of at most 2 * CHUNK elements."""
    step = length if length <= 2 * CHUNK else CHUNK
    return (slice(start, start + step) for start in range(0, length, max(step, 1)))

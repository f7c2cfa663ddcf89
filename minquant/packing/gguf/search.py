"""How Q4_K, Q5_K and Q6_K find their scales: by trying, twice over.

A sub-block of 16 or 32 weights should get the scale, and for Q4_K and Q5_K the minimum, whose codes leave the least
error. Rounding makes that error jump, so no formula gives the answer. But two halves of it are easy: for a given scale
the best codes are known, by rounding; for given codes the best scale is known, by least squares. So:

    for some twenty guesses of the scale, a little finer or coarser than the range demands
        codes    = round(x / guess)                      the best for this guess
        scale    = least squares for these codes         the best for these codes, and not the guess
        keep it if its error is less than that of the best so far

**Q4_K, Q5_K** (x = scale * code + minimum). The error counts each weight w = |x| + rms(x) times: large weights matter
more, small ones not nothing. Least squares for a line, with sums over the sub-block:

    D       = sum w * sum w c^2 - (sum w c)^2
    scale   = (sum w * sum w c x - sum w x * sum w c) / D
    minimum = (sum w c^2 * sum w x - sum w c * sum w c x) / D

A minimum above zero is taken back to 0, since only minima below can be stored, and the scale is found again without
it. A guess that wins moves the minimum from which all guesses after it start.

**Q6_K** (x = scale * code) weighs with w = x^2. scale = sum w x c / sum w c^2, and the error falls by
(sum w x c)^2 / sum w c^2, which is therefore to be as large as possible: no error has to be summed.

**The second time** the scales of all sub-blocks of a super-block become codes themselves: 63rds of the largest one for
Q4_K and Q5_K (minima likewise), 128ths with sign for Q6_K. The weights are rounded once more, with the scale as it will
be read back. Where that is 0 the codes of the search stay, although they mean nothing any more.

**Bytes.** Those of ggml's C, all of them, if its compiler does not fuse multiplication and addition: sums run in
float32, in order, one weight after the other. This is why arrays are held as (weights, sub-blocks) here: each step of a
sum is one addition of whole rows. A fused build (gcc fuses wherever the processor it builds for can, as 64-bit ARM can)
rounds differently, and near-equal guesses change places: built with -march=haswell, 7% of the tiny model's super-blocks
differ in Q4_K, 30% in Q5_K, 0.3% in Q6_K. Neither is better.

Source: ggml, ``src/ggml-quants.c`` (quantize_row_q4_K_ref, quantize_row_q5_K_ref, quantize_row_q6_K_ref,
make_qkx2_quants, make_qx_quants). We differ at the ends of float, on purpose: where a scale is beyond float16 ggml
writes infinity, we 65504. What we leave out: importance of weights measured on text (imatrix), and the searches for
Q2_K and Q3_K.
"""

from __future__ import annotations

import numpy as np

from .blocks import BlockType
from .rounding import half, inverse, largest_of

_BEYOND = np.float32(2**30)  # of such a weight no float16 scale is large enough; clipped to it, no sum overflows
_NOTHING = np.float32(1e-15)  # Q6_K: weights and scales below it are taken as zero
_STEP = np.float32(0.1)  # from one guess to the next, in codes that the range is divided into

_FINENESS = {"Q4_K": (15, -1.0, 20), "Q5_K": (31, -0.5, 15)}  # largest code, first guess beside it, guesses after it


def choose(x: np.ndarray, type: BlockType) -> tuple[np.ndarray, ...]:
    """float32 (n, 256) -> parts of super-blocks, as superblocks.py describes them."""
    x = np.clip(x, -_BEYOND, _BEYOND)
    return _choose_q6_k(x) if type.name == "Q6_K" else _choose_with_minima(x, *_FINENESS[type.name])


# ---- Q4_K, Q5_K: a line through the weights ------------------------------------------------------------------------


def _choose_with_minima(x: np.ndarray, top: int, first: float, guesses: int) -> tuple[np.ndarray, ...]:
    columns = _columns(x, 32)
    rms = np.sqrt(_total(columns * columns) / np.float32(32))
    scale, low, codes = _best_line(columns, rms + np.abs(columns), top, first, guesses)
    scales, mins = scale.reshape(len(x), 8), -low.reshape(len(x), 8)
    d, s = _in_63rds(scales)
    dmin, m = _in_63rds(mins)
    step = d.astype(np.float32)[:, None] * s
    shift = dmin.astype(np.float32)[:, None] * m
    codes = _round_again(x.reshape(len(x), 8, 32) + shift[..., None], step, codes, (0, top))
    return d, dmin, s, m, codes.astype(np.uint8)


def _best_line(x: np.ndarray, w: np.ndarray, top: int, first: float, guesses: int) -> tuple[np.ndarray, ...]:
    """Scale (n,), minimum (n,) and codes (n, 32) of sub-blocks: x and the weights of their errors, both (32, n)."""
    low, high = np.minimum(x.min(axis=0), np.float32(0)), x.max(axis=0)
    guess, base = _quotient(np.float32(top), high - low), low  # 1 / scale, and what is subtracted before
    scale, sum_w, sum_wx = inverse(guess), _total(w), _total(w * x)
    error = _error(x, w, _codes(x, guess, base, top), scale, low)
    best_guess, best_base = guess, base
    for i in range(guesses + 1):
        guess, base = _quotient(np.float32(first) + _STEP * np.float32(i) + np.float32(top), high - low), low
        codes = _codes(x, guess, base, top)
        wc = w * codes
        sum_wc, sum_wcc, sum_wcx = _total(wc), _total(wc * codes), _total(wc * x)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            determinant = sum_w * sum_wcc - sum_wc * sum_wc
            new_scale = (sum_w * sum_wcx - sum_wx * sum_wc) / determinant
            new_low = (sum_wcc * sum_wx - sum_wc * sum_wcx) / determinant
            above = new_low > 0
            new_scale = np.where(above, sum_wcx / sum_wcc, new_scale)
            new_low[above] = 0
            new_error = _error(x, w, codes, new_scale, new_low)
        better = (determinant > 0) & (new_error < error)
        error, scale = np.where(better, new_error, error), np.where(better, new_scale, scale)
        low = np.where(better, new_low, low)
        best_guess, best_base = np.where(better, guess, best_guess), np.where(better, base, best_base)
    return scale, low, _codes(x, best_guess, best_base, top).T


def _codes(x: np.ndarray, guess: np.ndarray, base: np.ndarray, top: int) -> np.ndarray:
    """Whole numbers in float32, shaped like x (32, n)."""
    codes = x - base
    codes *= guess
    np.rint(codes, out=codes)
    return np.clip(codes, np.float32(0), np.float32(top), out=codes)


def _error(x: np.ndarray, w: np.ndarray, codes: np.ndarray, scale: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Squared error of scale * codes + low, weighted: (n,)."""
    off = scale * codes
    off += low
    off -= x
    off *= off
    off *= w
    return _total(off)


def _in_63rds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float16 unit (n,) and 6-bit multiples (n, 8) of values (n, 8), of which the largest gets 63."""
    largest = np.maximum(values.max(axis=1), np.float32(0))
    multiples = np.rint(_quotient(np.float32(63), largest)[:, None] * values).astype(np.int32)
    multiples = np.minimum(multiples & 255, 63)  # a scale below zero, if there is one, wraps around as in C
    return half(largest / np.float32(63)), multiples.astype(np.uint8)


# ---- Q6_K: a line through zero -------------------------------------------------------------------------------------


def _choose_q6_k(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scale, codes = _best_slope(_columns(x, 16), largest_of(x.reshape(len(x) * 16, 16)))
    scales = scale.reshape(len(x), 16)
    largest = np.take_along_axis(scales, np.abs(scales).argmax(axis=1)[:, None], axis=1)
    empty = np.abs(largest) < _NOTHING
    multiple = np.where(empty, np.float32(0), np.float32(-128) * 1 / np.where(empty, np.float32(1), largest))
    s = np.minimum(np.rint(multiple * scales), np.float32(127)).astype(np.int8)
    d = half(inverse(multiple[:, 0]))
    codes = _round_again(x.reshape(len(x), 16, 16), d.astype(np.float32)[:, None] * s, codes, (-32, 31))
    codes[empty[:, 0]] = -32
    return d, s, codes.astype(np.int8)


def _best_slope(x: np.ndarray, largest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale (n,) and codes (n, 16) of sub-blocks (16, n) whose values of largest magnitude are given."""
    empty = np.abs(largest) < _NOTHING
    divisor = np.where(empty, np.float32(1), largest)
    w = x * x
    wx = w * x
    scale, gain, best_guess = np.zeros_like(largest), np.zeros_like(largest), np.zeros_like(largest)
    for i in (0, *range(-9, 0), *range(1, 10)):  # the plain guess first: the others have to beat it
        guess = -(np.float32(32) + _STEP * np.float32(i)) / divisor
        codes = _signed_codes(x, guess)
        sum_wxc, sum_wcc = _total(wx * codes), _total(w * codes * codes)
        with np.errstate(over="ignore"):
            better = (sum_wcc > 0) & ((sum_wxc * sum_wxc > gain * sum_wcc) if i else True)
        scale = np.where(better, _quotient(sum_wxc, sum_wcc), scale)
        gain = np.where(better, scale * sum_wxc, gain)
        best_guess = np.where(better, guess, best_guess) if i else guess
    scale[empty] = 0
    codes = _signed_codes(x, best_guess)
    codes[:, empty] = -32
    return scale, codes.T


def _signed_codes(x: np.ndarray, guess: np.ndarray) -> np.ndarray:
    codes = x * guess
    np.rint(codes, out=codes)
    return np.clip(codes, np.float32(-32), np.float32(31), out=codes)


# ---- shared --------------------------------------------------------------------------------------------------------


def _columns(x: np.ndarray, length: int) -> np.ndarray:
    """Sub-blocks of (n, 256) as columns: (length, n * 256 / length)."""
    return np.ascontiguousarray(x.reshape(x.size // length, length).T)


def _total(terms: np.ndarray) -> np.ndarray:
    """Sums down the columns (length, n), one row after the other: NumPy's own sum may choose another order."""
    total = terms[0].copy()
    for row in terms[1:]:
        total += row
    return total


def _quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where that is not finite."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result = a / b
    result[~np.isfinite(result)] = 0
    return result


def _round_again(x: np.ndarray, step: np.ndarray, codes: np.ndarray, limits: tuple[int, int]) -> np.ndarray:
    """Codes (n, 256) of x (n, k, length) for the scales that will be read back (n, k); where one is 0, those given."""
    again = x / np.where(step == 0, np.float32(1), step)[..., None]
    np.clip(np.rint(again, out=again), *limits, out=again)
    kept = step == 0
    again[kept] = codes.reshape(x.shape)[kept]
    return again.reshape(len(x), step.shape[1] * x.shape[2])

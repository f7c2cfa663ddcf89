"""Where does the grid end? Calibrators choose the range that a scale spans, block by block.

    minmax     everything fits: the range ends at the largest magnitude
    pN         percentile: the range ends where N percent of the magnitudes do
    mse, l2    search: of 80 shrunk ranges, the one with the smallest sum of |error|^2.4, or |error|^2
    kl         entropy: the range whose histogram, put on the grid, loses the least information
    absmean    ternary only: the scale is the mean magnitude

A smaller range means finer steps for all and large errors for the few beyond it. Which is better depends on how heavy
the tails are and on how many bits there are: at 8 bits clipping gains little, at 4 several-fold.

**Search.** p = 1, 0.99, ... 0.21 of the full range; a later p must be strictly better. (Errors below 1e-16 or so vanish
in float32 when raised to the power: such a block keeps its full range.) The stored scale is searched, so what is
compared is what will be kept. Source: the GPTQ authors' code, quant.py, find_params with mse=True (norm 2.4, grid 100,
maxshrink 0.8); "mse" for a power of 2.4 is their name. Their symmetric grid has a code more below zero; ours is the
restricted one.

**Entropy.** A histogram of the magnitudes in 2048 bins from 0 to the largest. Every possible end i is tried, from as
many bins as the grid has levels (128 for int8: the magnitudes of a symmetric grid) up to all:

    P   the first i bins; what lies beyond is clipped, so its mass is added to the last of them
    Q   the same bins without that mass, put on the grid: the i bins are cut into as many equal stretches as there are
        levels (bin j belongs to level j * levels // i), and each stretch spreads its mass evenly over those of its
        bins that are not empty

and the end with the smallest KL(P || Q) = sum P log(P / Q) wins, the first of equals. An end whose last bin is empty
while something is clipped has no Q there, and is passed over: so an outlier that stands alone, with empty bins before
it, defeats this calibrator. The threshold is (i + 1/2) bins, at most the largest
magnitude. Source: Migacz, 8-bit Inference with TensorRT, GTC 2017, slides "Entropy Calibration" and the pseudocode
after them (there i stops at 2047; we try 2048 too: clip nothing). It was made for activations at int8. At fewer bits it
clips hard, because it judges the shape of the histogram and not the size of the errors.

**Percentile.** Linear interpolation between the two nearest magnitudes, as ``np.percentile`` does by default.

In an asymmetric scheme a threshold cuts both ends of the range. A threshold of zero in a block that is not all zeros
(most of its values are) is no range: such a block keeps its full one.

What we leave out: moving averages over batches, as training frameworks keep them; analytic clipping (ACIQ).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from . import shared_exponent
from .grids import column_chunks, grid_for, snap, stored, unsnap
from .scheme import SEARCHES, Scheme, percent

POWERS = {"mse": 2.4, "l2": 2.0}
BINS = 2048


def choose(blocks: np.ndarray, low: np.ndarray, high: np.ndarray,
           scheme: Scheme) -> tuple[np.ndarray, np.ndarray | None]:
    """Scale (n, 1) and zero point (n, 1), or None, of blocks (n, length) float32 by the scheme's calibrator.

    low, high   (n, 1): the range of every block, 0 contained, finite
    """
    if scheme.is_mx:
        return shared_exponent.choose(blocks, low, high, scheme, error), None
    if scheme.calibrator in SEARCHES:
        return search(blocks, low, high, scheme)
    if scheme.calibrator == "absmean":
        total = np.abs(blocks).sum(axis=1, keepdims=True, dtype=np.float64)
        mean = (total / max(blocks.shape[1], 1)).astype(np.float32)  # a block of no elements: zero
        return stored(mean, low == high, scheme.scale_dtype, 1), None
    if scheme.calibrator != "minmax":
        end = threshold(blocks, scheme)
        end = np.where(end > 0, end, np.maximum(high, -low))
        low, high = np.maximum(low, -end), np.minimum(high, end)
    return grid_for(low, high, scheme)


def threshold(blocks: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Magnitude at which a percentile or the entropy calibrator of ``scheme`` ends the range: (n, 1) float32."""
    if scheme.calibrator == "kl":
        return entropy(blocks, 1 << scheme.bits - 1)
    return percentile(blocks, percent(scheme.calibrator))


def percentile(blocks: np.ndarray, p: float) -> np.ndarray:
    """The magnitude that ``p`` percent of a block do not exceed: blocks (n, length) float32 -> (n, 1) float32."""
    if not blocks.size:
        return np.zeros((len(blocks), 1), np.float32)
    return np.percentile(np.abs(blocks), p, axis=1, keepdims=True).astype(np.float32)


def entropy(blocks: np.ndarray, levels: int = 128, bins: int = BINS) -> np.ndarray:
    """The threshold with the smallest divergence: blocks (n, length) float32 -> (n, 1) float32.

    levels   how many magnitudes the grid has: 128 for int8
    bins     of the histogram, at least as many as levels (ValueError otherwise)
    """
    if bins < levels:
        raise ValueError(f"a histogram of {bins} bins cannot be put on {levels} levels: use more bins")
    ends = np.zeros((len(blocks), 1), np.float32)
    for block, end in zip(blocks, ends, strict=True):
        magnitudes = np.abs(block)
        largest = float(magnitudes.max(initial=0))
        if largest > 0:
            counts, _ = np.histogram(magnitudes.astype(np.float64), bins, range=(0, largest))
            kept = levels + int(np.argmin(divergences(counts, levels)))
            end[0] = min((kept + 0.5) * largest / bins, largest)
    return ends


def divergences(counts: np.ndarray, levels: int) -> np.ndarray:
    """KL(P || Q) in nats for every number of kept bins, ``levels`` to all: (bins,) counts -> float64.

    Sums over the bins of a level are differences of running sums, so all ends are tried at once: with p, q the counts
    of P and Q, sum p log(p/q) splits into a part over bins, sum p log p, and a part over levels, m log(m / occupied).
    """
    counts = counts.astype(np.float64)
    mass = np.concatenate([[0], counts.cumsum()])
    filled = np.concatenate([[0], (counts > 0).cumsum()])
    own = np.concatenate([[0], _times_log(counts, counts).cumsum()])  # of P, before anything is folded in
    edges = _edges(len(counts), levels)  # (ends, levels + 1): the bins at which levels begin
    m, occupied = np.diff(mass[edges]), np.diff(filled[edges])
    kept = np.arange(levels, len(counts) + 1)
    total, inside, last = mass[-1], mass[kept], counts[kept - 1]
    tail = total - inside
    with np.errstate(divide="ignore", invalid="ignore"):
        q_last = np.where(last > 0, m[:, -1] / occupied[:, -1], 0)
        p_log_p = own[kept] - _times_log(last, last) + _times_log(last + tail, last + tail)
        p_log_q = _times_log(m, m / np.maximum(occupied, 1)).sum(axis=1) + np.where(tail > 0, tail * np.log(q_last), 0)
        found = (p_log_p - p_log_q) / total + np.log(inside / total)
    return np.where(np.isfinite(found), found, np.inf)


@lru_cache(maxsize=16)
def _edges(bins: int, levels: int) -> np.ndarray:
    """First bin of every level, and the end: (bins - levels + 1, levels + 1). Bin j of i: level j * levels // i."""
    kept = np.arange(levels, bins + 1)[:, None]
    return -(-np.arange(levels + 1) * kept // levels)


def _times_log(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a log b, with 0 log anything = 0."""
    return a * np.log(np.where(a > 0, b, 1))


def search(blocks: np.ndarray, low: np.ndarray, high: np.ndarray,
           scheme: Scheme) -> tuple[np.ndarray, np.ndarray | None]:
    """The grid over p * low .. p * high with the smallest error: the best p of 80 for every block on its own."""
    power = np.float32(POWERS[scheme.calibrator])
    scale, zero = grid_for(low, high, scheme)
    best = error(blocks, scale, zero, scheme, power)
    for i in range(1, 80):
        p = np.float32(1 - i / 100)
        new_scale, new_zero = grid_for(p * low, p * high, scheme)
        new = error(blocks, new_scale, new_zero, scheme, power)
        better = new < best
        np.copyto(best, new, where=better)
        np.copyto(scale, new_scale, where=better)
        if zero is not None:
            np.copyto(zero, new_zero, where=better)
    return scale, zero


def error(blocks: np.ndarray, scale, zero, scheme: Scheme, power: np.float32) -> np.ndarray:
    """Sum of |x - its value on the grid|^power over every block: (n, 1) float64."""
    scale = scale.astype(np.float32)
    total = np.zeros((len(blocks), 1))
    for columns in column_chunks(blocks.shape[1]):
        part = blocks[:, columns]
        off = unsnap(snap(part, scale, zero, scheme), scale, zero)
        off -= part
        with np.errstate(over="ignore", under="ignore"):
            np.power(np.abs(off, out=off), power, out=off)
        total += off.sum(axis=1, dtype=np.float64, keepdims=True)
    return total

"""Code books: formats whose values are a list, in no pattern that sign, exponent and mantissa could describe.

A code is a place in a sorted list of levels. Encoding looks for the nearest level; halfway between two it takes the
lower one, as the source of NF4 does. Input beyond the ends saturates. There is one zero, and no NaN.

**nf4** (NormalFloat, 4 bits). Weights are roughly normal, so levels are put where a normal distribution has its mass:
each level answers for about the same share of the weights. The levels are quantiles of the standard normal
distribution, spaced evenly in probability between ``0.5`` and ``0.9677`` on either side of zero (eight on the positive
side, seven on the negative, so that zero is a level of its own), divided by the largest. Source: Dettmers et al.,
QLoRA, arXiv 2305.14314, section 3 and appendix E. The sixteen numbers are written down as published, because a program
that computes quantiles gives them to some last digits only; ``normal_quantiles`` derives them, and a test compares.

**dynamic8** (8 bits). Spans seven powers of ten: 1, 2, 4, ... 64 levels in the decades from 1e-6 up to 1, on both sides
of zero, then 0 and 1. It stores the scales of nf4 when they are quantized in their turn (``scaling.nf4``).
Source: Dettmers et al., 8-bit Optimizers via Block-wise Quantization, arXiv 2110.02861, section 1.3; bitsandbytes,
``functional.py``, create_dynamic_map.

What we leave out: levels learned from the data (k-means), and code books of vectors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist

import numpy as np

from .base import Format, as_codes, as_float32, register


@dataclass(frozen=True)
class CodeBook(Format):
    """A list of levels, ascending: code i stands for ``levels[i]``. Codes are uint8.

    Raises ValueError unless there are ``2**bits`` levels (1 to 8 bits), each larger than the one before.
    """

    levels: tuple[float, ...] = field(repr=False)

    def __post_init__(self):
        if not 1 <= self.bits <= 8 or len(self.levels) != 1 << self.bits:
            raise ValueError(f"{self.name}: a code of {self.bits} bits has {1 << self.bits} levels, not "
                             f"{len(self.levels)}")
        if not (np.diff(np.float32(self.levels)) > 0).all():
            raise ValueError(f"{self.name}: each level must be larger than the one before")

    @property
    def code_dtype(self) -> np.dtype:
        return np.dtype(np.uint8)

    @property
    def max(self) -> float:
        return float(np.float32(self.levels[-1]))

    @property
    def min(self) -> float:
        """Smallest value; it need not be ``-max``."""
        return float(np.float32(self.levels[0]))

    @property
    def smallest_subnormal(self) -> float:
        return float(min(level for level in np.float32(self.levels) if level > 0))

    @cached_property
    def _middles(self) -> np.ndarray:
        """Halfway points between neighbours: float64, where they are exact."""
        levels = np.array(self.levels, np.float32).astype(np.float64)
        return (levels[1:] + levels[:-1]) / 2

    @cached_property
    def _levels(self) -> np.ndarray:
        return np.array(self.levels, np.float32)

    def encode(self, x: np.ndarray) -> np.ndarray:
        """uint8 codes of the nearest levels, halfway to the lower one. Raises ValueError for NaN."""
        x = as_float32(x)
        if np.isnan(x).any():
            raise ValueError(f"{self.name} has no code for NaN, and {np.count_nonzero(np.isnan(x))} of {x.size} values "
                             "are NaN")
        return np.searchsorted(self._middles, x, side="left").astype(np.uint8)  # how many halfway points lie below x

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return self._levels[as_codes(codes, self)]

    def round(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Nearest levels, float32. Raises ValueError for NaN."""
        codes = self.encode(x)
        return self._levels[codes] if out is None else np.take(self._levels, codes, out=out)


def normal_quantiles() -> np.ndarray:
    """The sixteen levels of nf4 from their definition, float64: equal to the published ones to about 6e-7."""
    quantile, outermost = NormalDist().inv_cdf, 0.9677083
    above = [quantile(p) for p in np.linspace(outermost, 0.5, 9)[:-1]]
    below = [-quantile(p) for p in np.linspace(outermost, 0.5, 8)[:-1]]
    return np.sort([*below, 0.0, *above]) / quantile(outermost)


def _dynamic_levels() -> tuple[float, ...]:
    """2**i means of equal parts of 0.1 .. 1 in each of seven decades, mirrored, with 0 and 1."""
    levels = [0.0, 1.0]
    for i in range(7):
        edges = np.linspace(0.1, 1, 2**i + 1)
        means = (edges[:-1] + edges[1:]) / 2 * 10.0 ** (i - 6)
        levels += [*means, *-means]
    return tuple(sorted(float(level) for level in levels))


nf4 = register(CodeBook("nf4", 4, (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0)))
dynamic8 = register(CodeBook("dynamic8", 8, _dynamic_levels()))

"""Integers in two's complement: int8 down to int2.

A ``b``-bit integer has the values ``-2**(b-1) .. 2**(b-1) - 1``, one apart, so a grid of integers is even: the same
step everywhere. On its own that is of no use for weights around 0.02; ``scaling`` divides by a scale first.

What we leave out: unsigned integers as formats of their own. Asymmetric schemes use codes ``0 .. 2**b - 1`` with a
zero point; that is a matter of the scheme, see ``scaling``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Format, as_codes, as_float32, register


@dataclass(frozen=True)
class IntFormat(Format):
    """Two's complement integer of ``bits`` bits (2 to 8); codes are int8."""

    @property
    def code_dtype(self) -> np.dtype:
        return np.dtype(np.int8)

    @property
    def min(self) -> float:
        """Smallest value, ``-2**(bits-1)``. Restricted symmetric schemes leave it unused."""
        return float(-(1 << self.bits - 1))

    @property
    def max(self) -> float:
        return float((1 << self.bits - 1) - 1)

    @property
    def smallest_subnormal(self) -> float:
        return 1.0

    def round(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Nearest integers in range, ties to even: float32, never -0.0. Raises ValueError for NaN."""
        x = as_float32(x)
        out = np.rint(x, out=np.empty(x.shape, np.float32) if out is None else out)
        if np.isnan(out).any():
            raise ValueError(f"{self.name} has no code for NaN, and {np.count_nonzero(np.isnan(out))} of {out.size} "
                             "values are NaN")
        out.clip(np.float32(self.min), np.float32(self.max), out=out)
        out += np.float32(0)  # -0.0 + 0.0 = +0.0: an integer has one zero
        return out

    def encode(self, x: np.ndarray) -> np.ndarray:
        """int8 codes of the nearest integers: clipped as floats, then cast (a cast alone would wrap at 128)."""
        return self.round(x).astype(np.int8)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return as_codes(codes, self).astype(np.float32)


for _bits in (8, 6, 5, 4, 3, 2):
    register(IntFormat(f"int{_bits}", _bits))

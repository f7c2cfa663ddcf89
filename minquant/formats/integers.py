"""Integers in two's complement, int8 down to int2; three values (ternary); and int8 read as a fixed-point number.

A ``b``-bit integer has the values ``-2**(b-1) .. 2**(b-1) - 1``, one apart, so a grid of integers is even: the same
step everywhere. On its own that is of no use for weights around 0.02; ``scaling`` divides by a scale first.

**ternary** has the values -1, 0, 1: log2(3) = 1.585 bits. Kept one per byte it takes two bits like int2; packed, five
share a byte (``packing.ternary``), which is 1.6 bits. Source: Ma et al., The Era of 1-bit LLMs, arXiv 2402.17764.

**fixed8** is int8 with the binary point moved: code / 64, so -127/64 .. 127/64 in steps of 1/64. It is the element of
MXINT8, whose shared exponent expects a largest value just below 2. The code -128 is left unused, as the specification
allows, so that the range is symmetric. Source: OCP Microscaling Formats (MX) Specification 1.0, section 5.3.4.

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
        """The step: 1."""
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


@dataclass(frozen=True)
class TernaryFormat(IntFormat):
    """-1, 0 and 1; codes are int8, two bits wide until ``packing.ternary`` puts five of them into a byte."""

    @property
    def min(self) -> float:
        return -1.0

    @property
    def packed_bits(self) -> float:
        return 8 / 5

    @property
    def codes(self) -> np.ndarray:
        """The three codes, in the order of their two-bit patterns: 0, 1, -1."""
        return np.array([0, 1, -1], np.int8)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """float32 values of codes, same shape. Raises ValueError for the pattern -2, which stands for nothing."""
        codes = as_codes(codes, self)
        if (codes == -2).any():
            raise ValueError(f"{self.name} codes are -1, 0 and 1, got -2")
        return codes.astype(np.float32)


@dataclass(frozen=True)
class FixedPointFormat(Format):
    """int8 codes that count steps of ``2**-fraction_bits``; the most negative code is not used."""

    fraction_bits: int

    @property
    def code_dtype(self) -> np.dtype:
        return np.dtype(np.int8)

    @property
    def max(self) -> float:
        return ((1 << self.bits - 1) - 1) * self.smallest_subnormal

    @property
    def smallest_subnormal(self) -> float:
        """The step, the same everywhere."""
        return 2.0**-self.fraction_bits

    def round(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Nearest multiples of the step in range, ties to even: float32, never -0.0. Raises ValueError for NaN."""
        x = as_float32(x)
        out = x.clip(-self.max, self.max, out=np.empty(x.shape, np.float32) if out is None else out)  # no overflow
        if np.isnan(out).any():
            raise ValueError(f"{self.name} has no code for NaN, and {np.count_nonzero(np.isnan(out))} of {out.size} "
                             "values are NaN")
        out *= np.float32(1 / self.smallest_subnormal)  # by a power of two: exact
        np.rint(out, out=out)
        out += np.float32(0)  # an integer has one zero
        out *= np.float32(self.smallest_subnormal)
        return out

    def encode(self, x: np.ndarray) -> np.ndarray:
        """int8 codes of the nearest multiples of the step."""
        return (self.round(x) * np.float32(1 / self.smallest_subnormal)).astype(np.int8)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return as_codes(codes, self).astype(np.float32) * np.float32(self.smallest_subnormal)


for _bits in (8, 7, 6, 5, 4, 3, 2):
    register(IntFormat(f"int{_bits}", _bits))
ternary = register(TernaryFormat("ternary", 2))
fixed8 = register(FixedPointFormat("fixed8", 8, 6))

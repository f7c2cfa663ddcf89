"""E8M0: a power of two in 8 bits, and nothing else. The shared scale of the MX formats.

Code c stands for ``2**(c - 127)``, from 2^-127 to 2^127; code 255 is NaN. There is no sign, no zero and no infinity:
it is the exponent field of a float32, cut out. So multiplying by such a scale only adds to an exponent, and is exact.

**Rounding.** To the nearer of two powers of two; halfway (1.5 times a power) goes up, which is what ties-to-even gives
for a significand of one bit. Zero and everything below 2^-127 saturate to 2^-127, infinity to 2^127, NaN keeps its
code. A negative number has no place here and raises.

MX quantization does not round its scale, it *chooses* it (``scaling.shared_exponent``), by rounding down.

Source: OCP Microscaling Formats (MX) Specification 1.0, section 5.4.1. It is silent on rounding; there we agree with
ml_dtypes, also in the one place where that is not to nearest: between 2^-127 and 2^-126 everything goes up. (ml_dtypes
turns 0 and what lies beyond 2^127 into NaN; we saturate, as everywhere else.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Format, as_codes, as_float32, register

_MANTISSA32 = np.uint32(23)
_HALF_BINADE = np.uint32(1 << 22)  # the top mantissa bit of a float32: set from 1.5 times a power of two on


@dataclass(frozen=True)
class ExponentFormat(Format):
    """Powers of two, ``2**(code - 127)``; codes are uint8."""

    @property
    def bias(self) -> int:
        """What is added to an exponent before it is stored."""
        return 127

    @property
    def nan_code(self) -> int:
        """The one code that is no number."""
        return 255

    @property
    def code_dtype(self) -> np.dtype:
        return np.dtype(np.uint8)

    @property
    def max(self) -> float:
        return 2.0**127

    @property
    def smallest_subnormal(self) -> float:
        return 2.0**-127

    def encode(self, x: np.ndarray) -> np.ndarray:
        """uint8 codes of the nearest powers of two, same shape. Raises ValueError for negative numbers."""
        x = as_float32(x)
        if (x < 0).any():
            raise ValueError(f"{self.name} holds powers of two, which are positive, and {np.count_nonzero(x < 0)} of "
                             f"{x.size} values are negative")
        bits = x.reshape(-1).view(np.uint32) & np.uint32(0x7FFFFFFF)  # of -0.0, the magnitude
        codes = np.minimum(bits + _HALF_BINADE >> _MANTISSA32, np.uint32(254))
        tiny = bits < np.uint32(1) << _MANTISSA32  # below 2^-126 the exponent field is 0 and the mantissa tells
        codes[tiny] = bits[tiny] > _HALF_BINADE  # above 2^-127
        codes[np.isnan(x.reshape(-1))] = self.nan_code
        return codes.astype(np.uint8).reshape(x.shape)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        codes = as_codes(codes, self).astype(np.uint32)
        bits = np.where(codes == 0, _HALF_BINADE, codes << _MANTISSA32)  # 2^-127 is a subnormal float32
        return np.where(codes == self.nan_code, np.uint32(0x7FC00000), bits).view(np.float32)

    def round(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Nearest powers of two, float32. Raises ValueError for negative numbers."""
        values = self.decode(self.encode(x))
        if out is None:
            return values
        out[...] = values
        return out


e8m0 = register(ExponentFormat("e8m0", 8))

"""Binary floating point of any width up to 16 bits: bf16, fp16, fp8, fp6, fp4.

**How a float is laid out.** From the top: 1 sign bit, ``exponent_bits`` bits of exponent field E, ``mantissa_bits``
bits of mantissa M. With ``bias = 2**(exponent_bits - 1) - 1`` its value is

    E > 0 (normal)       (-1)^sign * (1 + M / 2^mantissa_bits) * 2^(E - bias)
    E = 0 (subnormal)    (-1)^sign * (0 + M / 2^mantissa_bits) * 2^(1 - bias)

Two things follow that make the code below short. The magnitude bits, read as an integer, count the values in
order: adding 1 gives the next larger value, also from one exponent to the next. And subnormals continue the grid of
the smallest normal exponent, so rounding differs only in where the last kept bit lies.

**What lies at the top** differs by format (``specials``):

    "ieee"   the highest exponent field holds infinity and NaN: bf16, fp16, fp8 E5M2
    "nan"    all ones is NaN, everything below is a number, no infinity: fp8 E4M3 (called E4M3FN elsewhere)
    "none"   every code is a number: fp6, fp4

**Rounding.** To nearest, ties to the even code, once, straight from float32: going through fp16 on the way would
round twice and sometimes end one code off. Finite input beyond the maximum saturates, in bf16 and fp16 too.
Infinity stays infinity where the format has one and saturates where it has none; NaN stays NaN (one quiet pattern
per sign) and raises where the format has none.

Sources: IEEE 754-2019 (binary16); OCP 8-bit Floating Point Specification (OFP8) 1.0; OCP Microscaling Formats (MX)
Specification 1.0 for fp6 and fp4. Where OFP8 leaves a choice for finite values too large, we saturate.

What we leave out: stochastic rounding, NaN payloads, the "fnuz" variants without negative zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Format, as_codes, as_float32, register

# float32: 1 sign, 8 exponent, 23 mantissa bits; the exponent is stored with 127 added.
_BIAS32, _MANTISSA32 = 127, 23
_MAGNITUDE32, _EXPONENT32, _INFINITY32 = np.uint32(0x7FFFFFFF), np.uint32(0x7F800000), np.uint32(0x7F800000)


@dataclass(frozen=True)
class FloatFormat(Format):
    """Sign, exponent and mantissa; codes are uint8, or uint16 above 8 bits."""

    exponent_bits: int
    mantissa_bits: int
    specials: str  # "ieee", "nan" or "none": see the module's docstring

    def __post_init__(self):
        if 1 + self.exponent_bits + self.mantissa_bits != self.bits:
            raise ValueError(f"{self.name}: 1 + {self.exponent_bits} + {self.mantissa_bits} bits are not {self.bits}")
        if self.specials not in ("ieee", "nan", "none"):
            raise ValueError(f"{self.name}: specials is 'ieee', 'nan' or 'none', not {self.specials!r}")

    # --- the table of the format, from the layout ---

    @property
    def bias(self) -> int:
        """What is added to an exponent before it is stored."""
        return (1 << self.exponent_bits - 1) - 1

    @property
    def code_dtype(self) -> np.dtype:
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16)

    @property
    def sign_bit(self) -> int:
        """Code of -0.0."""
        return 1 << self.bits - 1

    @property
    def infinity_code(self) -> int | None:
        """Code of +infinity, None where there is none."""
        return (1 << self.exponent_bits) - 1 << self.mantissa_bits if self.specials == "ieee" else None

    @property
    def nan_code(self) -> int | None:
        """The NaN that encode writes, None where there is none."""
        if self.specials == "ieee":
            return self.infinity_code | 1 << self.mantissa_bits - 1  # quiet: top mantissa bit set
        return self.sign_bit - 1 if self.specials == "nan" else None

    @property
    def max_code(self) -> int:
        """Code of the largest finite value."""
        return {"ieee": self.infinity_code, "nan": self.nan_code, "none": self.sign_bit}[self.specials] - 1

    @property
    def max(self) -> float:
        exponent, mantissa = self.max_code >> self.mantissa_bits, self.max_code & (1 << self.mantissa_bits) - 1
        return (1 + mantissa / 2**self.mantissa_bits) * 2.0 ** (exponent - self.bias)

    @property
    def smallest_normal(self) -> float:
        """Smallest value with an implied leading one; below it the spacing stays constant."""
        return 2.0 ** (1 - self.bias)

    @property
    def smallest_subnormal(self) -> float:
        return 2.0 ** (1 - self.bias - self.mantissa_bits)

    # --- float32 -> code ---

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Codes of the nearest values, same shape as x (taken as float32); the rules are in the module's docstring.

        Raises ValueError for NaN where the format has none.
        """
        x = as_float32(x)
        bits = x.reshape(-1).view(np.uint32)
        magnitude = bits & _MAGNITUDE32
        round_magnitude = self._drop_mantissa_bits if self.exponent_bits == 8 else self._round_magnitude
        code = round_magnitude(magnitude)
        np.minimum(code, np.uint32(self.max_code), out=code)  # saturate
        self._put_specials(code, magnitude)
        code |= bits >> np.uint32(31) << np.uint32(self.bits - 1)
        return code.astype(self.code_dtype).reshape(x.shape)

    def _drop_mantissa_bits(self, magnitude: np.ndarray) -> np.ndarray:
        """As _round_magnitude, for float32's own exponent (bf16): only the mantissa gets shorter, by one shift.

        To nearest: add just under half of the last kept bit, and one more if that bit is odd (ties to even).
        """
        drop = np.uint32(_MANTISSA32 - self.mantissa_bits)
        last = magnitude >> drop & np.uint32(1)
        return magnitude + last + np.uint32((1 << int(drop) - 1) - 1) >> drop

    def _round_magnitude(self, magnitude: np.ndarray) -> np.ndarray:
        """Magnitude bits of float32 -> magnitude bits of this format, rounded to nearest even, not yet saturated."""
        field = magnitude >> np.uint32(_MANTISSA32)
        # All 24 bits of the significand, the implied one included. (A subnormal float32 has none, but lies so far below
        # the formats of fewer exponent bits that all of it is dropped.)
        significand = magnitude & np.uint32(0x7FFFFF) | np.uint32(0x800000)
        # Exponent of the grid: that of x, but never below that of the format's smallest normal.
        lowest = np.uint32(_BIAS32 + 1 - self.bias)
        grid = np.maximum(field, lowest)
        # The bits to drop: one more for every power of two below the smallest normal. Of 24 bits, 25 leave nothing.
        drop = np.minimum(grid - field + np.uint32(_MANTISSA32 - self.mantissa_bits), np.uint32(25))
        # To nearest: add just under half of the last kept bit, and one more if that bit is odd (ties to even).
        last = significand >> drop & np.uint32(1)
        kept = significand + last + ((np.uint32(1) << drop - np.uint32(1)) - np.uint32(1)) >> drop
        # The implied one in `kept` counts as exponent field 1, and a carry out of the mantissa raises the exponent.
        return kept + (grid - lowest << np.uint32(self.mantissa_bits))

    def _put_specials(self, code: np.ndarray, magnitude: np.ndarray) -> None:
        """Overwrite the codes of infinities and NaNs (in place)."""
        if not magnitude.size or magnitude.max() < _INFINITY32:
            return
        is_nan = magnitude > _INFINITY32
        if is_nan.any():
            if self.nan_code is None:
                raise ValueError(f"{self.name} has no code for NaN, and {np.count_nonzero(is_nan)} of "
                                 f"{is_nan.size} values are NaN")
            code[is_nan] = self.nan_code
        if self.infinity_code is not None:
            code[magnitude == _INFINITY32] = self.infinity_code

    # --- code -> float32 ---

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """float32 values of codes, exact, same shape. Raises ValueError for codes of more than ``bits`` bits."""
        codes = as_codes(codes, self)
        if codes.size > 1 << self.bits:  # more codes than there are values: look them up
            return self.values[codes]
        bits = codes.reshape(-1).astype(np.uint32)
        if self.exponent_bits == 8:  # bf16: the upper half of a float32
            return (bits << np.uint32(32 - self.bits)).view(np.float32).reshape(codes.shape)
        sign = bits >> np.uint32(self.bits - 1) << np.uint32(31)
        magnitude = bits & np.uint32(self.sign_bit - 1)
        # A normal number: move the mantissa to its place in float32 and correct the bias of the exponent.
        out = (magnitude << np.uint32(_MANTISSA32 - self.mantissa_bits)) + np.uint32(_BIAS32 - self.bias << _MANTISSA32)
        # A subnormal has no implied one: it is the mantissa times the spacing.
        tiny = magnitude < np.uint32(1 << self.mantissa_bits)
        out[tiny] = (magnitude[tiny].astype(np.float32) * np.float32(self.smallest_subnormal)).view(np.uint32)
        if self.specials == "ieee":
            top = magnitude >= np.uint32(self.infinity_code)  # infinity and NaN: exponent of all ones here as there
            out[top] |= _EXPONENT32
        elif self.specials == "nan":
            out[magnitude == np.uint32(self.nan_code)] = np.uint32(0x7FC00000)
        return (out | sign).view(np.float32).reshape(codes.shape)

    # --- float32 -> nearest value, as float32 ---

    def round(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Nearest values as float32, equal to ``decode(encode(x))`` bit for bit, but for finite x only and faster.

        ``rint(x / step) * step``: the step is the power of two between neighbours at x. Dividing by a power of two
        and multiplying by it again is exact, so the only rounding is rint's, to even.
        """
        x = as_float32(x)
        out = np.empty(x.shape, np.float32) if out is None else out
        values = np.atleast_1d(x.clip(np.float32(-self.max), np.float32(self.max), out=out))  # a view of out
        bits = values.view(np.uint32)
        if self.exponent_bits == 8:  # float32 cannot hold the steps at its own lower end: round bits, as encode does
            drop = np.uint32(_MANTISSA32 - self.mantissa_bits)
            bits += (bits >> drop & np.uint32(1)) + np.uint32((1 << int(drop) - 1) - 1)
            bits &= np.uint32(0xFFFFFFFF) << drop
            return out
        step = bits & _EXPONENT32  # 2^floor(log2|x|): float32 with its mantissa cleared
        np.maximum(step, np.uint32(_BIAS32 + 1 - self.bias << _MANTISSA32), out=step)
        step -= np.uint32(self.mantissa_bits << _MANTISSA32)
        step = step.view(np.float32)
        values /= step
        np.rint(values, out=values)
        values *= step
        return out


bf16 = register(FloatFormat("bf16", 16, 8, 7, "ieee"))
fp16 = register(FloatFormat("fp16", 16, 5, 10, "ieee"))
fp8_e4m3 = register(FloatFormat("fp8_e4m3", 8, 4, 3, "nan"))
fp8_e5m2 = register(FloatFormat("fp8_e5m2", 8, 5, 2, "ieee"))
fp6_e2m3 = register(FloatFormat("fp6_e2m3", 6, 2, 3, "none"))
fp6_e3m2 = register(FloatFormat("fp6_e3m2", 6, 3, 2, "none"))
fp4_e2m1 = register(FloatFormat("fp4_e2m1", 4, 2, 1, "none"))

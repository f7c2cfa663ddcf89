"""Decode and encode single numbers by their bits, in ways a compiler can run sixteen at a time.

A table look-up per weight (256 entries for fp8) is ten times slower than two integer instructions, because vector units
have no cheap table. All decoders here use one idea: move the bits to where a float32 keeps them, look at the
result as a float32, and multiply by a power of two that mends the different exponent bias. Subnormals come out right
without a special case, since a float32 subnormal times that power is exactly the small format's subnormal.

float16 is the exception. A subnormal factor costs an Intel processor over a hundred cycles, and while hardly a weight is
so small, scales are: 0.006 / 127 is below float16's smallest normal number, 2^-14. On a Xeon (Sapphire Rapids) matrices
with such scales were read at 3.4 instead of 11.1 GB/s. So the bias is mended by adding to the exponent, and subnormals,
whose last place is worth 2^-24, are placed behind the 1 of 2^-14, which is then taken off.

    float32     s eeeeeeee mmmmmmmmmmmmmmmmmmmmmmm     bias 127
    bfloat16    s eeeeeeee mmmmmmm                     bias 127: shift left by 16, nothing to mend
    float16     s eeeee mmmmmmmmmm                     bias 15: shift left by 13, exponent plus 127 - 15
    fp8 E4M3    s eeee mmm                             bias 7: shift left by 20, times 2^(127 - 7)
    fp8 E5M2    s eeeee mm                             bias 15: shift left by 21, times 2^(127 - 15)

These products are compiled to stay by themselves (``exact_jit``): a compiler that may reorder would multiply the power
of two onto a large activation first, and 1000 * 2^120 is infinite.

The sign has to travel further than the rest: sign extension fills the bits above, and a mask keeps the top one.

What we leave out: NaN and infinity of fp8 and of float16. Quantized weights hold none (quantizers refuse them).

Every intermediate value is wrapped in its type, because Numba otherwise widens 32-bit integers to 64 bits.
"""

from __future__ import annotations

import numpy as np

from ._cache import contract_jit, exact_jit, jit

_u32, _i32, _f32 = np.uint32, np.int32, np.float32


@jit
def bf16_to_float(code):
    """uint16 bits of a bfloat16 -> float32."""
    return _u32(_u32(code) << _u32(16)).view(_f32)


@jit
def float_to_bf16(value):
    """Finite float32 -> uint16 bits of the nearest bfloat16, ties to even.

    Adding 0x7FFF carries into bit 16 where the lower half is above one half; the last kept bit decides a tie.
    """
    bits = _f32(value).view(_u32)
    last_kept = _u32(_u32(bits >> _u32(16)) & _u32(1))
    return np.uint16(_u32(_u32(bits + _u32(0x7FFF)) + last_kept) >> _u32(16))


@exact_jit
def half_to_float(code):
    """int16 bits of a finite float16 -> float32."""
    size = _u32(_u32(_i32(code)) & _u32(0x7FFF))
    moved = _u32(size << _u32(13))
    small = _f32(_u32(moved + _u32(113 << 23)).view(_f32) - _f32(2.0**-14)).view(_u32)
    found = small if size < _u32(1 << 10) else _u32(moved + _u32(112 << 23))
    return _u32(found | _u32(_u32(_i32(code)) & _u32(0x80000000))).view(_f32)


@exact_jit
def e4m3_to_float(code):
    """int8 bits of an fp8 E4M3 number (not NaN) -> float32."""
    return _u32(_u32(_i32(code) << _i32(20)) & _u32(0x87F00000)).view(_f32) * _f32(2.0**120)


@exact_jit
def e5m2_to_float(code):
    """int8 bits of a finite fp8 E5M2 number -> float32."""
    return _u32(_u32(_i32(code) << _i32(21)) & _u32(0x8FE00000)).view(_f32) * _f32(2.0**112)


@exact_jit
def round_to_half(x):
    """The float16 nearest to a float32 in 0..65504, ties to even, as a float32.

    Below 2^-14 float16 steps are all 2^-24, as those of a float32 near 0.5: adding 0.5 rounds. Above, 13 bits go.
    """
    if x < _f32(2.0**-14):
        return _f32(_f32(x + _f32(0.5)) - _f32(0.5))
    bits = _f32(x).view(_u32)
    last_kept = _u32(_u32(bits >> _u32(13)) & _u32(1))
    return _u32(_u32(_u32(bits + _u32(0xFFF)) + last_kept) & _u32(0xFFFFE000)).view(_f32)


@exact_jit
def half_bits(x):
    """int16 bits of a float16, given as a float32 of exactly its value."""
    size = abs(x)
    if size < _f32(2.0**-14):
        bits = _i32(size * _f32(2.0**24))
    else:
        bits = _i32(_u32(_f32(size).view(_u32) - _u32(112 << 23)) >> _u32(13))
    return np.int16(bits if x >= 0 else bits - _i32(0x8000))


@exact_jit
def nearest_half(x):
    """The float16 nearest to any finite float32, as a float32; saturates."""
    size = round_to_half(min(abs(x), _f32(65504)))
    return size if x >= 0 else -size


@exact_jit
def float_to_e4m3(x):
    """int8 bits of the fp8 E4M3 number nearest to a float32, ties to even; saturates.

    As ``round_to_half``: below 2^-6 the steps are all 2^-9, those of a float32 near 2^14.
    """
    size = min(abs(x), _f32(448))
    if size < _f32(2.0**-6):
        bits = _i32(_f32(_f32(size + _f32(2.0**14)) - _f32(2.0**14)) * _f32(2.0**9))
    else:
        word = _f32(size).view(_u32)
        last_kept = _u32(_u32(word >> _u32(20)) & _u32(1))
        rounded = _u32(_u32(word + _u32(0x7FFFF)) + last_kept)
        bits = _i32(_u32(rounded - _u32(120 << 23)) >> _u32(20))
    return np.int8(bits if x >= 0 else bits - _i32(128))


@contract_jit
def exp_into(out, x):
    """``out[i] = exp(x[i])`` for float32 x <= 88, within 2 units in the last place, in arithmetic that vectorises.

    exp(x) = 2^n exp(r) with n the whole number nearest to x / ln 2: 1.5 * 2^23 is added and taken off again, which leaves no
    fraction. r = x - n ln 2 takes ln 2 in two parts, of which n times the first is exact (Cody & Waite 1980, chapter 6).
    |r| <= 0.35, where the series up to r^7 errs by 5e-9. Below -87 the result is taken at -87 (1e-38, as good as zero).
    """
    for i in range(x.size):
        out[i] = max(_f32(x[i]), _f32(-87))
    for i in range(x.size):  # one array: of two that may be the same memory a compiler cannot vectorise the loop
        y = _f32(out[i])
        n = _f32(_f32(y * _f32(1.4426950408889634)) + _f32(12582912)) - _f32(12582912)
        r = _f32(_f32(y - n * _f32(0.693359375)) - n * _f32(-2.12194440e-4))
        e = _f32(1 / 720) + r * _f32(1 / 5040)
        e = _f32(1) + r * (_f32(1) + r * (_f32(1 / 2) + r * (_f32(1 / 6) + r * (_f32(1 / 24) + r * (_f32(1 / 120) + r * e)))))
        out[i] = e * _u32(_u32(_i32(n) + _i32(127)) << _u32(23)).view(_f32)


@jit
def largest_of(x):
    """The largest of some float32 (n,), n > 0. Compared as whole numbers, which a compiler vectorises: turned round where
    the sign is set, the bits of floats are in the order of the floats."""
    found = _i32(-0x80000000)
    for i in range(x.size):
        bits = _f32(x[i]).view(_i32)
        found = max(found, _i32(bits ^ _i32(_i32(bits >> _i32(31)) & _i32(0x7FFFFFFF))))
    return _i32(found ^ _i32(_i32(found >> _i32(31)) & _i32(0x7FFFFFFF))).view(_f32)

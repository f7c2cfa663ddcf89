"""Numbers decoded by their bits: every code there is."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

import naive
from minquant.kernels import bits


def test_every_e4m3_code():
    for code in set(range(256)) - {0x7F, 0xFF}:
        expected = naive.float_value(code, 4, 3, "nan")
        got = bits.e4m3_to_float(np.uint8(code).view(np.int8))
        assert got == expected and math.copysign(1, got) == math.copysign(1, expected), hex(code)


def test_every_finite_half():
    for code in range(0, 65536):
        if code >> 10 & 31 != 31:
            assert bits.half_to_float(np.uint16(code).view(np.int16)) == struct.unpack("<e", struct.pack("<H", code))[0], code


def test_bfloat16_there_and_back():
    for code in range(0, 65536, 7):
        if code >> 7 & 255 != 255:
            value = bits.bf16_to_float(np.uint16(code))
            assert value == struct.unpack("<f", struct.pack("<I", code << 16))[0]
            assert bits.float_to_bf16(np.float32(value)) == code


def test_float_to_bfloat16_rounds_to_nearest_even():
    values = np.random.default_rng(0).standard_normal(2000).astype(np.float32)
    ties = np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, -1 - 2.0**-8, 2.0**-130 * 1.5], np.float32)
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for x in np.concatenate((values, ties)):
        assert bits.float_to_bf16(x) == x.astype(ml_dtypes.bfloat16).view(np.uint16), x


def test_exp_is_accurate_to_float32():
    x = np.concatenate((np.linspace(-87, 88, 3001), np.linspace(-1, 1, 501), [0.0])).astype(np.float32)
    out = np.empty_like(x)
    bits.exp_into(out, x)
    expected = np.exp(x.astype(np.float64))
    assert np.abs(out / expected - 1).max() < 1.5 * 2.0**-23
    assert out[-1] == 1


def test_exp_of_very_negative_numbers_is_as_good_as_zero():
    x = np.array([-100, -1e30, -np.inf], np.float32)
    out = np.empty_like(x)
    bits.exp_into(out, x)
    assert (out >= 0).all() and (out < 2e-38).all()

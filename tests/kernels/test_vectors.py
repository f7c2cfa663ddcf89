"""The vector layer, operation by operation, against NumPy; and all its targets against each other."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from numba import njit

from minquant.kernels import targets

if targets.TARGET is None:
    pytest.skip("the vector layer is off", allow_module_level=True)

from minquant.kernels import vector_bytes as vb  # noqa: E402
from minquant.kernels import vectors as v  # noqa: E402

pytestmark = pytest.mark.needs_jit
BYTES = np.arange(256, dtype=np.uint8)


@njit
def fields(out, word):
    w, n = v.load_bytes(word, 0), 0
    for shift in range(8):
        for width in range(1, 9 - shift):
            total = v.multiply_add(v.zeros(), vb.to_floats(vb.widen(vb.field(w, shift, width), 0)), np.float32(1))
            v.store_floats(out, 8 * n, total)
            n += 1


@njit
def widened(out, word):
    w = v.load_bytes(word, 0)
    v.store_floats(out, 0, vb.to_floats(vb.widen(w, 0)))
    v.store_floats(out, 8, vb.to_floats(vb.widen(w, 1)))
    v.store_floats(out, 16, vb.to_floats(vb.widen(w, 2)))
    v.store_floats(out, 24, vb.to_floats(vb.widen(w, 3)))
    v.store_floats(out, 32, vb.to_floats(vb.widen_field(w, 0, 4, 4)))
    v.store_floats(out, 40, vb.to_floats(vb.widen_field(w, 1, 4, 4)))
    v.store_floats(out, 48, vb.to_floats(vb.widen_field(w, 2, 4, 4)))
    v.store_floats(out, 56, vb.to_floats(vb.widen_field(w, 3, 4, 4)))


@njit
def dots(out, codes, x, signed):
    for i in range(0, codes.size, 32):
        a, b = v.load_bytes(codes, i), v.load_bytes(x, i)
        sums = vb.dot4_signed(a, b) if signed else vb.dot4(a, b)
        v.store_floats(out, i // 4, vb.to_floats(sums))


@njit
def scales(out, stored):
    v.store_floats(out, 0, v.load_scales(stored, 0))


@njit
def looked_up(out, table, word):
    low, high = v.load_floats(table, 0), v.load_floats(table, 8)
    v.store_floats(out, 0, vb.lookup(low, high, vb.widen(v.load_bytes(word, 0), 1)))


@njit
def repeated(out, x, first, shift):
    v.store_floats(out, 0, vb.repeat(v.load_floats(x, 0), first, shift))


@njit
def summed(x):
    return v.sum_floats(v.load_floats(x, 0))


@njit
def above(out, low, high):
    word = vb.put_above(v.load_bytes(low, 0), v.load_bytes(high, 0), 2)
    v.store_floats(out, 0, vb.to_floats(vb.widen_field(word, 0, 0, 8)))


def test_fields_of_bytes():
    for start in range(0, 256, 32):
        word, out = BYTES[start:start + 32].copy(), np.zeros(36 * 8, np.float32)
        fields(out, word)
        expected = [(word[::4] >> shift & (1 << width) - 1).astype(np.uint8).view(np.int8)
                    for shift in range(8) for width in range(1, 9 - shift)]
        np.testing.assert_array_equal(out.reshape(36, 8), expected)


def test_every_fourth_byte():
    for start in range(0, 256, 32):
        word, out = BYTES[start:start + 32].copy(), np.zeros(64, np.float32)
        widened(out, word)
        np.testing.assert_array_equal(out[:32].reshape(4, 8), word.view(np.int8).reshape(8, 4).T)
        np.testing.assert_array_equal(out[32:].reshape(4, 8), (word >> 4).reshape(8, 4).T)


@pytest.mark.parametrize("signed", (False, True))
def test_four_products_at_a_time_are_exact(signed):
    rng = np.random.default_rng(0)
    codes = rng.integers(-128 if signed else 0, 128, 32 * 64, np.int8)
    x = rng.integers(-127, 128, codes.size, np.int8)
    codes[:32], x[:32] = -128 if signed else 127, 127   # the largest sums
    codes[32:64], x[32:64] = -128 if signed else 127, -127
    out = np.zeros(codes.size // 4, np.float32)
    dots(out, codes, x, signed)
    np.testing.assert_array_equal(out, (codes.astype(int) * x).reshape(-1, 4).sum(axis=1))


def test_scales_of_every_kind():
    out, rng = np.zeros(8, np.float32), np.random.default_rng(0)
    for _ in range(50):
        half = rng.integers(0, 1 << 16, 8).astype(np.uint16)
        half[half & 0x7C00 == 0x7C00] = 1  # finite ones
        scales(out, half.view(np.int16))
        np.testing.assert_array_equal(out, half.view(np.float16).astype(np.float32))
        exponents = rng.integers(1, 255, 8).astype(np.uint8)
        scales(out, exponents)
        np.testing.assert_array_equal(out, 2.0 ** (exponents.astype(float) - 127))
    scales(out, np.arange(8, dtype=np.float32))
    np.testing.assert_array_equal(out, np.arange(8))


def test_tables_of_sixteen():
    table, out = np.random.default_rng(0).standard_normal(16).astype(np.float32), np.zeros(8, np.float32)
    for _ in range(20):
        word = np.random.default_rng(1).integers(0, 16, 32).astype(np.uint8)
        looked_up(out, table, word)
        np.testing.assert_array_equal(out, table[word[1::4]])


@pytest.mark.parametrize("shift", (0, 1, 2, 3))
def test_lanes_repeated(shift):
    x, out = np.arange(8, dtype=np.float32), np.zeros(8, np.float32)
    for first in range(0, 8 << shift, 8):
        repeated(out, x, first, shift)
        np.testing.assert_array_equal(out, x.repeat(1 << shift)[first:first + 8])


def test_sums_and_bits_above():
    assert summed(np.arange(8, dtype=np.float32)) == 28
    low, high = np.arange(32, dtype=np.uint8) % 4, np.arange(32, dtype=np.uint8) // 16
    out = np.zeros(8, np.float32)
    above(out, low, high)
    np.testing.assert_array_equal(out, (low | high << 2)[::4])


@njit
def stored_first(out, x, count):
    v.store_first(out, 1, v.load_floats(x, 0), count)
    v.store_floats(out, 16, v.load_one(x, 3))


@pytest.mark.parametrize("count", (-1, 0, 1, 5, 8, 9, 2**20))
def test_only_the_first_lanes_are_stored(count):
    out, x = np.zeros(24, np.float32), np.arange(1, 9, dtype=np.float32)
    stored_first(out, x, count)
    kept = min(max(count, 0), 8)
    np.testing.assert_array_equal(out[1:9], [*x[:kept], *np.zeros(8 - kept)])
    np.testing.assert_array_equal(out[16:], np.full(8, 4))
    assert out[0] == 0 and not out[9:16].any()


wide_floats, wide_ints, wide_scales, wide_one, wide_spread, wide_zeros = v.of_lanes(16)
eight_codes, sixteen_codes = vb.load_two_bits_of(8), vb.load_two_bits_of(16)


@njit
def sixteen(out, x, codes, halves):
    """Each function that makes a vector of 16 lanes, and those that take one. Returns a sum of lanes."""
    ints = wide_ints(codes, 3)
    v.store_floats(out, 0, v.multiply_add(wide_zeros(), wide_floats(x, 1), wide_one(x, 2)))
    v.store_floats(out, 16, v.add(vb.to_floats(vb.signed_part(ints, 4, 4)), wide_spread(np.float32(0.5))))
    v.store_floats(out, 32, vb.as_floats(vb.shift_and_mask(ints, 23, -1)))
    v.store_floats(out, 48, v.multiply(wide_scales(halves, 0), np.float32(2)))
    return v.sum_floats(wide_floats(x, 0))


def test_vectors_of_sixteen_lanes():
    rng, out = np.random.default_rng(0), np.zeros(64, np.float32)
    x, codes = rng.integers(-9, 9, 20).astype(np.float32), rng.integers(1, 255, 20).astype(np.uint8)
    halves = rng.standard_normal(16).astype(np.float16)
    assert sixteen(out, x, codes, halves.view(np.int16)) == x[:16].sum()
    np.testing.assert_array_equal(out[:16], x[1:17] * x[2])
    np.testing.assert_array_equal(out[16:32], (codes[3:19].view(np.int8) >> 4) + 0.5)
    np.testing.assert_array_equal(out[32:48], (codes[3:19].astype(np.uint32) << 23).view(np.float32))
    np.testing.assert_array_equal(out[48:], 2 * halves.astype(np.float32))


@njit
def two_bits(out, codes):
    for n in range(4):
        v.store_floats(out, 8 * n, eight_codes(codes, 1, n))
    v.store_floats(out, 32, sixteen_codes(codes, 1, 0))
    v.store_floats(out, 48, sixteen_codes(codes, 1, 2))


def test_two_bits_of_eight_bytes():
    codes, out = np.random.default_rng(0).integers(0, 256, 9).astype(np.uint8), np.zeros(64, np.float32)
    two_bits(out, codes)
    expected = np.concatenate([codes[1:] >> 2 * n & 3 for n in range(4)])
    np.testing.assert_array_equal(out.reshape(2, 32), [expected, expected])


@pytest.mark.skipif(targets.TARGET == "generic", reason="nothing to compare with")
def test_the_generic_form_gives_the_same_results(tmp_path):
    """This file once more, and the kernels, in a process without the processor's own instructions."""
    env = os.environ | {"MINQUANT_SIMD": "generic", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__,
               f"{os.path.dirname(__file__)}/test_matvec.py",
               "-k", "not generic_form and (exact or four or lanes or tables)"]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout

"""Activations in 8 bits: the codes and scales of the scheme they are named after."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minquant as mq
from minquant.kernels import bits, inputs, matvec, packed

from .packs import input_of, random_packed


def assert_same(values):
    q, x = mq.quantize(values, "int8:g32"), input_of(values, "int8:g32")
    np.testing.assert_array_equal(x.codes, q.codes)
    np.testing.assert_array_equal(x.scale, q.scale.astype(np.float32))
    sums = q.codes.reshape(-1, 32).sum(axis=1, dtype=np.int32)
    np.testing.assert_array_equal(x.sums, x.scale * sums.astype(np.float32))


@pytest.mark.parametrize("size", (1e-9, 1e-6, 1e-4, 0.01, 1.0, 100.0, 1e6, 1e9))
def test_equals_the_quantizer(size):
    rng = np.random.default_rng(0)
    for values in (rng.standard_normal(1024), rng.laplace(size=1024), rng.integers(-9, 10, 1024)):
        assert_same((values * size).astype(np.float32))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=32, max_size=32))
def test_equals_the_quantizer_on_anything_finite(values):
    assert_same(np.array(values, np.float32))


def test_zeros_have_scale_one():
    assert_same(np.zeros(64, np.float32))


def test_halves_are_rounded_to_nearest_even():
    rng = np.random.default_rng(0)
    halves = rng.integers(0, 0x7BFF, 3000, np.uint16).view(np.float16).astype(np.float32)
    between = (halves + np.nextafter(halves.astype(np.float16), np.float16(np.inf)).astype(np.float32)) / 2
    others = np.nextafter(between, np.float32(0)), rng.uniform(0, 65504, 3000).astype(np.float32)
    for x in np.concatenate([halves, between, *others]):
        assert bits.round_to_half(x) == np.float32(np.float16(x))


@pytest.mark.needs_jit
def test_who_has_them_compiled_does_not_change_the_codes(tmp_path):
    """The first caller in the process is a kernel that may reorder sums; what it calls may not."""
    program = """
import numpy as np
from minquant.kernels import bits, inputs, matvec, packed
from minquant.kernels._cache import jit

@jit(cache=False)
def first_caller(x):
    inputs.prepare(x)

x = inputs.make_input(32, "int8:g32")
x.values[:] = np.linspace(-8e-6, 8e-6, 32)
first_caller(x)
assert x.scale[0] == np.float16(np.float32(8e-6) / np.float32(127)), x.scale
"""
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_part_of_an_input_is_a_view():
    for activations in (None, "int8:g32"):
        x = inputs.make_input(128, activations)
        part = inputs.take(x, 64)
        part.values[:] = np.arange(64)
        inputs.prepare(part)
        assert part.values.size == 64 and part.sums.size == 2
        np.testing.assert_array_equal(x.values[:64], np.arange(64))
        np.testing.assert_array_equal(x.sums[:2], part.sums)


@pytest.mark.parametrize("size", (1e-44, 1e-9, 1.0, 1e9, 1e38))
def test_the_vector_layer_gives_the_same_bits(size):
    """Also where the scale is the smallest or largest float16 and codes are clipped, and in a last, short group."""
    values = (np.random.default_rng(0).uniform(-3, 3, 32 * 7 + 5) * size).astype(np.float32)
    values[64:96] = 0
    found = []
    for quantize in (inputs.quantize_plainly, inputs.quantize_into):
        codes, scale, sums = np.zeros(values.size, np.int8), *np.zeros((2, 8), np.float32)
        quantize(codes, scale, sums, values)
        found.append((codes, scale, sums))
    for plain, fast in zip(*found):
        np.testing.assert_array_equal(plain, fast)


@pytest.mark.parametrize("kind, activations", [(packed.BFloat16, None), (packed.Int8Groups, None),
                                               (packed.Int4Groups, None), (packed.Int4Groups, "int8:g32")])
def test_a_product_prepares_all_that_its_kernel_reads(kind, activations):
    """The rest of the input is poisoned."""
    m = random_packed(kind, 1, 9, 96)
    ready = input_of(np.random.default_rng(1).standard_normal(96).astype(np.float32), activations)
    expected, out = np.empty((2, 9), np.float32)
    kernel = matvec.kernel_for(kind, type(ready))
    kernel(expected, m, 0, ready, np.zeros(192, np.float32), 0, 9)
    x = inputs.make_input(96, activations)
    for array in x:
        array.fill(np.nan if array.dtype == np.float32 else 99)
    x.values[:] = ready.values
    matvec.prepare_for(m, x)
    kernel(out, m, 0, x, np.zeros(192, np.float32), 0, 9)
    np.testing.assert_array_equal(out, expected)

"""Packed matrices times vectors, against the definition of their bytes."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import naive
from minquant.kernels import batch, floats, matvec, packed

from .packs import KINDS, random_packed

# Each sum has `columns` terms of float32: an error of some 1e-7 of the sum of their magnitudes is rounding.
ROUNDING = 3e-7
ALL_THREADS = numba.config.NUMBA_NUM_THREADS


def matvec_of(m, layer, x, threads=1):
    out = np.full(m.codes.shape[1], np.nan, np.float32)
    scales = np.zeros((threads, x.size // 32), np.float32)
    matvec.matvec(out, m, layer, x, scales)
    return out


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("rows, columns", [(1, 256), (7, 256), (5, 768)])
def test_matvec(kind, rows, columns):
    m = random_packed(kind, 2, rows, columns)
    x = np.random.default_rng(1).standard_normal(columns).astype(np.float32)
    for layer in range(2):
        dense = naive.packed_matrix(m, layer, columns)
        error = np.abs(matvec_of(m, layer, x) - dense @ x.astype(np.float64))
        assert (error <= ROUNDING * (np.abs(dense) @ np.abs(x))).all()


def test_the_plain_bfloat16_kernel_agrees_with_the_one_that_is_used():
    m = random_packed(packed.BFloat16, 1, 11, 256)
    x = np.random.default_rng(1).standard_normal(256).astype(np.float32)
    out, dense = np.full(11, np.nan, np.float32), naive.packed_matrix(m, 0, 256)
    floats.bf16_matvec(out, m.codes[0], x)
    for result in (out, matvec_of(m, 0, x)):
        assert (np.abs(result - dense @ x) <= ROUNDING * (np.abs(dense) @ np.abs(x))).all()


@pytest.mark.parametrize("rows", (0, 1, 2, 3, 7, 64))
@pytest.mark.parametrize("threads", (1, 2, 5))
@pytest.mark.parametrize("count", (2, 3))
def test_every_row_is_in_one_place_of_one_thread(rows, threads, count):
    owners = [set() for _ in range(rows)]
    for thread in range(threads):
        first, length, last = floats.places(thread, threads, rows, count)
        for i in range(count):
            for r in range(first, first + length):
                owners[min(r + i * length, last)].add(thread)
    assert all(len(owner) == 1 for owner in owners)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_decoded_rows_are_exact(kind):
    m = random_packed(kind, 2, 3, 256)
    for layer in range(2):
        dense = naive.packed_matrix(m, layer, 256).astype(np.float32)
        for row in range(3):
            out = np.full(256, np.nan, np.float32)
            matvec.decode_row(out, m, layer, row)
            np.testing.assert_array_equal(out, dense[row])


@pytest.mark.parametrize("kind", (packed.Float32, packed.Int8G32, packed.Int4G32), ids=lambda kind: kind.__name__)
def test_a_width_that_is_no_multiple_of_the_vector_width(kind):
    columns = 64 * 3
    m = random_packed(kind, 1, 5, columns)
    x = np.random.default_rng(1).standard_normal(columns).astype(np.float32)
    dense = naive.packed_matrix(m, 0, columns)
    assert (np.abs(matvec_of(m, 0, x) - dense @ x) <= ROUNDING * (np.abs(dense) @ np.abs(x))).all()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.skipif(ALL_THREADS < 2, reason="needs two threads")
def test_the_number_of_threads_does_not_change_a_bit(kind):
    m = random_packed(kind, 1, 13, 256)
    x = np.random.default_rng(1).standard_normal(256).astype(np.float32)
    results = []
    for threads in (1, 2, ALL_THREADS):
        numba.set_num_threads(threads)
        results.append(matvec_of(m, 0, x, threads))
    numba.set_num_threads(ALL_THREADS)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("kind", (packed.BFloat16, packed.Int8Rows, packed.Int4G32), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("batch_size", (1, 3, 4, 6))
def test_batch_is_one_product_per_vector(kind, batch_size):
    m, columns = random_packed(kind, 2, 5, 128), 128
    x = np.random.default_rng(1).standard_normal((batch_size, columns)).astype(np.float32)
    out = np.full((5, batch_size), np.nan, np.float32)
    batch.batch_matvec(out, m, 1, x, np.zeros((1, 2, columns), np.float32))
    dense = naive.packed_matrix(m, 1, columns)
    assert (np.abs(out - dense @ x.T) <= ROUNDING * (np.abs(dense) @ np.abs(x.T))).all()


def test_nibbles_by_halves_of_a_row():
    codes = np.arange(-8, 8, dtype=np.int8).repeat(4).reshape(1, 64)
    stored = packed.pack_nibbles(codes, 32)
    assert stored.shape == (1, 32) and stored.dtype == np.int8
    for c in range(32):
        low, high = int(stored[0, c]) & 15, (int(stored[0, c]) & 255) >> 4
        assert (low - 16 if low > 7 else low, high - 16 if high > 7 else high) == (codes[0, c], codes[0, c + 32])


def test_half_a_row_must_hold_whole_groups():
    with pytest.raises(ValueError, match="multiple of 256, and 384 is not"):
        packed.pack_nibbles(np.zeros((1, 384), np.int8), 128)


def test_arrays_start_on_a_cache_line():
    for shape in ((1,), (3, 5), (2, 1, 7)):
        array = packed.aligned(shape, np.float32)
        assert array.shape == shape and array.ctypes.data % 64 == 0

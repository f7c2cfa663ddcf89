"""Packed matrices times vectors, against the definition of their bytes."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import naive
from minquant.kernels import batch, floats, inputs, matvec, packed, rows as row_module

from .packs import GROUPED, KINDS, WHOLE_NUMBERS, input_of, random_packed, seen_values

# Each sum has `columns` terms of float32: an error of some 1e-7 of the sum of their magnitudes is rounding.
ROUNDING = 3e-7
ALL_THREADS = numba.config.NUMBA_NUM_THREADS
PAIRS = [(kind, None) for kind in KINDS] + [(kind, "int8:g32") for kind in WHOLE_NUMBERS]


def name(value):
    return getattr(value, "__name__", str(value))


def matvec_of(m, layer, x, rows, threads=1):
    """By the kernel that ``matvec`` picks, each thread's share in turn: what takes long to compile is the threads."""
    out, kernel = np.full(rows, np.nan, np.float32), matvec.kernel_for(type(m), type(x))
    for t in range(threads):
        room = np.zeros(2 * x.values.size, np.float32)
        kernel(out, m, layer, x, room, matvec.first_row(rows, t, threads), matvec.first_row(rows, t + 1, threads))
    return out


def plain_of(m, layer, x, rows):
    """The same by the plain loops, whatever ``matvec`` uses."""
    out = np.full(rows, np.nan, np.float32)
    kernel = matvec.kernel_for(type(m), type(x), matvec.PLAIN)
    kernel(out, m, layer, x, np.zeros(2 * x.values.size, np.float32), 0, out.size)
    return out


def assert_product(out, dense, x):
    """Rounding grows with what the kernel adds up: codes before the offset is taken back, up to twice the weights."""
    values = seen_values(x)
    room = np.abs(dense) @ np.abs(values) + np.abs(dense).max(axis=1) * np.abs(values).sum()
    assert (np.abs(out - dense @ values) <= ROUNDING * room).all()


def random_input(columns, activations, seed=1):
    return input_of(np.random.default_rng(seed).standard_normal(columns).astype(np.float32), activations)


@pytest.mark.parametrize("kind, activations", PAIRS, ids=name)
@pytest.mark.parametrize("rows, columns", [(1, 256), (8, 32), (13, 768)])
def test_matvec(kind, activations, rows, columns):
    m, x = random_packed(kind, 2, rows, columns), random_input(columns, activations)
    for layer in range(2):
        dense = naive.packed_matrix(m, layer, rows, columns)
        assert_product(matvec_of(m, layer, x, rows), dense, x)
        assert_product(plain_of(m, layer, x, rows), dense, x)


@pytest.mark.parametrize("group", (64, 128, 256))
@pytest.mark.parametrize("scale_type", (np.float16, np.float32, np.uint8), ids=name)
@pytest.mark.parametrize("kind", GROUPED, ids=name)
def test_groups_and_scales_of_every_kind(kind, scale_type, group):
    m = random_packed(kind, 1, 3, 256, group=group, scale_type=scale_type)
    dense = naive.packed_matrix(m, 0, 3, 256)
    for activations in (None, "int8:g32") if kind in WHOLE_NUMBERS else (None,):
        x = random_input(256, activations)
        assert_product(matvec_of(m, 0, x, 3), dense, x)
        assert_product(plain_of(m, 0, x, 3), dense, x)


@pytest.mark.parametrize("kind", WHOLE_NUMBERS, ids=name)
def test_whole_numbers_are_exact_in_every_kernel(kind):
    """Scales of 1 and whole activations up to 127 leave nothing to round."""
    m = random_packed(kind, 1, 9, 512, scale_type=np.float32)
    m.scale[...] = 1
    values = np.random.default_rng(1).integers(-127, 128, 512).astype(np.float32)
    values[::32] = 127  # so that the scale of the activations is 1
    dense = naive.packed_matrix(m, 0, 9, 512)
    for activations in (None, "int8:g32"):
        x = input_of(values, activations)
        np.testing.assert_array_equal(matvec_of(m, 0, x, 9), dense @ values)
        np.testing.assert_array_equal(plain_of(m, 0, x, 9), dense @ values)


@pytest.mark.parametrize("size", (1e-6, 1e6))
@pytest.mark.parametrize("kind, activations", PAIRS, ids=name)
def test_activations_of_any_size(kind, activations, size):
    """Decoders multiply by powers as large as 2^120: a compiler that multiplies those onto x first makes them infinite."""
    m = random_packed(kind, 1, 9, 256)
    x = input_of((size * np.random.default_rng(1).standard_normal(256)).astype(np.float32), activations)
    dense = naive.packed_matrix(m, 0, 9, 256)
    assert_product(matvec_of(m, 0, x, 9), dense, x)
    assert_product(plain_of(m, 0, x, 9), dense, x)


def test_the_plain_bfloat16_kernel_agrees_with_the_one_that_is_used():
    m, x = random_packed(packed.BFloat16, 1, 11, 256), random_input(256, None)
    out, dense = np.full(11, np.nan, np.float32), naive.packed_matrix(m, 0, 11, 256)
    floats.bf16_matvec(out, m.codes[0], x.values)
    assert_product(out, dense, x)
    assert_product(matvec_of(m, 0, x, 11), dense, x)


@pytest.mark.parametrize("rows", (0, 1, 2, 3, 7, 64))
@pytest.mark.parametrize("count", (2, 3))
def test_every_row_is_read(rows, count):
    first, length, last = floats.places(5, 5 + rows, count)
    read = {min(r + i * length, last) for i in range(count) for r in range(first, first + length)}
    assert read == set(range(5, 5 + rows))


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_decoded_rows_are_exact(kind):
    m = random_packed(kind, 2, 11, 256)
    for layer in range(2):
        dense = naive.packed_matrix(m, layer, 11, 256).astype(np.float32)
        for row in (0, 3, 10):
            out = np.full(256, np.nan, np.float32)
            row_module.decode_row(out, m, layer, row)
            np.testing.assert_array_equal(out, dense[row])


@pytest.mark.parametrize("kind, activations", [(packed.Float32, None), (packed.Int8Groups, None),
                                               (packed.Int8Groups, "int8:g32"), (packed.E4M3Groups, None),
                                               (packed.Int4Groups, "int8:g32")], ids=name)
def test_an_odd_number_of_chunks(kind, activations):
    columns = 32 * 5
    m, x = random_packed(kind, 1, 5, columns), random_input(columns, activations)
    assert_product(matvec_of(m, 0, x, 5), naive.packed_matrix(m, 0, 5, columns), x)


@pytest.mark.parametrize("kind, activations", PAIRS, ids=name)
def test_the_number_of_threads_does_not_change_a_bit(kind, activations):
    m, x = random_packed(kind, 1, 29, 256), random_input(256, activations)
    for threads in (2, 3, 13):
        np.testing.assert_array_equal(matvec_of(m, 0, x, 29, threads), matvec_of(m, 0, x, 29))


@pytest.mark.parametrize("kind, activations", [(packed.BFloat16, None), (packed.Int4Groups, "int8:g32")], ids=name)
@pytest.mark.skipif(ALL_THREADS < 2, reason="needs two threads")
def test_threads_share_the_rows(kind, activations):
    m, x = random_packed(kind, 2, 13, 256), random_input(256, activations)
    for threads in (1, 2, ALL_THREADS):
        out = np.full(13, np.nan, np.float32)
        numba.set_num_threads(threads)
        matvec.multiply(out, m, 1, x, np.zeros((threads, 512), np.float32))
        numba.set_num_threads(ALL_THREADS)
        np.testing.assert_array_equal(out, matvec_of(m, 1, x, 13))


@pytest.mark.parametrize("kind", (packed.BFloat16, packed.Int8Rows, packed.Int4Groups), ids=name)
@pytest.mark.parametrize("batch_size", (1, 3, 4, 6))
def test_batch_is_one_product_per_vector(kind, batch_size):
    m, columns = random_packed(kind, 2, 5, 128), 128
    x = np.random.default_rng(1).standard_normal((batch_size, columns)).astype(np.float32)
    out = np.full((5, batch_size), np.nan, np.float32)
    batch.batch_matvec(out, m, 1, x, np.zeros((1, 2, columns), np.float32))
    dense = naive.packed_matrix(m, 1, 5, columns)
    assert (np.abs(out - dense @ x.T) <= ROUNDING * (np.abs(dense) @ np.abs(x.T))).all()


@pytest.mark.parametrize("bits", (2, 3, 4))
def test_codes_that_share_a_word(bits):
    columns = 96
    codes = np.random.default_rng(0).integers(0, 1 << bits, (2, columns)).astype(np.uint8)
    stored = packed.pack_bits(codes, bits)
    assert stored.shape == (2, columns * bits // 32) and stored.dtype == np.uint32
    for row, words in enumerate(stored.tolist()):
        for c in range(columns):
            if bits == 3:
                three = words[c // 32 * 3:][:3]
                code = naive.word_field(three[:2], c % 32, 2) + 4 * naive.word_field(three[2:], c % 32, 1)
            else:
                code = naive.word_field(words, c, bits)
            assert code == codes[row, c]


def test_rows_put_into_blocks_of_eight():
    blocks = np.zeros((2, 3, 4, 8), np.uint32)
    part = np.arange(13 * 4, dtype=np.uint32).reshape(13, 4)
    packed.put_rows(blocks, 1, 5, part)
    for row in range(24):
        expected = part[row - 5] if 5 <= row < 18 else np.zeros(4)
        np.testing.assert_array_equal(blocks[1, row // 8, :, row % 8], expected)
    assert not blocks[0].any()


@pytest.mark.parametrize("rows, threads", [(1, 1), (1, 4), (8, 3), (29, 2), (64, 3), (65, 64)])
def test_shares_are_whole_blocks_and_cover_every_row(rows, threads):
    bounds = [matvec.first_row(rows, thread, threads) for thread in range(threads + 1)]
    assert bounds[0] == 0 and bounds[-1] == rows and bounds == sorted(bounds)
    assert all(bound % 8 == 0 for bound in bounds[:-1] if bound < rows)


@pytest.mark.parametrize("kind", GROUPED, ids=name)
def test_rows_that_are_no_whole_chunks(kind):
    with pytest.raises(ValueError, match="multiple of 32 weights, and 33 is not"):
        packed.check_columns(kind, 33)
    packed.check_columns(kind, 64)


def test_arrays_start_on_a_cache_line():
    for shape in ((1,), (3, 5), (2, 1, 7)):
        array = packed.aligned(shape, np.float32)
        assert array.shape == shape and array.ctypes.data % 64 == 0

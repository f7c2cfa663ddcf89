"""The matrix product of packed weights and many vectors."""

from __future__ import annotations

import numpy as np
import pytest

import naive
from kernels.packs import KINDS, random_packed
from minquant.kernels import packed, tiles


def product(m, x, rows, threads=2):
    """tiles.matmul on fresh working space; x (tokens, columns) -> (tokens, rows)."""
    tokens, columns = x.shape
    row = tiles.stride(columns)
    flat = np.full((tiles.padded(tokens, 3), row), 7, np.float32)  # rows that belong to no token are not looked at
    flat[:, columns:] = 0
    flat[:tokens, :columns] = x
    out = np.full(tokens * rows + 5, 9, np.float32)
    tiles.matmul(out, rows, m, 0, flat.reshape(-1), columns, tokens, np.zeros((threads, 8 * row), np.float32),
                 np.zeros((threads, 8 * tiles.padded(tokens, 3)), np.float32))
    assert (out[tokens * rows:] == 9).all()  # nothing is written behind the result
    return out[:tokens * rows].reshape(tokens, rows)


@pytest.mark.parametrize("kind", KINDS)
def test_product_of_every_kind(kind):
    m = random_packed(kind, 1, 9, 256)
    x = np.random.default_rng(1).standard_normal((2, 256)).astype(np.float32)
    expected = x.astype(np.float64) @ naive.packed_matrix(m, 0, 9, 256).T
    np.testing.assert_allclose(product(m, x, 9), expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("rows, columns, tokens", [(1, 1, 1), (3, 7, 4), (8, 8, 3), (17, 20, 5), (10, 1030, 2)])
def test_product_of_odd_shapes(rows, columns, tokens):
    rng = np.random.default_rng(0)
    m = packed.Float32(rng.standard_normal((1, rows, columns)).astype(np.float32))
    x = rng.standard_normal((tokens, columns)).astype(np.float32)
    expected = x.astype(np.float64) @ m.codes[0].T.astype(np.float64)
    np.testing.assert_allclose(product(m, x, rows), expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_neither_threads_nor_other_tokens_change_a_result():
    m = random_packed(packed.Int8Groups, 1, 21, 64)
    x = np.random.default_rng(1).standard_normal((4, 64)).astype(np.float32)
    whole = product(m, x, 21, threads=1)
    np.testing.assert_array_equal(product(m, x, 21, threads=3), whole)
    np.testing.assert_array_equal(product(m, x[1:2], 21), whole[1:2])


def test_the_block_equals_its_plain_form():
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(4 * 40).astype(np.float32) for _ in range(2))
    got, expected = (np.ones(3 * 5, np.float32) for _ in range(2))
    for sums, block in ((got, tiles.block), (expected, tiles.plain_block)):
        block(sums, 1, 5, a, 0, 40, b, 8, 40, 32)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert expected[0] == 1 and expected[5] == 1 and expected[1] != 1


@pytest.mark.parametrize("columns", (1, 8, 64, 1024, 3072))
def test_rows_of_working_space(columns):
    """Whole vectors, and room for one read too many."""
    assert tiles.stride(columns) % 8 == 0 and tiles.stride(columns) >= columns + 8 and tiles.stride(columns) % 1024

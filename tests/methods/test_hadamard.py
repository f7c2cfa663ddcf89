"""Hadamard matrices: signs, orthogonality, sizes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minquant.methods import hadamard, has_hadamard, random_hadamard

SIZES = [m * 2**k for m in (1, 12, 20, 28) for k in range(11) if m * 2**k <= 1024]
SHIPPED = [32, 256, 768]  # a head, the residual stream and the feed-forward width of the tiny model


@pytest.mark.parametrize("n", SIZES)
def test_entries_are_signs_over_the_root_and_rows_are_orthogonal(n):
    H = hadamard(n)
    assert H.shape == (n, n) and H.dtype == np.float32
    signs = np.rint(H * np.sqrt(n)).astype(np.int64)
    assert set(np.unique(signs)) <= {-1, 1} and np.array_equal(signs @ signs.T, n * np.eye(n, dtype=np.int64))
    assert_allclose(np.abs(H), 1 / np.sqrt(n), rtol=1e-6)


@pytest.mark.parametrize("n", range(1, 300))
def test_every_other_size_is_refused_by_name(n):
    assert has_hadamard(n) == (n in SIZES)
    if n not in SIZES:
        with pytest.raises(ValueError, match=f"no Hadamard matrix of size {n} here"):
            hadamard(n)


@pytest.mark.parametrize("n", [0, -4])
def test_sizes_below_one_are_refused(n):
    with pytest.raises(ValueError, match=f"size {n} here"):
        hadamard(n)


@pytest.mark.parametrize("n", [2.0, True, "4", None])
def test_a_size_is_a_whole_number(n):
    with pytest.raises(TypeError, match="whole number"):
        hadamard(n)


def test_sizes_of_the_shipped_model_are_among_them():
    assert set(SHIPPED) <= set(SIZES) and all(map(has_hadamard, SHIPPED))


def test_one_coordinate_is_spread_evenly_and_back():
    x = np.zeros(96, np.float32)
    x[31] = 7
    assert_allclose(np.abs(x @ hadamard(96)), 7 / np.sqrt(96), rtol=1e-6)
    assert_allclose(x @ hadamard(96) @ hadamard(96).T, x, atol=1e-5)


def test_random_signs_depend_on_the_seed_alone():
    Q = random_hadamard(48, seed=3)
    assert_allclose(Q @ Q.T, np.eye(48), atol=1e-6)
    assert np.array_equal(Q, random_hadamard(48, seed=3)) and not np.array_equal(Q, random_hadamard(48, seed=4))
    assert not (Q[:, 0] > 0).all()  # the plain matrix starts with a column of ones


def test_the_matrix_handed_out_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        hadamard(8)[0, 0] = 5

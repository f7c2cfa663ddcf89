"""LLM.int8(): codes, scales and outlier columns of the paper's algorithm; its two limits; exact sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minquant.methods import decompose, int32_matmul, llm_int8_matmul
from minquant.scaling import fake_quantize
from tests import naive


def drawn(seed: int, n: int = 5, width: int = 9, out: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, width)).astype(np.float32) * rng.choice([0.1, 1, 4, 30], size=width).astype(np.float32)
    return X, rng.normal(size=(out, width)).astype(np.float32)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 2.0, 6.0, 1e9]))
def test_columns_codes_scales_and_product_are_those_of_the_algorithm(seed, threshold):
    X, W = drawn(seed)
    outliers, x_rows, w_rows, product = naive.llm_int8(X, W, threshold)
    got = decompose(X, W, threshold)
    assert got.outliers.tolist() == outliers
    assert sorted([*got.outliers, *got.regular]) == list(range(X.shape[1]))
    for codes, scale, rows in ((got.x_codes, got.x_scale, x_rows), (got.w_codes, got.w_scale, w_rows)):
        assert codes.dtype == np.int8 and scale.dtype == np.float32
        assert codes.tolist() == [row for row, _ in rows]
        assert scale[:, 0].tolist() == [float(s) for _, s in rows]
    assert_allclose(got.matmul(), product, rtol=1e-5, atol=1e-4)
    assert np.array_equal(llm_int8_matmul(X, W, threshold), got.matmul())


def test_one_large_element_takes_its_whole_column_and_no_other():
    X, W = np.full((4, 5), 0.5, np.float32), np.ones((3, 5), np.float32)
    X[2, 3] = -6.0  # the threshold itself counts
    got = decompose(X, W)
    assert got.outliers.tolist() == [3]
    assert_allclose(got.x_scale, 0.5 / 127)  # the small entries of the outlier column are gone as well
    assert np.array_equal(got.x_float, X[:, [3]]) and np.array_equal(got.w_float, W[:, [3]])


def test_threshold_infinity_is_vector_wise_int8():
    X, W = drawn(1, 20, 33, 8)
    got = llm_int8_matmul(X, W, np.inf)
    expected = fake_quantize(X, "int8:token").astype(np.float64) @ fake_quantize(W, "int8:channel").astype(np.float64).T
    assert_allclose(got, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_threshold_zero_is_float():
    X, W = drawn(2, 20, 33, 8)
    assert np.array_equal(llm_int8_matmul(X, W, 0), X @ W.T)
    assert decompose(X, W, 0).x_codes.shape == (20, 0)


def test_keeping_the_outliers_in_float_helps():
    rng = np.random.default_rng(3)
    X, W = rng.normal(size=(32, 64)).astype(np.float32), rng.normal(size=(16, 64)).astype(np.float32)
    X[:, 7] *= 60
    error = {t: np.square(llm_int8_matmul(X, W, t) - X @ W.T).mean() for t in (6.0, np.inf)}
    assert error[6.0] < error[np.inf] / 100


def test_fewer_bits_have_fewer_levels():
    X, W = drawn(4, 20, 33, 8)
    assert np.abs(decompose(X, W, bits=4).x_codes).max() == 7
    errors = [np.abs(llm_int8_matmul(X, W, bits=bits) - X @ W.T).mean() for bits in (8, 6, 4)]
    assert errors == sorted(errors)


@given(st.integers(0, 2**32 - 1))
def test_sums_in_int32_are_exact(seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(-128, 128, size=(n, 300), dtype=np.int8) for n in (3, 4))
    got = int32_matmul(a, b)
    assert got.dtype == np.int32 and np.array_equal(got, a.astype(np.int32) @ b.astype(np.int32).T)


def test_the_largest_sum_that_fits_is_exact_and_a_longer_one_is_refused():
    longest = (2**31 - 1) // 128**2
    row = np.full((1, longest), -128, np.int8)
    assert int32_matmul(row, row)[0, 0] == longest * 128**2
    longer = np.zeros((1, longest + 1), np.int8)
    with pytest.raises(ValueError, match=f"at most {longest}"):
        int32_matmul(longer, longer)
    with pytest.raises(TypeError, match="int8"):
        int32_matmul(row.astype(np.int32), row)


def test_rows_of_zeros_give_zeros():
    X, W = np.zeros((2, 6), np.float32), np.zeros((3, 6), np.float32)
    assert not llm_int8_matmul(X, W).any() and decompose(X, W).x_scale.tolist() == [[1], [1]]


@pytest.mark.parametrize("change, words", [
    (lambda X, W: (X[:, :-1], W, 6.0), "share the last axis"),
    (lambda X, W: (X[0], W, 6.0), "share the last axis"),
    (lambda X, W: (X, W, -1.0), "0 or more, not -1"),
    (lambda X, W: (X, W, np.nan), "0 or more, not nan"),
    (lambda X, W: (X * np.inf, W, 6.0), "X holds NaN or infinity"),
    (lambda X, W: (X, W * np.nan, 6.0), "W holds NaN or infinity"),
    (lambda X, W: (X, W, 6.0, 9), "9 bits"),
])
def test_what_cannot_be_is_refused(change, words):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=words):
        llm_int8_matmul(*change(*drawn(5)))

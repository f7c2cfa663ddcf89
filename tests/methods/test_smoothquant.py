"""SmoothQuant on matrices: the equation, its two ends, the U-shaped error, the search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minquant.methods import search_alpha, smooth_scales
from minquant.scaling import fake_quantize
from tests import naive

RNG = np.random.default_rng(0)


def outlier_inputs(n: int = 64, width: int = 48, factor: float = 60.0) -> np.ndarray:
    X = RNG.normal(size=(n, width)).astype(np.float32)
    X[:, [5, 17]] *= factor
    return X


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 3))
def test_scales_are_those_of_equation_4_over_all_matrices_that_share_the_input(seed, alpha, count):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(5, 7)).astype(np.float32)
    weights = [rng.normal(size=(rng.integers(1, 6), 7)).astype(np.float32) for _ in range(count)]
    got = smooth_scales(np.abs(X).max(axis=0), weights, alpha)
    assert got.dtype == np.float32
    assert_allclose(got, naive.smooth_scales(X, weights, alpha), rtol=1e-6)


def test_the_ends_move_everything_into_the_weights_or_into_the_activations():
    X, W = outlier_inputs(), RNG.normal(size=(32, 48)).astype(np.float32)
    amax = np.abs(X).max(axis=0)
    for_weights, for_activations, half = (smooth_scales(amax, W, alpha) for alpha in (1, 0, 0.5))
    assert_allclose(np.abs(X / for_weights).max(axis=0), 1, rtol=1e-6)
    assert_allclose(np.abs(W * for_activations).max(axis=0), 1, rtol=1e-6)
    assert_allclose(np.abs(X / half).max(axis=0), np.abs(W * half).max(axis=0), rtol=1e-5)


def test_a_single_matrix_may_be_given_as_it_is():
    W = RNG.normal(size=(3, 4))
    assert np.array_equal(smooth_scales(np.ones(4), W), smooth_scales(np.ones(4), [W]))


def test_channels_of_zeros_keep_scale_one():
    W = np.ones((3, 4), np.float32)
    W[:, 2] = 0
    assert_allclose(smooth_scales([4.0, 0.0, 9.0, 16.0], W, 0.5), [2, 1, 1, 4])


@pytest.mark.parametrize("schemes", [("int8:tensor", "int8:tensor"), ("int8:channel", "int8:token"),
                                     ("int4:channel", "int4:token")])
def test_the_error_over_alpha_is_u_shaped_where_inputs_have_outliers(schemes):
    weights = [RNG.normal(size=(32, 48)).astype(np.float32) for _ in range(2)]
    found = search_alpha(weights, outlier_inputs(), *schemes)
    assert found.alphas[0] == 0 and found.alphas[-1] == 1 and len(found.alphas) == len(found.errors) == 21
    lowest = found.errors.argmin()
    assert 0.2 <= found.alpha <= 0.9 and found.alpha == found.alphas[lowest]
    assert found.errors[0] > 2 * found.errors[lowest] and found.errors[-1] > 2 * found.errors[lowest]
    # Falling, then rising: neighbours may swap by luck of rounding, steps of a quarter do not.
    left, right = found.errors[:lowest + 1:5], found.errors[lowest::5]
    assert (np.diff(left) < 0).all() and (np.diff(right) > 0).all()


def test_errors_of_the_search_are_those_of_rounding_both_sides():
    X, W = outlier_inputs(8), RNG.normal(size=(6, 48)).astype(np.float32)
    found = search_alpha(W, X, "int4:channel", "int8:token", steps=4)
    for alpha, error in zip(found.alphas, found.errors):
        s = smooth_scales(np.abs(X).max(axis=0), W, alpha)
        y = fake_quantize(X / s, "int8:token") @ fake_quantize(W * s, "int4:channel").T
        assert_allclose(error, np.square(y - X @ W.T).sum(dtype=np.float64), rtol=1e-4)
    assert_allclose(found.scales, smooth_scales(np.abs(X).max(axis=0), W, found.alpha))
    assert search_alpha(W, X, None, None).errors.max() < 1e-6 * np.square(X @ W.T).sum()  # nothing is rounded


@pytest.mark.parametrize("amax, weights, alpha, words", [
    (np.ones(4), np.ones((2, 4)), 1.1, "alpha must be from 0 to 1"),
    (np.ones(4), np.ones((2, 4)), np.nan, "alpha must be"),
    (-np.ones(4), np.ones((2, 4)), 0.5, "not below 0"),
    ([1, np.inf], np.ones((2, 2)), 0.5, "finite"),
    (np.ones((2, 2)), np.ones((2, 2)), 0.5, r"\(in,\)"),
    (np.ones(4), [], 0.5, "no matrix"),
    (np.ones(4), [np.ones((2, 4)), np.ones((2, 5))], 0.5, "4 channels"),
    (np.ones(2), [[1, np.nan]] * np.ones((2, 1)), 0.5, "channel 1 are not finite"),
])
def test_what_cannot_be_is_refused(amax, weights, alpha, words):
    with pytest.raises(ValueError, match=words):
        smooth_scales(amax, weights, alpha)


def test_a_search_without_samples_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        search_alpha(np.ones((2, 4)), np.ones((0, 4)), "int8:channel", "int8:token")
    with pytest.raises(ValueError, match="steps"):
        search_alpha(np.ones((2, 4)), np.ones((1, 4)), "int8:channel", "int8:token", steps=0)

"""Rounding in training: forward as stored, backward against finite differences of its smooth part and formulas."""

from __future__ import annotations

import naive
import numpy as np
import pytest

from minquant.scaling import Scheme, quantize
from minquant.training import learned_step, rounder, straight_through
from minquant.training.rounding import first_step

SCHEMES = ("int2:g8:asym", "int3:g8", "int2:channel:full", "int4:tensor", "ternary:g8", "ternary:channel:absmean",
           "int8:channel:asym")
BOUNDS = ((-1, 1), (-2, 1), (0, 3), (-7, 7))


@pytest.fixture
def weight():
    return np.random.default_rng(0).standard_normal((6, 16)).astype(np.float32) * 0.1


@pytest.mark.parametrize("low, high", BOUNDS)
def test_both_gradients_by_finite_differences_with_the_rounding_held_fixed(low, high):
    """u = s (clip(w / s) + r) with r, what rint added, as a constant: the function whose gradient LSQ takes."""
    rng = np.random.default_rng(1)
    w, s, du = rng.normal(0, 3, (3, 9)), np.array([[0.7], [1.1], [1.9]]), rng.standard_normal((3, 9))
    ratio = w / s
    fixed = np.clip(np.rint(ratio), low, high) - np.clip(ratio, low, high)

    def total():
        return float((s * (np.clip(w / s, low, high) + fixed) * du).sum())

    dw, ds = naive.numerical_gradient(total, w), naive.numerical_gradient(total, s)
    np.testing.assert_allclose(straight_through(du, w, s, low, high),
                               np.reshape(list(dw.values()), w.shape), atol=1e-7)
    scaled = np.reshape(list(ds.values()), s.shape) / np.sqrt(9 * max(high, 1))
    np.testing.assert_allclose(learned_step(du, w, s, low, high), scaled, atol=1e-6)


@pytest.mark.parametrize("low, high", BOUNDS)
def test_the_gradients_one_weight_at_a_time(low, high):
    rng = np.random.default_rng(2)
    w, s, du = rng.normal(0, 2, (4, 7)), rng.uniform(0.5, 2, (4, 1)), rng.standard_normal((4, 7))
    dw, ds = straight_through(du, w, s, low, high), learned_step(du, w, s, low, high)
    for row in range(4):
        expected_dw, expected_ds = naive.learned_step(w[row], float(s[row, 0]), du[row], low, high)
        np.testing.assert_array_equal(dw[row], expected_dw)
        assert ds[row, 0] == pytest.approx(expected_ds)


def test_the_ends_of_the_grid_count_as_inside():
    w = np.array([[-2.0, -2.001, 1.0, 1.001, 0.4]])
    assert straight_through(np.ones((1, 5)), w, 1.0, -2, 1).tolist() == [[1, 0, 1, 0, 1]]


def test_the_step_starts_as_lsq_says():
    w = np.array([[1.0, -3.0], [0.0, 0.0]], np.float32)
    assert first_step(w, 7)[:, 0] == pytest.approx([2 * 2 / 7**0.5, 1])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_training_uses_is_what_is_stored(weight, scheme):
    r = rounder(weight, scheme)
    step = None if r.first is None else r.first * np.float32(1.37)
    q = r.qtensor(weight, step)
    assert str(q.scheme) == scheme and np.array_equal(q.dequantize(), r.used(weight, step))
    assert q.pack().keys() == quantize(weight, scheme).pack().keys()


@pytest.mark.parametrize("scheme", ["int2:g8:asym", "int4:g8:asym", "ternary:g8:absmean"])
def test_training_starts_at_rounding_to_nearest(weight, scheme):
    r = rounder(weight, scheme)
    expected = quantize(weight, scheme)
    assert np.array_equal(r.qtensor(weight, r.first).codes, expected.codes)
    assert np.array_equal(r.used(weight, r.first), expected.dequantize())


def test_ternary_follows_the_weights_and_lets_every_gradient_through(weight):
    r = rounder(weight, "ternary:tensor:absmean")
    du = np.random.default_rng(3).standard_normal(weight.shape)
    assert np.array_equal(r.backward(du, weight, None)[0], du) and r.backward(du, weight, None)[1] is None
    expected = np.reshape(naive.ternary_absmean(weight.reshape(-1)), weight.shape)
    np.testing.assert_allclose(r.used(weight, None), expected, rtol=1e-6)
    np.testing.assert_allclose(r.used(3 * weight, None), 3 * expected, rtol=1e-6)


def test_groups_have_their_own_gradients(weight):
    r = rounder(weight, "int3:g8")
    du = np.zeros_like(weight)
    du[2, 8:] = 1
    _, ds = r.backward(du, weight, r.first)
    assert ds.shape == (12,) and np.flatnonzero(ds).tolist() == [5]


def test_a_step_never_reaches_zero(weight):
    r = rounder(weight, "int3:g8")
    assert np.isfinite(r.used(weight, -np.ones(12, np.float32))).all()
    assert (r.stored(weight, np.zeros(12, np.float32)) > 0).all()


@pytest.mark.parametrize("scheme, message", [("mxfp4", "step of an even grid"), ("fp8_e4m3:channel", "even grid"),
                                             ("q4_0", "even grid"), ("int2:g5", "does not divide")])
def test_what_cannot_be_trained_is_refused(weight, scheme, message):
    with pytest.raises(ValueError, match=message):
        rounder(weight, scheme)


def test_bounds_are_signed_codes(weight):
    r = rounder(weight, "int2:g8:asym")
    assert np.array_equal(r.highest - r.lowest, np.full((12, 1), 3)) and Scheme.parse(r.scheme) == r.scheme
    assert (r.lowest <= 0).all() and (r.highest >= 0).all()

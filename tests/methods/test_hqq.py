"""HQQ: its turns against the same turns number by number, what they gain, what rounding the zero point would lose."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minquant as mq
from minquant.methods import hqq, rtn
from minquant.methods.hqq import shrink


def with_outliers(rows: int = 64, columns: int = 256, seed: int = 0) -> np.ndarray:
    """Normal weights, one in 32 of them eight times as large."""
    rng = np.random.default_rng(seed)
    W = rng.normal(0, 0.02, (rows, columns))
    W[:, ::32] *= 8
    return W.astype(np.float32)


def error(W: np.ndarray, q: mq.QTensor | np.ndarray, p: float) -> float:
    values = q.dequantize() if isinstance(q, mq.QTensor) else q
    return float((np.abs(W.astype(np.float64) - values) ** p).sum())


# ---- the turns


@pytest.mark.parametrize("options", [{}, {"p": 1.0, "beta": 1.0}, {"p": 0.4, "kappa": 1.5}, {"iterations": 2}])
@pytest.mark.parametrize("scheme, bits", [("int4:g32:asym", 4), ("int2:g32:asym", 2), ("q4_1", 4)])
def test_a_group_takes_the_turns_of_the_definition(scheme, bits, options):
    W = with_outliers(rows=4, columns=64)
    start, got = rtn(W, scheme), hqq(W, scheme, **options).dequantize()
    offset = start.extra["minimum"] if scheme == "q4_1" else start.zero_point
    p, beta = options.get("p", 0.7), options.get("beta", 10.0)
    kappa, turns = options.get("kappa", 1.01), options.get("iterations", 20)
    for r in range(4):
        for g in range(2):
            part = slice(32 * g, 32 * g + 32)
            expected = naive.hqq(W[r, part].tolist(), float(start.scale[r, g]), float(offset[r, g]), bits,
                                 scheme != "q4_1", p, beta, kappa, turns)
            np.testing.assert_allclose(got[r, part], expected, rtol=1e-5, atol=1e-7)


def test_no_turns_are_round_to_nearest():
    W = with_outliers()
    got, ref = hqq(W, "int4:g32:asym", iterations=0), rtn(W, "int4:g32:asym")
    assert all(np.array_equal(getattr(got, part), getattr(ref, part)) for part in ("codes", "scale", "zero_point"))


@pytest.mark.parametrize("scheme", ["int3:g32:asym", "q4_1"])
def test_weights_times_two_get_the_same_codes(scheme):
    W = with_outliers()
    assert np.array_equal(hqq(W, scheme).codes, hqq(2 * W, scheme).codes)


# ---- what is gained


@pytest.mark.parametrize("scheme, share", [("int4:g32:asym", 0.98), ("int3:g64:asym", 0.95), ("int2:g32:asym", 0.9),
                                           ("int4:channel:asym", 0.9), ("q4_1", 0.98)])
@pytest.mark.parametrize("p", [0.7, 1.0])
def test_with_outliers_it_beats_round_to_nearest(scheme, share, p):
    W = with_outliers()
    assert error(W, hqq(W, scheme, p=p), p) < share * error(W, rtn(W, scheme), p)
    assert error(W, hqq(W, scheme), 1) < share * error(W, rtn(W, scheme), 1)


@given(st.integers(0, 2**32), st.sampled_from(["int4:g8:asym", "int3:channel:asym", "int2:g16:asym:l2", "q4_1"]),
       st.floats(0.1, 1), st.floats(0.1, 100))
@settings(max_examples=40, deadline=None)
def test_no_group_gets_worse_by_the_sum_that_is_minimised(seed, scheme, p, beta):
    W = np.random.default_rng(seed).standard_t(2, (5, 32)).astype(np.float32)
    got, ref = (q.dequantize() for q in (hqq(W, scheme, p=p, beta=beta), hqq(W, scheme, iterations=0)))
    size = mq.Scheme.parse(scheme).group_size or 32
    new, old = ((np.abs(W - values) ** p).reshape(-1, size).sum(axis=1) for values in (got, ref))
    assert (new <= old * (1 + 1e-5)).all()


def test_the_gain_of_a_float_zero_point_is_lost_when_it_is_rounded():
    W = np.random.default_rng(0).normal(0, 0.02, (64, 256)).astype(np.float32)
    q, ref = hqq(W, "q4_1"), rtn(W, "int4:g32:asym")
    scale, minimum = (np.repeat(x.astype(np.float32), 32, axis=1) for x in (q.scale, q.extra["minimum"]))
    zero = np.rint(-minimum / scale)
    rounded = (np.clip(np.rint(W / scale) + zero, 0, 15) - zero) * scale
    for p in (0.7, 1.0):
        assert error(W, q, p) < 0.93 * error(W, ref, p)
        assert error(W, rounded, p) > 0.98 * error(W, ref, p)
    assert error(W, hqq(W, "int4:g32:asym"), 1) < 0.96 * error(W, ref, 1)  # the scale makes good for some of it


@pytest.mark.parametrize("scheme", ["int4:g32:asym", "q4_1"])
def test_it_gains_on_the_weights_of_the_tiny_model(scheme):
    W = mq.load("tiny").weights["model.layers.1.mlp.up_proj.weight"][:96]
    for p in (0.7, 1.0, 2.0):
        assert error(W, hqq(W, scheme), p) < 0.98 * error(W, rtn(W, scheme), p)


# ---- the shrinkage step


@pytest.mark.parametrize("beta", [0.5, 10.0])
def test_for_p_1_shrinking_is_the_exact_minimum(beta):
    candidates = np.linspace(-3, 3, 6001)
    for x in np.linspace(-3, 3, 41):
        cost = np.abs(candidates) + beta / 2 * (x - candidates) ** 2
        assert shrink(np.float32(x), beta, 1.0) == pytest.approx(candidates[cost.argmin()], abs=2e-3)


def test_small_errors_are_kept_and_large_ones_written_off():
    x = np.array([0, 0.1, 0.169, 0.172, 1, 10], np.float32)
    e = shrink(x, 10.0, 0.7)
    assert (e[:3] == 0).all() and 0 < e[3] < 0.01 and e[4] == pytest.approx(0.9) and e[5] > 9.9
    assert np.array_equal(shrink(-x, 10.0, 0.7), -e)


# ---- input that is thin, strange or wrong


@pytest.mark.parametrize("scheme", ["int4:g8:asym", "int2:channel:asym", "int8:g16:asym", "q4_1"])
def test_groups_that_are_constant_zero_or_nearly_so(scheme):
    W = np.zeros((6, 32), np.float32)
    W[1], W[2], W[3, 5], W[4], W[5] = 0.3, -0.3, 1e-3, 1e-7, np.linspace(0.5, 0.6, 32)
    q = hqq(W, scheme)
    values = q.dequantize()
    assert np.isfinite(values).all() and (values[0] == 0).all()
    np.testing.assert_allclose(values[1:3], W[1:3], rtol=1e-3)
    assert error(W, q, 0.7) <= error(W, hqq(W, scheme, iterations=0), 0.7) and q.pack()


def test_codes_and_zero_points_fit_their_bits():
    q = hqq(with_outliers(), "int3:g32:asym")
    assert q.codes.max() == 7 and q.zero_point.max() <= 7 and q.scale.dtype == np.float16


@pytest.mark.parametrize("scheme", ["int4:g32", "int4:channel", "nf4", "mxfp4", "q4_0", "bf16"])
def test_a_scheme_without_a_zero_point_is_refused(scheme):
    with pytest.raises(ValueError, match=f"HQQ moves the zero point, and {scheme} has none: .*int4:g64:asym"):
        hqq(with_outliers(), scheme)


@pytest.mark.parametrize("options, words", [
    ({"p": 0}, "p must be above 0 and at most 1, not 0"), ({"p": 2}, "p must be"),
    ({"beta": 0}, "beta must be above 0"), ({"kappa": 0.9}, "kappa at least 1"), ({"iterations": -1}, "iterations must be 0 or more"),
])
def test_settings_out_of_range_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        hqq(with_outliers(), "int4:g32:asym", **options)


def test_what_rtn_refuses_is_refused():
    W = with_outliers()
    with pytest.raises(ValueError, match="two axes"):
        hqq(W[0], "int4:g32:asym")
    with pytest.raises(ValueError, match="group size 48 does not divide"):
        hqq(W, "int4:g48:asym")
    W[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"NaN or infinite, the first at index \(3, 4\)"):
        hqq(W, "int4:g32:asym")


def test_the_names_are_functions_not_files():
    import minquant.methods.hqq  # noqa: F401  importing the file must not hide the function

    assert callable(mq.methods.hqq)

"""Scales that have scales: nvfp4, and nf4 with and without double quantization."""

import ml_dtypes
import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minquant import formats
from minquant.scaling import fake_quantize, nf4, nvfp4, quantize

E2M1, E4M3 = ml_dtypes.float4_e2m1fn, ml_dtypes.float8_e4m3fn


# --- nvfp4 ---

@pytest.mark.parametrize("seed", range(4))
def test_nvfp4_one_number_at_a_time(seed):
    x = (np.random.default_rng(seed).standard_t(3, (6, 48)) * 10.0 ** (seed - 2)).astype(np.float32)
    x[0, :16], x[1, 16:32] = 0, x[1, 16:32] * 1e-9
    q = quantize(x, "nvfp4")
    codes, scales, g = naive.nvfp4(x.reshape(-1, 16))
    assert q.extra["global_scale"] == g
    np.testing.assert_array_equal(q.scale.reshape(-1), scales)
    np.testing.assert_array_equal(q.codes.reshape(-1, 16), codes)


def test_nvfp4_equals_ml_dtypes_arithmetic():
    x = np.random.default_rng(1).standard_t(3, (512, 1024)).astype(np.float32)
    q = quantize(x, "nvfp4")
    g = np.float32(448 * 6) / np.abs(x).max()
    blocks = x.reshape(-1, 16)
    scale = (g * np.abs(blocks).max(axis=1, keepdims=True) / np.float32(6)).astype(E4M3).astype(np.float32)
    elements = np.clip(blocks / (scale / g), -6, 6).astype(E2M1)
    np.testing.assert_array_equal(q.scale.reshape(-1, 1), scale)
    np.testing.assert_array_equal(q.codes.reshape(-1, 16), elements.view(np.uint8))
    np.testing.assert_array_equal(q.dequantize().reshape(-1, 16), elements.astype(np.float32) * scale / g)
    np.testing.assert_array_equal(fake_quantize(x, "nvfp4"), q.dequantize())
    assert (q.nbytes, q.bits_per_weight) == (x.size // 2 + x.size // 16 + 4, 4.5 + 32 / x.size)
    parts = q.pack()
    np.testing.assert_array_equal(parts["scale"].view(E4M3).astype(np.float32), scale.reshape(-1))
    assert parts["global_scale"].tobytes() == np.float32(g).tobytes()


@given(st.floats(0, float(np.finfo(np.float32).max), width=32))
def test_nvfp4_stays_finite_for_any_amax(amax):
    x = np.zeros((2, 16), np.float32)
    x[0, 0], x[0, 1], x[1, 3] = amax, -amax / 2, amax / 1e6
    with np.errstate(all="raise", under="ignore"):
        q = quantize(x, "nvfp4")
        values = q.dequantize()
    assert np.isfinite(values).all() and (q.scale > 0).all() and q.extra["global_scale"] > 0
    if amax > 1e-30:
        assert abs(values[0, 0] / amax - 1) < 1e-6 and abs(values[0, 1] / amax + 0.5) < 1e-6


def test_nvfp4_beats_mxfp4_by_its_finer_scale():
    x = np.random.default_rng(2).normal(0, 0.02, (256, 512)).astype(np.float32)
    errors = {s: np.square(fake_quantize(x, s) - x).mean() for s in ("nvfp4", "mxfp4")}
    assert errors["nvfp4"] < 0.75 * errors["mxfp4"]


def test_global_scale_of_zeros_is_one():
    assert nvfp4.global_scale(0.0) == 1
    assert quantize(np.zeros((3, 16)), "nvfp4").extra["global_scale"] == 1


# --- nf4 ---

def test_nf4_by_the_definition():
    x = np.random.default_rng(3).normal(0, 0.02, (7, 128)).astype(np.float32)
    x[2] = 0
    q = quantize(x, "nf4")
    levels = formats.get("nf4").levels
    for row, codes, scale in zip(x.reshape(-1, 64), q.codes.reshape(-1, 64), q.scale.reshape(-1), strict=True):
        assert scale == (np.abs(row).max() or 1)
        assert codes.tolist() == [naive.nearest_level(v / scale, levels) for v in row]
    assert q.scale.dtype == np.float32 and q.bits_per_weight == 4.5
    np.testing.assert_array_equal(q.dequantize().reshape(-1, 64),
                                  np.float32(levels)[q.codes.reshape(-1, 64)] * q.scale.reshape(-1, 1))


def test_nf4_beats_int4_on_normal_weights_at_equal_bits():
    x = np.random.default_rng(4).normal(0, 0.02, (256, 512)).astype(np.float32)
    error = {s: np.square(fake_quantize(x, s) - x).mean() for s in ("nf4:g32", "int4:g32", "nf4:g64", "int4:g64")}
    assert error["nf4:g32"] < error["int4:g32"] and error["nf4:g64"] < 0.8 * error["int4:g64"]


def test_double_quantization_by_hand():
    rng = np.random.default_rng(5)
    absmax = rng.uniform(0.01, 0.1, 300).astype(np.float32)
    parts = nf4.compress(absmax)
    offset = np.float32(absmax.astype(np.float64).mean())
    assert parts["scale_offset"] == offset and parts["scale_scale"].shape == (2,)
    levels = formats.get("dynamic8").levels
    back = nf4.expand(parts)
    for start in (0, 256):
        shifted = absmax[start : start + 256] - offset
        largest = np.abs(shifted).max()
        assert parts["scale_scale"][start // 256] == largest
        codes = [naive.nearest_level(v / largest, levels) for v in shifted]
        assert parts["scale_codes"][start : start + 256].tolist() == codes
        np.testing.assert_array_equal(back[start : start + 256], np.float32(levels)[codes] * largest + offset)
    assert np.abs(back / absmax - 1).max() < 0.05


def test_double_quantization_of_a_tensor():
    x = np.random.default_rng(6).normal(0, 0.02, (64, 1024)).astype(np.float32)
    plain, double = quantize(x, "nf4"), quantize(x, "nf4_dq")
    assert double.bits_per_weight == 4 + 8 / 64 + 32 / (64 * 256) + 32 / x.size
    assert sum(part.nbytes for part in double.pack().values()) == double.nbytes
    np.testing.assert_array_equal(double.scale.reshape(-1), nf4.expand(double.extra))
    np.testing.assert_array_equal(  # codes are chosen with the scale that comes back
        double.codes.reshape(-1, 64), formats.get("nf4").encode(x.reshape(-1, 64) / double.scale.reshape(-1, 1)))
    error = [np.square(q.dequantize() - x).mean() for q in (plain, double)]
    assert error[0] < error[1] < 1.05 * error[0]
    np.testing.assert_array_equal(fake_quantize(x, "nf4_dq"), double.dequantize())


@pytest.mark.parametrize("x", [np.zeros((2, 64)), np.ones((3, 64)), np.zeros((0, 64)),
                               np.concatenate([np.full((3, 64), 100.0), np.full((1, 64), 1e-4), np.zeros((1, 64))])])
def test_double_quantization_of_odd_tensors(x):
    q = quantize(x, "nf4_dq")
    values = q.dequantize()
    assert np.isfinite(values).all() and values.shape == x.shape and (q.scale > 0).all()
    assert not values[x == 0].any() and (np.abs(values[x >= 1] / x[x >= 1] - 1) < 0.02).all()

"""quantize and fake_quantize: what must hold for every tensor, and what bad input says."""

import doctest

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minquant
from minquant import packing, scaling
from minquant.scaling import QTensor, fake_quantize, quantize

SCALED = ["int8:tensor", "int8:channel", "int4:g8", "int4:g8:asym", "int3:token:asym", "int2:g8", "int8:channel:full",
          "int6:tensor:asym", "fp8_e4m3:tensor", "fp8_e4m3:g8", "fp8_e5m2:channel", "fp6_e2m3:channel", "fp6_e3m2:g8",
          "fp4_e2m1:token", "int7:channel", "nf4:g8", "nf4:token", "ternary:g8", "ternary:channel", "mxfp8", "mxfp8_e5m2",
          "mxfp6_e2m3", "mxfp6_e3m2", "mxfp4", "mxint8", "mxfp4:even", "mxfp4:ceil", "mxfp8:rceil"]
SEARCHED = ["int4:channel:mse", "int4:g8:asym:l2", "mxfp4:mse", "nf4:g8:l2", "int8:channel:p90", "int4:tensor:asym:p99",
            "ternary:g8:absmean", "ternary:tensor:absmean", "int4:channel:kl"]
PRESETS = ["q8_0", "q5_0", "q4_0", "q4_1"]
EVERY = SCALED + SEARCHED + PRESETS + ["nvfp4", "bf16", "fp16"]
every_scheme = pytest.mark.parametrize("scheme", EVERY)



def any_float32(data: bytes) -> np.ndarray:
    """Rows of 32 finite values of every magnitude, from 1e-45 to 3.4e38."""
    x = np.frombuffer(data[: len(data) // 128 * 128], np.float32).reshape(-1, 32)
    return np.where(np.isfinite(x), x, np.float32(0))


def ordinary(data: bytes) -> np.ndarray:
    """Rows of 32 values between -8 and 8, multiples of 2^-12."""
    return np.frombuffer(data[: len(data) // 64 * 64], np.int16).reshape(-1, 32) * np.float32(2.0**-12)


anything = st.binary(max_size=3 * 128).map(any_float32)
weights = st.binary(min_size=64, max_size=3 * 64).map(ordinary)


def bits_of(x: np.ndarray) -> np.ndarray:
    return x.view(np.uint32)


def spread(q: QTensor, x: np.ndarray) -> np.ndarray:
    """Scale of every element of x, float32."""
    length = q.scheme.block_length(x.shape)
    return np.repeat(q.scale.astype(np.float32).reshape(-1), length).reshape(x.shape)


@settings(max_examples=300)
@given(scheme=st.sampled_from(EVERY), x=anything)
def test_finite_input_gives_finite_output_and_fake_equals_real(scheme, x):
    """At any magnitude, from 1e-45 to 3.4e38."""
    with np.errstate(all="raise", under="ignore"):
        q = quantize(x, scheme)
        values = q.dequantize()
        fake = fake_quantize(x, scheme)
    assert np.isfinite(values).all() and values.dtype == fake.dtype == np.float32
    np.testing.assert_array_equal(bits_of(fake), bits_of(values))
    assert q.scale is None or np.isfinite(q.scale).all()
    assert scheme in PRESETS or q.scale is None or (q.scale > 0).all()


@given(scheme=st.sampled_from(EVERY), x=weights)
def test_zero_is_exact(scheme, x):
    assert not fake_quantize(x, scheme)[x == 0].any()


@given(scheme=st.sampled_from([s for s in SCALED if s.startswith("int")]), x=weights)
def test_error_is_at_most_half_a_step(scheme, x):
    """Plus what rounding the scale to float16 can cut off at the end of the range."""
    q = quantize(x, scheme)
    step = spread(q, x).astype(np.float64)
    cut = 2.0**-11 * q.scheme.code_range[1] if q.scheme.granularity == "group" else 0
    cut += 0.5 * (not q.scheme.symmetric)  # the zero point is rounded too: the range may end half a step early
    error = np.abs(q.dequantize().astype(np.float64) - x)
    assert (error <= (0.5 + cut) * step * (1 + 1e-6)).all()
    inside = np.abs(x) <= 0.9 * step * q.scheme.code_range[1] if q.scheme.symmetric else np.zeros(x.shape, bool)
    assert (error <= 0.5 * step * (1 + 1e-6))[inside].all()


@given(scheme=st.sampled_from([s for s in SCALED if "asym" not in s and "ceil" not in s]), x=weights)
def test_a_second_quantization_changes_nothing(scheme, x):
    """(With ceil and rceil amax may be rounded down to where a smaller power of two does: codes double, values stay.)"""
    once = quantize(x, scheme)
    values = once.dequantize()
    twice = quantize(values, scheme)
    np.testing.assert_array_equal(twice.codes, once.codes)
    np.testing.assert_array_max_ulp(twice.dequantize(), values, 1)


@pytest.mark.parametrize("scheme", ["int8:channel:asym", "int4:g32:asym", "int3:tensor:asym"])
def test_a_second_asymmetric_quantization_changes_nothing(scheme):
    """Of ranges whose ends are codes. (Rounding the zero point can leave one code unused; then the step shrinks.)"""
    codes = np.random.default_rng(0).integers(0, 1 << minquant.Scheme.parse(scheme).bits, (4, 32)).astype(np.float32)
    codes[:, 0], codes[:, 1] = 0, codes.max()
    x = (codes - 3) * np.float32(0.25)
    q = quantize(x, scheme)
    again = quantize(q.dequantize(), scheme)
    np.testing.assert_array_equal(q.dequantize(), x)
    np.testing.assert_array_equal(again.codes, q.codes)


@given(scheme=st.sampled_from([*SCALED, *SEARCHED, "bf16", "fp16", "q8_0"]), x=weights)
def test_order_is_kept_inside_a_block(scheme, x):
    block = np.sort(x[0])
    for part in np.split(fake_quantize(block, scheme), 4 if ":g8" in scheme else 2 if scheme == "nvfp4" else 1):
        assert (np.diff(part) >= 0).all()


@given(scheme=st.sampled_from(EVERY), x=weights, data=st.data())
def test_rows_may_be_permuted(scheme, x, data):
    order = np.array(data.draw(st.permutations(range(len(x)))))
    np.testing.assert_array_equal(fake_quantize(x[order], scheme), fake_quantize(x, scheme)[order])


@given(scheme=st.sampled_from(SCALED + SEARCHED + PRESETS), x=weights, power=st.integers(-3, 8))
def test_powers_of_two_scale_through(scheme, x, power):
    factor = np.float32(2.0**power)
    if any(s in scheme for s in (":g", "q8", "q4")):  # a float16 scale must stay normal on both sides
        x = x + np.where(np.arange(32) % 8 == 0, np.float32(16), 0).astype(np.float32)
    a, b = quantize(x, scheme), quantize(x * factor, scheme)
    np.testing.assert_array_equal(a.codes, b.codes)
    np.testing.assert_array_equal(a.dequantize() * factor, b.dequantize())


@given(preset=st.sampled_from(PRESETS), x=anything)
def test_presets_hold_the_bytes_of_a_gguf_file(preset, x):
    q = quantize(x, preset)
    raw = packing.gguf.quantize(x, preset.upper())
    np.testing.assert_array_equal(q.pack()["blocks"], raw)
    np.testing.assert_array_equal(bits_of(q.dequantize()), bits_of(packing.gguf.dequantize(raw, preset.upper())))


@pytest.mark.filterwarnings("error")
@every_scheme
def test_zeros_and_empty_tensors(scheme):
    zeros = quantize(np.zeros((2, 32)), scheme)
    assert not zeros.dequantize().any()
    if zeros.scale is not None and scheme not in PRESETS:
        assert (zeros.scale == 1).all()
    for shape in ((0, 32), (3, 0), (0,), (2, 0, 32)):
        q = quantize(np.zeros(shape), scheme)
        assert q.dequantize().shape == fake_quantize(np.zeros(shape), scheme).shape == q.shape == shape
        assert sum(part.nbytes for part in q.pack().values()) == q.nbytes


@pytest.mark.parametrize("scheme", ["int8:tensor", "int4:tensor:asym", "fp8_e4m3:channel", "int8:channel", "bf16"])
def test_large_blocks_are_worked_on_in_pieces(scheme):
    """A row of 300,000, more than is worked on at a time, equals the same done at once."""
    x = np.random.default_rng(1).normal(0, 1, (2, 300_000)).astype(np.float32)
    q = quantize(x, scheme)
    values = q.dequantize()
    np.testing.assert_array_equal(bits_of(fake_quantize(x, scheme)), bits_of(values))
    if q.scale is None:
        np.testing.assert_array_equal(q.codes, q.scheme.format.encode(x))
    elif q.scheme.is_integer:
        low, high = q.scheme.code_range
        zero = 0 if q.zero_point is None else q.zero_point.astype(np.float32)
        np.testing.assert_array_equal(q.codes, np.clip(np.rint(x / q.scale) + zero, low, high))
    else:
        np.testing.assert_array_equal(q.codes, q.scheme.format.encode(x / q.scale))


def test_any_number_of_axes_and_any_memory_order():
    x = np.random.default_rng(2).normal(0, 1, (2, 3, 4, 16)).astype(np.float32)
    for scheme in ("int8:token", "int4:g8:asym", "bf16"):
        flat = fake_quantize(x.reshape(-1, 16), scheme)
        np.testing.assert_array_equal(fake_quantize(x, scheme).reshape(-1, 16), flat)
        turned = x.transpose(0, 2, 1, 3).copy().transpose(0, 2, 1, 3)
        np.testing.assert_array_equal(fake_quantize(turned, scheme), fake_quantize(x, scheme))
        np.testing.assert_array_equal(fake_quantize(x[0, 0, 0], scheme), fake_quantize(x, scheme)[0, 0, 0])


def test_channel_and_token_are_the_same_arithmetic():
    x = np.random.default_rng(3).normal(0, 1, (5, 16)).astype(np.float32)
    np.testing.assert_array_equal(quantize(x, "int8:channel").codes, quantize(x, "int8:token").codes)


def test_the_input_is_left_alone():
    x = np.random.default_rng(4).normal(0, 1, (4, 32)).astype(np.float32)
    before = x.copy()
    for scheme in EVERY:
        assert quantize(x, scheme).codes is not x and fake_quantize(x, scheme) is not x
        np.testing.assert_array_equal(x, before)


def test_cast_comes_after_clipping():
    """-128.4 steps below zero must not come out as +127."""
    q = quantize(np.float32([[-1000, 1000, 999, -999.9]]), "int8:channel")
    assert q.codes.tolist() == [[-127, 127, 127, -127]]


def test_codes_are_computed_with_the_stored_scale():
    x = np.random.default_rng(5).normal(0, 1, (400, 32)).astype(np.float32)
    q = quantize(x, "int8:g32")
    stored = q.scale.astype(np.float32)
    np.testing.assert_array_equal(q.codes, np.clip(np.rint(x / stored), -127, 127))
    unrounded = np.abs(x).max(1, keepdims=True) / np.float32(127)
    assert (q.codes != np.rint(x / unrounded)).any()  # the difference is real


@every_scheme
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_counted_and_located(scheme, bad):
    x = np.ones((3, 32), np.float32)
    x[1, 5] = x[2, 7] = bad
    for call in (quantize, fake_quantize):
        with pytest.raises(ValueError, match=r"2 of 96 values .* NaN or infinite, the first at index \(1, 5\)"):
            call(x, scheme)


def test_a_float64_beyond_float32_is_infinite():
    with pytest.raises(ValueError, match="1 of 2 values"):
        quantize(np.array([1e300, 1.0]), "int8:tensor")


def test_a_group_size_that_does_not_divide_names_both():
    for call in (quantize, fake_quantize):
        with pytest.raises(ValueError, match="group size 48 does not divide the last axis of length 256"):
            call(np.ones((2, 256)), "int4:g48")
        with pytest.raises(ValueError, match="group size 32 does not divide the last axis of length 40"):
            call(np.ones((2, 40)), "q4_0")


@every_scheme
def test_a_single_number_has_no_rows(scheme):
    for call in (quantize, fake_quantize):
        with pytest.raises(ValueError, match="at least one axis"):
            call(np.float32(1), scheme)


def test_only_numbers_are_quantized():
    with pytest.raises(TypeError, match="real numbers, got dtype complex128"):
        quantize(np.ones(4) + 1j, "int8:tensor")
    with pytest.raises(ValueError, match="unknown scheme 'int9:tensor'"):
        fake_quantize(np.ones(4), "int9:tensor")


def test_float_formats_divide_by_the_largest_value():
    x = np.random.default_rng(6).normal(0, 1, (3, 16)).astype(np.float32)
    q = quantize(x, "fp8_e4m3:channel")
    np.testing.assert_array_equal(q.scale, np.abs(x).max(1, keepdims=True) / np.float32(448))
    expected = [[naive.nearest_float_code(float(v), 4, 3, "nan") for v in row] for row in x / q.scale]
    np.testing.assert_array_equal(q.codes, expected)


def test_the_example_in_the_docstring():
    assert doctest.testmod(scaling) == (0, 5)

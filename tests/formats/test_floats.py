"""Float formats against ml_dtypes, code by code, and against the definition, value by value."""

import ml_dtypes
import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minquant import formats

ORACLES = {
    "bf16": ml_dtypes.bfloat16,
    "fp16": np.float16,
    "fp8_e4m3": ml_dtypes.float8_e4m3fn,
    "fp8_e5m2": ml_dtypes.float8_e5m2,
    "fp6_e2m3": ml_dtypes.float6_e2m3fn,
    "fp6_e3m2": ml_dtypes.float6_e3m2fn,
    "fp4_e2m1": ml_dtypes.float4_e2m1fn,
}
TABLE = {  # max, smallest normal, smallest subnormal, as IEEE 754, OFP8 and OCP MX print them
    "fp16": (65504, 2.0**-14, 2.0**-24),
    "fp8_e4m3": (448, 2.0**-6, 2.0**-9),
    "fp8_e5m2": (57344, 2.0**-14, 2.0**-16),
    "fp6_e2m3": (7.5, 1, 0.125),
    "fp6_e3m2": (28, 0.25, 0.0625),
    "fp4_e2m1": (6, 1, 0.5),
    "bf16": (float(np.uint32(0x7F7F0000).view(np.float32)), 2.0**-126, 2.0**-133),
}
every_format = pytest.mark.parametrize("name", ORACLES)


def expected_codes(name: str, x: np.ndarray) -> np.ndarray:
    """Codes ml_dtypes gives to finite x after clipping."""
    fmt = formats.get(name)
    return np.clip(x, np.float32(-fmt.max), np.float32(fmt.max)).astype(ORACLES[name]).view(fmt.code_dtype)


def assert_encodes(name: str, x: np.ndarray) -> None:
    """encode equals ml_dtypes on x, and round equals decode(encode)."""
    fmt = formats.get(name)
    codes = fmt.encode(x)
    wrong = np.flatnonzero(codes != expected_codes(name, x))
    assert wrong.size == 0, f"{wrong.size} wrong, first {x[wrong[0]]!r} -> {codes[wrong[0]]}"
    np.testing.assert_array_equal(fmt.round(x).view(np.uint32), fmt.decode(codes).view(np.uint32))


@every_format
def test_every_code_decodes_as_ml_dtypes_does(name):
    fmt = formats.get(name)
    codes = np.arange(1 << fmt.bits).astype(fmt.code_dtype)
    expected = codes.view(ORACLES[name]).astype(np.float32)
    np.testing.assert_array_equal(fmt.decode(codes), expected)  # NaN equals NaN here
    np.testing.assert_array_equal(np.signbit(fmt.decode(codes)), np.signbit(expected))  # also of zero and NaN
    np.testing.assert_array_equal(fmt.values, expected)


@every_format
def test_every_code_decodes_by_the_definition(name):
    fmt = formats.get(name)
    codes = range(0, 1 << fmt.bits, 1 if fmt.bits <= 8 else 97)
    expected = [naive.float_value(c, fmt.exponent_bits, fmt.mantissa_bits, fmt.specials) for c in codes]
    np.testing.assert_array_equal(fmt.decode(np.array(codes, fmt.code_dtype)), np.float32(expected))


@every_format
def test_every_value_encodes_to_its_code(name):
    fmt = formats.get(name)
    finite = np.isfinite(fmt.values)
    np.testing.assert_array_equal(fmt.encode(fmt.values[finite]), fmt.codes[finite])


@every_format
def test_long_and_short_arrays_decode_alike(name):
    fmt = formats.get(name)
    many = np.tile(fmt.codes, 2)  # more codes than values: looked up in a table
    np.testing.assert_array_equal(fmt.decode(many), np.tile(fmt.values, 2))


@every_format
def test_random_bit_patterns_encode_as_ml_dtypes(name):
    """Ten million of them, a million at a time: every sign, exponent and mantissa is met."""
    rng = np.random.default_rng(1)
    for _ in range(10):
        x = rng.integers(0, 1 << 32, 1_000_000, dtype=np.uint32).view(np.float32)
        assert_encodes(name, x[np.isfinite(x)])


@every_format
def test_values_of_the_size_of_weights_encode_as_ml_dtypes(name):
    rng = np.random.default_rng(2)
    assert_encodes(name, np.concatenate([rng.normal(0, s, 100_000).astype(np.float32) for s in (0.02, 1, 200)]))


@every_format
def test_midpoints_and_their_neighbours(name):
    fmt = formats.get(name)
    values = np.sort(fmt.values[np.isfinite(fmt.values)]).astype(np.float64)
    middle = ((values[1:] + values[:-1]) / 2).astype(np.float32)  # exact: one bit more than the format has
    x = np.concatenate([np.nextafter(middle, np.float32(-np.inf)), middle, np.nextafter(middle, np.float32(np.inf))])
    assert_encodes(name, x)


@every_format
def test_subnormals_down_to_the_smallest_float32(name):
    fmt = formats.get(name)
    rng = np.random.default_rng(3)
    x = rng.uniform(-2, 2, 50_000) * fmt.smallest_normal
    tiny = np.array([1, 2, 3, 0x7FFFFF, 0x800000, 0x800001], np.uint32).view(np.float32)
    halves = fmt.smallest_subnormal * np.array([0.25, 0.4999999, 0.5, 0.5000001, 1, 1.5, 2.5])
    assert_encodes(name, np.concatenate([x.astype(np.float32), tiny, -tiny, halves.astype(np.float32)]))


@every_format
def test_both_sides_of_the_overflow_threshold(name):
    fmt = formats.get(name)
    last = np.float64(fmt.max)
    step = last - np.sort(fmt.values[np.isfinite(fmt.values)]).astype(np.float64)[-2]
    edge = np.float32([last, last + 0.49 * step, last + step / 2 if name != "bf16" else last, 1e5, 1e30, 3.4028235e38])
    around = np.concatenate([edge, np.nextafter(edge, np.float32(0)), -edge])
    assert_encodes(name, around)
    assert (np.abs(fmt.decode(fmt.encode(edge[edge > last]))) == fmt.max).all()


@pytest.mark.parametrize("name", [n for n in ORACLES if formats.get(n).bits <= 8])
def test_encode_takes_the_nearest_of_all_values(name):
    fmt = formats.get(name)
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(0, 2, 60), rng.normal(0, fmt.smallest_normal, 60), [0.0, -0.0, 1e9]])
    x = x.astype(np.float32)
    expected = [naive.nearest_float_code(float(v), fmt.exponent_bits, fmt.mantissa_bits, fmt.specials) for v in x]
    np.testing.assert_array_equal(fmt.encode(x), expected)


def test_rounding_is_done_once():
    """A value just above a tie of E4M3, which fp16 would first move onto the tie, goes up and not to even."""
    x = np.float32(1 + 2**-4 + 2**-20)
    e4m3 = formats.get("fp8_e4m3")
    assert e4m3.decode(e4m3.encode(x)) == 1.125
    assert e4m3.decode(e4m3.encode(np.float32(np.float16(x)))) == 1.0  # what rounding twice would give


@every_format
def test_the_table_follows_from_the_layout(name):
    fmt = formats.get(name)
    assert (fmt.max, fmt.smallest_normal, fmt.smallest_subnormal) == TABLE[name]
    finite = fmt.values[np.isfinite(fmt.values)]
    assert finite.max() == np.float32(fmt.max) and finite[finite > 0].min() == np.float32(fmt.smallest_subnormal)


@pytest.mark.parametrize("name", ["bf16", "fp16", "fp8_e4m3", "fp8_e5m2"])
def test_nan_stays_nan_with_its_sign(name):
    fmt = formats.get(name)
    nans = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    back = fmt.decode(fmt.encode(nans))
    assert np.isnan(back).all()
    np.testing.assert_array_equal(np.signbit(back), np.signbit(nans))


@pytest.mark.parametrize("name", ["fp6_e2m3", "fp6_e3m2", "fp4_e2m1"])
def test_nan_raises_where_there_is_none(name):
    with pytest.raises(ValueError, match=f"{name} has no code for NaN, and 1 of 3"):
        formats.get(name).encode([1.0, np.nan, 2.0])


@every_format
def test_infinity_stays_where_there_is_one_and_saturates_where_not(name):
    fmt = formats.get(name)
    top = np.inf if fmt.specials == "ieee" else fmt.max
    np.testing.assert_array_equal(fmt.decode(fmt.encode([np.inf, -np.inf])), np.float32([top, -top]))


@every_format
def test_shapes_and_number_types(name):
    fmt = formats.get(name)
    assert fmt.encode(np.ones((2, 0, 3))).shape == (2, 0, 3)
    assert fmt.encode(1.0).shape == () and fmt.decode(fmt.encode(1.0)) == 1 and fmt.round(-1.0) == -1
    assert fmt.encode(np.ones((4, 6), np.float64)[:, ::2]).shape == (4, 3)  # a view with gaps
    assert fmt.encode([1, 2]).dtype == fmt.code_dtype


def test_round_writes_where_it_is_told_to():
    for fmt in map(formats.get, formats.names()):
        x = np.random.default_rng(5).normal(0, 1, (3, 8)).astype(np.float32)
        x = np.abs(x) if fmt.name == "e8m0" else x
        expected, out = fmt.round(x), np.zeros((3, 16), np.float32)
        assert fmt.round(x, out=out[:, :8]) is not None
        np.testing.assert_array_equal(out[:, :8], expected)
        assert not out[:, 8:].any()
        fmt.round(x, out=x)
        np.testing.assert_array_equal(x, expected)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.sampled_from(sorted(ORACLES)), st.lists(finite, min_size=2))
def test_order_is_kept_and_a_second_rounding_changes_nothing(name, values):
    fmt = formats.get(name)
    rounded = fmt.round(np.sort(np.float32(values)))
    assert (np.diff(rounded.astype(np.float64)) >= 0).all()
    np.testing.assert_array_equal(fmt.round(rounded), rounded)


@given(st.sampled_from(sorted(ORACLES)), finite)
def test_the_sign_is_a_bit_of_its_own(name, value):
    fmt = formats.get(name)
    assert int(fmt.encode(-value)) ^ int(fmt.encode(value)) == fmt.sign_bit

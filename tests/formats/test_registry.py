"""Formats by name, integers, and what bad input says."""

import doctest

import numpy as np
import pytest

from minquant import formats

INTEGERS = ["int8", "int7", "int6", "int5", "int4", "int3", "int2"]


def test_the_formats_there_are():
    floats = ["bf16", "fp16", "fp8_e4m3", "fp8_e5m2", "fp6_e2m3", "fp6_e3m2", "fp4_e2m1"]
    others = ["e8m0", "nf4", "dynamic8", "ternary", "fixed8"]
    assert set(floats + INTEGERS + others) == set(formats.names())
    widths = [formats.get(n).bits for n in formats.names()]
    assert widths == sorted(widths, reverse=True)
    assert all(formats.get(n).name == n for n in formats.names())


def test_an_unknown_format_lists_what_exists():
    with pytest.raises(ValueError, match="'fp7'.*fp8_e4m3.*int4"):
        formats.get("fp7")


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'int8' is registered already"):
        formats.register(formats.IntFormat("int8", 8))


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_round_to_even_and_saturate(name):
    fmt = formats.get(name)
    low, high = -(2 ** (fmt.bits - 1)), 2 ** (fmt.bits - 1) - 1
    assert (fmt.min, fmt.max, fmt.smallest_subnormal) == (low, high, 1)
    x = np.float32([0.5, 1.5, -0.5, -1.5, high + 0.4, high + 1000, low - 1000, 1e30, -1e30, np.inf])
    expected = [0, min(2, high), 0, max(-2, low), high, high, low, high, low, high]
    codes = fmt.encode(x)
    assert codes.dtype == np.int8
    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_array_equal(fmt.round(x).view(np.uint32), fmt.decode(codes).view(np.uint32))  # no -0.0
    np.testing.assert_array_equal(np.sort(fmt.values), np.arange(low, high + 1))


@pytest.mark.parametrize("name", ["int4", "ternary", "fixed8", "nf4", "dynamic8", "fp6_e2m3", "fp4_e2m1"])
def test_what_has_no_nan_says_so(name):
    with pytest.raises(ValueError, match=f"{name} has no code for NaN, and 2 of 3"):
        formats.get(name).encode([np.nan, 0, np.nan])


@pytest.mark.parametrize("name", formats.names())
def test_values_go_to_their_code_and_back(name):
    fmt = formats.get(name)
    finite = np.isfinite(fmt.values) & (fmt.codes != -128 if name == "fixed8" else True)
    np.testing.assert_array_equal(fmt.encode(fmt.values[finite]), fmt.codes[finite])
    assert fmt.values.dtype == np.float32 and fmt.codes.dtype == fmt.code_dtype
    assert fmt.max == fmt.grid[-1] and fmt.smallest_subnormal == fmt.grid[fmt.grid > 0][0]
    assert fmt.packed_bits == (1.6 if name == "ternary" else fmt.bits)


@pytest.mark.parametrize("name", formats.names())
def test_spacing_is_the_distance_between_neighbours(name):
    fmt = formats.get(name)
    grid = [float(v) for v in fmt.grid]
    assert grid == sorted(set(grid))
    for i in {0, len(grid) // 3, len(grid) // 2, len(grid) - 2}:
        low, high = grid[i], grid[i + 1]
        assert fmt.spacing(low) == fmt.spacing((low + high) / 2) == high - low
    assert fmt.spacing(1e300) == grid[-1] - grid[-2] and fmt.spacing(-1e300) == grid[1] - grid[0]
    assert np.isnan(fmt.spacing(np.nan)) and fmt.spacing([[0.0]]).shape == (1, 1)


def test_ternary_has_three_values_and_fixed8_is_int8_by_64():
    ternary, fixed = formats.get("ternary"), formats.get("fixed8")
    np.testing.assert_array_equal(ternary.encode([-9, -0.5, -0.51, 0.5, 0.51, 9]), [-1, 0, -1, 0, 1, 1])
    with pytest.raises(ValueError, match="ternary codes are -1, 0 and 1, got -2"):
        ternary.decode([-2])
    np.testing.assert_array_equal(fixed.decode([-127, -1, 0, 64, 127]), [-1.984375, -0.015625, 0, 1, 1.984375])
    np.testing.assert_array_equal(fixed.encode([-5, -1.985, 1.5 / 64, 2.5 / 64, 3]), [-127, -127, 2, 2, 127])
    assert not np.signbit(fixed.round([-0.001])).any()


@pytest.mark.filterwarnings("error")
def test_the_largest_floats_saturate_without_a_warning():
    for name in formats.names():
        fmt, huge = formats.get(name), np.finfo(np.float32).max
        assert fmt.decode(fmt.encode([huge]))[0] == fmt.round([huge])[0] == fmt.max


@pytest.mark.parametrize("name", formats.names())
def test_one_number_is_encoded_too(name):
    fmt = formats.get(name)
    assert np.shape(fmt.encode(0.5)) == np.shape(fmt.round(0.5)) == ()
    assert fmt.round(0.5) == fmt.round([0.5])[0] == fmt.decode(fmt.encode(0.5))


@pytest.mark.parametrize("bad", [[1 + 2j], ["a"], [None]])
def test_only_real_numbers_are_encoded(bad):
    with pytest.raises(TypeError, match="real numbers"):
        formats.get("fp8_e4m3").encode(np.array(bad))


def test_only_codes_are_decoded():
    with pytest.raises(TypeError, match="fp4_e2m1 codes are integers, got dtype float64"):
        formats.get("fp4_e2m1").decode([0.5])
    with pytest.raises(ValueError, match="fp4_e2m1 codes lie between 0 and 15, got 3 to 16"):
        formats.get("fp4_e2m1").decode([3, 16])
    with pytest.raises(ValueError, match="int3 codes lie between -4 and 3, got -5 to 0"):
        formats.get("int3").decode([-5, 0])
    with pytest.raises(ValueError, match="fp8_e4m3 codes lie between 0 and 255"):
        formats.get("fp8_e4m3").decode([-1])


def test_a_layout_must_add_up():
    with pytest.raises(ValueError, match=r"odd: 1 \+ 4 \+ 3 bits are not 7"):
        formats.FloatFormat("odd", 7, 4, 3, "none")
    with pytest.raises(ValueError, match="specials"):
        formats.FloatFormat("odd", 8, 4, 3, "some")


def test_tables_cannot_be_overwritten():
    with pytest.raises(ValueError, match="read-only"):
        formats.get("fp4_e2m1").values[0] = 1


def test_the_example_in_the_docstring():
    assert doctest.testmod(formats) == (0, 3)

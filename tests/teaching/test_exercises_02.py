"""Exercises 02: the rules against brute-force oracles of their own, and the facts their texts state."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from minquant import formats
from minquant.teaching.exercises import source
from minquant.teaching.exercises.e02_number_formats import (
    design,
    diagnose,
    layout,
    read_code,
    short_float,
    write_code,
)

KEYS = [f"key{n}" for n in range(12)]
EVERY_KEY = pytest.mark.parametrize("key", KEYS)


def by_digits(spec, code):
    """A code's value, read from its binary digits as text."""
    bits = f"{code:0{1 + spec['E'] + spec['M']}b}"
    exponent, mantissa = int(bits[1:1 + spec["E"]], 2), bits[1 + spec["E"]:]
    value = Fraction(int(exponent > 0)) + sum(Fraction(int(b), 2 ** (i + 1)) for i, b in enumerate(mantissa))
    return (-1) ** int(bits[0]) * value * Fraction(2) ** (max(exponent, 1) - spec["bias"])


def nearest_of_all(spec, size, codes):
    """The nearest of all codes by trying each, ties to the even one."""
    return min(codes, key=lambda code: (abs(by_digits(spec, code) - Fraction(size)), code % 2))


@pytest.mark.parametrize("name", ["fp8_e4m3", "fp8_e5m2", "fp6_e2m3", "fp4_e2m1"])
def test_the_layout_is_that_of_the_package(name):
    fmt = formats.get(name)
    spec = {"E": fmt.exponent_bits, "M": fmt.mantissa_bits, "bias": layout.standard_bias(fmt.exponent_bits)}
    assert [layout.number(spec, c) for c in range(fmt.max_code + 1)] == fmt.values[:fmt.max_code + 1].tolist()
    sizes = np.abs(np.random.default_rng(1).normal(size=400) * fmt.max / 4).astype(np.float32)
    sizes = np.concatenate([sizes, (fmt.grid[1:] + fmt.grid[:-1])[fmt.grid[:-1] >= 0] / 2])
    got = [min(layout.nearest(spec, float(x)), fmt.max_code) for x in sizes]
    assert got == fmt.encode(sizes).tolist()


@EVERY_KEY
def test_value_by_the_digits_of_the_code(key):
    spec = source.exercise("02.1").drawn(key)
    for code in range(spec["sign_bit"]):
        assert layout.number(spec, code) == by_digits(spec, code) == -by_digits(spec, code + spec["sign_bit"])
    assert spec["bias"] != layout.standard_bias(spec["E"])
    assert float(spec["example_value"]) == pytest.approx(float(by_digits(spec, spec["example"])), rel=1e-5)
    assert read_code._code(spec, spec["example"]) == f"value(0b{spec['example_bits']})"


@EVERY_KEY
def test_encode_by_trying_every_code(key):
    spec = source.exercise("02.2").drawn(key)
    codes = range(spec["sign_bit"])
    sizes = [layout.between(spec, code, share) for code in range(spec["largest"]) for share in (0, 0.25, 0.5, 0.51)]
    for size in sizes[::3]:
        assert layout.nearest(spec, size) == nearest_of_all(spec, size, codes)
    ieee = (spec["largest"] + 1) % spec["steps"] == 0
    assert spec["largest"] == spec["sign_bit"] - 1 - (spec["steps"] if ieee else 1)
    assert ("infinity" in spec["kept_words"].split(",")[0]) == ieee
    assert float(spec["largest_value"]) == pytest.approx(layout.number(spec, spec["largest"]), rel=1e-5)
    assert {spec["limit"], spec["other_limit"]} == {spec["largest"], spec["largest"] + 1}
    assert spec["large_words"].startswith("the largest number, ") == (spec["limit"] == spec["largest"])


def test_a_size_far_above_the_grid_has_a_code_above_it():
    spec = source.exercise("02.2").drawn()
    assert all(layout.nearest(spec, size) > spec["largest"] for size in write_code.HUGE)


@EVERY_KEY
def test_shorten_by_comparing_distances(key):
    spec = source.exercise("02.3").drawn(key)
    rng = np.random.default_rng(0)
    patterns = [*rng.integers(0, 0x7F000000, 200), *((rng.integers(0, 0x7F000000, 50) >> spec["drop"]) << spec["drop"])]
    middle = 1 << spec["drop"] - 1
    patterns += [p >> spec["drop"] << spec["drop"] | middle for p in patterns[:50]]

    def value(pattern):
        return Fraction(float(np.array([pattern], np.uint32).view(np.float32)[0]))

    for pattern in map(int, patterns):
        below = pattern >> spec["drop"]
        want = min((below, below + 1), key=lambda c: (abs(value(c << spec["drop"]) - value(pattern)), c % 2))
        assert short_float.short(spec, pattern) == want << spec["back"]
        assert short_float.short(spec, pattern | 1 << 31) == (want | 1 << spec["kept"] - 1) << spec["back"]


@EVERY_KEY
def test_the_special_codes_of_a_short_float(key):
    spec = source.exercise("02.3").drawn(key)
    shift = spec["drop"] - spec["back"]  # back to the place of a float32
    codes = [short_float.short(spec, bits) << shift for bits in (short_float.INFINITY, 0x7F7FFFFF, *short_float.NANS)]
    values = np.array(codes, np.uint32).view(np.float32)
    assert np.isposinf(values[:2]).all() and np.isnan(values[2:]).all()
    assert len(set(codes[2:])) == 1
    assert spec["kept"] not in (16, 19)


def test_bf16_is_such_a_short_float():
    spec = {"kept": 16, "drop": 16, "top": 15, "back": 0, "nan": "0x7fc0"}
    patterns = np.random.default_rng(2).integers(0, 1 << 32, 3000, dtype=np.uint64).astype(np.uint32)
    patterns = patterns[(patterns & 0x7FFFFFFF) < 0x7F7F0000]  # the package saturates, the exercise overflows
    got = [short_float.short(spec, int(p)) for p in patterns]
    assert got == formats.get("bf16").encode(patterns.view(np.float32)).tolist()


@EVERY_KEY
def test_three_codes_of_the_table_are_wrong_each_for_one_reason_only(key):
    spec = source.exercise("02.4").drawn(key)
    assert len(spec["rows"]) == 9 and len(set(spec["wrong"].values())) == 3
    every = range(2 * spec["sign_bit"])
    for row in spec["rows"]:
        x = Fraction(row["x"])
        best = min(every, key=lambda code: (abs(by_digits(spec, code) - x), code % 2))
        assert diagnose.right(spec, row["x"]) == best
        assert (row["code"] != best) == (row["row"] in spec["wrong"])
        if row["row"] in spec["wrong"]:
            guilty = [cause for cause in diagnose.CAUSES if diagnose.broken(spec, row["x"], cause) == row["code"]]
            assert guilty == [spec["wrong"][row["row"]]]


def test_the_mistakes_are_what_their_names_say():
    spec = {"E": 3, "M": 3, "bias": 3} | layout.names({"E": 3, "M": 3, "bias": 3})
    one = 3 << 3
    step = 0.125
    assert [diagnose.broken(spec, 1 + s * step, "ties") - one for s in (0.5, 1.5, 0.49)] == [1, 2, 0]
    assert [diagnose.broken(spec, 1 + s * step, "cut") - one for s in (0.5, 0.99, 1)] == [0, 0, 1]
    near = 1 + (1.5 - 2**-11) * step
    assert (diagnose.broken(spec, near, "twice") - one, diagnose.right(spec, near) - one) == (2, 1)
    assert diagnose.broken(spec, 0.2, "flushed") == 0 != diagnose.right(spec, 0.2)
    assert diagnose.broken(spec, -0.2, "flushed") == spec["sign_bit"]
    assert diagnose.broken(spec, 2 * 30.0, "wrapped") == 7 and diagnose.right(spec, 60.0) == 63


@EVERY_KEY
def test_design_by_listing_every_number_of_a_format(key):
    spec = source.exercise("02.5").drawn(key)

    def numbers(E, M, bias):
        """Every normal number, from its code."""
        reserved = {"none": 0, "nan": 1, "ieee": 1 << M}[spec["kept"]]
        codes = range(1 << M, (1 << E + M) - reserved)
        return [layout.number({"M": M, "bias": bias}, code) for code in codes]

    for low, high, error in ((0.3, 17.0, 0.03), (1.0, 7.5, 0.1), (1e-3, 0.9, 0.07), (0.25, 0.25, 0.2)):
        got = design.best(spec, low, high, error)
        M = next(m for m in range(1, 9) if 1 / 2 ** (m + spec["half"]) <= error)
        fits = []
        for E in range(1, 8):
            fits = [bias for bias in range(-20, 40) if (all_of := numbers(E, M, bias)) and min(all_of) <= low
                    and max(all_of) >= high]
            if fits:
                break
        assert got == [E, M, max(fits) if spec["spare"] else min(fits)]


@EVERY_KEY
def test_a_designed_format_keeps_its_promise(key):
    spec = source.exercise("02.5").drawn(key)
    low, high, error = 0.013, 90.0, 0.06
    E, M, bias = design.best(spec, low, high, error)
    layout_of = {"M": M, "bias": bias}
    for x in np.geomspace(low, high, 500):
        code = layout.nearest(layout_of, float(x))
        below = code if layout.number(layout_of, code) <= x else code - 1
        rounded = layout.number(layout_of, code if spec["half"] else below)
        assert abs(rounded - x) / x <= error and below < 1 << E + M
    assert math.isclose(design.largest(spec, E, M, bias + 1) * 2, design.largest(spec, E, M, bias))

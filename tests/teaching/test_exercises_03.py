"""Exercises 03: the rules against brute-force oracles of their own, and the facts their texts state."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from minquant.scaling import quantize
from minquant.teaching.exercises import source
from minquant.teaching.exercises.e03_affine_grids import (
    broken_codes,
    enough_bits,
    integer_dot,
    scale_and_zero,
    there_and_back,
)

KEYS = [f"key{n}" for n in range(12)]
RANGES = ((-1.07, 3.0), (-0.37, 0.11), (0.4, 2.1), (-5.0, -0.5))


def nearest_of(places, value):
    """The code whose place is nearest to a value, found by looking at all of them."""
    return min(places, key=lambda code: abs(places[code] - value))


@pytest.mark.parametrize("key", KEYS)
def test_scale_and_zero_point_by_looking_at_every_code(key):
    spec = source.exercise("03.1").drawn(key)
    codes = range(spec["lowest"], spec["highest"] + 1)
    assert len(codes) == 2 ** spec["bits"] - ("kept free" in spec["free_words"])
    for low, high in RANGES:
        scale, zero = scale_and_zero.grid(spec, low, high)
        low, high = min(low, 0), max(high, 0)
        places = {code: low + (high - low) * (code - codes[0]) / (len(codes) - 1) for code in codes}
        assert zero == nearest_of(places, 0.0)
        assert scale == pytest.approx(places[codes[1]] - places[codes[0]])


@pytest.mark.parametrize("key", KEYS)
def test_codes_by_looking_at_every_value_of_the_grid(key):
    spec = source.exercise("03.2").drawn(key)
    half, asymmetric = 2 ** (spec["bits"] - 1), spec["rule"] == "asymmetric"
    for low, high in RANGES:
        x = np.linspace(low - 1, high + 1, 41).tolist()
        codes, scale, zero = there_and_back.right(spec, x, low, high)
        reach = max(high, 0) - min(low, 0) if asymmetric else max(abs(low), abs(high))
        steps = {"restricted": half - 1, "halves": half - 0.5, "asymmetric": 2 * half - 1}[spec["rule"]]
        assert scale * steps == pytest.approx(reach)
        first = -half if spec["signed"] else 0
        stored = range(first + (spec["rule"] == "restricted"), first + 2 * half)
        assert (spec["lowest"], spec["highest"]) == (stored[0], stored[-1]) and zero in stored
        assert asymmetric or zero == (0 if spec["signed"] else half)
        values = {code: scale * (code - zero) for code in stored}
        for value, code in zip(x, codes, strict=True):
            assert abs(values[code] - value) <= abs(values[nearest_of(values, value)] - value) + 1e-9


@pytest.mark.parametrize("ties, want", [("even", [-2, -2, 0, 0, 2, 2]), ("away", [-3, -2, -1, 1, 2, 3]),
                                        ("up", [-2, -1, 0, 1, 2, 3])])
def test_half_way_cases_go_where_the_rule_says(ties, want):
    assert [there_and_back.nearest(ties, v) for v in (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)] == want
    assert [there_and_back.nearest(ties, v) for v in (-2.6, -0.4, 0.0, 1.4, 7.0)] == [-3, 0, 0, 1, 7]


def test_the_rules_are_those_of_the_package_where_they_agree():
    x = np.float32([-1.5, -0.31, 0.0, 0.27, 2.0])
    for rule, scheme in (("restricted", "int5:channel"), ("asymmetric", "int5:channel:asym")):
        spec = next(s for s in map(source.exercise("03.2").drawn, (f"k{n}" for n in range(999))) if (
            s["rule"], s["bits"], s["ties"], s["shift"]) == (rule, 5, "even", 0))
        codes, scale, zero = there_and_back.right(spec, x.tolist(), -1.5, 2.0)
        q = quantize(x[None], scheme)
        assert codes == q.codes[0].tolist() and scale == pytest.approx(float(q.scale[0, 0]))
        assert q.zero_point is None or zero == q.zero_point[0, 0]


@pytest.mark.parametrize("key", KEYS)
def test_integer_dot_by_multiplying_the_numbers_themselves(key):
    spec = source.exercise("03.3").drawn(key)
    x, w, zero, x_scale, scales = integer_dot.case(spec, 3, 5, 255)
    assert max(x) > 200 and len(x) == len(w) == 3 * spec["group"]
    products, corrections, value = integer_dot.right(spec, x, w, zero, x_scale, scales)
    x_zero, w_zero = (zero, spec["offset"]) if spec["asymmetric"] == "x" else (spec["offset"], zero)
    numbers = [(Fraction(x_scale) * (a - x_zero), Fraction(scales[i // spec["group"]]) * (b - w_zero))
               for i, (a, b) in enumerate(zip(x, w, strict=True))]
    assert value == float(sum(a * b for a, b in numbers))
    assert products == [sum(a * b for a, b in zip(x[i:i + spec["group"]], w[i:i + spec["group"]], strict=True))
                        for i in range(0, len(x), spec["group"])]
    terms = [sum(w_zero * a + x_zero * b - x_zero * w_zero for a, b in zip(x[i:], w[i:i + spec["group"]]))
             for i in range(0, len(x), spec["group"])]
    assert corrections == terms


@pytest.mark.parametrize("key", KEYS)
def test_the_table_has_two_wrong_rows_and_only_those(key):
    spec = source.exercise("03.4").drawn(key)
    top = 2 ** spec["bits"] - 1
    assert len(spec["runs"]) == broken_codes.ROWS and len(set(spec["wrong"].values())) == len(spec["wrong"]) == 2
    for run in spec["runs"]:
        scale = np.float32(max(run["high"], 0) - min(run["low"], 0)) / np.float32(top)
        zero = np.rint(np.float32(-min(run["low"], 0)) / scale)
        codes = np.clip(np.rint(np.float32(run["x"]) / scale) + zero, 0, top)  # in float32, as a learner may
        assert broken_codes.codes(spec, run) == codes.tolist()
        assert (run["codes"] == codes.tolist()) == (run["row"] not in spec["wrong"])
        assert sum(v > run["high"] for v in run["x"]) == 1 and (run["low"] > 0) == (run["row"] in broken_codes.ONE_SIDED)


def test_the_causes_do_what_their_names_say():
    drawn = {"bits": 4}
    run = {"low": 1.0, "high": 4.0, "x": [1.5, 3.9, 4.5, 6.0]}
    assert broken_codes.codes(drawn, run) == [6, 15, 15, 15]
    assert broken_codes.codes(drawn, run, "floor") == [5, 14, 15, 15]
    assert broken_codes.codes(drawn, run, "cast") == [6, 15, 17 % 16, 22 % 16]  # 4.5 is 16.9 steps of 4/15
    assert broken_codes.codes(drawn, run, "steps") == [6, 15, 15, 15]           # 1.5 is 6.0 steps of 4/16
    assert broken_codes.codes(drawn, run, "range") == [8, 15, 15, 15]           # 1.5 is 7.5 steps of 3/15
    below = {"low": -1.1, "high": 2.9, "x": [0.0, 1.0, -0.3]}
    zero = 1.1 / (4 / 15)
    assert broken_codes.codes(drawn, below, "zero") == [round(v / (4 / 15) + zero) for v in below["x"]]


@pytest.mark.parametrize("rounding", enough_bits.ROUNDING)
def test_the_squared_error_of_a_rounding_is_its_share_of_a_squared_step(rounding):
    places = (np.arange(1000) + 0.5) / 1000  # evenly over one step
    errors = {"nearest": (np.rint(places) - places) ** 2, "down": places**2,
              "random": places * (1 - places) ** 2 + (1 - places) * places**2}[rounding]
    assert errors.mean() == pytest.approx(1 / enough_bits.ROUNDING[rounding][0], rel=1e-3)


@pytest.mark.parametrize("key", KEYS)
def test_the_predicted_ratio_by_rounding_many_numbers(key):
    spec = source.exercise("03.5").drawn(key)
    rng, low, high, bits = np.random.default_rng(0), -0.5, 2.0, 7
    x = rng.uniform(low, high, 100_000)
    half = 2 ** (bits - 1)
    step = {"restricted": high / (half - 1), "halves": high / (half - 0.5), "asymmetric": (high - low) / (2 * half - 1)}
    v = x / step[spec["rule"]]
    rounded = {"nearest": np.rint(v), "down": np.floor(v), "random": np.floor(v + rng.random(v.size))}[spec["rounding"]]
    measured = 10 * math.log10((v**2).sum() / ((rounded - v) ** 2).sum())
    rms = math.sqrt((x**2).mean())
    assert enough_bits.ratio(spec, low, high, rms, bits) == pytest.approx(measured, abs=0.05)
    target = measured - 0.5
    assert enough_bits.best(spec, low, high, rms, target)[0] == bits


def test_the_examples_in_the_texts_are_right():
    for key in KEYS:
        first, second, third, fifth = (source.exercise(f"03.{n}").drawn(key) for n in (1, 2, 3, 5))
        scale, zero = scale_and_zero.grid(first, first["low"], first["high"])
        assert first["example"] == f"a scale of {scale:g} and the zero point {zero}"
        assert str(there_and_back.right(second, second["x"], second["low"], second["high"])[0]) in second["example"]
        assert str(integer_dot.right(third, *integer_dot.case(third, 2, 7))[0]) in third["example"]
        assert fifth["example"] == f"{enough_bits.ratio(fifth, -1.0, 2.0, 0.5, 8):.2f} dB"

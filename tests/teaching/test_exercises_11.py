"""Exercises 11: the rules against brute-force oracles of their own, and the facts their texts state."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minquant as mq
from minquant.teaching.exercises import source
from minquant.teaching.exercises.e11_shared_exponents import (diagnose, elements, exponent, mx_block, quantiles,
                                                              two_scales)

KEYS = [f"key{n}" for n in range(8)]


def by_trying(levels, x):
    """The level nearest to |x| with its sign: every one is tried."""
    best = levels[0]
    for level in levels:
        if abs(level - abs(x)) < abs(best - abs(x)):
            best = level
    return math.copysign(best, x) if best else 0.0


def test_magnitudes_are_those_of_the_packages_formats():
    for name, widths in (("fp4_e2m1", (2, 1, 1)), ("fp6_e2m3", (2, 3, 1)), ("fp6_e3m2", (3, 2, 3))):
        grid = mq.formats.get(name).grid
        assert elements.magnitudes(*widths) == [float(v) for v in grid if v >= 0]


@pytest.mark.parametrize("key", KEYS)
def test_exponents_by_comparing_powers(key):
    spec = source.exercise("11.1").drawn(key)
    for largest in (1.0, 7.999, 0.03, 5e-12, 4e9):
        powers = [k for k in range(-60, 60) if 2.0**k <= largest]
        assert exponent.right(spec, largest) == max(spec["low"], min(spec["high"], max(powers) - spec["emax"]))
    assert exponent.right(spec, 0.0) == spec["zero"]


@pytest.mark.parametrize("key", KEYS)
def test_blocks_lie_where_their_names_say(key):
    spec = source.exercise("11.2").drawn(key)
    top = 2.0 ** (spec["emax"] + 1)
    assert top / 2 <= spec["largest"] < spec["limit"] < top
    for name in ("first", "second", "clipped", "above", "shown"):
        x = spec[name]
        e, values = mx_block.rounded(spec, x)
        largest = max(map(abs, x))
        standard = math.frexp(largest)[1] - 1 - spec["emax"]
        assert e == standard + (name == "above")
        assert (largest / 2.0**standard > spec["largest"]) == (name in ("clipped", "above"))
        assert values == [by_trying(spec["levels"], v / 2.0**e) for v in x]


@pytest.mark.parametrize("key", KEYS)
def test_two_scales_number_by_number(key):
    spec = source.exercise("11.3").drawn(key)
    x = np.array(spec["first"])
    G, scales, values = two_scales.converted(spec, list(x))
    assert G * np.abs(x).max() == pytest.approx(spec["largest"] * spec["largest_scale"])
    assert max(scales) == spec["largest_scale"]  # the block with the largest number of all
    for i, v in enumerate(x):
        scale = scales[i // spec["block"]]
        assert scale in spec["scale_levels"]
        assert values[i] == by_trying(spec["levels"], v * G / scale)


@pytest.mark.parametrize("key", KEYS)
def test_sound_blocks_are_mxfp4_and_the_wrong_ones_are_not(key):
    spec = source.exercise("11.4").drawn(key)
    for run in spec["runs"]:
        x = np.zeros((1, 32), np.float32)
        x[0, :6] = run["x"]
        q = mq.quantize(x, "mxfp4")
        same = 2.0 ** run["e"] == q.scale.item() and np.array_equal(
            q.dequantize()[0, :6], np.array(run["values"], np.float32) * np.float32(2.0 ** run["e"]))
        assert same == (run["row"] not in spec["wrong"])
        assert max(abs(v) for v in run["x"]) / q.scale.item() > 6  # every block is clipped by the rule


@pytest.mark.parametrize("key", KEYS)
def test_quantiles_cut_off_equal_shares(key):
    from statistics import NormalDist

    spec = source.exercise("11.5").drawn(key)
    levels = quantiles.levels_of(spec)
    assert len(levels) == spec["above"] + spec["below"] + 1 and levels[-1] == 1.0 and 0.0 in levels
    outermost = NormalDist().inv_cdf(spec["ends"])
    shares = [NormalDist().cdf(level * outermost) for level in levels if level >= 0]
    assert np.diff(shares) == pytest.approx((spec["ends"] - 0.5) / spec["above"])


def test_the_books_of_nf4_are_made_by_the_same_rule():
    made = quantiles.levels_of({"above": 8, "below": 7, "ends": 0.9677083})
    assert made == pytest.approx(mq.formats.get("nf4").grid.tolist(), abs=2e-5)

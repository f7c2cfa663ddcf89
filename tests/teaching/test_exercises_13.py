"""Exercises 13: the rules against finite differences of what is used, and against the library."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.teaching.exercises import source
from minquant.teaching.exercises.e13_training_with_rounding import diagnose, step, ternary, through
from minquant.training import learned_step, straight_through

KEYS = [f"key{n}" for n in range(8)]
EVERY_KEY = pytest.mark.parametrize("key", KEYS)
RNG = np.random.default_rng(0)


@EVERY_KEY
def test_weights_inside_and_beyond_as_in_the_library(key):
    spec = source.exercise("13.1").drawn(key)
    w, du = spec["step"] * RNG.uniform(-6, 6, 50), RNG.standard_normal(50)
    passed = straight_through(du[None], w[None], spec["step"], spec["low"], spec["high"])[0]
    expected = passed + spec["share"] * (du - passed)
    np.testing.assert_allclose(through.gradient(spec, w.tolist(), du.tolist()), expected)


@EVERY_KEY
def test_the_gradient_of_the_step_by_trying(key):
    """By the change of what is used, with what rounding added in steps held fixed."""
    spec = source.exercise("13.2").drawn(key)
    low, high, s = spec["low"], spec["high"], 0.3
    w, du = s * RNG.uniform(-11, 11, 40), RNG.standard_normal(40)
    fixed = np.clip(np.rint(w / s), low, high) - np.clip(w / s, low, high)

    def total(s):
        return float((du * s * (np.clip(w / s, low, high) + fixed)).sum())

    slope = (total(s + 1e-6) - total(s - 1e-6)) / 2e-6
    factor = {"lsq": (40 * high) ** -0.5, "root": 40**-0.5, "mean": 1 / 40}[spec["factor"]]
    got = step.gradient(spec, w.tolist(), du.tolist(), s)
    assert got == pytest.approx(slope * factor, rel=1e-5, abs=1e-6)
    if spec["factor"] == "lsq":
        assert got == pytest.approx(learned_step(du[None], w[None], s, low, high)[0, 0])


@EVERY_KEY
def test_packed_codes_come_back_field_by_field(key):
    spec = source.exercise("13.3").drawn(key)
    codes = RNG.integers(-1, 2, (3, 12))
    packed = ternary.pack(spec, codes)
    assert packed.shape == (3, 3) and packed.dtype == np.uint8
    for row in range(3):
        for column in range(12):
            place = column % 4 if spec["first_low"] else 3 - column % 4
            bits = int(packed[row, column // 4]) // 4**place % 4
            assert spec["codes"][bits] == codes[row, column]
    assert spec["y"] == 0.5 * np.dot(spec["row"], spec["x"])


@EVERY_KEY
def test_two_passes_are_wrong_and_every_cause_shows_in_each(key):
    spec = source.exercise("13.4").drawn(key)
    assert len(spec["wrong"]) == 2 == len(set(spec["wrong"].values()))
    for run in spec["runs"]:
        rules = (run["w"], run["du"], run["step"], run["low"], run["high"])
        assert ((run["dw"], run["ds"]) == diagnose.passed(*rules, None)) == (run["run"] not in spec["wrong"])
        made = [diagnose.passed(*rules, cause) for cause in (None, *diagnose.CAUSES)]
        assert all(abs(a[1] - b[1]) > 0.01 or a[0] != b[0] for n, a in enumerate(made) for b in made[:n])
        w, du = np.array(run["w"]), np.array(run["du"])
        assert np.array_equal(made[0][0], straight_through(du[None], w[None], run["step"], run["low"], run["high"])[0])

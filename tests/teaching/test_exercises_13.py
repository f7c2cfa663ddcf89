"""Exercises 13: the rules against finite differences, plain loops and the package's own training."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.teaching.exercises import source
from minquant.teaching.exercises.e13_quantization_aware_training import (diagnose, slope, step, straight,
                                                                         ternary_kernel)
from minquant.training import learned_step, straight_through

KEYS = [f"key{n}" for n in range(8)]
EVERY_KEY = pytest.mark.parametrize("key", KEYS)


@EVERY_KEY
def test_a_slope_is_that_of_the_loss_by_the_rounded_weight(key):
    spec = source.exercise("13.1").drawn(key)
    for place in (spec["low"] + 0.3, 0.2, spec["high"] - 0.1, spec["high"] + 0.2, spec["low"] - 3):
        w, h = place * spec["step"], 1e-5
        u = spec["step"] * np.clip(np.rint(place), spec["low"], spec["high"])

        def loss(u):
            return (spec["x"] * u - spec["target"]) ** 2 / (2 if spec["half"] else 1)

        want = (loss(u + h) - loss(u - h)) / (2 * h) if spec["low"] <= place <= spec["high"] else 0
        assert slope.right(spec, w) == pytest.approx(want, rel=1e-6, abs=1e-12)


@EVERY_KEY
def test_the_slope_of_the_example_is_none_of_the_others(key):
    spec = source.exercise("13.1").drawn(key)
    places = [spec["low"] + 1, 0, spec["high"] - 1]
    assert len({round(slope.right(spec, p * spec["step"]), 9) for p in places}) >= 2


@EVERY_KEY
def test_straight_through_is_the_packages_rule_where_beyond_means_nothing(key):
    spec = dict(source.exercise("13.2").drawn(key), rule="nothing", outputs_first=True)
    x, W, steps, dy = straight.problem(dict(spec), 5, spec["low"] - 2, spec["high"] + 2, 7)
    dx, dW = straight.right(spec, x, W, steps, dy)
    s = np.repeat(steps, spec["group"], axis=1)
    assert np.allclose(dW, straight_through(dy.T @ x, W, s, spec["low"], spec["high"]))
    assert np.allclose(dx, dy @ straight.used(spec, W, steps))


@EVERY_KEY
def test_what_leads_back_leads_back(key):
    spec = dict(source.exercise("13.2").drawn(key), rule="back")
    x, W, steps, dy = straight.problem(spec, 5, spec["low"] - 2, spec["high"] + 2, 8)
    _, dW = straight.right(spec, x, W, steps, dy)
    s = np.repeat(steps, spec["group"], axis=1)
    middle = (spec["low"] + spec["high"]) / 2
    beyond = (W / s < spec["low"]) | (W / s > spec["high"])
    moved = W - 1e-6 * dW
    assert (abs(moved / s - middle) <= abs(W / s - middle))[beyond].all() and (dW[beyond] != 0).any()


@EVERY_KEY
def test_the_gradient_of_a_step_is_the_packages_and_that_of_finite_differences(key):
    spec = source.exercise("13.3").drawn(key)
    du, w, s = step.problem(spec, 6, 8, spec["low"] - 1, spec["high"] + 1, 3)
    n = w.shape[1]
    ours = learned_step(du, w, s[:, None], spec["low"], spec["high"])[:, 0] * np.sqrt(n * max(spec["high"], 1))
    divisor = {"n": n, "np.sqrt(n)": np.sqrt(n)}.get(spec["divisor"], np.sqrt(n * spec["top"]))
    assert np.allclose(step.right(spec, du, w, s) * divisor, ours)

    offset = np.rint(w / s[:, None]) - w / s[:, None]  # rint as the identity and an offset that stands still

    def loss(t):
        inside = w / s[:, None] + (w / t[:, None] - w / s[:, None]) + offset
        at = w / s[:, None]
        codes = np.where(at < spec["low"], spec["low"], np.where(at > spec["high"], spec["high"], inside))
        return (du * t[:, None] * codes).sum(axis=1)

    h = 1e-6 * s
    assert np.allclose((loss(s + h) - loss(s - h)) / (2 * h), ours, rtol=1e-4)


@EVERY_KEY
def test_trainings_by_a_plain_loop(key):
    spec = source.exercise("13.4").drawn(key)
    X, y = np.array(spec["X"]), np.array(spec["y"])
    for run in spec["runs"]:
        w = list(spec["first"])
        for move in range(run["moves"] + 1):
            s = run["times"] * sum(abs(v) for v in w) / len(w)
            u = [s * max(-run["top"], min(run["top"], round(v / s))) for v in w]
            off = [sum(a * b for a, b in zip(row, u)) - t for row, t in zip(X, y)]
            if move < run["moves"]:
                w = [v - diagnose.RATE * 2 / len(y) * sum(o * row[j] for o, row in zip(off, X))
                     * (abs(v / s) <= run["top"]) for j, v in enumerate(w)]
        error = 100 * sum(o * o for o in off) / (y**2).sum()
        assert error == pytest.approx(run["right"])
        as_printed = [round(v / s) for v in u] == run["codes"] and abs(s / run["s"] - 1) < 1e-3
        assert as_printed == (run["run"] not in spec["wrong"])


@EVERY_KEY
def test_bytes_hold_what_the_layout_says(key):
    spec = source.exercise("13.5").drawn(key)
    rng = np.random.default_rng(1)
    trits = rng.integers(-1, 2, (3, 32))
    packed = ternary_kernel.pack(spec, trits)
    for c in range(32):
        byte, k = (c % 8, c // 8) if spec["quarters"] else (c // 4, c % 4)
        bits = packed[:, byte] >> (2 * k if spec["low_first"] else 6 - 2 * k) & 3
        assert [spec["bits"].index(b) - 1 for b in bits.tolist()] == trits[:, c].tolist()
    example = int(spec["byte"], 2)
    of_four = dict(spec, quarters=False)
    assert ternary_kernel.pack(of_four, np.array([[1, 0, -1, 1]]))[0, 0] == example

"""Exercises 10: the rules against plain loops and the package's own methods, and the facts their texts state."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minquant.methods import llm_int8_matmul, smooth_scales
from minquant.methods.llm_int8 import decompose
from minquant.scaling import fake_quantize
from minquant.teaching.exercises import source
from minquant.teaching.exercises.e10_hard_activations import diagnose, levels, outliers, smooth, turn

KEYS = [f"key{n}" for n in range(8)]
EVERY_KEY = pytest.mark.parametrize("key", KEYS)


@EVERY_KEY
def test_levels_are_those_of_the_package(key):
    spec = source.exercise("10.1").drawn(key)
    for name in ("quiet", "loud", "negative", "shown"):
        rows, channel = spec[name]
        X = np.array(rows, np.float32)
        scale = np.abs(X).max(axis=1 if spec["shared"] == "token" else None, keepdims=True) / spec["top"]
        codes = np.delete(np.rint(fake_quantize(X, f"int{spec['bits']}:{spec['shared']}") / scale), channel, axis=1)
        want = len(set(codes.ravel().tolist())) if spec["counted"] == "different" else np.ptp(codes) + 1
        assert levels.left(spec, rows, channel) == want


@EVERY_KEY
def test_the_loud_channel_is_loud_in_every_token_and_takes_levels(key):
    spec = source.exercise("10.1").drawn(key)
    for name, sign in (("loud", 1), ("negative", -1), ("shown", 1)):
        rows, channel = spec[name]
        assert (np.abs(rows).argmax(axis=1) == channel).all() and (sign * np.array(rows)[:, channel] > 0).all()
        softer = [[v / 8 if j == channel else v for j, v in enumerate(row)] for row in rows]
        wide = spec | {"counted": "range"}  # forty numbers may use fewer different codes by chance
        assert levels.left(wide, softer, channel) > levels.left(wide, rows, channel)


@EVERY_KEY
def test_what_is_left_is_multiplied_as_the_package_does(key):
    spec = source.exercise("10.2").drawn(key)
    for name in ("first", "second", "signs", "edge", "plain", "shown"):
        X, W = (np.array(a) for a in spec[name])
        loud, codes, Y = outliers.multiplied(spec, *spec[name])
        x, w = (np.delete(a, loud, axis=1) for a in (X, W))
        assert codes == decompose(x, w, np.inf, spec["bits"]).x_codes.tolist()
        want = llm_int8_matmul(x, w, np.inf, spec["bits"]) + X[:, loud] @ W[:, loud].T
        np.testing.assert_allclose(Y, want, rtol=1e-4, atol=1e-4)
        if spec["needed"] == 1:  # the paper's own rule
            assert loud == decompose(X, W, spec["threshold"], spec["bits"]).outliers.tolist()


@EVERY_KEY
def test_problems_have_the_outliers_that_their_checks_are_about(key):
    spec = source.exercise("10.2").drawn(key)
    loud = {name: outliers.loud_columns(spec, spec[name][0]) for name in ("first", "second", "signs", "edge", "plain")}
    assert loud["plain"] == [] and all(len(loud[name]) == 2 for name in ("first", "second", "signs", "edge"))
    X = np.array(spec["signs"][0])
    assert (X < spec["threshold"]).all()
    X = np.array(spec["edge"][0])
    assert (np.abs(X) <= spec["threshold"]).all() and (np.abs(X) == spec["threshold"]).sum() >= 2 * spec["needed"]


@EVERY_KEY
def test_scales_are_those_of_smoothquant_where_size_is_the_largest(key):
    spec = source.exercise("10.3").drawn(key)
    for problem in (spec["first"], spec["second"], spec["shown"], smooth.dead(spec["first"])):
        X, matrices = np.abs(np.array(problem["X"])), [np.array(W) for W in problem["matrices"].values()]
        want = smooth_scales(X.max(axis=0), matrices, spec["alpha"])
        np.testing.assert_allclose(smooth.scales_of(spec | {"measure": "largest"}, problem), want, rtol=1e-5)


@EVERY_KEY
def test_measures_of_size_and_the_matrices_differ(key):
    """Else a mistake in one of them would not show."""
    spec = source.exercise("10.3").drawn(key)
    for name in ("first", "second"):
        problem = spec[name]
        scales = [smooth.scales_of(spec | {"measure": measure}, problem) for measure in smooth.SIZES]
        first = {n: W for n, W in problem["matrices"].items() if n == "gate"}
        scales.append(smooth.scales_of(spec | {"measure": "largest"}, problem | {"matrices": first}))
        assert all(not np.allclose(a, b, rtol=1e-3) for i, a in enumerate(scales) for b in scales[:i])


@EVERY_KEY
def test_norms_with_and_without_a_bias(key):
    spec = source.exercise("10.3").drawn(key)
    assert ("bias" in spec["shown"]["norm"]) == spec["layer"]
    x = np.array([[3.0, -4.0, 0.0, 0.0, 0.0]])
    norm = {"gain": np.array([2.0, 1, 1, 1, 1]), "bias": np.ones(5)}
    np.testing.assert_allclose(smooth.made(norm, x)[0], np.array([6, -4, 0, 0, 0]) / math.sqrt(5) + 1)


@EVERY_KEY
def test_six_runs_are_those_of_the_package_and_two_are_not(key):
    spec = source.exercise("10.4").drawn(key)
    C, X, W = (np.array(spec[n]) for n in "CXW")
    for run in spec["runs"]:
        bits, m = run["bits"], 2 ** (run["bits"] - 1) - 1
        s = smooth_scales(np.abs(C).max(axis=0), W, 0.5) if run["smooth"] else np.ones(X.shape[1])
        if run["scale"] == "token":
            x = fake_quantize(X / s, f"int{bits}:token")
        else:
            step = np.abs(C / s).max() / m
            x = step * np.clip(np.rint(X / s / step), -m, m)
        off = x @ fake_quantize(W * s, f"int{bits}:channel").T - X @ W.T
        lost = 100 * np.square(off).sum() / np.square(X @ W.T).sum()
        assert diagnose.right(spec, run["run"]) == pytest.approx(lost, rel=2e-3)
        if run["run"] in spec["wrong"]:  # the printed error never passes for the right one
            assert run["error"] > lost * (1 + 2 * diagnose.TOLERANCE)
        else:
            assert run["error"] == pytest.approx(lost, rel=6e-3)


@EVERY_KEY
def test_the_causes_do_what_their_names_say(key):
    spec = source.exercise("10.4").drawn(key)
    run = dict(bits=8, scale="token", smooth=1)
    right = diagnose.made(spec, run)
    assert diagnose.made(spec, run, "wrapped") == right, "a scale per token leaves nothing beyond m"
    assert diagnose.made(spec, dict(bits=4, scale="token", smooth=1), "short") == diagnose.made(
        spec, dict(bits=4, scale="token", smooth=1)), "six products of 4-bit codes fit 16 bits"
    plain = dict(bits=8, scale="token", smooth=0)
    assert diagnose.made(spec, plain, "forgotten") == diagnose.made(spec, plain, "swapped") == diagnose.made(spec, plain)
    X, W = np.array(spec["X"]), np.array(spec["W"])
    step = np.abs(X).max(axis=1, keepdims=True) / 127
    off = np.trunc(X / step) * step @ fake_quantize(W, "int8:channel").T - X @ W.T
    lost = 100 * np.square(off).sum() / np.square(X @ W.T).sum()
    assert diagnose.made(spec, plain, "cut")[0] == pytest.approx(lost, rel=1e-2)
    assert diagnose.made(spec, run, "first")[0] > 1 > right[0], "outputs differ in size"
    assert diagnose.made(spec, run, "forgotten")[0] > 1 > right[0], "it is another function altogether"
    for name, cause in spec["wrong"].items():
        told = spec["runs"][name - 1]
        found = diagnose.made(spec, told, cause)
        assert (told["error"], told["sum"]) == (pytest.approx(found[0], rel=6e-3), found[1])


def test_the_two_mistakes_are_of_both_kinds():
    seen = set()
    for key in KEYS:
        wrong = source.exercise("10.4").drawn(key)["wrong"]
        assert len(wrong) == 2 and len(set(wrong.values()) & set(diagnose.INPUTS)) == 1
        seen |= set(wrong.values())
    assert len(seen) >= 5


@EVERY_KEY
def test_matrices_are_hadamard_and_q_is_a_turn(key):
    spec = source.exercise("10.5").drawn(key)
    for n in (1, 2, 4, 16):
        H = turn.matrix(spec, n)
        assert set(np.unique(H)) <= {1.0, -1.0} and np.array_equal(H @ H.T, n * np.eye(n))
    for name, (d, _) in turn.SIZES.items():
        Q = turn.turning(spec, d, spec[name][1])
        np.testing.assert_allclose(Q @ Q.T, np.eye(d), atol=1e-12)
        assert d == 2 or not np.allclose(Q, Q.T), "a symmetric Q hides the wrong order"
        assert -1 in spec[name][1]


@EVERY_KEY
def test_the_model_of_the_checks_is_the_one_in_the_notebook(key):
    exercise = source.exercise("10.5")
    spec = exercise.drawn(key)
    names: dict = {}
    exec(source.exercise_set("10").setup, names)
    exec(source.fill(source.dedent(exercise.given), spec), names)
    ours = {n: np.array(w) for n, w in spec["shown"][0].items()}
    for online in (False, True):
        np.testing.assert_allclose(names["logits"](names["weights"], online), turn.logits(spec, ours, online), rtol=1e-9)
    assert np.array_equal(names["hadamard"](8), turn.matrix(spec, 8))

"""Exercises 08: the rules against least squares solved anew at every step, and the facts their texts state."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.methods import gptq_from_hessian
from minquant.teaching.exercises import source
from minquant.teaching.exercises.e08_repairing_rounding import (arrays, column_loop, diagnose, factor, lazy_blocks,
                                                                two_weights)

KEYS = [f"key{n}" for n in range(8)]
EVERY_KEY = pytest.mark.parametrize("key", KEYS)


def best_answer(H, fixed, off):
    """What all other weights change by, so that d H d is least while the ``fixed`` ones are ``off`` by so much."""
    d = np.zeros(len(H))
    d[fixed] = off
    free = [j for j in range(len(H)) if j not in fixed]
    if free and fixed:
        d[free] = -np.linalg.solve(H[np.ix_(free, free)], H[np.ix_(free, fixed)] @ off)
    return d


def column_by_column(w, H, scale, lowest, highest, order):
    """Codes of a row, and its changes: least squares over all free weights before each column is rounded."""
    codes, done = np.zeros(len(w)), []
    for i in order:
        now = w + best_answer(H, done, scale * codes[done] - w[done])
        codes[i] = np.rint(now[i] / scale).clip(lowest, highest)
        done.append(i)
    return codes, scale * codes - w


@EVERY_KEY
def test_no_other_move_of_the_second_weight_is_better(key):
    spec = source.exercise("08.1").drawn(key)
    for w in two_weights.weights(spec):
        for H in ([[4.0, 3.0], [3.0, 5.0]], [[9.0, -2.0], [-2.0, 1.0]]):
            level = max(H[0][0], H[1][1]) if spec["largest"] else (H[0][0] + H[1][1]) / 2
            damped = (np.array(H) + spec["share"] * level * np.eye(2)).tolist()
            now = two_weights.answer(spec, w, H)
            steps = now[spec["first"]] / spec["step"]
            assert steps == pytest.approx(round(steps)) and abs(steps - w[spec["first"]] / spec["step"]) < 0.5
            least = two_weights.lost(w, damped, now)
            for move in (-0.1, -1e-3, 1e-3, 0.1):
                other = list(now)
                other[spec["other"]] += move
                assert two_weights.lost(w, damped, other) > least


@EVERY_KEY
def test_the_loop_by_least_squares_before_every_column(key):
    spec = source.exercise("08.2").drawn(key)
    for name in ("pair", "many", "more", "shown"):
        problem = spec[name]
        F, W = np.array(problem["F"]), np.array(problem["W"])
        H, (codes, loss, _) = np.linalg.inv(F.T @ F), column_loop.rounded(spec, problem)
        order = list(range(len(F)))[::1 if spec["forward"] else -1]
        total = 0.0
        for row, want in zip(W, codes, strict=True):
            scale = max(abs(row)) / spec["end"]
            got, d = column_by_column(row, H, scale, spec["lowest"], spec["highest"], order)
            assert got.tolist() == want.tolist()
            total += d @ H @ d
        assert loss == pytest.approx(total)
        assert not np.tril(F if spec["forward"] else F.T, -1).any(), "nothing is handed back"


@EVERY_KEY
def test_dead_columns_are_zero_and_count_as_the_table_says(key):
    spec = source.exercise("08.2").drawn(key)
    problem = column_loop.with_dead(spec["many"])
    codes, W = column_loop.rounded(spec, problem)[0], np.array(problem["W"])
    assert not codes[:, 1].any() and np.abs(W[::2]).argmax(axis=1).tolist() == [1] * len(W[::2])
    for row, want in zip(W, codes, strict=True):
        others = np.delete(row, 1)
        end = np.abs(others if spec["clear_first"] else row).max() / spec["end"]
        nearest = np.arange(spec["lowest"], spec["highest"] + 1)
        assert np.delete(want, 1).tolist() == [nearest[np.abs(nearest * end - w).argmin()] for w in others]


@EVERY_KEY
def test_the_codes_of_the_loop_show_its_mistakes(key):
    spec = source.exercise("08.2").drawn(key)
    for name in ("pair", "many", "more"):
        right = column_loop.rounded(spec, spec[name])[0]
        for F in arrays.slips(spec[name]["F"]):
            assert (column_loop.rounded(spec, spec[name] | {"F": F})[0] != right).any()


@EVERY_KEY
def test_the_factor_row_by_row_from_least_squares(key):
    """Row i of F is the answer of the later columns to an error of 1, over the root of what that leaves."""
    spec = source.exercise("08.3").drawn(key)
    for name in factor.PROBLEMS:
        X = np.array(spec[name])
        H = {"sum": 1, "mean": 1 / len(X), "twice": 2}[spec["counted"]] * np.einsum("ni,nj->ij", X, X)
        level = np.diag(H).max() if spec["largest"] else np.diag(H).mean()
        order, F = factor.factored(spec, spec[name])
        sizes = np.diag(H)[order]
        assert (np.diff(sizes) < 0).all() if spec["falling"] else (np.diff(sizes) > 0).all()
        H = H + spec["share"] * level * np.eye(len(H))
        for n, i in enumerate(order):
            later = order[n:]
            d = best_answer(H[np.ix_(later, later)], [0], np.array([1.0]))
            left = d @ H[np.ix_(later, later)] @ d
            want = np.zeros(len(H))
            want[later] = d / np.sqrt(left)
            np.testing.assert_allclose(F[i], want, rtol=1e-7, atol=1e-9)


@EVERY_KEY
def test_two_runs_differ_from_the_package_and_only_those(key):
    spec = source.exercise("08.4").drawn(key)
    W, H = np.array(spec["W"]), np.array(spec["H"])
    for run in spec["runs"]:
        scheme = f"int{run['bits']}:" + ("channel" if run["group"] == 6 else f"g{run['group']}")
        q = gptq_from_hessian(W, H, scheme, damp=run["damp"], act_order=run["sorted"])
        assert (q.codes.tolist() == run["codes"]) == (run["run"] not in spec["wrong"])
        off = W - q.dequantize()
        lost = 100 * np.trace(off @ H @ off.T) / np.trace(W @ H @ W.T)
        assert diagnose.right(spec, run["run"]) == pytest.approx(lost, rel=1e-5)
        if run["run"] in spec["wrong"]:  # the printed error never passes for the right one
            assert abs(run["error"] / lost - 1) > 2 * diagnose.TOLERANCE
        else:
            assert run["error"] == pytest.approx(lost, rel=6e-3)


@EVERY_KEY
def test_the_causes_do_what_their_names_say(key):
    spec = source.exercise("08.4").drawn(key)
    run = dict(bits=4, group=6, sorted=True, damp=0.1)
    codes = diagnose.made(spec, run)[0]
    order = np.argsort(-np.diag(spec["H"]))
    assert (diagnose.made(spec, run, "order")[0] == codes[:, order]).all()
    assert (diagnose.made(spec, run, "damping")[0] == diagnose.made(spec, run | {"damp": 0.0})[0]).all()
    assert (diagnose.made(spec, run, "grid")[0] == codes).all(), "a whole row has its grid from the start"
    W, H = np.array(spec["W"]), np.array(spec["H"])
    H += 0.1 * np.diag(H).mean() * np.eye(6)
    inverse, top = np.linalg.inv(H), 7
    for r, w in enumerate(W):
        scale, w, mistaken = max(abs(w)) / top, w.copy(), np.zeros(6)
        for i in order:
            mistaken[i] = np.rint(w[i] / scale).clip(-top, top)
            w -= (w[i] - scale * mistaken[i]) / inverse[i, i] * inverse[i]
        assert diagnose.made(spec, run, "inverse")[0][r].tolist() == mistaken.tolist()


def test_only_possible_causes_are_planted():
    for key in KEYS:
        spec = source.exercise("08.4").drawn(key)
        assert len(spec["wrong"]) == 2 == len({*spec["wrong"].values()})
        for number, cause in spec["wrong"].items():
            run = spec["runs"][number - 1]
            assert run["sorted"] or cause != "order"
            assert run["group"] < 6 or cause != "grid"


@EVERY_KEY
def test_lazy_blocks_are_the_plain_loop_and_the_last_column_waits(key):
    """What the last column holds: the least-squares answer to the columns that have arrived, all others being free."""
    spec = source.exercise("08.5").drawn(key)
    for name in ("one", "even", "odd", "odder", "shown"):
        W, U, scales = (np.array(spec[name][part]) for part in ("W", "U", "scale"))
        H, n, (codes, waiting, _) = np.linalg.inv(U.T @ U), len(U), lazy_blocks.rounded(spec, spec[name])
        edges = [0]
        while edges[-1] < n:
            first = n % spec["block"] if spec["short_first"] and edges == [0] else 0
            edges.append(min(edges[-1] + (first or spec["block"]), n))
        assert edges[:-1] == lazy_blocks.block_starts(spec, n)
        for w, scale, want, held in zip(W, scales, codes, waiting, strict=True):
            got, d = column_by_column(w, H, scale, spec["lowest"], spec["highest"], range(n))
            assert got.tolist() == want.tolist()
            for i in range(n):
                block = max(e for e in edges if e <= i)
                arrived = list(range(i if block == edges[-2] else block))
                assert held[i] == pytest.approx(w[-1] + best_answer(H, arrived, d[arrived])[-1], abs=1e-8)

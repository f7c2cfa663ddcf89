"""Exercises 09: the rules against plain loops and the package's own methods, and the facts their texts state."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minquant.methods import search_scales
from minquant.methods.hqq import shrink
from minquant.scaling import fake_quantize
from minquant.teaching.exercises import source
from minquant.teaching.exercises.e09_which_weights_matter import diagnose, fold, hqq_turns, protect, search_alpha

KEYS = [f"key{n}" for n in range(8)]
EVERY_KEY = pytest.mark.parametrize("key", KEYS)


@EVERY_KEY
def test_no_column_left_out_is_larger_than_one_that_is_kept(key):
    spec = source.exercise("09.1").drawn(key)
    measure = {"mean": lambda x: np.abs(x).mean(), "largest": lambda x: np.abs(x).max(),
               "square": lambda x: np.square(x).mean()}[spec["measure"]]
    rng = np.random.default_rng(9)
    for columns in (1, 6, 27, 40):
        X = rng.normal(size=(11, columns)) * rng.uniform(0.2, 3, columns)
        kept = protect.kept(spec, X.tolist())
        exact = spec["share"] * columns
        assert len(kept) == (math.ceil(exact) if spec["up"] else max(int(exact), 1))
        size = [measure(X[:, j]) for j in range(columns)]
        assert min(size[j] for j in kept) >= max((size[j] for j in range(columns) if j not in kept), default=0)


@EVERY_KEY
def test_each_input_of_the_check_is_the_largest_by_one_measure_and_none_with_its_signs(key):
    spec = source.exercise("09.1").drawn(key)
    values = np.array(list(protect.LOUD.values()))
    assert np.abs(values).mean(axis=1).argmax() == 0
    assert np.abs(values).max(axis=1).argmax() == 1
    assert np.square(values).mean(axis=1).argmax() == 2
    assert values.mean(axis=1)[[0, 2]].tolist() == [0, 0] and values.max(axis=1)[1] == 0
    W, Q, X = protect.problem(protect.FEW, {1: values[0], 3: values[1], 4: values[2]})
    assert protect.kept(spec, X.tolist()) == [{"mean": 1, "largest": 3, "square": 4}[spec["measure"]]]
    assert (W != Q).all() and np.abs(W).mean(axis=0).argmax() not in (1, 3, 4)


def one_token(spec, weights, heads, kv_heads, x):
    """What attention makes of a single token, number by number. It can only look at itself: q and k are no matter."""
    d = len(x)
    root = math.sqrt(sum(v * v for v in x) / d)
    normed = [v / root * (g + 1 if spec["plus_one"] else g) for v, g in zip(x, weights["norm"], strict=True)]
    values = [sum(w * v for w, v in zip(row, normed, strict=True)) + b
              for row, b in zip(weights["v"], weights["v_bias"], strict=True)]
    dim, mixed = d // heads, []
    for h in range(heads):
        reads = h * kv_heads // heads if spec["neighbours"] else h % kv_heads
        mixed += values[reads * dim:(reads + 1) * dim]
    return [sum(w * v for w, v in zip(row, mixed, strict=True)) for row in weights["o"]]


@EVERY_KEY
def test_attention_of_the_checks_by_a_single_token(key):
    spec = source.exercise("09.2").drawn(key)
    for name, (heads, kv_heads, dim) in fold.PROBLEMS.items():
        weights = {n: np.array(w) for n, w in spec[name][0].items()}
        x = np.arange(1.0, heads * dim + 1) * (-1) ** np.arange(heads * dim)
        got = fold.attention(spec, weights, x[None], heads, kv_heads)[0]
        np.testing.assert_allclose(got, one_token(spec, weights, heads, kv_heads, x.tolist()), rtol=1e-12)


@EVERY_KEY
def test_inputs_of_o_that_are_one_output_of_v_agree_and_no_others(key):
    spec = source.exercise("09.2").drawn(key)
    for name, (heads, kv_heads, dim) in fold.PROBLEMS.items():
        weights, scales, _ = spec[name]
        agreed = [fold.agreed_scale(spec, scales["o"], j, kv_heads, heads) for j in range(heads * dim)]
        moved = []  # which inputs of o move when one output of v does
        for r in range(kv_heads * dim):
            probe = {n: np.array(w) * (n == "norm") for n, w in weights.items()}
            probe["o"] = np.eye(heads * dim)
            probe["v_bias"][r] = 1
            reads = np.flatnonzero(fold.attention(spec, probe, np.ones((1, heads * dim)), heads, kv_heads)[0])
            moved.append(reads.tolist())
            assert len({agreed[j] for j in reads}) == 1
            theirs = [scales["o"][j] for j in reads]
            want = {"max": max(theirs), "min": min(theirs), "mean": sum(theirs) / len(theirs)}.get(spec["agree"])
            assert agreed[reads[0]] == pytest.approx(want or math.prod(theirs) ** (1 / len(theirs)))
        assert sorted(j for reads in moved for j in reads) == list(range(heads * dim))
        assert len(set(scales["o"])) == len(scales["o"]), "scales that agree already would hide a mistake"


@EVERY_KEY
def test_the_search_number_by_number(key):
    spec = source.exercise("09.3").drawn(key)
    act = {"silu": lambda z: z / (1 + math.exp(-z)), "relu": lambda z: max(z, 0.0), "tanh": math.tanh}[spec["act"]]

    def rounded(row):
        out = []
        for start in range(0, len(row), spec["group"]):
            block = row[start:start + spec["group"]]
            scale = max(map(abs, block)) / spec["top"] or 1
            out += [scale * round(w / scale) for w in block]
        return out

    for problem in (spec["shown"], search_alpha.dead(spec["shown"])):
        sizes = search_alpha.sizes_of(spec, problem["X"])
        alpha, s, errors, _ = search_alpha.searched(spec, problem)
        assert len(errors) == spec["count"] and errors.index(min(errors)) == round(alpha * spec["steps"])
        assert s.tolist() == search_alpha.scales_of(spec, sizes, alpha).tolist()
        for i, error in enumerate(errors):
            by = [size ** (i / spec["steps"]) for size in sizes]  # not normalised: that changes no error
            off = []
            for x in problem["X"]:
                for g, u in zip(problem["gate"], problem["up"], strict=True):
                    pair = [[w / b for w, b in zip(rounded([w * b for w, b in zip(row, by, strict=True)]), by,
                                                   strict=True)] for row in (g, u)]
                    (z, y), (zq, yq) = ([sum(w * v for w, v in zip(row, x, strict=True)) for row in rows]
                                        for rows in ((g, u), pair))
                    off.append((act(zq) * yq - act(z) * y) ** 2)
            assert error == pytest.approx(sum(off) / (len(off) if spec["total"] == "mean" else 1))


@EVERY_KEY
def test_scales_are_normalised_as_the_table_says_and_the_best_alpha_lies_inside(key):
    spec = source.exercise("09.3").drawn(key)
    for name in ("first", "second", "shown"):
        alpha, s, errors, _ = search_alpha.searched(spec, spec[name])
        one = {"middle": s.max() * s.min(), "mean": s.mean(), "largest": s.max(), "smallest": s.min()}[spec["normal"]]
        assert one == pytest.approx(1) and 0 < alpha < (len(errors) - 1) / spec["steps"]
        assert min(errors) < errors[0]


@EVERY_KEY
def test_six_runs_are_those_of_the_package_and_two_are_not(key):
    spec = source.exercise("09.4").drawn(key)
    weights, X = [np.array(spec[n]) for n in "qkv"], np.array(spec["X"])
    assert len(X) == X.shape[1], "the wrong axis has to fit"
    for run in spec["runs"]:
        scheme = f"int{run['bits']}:channel"
        found = search_scales(weights, X, scheme, grid=run["tried"])
        off = [X / found.scales @ fake_quantize(W * found.scales, scheme).T - X @ W.T for W in weights]
        lost = 100 * sum(np.square(D).sum() for D in off) / sum(np.square(X @ W.T).sum() for W in weights)
        assert diagnose.right(spec, run["run"]) == pytest.approx(lost, rel=1e-3)
        assert found.alpha > 0
        if run["run"] in spec["wrong"]:  # the printed error never passes for the right one
            assert run["error"] > lost * (1 + 2 * diagnose.TOLERANCE)
        else:
            assert (run["alpha"], run["error"]) == (found.alpha, pytest.approx(lost, rel=6e-3))
            np.testing.assert_allclose(run["s"], found.scales, rtol=6e-4)


@EVERY_KEY
def test_the_causes_do_what_their_names_say(key):
    spec = source.exercise("09.4").drawn(key)
    run, X = dict(bits=4, tried=20), np.array(spec["X"])
    alpha, s, *_ = diagnose.made(spec, run, "axis")
    np.testing.assert_allclose(s, diagnose.scales_of(np.abs(X).mean(axis=1), alpha))
    alpha, s, *_ = diagnose.made(spec, run, "signs")
    np.testing.assert_allclose(s, diagnose.scales_of(np.abs(X.sum(axis=0)), alpha))
    off = []  # of the weights, for every alpha
    for i in range(20):
        s = diagnose.scales_of(np.abs(X).mean(axis=0), i / 20)
        off.append(sum(np.square(fake_quantize(W * s, "int4:channel") / s - W).sum()
                       for W in (np.array(spec[n]) for n in "qkv")))
    assert diagnose.made(spec, run, "weights")[0] == int(np.argmin(off)) / 20
    right = diagnose.made(spec, run)
    for cause in diagnose.FOLD:
        found = diagnose.made(spec, run, cause)
        assert found[0] == right[0] and found[1].tolist() == right[1].tolist() and found[2] > right[2]


def test_the_two_mistakes_are_of_both_kinds():
    seen = set()
    for key in KEYS:
        wrong = source.exercise("09.4").drawn(key)["wrong"]
        assert len(wrong) == 2 and len(set(wrong.values()) & set(diagnose.SEARCH)) == 1
        seen |= set(wrong.values())
    assert len(seen) >= 5


@EVERY_KEY
def test_more_alphas_are_never_worse(key):
    """What a hint says: the ten alphas are among the twenty."""
    spec = source.exercise("09.4").drawn(key)
    for bits in (3, 4, 5, 6):
        errors = [diagnose.made(spec, dict(bits=bits, tried=tried))[2] for tried in (10, 20)]
        assert errors[1] <= errors[0]


@EVERY_KEY
def test_the_turns_one_number_at_a_time(key):
    spec = source.exercise("09.5").drawn(key)
    p, top = spec["p"], spec["top"]
    for name in ("first", "second", "shown"):
        best, measure, _ = hqq_turns.turned(spec, spec[name])
        for r, row in enumerate(spec[name]):
            scale, beta = (max(row) - min(row)) / top, spec["beta"]
            zero, zeros = -min(row) / scale, []
            for turn in range(spec["turns"] + 1):
                codes = [min(max(round(w / scale + zero), 0), top) for w in row]
                off = [w - scale * (c - zero) for w, c in zip(row, codes, strict=True)]
                assert measure[turn, r] == pytest.approx(sum(abs(x) ** p for x in off))
                zeros.append(zero)
                unit = scale if spec["in_steps"] else 1
                E = unit * shrink(np.array(off) / unit, beta, p)
                zero = sum(c - (w - e) / scale for c, w, e in zip(codes, row, E, strict=True)) / len(row)
                beta *= spec["kappa"]
            assert best[r] == pytest.approx(zeros[int(measure[:, r].argmin())])
        np.testing.assert_allclose(hqq_turns.measured(spec, spec[name], best), measure.min(axis=0))


@EVERY_KEY
def test_turns_help_some_rows_at_another_time_than_others(key):
    spec = source.exercise("09.5").drawn(key)
    for name in ("first", "second", "shown"):
        measure = hqq_turns.turned(spec, spec[name])[1]
        when = measure.argmin(axis=0)
        assert 0 < when[0] < when[1] == spec["turns"]
        assert (measure.min(axis=0)[:2] < 0.99 * measure[0, :2]).all()

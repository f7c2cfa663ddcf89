"""OBQ against its definition, and against all codes there are where there are few."""

from __future__ import annotations

import itertools

import naive
import numpy as np
import pytest

import minquant as mq
from minquant.methods import gptq, obq, rtn


def problem(rows: int, columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(80, max(columns // 4, 1))) @ rng.normal(size=(max(columns // 4, 1), columns))
    return rng.normal(size=(rows, columns)).astype(np.float32), \
        (common + 0.2 * rng.normal(size=(80, columns))).astype(np.float32)


@pytest.mark.parametrize("columns", [1, 2, 3, 16])
@pytest.mark.parametrize("scheme, options", [("int3:channel", (3, True)), ("int2:channel:asym", (2, False))])
def test_codes_are_those_of_the_definition(scheme, options, columns):
    W, X = problem(6, columns)
    assert obq(W, X, scheme).codes.tolist() == naive.obq(W, X, *options)


def test_groups_have_grids_fixed_beforehand():
    W, X = problem(4, 16)
    q = obq(W, X, "int3:g4:asym")
    assert q.codes.tolist() == naive.obq(W, X, 3, False, 4)
    assert np.array_equal(q.scale, rtn(W, "int3:g4:asym").scale)


def test_close_to_the_best_of_all_codes():
    """For four weights of seven values each all 2,401 rows can be tried. OBQ looks at ten and comes close."""
    rng = np.random.default_rng(1)
    W, X = rng.normal(size=(200, 4)).astype(np.float32), rng.normal(size=(80, 1)) + 0.2 * rng.normal(size=(80, 4))
    H = naive.damped_hessian(X, 0.01)
    plain, q = rtn(W, "int3:channel"), obq(W, X, "int3:channel")
    every = np.array(list(itertools.product(range(-3, 4), repeat=4)))  # (2401, 4)

    def error(codes, r):
        difference = codes * float(q.scale[r, 0]) - W[r].astype(np.float64)
        return np.einsum("...i,ij,...j->...", difference, H, difference)

    best = np.array([error(every, r).min() for r in range(200)])
    found, nearest = (np.array([error(codes[r], r) for r in range(200)]) for codes in (q.codes, plain.codes))
    assert (found >= best * (1 - 1e-9)).all()
    assert (found <= best * (1 + 1e-9)).mean() > 0.8 > 0.7 > (nearest <= best * (1 + 1e-9)).mean()
    assert found.mean() < 1.05 * best.mean() < 0.5 * nearest.mean()


def test_a_weight_on_its_grid_is_rounded_first_and_costs_nothing():
    W = np.array([[0.25, 7.0, 1.5, -3.5, 0.5]], np.float32) / 2  # scale 0.5: 7.0 and the last but one are on the grid
    X = np.ones((9, 5)) + 0.01 * np.random.default_rng(0).normal(size=(9, 5))
    q = obq(W, X, "int4:channel")
    assert q.codes[0, 1] == 7
    assert abs(float((W - q.dequantize()).sum())) < 0.26  # the inputs are nearly equal: only the sum matters


def test_outliers_do_not_wait():
    """A clipped grid: without rounding outliers at once they would be pushed on and on."""
    W, X = problem(16, 48)
    W[:, ::12] *= 6
    scheme = "int3:channel:p90"
    error = {name: np.linalg.norm(X @ (W - q.dequantize()).T) for name, q in [
        ("obq", obq(W, X, scheme)), ("gptq", gptq(W, X, scheme)), ("rtn", rtn(W, scheme))]}
    assert error["obq"] < error["gptq"] < error["rtn"]


def test_orthogonal_inputs_give_round_to_nearest():
    W, _ = problem(6, 32)
    for scheme in ("int4:channel", "int3:g8:asym", "int4:channel:mse", "int2:tensor"):
        assert np.array_equal(obq(W, np.diag(np.arange(1.0, 33)), scheme).codes, mq.quantize(W, scheme).codes)


def test_little_to_go_by():
    W, X = problem(4, 24)
    X[:, 5] = 0
    assert not obq(W, X, "int4:channel").dequantize()[:, 5].any()
    assert np.abs(obq(W, X[:1], "int4:channel").dequantize()).max() <= np.abs(W).max() * 1.001


@pytest.mark.parametrize("columns, scheme, said", [
    (513, "int4:channel", r"\(1, 513\) has more than 512 columns: use gptq"), (32, "mxfp4", "mxfp4 does not: use gptq"),
    (32, "q4_0", "use int4:g32:full"), (32, "nonsense", "unknown scheme"),
])
def test_what_it_does_not_take(columns, scheme, said):
    with pytest.raises(ValueError, match=said):
        obq(np.ones((1, columns)), np.ones((2, columns)), scheme)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="X holds nan at sample 1, column 2"):
        obq(np.ones((2, 4)), np.array([[1, 1, 1, 1], [1, 1, np.nan, 1]]), "int4:channel")
    with pytest.raises(ValueError, match="W has two axes"):
        obq(np.ones(4), np.ones((2, 4)), "int4:channel")

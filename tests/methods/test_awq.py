"""AWQ on one matrix: the search against every alpha tried by hand, and what scaling and clipping promise."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minquant as mq
from minquant.methods import awq, clip_weights, rtn, search_scales
from minquant.methods.awq import FLOOR, scales_for
from minquant.scaling import fake_quantize

PLAIN = [("int4:g8:asym", (4, False, 8)), ("int3:channel", (3, True, None)), ("int4:g8", (4, True, 8)),
         ("int2:channel:asym", (2, False, None))]


def problem(rows: int = 6, columns: int = 32, samples: int = 50, salient: int = 2, size: float = 20.0,
            seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A weight matrix, and inputs some of whose columns are much larger than the others."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, columns))
    X[:, rng.choice(columns, salient, replace=False)] *= size
    return rng.normal(0, 0.05, (rows, columns)).astype(np.float32), X.astype(np.float32)


def squared_error(W: np.ndarray, other: np.ndarray, X: np.ndarray) -> float:
    return float(np.square(X.astype(np.float64) @ (W.astype(np.float64) - other).T).sum())


# ---- the search


@pytest.mark.parametrize("scheme, options", PLAIN)
def test_the_search_takes_the_alpha_with_the_smallest_output_error(scheme, options):
    W, X = problem()
    expected = naive.awq_errors(W, X, *options, grid=20)
    found = search_scales([W], X, scheme)
    np.testing.assert_allclose(found.errors, expected, rtol=1e-4)
    best = expected.index(min(expected))
    assert found.alpha == best / 20 > 0
    np.testing.assert_allclose(found.scales, naive.awq_scales(X, best / 20), rtol=1e-6)


@pytest.mark.parametrize("scheme", [scheme for scheme, _ in PLAIN])
def test_alpha_0_is_round_to_nearest_exactly(scheme):
    W, X = problem()
    got, ref = awq(W, X, scheme, grid=1, clip=False), rtn(W, scheme)
    assert got.alpha == 0 and (got.scales == 1).all()
    assert np.array_equal(got.qtensor.codes, ref.codes) and np.array_equal(got.qtensor.scale, ref.scale)
    assert np.array_equal(got.weight, ref.dequantize())


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("scheme", ["int4:g128:asym", "int4:g32", "int3:g64:asym", "nf4", "q4_0"])
def test_with_salient_columns_the_error_is_below_a_third_of_round_to_nearest(scheme, clip):
    W, X = problem(rows=64, columns=256, samples=300, salient=3, size=30)
    got = awq(W, X, scheme, clip=clip)
    assert got.error < squared_error(W, rtn(W, scheme).dequantize(), X) / 3
    assert got.error == pytest.approx(squared_error(W, got.weight, X), rel=1e-4)


def test_dividing_the_salient_columns_instead_makes_it_worse():
    W, X = problem(rows=32, columns=128, samples=200)
    s = search_scales([W], X, "int4:g32").scales
    plain, right, wrong = (squared_error(W, fake_quantize(W * by, "int4:g32") / by, X) for by in (s / s, s, 1 / s))
    assert right < plain / 3 and wrong > 3 * plain


def test_without_salient_columns_there_is_little_to_gain():
    W, X = problem(rows=32, columns=128, samples=400, salient=0)
    assert awq(W, X, "int4:g32", clip=False).error > 0.8 * squared_error(W, rtn(W, "int4:g32").dequantize(), X)


@given(st.integers(0, 2**32), st.floats(0, 2),
       st.sampled_from(["int4:g8:asym", "int3:channel", "mxfp4", "fp4_e2m1:g16", "int8:channel"]))
@settings(max_examples=25, deadline=None)
def test_scaling_alone_never_loses_to_round_to_nearest(seed, spread, scheme):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(4, 32)).astype(np.float32)
    X = (rng.normal(size=(7, 32)) * np.exp(spread * rng.normal(size=32))).astype(np.float32)
    got = awq(W, X, scheme, clip=False)
    assert got.error <= squared_error(W, rtn(W, scheme).dequantize(), X) * (1 + 1e-5)


def test_columns_that_are_all_alike_keep_the_first_alpha():
    W, X = problem()
    X = np.sign(X)  # mean|x| is 1 everywhere: every alpha gives the same scales
    found = search_scales([W], X, "int4:g8")
    assert found.alpha == 0 and np.ptp(found.errors) == 0


def test_the_scaled_weight_on_divided_inputs_gives_the_same_output():
    W, X = problem()
    got = awq(W, X, "int4:g8:asym")
    np.testing.assert_allclose((X / got.scales) @ got.qtensor.dequantize().T, X @ got.weight.T, rtol=1e-4, atol=1e-4)
    assert got.weight.shape == W.shape and got.weight.dtype == np.float32 and got.qtensor.shape == W.shape


# ---- scales


def test_the_largest_scale_times_the_smallest_is_1_and_units_do_not_matter():
    W, X = problem()
    magnitude = np.abs(X).mean(axis=0, dtype=np.float64)
    s = scales_for(magnitude, 0.5)
    assert s.max() * s.min() == pytest.approx(1, rel=1e-6) and s.dtype == np.float32
    np.testing.assert_allclose(scales_for(1000 * magnitude, 0.5), s, rtol=1e-6)
    np.testing.assert_allclose(s / s[0], np.sqrt(magnitude / magnitude[0]), rtol=1e-6)


def test_columns_that_are_never_used_keep_scale_1_and_change_no_other():
    magnitude = np.array([0.0, 4.0, 0.25, 0.0])
    assert scales_for(magnitude, 0.5).tolist() == [1, 2, 0.5, 1]
    assert scales_for(np.zeros(3), 0.5).tolist() == [1, 1, 1]
    assert scales_for(np.array([1.0, 1e-30]), 0.5).tolist() == pytest.approx([FLOOR**-0.25, FLOOR**0.25])


@pytest.mark.parametrize("scheme", ["int4:g8:asym", "int4:channel"])
def test_inputs_that_are_all_zero_give_round_to_nearest(scheme):
    W, X = problem()
    got = awq(W, np.zeros_like(X), scheme)
    assert got.alpha == 0 and got.error == 0 and np.array_equal(got.weight, rtn(W, scheme).dequantize())


# ---- several matrices, and a part of a model that they belong to


def test_matrices_that_share_their_input_share_the_scales_of_the_stack():
    (a, X), (b, _) = problem(rows=4), problem(rows=9, seed=1)
    together, stack = (search_scales(weights, X, "int3:g8") for weights in ([a, b], [np.concatenate((a, b))]))
    np.testing.assert_allclose(together.errors, stack.errors, rtol=1e-12)
    assert np.array_equal(together.scales, stack.scales)
    assert not np.array_equal(together.errors, search_scales([a], X, "int3:g8").errors)


def test_matrices_that_share_their_input_may_have_schemes_of_their_own():
    (a, X), (b, _) = problem(seed=1), problem(rows=4, seed=2)
    mixed = search_scales([a, b], X, ["int3:g8", "int8:channel"])
    single = [search_scales([W], X, scheme).errors for W, scheme in ((a, "int3:g8"), (b, "int8:channel"))]
    np.testing.assert_allclose(mixed.errors, sum(single), rtol=1e-9)
    with pytest.raises(ValueError, match="1 schemes for 2 matrices: give one for each"):
        search_scales([a, b], X, ["int3:g8"])


def test_a_forward_function_is_what_the_error_is_measured_by():
    (gate, X), (up, _) = problem(seed=2), problem(seed=3)
    X = X / 10

    def forward(weights):
        return np.tanh(X @ weights[0].T) * (X @ weights[1].T)

    found = search_scales([gate, up], X, "int3:g8:asym", forward)
    target = forward([gate, up])
    for i in range(20):
        s = np.array(naive.awq_scales(X, i / 20))
        trial = [np.array([naive.rounded_row(row, 3, False, 8) for row in W * s]) / s for W in (gate, up)]
        assert found.errors[i] == pytest.approx(np.square(forward(trial) - target).sum(), rel=1e-3)
    assert found.alpha == found.errors.argmin() / 20
    plain = search_scales([gate, up], X, "int3:g8:asym", lambda ws: np.concatenate([X @ W.T for W in ws], axis=1))
    np.testing.assert_allclose(plain.errors, search_scales([gate, up], X, "int3:g8:asym").errors, rtol=1e-4)


# ---- clipping


@pytest.mark.parametrize("scheme, options", [("int3:g8:asym", (3, False, 8)), ("int3:channel", (3, True, None)),
                                             ("int4:g16", (4, True, 16))])
def test_each_group_is_clipped_where_its_own_output_suffers_least(scheme, options):
    W, X = problem(rows=4)
    clipped = clip_weights(W, X, scheme)
    assert np.array_equal(clipped, naive.awq_clip(W, X, *options))
    assert (np.abs(clipped) < np.abs(W)).any()


@given(st.integers(0, 2**32), st.sampled_from(["int4:g8:asym", "int3:g8", "int2:g16:asym", "mxfp4"]))
@settings(max_examples=25, deadline=None)
def test_clipping_is_never_worse_in_the_output_of_a_group(seed, scheme):
    rng = np.random.default_rng(seed)
    W = rng.standard_t(3, (3, 32)).astype(np.float32)
    X = rng.normal(size=(9, 32)).astype(np.float32)
    group = mq.Scheme.parse(scheme).group_size
    clipped = clip_weights(W, X, scheme)
    for start in range(0, 32, group):
        part = slice(start, start + group)
        before, after = (np.square(X[:, part] @ (W - fake_quantize(w, scheme))[:, part].T).sum(axis=0)
                         for w in (W, clipped))
        assert (after <= before * (1 + 1e-4) + 1e-6).all()
    assert (np.abs(clipped) <= np.abs(W)).all() and (np.sign(clipped) == np.sign(W)).all()


def test_what_cannot_gain_is_not_clipped():
    W = np.ones((3, 16), np.float32)
    X = np.random.default_rng(0).normal(size=(20, 16)).astype(np.float32)
    assert np.array_equal(clip_weights(W, X, "int4:g8"), W)
    assert np.array_equal(clip_weights(0 * W, X, "int4:g8:asym"), 0 * W)


# ---- input that is thin, strange or wrong


def test_one_sample_zero_rows_and_constant_columns():
    W, X = problem()
    W[:, 3] = 0.01
    W[2] = 0
    X[:, 4] = 2.0
    for inputs in (X[:1], X):
        got = awq(W, inputs, "int4:g8:asym")
        assert np.isfinite(got.weight).all() and (got.weight[2] == 0).all() and got.error >= 0


@pytest.mark.parametrize("change, words", [
    (lambda W, X: (W, np.where(np.arange(32) == 7, np.nan, X)), r"X holds nan at sample 0, column 7"),
    (lambda W, X: (W, np.where(X == X[3, 1], np.inf, X)), r"X holds inf at sample 3, column 1"),
    (lambda W, X: (W, X[:0]), "no samples"),
    (lambda W, X: (W, X[:, :-1]), r"X has 31 columns and a matrix of shape \(6, 32\) reads 32"),
    (lambda W, X: (W, X[0]), r"X, \(samples, in\), has two axes, got shape \(32,\)"),
    (lambda W, X: (W[0], X), r"W, \(out, in\), has two axes"),
    (lambda W, X: (np.where(W == W[1, 2], np.nan, W), X), r"NaN or infinite, the first at index \(1, 2\)"),
])
def test_what_is_wrong_is_named(change, words):
    W, X = change(*problem())
    with pytest.raises(ValueError, match=words):
        awq(W, X, "int4:g8:asym")


def test_schemes_and_settings_that_make_no_sense_are_refused():
    W, X = problem()
    for scheme in ("int4:tensor", "bf16"):
        with pytest.raises(ValueError, match="AWQ needs a scale per row or per group"):
            awq(W, X, scheme)
        with pytest.raises(ValueError, match="AWQ needs a scale per row or per group"):
            clip_weights(W, X, scheme)
    with pytest.raises(ValueError, match="group size 5 does not divide"):
        awq(W, X, "int4:g5")
    with pytest.raises(ValueError, match="grid must be at least 1"):
        awq(W, X, "int4:g8", grid=0)
    with pytest.raises(ValueError, match="no matrix"):
        search_scales([], X, "int4:g8")
    with pytest.raises(ValueError, match="no alpha gives a finite error"):
        search_scales([W], X, "int4:g8", lambda weights: np.full(3, np.nan))


def test_the_names_are_functions_not_files():
    import minquant.methods.awq  # noqa: F401  importing the file must not hide the function

    assert callable(mq.methods.awq)

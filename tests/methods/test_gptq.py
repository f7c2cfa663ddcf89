"""GPTQ against its definition, and the exact properties that follow from it."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minquant as mq
from minquant.methods import gptq, gptq_from_hessian, hessian, rtn
from minquant.methods.column_grid import ColumnGrid
from minquant.methods.gptq import round_columns
from minquant.methods.hessian import check_problem, damped, inverse_factor

INTEGERS = ["int4:channel", "int2:channel", "int8:channel", "int3:g8:asym", "int4:g8", "int4:channel:asym:mse",
            "int3:g8:l2", "int4:tensor", "int4:g8:full"]
OTHERS = ["fp8_e4m3:channel", "fp4_e2m1:g16", "mxfp4", "mxfp8_e5m2:ceil", "mxint8", "mxfp4:mse", "nf4", "bf16", "fp16",
          "ternary:g16:absmean", "fp6_e3m2:tensor", "int4:g32:kl", "int5:channel:p99.9"]


def problem(rows: int = 12, columns: int = 64, samples: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A weight matrix, and inputs most of which lie in an eighth of the dimensions."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(samples, columns // 8)) @ rng.normal(size=(columns // 8, columns))
    X = common + 0.1 * rng.normal(size=(samples, columns))
    return rng.normal(0, 0.05, (rows, columns)).astype(np.float32), X.astype(np.float32)


def output_error(W: np.ndarray, q: mq.QTensor, X: np.ndarray) -> float:
    return float(np.linalg.norm(X @ (W - q.dequantize()).T))


def same(a: mq.QTensor, b: mq.QTensor) -> bool:
    return all(x is y is None or np.array_equal(x, y)
               for x, y in [(a.codes, b.codes), (a.scale, b.scale), (a.zero_point, b.zero_point)])


# ---- the definition: at any time the free weights are the least-squares answer to those rounded so far


@pytest.mark.parametrize("scheme, options", [
    ("int4:channel", (4, True)), ("int3:channel:asym", (3, False)), ("int2:channel", (2, True)),
    ("int8:channel", (8, True)), ("int4:g8", (4, True, 8)), ("int2:g8:asym", (2, False, 8)),
    ("int3:g8:asym:mse", (3, False, 8, 2.4)), ("int4:channel:l2", (4, True, None, 2.0)),
])
def test_codes_are_those_of_the_definition(scheme, options):
    W, X = problem(rows=5, columns=24, samples=60)
    X[:, 5] = 0
    assert gptq(W, X, scheme, block=5).codes.tolist() == naive.gptq(W, X, *options)
    assert gptq(W, X, scheme, damp=0.3).codes.tolist() == naive.gptq(W, X, *options, damp=0.3)


@pytest.mark.parametrize("scheme, options", [("int3:channel", (3, True)), ("int4:g8:asym", (4, False, 8))])
def test_order_and_fixed_grids_are_those_of_the_definition(scheme, options):
    W, X = problem(rows=5, columns=24, samples=60)
    fixed = naive.gptq(W, X, *options, static=True)
    assert gptq(W, X, scheme, static_groups=True).codes.tolist() == fixed
    order = sorted(range(24), key=lambda j: -float((X[:, j].astype(np.float64) ** 2).sum()))
    reordered = naive.gptq(W, X, *options, static=True, order=order)
    assert gptq(W, X, scheme, act_order=True, static_groups=True).codes.tolist() == reordered != fixed


def test_groups_take_their_grid_from_the_weights_as_they_are_by_then():
    W, X = problem()
    changing, fixed = gptq(W, X, "int4:g16"), gptq(W, X, "int4:g16", static_groups=True)
    plain = rtn(W, "int4:g16")
    assert np.array_equal(fixed.scale, plain.scale)
    assert np.array_equal(changing.scale[:, 0], plain.scale[:, 0])
    assert (changing.scale[:, 1:] != plain.scale[:, 1:]).mean() > 0.9


# ---- exact properties


@pytest.mark.parametrize("scheme", ["int3:channel", "int4:g16:asym", "mxfp4", "int2:tensor"])
def test_squared_errors_add_up_to_the_error_of_the_output(scheme):
    W, X = problem()
    X[:, 7] = 0
    W, H, dead = check_problem(W, hessian(X))
    U, grid = inverse_factor(H, 0.01, dead), ColumnGrid(W, scheme)
    refit = grid.length < 64
    snapped, err = round_columns(W, U, grid, np.arange(64), block=10, refit=refit)
    difference = W.astype(np.float64) - grid.qtensor(snapped).dequantize()
    trace = np.trace(difference @ damped(H, 0.01, dead) @ difference.T)
    assert (err**2).sum() == pytest.approx(trace, rel=1e-10)
    assert same(grid.qtensor(snapped), gptq(W, X, scheme))


def hadamard_64() -> np.ndarray:
    H = np.ones((1, 1), np.float32)
    for _ in range(6):
        H = np.block([[H, H], [H, -H]])
    return H


@pytest.mark.parametrize("scheme", INTEGERS + OTHERS)
def test_orthogonal_inputs_give_round_to_nearest(scheme):
    W, _ = problem()
    X = hadamard_64() * np.linspace(0.25, 4, 64, dtype=np.float32).round(2)
    static = "g" in scheme or scheme[:2] in ("mx", "nf")
    for options in ({}, {"act_order": True, "static_groups": static}):
        assert same(gptq(W, X, scheme, **options), mq.quantize(W, scheme))


@pytest.mark.parametrize("scheme", INTEGERS + OTHERS[:7])
def test_any_block_size_gives_the_same_codes(scheme):
    W, X = problem()
    reference = gptq(W, X, scheme)
    assert all(same(gptq(W, X, scheme, block=block), reference) for block in (1, 3, 16, 63, 1000))


@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_any_shape_and_block_size(rows, groups, samples, block, seed):
    rng = np.random.default_rng(seed)
    W, X = rng.normal(size=(rows, 4 * groups)), rng.normal(size=(samples, 4 * groups)) * (rng.random(4 * groups) > 0.2)
    q = gptq(W, X, "int3:g4:asym", block=block)
    assert same(q, gptq(W, X, "int3:g4:asym")) and np.isfinite(q.dequantize()).all()
    assert not q.dequantize()[:, ~X.any(axis=0)].any()


def test_dead_columns_become_zero_and_change_nothing_else():
    W, X = problem()
    dead = np.array([0, 3, 40, 63])
    X[:, dead] = 0
    W[:, 3] = 9  # would make every scale larger
    rest = np.setdiff1d(np.arange(64), dead)
    for scheme in ("int4:channel", "int3:channel:asym", "fp8_e4m3:channel"):
        q = gptq(W, X, scheme)
        assert not q.dequantize()[:, dead].any()
        assert np.array_equal(q.codes[:, rest], gptq(W[:, rest], X[:, rest], scheme).codes)
    assert not gptq(W, np.zeros_like(X), "int4:g32:asym").dequantize().any()


def test_the_unit_of_the_inputs_does_not_matter():
    W, X = problem()
    X[:, 11] = 0
    for factor in (2.0**-30, 2.0**30):
        assert same(gptq(W, X * np.float32(factor), "int3:g16"), gptq(W, X, "int3:g16"))


@pytest.mark.parametrize("scheme", ["int4:channel", "int4:g32:asym", "int4:g16"])
@pytest.mark.parametrize("options", [{}, {"act_order": True, "static_groups": True}])
def test_on_correlated_inputs_the_output_error_is_less_than_half(scheme, options):
    W, X = problem(rows=64, columns=128, samples=600)
    plain, q = rtn(W, scheme), gptq(W, X, scheme, **options)
    assert output_error(W, q, X) < 0.5 * output_error(W, plain, X)
    assert np.linalg.norm(W - q.dequantize()) > np.linalg.norm(W - plain.dequantize())  # and the weights' is larger


# ---- H


def test_inputs_may_come_in_pieces():
    W, X = problem(samples=1000)
    pieces = (X[i:i + 300] for i in range(0, 1000, 300))
    H = hessian(pieces)
    np.testing.assert_allclose(H, X.astype(np.float64).T @ X, rtol=1e-12)
    assert same(gptq_from_hessian(W, H, "int4:channel"), gptq(W, X, "int4:channel"))
    total = mq.methods.Hessian()
    total.add(X[:1]), total.add(np.zeros((0, 64))), total.add(X[1:])
    assert total.samples == 1000 and np.allclose(total.result(), H)


def test_the_sum_is_in_float64():
    X = np.array([[3e30, 1], [1e-12, 1]], np.float32)
    expected = X.astype(np.float64).T @ X.astype(np.float64)
    np.testing.assert_allclose(hessian(X), expected, rtol=1e-15)


def test_the_factor_is_that_of_the_inverse():
    _, X = problem()
    H = hessian(X)
    alive = np.zeros(64, bool)
    U = inverse_factor(H, 0.01, alive)
    assert not np.tril(U, -1).any() and (np.diag(U) > 0).all()
    np.testing.assert_allclose(U.T @ U, np.linalg.inv(damped(H, 0.01, alive)), rtol=1e-9, atol=1e-15)
    rest = np.linalg.inv(damped(H, 0.01, alive)[20:, 20:])  # what is left after 20 columns
    np.testing.assert_allclose(U[20, 20:] / U[20, 20], rest[0] / rest[0, 0], rtol=1e-8, atol=1e-12)


def test_nothing_that_is_given_is_changed():
    W, X = problem()
    X[:, 3] = 0
    H = hessian(X)
    kept = W.copy(), X.copy(), H.copy()
    gptq(W, X, "int4:g16"), gptq_from_hessian(W, H, "int4:channel", act_order=True)
    assert all(np.array_equal(a, b) for a, b in zip((W, X, H), kept))
    view = np.asfortranarray(W)
    assert same(gptq(view, X[:, ::-1][:, ::-1], "int4:g16"), gptq(W, X, "int4:g16"))


# ---- little to go by


@pytest.mark.parametrize("samples", [1, 2, 63])
@pytest.mark.parametrize("scheme", ["int4:channel", "int4:g16:asym"])
def test_fewer_samples_than_columns(scheme, samples):
    W, X = problem(samples=samples)
    q = gptq(W, X, scheme)
    assert output_error(W, q, X) < 0.5 * output_error(W, rtn(W, scheme), X)
    assert np.abs(W - q.dequantize()).max() < 0.5  # and nothing ran away: weights are up to 0.2


def test_constant_columns():
    W, X = problem()
    X[:, 10:20] = 3.5  # inputs that never change: they all say the same
    W[:, 30:40] = 0.05
    q = gptq(W, X, "int4:channel")
    assert output_error(W, q, X) < 0.5 * output_error(W, rtn(W, "int4:channel"), X)
    assert not gptq(np.zeros_like(W), X, "int4:g16:asym").dequantize().any()


def test_damping_grows_until_h_can_be_factored_and_says_so():
    W, X = problem(samples=5)
    with pytest.warns(RuntimeWarning, match="damped by 0 could not be factored; 1e-06 was used"):
        q = gptq(W, X, "int4:channel", damp=0)
    assert same(q, gptq(W, X, "int4:channel", damp=1e-6))
    indefinite = np.array([[1.0, 3.0], [3.0, 1.0]])
    with pytest.raises(ValueError, match="even with 1 of its mean diagonal added"):
        gptq_from_hessian(np.ones((1, 2)), indefinite, "int4:channel")


# ---- what is refused


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(value):
    W, X = problem(samples=5000)
    X[4321, 17] = value
    with pytest.raises(ValueError, match=f"X holds {value} at sample 4321, column 17"):
        gptq(W, X, "int4:channel")
    W, X = problem()
    W[2, 3] = value
    with pytest.raises(ValueError, match=f"W holds {value} at row 2, column 3"):
        gptq(W, X, "int4:channel")


@pytest.mark.parametrize("W, X, said", [
    (np.ones(4), np.ones((3, 4)), r"W has two axes, \(out, in\).* \(4,\)"),
    (np.ones((0, 4)), np.ones((3, 4)), "not empty"),
    (np.ones((2, 4)), np.ones((3, 5)), r"W of shape \(2, 4\) needs inputs X of shape \(samples, 4\).*H of shape \(5, 5\)"),
    (np.ones((2, 4)), np.ones(4), r"X has two axes, \(samples, in\)"),
    (np.ones((2, 4)), np.ones((0, 4)), "X holds no samples"),
    (np.ones((2, 4)), [], "X holds no samples"),
    (np.ones((2, 4)), [np.ones((3, 4)), np.ones((3, 5))], "X has 5 columns, the inputs before it had 4"),
])
def test_shapes_that_do_not_fit(W, X, said):
    with pytest.raises(ValueError, match=said):
        gptq(W, X, "int4:channel")


@pytest.mark.parametrize("H, said", [
    (np.eye(3), r"got H of shape \(3, 3\)"), (np.full((4, 4), np.nan), "H holds NaN"), (-np.eye(4), "not symmetric"),
    (np.triu(np.ones((4, 4))), "not symmetric"),
])
def test_an_h_that_is_none(H, said):
    with pytest.raises(ValueError, match=said):
        gptq_from_hessian(np.ones((2, 4)), H, "int4:channel")


@pytest.mark.parametrize("scheme, options, said", [
    ("int4:g32", {"act_order": True}, "add static_groups=True"), ("q4_0", {}, "rule of its own.*use int4:g32:full"),
    ("nvfp4", {}, "from the whole tensor.*use fp4_e2m1:g16"), ("nf4_dq", {}, "use nf4"),
    ("int9:channel", {}, "unknown scheme"), ("int4:g48", {}, "group size 48 does not divide"),
    ("int4:channel", {"damp": -0.1}, "damp is a share"), ("int4:channel", {"damp": np.nan}, "damp is a share"),
    ("int4:channel", {"block": 0}, "block is a number of columns"), ("int4:g32", {"block": 2.5}, "block is a number"),
])
def test_options_that_cannot_be(scheme, options, said):
    W, X = problem()
    with pytest.raises(ValueError, match=said):
        gptq(W, X, scheme, **options)


def test_what_the_refusals_recommend_works():
    from minquant.methods.column_grid import INSTEAD

    W, X = problem()
    for scheme in INSTEAD.values():
        assert gptq(W, X, scheme).shape == W.shape


def test_the_name_is_the_function_not_its_file():
    import minquant.methods.gptq  # noqa: F401  importing the file must not hide the function

    assert callable(mq.methods.gptq) and callable(mq.methods.hessian)

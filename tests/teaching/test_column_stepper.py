"""Lesson 08's stepper: what it keeps is what GPTQ does, and what it draws is what it kept."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from minquant.methods import gptq, hessian, rtn
from minquant.methods.hessian import damped
from minquant.teaching import column_stepper, svg
from minquant.teaching.column_steps import pushes_on, record, related

ROWS, COLUMNS = (3, 0), (9, 2, 5, 7)  # not in the matrix's own order


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(8)
    X = (rng.standard_normal((60, 4)) @ rng.standard_normal((4, 12)) + rng.standard_normal((60, 12)) / 3 + 0.5)
    return rng.standard_normal((6, 12)).astype(np.float32), X.astype(np.float32)


@pytest.fixture(scope="module")
def steps(problem):
    return record("a cut", *problem, ROWS, COLUMNS, followed=(0, 5))


def texts(drawing: str) -> list[str]:
    return ["".join(t.itertext()) for t in ElementTree.fromstring(drawing).findall(".//{*}text")]


# ---- what is kept

def test_the_codes_are_those_of_gptq(problem, steps):
    W, X = (part[:, COLUMNS] for part in problem)
    q = gptq(W, X, "int4:channel")
    np.testing.assert_array_equal(steps.codes, q.codes[list(ROWS)])
    np.testing.assert_allclose(steps.weights[-1] * q.scale[list(ROWS)], q.dequantize()[list(ROWS)], rtol=1e-6)
    assert not np.array_equal(q.codes, rtn(W, "int4:channel").codes)


def test_every_push_is_an_error_times_a_share_and_a_share_is_a_least_squares_answer(problem, steps):
    X = problem[1][:, COLUMNS].astype(np.float64)
    H = damped(X.T @ X, 0.01, np.zeros(4, bool))
    for i in range(3):
        answer = np.linalg.solve(H[i + 1:, i + 1:], H[i + 1:, i])
        np.testing.assert_allclose(steps.shares[i, i + 1:], answer)
        error = steps.weights[i, :, i] - steps.weights[i + 1, :, i]
        pushes = steps.weights[i + 1, :, i + 1:] - steps.weights[i, :, i + 1:]
        np.testing.assert_allclose(pushes, np.outer(error, answer), atol=1e-12)
    assert not np.tril(steps.shares).any()


def test_the_running_errors_are_those_of_the_outputs(problem, steps):
    W, X = (part[:, COLUMNS].astype(np.float64) for part in problem)
    at_the_end = [np.square(X @ (W - q.dequantize()).T).sum() for q in
                  (rtn(W, "int4:channel"), gptq(W, X, "int4:channel"))]
    assert steps.nearest[0] == steps.repaired[0] == 0 and steps.nearest[-1] == 1
    assert steps.repaired[-1] == pytest.approx(at_the_end[1] / at_the_end[0], rel=1e-5)
    first = W.copy()
    first[:, 0] = rtn(W, "int4:channel").dequantize()[:, 0]
    assert steps.nearest[1] == pytest.approx(np.square(X @ (W - first).T).sum() / at_the_end[0], rel=1e-5)


@pytest.mark.parametrize("act_order", [False, True])
def test_the_pushes_on_one_weight_add_up_to_the_way_it_went(problem, act_order):
    W, X = problem
    q = gptq(W, X, "int4:channel", act_order=act_order)
    order = np.argsort(-np.square(X.astype(float)).sum(axis=0), kind="stable") if act_order else np.arange(12)
    for row, column in ((0, 0), (2, 7), (5, 11)):
        p = pushes_on(W, hessian(X), (row, column), act_order=act_order)
        assert p.code == q.codes[row, column] and p.start == pytest.approx(W[row, column] / q.scale[row, 0])
        assert p.start + p.pushes.sum() == pytest.approx(p.end) and abs(np.clip(p.end, -7, 7) - p.code) <= 0.5
        assert [*p.columns, column] == list(order[:len(p.pushes) + 1])


@pytest.mark.parametrize("scheme", ["int4:g4", "int4:channel:asym", "fp4_e2m1:channel", "int4:tensor"])
def test_a_scheme_without_steps_per_row_is_refused(problem, scheme):
    with pytest.raises(ValueError, match="use symmetric integers with a scale per row"):
        record("", *problem, ROWS, COLUMNS, scheme)
    with pytest.raises(ValueError, match="use symmetric integers with a scale per row"):
        pushes_on(problem[0], hessian(problem[1]), (0, 0), scheme)


def test_related_inputs_are_the_most_alike_and_the_column_is_among_them(problem):
    X = problem[1].astype(np.float64)
    alike = {c: abs(X[:, 4] @ X[:, c]) / np.linalg.norm(X[:, c]) for c in range(12) if c != 4}
    assert related(problem[1], 4, 5) == sorted([4, *sorted(alike, key=alike.get)[-4:]])


# ---- what is drawn

@pytest.mark.parametrize("done", range(5))
def test_a_card_shows_codes_to_the_left_and_free_weights_to_the_right(steps, done):
    card = column_stepper.column_card(steps, done)
    root, said = ElementTree.fromstring(card), texts(card)
    blue = [r for r in root.findall(".//{*}rect") if r.get("fill") == svg.SKY]
    assert len(blue) == 2 * done
    for row in range(2):
        for column in range(4):
            shown = str(steps.codes[row, column]) if column < done else f"{steps.weights[done, row, column]:.2f}"
            assert shown in said
    assert f"so far: nearest {steps.nearest[done]:.1%}, GPTQ {steps.repaired[done]:.1%}" in said
    assert f"{done} of 4 columns rounded" in root.get("aria-label")
    for number in (*COLUMNS, "row 3", "row 0"):
        assert str(number) in said


def test_shares_and_pushes_are_drawn_with_their_signs(steps):
    said = texts(column_stepper.column_card(steps, 1))
    for share in steps.shares[0, 1:]:
        assert f"{share:+.2f}".replace("0.", ".", 1) in said
    for push in (steps.weights[1] - steps.weights[0])[:, 1:].ravel():
        assert abs(push) < 0.005 or f"{push:+.2f}".replace("0.", ".", 1) in said


def test_everything_lies_on_the_card(steps):
    for done in range(5):
        root = ElementTree.fromstring(column_stepper.column_card(steps, done))
        height = float(root.get("height"))
        for element in root.iter():
            for name, size in (("x", column_stepper.WIDTH), ("x1", column_stepper.WIDTH), ("x2", column_stepper.WIDTH),
                               ("y", height), ("y1", height), ("y2", height)):
                assert element.get(name) is None or 0 <= float(element.get(name)) <= size


def test_only_the_followed_weight_is_marked_and_only_where_there_is_one(problem, steps):
    marked = [r for r in ElementTree.fromstring(column_stepper.column_card(steps, 2)).findall(".//{*}rect")
              if r.get("stroke-dasharray")]
    assert len(marked) == 1 and steps.followed == (1, 2)
    plain = column_stepper.column_card(record("", *problem, ROWS, COLUMNS), 2)
    assert not [r for r in ElementTree.fromstring(plain).findall(".//{*}rect") if r.get("stroke-dasharray")]
    assert "followed" not in plain


def test_the_stepper_draws_the_cut_and_the_step_it_is_asked_for(problem, steps):
    draw = column_stepper.stepper_drawing({"a": steps, "b": record("b", *problem, (1, 2), (0, 1, 3, 4))})
    assert draw(3, "a") == column_stepper.column_card(steps, 3)
    assert "row 1" in texts(draw(0, "b"))


def test_cuts_that_share_a_slider_are_equally_wide(problem, steps):
    with pytest.raises(ValueError, match=r"equally many columns, not \[2, 4\]"):
        column_stepper.stepper_drawing({"a": steps, "b": record("b", *problem, (1, 2), (0, 1))})

"""Lesson 09's widget and plots: the errors against plain sums, the U-curve, and what the pictures say."""

import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402

from minquant import quantize  # noqa: E402
from minquant.teaching import salience_figures, salient_channel, svg  # noqa: E402
from minquant.teaching.salient_channel import SCALES  # noqa: E402

COLUMN, ONE = 5, SCALES.index(1)


def words(picture: str) -> str:
    return " | ".join("".join(t.itertext()) for t in ElementTree.fromstring(picture).findall(".//{*}text"))


def lines(picture: str, stroke: str) -> list[dict[str, float]]:
    found = [e.attrib for e in ElementTree.fromstring(picture).findall(".//{*}line") if e.get("stroke") == stroke]
    return [{key: float(line[key]) for key in ("x1", "y1", "x2", "y2")} for line in found]


@pytest.fixture(scope="module")
def group():
    """Weights (40, 32) and inputs (200, 32), those of one column eight times as large."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 32)).astype(np.float32)
    X[:, COLUMN] *= 8
    return rng.standard_normal((40, 32)).astype(np.float32) / 8, X


@pytest.fixture(scope="module", params=["int3:g32:asym", "int4:g32"])
def case(request, group):
    return salient_channel.measure("A column", *group, COLUMN, request.param, row=3)


@pytest.mark.parametrize("position", [0, ONE, ONE + 4, len(SCALES) - 1])
def test_the_errors_are_those_of_the_output(group, case, position):
    W, X = (x.astype(np.float64) for x in group)
    scheme = "int3:g32:asym" if len(case.grids[0]) == 8 else "int4:g32"

    def error(s, columns):
        factor = np.ones(32, np.float32)
        factor[COLUMN] = s
        D = W - quantize(group[0] * factor, scheme).dequantize() / factor
        return ((X[:, columns] @ D[:, columns].T) ** 2).sum()

    everything, others = np.arange(32), np.delete(np.arange(32), COLUMN)
    whole = error(1, everything)
    assert case.together[position] == pytest.approx(error(SCALES[position], everything) / whole, rel=1e-4)
    assert case.neighbours[position] == pytest.approx(error(SCALES[position], others) / whole, rel=1e-4)
    assert case.own[position] == pytest.approx(error(SCALES[position], [COLUMN]) / whole, rel=1e-4)


def test_the_curve_is_a_u_with_its_lowest_point_inside(case):
    assert ONE < case.best < len(SCALES) - 1
    assert case.together[case.best] < 0.8 and case.together[-1] > 2
    assert case.own[ONE + 8] < 0.25 * case.own[ONE] and case.neighbours[-1] > 5 * case.neighbours[ONE]


def test_a_column_with_ordinary_inputs_has_nothing_to_win(group):
    W, X = group
    usual = salient_channel.measure("A column", W, X, COLUMN + 1, "int3:g32:asym")
    assert usual.own[ONE] < 0.05 and usual.together[usual.best] > 0.95


def test_planting_only_moves_the_curve(group):
    W, X = group
    factor = np.where(np.arange(32) == COLUMN, np.float32(16), np.float32(1))
    here, there = (salient_channel.measure("A column", w, x, COLUMN, "int3:g32:asym")
                   for w, x in ((W, X), (W / factor, X * factor)))
    np.testing.assert_allclose(there.together[16:] / there.together[16 + ONE],
                               here.together[:-16] / here.together[ONE], rtol=1e-6)


@pytest.mark.parametrize("position", range(0, len(SCALES), 4))
def test_every_weight_is_joined_to_a_line_of_the_shared_grid(case, position):
    picture = salient_channel.scale_card(case, position)
    grid = [line["y1"] for line in lines(picture, svg.SKY)]
    errors = lines(picture, svg.VERMILLION)
    assert len(errors) == 32 and grid
    for place, line in enumerate(errors):
        if place != COLUMN and min(grid) <= line["y1"] <= max(grid):
            assert min(abs(line["y2"] - y) for y in grid) < 0.03


def test_the_card_says_what_was_measured(case):
    draw = salient_channel.scale_drawing({"a": case})
    first, later = draw(ONE, "a"), draw(ONE + 4, "a")
    assert "s = 1: output error of the column" in words(first) and "together 100%" in words(first)
    assert f"{100 * case.together[ONE + 4]:.2g}%" in words(later) and f"least at s = {SCALES[case.best]:.3g}" in later
    assert first != later


def test_a_weight_beyond_the_picture_is_named(case):
    assert f"at {case.row[COLUMN] * SCALES[-1]:.3g}" in words(salient_channel.scale_card(case, len(SCALES) - 1))
    assert "| at " not in words(salient_channel.scale_card(case, ONE))


# ---- the plots


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_columns_are_sorted_in_units_of_their_median():
    _, axes = salience_figures.uneven({"inputs": np.array([1.0, 8.0, 2.0]), "weights": np.array([3.0, 3.0, 3.0])}, "y")
    assert [list(line.get_ydata()) for line in axes.get_lines()] == [[4, 1, 0.5], [1, 1, 1]]


def test_alpha_curves_are_shares_with_a_mark_at_the_smallest():
    _, axes = salience_figures.alpha_curves({"natural": [np.array([2.0, 1.0, 3.0, 4.0])]})
    curve, mark = axes.get_lines()[:2]
    assert list(curve.get_ydata()) == [1, 0.5, 1.5, 2] and list(curve.get_xdata()) == [0, 0.25, 0.5, 0.75]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (0.25, 0.5)


def test_models_stand_beside_each_other_in_the_rows_they_have():
    figure, axes = salience_figures.beside({"a": {"x": (1.0, 0.1), "y": (2.0, 0.1)}, "b": {"y": (3.0, 0.2)}}, "KL")
    assert [t.get_text() for t in axes.get_yticklabels()] == ["x", "y"]
    (a, _, _), (b, _, _) = (container.lines for container in axes.containers)
    assert list(a.get_xdata()) == [1, 2] and list(b.get_xdata()) == [3]
    assert round(float(b.get_ydata()[0])) == 1 and a.get_ydata()[1] < b.get_ydata()[0]

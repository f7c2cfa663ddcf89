"""Plots of formats: every value has its tick, curves are the numbers handed in, a histogram counts what it should."""

import matplotlib

import numpy as np
import pytest

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402

from minquant import formats  # noqa: E402
from minquant.teaching import format_figures  # noqa: E402


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_tick_for_every_value_as_a_share_of_the_largest():
    _, axes = format_figures.value_lines({"fp4": formats.get("fp4_e2m1").grid, "int4": formats.get("int4").grid})
    fp4, int4 = (np.sort(c.get_positions()) for c in axes.collections)
    assert fp4 == pytest.approx(np.array([-6, -4, -3, -2, -1.5, -1, -.5, 0, .5, 1, 1.5, 2, 3, 4, 6]) / 6)
    assert int4 == pytest.approx(np.arange(-8, 8) / 8)
    assert [t.get_text() for t in axes.get_yticklabels()] == ["fp4: 15", "int4: 16"]


def test_error_curves_are_those_handed_in_and_can_be_told_apart():
    x = 2.0 ** np.arange(-4, 5)
    curves = {f"format {n}": np.full(x.size, 0.1 / (n + 1)) for n in range(6)}
    figure, axes = format_figures.error_curves(x, curves, "title")
    drawn = {line.get_label(): line.get_ydata().tolist() for line in axes.lines}
    assert drawn == {name: errors.tolist() for name, errors in curves.items()}
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 6
    figure.canvas.draw()
    assert "10%" in [t.get_text() for t in axes.get_yticklabels()]


def test_magnitudes_are_counted_in_octaves_below_the_largest():
    values = np.array([8.0, -8.0, 1.5, 0.0, 8 * 2.0**-20])
    _, axes = format_figures.magnitudes({"x": values}, 1 / 14, "left", "right")
    shares, edges, _ = axes.patches[0].get_data()
    assert edges[0] == -format_figures.LOWEST and edges[-1] == 0
    assert shares[-1] == pytest.approx(40) and shares.sum() == pytest.approx(60)
    assert shares[np.searchsorted(edges, np.log2(1.5 / 8)) - 1] == pytest.approx(20)
    assert axes.lines[0].get_xdata()[0] == pytest.approx(-np.log2(14))
    assert {"left", "right"} <= {text.get_text() for text in axes.texts}

"""The grid of lesson 03 and its plots: what is drawn is what the package computes, and nothing is cut off."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest

from minquant.scaling import quantize
from minquant.teaching import grid_figures, number_grid, svg
from minquant.teaching.number_grid import Grid, grid_card

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402

NUMBERS = (np.random.default_rng(3).normal(size=500) * 0.06).astype(np.float32)
REACH = float(np.abs(NUMBERS).max())
FOLLOWED = float(NUMBERS[7])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def words(card: str) -> str:
    return " | ".join("".join(t.itertext()) for t in ElementTree.fromstring(card).findall(".//{*}text"))


def rects(card: str, fill: str) -> list[tuple[float, float]]:
    """(x, height) of the filled rectangles of one colour."""
    return [(float(r.get("x")), float(r.get("height"))) for r in ElementTree.fromstring(card).findall(".//{*}rect")
            if r.get("fill") == fill]


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_over_the_range_of_the_numbers_the_grid_is_the_packages(bits, symmetric):
    q = quantize(NUMBERS, f"int{bits}:tensor" + ("" if symmetric else ":asym"))
    grid = Grid.over(float(NUMBERS.min()), float(NUMBERS.max()), bits, symmetric)
    assert grid.scale == q.scale and grid.zero == (0 if symmetric else q.zero_point)
    assert np.array_equal(grid.codes(NUMBERS), q.codes)
    assert np.allclose([grid.value(int(c)) for c in q.codes[:20]], q.dequantize()[:20], rtol=1e-6)


def test_a_range_that_excludes_zero_is_widened_and_says_so():
    said = words(grid_card(NUMBERS, FOLLOWED, 4, 0.02, 0.3, symmetric=False))
    assert "widened to hold 0" in said and "zero point 0, values 0 to 0.3" in said
    assert "widened" not in words(grid_card(NUMBERS, FOLLOWED, 4, -0.1, 0.3))


def test_what_lies_outside_is_counted_shaded_and_said():
    inside, outside = grid_card(NUMBERS, FOLLOWED, 4, -REACH, REACH), grid_card(NUMBERS, FOLLOWED, 4, -0.05, 0.05)
    step = 0.05 / 7
    beyond = int((np.abs(NUMBERS) > 0.05 + 0.501 * step).sum())
    assert f"{beyond} of 500 weights clipped" in words(outside) and "| clipped |" in words(outside)
    assert "0 of 500 weights clipped" in words(inside) and rects(inside, svg.ORANGE) == []
    assert sum(map(int, re.findall(r"clipped: (\d+)", words(outside)))) == beyond


def test_the_error_bars_hold_every_error():
    codes = np.clip(np.rint(NUMBERS / (REACH / 7)), -7, 7)
    errors = codes - NUMBERS / (REACH / 7)
    counts = np.histogram(errors, number_grid.ERROR_BINS, (-0.5, 0.5))[0]
    heights = [height for _, height in rects(grid_card(NUMBERS, FOLLOWED, 4, -REACH, REACH), svg.GREEN)]
    assert np.allclose(np.array(heights) / max(heights), counts / counts.max(), atol=0.04)


def test_an_outlier_widens_the_range_or_is_clipped():
    covered, clipped = (words(grid_card(NUMBERS, FOLLOWED, 8, -0.2, 0.2, outlier=8, cover=c)) for c in (True, False))
    used = [int(re.search(r"(\d+) of 255 codes in use", said)[1]) for said in (covered, clipped)]
    assert used[0] < used[1] / 3 and "1 of 500 weights clipped" in clipped and "without the outlier" in covered
    noise = [float(re.search(r"noise (-?[\d.]+) dB", said)[1]) for said in (covered, clipped)]
    assert noise[0] < noise[1] - 12


def test_the_followed_weight_is_worked_out():
    grid = Grid.over(-REACH, REACH, 4)
    code = int(np.rint(FOLLOWED / grid.scale))
    assert f"code {code}, and comes back as {code * grid.scale:.4g}" in words(
        grid_card(NUMBERS, FOLLOWED, 4, -REACH, REACH))


@pytest.mark.parametrize("chosen", [dict(bits=8, low=-0.1, high=0.3), dict(bits=2, low=-0.3, high=0.1),
                                    dict(bits=5, low=-0.2, high=0.2, outlier=16),
                                    dict(bits=3, low=0.01, high=0.1, symmetric=False, outlier=4, cover=False)])
def test_nothing_lies_outside_the_card(chosen):
    for element in ElementTree.fromstring(grid_card(NUMBERS, FOLLOWED, **chosen)).iter():
        for name, size in (("x", number_grid.WIDTH), ("x1", number_grid.WIDTH), ("y", number_grid.HEIGHT)):
            if element.get(name):
                assert 0 <= float(element.get(name)) + float(element.get("width") or 0) * (name == "x") <= size


def test_the_sliders_redraw(monkeypatch):
    seen = {}
    monkeypatch.setattr(number_grid, "explore", lambda draw, **controls: seen.update(controls, draw=draw))
    number_grid.explore_grid(NUMBERS, FOLLOWED)
    draw = seen.pop("draw")
    first = {name: control.value for name, control in seen.items()}
    assert first["low"] <= NUMBERS.min() and first["high"] >= NUMBERS.max() and first["low"] < first["high"]
    assert seen["low"].max < seen["high"].min, "no place of the sliders may turn the range over"
    assert "0 of 500 weights clipped" in words(draw(**first))
    assert len({draw(**(first | change)) for change in ({}, {"bits": 6}, {"outlier": 8}, {"symmetric": False})}) == 4


def test_growth_draws_and_fits_powers_of_the_length():
    lengths, noise = [16, 64, 256], np.random.default_rng(0).uniform(0.5, 1.5, (3, 9))
    errors = {"as N": noise * 0 + np.array(lengths)[:, None], "as the root": 2 * np.sqrt(lengths)[:, None] * (noise * 0 + 1)}
    _, axes = grid_figures.growth(lengths, errors, "N", "error")
    assert [list(c.lines[0].get_ydata()) for c in axes.containers] == [[16, 64, 256], [8, 16, 32]]
    assert grid_figures.slopes(lengths, errors) == pytest.approx({"as N": 1.0, "as the root": 0.5})


def test_noise_over_bits_has_its_line():
    _, axes = grid_figures.noise_over_bits([2, 3, 4], {"weights": [1.0, 6.0, 12.0]})
    line, curve = axes.get_lines()
    assert np.allclose(np.diff(line.get_ydata()), 6.0206, atol=1e-3) and list(curve.get_ydata()) == [1.0, 6.0, 12.0]

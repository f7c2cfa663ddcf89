"""Lesson 04's measurements and pictures: errors against a plain sum, the crossing, and what the two widgets draw."""

import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402

from minquant import load, quantize  # noqa: E402
from minquant.teaching import clipping, scale_figures, shared_scales, weight_errors  # noqa: E402


def words(svg: str) -> str:
    return " | ".join("".join(t.itertext()) for t in ElementTree.fromstring(svg).findall(".//{*}text"))


def lines(svg: str, stroke: str) -> list[dict[str, float]]:
    found = [line.attrib for line in ElementTree.fromstring(svg).findall(".//{*}line") if line.get("stroke") == stroke]
    return [{key: float(line[key]) for key in ("x1", "y1", "x2", "y2")} for line in found]


@pytest.fixture(scope="module")
def model():
    return load("tiny")


@pytest.fixture
def matrices():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((3, 64)).astype(np.float32), rng.standard_normal((5, 32)).astype(np.float32)]


# ---- errors and their price

@pytest.mark.parametrize("power", [1.0, 2.0, 2.4])
def test_the_relative_error_number_by_number(matrices, power):
    lost = whole = 0.0
    for W in matrices:
        for weight, value in zip(W.ravel().tolist(), quantize(W, "int3:g16").dequantize().ravel().tolist()):
            lost, whole = lost + abs(weight - value) ** power, whole + abs(weight) ** power
    assert weight_errors.relative_error(matrices, "int3:g16", power) == pytest.approx(lost / whole, rel=1e-5)


def test_bits_are_those_of_all_matrices_together(matrices):
    stored = sum(quantize(W, "int4:channel").nbytes for W in matrices)
    assert weight_errors.bits_per_weight(matrices, "int4:channel") == 8 * stored / (3 * 64 + 5 * 32)
    assert weight_errors.bits_per_weight(matrices, "int4:g16:asym") == 4 + 16 / 16 + 4 / 16


def test_the_layers_are_those_a_recipe_quantizes(model):
    layers = weight_errors.linear_layers(model)
    assert len(layers) == 7 * model.config.layers and all(W.ndim == 2 for W in layers)


def test_the_crossing_is_where_the_ratio_is_one():
    sizes = [16, 32, 64, 128]
    assert weight_errors.crossing(sizes, [(size / 50) ** 0.4 for size in sizes]) == pytest.approx(50)
    assert weight_errors.crossing(sizes, [(40 / size) ** 0.4 for size in sizes]) == pytest.approx(40)
    assert weight_errors.crossing(sizes, [0.5, 1.0, 2.0, 4.0]) == pytest.approx(32)


@pytest.mark.parametrize("ratios", [[1.1, 1.2, 1.5], [0.9, 0.8, 0.99]])
def test_curves_that_never_cross_have_no_crossing(ratios):
    assert weight_errors.crossing([1, 2, 4], ratios) is None


def test_a_crossing_of_lists_that_do_not_fit_is_refused():
    with pytest.raises(ValueError):
        weight_errors.crossing([1, 2], [0.5])


# ---- the group slider

@pytest.fixture(scope="module")
def draw_scale(model):
    return shared_scales.scale_drawing(model, ("int4", "fp4_e2m1"), ("tensor", "g64", "g16"))


def test_each_group_has_a_grid_of_its_own(draw_scale):
    picture = draw_scale("g16", "int4")
    grid = lines(picture, shared_scales.svg.SKY)
    starts = sorted({line["x1"] for line in grid})
    assert len(starts) == shared_scales.SHOWN // 16 and "8 grids" in picture
    for start in starts:  # within a group the values are evenly spaced
        heights = np.diff(sorted(line["y1"] for line in grid if line["x1"] == start))
        assert len(heights) and np.ptp(heights) < 0.03


def test_every_weight_is_joined_to_a_line_of_its_group(draw_scale):
    picture = draw_scale("g64", "fp4_e2m1")
    grid = lines(picture, shared_scales.svg.SKY)
    errors = lines(picture, shared_scales.svg.VERMILLION)
    assert len(errors) == shared_scales.SHOWN
    for line in errors:
        around = [g["y1"] for g in grid if g["x1"] <= line["x1"] <= g["x2"]]
        nearest = min(abs(y - line["y1"]) for y in around)
        assert abs(line["y2"] - line["y1"]) == pytest.approx(nearest, abs=0.03)


def test_the_card_says_what_was_measured(draw_scale, model):
    matrices = weight_errors.linear_layers(model)
    said = words(draw_scale("g64", "int4"))
    assert f"{100 * weight_errors.relative_error(matrices, 'int4:g64'):.3g}% of the squared weights" in said
    assert "4.250" in said and "each 64 neighbours" in said
    assert "the whole matrix" in words(draw_scale("tensor", "int4"))


# ---- the clip slider

def test_the_error_splits_into_rounding_and_clipping():
    x = np.array([0.1, -0.4, 1.0, -3.0])
    rounding, beyond = clipping.split_error(x, 1.0, bits=3)  # steps of 1/3: 0.1 -> 0, 0.4 -> 1/3, 1 -> 1, 3 -> 1
    whole = (x**2).sum()
    assert rounding == pytest.approx((0.1**2 + (0.4 - 1 / 3) ** 2) / whole)
    assert beyond == pytest.approx(2.0**2 / whole)


@pytest.mark.parametrize("bits", [8, 4, 3])
def test_the_split_adds_up_to_the_error_of_the_scheme(bits):
    x = np.random.default_rng(1).standard_t(4, (40, 64)).astype(np.float32)
    end = clipping.thresholds(x, bits)["least squares"]
    whole = weight_errors.relative_error([x], f"int{bits}:tensor:l2")
    assert sum(clipping.split_error(x, end, bits)) == pytest.approx(whole, rel=1e-3)


def test_calibrators_end_where_they_say():
    x = np.random.default_rng(2).standard_t(3, 20_000).astype(np.float32)
    ends = clipping.thresholds(x, 8)
    assert ends["min-max"] == pytest.approx(np.abs(x).max(), rel=1e-6)
    assert ends["p99.9"] == pytest.approx(np.percentile(np.abs(x), 99.9), rel=1e-5)
    assert all(0 < ends[name] < ends["min-max"] for name in ("least squares", "entropy"))


@pytest.fixture(scope="module")
def draw_clip():
    rng = np.random.default_rng(3)
    return clipping.clip_drawing({"weights": rng.standard_normal(5000).astype(np.float32)}, (8, 4))


def test_the_slider_moves_the_line_and_the_words(draw_clip):
    first, half = draw_clip(0, 4, "weights"), draw_clip(25, 4, "weights")
    assert "100% of the largest): 0% of the numbers" in words(first) and "(50% of the largest)" in words(half)
    xs = [max(line["x1"] for line in lines(p, "currentColor") if line["x1"] == line["x2"]) for p in (first, half)]
    assert xs[1] - clipping._LEFT == pytest.approx((xs[0] - clipping._LEFT) / 2)


def test_both_errors_stand_in_the_label_and_add_up(draw_clip):
    clipped = clipping.Clipped.of("n", np.linspace(-1, 1, 999, dtype=np.float32), 4)
    rounding, beyond = clipped.errors[40]
    card = clipping.clip_card(clipped, 40)
    assert all(f"{100 * e:.2g}%" in card for e in (rounding, beyond, rounding + beyond))
    assert clipped.counts.sum() == 999 and set(clipped.marks) == set(clipping.CALIBRATORS)


@pytest.mark.parametrize("position", [0, 20, len(clipping.SHARES) - 1])
@pytest.mark.parametrize("bits", [8, 4])
def test_every_position_can_be_drawn(draw_clip, position, bits):
    assert ElementTree.fromstring(draw_clip(position, bits, "weights")) is not None


# ---- the plots

@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_prices_and_errors_are_the_points_of_the_plot():
    _, axes = scale_figures.bits_against_error({"int4": [("g32", 4.5, 0.01), ("g16", 5.0, 0.007)]}, "error")
    (line,) = axes.get_lines()
    assert list(line.get_xdata()) == [4.5, 5.0] and list(line.get_ydata()) == [0.01, 0.007]
    assert [t.get_text() for t in axes.texts] == ["g32", "g16"]


def test_ratios_have_a_line_at_one():
    _, axes = scale_figures.ratios({"squared": ([16, 32], [0.8, 1.1])}, "worse", "better", "ratio")
    assert list(axes.get_lines()[1].get_ydata()) == [1, 1]
    assert {t.get_text() for t in axes.texts} == {"worse", "better"}

"""The pictures of lesson 08: two arrows drawn truly, and points where the measurements are."""

import math
import xml.etree.ElementTree as ElementTree

import matplotlib
import pytest

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402

from minquant.teaching import repair_pictures, svg  # noqa: E402


def parts(likeness: float):
    root = ElementTree.fromstring(repair_pictures.two_inputs(likeness))
    lines = {line.get("stroke"): [float(line.get(k)) for k in ("x1", "y1", "x2", "y2")]
             for line in root.findall(".//{*}line")}
    return lines, ["".join(t.itertext()) for t in root.findall(".//{*}text")]


@pytest.mark.parametrize("likeness", [-1.0, -0.6, 0.0, 0.28, 0.8, 1.0])
def test_angles_and_lengths_are_true(likeness):
    lines, words = parts(likeness)
    x, y, end, _ = lines[svg.BLUE]
    tip = lines[svg.VERMILLION]
    length = math.dist(tip[:2], tip[2:])
    assert length == pytest.approx(end - x, abs=0.02)  # both arrows are equally long
    assert (tip[2] - x) / length == pytest.approx(likeness, abs=1e-3)
    left = lines[svg.PURPLE]
    assert left[0] == left[2] and abs(left[1] - left[3]) / length == pytest.approx(math.sqrt(1 - likeness**2), abs=1e-3)
    assert f"squared error left: {1 - likeness**2:.0%}" in words and f"{likeness:+.2f}" in words
    assert (svg.GREEN in lines) == bool(likeness)


@pytest.mark.parametrize("likeness", [-1.1, 1.01, math.nan])
def test_a_cosine_lies_between_minus_one_and_one(likeness):
    with pytest.raises(ValueError, match="from -1 to 1"):
        repair_pictures.two_inputs(likeness)


def test_every_matrix_has_its_two_points_at_its_two_errors():
    errors = {"q_proj": [(1.5, 0.5), (1.9, 0.2)], "o_proj": [(1.4, 0.04)]}
    figure, axes = repair_pictures.two_errors(errors, "title")
    points = [(round(float(x), 6), line.get_marker()) for line in axes.lines if line.get_linestyle() == "None"
              for x in line.get_xdata()]
    wanted = [(value, marker) for pairs in errors.values() for marker, place in (("s", 0), ("o", 1))
              for value in [pair[place] for pair in pairs]]
    assert sorted(points) == sorted(wanted)
    assert [t.get_text() for t in axes.get_yticklabels()] == list(errors) and axes.get_xscale() == "log"
    plt.close(figure)


def test_the_curves_over_the_text_are_the_values_given():
    curves = {"own": [0.1, 0.4, 0.6], "fresh": [1.9, 1.2, 0.8]}
    figure, axes = repair_pictures.how_much_text([256, 1024, 4096], curves, 768, "title")
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines if line.get_label() in curves}
    assert drawn == curves and [t.get_text() for t in figure.legends[0].get_texts()] == list(curves)
    assert any(list(line.get_xdata()) == [768, 768] for line in axes.lines)
    plt.close(figure)

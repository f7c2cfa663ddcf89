"""Still drawings and plots: what was handed in is in the picture, and nothing else."""

import xml.etree.ElementTree as ElementTree

import matplotlib
import pytest

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402

from minquant.teaching import figures, pictures  # noqa: E402


def words(svg: str) -> str:
    return " | ".join("".join(t.itertext()) for t in ElementTree.fromstring(svg).findall(".//{*}text"))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_a_long_continuation_is_cut_and_says_so():
    long = words(pictures.continuation("The start", " and on and on" * 100, "int4", lines=3))
    assert long.startswith("int4 | The start and on") and long.endswith("…") and long.count("|") == 3
    assert "…" not in words(pictures.continuation("The", " end.\n\nAgain <b>", "int4"))


def test_probability_bars_are_in_proportion():
    svg = pictures.probability_bars([" a", "\n"], [0.5, 0.125], "Next")
    widths = [float(r.get("width")) for r in ElementTree.fromstring(svg).findall(".//{*}rect")]
    assert widths[0] == pytest.approx(4 * widths[1], abs=2) and "50%" in words(svg) and "'\\n'" in words(svg)


def test_the_loop_picture_is_whole():
    assert "the model" in words(pictures.writing_a_token())


def test_lines_draw_every_series():
    _, axes = figures.lines({"int8": ([1, 2, 4], [3, 2, 1]), "bf16": ([1, 2, 4], [4, 4, 4])}, "batch", "ms", log_x=True)
    assert [list(line.get_ydata()) for line in axes.get_lines()] == [[3, 2, 1], [4, 4, 4]]
    assert axes.get_legend() is not None and axes.get_ylim()[0] == 0


def test_bars_write_their_values():
    _, axes = figures.bars(["a", "b"], [1.0, 20.0], "tok/s", spreads=[(0.9, 1.1), (19, 22)], limits=[2.0, 25.0])
    assert [p.get_width() for p in axes.patches] == [1.0, 20.0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a: 1", "b: 20"]


def test_the_speed_of_light_is_bandwidth_over_bytes():
    rows = [{"weights": "bf16", "tokens_per_s": 20.0, "tokens_per_s_p10": 19.0, "tokens_per_s_p90": 21.0,
             "bytes_per_token": 2e8, "shape": "0.1b", "threads": 2}]
    _, axes = figures.speed_of_light(rows, read_gb_per_s=6.0)
    marks = next(line for line in axes.get_lines() if line.get_label() == "speed of light")
    assert list(marks.get_xdata()) == [30.0]


def test_the_batch_curve_lies_between_its_extremes():
    _, axes = figures.batch_curve([{"batch": 1, "price": 1.0}, {"batch": 8, "price": 1.9}])
    assert [list(line.get_ydata()) for line in axes.get_lines()] == [[1.0, 1.9], [1.0, 8.0], [1, 1]]


def test_the_roofline_bends_where_the_roofs_meet():
    points = [{"name": "int8", "flops_per_byte": x, "gflops": y} for x, y in ((2.0, 80.0), (8.0, 99.0))]
    _, axes = figures.roofline(points, bandwidth=50.0, peak=400.0)
    xs, ys = axes.get_lines()[0].get_data()
    assert xs[1] == 8.0 and ys[1] == ys[2] == 400.0 and ys[0] == pytest.approx(xs[0] * 50)
    assert [float(v) for v in axes.get_lines()[1].get_xdata()] == [2.0, 8.0]


def test_text_in_figures_is_large_enough():
    _, axes = figures.bars(["a"], [1.0], "tok/s", "title")
    assert all(t.get_size() >= 11 for t in [*axes.texts, axes.title, axes.xaxis.label, *axes.get_xticklabels()])

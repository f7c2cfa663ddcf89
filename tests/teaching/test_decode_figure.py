"""The picture of decode speeds: every row is in it, the roof stands where the bandwidth says, no word covers another."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402 (the backend is chosen first)

from minquant.teaching import decode_figure  # noqa: E402


def rows(weights=("bf16", "int8:g32", "int4:g32"), kvs=("bf16",), contexts=(128,), threads=(2,), share=0.8):
    """Made up: each format half the bytes of the one before, all at the same share of 20 GB/s."""
    made = []
    for place, w in enumerate(weights):
        for k in kvs:
            for c in contexts:
                for t in threads:
                    size = 1.2e9 / 2**place + c * 1e5 * (1 if k == "bf16" else 0.5)
                    made.append({"shape": "0.6b", "weights": w, "kv": k, "context": c, "threads": t,
                                 "bytes_per_token": size, "read_gb_per_s": 10.0 * t,
                                 "tokens_per_s": share * 10e9 * t / size})
    return made


CASES = {"one context": rows(), "several": rows(contexts=(128, 1024, 4096), kvs=("bf16", "int8"), threads=(1, 2)),
         "nothing cached": rows(contexts=(0, 64)), "one format": rows(weights=("bf16",)), "far below": rows(share=0.02)}


@pytest.fixture(params=CASES, ids=str)
def drawn(request):
    picture = decode_figure.draw(CASES[request.param])
    picture.canvas.draw()
    yield CASES[request.param], picture
    plt.close(picture)


def points(axes) -> set[tuple[float, float]]:
    """The markers of a panel, to four digits."""
    lines = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
    return {(float(f"{x:.4g}"), float(f"{y:.4g}")) for line in lines for x, y in zip(*line.get_data())}


def test_every_row_is_a_point_and_a_second_panel_comes_with_a_second_context(drawn):
    given, picture = drawn
    assert points(picture.axes[0]) == {(float(f"{r['bytes_per_token'] / 1e6:.4g}"), float(f"{r['tokens_per_s']:.4g}"))
                                       for r in given}
    contexts, most = {r["context"] for r in given}, max(r["threads"] for r in given)
    assert len(picture.axes) == 1 + (len(contexts) > 1)
    if len(contexts) > 1:
        assert points(picture.axes[1]) == {(float(f"{r['context']:.4g}"), float(f"{1e3 / r['tokens_per_s']:.4g}"))
                                           for r in given if r["threads"] == most}


def test_the_roof_is_bandwidth_over_bytes(drawn):
    given, picture = drawn
    roofs = [line for line in picture.axes[0].lines if line.get_linestyle() == "-"]
    for line, threads in zip(roofs, sorted({r["threads"] for r in given}), strict=True):
        x, y = line.get_data()
        np.testing.assert_allclose(np.array(x) * 1e6 * np.array(y), 10e9 * threads)


def test_nothing_is_cut_off_no_word_covers_another_and_every_format_is_named(drawn):
    given, picture = drawn
    legend, = picture.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert len(named) == len({(r["weights"], r["kv"]) for r in given})
    texts = [t for axes in picture.axes for t in (*axes.texts, axes.title, axes._left_title, axes.xaxis.label,
                                                  axes.yaxis.label)] + legend.get_texts()
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts if t.get_text()]
    width, height = picture.canvas.get_width_height()
    assert [word for word, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height] == []
    assert [(a, b) for i, (a, one) in enumerate(boxes) for b, other in boxes[i + 1:] if one.overlaps(other)] == []


def test_more_series_than_colours_are_told_apart():
    many = rows(weights=tuple(f"w{i}" for i in range(12)))
    styles = decode_figure._series(many).values()
    assert len({(style["color"], style["marker"]) for style in styles}) == 12

"""The picture of the ladder: what it says, and that nothing in it is cut off or covered."""

from __future__ import annotations

from importlib import import_module

import matplotlib
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402 (the backend is chosen first)

from minquant.teaching import ladder_figure  # noqa: E402

ladder = import_module("minquant.benchmark.ladder")


def result(speeds: dict[str, float | None], share: float = 0.8, kl: float = 1e-8) -> ladder.LadderResult:
    """A made-up ladder; each level loses ten times as much as the one above."""
    rows = []
    for place, (level, tokens) in enumerate(speeds.items()):
        row = ladder._size_row(level, "0.1b") | {"shape": "0.1b", "threads": 2, "kl": kl * 10**place, "kl_stderr": kl}
        figures = {"tokens_per_s": tokens, "share_of_read": share,
                   "read_gb_per_s": tokens and tokens * row["footprint_bytes"] / share / 1e9}
        rows.append(row | {f"{k}{end}": v for k, v in figures.items() for end in ("", "_p10", "_p90")}
                    | {"bytes_per_token": row["footprint_bytes"]})
    return ladder.LadderResult({"cpu": None}, 40.0, rows, [], {})


LADDERS = {
    "usual": result({"bf16": 180.0, "fp8_e4m3:channel": 300.0, "int8:channel": 320.0, "int4:g32": 310.0,
                     "int3:g32": None, "int2:g32": None}),
    "slow": result({"bf16": 1.01, "int8:channel": 1.7, "int4:g32": 1.36}, share=0.02, kl=1e-3),
    "no kernels": result({"int3:g32": None, "int2:g32": None}),
    "one level": result({"bf16": 20.0}, kl=0.0),
}


@pytest.fixture(params=LADDERS, ids=str)
def drawn(request):
    picture = ladder_figure.draw(LADDERS[request.param])
    picture.canvas.draw()
    yield LADDERS[request.param], picture
    plt.close(picture)


def boxes(picture) -> list[tuple[str, matplotlib.transforms.Bbox]]:
    """Every written word and where it stands, in pixels."""
    texts = [text for axes in picture.axes for text in (
        *axes.texts, axes.title, axes.xaxis.label, *axes.get_yticklabels())]
    return [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text() and text.get_visible()]


def test_nothing_is_cut_off_and_no_word_covers_another(drawn):
    _, picture = drawn
    words = boxes(picture)
    width, height = picture.canvas.get_width_height()
    outside = [word for word, box in words if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height]
    assert outside == []
    covered = [(a, b) for i, (a, one) in enumerate(words) for b, other in words[i + 1:] if one.overlaps(other)]
    assert covered == []


def test_every_level_has_its_figures(drawn):
    measured, picture = drawn
    words = [word for word, _ in boxes(picture)]
    for row in measured.rows:
        assert row["weights"] in words and f"{row['footprint_bytes_0_8b'] / 1e9:.2f}" in words
    assert words.count("no kernel") == sum(row["tokens_per_s"] is None for row in measured.rows)


def test_two_models_are_named(drawn):
    _, picture = drawn
    said = " ".join(axes.get_xlabel() for axes in picture.axes)
    assert "random 0.1b model" in said and "trained tiny model" in said


def test_a_failed_save_leaves_nothing_behind(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def fail(self, *args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="no space"):
        ladder_figure.save(LADDERS["usual"], tmp_path / "ladder.png")
    assert list(tmp_path.iterdir()) == []


def test_the_same_ladder_gives_the_same_svg(tmp_path):
    for name in ("a.svg", "b.svg"):
        ladder_figure.save(LADDERS["usual"], tmp_path / name)
    assert (tmp_path / "a.svg").read_text() == (tmp_path / "b.svg").read_text()

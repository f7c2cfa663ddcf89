"""The path picker: its figures are those of the rows, and no drawing leaves its frame."""

from __future__ import annotations

import re

import pytest

from minquant.benchmark import bytes_moved
from minquant.benchmark.paths import DEQUANTIZE, FAKE, FUSED
from minquant.teaching import path_picker

SHAPE = (1000, 2000)


def row(path, format, threads, share, read=20.0):
    """A row as matvec_paths returns it, which reaches this share of the bandwidth; bf16 reaches all of it."""
    moved = bytes_moved(path, format)
    size = sum(moved.values())
    predicted = size * SHAPE[0] * SHAPE[1] / read / 1e6
    ms = predicted / share
    return {"path": path, "format": format, "threads": threads, "shape": SHAPE, "moved": moved, "bytes_per_weight": size,
            "predicted_speedup": 2 / size, "predicted_ms": predicted, "ms": ms, "ms_p10": 0.9 * ms, "ms_p90": 1.2 * ms,
            "read_gb_per_s": read, "speedup_over_bf16": 2 / size * share}


ROWS = [row(FUSED, "bf16", 1, 1.0), *(row(path, format, 1, share) for path, share in (
    (FAKE, 0.6), (DEQUANTIZE, 0.7), (FUSED, 0.95)) for format in ("int8", "int4"))]


def words(card):
    return re.findall(r">([^<]+)</t", card)


def test_the_card_says_what_was_counted_and_measured():
    card = path_picker.path_card(ROWS, DEQUANTIZE, "int8", 1)
    said = words(card)
    assert "0.15 × the speed of bf16" in said  # 2 / 9.0625 * 0.7
    assert {"read codes 1", "read scales 0.0625", "write float32 4", "read float32 4", "9.062"} <= set(said)
    assert "2.21 predicted by the bytes" in said and "1.54 measured" in said  # 20 / 9.0625, and 70% of it
    assert "14 of 20 (70%)" in said
    assert any("something else" in text for text in said)
    assert "predicted 0.22, measured 0.15" in card


def test_a_way_at_its_roof_is_explained_by_its_bytes():
    assert any("the bytes explain this speed" in text for text in words(path_picker.path_card(ROWS, FUSED, "int4", 1)))


@pytest.mark.parametrize("r", ROWS[1:], ids=lambda r: f"{r['path']}-{r['format']}")
@pytest.mark.parametrize("read", [3.0, 20.0, 900.0])
def test_nothing_leaves_the_picture(r, read):
    rows = [row(x["path"], x["format"], 1, x["predicted_ms"] / x["ms"], read) for x in ROWS]
    card = path_picker.path_card(rows, r["path"], r["format"], 1)
    for x, width in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', card):
        assert float(x) + float(width) <= path_picker.WIDTH
    for x, anchor, text in re.findall(r'<text x="([\d.]+)"[^>]*?font-size="\d+"( text-anchor="end")?[^>]*>(.*?)</text>',
                                      card):
        text = re.sub("<[^>]*>", "", text)
        assert anchor or float(x) + 6.2 * len(text) <= path_picker.WIDTH, text


def test_bars_get_longer_with_speed():
    def measured(card):
        return float(re.findall(r'<rect x="130" y="220" width="([\d.]+)"', card)[0])

    cards = [path_picker.path_card(ROWS, path, "int4", 1) for path in (DEQUANTIZE, FAKE, FUSED)]
    lengths = [measured(card) for card in cards]
    assert lengths == sorted(lengths) and lengths[0] > 0


def test_bad_rows():
    with pytest.raises(ValueError, match="no measured row is of 'fused' for 'int4' on 3 threads"):
        path_picker.path_card(ROWS, FUSED, "int4", 3)
    with pytest.raises(ValueError, match="needs measured rows"):
        path_picker.pick_path(ROWS[:1])

"""The format stepper: every card is whole, its bars have the lengths of its figures, what is unknown is said."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from minquant.teaching import format_stepper as stepper
from minquant.teaching.one_weight import OneWeight
from tests.teaching.rows import LADDER

MATRIX = np.random.default_rng(1).normal(size=(4, 64)).astype(np.float32)
WEIGHT = OneWeight("w", 1, 3, float(MATRIX[1, 3]))


def card(place: int) -> str:
    return stepper.format_card(LADDER[place], LADDER, MATRIX, WEIGHT)


def words(svg: str) -> str:
    return " | ".join("".join(t.itertext()) for t in ElementTree.fromstring(svg).findall(".//{*}text"))


def lengths(svg: str) -> list[float]:
    """Lengths of the filled bars, in order: bytes, size, speed, quality."""
    return [float(r.get("width")) for r in ElementTree.fromstring(svg).findall(".//{*}rect") if r.get("height") == "14"]


@pytest.mark.parametrize("place", range(len(LADDER)))
def test_every_card_says_all_its_figures(place):
    row, said = LADDER[place], words(card(place))
    assert f"{row['bits_per_weight']:.3g} bits" in said
    assert f"{row['footprint_bytes_0_8b'] / 1e9:.2f} GB" in said
    assert f"perplexity {row['perplexity']:.4g}" in said
    assert ("no kernel yet" in said) == (row["tokens_per_s"] is None)
    if row["tokens_per_s"]:
        assert f"{row['tokens_per_s']:.3g} tok/s ({row['gb_per_s']:.3g} GB/s)" in said and "p10 to p90" in said


@pytest.mark.parametrize("place", range(len(LADDER)))
def test_nothing_lies_outside_the_card(place):
    root = ElementTree.fromstring(card(place))
    for element in root.iter():
        for name, size in (("x", stepper.WIDTH), ("x1", stepper.WIDTH), ("x2", stepper.WIDTH), ("y", stepper.HEIGHT)):
            if element.get(name) and not element.get(name).endswith("%"):
                assert 0 <= float(element.get(name)) + float(element.get("width") or 0) * (name == "x") <= size


def test_bars_have_the_lengths_of_the_figures():
    full, int4 = lengths(card(0)), lengths(card(3))
    assert int4[0] / full[0] == pytest.approx(4.5 / 16, abs=1e-3)
    assert int4[1] / full[1] == pytest.approx(4.5 / 16, abs=1e-3)
    assert int4[2] / full[2] == pytest.approx(30 / 20, abs=1e-3)
    assert full[3] == 0 < lengths(card(2))[3] < int4[3]
    assert len(lengths(card(5))) == 3 and lengths(card(5))[-1] == pytest.approx(406)


def test_the_bits_of_the_weight_are_the_boxes():
    svg = card(3)
    boxes = re.findall(r'text-anchor="middle"[^>]*font-family="[^"]*"[^>]*>([01])<', svg)
    assert "".join(boxes) == stepper.encoded(MATRIX, WEIGHT, "int4:g32").bits
    assert "32 weights" in words(svg)


def test_stepping_changes_the_picture():
    assert len({card(place) for place in range(len(LADDER))}) == len(LADDER)


def test_no_rows_is_an_error():
    with pytest.raises(ValueError, match="at least one measured row"):
        stepper.stepper_drawing([], None)


def test_labels_and_colours_do_not_carry_meaning_alone():
    assert "int4:g32: 4.5 bits per weight" in card(3).split("aria-label=")[1][:60]

"""A code as a picture: the value worked out is the package's, its neighbours are the grid's, all of it is readable."""

import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from minquant import formats
from minquant.teaching import code_card
from minquant.teaching.bit_clicker import FORMATS

SMALL = [name for name in FORMATS if formats.get(name).bits <= 8]


def some_codes(fmt):
    """Every code of a small format; of a 16-bit one the ends of every exponent, zeros and specials."""
    if fmt.bits <= 8:
        return range(1 << fmt.bits)
    last = (1 << fmt.mantissa_bits) - 1
    return sorted({s | e << fmt.mantissa_bits | m for e in range(1 << fmt.exponent_bits) for m in (0, 1, last)
                   for s in (0, fmt.sign_bit)})


def words(svg: str) -> list[str]:
    return ["".join(t.itertext()) for t in ElementTree.fromstring(svg).findall(".//{*}text")]


@pytest.mark.parametrize("name", FORMATS)
def test_the_formula_is_what_it_says_and_gives_the_value(name):
    fmt = formats.get(name)
    for code in some_codes(fmt):
        reading = code_card.Reading(fmt, code)
        text = code_card.formula(reading)
        if not math.isfinite(reading.value):
            assert ("infinity" if math.isinf(reading.value) else "NaN") in text
            continue
        if isinstance(fmt, formats.FloatFormat):
            left, _, right = text.partition(",")[0].partition("=")
            assert ("subnormal" in text) == (abs(reading.value) < fmt.smallest_normal)
        else:
            left, _, right = text.replace("top bit", "").replace("the other bits", "").partition("=")
        worked_out = eval(left.replace("×", "*").replace("^", "**"))
        assert worked_out == reading.value and float(right) == pytest.approx(reading.value, rel=1e-8)


@pytest.mark.parametrize("name", SMALL)
def test_neighbours_are_those_of_the_sorted_values(name):
    fmt = formats.get(name)
    line = sorted({v + 0.0 for v in fmt.values.tolist() if math.isfinite(v)})
    for code in range(1 << fmt.bits):
        reading = code_card.Reading(fmt, code)
        below = max((v for v in line if v < reading.value), default=None)
        above = min((v for v in line if v > reading.value), default=None)
        assert reading.neighbours == ((below, above) if math.isfinite(reading.value) else (None, None))


@pytest.mark.parametrize("name", FORMATS)
def test_a_pattern_decodes_to_the_nearest_value(name):
    fmt = formats.get(name)
    for number in (-0.1474609375, 0.0, 3.3, -1e6, 1e6):
        code = code_card.pattern(fmt, number)
        assert 0 <= code < 1 << fmt.bits
        distance = np.abs(fmt.grid.astype(np.float64) - number)
        assert abs(code_card.Reading(fmt, code).value - number) == distance.min()


@pytest.mark.parametrize("name", FORMATS)
def test_cards_are_whole_and_say_what_they_show(name):
    fmt = formats.get(name)
    for code in {*list(some_codes(fmt))[::7 if fmt.bits <= 8 else 61], 1 << fmt.bits - 1, (1 << fmt.bits - 1) - 1}:
        svg = code_card.code_card(fmt, code, wanted=0.3)
        root = ElementTree.fromstring(svg)
        width, height = float(root.get("width")), float(root.get("height"))
        for element in root.iter():
            for key in ("x", "x1", "x2", "y", "y1", "y2"):
                assert not element.get(key) or 0 <= float(element.get(key)) <= (width if key[0] == "x" else height)
        said = words(svg)
        assert f"{code_card.Reading(fmt, code).value:.10g}" in said
        boxes = re.findall(r'text-anchor="middle"[^>]*font-family="[^"]*"[^>]*>([01])<', svg)
        assert "".join(boxes) == f"{code:0{fmt.bits}b}"
        assert code_card.title(fmt) in root.get("aria-label")


def test_every_value_of_a_small_format_has_its_tick_on_the_ruler():
    svg = code_card.code_card(formats.get("fp6_e3m2"), 5, boxes=False)
    ticks = [line for line in ElementTree.fromstring(svg).findall(".//{*}line")
             if line.get("x1") == line.get("x2") and line.get("y1") == "123"]
    assert len(ticks) == 63


def test_the_number_that_was_rounded_is_marked_only_where_it_can_be():
    fmt = formats.get("fp8_e4m3")
    code = code_card.pattern(fmt, -0.1474609375)
    assert "wanted" in words(code_card.code_card(fmt, code, -0.1474609375))
    assert any("4.6% off" in text for text in words(code_card.code_card(fmt, code, -0.1474609375)))
    assert "wanted" not in words(code_card.code_card(fmt, code))
    saturated = words(code_card.code_card(fmt, 0x7E, 1000.0))
    assert "wanted" not in saturated and any("55% off" in text for text in saturated)
    assert any("rounds to this: exact" in text for text in words(code_card.code_card(fmt, 0, 0.0)))


@pytest.mark.parametrize("code", [-1, 16])
def test_a_pattern_the_format_does_not_have_is_refused(code):
    with pytest.raises(ValueError, match="fp4_e2m1 has the codes 0 to 15"):
        code_card.code_card(formats.get("fp4_e2m1"), code)

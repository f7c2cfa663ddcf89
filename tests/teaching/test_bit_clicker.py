"""The bit clicker: a click turns one bit over, a format lays out its own bits, the picture follows."""

import math

import pytest

from minquant import formats
from minquant.teaching import bit_clicker, code_card, svg, widgets
from minquant.teaching.bit_clicker import FORMATS, BitClicker

NUMBER = -0.1474609375


def boxes(clicker) -> str:
    """The bits as the buttons say them, top bit first, in the order in which they stand on the page."""
    return "".join(button.description for group in clicker._row.children for button in group.children[0].children)


def choose(clicker, name):
    clicker.choice.value = formats.get(name)


def test_it_begins_on_the_nearest_code_and_says_what_was_wanted():
    clicker = BitClicker(NUMBER, "fp8_e4m3")
    assert (clicker.code, boxes(clicker)) == (0xA1, "10100001")
    assert "-0.140625" in clicker.picture and "4.6% off" in clicker.picture


@pytest.mark.parametrize("name", FORMATS)
def test_every_bit_is_a_button_that_turns_over_that_bit_alone(name):
    clicker = BitClicker(NUMBER, "fp8_e4m3")
    choose(clicker, name)
    fmt, before = formats.get(name), clicker.code
    assert len(boxes(clicker)) == fmt.bits
    for place in range(fmt.bits):
        clicker.bits[place].click()
        assert clicker.code == before ^ 1 << place
        assert boxes(clicker) == f"{clicker.code:0{fmt.bits}b}"
        assert f"now {clicker.code >> place & 1}, click to make it {1 - (clicker.code >> place & 1)}" in \
            clicker.bits[place].tooltip
        clicker.bits[place].click()
        assert clicker.code == before
    assert "rounds to this" not in clicker.picture, "a clicked code was rounded from nothing"


def test_a_change_of_format_keeps_the_number():
    clicker = BitClicker(NUMBER, "fp8_e4m3")
    for name in FORMATS:
        choose(clicker, name)
        assert clicker.code == code_card.pattern(formats.get(name), NUMBER)
    clicker.bits[2].click()  # int4: 4
    choose(clicker, "bf16")
    assert code_card.Reading(clicker.fmt, clicker.code).value == 4.0


def test_a_code_that_is_no_number_does_not_follow_to_the_next_format():
    clicker = BitClicker(448.0, "fp8_e4m3")
    clicker.bits[0].click()
    assert math.isnan(code_card.Reading(clicker.fmt, clicker.code).value)
    choose(clicker, "fp4_e2m1")
    assert code_card.Reading(clicker.fmt, clicker.code).value == 6.0


def test_previous_and_next_walk_round_all_codes():
    clicker = BitClicker(0.0, "fp4_e2m1")
    back, forward = clicker.box.children[2].children
    back.click()
    assert clicker.code == 15
    seen = {clicker.code for _ in range(16) if forward.click() is None}
    assert seen == set(range(16)) and clicker.code == 15


def test_the_widget_has_a_fallback_and_a_still(monkeypatch):
    bundles = []
    for module in (bit_clicker, widgets):
        monkeypatch.setattr(module, "display", lambda bundle, raw: bundles.append(bundle))
    bit_clicker.click_bits(NUMBER)
    live, still = bundles
    card = code_card.code_card(formats.get("fp8_e4m3"), 0xA1, NUMBER)
    assert "application/vnd.jupyter.widget-view+json" in live and live["image/svg+xml"] == svg.card(card)
    assert live["text/plain"].startswith("fp8 E4M3, bits 1 0100 001: -0.140625")
    assert still["text/html"].startswith("<details>")


def test_what_it_cannot_begin_with_is_named():
    with pytest.raises(ValueError, match="finite number"):
        BitClicker(math.inf, "bf16")
    with pytest.raises(ValueError, match="cannot begin with 'fp12'"):
        BitClicker(1.0, "fp12")
    with pytest.raises(ValueError, match="unknown number format"):
        BitClicker(1.0, "bf16", ("bf16", "fp12"))

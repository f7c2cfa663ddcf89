"""Drawings: well-formed SVG, safe text, readable sizes, and a card that stands alone."""

import base64
import xml.etree.ElementTree as ElementTree

import pytest

from minquant.teaching import svg


def drawing() -> svg.Drawing:
    d = svg.Drawing(200, 100, 'bits < "code" & more')
    d.rect(1, 2, 3.14159, 4, fill=svg.SKY)
    d.line(0, 0, 10, 10, arrow=True)
    d.text(5, 50, "a < b & c", bold=3)
    return d


def test_a_drawing_is_well_formed_and_says_what_it_shows():
    root = ElementTree.fromstring(str(drawing()))
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'bits < "code" & more'
    assert "".join(root.find("{*}text").itertext()) == "a < b & c"
    assert root.find("{*}text/{*}tspan").text == "a <"
    assert root.find("{*}rect").get("width") == "3.14"


def test_text_too_small_to_read_is_refused():
    with pytest.raises(ValueError, match="at least 11"):
        drawing().text(0, 0, "small", size=9)


def test_a_card_has_its_own_background_and_ink():
    plain, card = str(drawing()), svg.card(str(drawing()))
    assert "#ffffff" not in plain and "currentColor" in plain
    root = ElementTree.fromstring(card)
    assert root[0].get("fill") == "#ffffff"
    assert svg.INK in root.get("style")
    with pytest.raises(ValueError, match="str\\(drawing\\)"):
        svg.card("no svg")


def test_an_image_carries_the_card():
    html = svg.img(str(drawing()), "what & why")
    assert 'alt="what &amp; why"' in html
    data = html.split("base64,")[1].split('"')[0]
    assert base64.b64decode(data).decode() == svg.card(str(drawing()))


def luminance(colour: str) -> float:
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear))


@pytest.mark.parametrize("colour", [svg.ORANGE, svg.SKY, svg.GREEN, svg.PURPLE, "#ffffff"])
def test_ink_is_readable_on_every_colour_that_carries_words(colour):
    # WCAG 2.1, success criterion 1.4.3: at least 4.5 to 1.
    assert (luminance(colour) + 0.05) / (luminance(svg.INK) + 0.05) > 4.5

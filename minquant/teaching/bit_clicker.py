"""Click the bits of a code and watch its value move: the widget of lesson 02.

How it works
    Every bit is a button, in the colour of its field; clicking one turns it over.
    Buttons are reached with Tab and pressed with Enter or Space. Choosing another
    format encodes the present number in it, so one number can be seen in all of
    them; the number of buttons follows the format. Below, ``code_card`` draws
    what the code means. As in ``widgets.explore`` the picture is SVG in an HTML
    widget, and a still of the first picture is there for a page without a kernel.

What we leave out
    Scales. A number beyond the format's range saturates and one too small for it
    becomes zero, which is what the lesson is about.
"""

from __future__ import annotations

import math

import ipywidgets as widgets
from IPython.display import display

from .. import formats
from . import svg
from .bits import FIELD_COLOURS
from .code_card import Reading, code_card, pattern, title
from .widgets import fallback, show_still, shown

FORMATS = ("bf16", "fp16", "fp8_e4m3", "fp8_e5m2", "fp6_e2m3", "fp6_e3m2", "fp4_e2m1", "int8", "int4")


def click_bits(number: float = 1.0, start: str = "fp8_e4m3", names: tuple[str, ...] = FORMATS) -> None:
    """Show the widget on the code nearest to ``number`` in the format ``start``.

    ``names`` are the formats to choose from. Raises ValueError for a number that is not finite, an unknown format,
    or a start that is not among the names.
    """
    clicker = BitClicker(number, start, names)
    first = code_card(clicker.fmt, clicker.code, clicker.wanted)
    display(dict(clicker.box._repr_mimebundle_()) | fallback(first), raw=True)
    show_still(first, "The same code as a still")


class BitClicker:
    """The buttons, the picture, and what they stand for: ``fmt``, ``code`` (a bit pattern), ``wanted``."""

    def __init__(self, number: float, start: str, names: tuple[str, ...] = FORMATS):
        if not math.isfinite(number):
            raise ValueError(f"click_bits needs a finite number to begin with, got {number!r}")
        if start not in names:
            raise ValueError(f"click_bits cannot begin with {start!r}: the formats here are {', '.join(names)}")
        known = [formats.get(name) for name in names]
        self.wanted: float | None = number  # the number that was encoded; None after a click on a bit
        self._kept = number                 # what a change of format encodes
        self.choice = widgets.ToggleButtons(options=[(title(fmt), fmt) for fmt in known], value=formats.get(start),
                                            style={"button_width": "auto"})
        self.bits = [self._bit(place) for place in range(max(fmt.bits for fmt in known))]  # lowest first
        self._row = widgets.HBox(layout=widgets.Layout(flex_flow="row wrap"))
        self._picture = widgets.HTML()
        back, forward = (_step_button(words) for words in ("Previous code", "Next code"))
        back.on_click(lambda _button: self._put(self.code - 1))
        forward.on_click(lambda _button: self._put(self.code + 1))
        self.choice.observe(lambda _change: self._change_format(), names="value")
        self._change_format()
        self.box = widgets.VBox([self.choice, self._row, widgets.HBox([back, forward]), self._picture])

    @property
    def fmt(self) -> formats.Format:
        """The format that is chosen."""
        return self.choice.value

    @property
    def picture(self) -> str:
        """The HTML that is shown under the buttons."""
        return self._picture.value

    def _bit(self, place: int) -> widgets.Button:
        button = widgets.Button(layout=widgets.Layout(width="36px", padding="0", margin="1px"),
                                style={"text_color": svg.INK, "font_family": "monospace", "font_size": "16px"})
        button.on_click(lambda _button: self._put(self.code ^ 1 << place))
        return button

    def _change_format(self) -> None:
        """Encode the present number in the format that was chosen, and lay out its bits."""
        self.wanted, self.code = self._kept, pattern(self.fmt, self._kept)
        groups, place = [], self.fmt.bits
        self._names = []
        for name, bits in Reading(self.fmt, self.code).fields:
            mine = self.bits[place - len(bits):place][::-1]
            place -= len(bits)
            for button in mine:
                button.style.button_color = FIELD_COLOURS[name]
            self._names.append(widgets.HTML())
            groups.append(widgets.VBox([widgets.HBox(mine), self._names[-1]],
                                       layout=widgets.Layout(margin="0 4px 0 0", overflow="visible")))
        self._row.children = groups
        self._show()

    def _put(self, code: int) -> None:
        """Take another code of the same format."""
        self.code, self.wanted = code % (1 << self.fmt.bits), None
        value = Reading(self.fmt, self.code).value
        if math.isfinite(value):
            self._kept = value
        self._show()

    def _show(self) -> None:
        place = self.fmt.bits
        for label, (name, bits) in zip(self._names, Reading(self.fmt, self.code).fields, strict=True):
            label.value = f'<div style="text-align:center;line-height:1.2">{name}<br>{int(bits, 2)}</div>'
            for bit in bits:
                place -= 1
                self.bits[place].description = bit
                self.bits[place].tooltip = f"{name}, bit {place}: now {bit}, click to make it {1 - int(bit)}"
        self._picture.value = shown(code_card(self.fmt, self.code, self.wanted, boxes=False))


def _step_button(words: str) -> widgets.Button:
    return widgets.Button(description=words, layout=widgets.Layout(width="130px"))

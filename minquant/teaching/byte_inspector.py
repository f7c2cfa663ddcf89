"""Click a byte and see which weights lie in it: the widget of lesson 05.

How it works
    Every byte of a small real matrix is a button. Clicking one marks what it holds in the matrix below and spells out
    its bits; clicking it again takes its other nibble in hand. The sliders go the other way: choose a row and a column,
    and the byte that holds this weight lights up. Another layout keeps the weight in hand, so that one can watch it
    move. ``byte_card`` draws the picture, and a still of the first one, bytes included, is there for a page without a
    kernel.

    Only what changes is sent to the page: buttons share four styles and two widths.
"""

from __future__ import annotations

import ipywidgets as widgets
from IPython.display import display

from . import svg
from .byte_card import HIGH, LOW, PART_COLOUR, WORD, byte_card, byte_lines
from .byte_layouts import COLUMNS, NAMES, ROWS, Matrix, data_of, nibble_map, nibble_of
from .widgets import fallback, show_still, shown


def inspect_bytes(model, start: str = "GGUF Q4_0") -> None:
    """Show the widget on the weight that the course follows, in the layout ``start``.

    Raises ValueError for a layout that is none of ``byte_layouts.NAMES``.
    """
    inspector = ByteInspector(Matrix.of(model), start)
    first = byte_card(inspector.matrix, start, inspector.byte)
    display(dict(inspector.box._repr_mimebundle_()) | fallback(first), raw=True)
    show_still(first, "The same byte as a still")


class ByteInspector:
    """The buttons, sliders and picture, and what they stand for: ``name`` of the layout, ``byte``, ``weight``."""

    def __init__(self, matrix: Matrix, start: str = "GGUF Q4_0"):
        if start not in NAMES:
            raise ValueError(f"unknown layout {start!r}: choose one of {', '.join(NAMES)}")
        self.matrix, self.weight = matrix, matrix.followed
        self._looks = {kind: _look(colour) for kind, colour in (*PART_COLOUR.items(), ("low", LOW), ("high", HIGH))}
        self._wide = [widgets.Layout(width="19px", height="22px", padding="0", margin=f"0 {gap}px 1px 0")
                      for gap in (1, 5)]
        most = max(data_of(matrix.parts(name)).size for name in NAMES)
        self.buttons = [self._button(byte) for byte in range(most)]
        self._lines = widgets.VBox()
        self.choice = widgets.ToggleButtons(options=NAMES, value=start, style={"button_width": "auto"})
        first, wide = matrix.first_row, {"width": "340px"}
        row, column = matrix.followed
        self.row = widgets.IntSlider(first + row, first, first + ROWS - 1, description="row", layout=wide)
        self.column = widgets.IntSlider(column, 0, COLUMNS - 1, description="column", layout=wide)
        self._picture = widgets.HTML()
        self._lay_out()
        self.choice.observe(lambda _change: self._lay_out(), names="value")
        for slider in (self.row, self.column):
            slider.observe(lambda _change: self._take((self.row.value - first, self.column.value)), names="value")
        picks = widgets.HBox([self.row, self.column], layout=widgets.Layout(flex_flow="row wrap"))
        legend = widgets.HTML("green: scales &nbsp; purple: zero points", layout=widgets.Layout(margin="2px 0 0 16px"))
        top = widgets.HBox([self.choice, legend], layout=widgets.Layout(flex_flow="row wrap"))
        self.box = widgets.VBox([top, self._lines, picks, self._picture])

    @property
    def name(self) -> str:
        """The layout that is chosen."""
        return self.choice.value

    @property
    def picture(self) -> str:
        """The HTML that is shown under the buttons."""
        return self._picture.value

    def _button(self, byte: int) -> widgets.Button:
        button = widgets.Button(layout=self._wide[0], style=self._looks["code"])
        button.on_click(lambda _button: self._click(byte))
        return button

    def _lay_out(self) -> None:
        """Write the bytes of the layout on the buttons, line by line."""
        data, lines = data_of(self.matrix.parts(self.name)), []
        for words, numbers in byte_lines(self.matrix, self.name):
            for place, byte in enumerate(numbers):
                self.buttons[byte].layout = self._wide[(place + 1) % WORD[self.name] == 0]
                self.buttons[byte].description = f"{data[byte]:02x}"
                self.buttons[byte].tooltip = f"byte {byte}"
            label = widgets.HTML(f'<div style="width:56px;text-align:right;line-height:22px">{words}</div>',
                                 layout=widgets.Layout(margin="0 5px 0 0", height="23px"))
            lines.append(widgets.HBox([label, *(self.buttons[byte] for byte in numbers)]))
        self._lines.children = lines
        self._take(self.weight)

    def _click(self, byte: int) -> None:
        """Look at a byte; its low nibble comes in hand first, with a second click its high one."""
        holds = nibble_map(self.name)[2 * byte: 2 * byte + 2]
        if holds[0].kind != "code":
            self._show(byte)
            return
        low, high = ((what.row, what.column) for what in holds)
        self._take(high if byte == self.byte and self.weight == low else low)

    def _take(self, weight: tuple[int, int]) -> None:
        """Take a weight in hand: its byte, and the sliders, follow."""
        self.weight = weight
        row, column = weight[0] + self.matrix.first_row, weight[1]
        if (self.row.value, self.column.value) != (row, column):
            with self.row.hold_trait_notifications(), self.column.hold_trait_notifications():
                self.row.value, self.column.value = row, column  # their observers come back here, once both are set
            return
        self._show(nibble_of(self.name, *weight) // 2)

    def _show(self, byte: int) -> None:
        """Mark a byte among the buttons and draw what it holds."""
        self.byte, parts = byte, nibble_map(self.name)
        high = (parts[2 * byte + 1].row, parts[2 * byte + 1].column) == self.weight
        for number in range(len(parts) // 2):
            look = ("high" if high else "low") if number == byte else parts[2 * number].kind
            if self.buttons[number].style is not self._looks[look]:
                self.buttons[number].style = self._looks[look]
        self._picture.value = shown(byte_card(self.matrix, self.name, byte, self.weight, with_bytes=False))


def _look(colour: str) -> widgets.ButtonStyle:
    return widgets.ButtonStyle(button_color=colour, text_color=svg.INK, font_family="monospace", font_size="11px")

"""Bits drawn as labelled boxes, with the scale they share.

A code is a row of boxes, one per bit, the top bit on the left. A bracket under
each field says its name and width; colours tell the fields apart for those who
see them, the brackets for everybody. A scale stands beside the code in one box
of its own, with the number of weights that share it.
"""

from __future__ import annotations

from . import svg
from .one_weight import Encoded
from .svg import Drawing

FIELD_COLOURS = {"sign": svg.PURPLE, "exponent": svg.ORANGE, "mantissa": svg.SKY, "integer": svg.SKY,
                  "index": svg.GREEN}
BOX = 30  # width of one bit; 16 of them and a scale fit a 720 px picture


def bit_boxes(drawing: Drawing, x: float, y: float, code: Encoded) -> float:
    """Draw the bits of ``code`` with the upper left corner at (x, y); returns where the last box ends."""
    for name, bits in code.fields:
        colour = FIELD_COLOURS[name]
        for bit in bits:
            drawing.rect(x, y, BOX, 34, fill=colour, stroke=svg.INK)
            drawing.text(x + BOX / 2, y + 23, bit, size=16, anchor="middle", fill=svg.INK, mono=True)
            x += BOX
        _bracket(drawing, x - BOX * len(bits), x, y + 34, name, len(bits))
    return x


def scale_box(drawing: Drawing, x: float, y: float, code: Encoded) -> None:
    """Draw the shared scale of ``code`` at (x, y), or say that there is none."""
    if code.scale is None:
        drawing.text(x + 8, y + 22, "no scale needed", opacity=0.85)
        return
    drawing.text(x, y + 23, "×", size=18, anchor="middle")
    drawing.rect(x + 14, y, 150, 34, fill=svg.GREEN, stroke=svg.INK, radius=4)
    drawing.text(x + 89, y + 22, f"scale {code.scale:.4g}", anchor="middle", fill=svg.INK)
    drawing.line(x + 14, y + 40, x + 164, y + 40, stroke="currentColor")
    drawing.text(x + 89, y + 56, f"{code.scale_bits} bits, shared by", size=12, anchor="middle")
    drawing.text(x + 89, y + 71, f"{code.shared_by} weights", size=12, anchor="middle")


def _bracket(drawing: Drawing, left: float, right: float, y: float, name: str, count: int) -> None:
    """A line under a field with its name and width."""
    drawing.line(left + 2, y + 6, right - 2, y + 6, stroke="currentColor")
    for line, words in enumerate((name, f"{count} bit{'s' * (count > 1)}")):
        drawing.text((left + right) / 2, y + 22 + 15 * line, words, size=12, anchor="middle")

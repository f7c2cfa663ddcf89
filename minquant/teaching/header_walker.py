"""A GGUF file, field after field: its bytes in hexadecimal, and what the next few of them say.

How it works
    ``packing.gguf.file.spans`` names every byte of a file. ``header_card`` draws the lines of the file around one of
    those spans, as a hex editor would show them (sixteen bytes and their letters), with the span marked, and writes
    below what it is called, the value it holds and what that means. ``walk_header`` puts the cards behind Previous,
    Next and a slider.

What we leave out
    Files that do not fit one screen after another: this is for a small one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from ..packing.gguf import file
from . import svg
from .svg import Drawing
from .widgets import explore

WIDTH, LINES, PER_LINE, CELL, HEX, LETTERS = 720, 10, 16, 25, 70, 494


def walk_header(data: bytes) -> None:
    """Show the widget for the bytes of a GGUF file. Raises ValueError as ``gguf.file.spans`` does."""
    spans = file.spans(data)
    explore(lambda field: header_card(data, spans, field), buttons="field", field=(0, len(spans) - 1))


def header_card(data: bytes, spans: Sequence[Any], number: int) -> str:
    """One span of a file as SVG: ``spans`` are those of ``data``, ``number`` says which."""
    span = spans[number]
    value = "" if span.value is None else f"{span.value!r}" if isinstance(span.value, str) else f"{span.value}"
    drawing = Drawing(WIDTH, 354, f"bytes {span.start} to {span.stop - 1}: {span.name}, {value}. {span.meaning}")
    drawing.text(8, 20, f"Field {number} (of 0 to {len(spans) - 1}): bytes {span.start} to {span.stop - 1}", bold=True)
    drawing.text(WIDTH - 14, 20, f"all {len(data)} bytes of it: header blue, weights green, padding grey", size=12,
                 anchor="end", opacity=0.85)
    _ribbon(drawing, data, spans, span)
    count, top, bottom = -(-len(data) // PER_LINE), span.start // PER_LINE, (span.stop - 1) // PER_LINE
    above = min(2, max(0, LINES - 1 - bottom + top))  # lines before the span, as long as all of it can be seen
    first = max(0, min(top - above, count - LINES))
    for line in range(first, min(first + LINES, count)):
        _line(drawing, 62 + 21 * (line - first), data, line * PER_LINE, span)
    drawing.text(8, 300, span.name, bold=True, size=14)
    drawing.text(WIDTH - 14, 300, f"value: {textwrap.shorten(value, 48)}" if value else "", anchor="end", mono=True)
    for line, words in enumerate(textwrap.wrap(span.meaning, 98)[:2]):
        drawing.text(8, 322 + 19 * line, words)
    return str(drawing)


def _ribbon(drawing: Drawing, data: bytes, spans: Sequence[Any], chosen: Any) -> None:
    """The whole file as a strip, with the place of the chosen span."""
    scale = (WIDTH - 22) / len(data)
    for span in spans:
        fill = svg.GREEN if span.name.endswith(": data") else svg.GREY if span.name == "padding" else svg.SKY
        drawing.rect(8 + span.start * scale, 30, (span.stop - span.start) * scale, 8, fill=fill)
    width = max(3, (chosen.stop - chosen.start) * scale)
    drawing.rect(7 + chosen.start * scale, 27, width + 2, 14, fill=svg.ORANGE, stroke=svg.INK)


def _line(drawing: Drawing, y: float, data: bytes, start: int, span: Any) -> None:
    """Sixteen bytes: where they stand, their hexadecimal digits, their letters."""
    drawing.text(HEX - 12, y + 14, f"{start}", size=12, anchor="end", mono=True, opacity=0.85)
    for place, byte in enumerate(data[start:start + PER_LINE]):
        here = span.start <= start + place < span.stop
        if here:
            drawing.rect(HEX + CELL * place, y, CELL, 20, fill=svg.ORANGE)
            drawing.rect(LETTERS + 13 * place, y, 13, 20, fill=svg.ORANGE)
        for x, words in ((HEX + CELL * (place + 0.5), f"{byte:02x}"),
                         (LETTERS + 13 * (place + 0.5), chr(byte) if 32 < byte < 127 else "·")):
            drawing.text(x, y + 14, words, size=12, anchor="middle", mono=True, opacity=1 if here else 0.85,
                         fill=svg.INK if here else "currentColor")

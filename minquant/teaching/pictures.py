"""Still drawings of ideas: how a token is written, what a prompt becomes, which word comes next.

Each function returns SVG text made by ``svg.Drawing``; show it with
``widgets.show_still`` or hand the function to ``widgets.explore``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from . import svg
from .svg import Drawing

LINE = 76  # characters of a line of text in a picture


def writing_a_token() -> str:
    """The loop that writes text: tokens go in, one number per word piece comes out, one piece is drawn and appended."""
    drawing = Drawing(720, 236, "How a model writes: text is cut into tokens, the tokens go through all blocks of "
                      "weights, a score for every token of the vocabulary comes out, scores become probabilities, one "
                      "token is drawn and appended, and everything starts again")
    stations = (("text", "“Return the”", svg.SKY), ("tokens", "numbers", svg.SKY),
                ("the model", "every weight is read", svg.ORANGE), ("logits", "a score per token", svg.GREEN),
                ("draw one", "the next token", svg.GREEN))
    xs, width = (14, 134, 258, 440, 582), (98, 100, 158, 118, 124)
    for (name, about, colour), x, w in zip(stations, xs, width):
        drawing.rect(x, 56, w, 74, fill=colour, stroke=svg.INK, radius=8)
        drawing.text(x + w / 2, 88, name, size=15, anchor="middle", fill=svg.INK, bold=True)
        drawing.text(x + w / 2, 110, about, size=12, anchor="middle", fill=svg.INK)
    for x, w, following in zip(xs, width, xs[1:]):
        drawing.line(x + w + 3, 93, following - 7, 93, stroke="currentColor", width=1.5, arrow=True)
    drawing.line(644, 134, 644, 186, stroke="currentColor", width=1.5)
    drawing.line(644, 186, 63, 186, stroke="currentColor", width=1.5)
    drawing.line(63, 186, 63, 140, stroke="currentColor", width=1.5, arrow=True)
    drawing.text(353, 206, "append it and start again: one turn of the loop is one token", anchor="middle")
    drawing.text(337, 38, "lesson 01: why is this box so slow?", anchor="middle")
    return str(drawing)


def probability_bars(pieces: Sequence[str], probabilities: Sequence[float], title: str) -> str:
    """Candidates for the next token and their probabilities, as bars."""
    drawing = Drawing(720, 48 + 30 * len(pieces), title + ": " + ", ".join(
        f"{piece!r} {p:.0%}" for piece, p in zip(pieces, probabilities)))
    drawing.text(14, 24, title, bold=True)
    longest = max(probabilities)
    for row, (piece, probability) in enumerate(zip(pieces, probabilities)):
        y, width = 40 + 30 * row, round(470 * probability / longest)  # whole pixels: the same picture on every machine
        drawing.text(150, y + 16, repr(piece), anchor="end", mono=True)
        drawing.rect(162, y, width, 22, fill=svg.SKY)
        drawing.text(170 + width, y + 16, f"{probability:.0%}")
    return str(drawing)


def continuation(prompt: str, text: str, head: str, lines: int = 9) -> str:
    """A prompt (bold, one line at most) and what a model wrote after it, framed, with a heading; cut to ``lines``."""
    written = (prompt + text).splitlines()
    shown = [piece for line in written if line.strip() for piece in textwrap.wrap(line, LINE) or [""]]
    drawing = Drawing(720, 66 + 21 * lines, f"{head}. {prompt}{text}")
    drawing.text(18, 28, head, bold=True, size=15)
    drawing.rect(8, 40, 704, 18 + 21 * lines, stroke=svg.GREY, radius=8)
    for row, line in enumerate(shown[:lines]):
        more = " …" if row == lines - 1 and len(shown) > lines else ""
        drawing.text(20, 64 + 21 * row, line + more, mono=True, size=14, bold=len(prompt) if row == 0 else 0)
    return str(drawing)

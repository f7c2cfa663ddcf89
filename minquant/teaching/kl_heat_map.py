"""The KL heat map of lesson 07: one text read by two quantized models, each token coloured by how far its guess moved.

How it works
    After every token a model guesses the next one. ``readings`` compares these guesses with the float model's, one KL a
    token, for several recipes on one text. ``heat_map`` writes the text twice, side by side. The colour of a token is
    the KL of the guess that was made just before it; each colour stands for ten times the KL of the one before. A
    line under a token says that the two models found different tokens likeliest there.

Why the panels are light in a dark theme too
    Six shades need one background. The letters are laid on a grid of equal widths, so that shade and letter meet in
    whatever font the page has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ..evaluation import Evaluation, Reference, evaluate
from ..model import Recipe, Transformer
from . import svg
from .svg import Drawing

SHADES = ("#FFFDF6", "#FFF0C2", "#FFDC85", "#FFBA47", "#F28C38", "#E3553B")
LIMITS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # nats: the KL at which the next shade begins
COLUMNS, CHARACTER, LINE = 48, 7.25, 20  # letters in a line; pixels of a letter and of a line
PANEL, GAP, TOP = COLUMNS * CHARACTER + 16, 24, 52
WIDTH = 2 * PANEL + GAP


@dataclass(frozen=True)
class Reading:
    """A text read under one recipe. ``kl`` (nats) and ``flipped`` belong to the guess just before each token."""

    name: str
    pieces: tuple[str, ...]
    kl: np.ndarray
    flipped: np.ndarray


def readings(model: Transformer, tokens: np.ndarray, schemes: Iterable[str]) -> dict[str, Reading]:
    """What each scheme, of all matrices, does to the guesses of every token but the first: scheme -> Reading."""
    reference = Reference(model, tokens)
    return {scheme: reading(scheme, model, evaluate(model.quantize(Recipe(weights=scheme, head=scheme)), reference))
            for scheme in schemes}


def reading(name: str, model: Transformer, measured: Evaluation) -> Reading:
    """From an evaluation of a text: the tokens as words, and what was measured before each."""
    pieces = tuple(piece.decode("utf-8", "replace") for piece in model.tokenizer.token_bytes(measured.flips.tokens[1:]))
    return Reading(name, pieces, measured.kl_per_token[:-1], measured.flips.flipped[:-1])


def shade(kl: float) -> int:
    """The shade of a KL, 0 to 5: how many of the limits it has reached."""
    return sum(kl >= limit for limit in LIMITS)


def heat_map(read: Mapping[str, Reading], left: str, right: str) -> str:
    """Two readings of one text side by side, with a legend. Raises KeyError for a name that was not read."""
    both = [read[left], read[right]]
    places, lines = laid_out(both[0].pieces)
    height = TOP + lines * LINE + 14
    drawing = Drawing(WIDTH, height + 64, "KL of each token's guess from the float model's. " + " ".join(
        f"{place}: {_summary(r)}." for place, r in zip(("Left", "Right"), both)))
    for number, r in enumerate(both):
        _panel(drawing, number * (PANEL + GAP), height, r, places)
    _legend(drawing, height)
    return str(drawing)


def laid_out(pieces: Sequence[str]) -> tuple[list[tuple[int, int, str]], int]:
    """Where the tokens stand: (line, column, letters shown) for each piece, and the number of lines.

    A line is broken before a word that would not fit, and loses the space it would begin with. Line breaks of the
    text are shown as a sign, not made: two columns leave no room for them.
    """
    shown = [piece.replace("\n", "↵") for piece in pieces]
    places, line, column = [], 0, 0
    for number, letters in enumerate(shown):
        word = len(letters)  # with what follows, up to the next space
        for later in shown[number + 1:]:
            if later[0] in " ↵":
                break
            word += len(later)
        begins = letters[0] in " ↵" or number == 0 or shown[number - 1][-1] == "↵"
        if column and (column + len(letters) > COLUMNS or (begins and column + word > COLUMNS)):
            line, column = line + 1, 0
        letters = (letters if column else letters.lstrip(" ") or letters)[:COLUMNS]
        places.append((line, column, letters))
        column += len(letters)
    return places, line + 1


def _panel(drawing: Drawing, x: float, height: float, r: Reading, places: Sequence[tuple[int, int, str]]) -> None:
    """One text with its shades, under its name and figures."""
    drawing.text(x + 2, 18, r.name, bold=True, size=15)
    drawing.text(x + 2, 38, _summary(r).partition(": ")[2], size=12)
    drawing.rect(x, TOP - 4, PANEL, height - TOP, fill=SHADES[0], stroke=svg.GREY, radius=4)
    for (line, colour), cells in groupby(zip(places, map(shade, r.kl)), key=lambda cell: (cell[0][0], cell[1])):
        run = [place for place, _ in cells]  # neighbours of one shade share a rectangle
        if colour:
            width = sum(len(letters) for _, _, letters in run) * CHARACTER
            drawing.rect(x + 8 + run[0][1] * CHARACTER, TOP + 2 + line * LINE, width, LINE - 2, fill=SHADES[colour])
    for (line, column, letters), flipped in zip(places, r.flipped):
        if flipped:
            left, under = x + 8 + column * CHARACTER, TOP - 1 + (line + 1) * LINE
            drawing.line(left + 1, under, left + len(letters) * CHARACTER - 1, under, stroke=svg.INK, width=2)
    for line, cells in groupby(places, key=lambda place: place[0]):
        words = "".join(letters for _, _, letters in cells)
        drawing.text(x + 8, TOP + 16 + line * LINE, words, size=12, fill=svg.INK, mono=True,
                     length=len(words) * CHARACTER)


def _summary(r: Reading) -> str:
    return f"{r.name}: mean KL {r.kl.mean():.2g} nats, {r.flipped.sum()} of {r.flipped.size} likeliest tokens changed"


def _legend(drawing: Drawing, top: float) -> None:
    """What the shades mean, in words."""
    words = ("below 0.0001", *(f"from {limit:g}" for limit in LIMITS))
    drawing.text(0, top + 20, "KL in nats:", size=12)
    for number, (name, colour) in enumerate(zip(words, SHADES)):
        x = 76 + number * 112
        drawing.rect(x, top + 8, 16, 16, fill=colour, stroke=svg.GREY)
        drawing.text(x + 22, top + 20, name, size=12)
    drawing.rect(76, top + 36, 16, 16, fill=SHADES[0], stroke=svg.GREY)
    drawing.line(78, top + 49, 90, top + 49, stroke=svg.INK, width=2)
    drawing.text(98, top + 48, "underlined: another token became the likeliest", size=12)
    drawing.text(412, top + 48, "↵: a line break of the text", size=12)

"""The activation surface of lesson 10: one channel of a real input is made larger, and the others lose their levels.

How it works
    X (tokens, in) is what a matrix reads. One channel is multiplied by a factor, and the input is rounded to 8 bits
    in one of five ways (``RESCUES``):

        one scale          one for the whole tensor, largest magnitude / 127
        scale per token    one for each row
        LLM.int8()         a scale per row, columns with a magnitude of 6 or more stay in float
        SmoothQuant        X / s with s of ``smooth_scales`` (alpha 1/2), then one scale
        Hadamard           X H, then one scale; turned back after rounding

    ``rounded`` says which codes the *other* channels got and how large their squared error is, as a share of their
    squares. ``surface_card`` draws |codes| of some tokens and channels as a relief, ridge behind ridge, 127 being the
    full height: where one channel stands out, all others lie flat. Below it is a histogram of the others' codes.

What we leave out
    The rounding of the weights, which SmoothQuant makes harder: the lesson measures it on the whole model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..methods import hadamard, smooth_scales
from ..methods.llm_int8 import THRESHOLD
from ..scaling import quantize
from . import svg
from .svg import Drawing

WIDTH, HEIGHT = 720, 580
FACTORS = (1, 2, 4, 8, 16, 32, 64)
TOKENS, CHANNELS, TOP = 14, 32, 127
RESCUES = {
    "one scale": "one scale for all tokens and channels",
    "scale per token": "one scale for each token (each ridge)",
    "LLM.int8()": f"a scale per token; columns that reach {THRESHOLD:g} stay in float",
    "SmoothQuant": "channels divided by s, alpha = 1/2; one scale",
    "Hadamard": "rotated, so that these are no channels any more; one scale"}
_FRONT, _RIDGE, _STEP = 350, 10.0, 14.0   # baseline of the front ridge; ridges lie so far behind, channels apart
_TALL = 150                               # height of code 127
_CODES = 424, 510                         # top and bottom of the histogram


@dataclass(frozen=True, eq=False)
class Rounded:
    """An input as one of the rescues rounds it.

    codes    (tokens, in) int8; 0 where a column is not rounded
    kept     (in,) bool: columns that are rounded
    others   (codes used,) int64: the different codes that channels other than the marked one got, ascending
    counts   (codes used,) int64: how often each
    error    squared error of the other channels over their squares
    """

    codes: np.ndarray
    kept: np.ndarray
    others: np.ndarray
    counts: np.ndarray
    error: float

    @property
    def levels(self) -> int:
        """How many different codes the others got."""
        return len(self.others)


def rounded(X: np.ndarray, W: np.ndarray, channel: int, factor: float, rescue: str) -> Rounded:
    """Multiply a channel and round the input.

    Args:
        X: (tokens, in) float32.
        W: (out, in): the matrix that reads it. SmoothQuant wants its columns; it is not rounded here.
        channel: which one is multiplied.
        factor: by how much.
        rescue: a key of ``RESCUES``.

    Raises ValueError for a rescue that is none, and for Hadamard where ``in`` has no such matrix.
    """
    if rescue not in RESCUES:
        raise ValueError(f"{rescue!r} is none of {', '.join(RESCUES)}")
    X = np.array(X, np.float32)
    X[:, channel] *= np.float32(factor)
    marked = np.arange(X.shape[1]) == channel
    kept = np.ones(X.shape[1], bool)
    seen, back = X, np.copy(X)
    if rescue == "SmoothQuant":
        s = smooth_scales(np.abs(X).max(axis=0), W)
        seen = X / s
    elif rescue == "Hadamard":
        seen = X @ hadamard(X.shape[1])
    elif rescue == "LLM.int8()":
        kept = np.abs(X).max(axis=0) < THRESHOLD
    q = quantize(seen[:, kept], "int8:token" if rescue in ("scale per token", "LLM.int8()") else "int8:tensor")
    back[:, kept] = q.dequantize()
    if rescue == "SmoothQuant":
        back = back * s
    elif rescue == "Hadamard":
        back = back @ hadamard(X.shape[1]).T
    codes = np.zeros(X.shape, np.int8)
    codes[:, kept] = q.codes
    counted = kept if rescue == "Hadamard" else kept & ~marked  # rotated, all coordinates are alike
    others, counts = np.unique(codes[:, counted], return_counts=True)
    off, all_of_it = (back - X)[:, ~marked].astype(np.float64), X[:, ~marked].astype(np.float64)
    return Rounded(codes, kept, others.astype(np.int64), counts, float((off**2).sum() / (all_of_it**2).sum()))


def surface_drawing(X: np.ndarray, W: np.ndarray, channel: int, title: str) -> Callable[[int, str], str]:
    """The function behind the controls: (factor, rescue) -> SVG card. Arguments as for ``rounded``."""
    before = rounded(X, W, channel, 1, "one scale").levels
    return lambda factor, rescue: surface_card(rounded(X, W, channel, factor, rescue), channel, factor, rescue, title,
                                               before)


def surface_card(result: Rounded, channel: int, factor: float, rescue: str, title: str, before: int) -> str:
    """One position of the controls as SVG; ``before``: levels the others have at factor 1 with one scale."""
    width = result.codes.shape[1]
    who = f"all {width} coordinates" if rescue == "Hadamard" else f"the other {width - 1} channels"
    left = f"{who[0].upper()}{who[1:]} use {result.levels} different codes ({before} with one scale, times 1)"
    error = f"Squared error of the other {width - 1} channels: {_percent(result.error)} of their squares"
    drawing = Drawing(WIDTH, HEIGHT, f"{title}. Channel {channel} times {factor:g}, {rescue}: {left}. {error}.")
    drawing.text(16, 22, f"{title}: channel {channel} times {factor:g}", bold=True)
    drawing.text(16, 42, f"{rescue}: {RESCUES[rescue]}", size=12)
    _relief(drawing, result, channel, rescue)
    _histogram(drawing, result, who)
    drawing.text(16, HEIGHT - 30, left + ".", bold=True, size=12)
    drawing.text(16, HEIGHT - 10, error + ".", bold=True, size=12)
    return str(drawing)


def _relief(drawing: Drawing, result: Rounded, channel: int, rescue: str) -> None:
    """Ridges of |codes|, the token furthest behind first, so that the nearer ones cover it."""
    first = channel // CHANNELS * CHANNELS
    codes = np.abs(result.codes[:TOKENS, first:first + CHANNELS].astype(float)) / TOP
    place, marked = channel - first, rescue != "Hadamard"
    for row, ridge in reversed(list(enumerate(codes))):
        left, base = 70 + _RIDGE * row, _FRONT - _RIDGE * row
        points = [(left + _STEP * j, base - _TALL * h) for j, h in enumerate(ridge)]
        drawing.polygon([(left, base), *points, (points[-1][0], base)], fill=svg.SKY, stroke="currentColor", width=0.8)
        if marked and result.kept[channel]:
            peak = points[place][0]
            feet = [points[j] for j in (place - 1, place + 1) if 0 <= j < len(points)]
            drawing.polygon([(feet[0][0], base), feet[0], points[place], feet[-1], (feet[-1][0], base)]
                            if len(feet) == 2 else [(peak, base), points[place], feet[0]],
                            fill=svg.ORANGE, stroke="currentColor", width=0.8)
        elif marked:
            drawing.line(left + _STEP * place, base, left + _STEP * place, base - 6, stroke=svg.ORANGE, width=3)
    _rulers(drawing, channel, first, codes.shape, marked, result.kept[channel])


def _rulers(drawing: Drawing, channel: int, first: int, shape: tuple[int, int], marked: bool, kept: bool) -> None:
    """The full height, and what lies along the two other axes."""
    tokens, channels = shape
    drawing.line(56, _FRONT, 56, _FRONT - _TALL)
    for height, words in ((0, "0"), (_TALL, str(TOP))):
        drawing.line(52, _FRONT - height, 60, _FRONT - height)
        drawing.text(48, _FRONT - height + 4, words, size=11, anchor="end")
    drawing.text(16, _FRONT - _TALL - 14, "|code|", size=12)
    end, deep = 70 + _STEP * (channels - 1), _RIDGE * (tokens - 1)
    drawing.line(end + 14, _FRONT, end + 14 + deep, _FRONT - deep, arrow=True)
    drawing.text(end + 26 + deep / 2, _FRONT - deep / 2 + 14, f"{tokens} tokens", size=12)
    what = f"channels {first} to {first + channels - 1}" if marked else f"{channels} rotated coordinates"
    drawing.text(70 + _STEP * (channels - 1) / 2, _FRONT + 20, what, size=12, anchor="middle")
    if marked:
        words = f"orange: channel {channel}" + ("" if kept else ", multiplied in float")
        drawing.text(70, _FRONT + 38, words, size=12)


def _histogram(drawing: Drawing, result: Rounded, who: str) -> None:
    """How often each code is used, on a logarithmic scale, from -127 to 127."""
    top, bottom = _CODES
    left, step = 70, 2.3
    drawing.text(left, top - 12, f"Codes of {who}, how often each is used (logarithmic)", size=12)
    drawing.line(left, bottom, left + step * (2 * TOP + 1), bottom)
    most = np.log(result.counts.max() + 1) if result.levels else 1
    for code, count in zip(result.others, result.counts):
        height = (bottom - top) * np.log(count + 1) / most
        drawing.rect(left + step * (int(code) + TOP), bottom - height, step - 0.3, height, fill=svg.GREEN)
    for code in (-TOP, 0, TOP):
        drawing.text(left + step * (code + TOP + 0.5), bottom + 15, str(code), size=11, anchor="middle")


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.995 else f"{100 * share:.0f}%"

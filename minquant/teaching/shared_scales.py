"""The group slider of lesson 04: one row of real weights with the grid of every group drawn behind it.

How it works
    ``scale_card`` draws the first 128 weights of the row in which the followed weight lies. Behind them lie the values
    that their group can say, one thin line each, as wide as the group: a scale shared by the whole matrix gives one
    coarse grid, a scale per 16 weights gives eight, each as wide as its own largest weight. A short red line joins
    every weight to the value it is rounded to. Below stand the price and the loss over *all* matrices of the blocks,
    drawn as bars, with marks where the other choices end.
    ``scale_drawing`` measures all choices once and returns the function behind the slider.

What we leave out
    8 bits: 255 lines are a grey wall. The table of the lesson has them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..scaling import Scheme, quantize
from . import svg
from .one_weight import followed
from .svg import Drawing
from .weight_errors import bits_per_weight, linear_layers, relative_error

WIDTH, HEIGHT, SHOWN = 720, 432, 128
SHARINGS = ("tensor", "channel", "g256", "g128", "g64", "g32", "g16")
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 706, 44, 254  # the frame of the weights
_TRACK = 236                                      # where the bars begin


@dataclass(frozen=True)
class Loss:
    """What one scheme costs and loses over all matrices: bits per weight, and squared error over squared weights."""

    bits: float
    error: float


def scale_drawing(model, formats: Sequence[str], sharings: Sequence[str] = SHARINGS) -> Callable[..., str]:
    """Measure every format with every sharing; returns ``draw(sharing, format)`` -> SVG card."""
    matrices = linear_layers(model)
    losses = {}
    for name in formats:
        for sharing in sharings:
            scheme = f"{name}:{sharing}"
            losses[scheme] = Loss(bits_per_weight(matrices, scheme), relative_error(matrices, scheme))
    weight = followed(model)
    matrix = model.weights[weight.tensor]

    def draw(sharing: str, format: str) -> str:
        return scale_card(matrix, weight.row, weight.column, f"{format}:{sharing}", losses)

    return draw


def scale_card(matrix: np.ndarray, row: int, column: int, scheme: str, losses: dict[str, Loss]) -> str:
    """One choice as SVG: the weights ``matrix[row, :128]`` on their grids, a mark at ``column``, and its ``losses``."""
    q = quantize(matrix, scheme)
    weights, rounded = matrix[row, :SHOWN], q.dequantize()[row, :SHOWN]
    frame = _Frame(1.12 * float(np.abs(weights).max()))
    group, loss = min(q.scheme.block_length(matrix.shape), SHOWN), losses[scheme]
    grids = -(-SHOWN // group)
    drawing = Drawing(WIDTH, HEIGHT, f"{scheme}: {loss.bits:.4g} bits per weight, squared error {_percent(loss.error)} "
                      f"of the squared weights, {grids} grid{'s' * (grids > 1)} for the {SHOWN} weights shown")
    drawing.text(_LEFT, 20, f"{SHOWN} weights of row {row} and the values they may take", bold=True)
    drawing.text(_RIGHT, 20, _who(q.scheme), anchor="end")
    _grids(drawing, frame, q.scheme, np.atleast_2d(q.scale)[row if q.scale.ndim else 0], group)
    _weights(drawing, frame, weights, rounded, column)
    beside = [name for name in losses if name.partition(":")[0] == scheme.partition(":")[0]]
    _bar(drawing, 310, "bits per weight", "scales counted", f"{loss.bits:.3f}", svg.SKY,
         {name: other.bits / max(v.bits for v in losses.values()) for name, other in losses.items()}, scheme, beside)
    floor, top = (f(v.error for v in losses.values()) for f in (min, max))
    _bar(drawing, 364, "squared error", "log scale", f"{_percent(loss.error)} of the squared weights",
         svg.ORANGE, {name: math.log(2 * other.error / floor) / math.log(2 * top / floor)
                      for name, other in losses.items()}, scheme, beside)
    drawing.text(_TRACK, HEIGHT - 10, "Over all matrices of the blocks. Small marks: the other choices of this format.",
                 size=12, opacity=0.85)
    return str(drawing)


@dataclass(frozen=True)
class _Frame:
    """Where a weight lies in the picture: columns to the right, values from -top to top upwards."""

    top: float

    def x(self, column: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * column / SHOWN

    def y(self, value: float) -> float:
        return (_TOP + _BOTTOM) / 2 - (_BOTTOM - _TOP) / 2 * value / self.top


def _grids(drawing: Drawing, frame: _Frame, scheme: Scheme, scales: np.ndarray, group: int) -> None:
    """The values of every group as lines, every second group on a faint ground."""
    low, high = scheme.code_range if scheme.is_integer else (0, 0)
    values = np.arange(low, high + 1) if scheme.is_integer else scheme.format.grid
    drawing.line(_LEFT, _TOP, _LEFT, _BOTTOM)
    for value in (frame.top / 1.12, 0.0, -frame.top / 1.12):
        drawing.text(_LEFT - 5, frame.y(value) + 4, f"{value:.2f}".replace("0.", ".").replace(".00", "0"), size=11,
                     anchor="end")
    for number, first in enumerate(range(0, SHOWN, group)):
        left, right = frame.x(first), frame.x(first + group)
        if number % 2:
            drawing.rect(left, _TOP, right - left, _BOTTOM - _TOP, fill=svg.GREY, opacity=0.16)
        for value in values * np.float32(scales[number]):
            if abs(value) <= frame.top:
                drawing.line(left + 1, frame.y(value), right - 1, frame.y(value), stroke=svg.SKY)


def _weights(drawing: Drawing, frame: _Frame, weights: np.ndarray, rounded: np.ndarray, column: int) -> None:
    """Every weight as a dot, a red line to the value it is rounded to, an arrow at the followed one."""
    for place, (weight, value) in enumerate(zip(weights, rounded)):
        x, y = frame.x(place + 0.5), frame.y(weight)
        drawing.line(x, y, x, frame.y(np.clip(value, -frame.top, frame.top)), stroke=svg.VERMILLION, width=2)
        drawing.rect(x - 1.5, y - 1.5, 3, 3, fill="currentColor")
    x, y = frame.x(column + 0.5), frame.y(weights[column])
    ahead = 1 if y > (_TOP + _BOTTOM) / 2 else -1  # the arrow comes from outside
    drawing.line(x, y + 26 * ahead, x, y + 8 * ahead, stroke="currentColor", width=1.5, arrow=True)
    drawing.text(_LEFT, _BOTTOM + 20, f"The arrow: the followed weight, {weights[column]:.4f}, becomes "
                 f"{rounded[column]:.4f}. Dot: a weight. Red line: its error.", size=12)


def _who(scheme: Scheme) -> str:
    """Who shares a scale, in words."""
    shared = {"tensor": "the whole matrix", "channel": "each row"}.get(scheme.granularity,
                                                                      f"each {scheme.group_size} neighbours")
    return f"{scheme.format.name.partition('_')[0]}, one scale for {shared}"


def _bar(drawing: Drawing, y: float, title: str, note: str, words: str, colour: str, lengths: dict[str, float],
         scheme: str, beside: Sequence[str]) -> None:
    """The bar of ``scheme`` with its value in words; ``lengths`` are shares of the track, marks for those ``beside``."""
    width = _RIGHT - _TRACK
    drawing.text(_LEFT, y, title, bold=True)
    drawing.text(_LEFT, y + 16, note, size=12, opacity=0.85)
    drawing.text(_TRACK, y, words)
    drawing.line(_TRACK, y + 21, _RIGHT, y + 21)
    for x in (_TRACK + width * lengths[name] for name in beside):
        drawing.line(x, y + 17, x, y + 25, width=1.5)
    drawing.rect(_TRACK, y + 7, width * lengths[scheme], 14, fill=colour)


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"

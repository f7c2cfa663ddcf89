"""The block slider of lesson 11: 32 numbers that share a power of two, beside the same with finer scales.

How it works
    ``exponent_card`` draws one block of real weights, stretched so that its largest magnitude is what the slider says,
    from 4 to 8: one octave, in which the power of two stays the same and the largest number wanders from the middle of
    fp4's range beyond its end. Upper frame: MXFP4, one power of two for all 32. Lower frame: NVFP4, an fp8 scale for each
    16. Lines are the values that a number may take, red lines its error. Below, the error of both over the whole
    octave, with a mark where the slider stands.

What we leave out
    Other octaves. Everything repeats with the factor 2: that is what a power of two does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import formats
from ..scaling import nvfp4, shared_exponent
from . import svg
from .one_weight import followed
from .svg import Drawing

WIDTH, HEIGHT, BLOCK = 720, 520, 32
LOW, HIGH = 4.0, 8.0
RULES = ("floor", "even", "rceil", "ceil")
_LEFT, _RIGHT = 44, 470                # of the frames; words stand to the right
_FRAMES = (40, 180), (206, 346)        # top and bottom of each
_CURVE = 400, 492
_FP4 = formats.get("fp4_e2m1")
_G = nvfp4.global_scale(HIGH)          # the largest number of the whole tensor is 8


def exponent_drawing(model) -> Callable[..., str]:
    """``draw(largest, rule)`` -> SVG card of the block of the followed weight."""
    weight = followed(model)
    first = weight.column // BLOCK * BLOCK
    block = model.weights[weight.tensor][weight.row, first:first + BLOCK]
    return lambda largest, rule: exponent_card(block, largest, rule)


def exponent_card(block: np.ndarray, largest: float, rule: str) -> str:
    """One position of the slider as SVG: block (32,) float32 stretched to this largest magnitude, and a scale rule."""
    x = stretched(block, largest)
    both = mx_scales(x, rule), nv_scales(x)
    errors = [error(x, scales) for scales in both]
    drawing = Drawing(WIDTH, HEIGHT, f"A block of 32 whose largest magnitude is {largest:g}. MXFP4 with the {rule} rule: "
                      f"scale {both[0][0]:g}, squared error {100 * errors[0]:.2f}%. "
                      f"NVFP4: squared error {100 * errors[1]:.2f}%")
    names = f"MXFP4: a power of two for 32 numbers, by the rule {rule}", "NVFP4: a number of fp8 for 16 numbers"
    for (top, bottom), name, scales, loss in zip(_FRAMES, names, both, errors):
        drawing.text(_LEFT, top - 12, name, bold=True)
        _frame(drawing, top, bottom, x, scales)
        _words(drawing, top, x, scales, loss)
    _curves(drawing, block, largest, rule)
    return str(drawing)


def stretched(block: np.ndarray, largest: float) -> np.ndarray:
    """The block times a factor that makes ``largest`` its largest magnitude: float32."""
    return (block * np.float32(largest / np.abs(block).max())).astype(np.float32)


def mx_scales(x: np.ndarray, rule: str) -> np.ndarray:
    """The power of two of a block (32,), once for each of its numbers: float32."""
    return np.full(x.shape, shared_exponent.scales(np.abs(x).max(), _FP4, rule), np.float32)


def nv_scales(x: np.ndarray) -> np.ndarray:
    """The scale of each 16 of a block (32,), once for each number: float32."""
    return np.repeat(nvfp4.block_scales(np.abs(x.reshape(2, 16)).max(axis=1), _G) / _G, 16).astype(np.float32)


def rounded(x: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The values that the fp4 codes stand for."""
    return _FP4.round(x / scales) * scales


def error(x: np.ndarray, scales: np.ndarray) -> float:
    """Squared error over the squared numbers."""
    return float(((rounded(x, scales) - x) ** 2).sum() / (x**2).sum())


def _frame(drawing: Drawing, top: float, bottom: float, x: np.ndarray, scales: np.ndarray) -> None:
    def across(place: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * place / BLOCK

    def height(value: float) -> float:
        return (top + bottom) / 2 - (bottom - top) / 2 * value / (1.06 * HIGH)

    drawing.line(_LEFT, top, _LEFT, bottom)
    for value in (-8, -4, 0, 4, 8):
        drawing.text(_LEFT - 6, height(value) + 4, f"{value:g}", size=11, anchor="end")
    for first in range(0, BLOCK, 16):
        for value in _FP4.grid * scales[first]:
            if abs(value) <= 1.06 * HIGH:
                drawing.line(across(first) + 1, height(value), across(first + 16) - 1, height(value), stroke=svg.SKY)
    for place, (number, back) in enumerate(zip(x, rounded(x, scales))):
        middle = across(place + 0.5)
        drawing.line(middle, height(number), middle, height(back), stroke=svg.VERMILLION, width=2)
        drawing.rect(middle - 2, height(number) - 2, 4, 4, fill="currentColor")


def _words(drawing: Drawing, top: float, x: np.ndarray, scales: np.ndarray, loss: float) -> None:
    each = sorted({float(s) for s in scales}, reverse=True)
    ends = " and ".join(f"{_FP4.max * s:.3g}" for s in each)
    clipped = int((np.abs(x) > _FP4.max * scales * (1 + 1e-6)).sum())
    lines = (f"scale {' and '.join(f'{s:.3g}' for s in each)}", f"the grid ends at {ends}",
             f"the largest number is {np.abs(x).max():.3g}", f"clipped: {clipped}", f"squared error {100 * loss:.2f}%")
    for number, words in enumerate(lines):
        drawing.text(_RIGHT + 18, top + 18 + 22 * number, words, bold=number == len(lines) - 1)


def _curves(drawing: Drawing, block: np.ndarray, largest: float, rule: str) -> None:
    """Both errors over the octave."""
    top, bottom = _CURVE
    places = np.linspace(LOW, HIGH, 65)
    of = {"MXFP4": ([error(x, mx_scales(x, rule)) for x in (stretched(block, a) for a in places)], svg.ORANGE),
          "NVFP4": ([error(x, nv_scales(x)) for x in (stretched(block, a) for a in places)], svg.GREEN)}
    highest = 1.1 * max(max(errors) for errors, _ in of.values())

    def across(value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (value - LOW) / (HIGH - LOW)

    def height(share: float) -> float:
        return bottom - (bottom - top) * share / highest

    drawing.text(_LEFT, top - 16, "squared error over the largest number of the block", bold=True)
    drawing.line(_LEFT, bottom, _RIGHT, bottom), drawing.line(_LEFT, top, _LEFT, bottom)
    for share in (0, highest / 1.1):
        drawing.text(_LEFT - 6, height(share) + 4, f"{100 * share:.1f}%", size=11, anchor="end")
    for value in (4, 5, 6, 7, 8):
        drawing.text(across(value), bottom + 16, f"{value}", size=11, anchor="middle")
    for number, (name, (errors, colour)) in enumerate(of.items()):
        for a, b, from_, to in zip(places, places[1:], errors, errors[1:]):
            drawing.line(across(a), height(from_), across(b), height(to), stroke=colour, width=2.5)
        drawing.line(_RIGHT + 18, top + 14 + 24 * number, _RIGHT + 48, top + 14 + 24 * number, stroke=colour, width=2.5)
        drawing.text(_RIGHT + 56, top + 18 + 24 * number, f"{name}")
    drawing.line(across(largest), top, across(largest), bottom, dash="4 3")

"""The clip slider of lesson 04: where a grid ends, what that costs inside and outside, and where calibrators put it.

How it works
    A symmetric grid of ``b`` bits that ends at a threshold T has steps of ``T / (2^(b-1) - 1)``. ``split_error`` sorts
    the squared error by cause: *rounding* for magnitudes up to T, *clipping* for those beyond, which all become T. A
    smaller T makes the first smaller and the second larger.
    ``thresholds`` asks the package's own calibrators where they would end the grid: it quantizes, and reads the scale.
    ``clip_card`` draws a histogram of the magnitudes, the calibrators, and both errors over all thresholds.
    ``clip_drawing`` works all of that out once and returns the function behind the slider.

What we leave out
    Asymmetric ranges (two ends to move), and one threshold per channel or group: the picture is of one scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..scaling import quantize
from . import svg
from .svg import Drawing

WIDTH, HEIGHT, BINS = 720, 506, 111
SHARES = tuple(n / 100 for n in range(100, 0, -2))  # thresholds of the slider, as shares of the largest magnitude
CALIBRATORS = {"min-max": "", "p99.9": ":p99.9", "least squares": ":l2", "entropy": ":kl"}
_LEFT, _RIGHT = 56, 706
_HISTOGRAM, _MARKS, _CURVES = (40, 150), 168, (256, 420)  # top and bottom of the two plots, first line of the marks


def split_error(x: np.ndarray, threshold: float, bits: int) -> tuple[float, float]:
    """(rounding, clipping): squared error of a symmetric grid that ends at threshold, as shares of sum x^2."""
    magnitudes = np.abs(x).astype(np.float64)
    step = threshold / (2 ** (bits - 1) - 1)
    inside = magnitudes <= threshold
    off = np.where(inside, magnitudes - np.rint(magnitudes / step) * step, magnitudes - threshold) ** 2
    return float(off[inside].sum() / (magnitudes**2).sum()), float(off[~inside].sum() / (magnitudes**2).sum())


def thresholds(x: np.ndarray, bits: int, calibrators: Mapping[str, str] = CALIBRATORS) -> dict[str, float]:
    """Where each calibrator ends the grid of one scale for all of x: name -> magnitude. Values of ``calibrators`` are
    what they add to the scheme string."""
    largest_code = 2 ** (bits - 1) - 1
    return {name: largest_code * float(quantize(x, f"int{bits}:tensor{option}").scale)
            for name, option in calibrators.items()}


@dataclass(frozen=True)
class Clipped:
    """An array's magnitudes at one bit width: what ``clip_card`` draws. Thresholds are shares of ``largest``."""

    name: str
    bits: int
    largest: float
    counts: np.ndarray                        # (BINS,) of a histogram from 0 to the largest
    beyond: Sequence[float]                   # share of the numbers beyond each of SHARES
    errors: Sequence[tuple[float, float]]     # (rounding, clipping) at each of SHARES
    marks: Mapping[str, float]

    @classmethod
    def of(cls, name: str, x: np.ndarray, bits: int) -> Clipped:
        """Work it out for an array of real numbers, not all zero."""
        magnitudes = np.abs(x).ravel()
        largest = float(magnitudes.max())
        return cls(name, bits, largest, np.histogram(magnitudes, BINS, (0, largest))[0],
                   [float((magnitudes > share * largest).mean()) for share in SHARES],
                   [split_error(magnitudes, share * largest, bits) for share in SHARES],
                   {name: end / largest for name, end in thresholds(x, bits).items()})


def clip_drawing(arrays: Mapping[str, np.ndarray], bits: Sequence[int]) -> Callable[..., str]:
    """Work everything out for every array and bit width; returns ``draw(clip_at, bits, numbers)`` -> SVG card.

    ``clip_at`` is a position in SHARES, ``numbers`` a name of ``arrays``.
    """
    known = {(name, b): Clipped.of(name, x, b) for name, x in arrays.items() for b in bits}

    def draw(clip_at: int, bits: int, numbers: str) -> str:
        return clip_card(known[numbers, bits], clip_at)

    return draw


def clip_card(clipped: Clipped, position: int) -> str:
    """The histogram, the calibrators and the errors as SVG, with the grid's end at ``SHARES[position]``."""
    share, (rounding, clipping) = SHARES[position], clipped.errors[position]
    said = (f"Clipped at {share * clipped.largest:.3g} ({share:.0%} of the largest): {_percent(clipped.beyond[position])} "
            "of the numbers lie beyond")
    lost = f"squared error: rounding {_percent(rounding)} + clipping {_percent(clipping)} = {_percent(rounding + clipping)}"
    drawing = Drawing(WIDTH, HEIGHT, f"{clipped.name}, {clipped.bits} bits. {said}; {lost}")
    drawing.text(_LEFT, 20, f"{clipped.name}, {clipped.bits} bits, one scale", bold=True)
    x = _x(share)
    drawing.rect(x, _HISTOGRAM[0], _RIGHT - x, _CURVES[1] - _HISTOGRAM[0], fill=svg.GREY, opacity=0.16)
    _histogram(drawing, clipped)
    _calibrators(drawing, clipped)
    _errors(drawing, clipped)
    for top, bottom in (_HISTOGRAM, _CURVES):  # words stand between the two
        drawing.line(x, top, x, bottom, stroke="currentColor", width=2)
    for n in range(5):
        anchor = "end" if n == 4 else "middle"
        drawing.text(_x(n / 4), _CURVES[1] + 17, f"{n / 4 * clipped.largest:.3g}", size=11, anchor=anchor)
    drawing.text((_LEFT + _RIGHT) / 2, _CURVES[1] + 34, "magnitude; the same axis for everything above", size=12,
                 anchor="middle")
    drawing.text(_LEFT, HEIGHT - 28, said + ".")
    drawing.text(_LEFT, HEIGHT - 10, lost[0].upper() + lost[1:] + " of the squares.")
    return str(drawing)


def _x(share: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * share


def _histogram(drawing: Drawing, clipped: Clipped) -> None:
    """Counts on a logarithmic axis: a bin with a single number is still seen."""
    top, bottom = _HISTOGRAM
    width, most = (_RIGHT - _LEFT) / BINS, math.log10(2 * clipped.counts.max())
    for place, count in enumerate(clipped.counts):
        if count:
            height = (bottom - top) * math.log10(2 * count) / most
            drawing.rect(_LEFT + place * width, bottom - height, width - 0.6, height, fill=svg.SKY)
    drawing.line(_LEFT, bottom, _RIGHT, bottom)
    for power in range(0, int(most) + 1, 2):
        y = bottom - (bottom - top) * math.log10(2 * 10**power) / most
        drawing.text(_LEFT - 6, y + 4, f"{10**power:,}", size=11, anchor="end")
    drawing.text(_RIGHT, 20, "how many numbers are this large (log scale)", size=12, anchor="end")


def _calibrators(drawing: Drawing, clipped: Clipped) -> None:
    """One line per calibrator: a tick where it ends the grid, and its name."""
    for row, (name, share) in enumerate(clipped.marks.items()):
        x, y = _x(share), _MARKS + 17 * row
        drawing.line(x, y - 9, x, y + 5, stroke=svg.VERMILLION, width=3)
        left = share > 0.8
        drawing.text(x + (-7 if left else 7), y + 2, f"{name} clips at {share:.0%}" if share < 0.995 else
                     f"{name}: no clipping", size=12, anchor="end" if left else "start")


def _errors(drawing: Drawing, clipped: Clipped) -> None:
    """Rounding, clipping and their sum over the threshold, on a logarithmic axis."""
    top, bottom = _CURVES
    sums = [r + c for r, c in clipped.errors]
    low, high = math.floor(math.log10(min(sums))) - 0.7, math.log10(max(sums)) + 0.15

    def y(error: float) -> float:
        return bottom - (bottom - top) * (math.log10(error) - low) / (high - low)

    for power in range(math.ceil(low), math.floor(high) + 1):
        drawing.line(_LEFT, y(10.0**power), _RIGHT, y(10.0**power), width=0.5)
        drawing.text(_LEFT - 6, y(10.0**power) + 4, f"{100 * 10.0**power:g}%", size=11, anchor="end")
    drawing.line(_LEFT, bottom, _RIGHT, bottom)
    for values, colour, width in (([r for r, _ in clipped.errors], svg.ORANGE, 2),
                                  ([c for _, c in clipped.errors], svg.PURPLE, 2), (sums, "currentColor", 2.5)):
        points = [(_x(share), y(value)) for share, value in zip(SHARES, values) if value > 10**low]
        for (x0, y0), (x1, y1) in zip(points, points[1:]):
            drawing.line(x0, y0, x1, y1, stroke=colour, width=width)
    for place, (words, colour) in enumerate((("rounding", svg.ORANGE), ("clipping", svg.PURPLE),
                                             ("both", "currentColor"))):
        x = _RIGHT - 230 + 90 * place
        drawing.rect(x, top - 10, 14, 4, fill=colour)
        drawing.text(x + 19, top - 4, words, size=12)


def _percent(share: float) -> str:
    """A share in percent, two significant digits, in words where it is none."""
    return "0%" if share == 0 else f"{100 * share:.2g}%" if share >= 1e-6 else "<0.0001%"

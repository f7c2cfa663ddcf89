"""The grid of lesson 03: drag a range and an outlier, and watch codes, scale, zero point and errors.

How it works
    ``Grid.over(low, high, ...)`` asks the package's own arithmetic (``scaling.grids``) for the scale and the zero point
    of a range. ``grid_card`` draws the numbers as a histogram on a number line, the codes as lines beneath it, what is
    clipped as a shaded part, and under it the histogram of the errors in units of one step: between -1/2 and 1/2 what
    was rounded, at the ends what was clipped. ``explore_grid`` puts it behind sliders.

What we leave out
    More than one scale for the numbers (lesson 04), and formats whose steps are uneven (lesson 02).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np

from ..scaling import Scheme, grids
from . import svg
from .svg import Drawing
from .widgets import explore

WIDTH, HEIGHT = 720, 486
BINS, ERROR_BINS = 110, 20
OUTLIERS = (1, 2, 4, 8, 16)
_LEFT, _RIGHT = 20, 700
_NUMBERS = (118, 216)  # top and bottom of the histogram of the numbers
_ERRORS = (328, 424)   # and of the errors
_INSIDE = (150, 570)   # errors of half a step end here; clipped ones stand further out


@dataclass(frozen=True)
class Grid:
    """A grid of integer codes: ``value = scale * (code - zero)`` for codes from ``lowest`` to ``highest``."""

    scheme: Scheme
    scale: float
    zero: int

    @classmethod
    def over(cls, low: float, high: float, bits: int, symmetric: bool = True) -> Grid:
        """The grid of a range, widened to hold 0; symmetric: restricted range, the code of 0 is 0."""
        scheme = Scheme.parse(f"int{bits}:tensor" + ("" if symmetric else ":asym"))
        ends = (np.float32([[min(low, 0.0)]]), np.float32([[max(high, 0.0)]]))
        scale, zero = grids.grid_for(*ends, scheme)
        return cls(scheme, float(scale[0, 0]), 0 if zero is None else int(zero[0, 0]))

    @property
    def lowest(self) -> int:
        """Smallest code."""
        return self.scheme.code_range[0]

    @property
    def highest(self) -> int:
        """Largest code."""
        return self.scheme.code_range[1]

    def value(self, code: float) -> float:
        """What a code stands for."""
        return self.scale * (code - self.zero)

    def codes(self, x: np.ndarray) -> np.ndarray:
        """Codes of numbers (n,): float32 (n,)."""
        zero = None if self.scheme.symmetric else np.float32([[self.zero]])
        return grids.snap(np.float32(x)[None], np.float32([[self.scale]]), zero, self.scheme)[0]


def explore_grid(numbers: np.ndarray, followed: float) -> None:
    """Show numbers (n,) on a grid behind sliders: bits, the ends of the range, an outlier, and what to do about them.

    ``followed`` is one of the numbers; a line of text says what becomes of it.
    """
    reach = float(np.abs(numbers).max())
    wide = {"layout": widgets.Layout(width="420px", max_width="100%"), "style": {"description_width": "90px"}}

    def slider(name: str, low: float, high: float, value: float) -> widgets.FloatSlider:
        return widgets.FloatSlider(min=low, max=high, step=0.01, value=value, description=name, **wide)

    def tick(words: str) -> widgets.Checkbox:
        return widgets.Checkbox(value=True, description=words, indent=False)

    explore(lambda **chosen: grid_card(numbers, followed, **chosen),
            bits=widgets.IntSlider(min=2, max=8, value=4, description="bits", **wide),
            low=slider("low", -_up(1.5 * reach), _up(0.2 * reach), -_up(reach)),
            high=slider("high", _up(0.2 * reach) + 0.01, _up(1.5 * reach), _up(reach)),
            outlier=widgets.SelectionSlider(options=[("none" if f == 1 else f"largest × {f}", f) for f in OUTLIERS],
                                            description="outlier", **wide),
            cover=tick("widen the range to the outlier"), symmetric=tick("symmetric (zero point 0)"))


def _up(value: float) -> float:
    """A positive number, up to the next hundredth."""
    return math.ceil(100 * value) / 100


def grid_card(numbers: np.ndarray, followed: float, bits: int, low: float, high: float, outlier: int = 1,
              cover: bool = True, symmetric: bool = True) -> str:
    """The picture as SVG: numbers (n,) on the grid of low..high.

    ``outlier`` multiplies the largest of the numbers, ``cover`` widens the range to it.
    """
    x = np.array(numbers, np.float32)
    x[np.abs(x).argmax()] *= outlier
    if outlier > 1 and cover:
        low, high = min(low, float(x.min())), max(high, float(x.max()))
    grid = Grid.over(low, high, bits, symmetric)
    codes = grid.codes(x)
    errors = (codes - grid.zero) - x.astype(np.float64) / grid.scale  # in steps
    figures = _figures(grid, x, codes, errors, outlier > 1)
    drawing = Drawing(WIDTH, HEIGHT, f"{_kind(grid)}: " + "; ".join(figures))
    _head(drawing, grid, low, high, figures)
    _number_line(drawing, grid, x, outlier)
    _error_histogram(drawing, errors)
    _follow(drawing, grid, followed)
    return str(drawing)


def _clipped(errors: np.ndarray) -> np.ndarray:
    return np.abs(errors) > 0.501  # float32 quotients may pass a half by a hair


def _kind(grid: Grid) -> str:
    return f"{grid.scheme.format.name}, {'symmetric' if grid.scheme.symmetric else 'asymmetric'}"


def _figures(grid: Grid, x: np.ndarray, codes: np.ndarray, errors: np.ndarray, outlier: bool) -> tuple[str, str]:
    """Two lines of numbers; with an outlier, signal and noise are those of all other weights."""
    count, beyond = grid.highest - grid.lowest + 1, int(_clipped(errors).sum())
    others = np.arange(len(x)) != np.abs(x).argmax() if outlier else np.ones(len(x), bool)
    signal, noise = (x[others].astype(np.float64) ** 2).sum(), ((grid.scale * errors[others]) ** 2).sum()
    return (f"scale {grid.scale:.4g}, zero point {grid.zero}, values {grid.value(grid.lowest):.3g} to "
            f"{grid.value(grid.highest):.3g}",
            f"{len(np.unique(codes))} of {count} codes in use, {beyond} of {len(x)} weights clipped, signal to noise "
            f"{10 * math.log10(signal / noise):.1f} dB" + (" without the outlier" if outlier else ""))


def _head(drawing: Drawing, grid: Grid, low: float, high: float, figures: tuple[str, str]) -> None:
    """What the grid is, in words and numbers."""
    widened = ", widened to hold 0" if low > 0 or high < 0 else ""
    drawing.text(_LEFT, 22, f"{_kind(grid)}: codes {grid.lowest} to {grid.highest} over the range {low:.3g} to "
                            f"{high:.3g}{widened}", size=15, bold=True)
    for line, words in enumerate(figures):
        drawing.text(_LEFT, 46 + 20 * line, words[0].upper() + words[1:])


def _number_line(drawing: Drawing, grid: Grid, x: np.ndarray, outlier: int) -> None:
    """The numbers as a histogram, the codes as lines, the clipped parts shaded."""
    ends = (min(float(x.min()), grid.value(grid.lowest)), max(float(x.max()), grid.value(grid.highest)))
    margin = 0.02 * (ends[1] - ends[0])
    first, last = ends[0] - margin, ends[1] + margin
    top, bottom = _NUMBERS

    def place(value: float) -> float:
        return _LEFT + (value - first) / (last - first) * (_RIGHT - _LEFT)

    drawing.text(_LEFT, top - 14, "How many weights lie where (bars), and the codes (lines)", bold=True)
    for start, end in ((first, grid.value(grid.lowest - 0.5)), (grid.value(grid.highest + 0.5), last)):
        if np.any((x > start) & (x < end)):
            drawing.rect(place(start), top, place(end) - place(start), bottom - top, fill=svg.ORANGE, opacity=0.35)
            if place(end) - place(start) > 52:
                drawing.text((place(start) + place(end)) / 2, top + 16, "clipped", size=12, anchor="middle")
    counts, edges = np.histogram(x.astype(np.float64), BINS, (first, last))
    for count, edge in zip(counts, edges[:-1]):
        if count:
            height = max((bottom - top) * count / counts.max(), 2)
            drawing.rect(place(edge), bottom - height, (_RIGHT - _LEFT) / BINS - 0.5, height, fill=svg.SKY)
    if outlier > 1:
        far = float(x[np.abs(x).argmax()])
        drawing.rect(place(far) - 2, bottom - 9, 4, 9, fill=svg.VERMILLION)
        drawing.text(place(far), bottom - 14, "outlier", size=12, anchor="end" if far > 0 else "start")
    _codes(drawing, grid, place)


def _codes(drawing: Drawing, grid: Grid, place) -> None:
    """A line for every code, and as many code numbers as there is room for."""
    top, bottom = _NUMBERS
    gap = place(grid.scale) - place(0.0)
    stride = next(s for s in (1, 2, 4, 8, 16, 32, 64, 128, 256) if s * gap >= 30 or s == 256)
    for code in range(grid.lowest, grid.highest + 1):
        at, named = place(grid.value(code)), (code - grid.zero) % stride == 0
        if gap >= 12:
            drawing.line(at, top, at, bottom, stroke=svg.GREY, dash="2 3")
        drawing.line(at, bottom, at, bottom + (12 if named else 7), stroke="currentColor", width=1 if gap >= 4 else 0.6)
        if named:
            drawing.text(at, bottom + 26, str(code), size=12, anchor="middle", mono=True, bold=code == grid.zero)
    drawing.line(_LEFT, bottom, _RIGHT, bottom, stroke="currentColor")
    drawing.text(place(0.0), bottom + 44, "0 is exact", size=12, anchor="middle")
    drawing.line(place(0.0), top, place(0.0), bottom, stroke="currentColor", width=1.5)


def _error_histogram(drawing: Drawing, errors: np.ndarray) -> None:
    """The errors in steps; an even spread as a dashed line; clipped ones at the ends."""
    top, bottom = _ERRORS
    left, right = _INSIDE
    drawing.text(_LEFT, top - 26, "Errors, in steps: value of the code minus the weight", bold=True)
    beyond = _clipped(errors)
    counts = np.histogram(np.clip(errors[~beyond], -0.5, 0.5), ERROR_BINS, (-0.5, 0.5))[0]
    sides = int((beyond & (errors < 0)).sum()), int((beyond & (errors > 0)).sum())
    most, even = max(*counts, *sides, 1), counts.sum() / ERROR_BINS
    width = (right - left) / ERROR_BINS
    bars = [(left + n * width, width - 2, count, svg.GREEN) for n, count in enumerate(counts)]
    bars += [(left - 76, 44, sides[0], svg.ORANGE), (right + 32, 44, sides[1], svg.ORANGE)]
    for x, wide, count, colour in bars:
        if count:
            height = max((bottom - top) * count / most, 2)
            drawing.rect(x, bottom - height, wide, height, fill=colour)
    drawing.line(left, bottom - (bottom - top) * even / most, right, bottom - (bottom - top) * even / most,
                 stroke="currentColor", dash="5 4")
    drawing.text(_RIGHT, top - 26, "dashed: if all were equally frequent", size=12, anchor="end")
    for share in (-0.5, -0.25, 0, 0.25, 0.5):
        drawing.text(left + (share + 0.5) * (right - left), bottom + 17, f"{share:g}", size=12, anchor="middle")
    for x, count in ((left - 54, sides[0]), (right + 54, sides[1])):
        drawing.text(x, bottom + 17, f"clipped: {count}", size=12, anchor="middle")
    drawing.line(left - 76, bottom, right + 76, bottom, stroke="currentColor")


def _follow(drawing: Drawing, grid: Grid, weight: float) -> None:
    """One weight, there and back."""
    code = int(grid.codes(np.float32([weight]))[0])
    steps, back = weight / grid.scale, grid.value(code)
    drawing.text(_LEFT, HEIGHT - 14, f"The followed weight: {weight:.4g} is {steps:.2f} steps, code {code}, and comes "
                                     f"back as {back:.4g}, off by {(back - weight) / grid.scale:.2f} steps")

"""The scale slider of lesson 09: one column is multiplied before rounding, and its neighbours share its grid.

How it works
    A ``Case`` is one group of a matrix, W (out, 32) with its inputs X (samples, 32), and one column of it. For every
    scale s of ``SCALES`` the column is multiplied by s, the group is rounded, and the column is divided by s again.
    What the output is then off by has two parts, and they are kept apart:

        own           ||x_j d_j^T||^2           x_j the inputs of the column, d_j its rounding error, divided by s
        neighbours    ||X_N D_N^T||^2           the same of the 31 others
        together      ||X D^T||^2               both at once: errors of the two may also cancel or add up a little

    All are given as shares of *together* at s = 1. ``scale_card`` draws one row of the group on its grid, as it is
    rounded, and below it the three errors over s, with the place of the slider.

What we leave out
    Scaling several columns at once: that is what the search over alpha does (``methods/awq.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..methods import hessian
from ..scaling import quantize
from . import svg
from .svg import Drawing

WIDTH, HEIGHT = 720, 540
SCALES = tuple(2 ** (k / 4) for k in range(-8, 25))  # 1/4 to 64
LABELS = tuple(f"{s:.3g}" for s in SCALES)
_LEFT, _RIGHT = 56, 706
_ROW, _CURVES = (46, 216), (300, 470)  # top and bottom of the two plots
_LINES = (("own", "the marked column", svg.ORANGE, "7 4"), ("neighbours", "its neighbours", svg.GREEN, "2 3"),
          ("together", "together", "currentColor", ""))


@dataclass(frozen=True, eq=False)
class Case:
    """One column of one group at every scale.

    title                         what is shown, in words
    column                        place of the column in the group
    row                           (length,) float32: the weights of one row of W
    rounded                       (scales, length): what they are rounded to, still multiplied
    grids                         for each scale the values of the row's grid
    own, neighbours, together     (scales,) squared output errors, as shares of ``together`` at s = 1
    """

    title: str
    column: int
    row: np.ndarray
    rounded: np.ndarray
    grids: tuple[np.ndarray, ...]
    own: np.ndarray
    neighbours: np.ndarray
    together: np.ndarray

    @property
    def best(self) -> int:
        """Position in SCALES of the smallest error of both together."""
        return int(np.argmin(self.together))


def measure(title: str, W: np.ndarray, X: np.ndarray, column: int, scheme: str, row: int = 0) -> Case:
    """Try every scale on a column of one group.

    Args:
        title: what is shown, in words.
        W: (out, length), one group of a matrix.
        X: (samples, length), its inputs.
        column: place of the column in the group.
        scheme: integers with a scale per group of ``length``, such as "int4:g32:asym".
        row: the row of W that is drawn.

    Raises ValueError as ``quantize`` does.
    """
    H = hessian(X)  # (length, length)
    others = np.arange(W.shape[1]) != column
    rounded, grids, errors = [], [], []
    for s in np.float32(SCALES):
        factor = np.where(others, np.float32(1), s)  # (length,)
        q = quantize(W * factor, scheme)
        D = (W - q.dequantize() / factor).astype(np.float64)  # (out, length)
        errors.append([_output_error(D * part, H) for part in (~others, others, np.ones(len(others)))])
        rounded.append(q.dequantize()[row])
        grids.append(_grid(q, row))
    own, neighbours, together = np.array(errors).T / errors[SCALES.index(1)][2]
    return Case(title, column, W[row], np.array(rounded), tuple(grids), own, neighbours, together)


def scale_drawing(cases: Mapping[str, Case]) -> Callable[[int, str], str]:
    """The function behind the slider: (position in SCALES, name of a case) -> SVG card."""
    return lambda scale, column: scale_card(cases[column], scale)


def scale_card(case: Case, position: int) -> str:
    """One scale as SVG: the row as it is rounded, and the errors over all scales."""
    s = SCALES[position]
    own, neighbours, together = (e[position] for e in (case.own, case.neighbours, case.together))
    said = (f"s = {s:.3g}: output error of the column {_percent(own)}, of its neighbours {_percent(neighbours)}, "
            f"together {_percent(together)}")
    drawing = Drawing(WIDTH, HEIGHT, f"{case.title}. {said}; least at s = {SCALES[case.best]:.3g}")
    drawing.text(_LEFT, 18, case.title, bold=True)
    drawing.text(_LEFT, 36, f"One row of the group as it is rounded, the marked weight times {s:.3g}", size=12)
    _weights(drawing, case, position)
    _errors(drawing, case, position)
    drawing.text(_LEFT, HEIGHT - 12, said + ".", bold=True)
    return str(drawing)


def _output_error(D: np.ndarray, H: np.ndarray) -> float:
    """||X D^T||^2 for H = X^T X."""
    return float(((D @ H) * D).sum())


def _grid(q, row: int) -> np.ndarray:
    """The values that the row's group can say."""
    low, high = q.scheme.code_range
    zero = 0 if q.zero_point is None else int(q.zero_point[row, 0])
    return (np.arange(low, high + 1) - zero) * float(q.scale[row, 0])


def _weights(drawing: Drawing, case: Case, position: int) -> None:
    """The row times the scale on its grid, a red line to the value each weight is rounded to, a box at the column."""
    top, bottom = _ROW
    limit = 1.3 * float(np.abs(np.delete(case.row, case.column)).max())
    values = case.row * np.where(np.arange(len(case.row)) == case.column, SCALES[position], 1)
    width = (_RIGHT - _LEFT) / len(values)

    def y(value: float) -> float:
        return (top + bottom) / 2 - (bottom - top) / 2 * min(max(value / limit, -1), 1)

    x = _LEFT + width * case.column
    drawing.rect(x, top, width, bottom - top, fill=svg.ORANGE, opacity=0.3)
    for value in case.grids[position]:
        if abs(value) <= limit:
            drawing.line(_LEFT, y(value), _RIGHT, y(value), stroke=svg.SKY)
    drawing.line(_LEFT, top, _LEFT, bottom)
    for value in (limit / 1.3, 0.0, -limit / 1.3):
        drawing.text(_LEFT - 6, y(value) + 4, f"{value:.2f}", size=11, anchor="end")
    for place, (value, rounded) in enumerate(zip(values, case.rounded[position])):
        middle = _LEFT + width * (place + 0.5)
        drawing.line(middle, y(value), middle, y(rounded), stroke=svg.VERMILLION, width=2)
        if abs(value) <= limit:
            drawing.rect(middle - 2, y(value) - 2, 4, 4, fill="currentColor")
    if abs(values[case.column]) > limit:  # beyond the picture: an arrow that leaves it, and the value
        up, middle = values[case.column] > 0, x + width / 2
        edge = top if up else bottom
        drawing.line(middle, edge + (28 if up else -28), middle, edge + (6 if up else -6), stroke="currentColor",
                     width=2, arrow=True)
        left = case.column > len(values) / 2
        drawing.text(middle + (-14 if left else 14), edge + (16 if up else -8), f"at {values[case.column]:.3g}", size=12,
                     anchor="end" if left else "start")
    drawing.text(_LEFT, bottom + 18, f"Blue: the grid that all {len(values)} share. Red: the error of each weight. That of "
                 "the marked one counts divided by s.", size=12)


def _errors(drawing: Drawing, case: Case, position: int) -> None:
    """The errors over s, both axes logarithmic, a line and squares at the slider."""
    top, bottom = _CURVES
    curves = [getattr(case, name) for name, *_ in _LINES]
    low = math.log10(max(min(c.min() for c in curves), 1e-3)) - 0.1
    high = math.log10(max(c.max() for c in curves)) + 0.1

    def x(place: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * place / (len(SCALES) - 1)

    def y(error: float) -> float:
        return bottom - (bottom - top) * (math.log10(max(error, 1e-3)) - low) / (high - low)

    drawing.text(_LEFT, top - 36, "Output error over s; 100% is both together at s = 1", bold=True)
    for power in range(math.ceil(low), math.floor(high) + 1):
        drawing.line(_LEFT, y(10**power), _RIGHT, y(10**power), stroke=svg.GREY, dash="1 4")
        drawing.text(_LEFT - 6, y(10**power) + 4, _percent(10**power), size=11, anchor="end")
    for place, label in list(enumerate(LABELS))[::4]:
        drawing.text(x(place), bottom + 17, label, size=11, anchor="middle")
    drawing.text((_LEFT + _RIGHT) / 2, bottom + 33, "s, the factor of the marked column", size=12, anchor="middle")
    drawing.line(_LEFT, bottom, _RIGHT, bottom)
    drawing.line(x(position), top, x(position), bottom, stroke="currentColor", width=1.5)
    for number, (curve, (_, words, colour, dash)) in enumerate(zip(curves, _LINES)):
        for place in range(len(SCALES) - 1):
            drawing.line(x(place), y(curve[place]), x(place + 1), y(curve[place + 1]), stroke=colour, width=2.5,
                         dash=dash)
        drawing.rect(x(position) - 4, y(curve[position]) - 4, 8, 8, fill=colour)
        start = _LEFT + 170 * number
        drawing.line(start, top - 18, start + 28, top - 18, stroke=colour, width=2.5, dash=dash)
        drawing.text(start + 36, top - 14, words, size=12)


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.995 else f"{100 * share:.0f}%"

"""The column stepper of lesson 08: a few rows of a real matrix are rounded one column after another.

How it works
    ``column_card`` draws one step of what ``column_steps.record`` kept. In the middle stand the weights, in steps of
    their row's grid: rounded columns as codes, free ones as they are by now, with the push they got in this step
    beneath. Above them stands the share of an error that each free column takes over. That is the same for every row,
    since it comes from the inputs alone. Below, the running errors of the output, each column under its own.

What we leave out
    More columns than fit a page: sixteen of them show how a push dies away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import svg
from .column_steps import Steps
from .svg import Drawing

WIDTH = 720
_LEFT, _CELL, _ROW = 72, 40, 36
_SHARES, _TOP, _CHART = 98, 144, 116  # the line the shares stand on, the matrix's upper edge, the chart's height
STRONG = 0.25  # a push of a quarter of a step has the strongest shade


def stepper_drawing(cuts: Mapping[str, Steps]) -> Callable[[int, str], str]:
    """The function behind the stepper: (columns rounded so far, name of a cut) -> SVG card.

    Raises ValueError for cuts of different widths: one slider serves them all.
    """
    widths = sorted({len(steps.columns) for steps in cuts.values()})
    if len(widths) != 1:
        raise ValueError(f"one slider steps through all cuts, so all need equally many columns, not {widths}")
    return lambda column, inputs: column_card(cuts[inputs], column)


def column_card(steps: Steps, done: int) -> str:
    """One step as SVG: ``done`` columns (0..in) are rounded, the last of them just now."""
    columns = len(steps.columns)
    here = done - 1
    says = (f"{steps.title}: {done} of {columns} columns rounded. Output error so far: to nearest "
            f"{steps.nearest[done]:.0%}, by GPTQ {steps.repaired[done]:.0%}.")
    bottom = _TOP + _ROW * len(steps.rows)
    drawing = Drawing(WIDTH, bottom + _CHART + 72, says)
    drawing.text(8, 20, _headline(steps, done), bold=True)
    drawing.text(8, 40, steps.title, size=12)
    if done:
        _shares(drawing, steps, here)
    for place, number in enumerate(steps.columns):
        drawing.text(_x(place + 0.5), _TOP - 6, str(number), size=11, anchor="middle", bold=place == here)
    for place, number in enumerate(steps.rows):
        drawing.text(8, _TOP + _ROW * (place + 0.5) + 4, f"row {number}", size=12)
        for column in range(columns):
            _cell(drawing, steps, place, column, done)
    if done:
        drawing.rect(_x(here) - 1, _TOP - 1, _CELL, _ROW * len(steps.rows), stroke=svg.VERMILLION, radius=3)
    _chart(drawing, steps, done, bottom + 34)
    return str(drawing)


def _x(column: float) -> float:
    """Where a column begins."""
    return _LEFT + _CELL * column


def _headline(steps: Steps, done: int) -> str:
    """What happens in this step, in words."""
    left = len(steps.columns) - done
    if not done:
        return "Nothing is rounded yet: weights in steps of their row's grid"
    if not left:
        return f"Column {steps.columns[-1]} is rounded last: its error has nowhere to go"
    return (f"Column {steps.columns[done - 1]} is rounded; the {left} column{'s' * (left > 1)} still free "
            f"answer{'s' * (left == 1)}")


def _shares(drawing: Drawing, steps: Steps, here: int) -> None:
    """What each free column takes over of an error of 1, as bars with numbers, and the arrow they hang on."""
    drawing.text(8, _SHARES - 12, "takes over", size=12)
    drawing.text(8, _SHARES + 2, "of error 1", size=12)
    last = len(steps.columns) - 1
    if here < last:
        drawing.line(_x(here + 0.5), _SHARES, _x(last + 1) - 6, _SHARES, stroke=svg.VERMILLION, width=1.5, arrow=True)
    for column in range(here + 1, last + 1):
        share = steps.shares[here, column]
        length = 22 * min(abs(share), 1)
        x, up = _x(column + 0.5), share > 0
        drawing.rect(x - 7, _SHARES - length if up else _SHARES, 14, length, fill=svg.GREEN if up else svg.ORANGE)
        drawing.text(x, _SHARES - length - 4 if up else _SHARES - 4, _signed(share), size=11, anchor="middle")


def _cell(drawing: Drawing, steps: Steps, row: int, column: int, done: int) -> None:
    """One weight: a code, or a number of steps with the push it just got."""
    x, y = _x(column), _TOP + _ROW * row
    middle, now = x + _CELL / 2 - 1, steps.weights[done, row, column]
    if column < done:
        drawing.rect(x, y, _CELL - 2, _ROW - 2, fill=svg.SKY, radius=3)
        drawing.text(middle, y + 15, str(steps.codes[row, column]), anchor="middle", fill=svg.INK, bold=True)
        if column == done - 1:
            drawing.text(middle, y + 29, _signed(steps.weights[column, row, column] - now), size=11, anchor="middle",
                         fill=svg.INK)
    else:
        push = now - steps.weights[max(done - 1, 0), row, column]
        drawing.rect(x, y, _CELL - 2, _ROW - 2, stroke=svg.GREY, radius=3)
        drawing.rect(x, y, _CELL - 2, _ROW - 2, fill=svg.GREEN if push > 0 else svg.ORANGE, radius=3,
                     opacity=0.55 * min(abs(push) / STRONG, 1))
        drawing.text(middle, y + 15, f"{now:.2f}".replace("-0.00", "0.00"), size=12, anchor="middle")
        if abs(push) >= 0.005:
            drawing.text(middle, y + 29, _signed(push), size=11, anchor="middle")
    if (row, column) == steps.followed:
        drawing.rect(x + 1.5, y + 1.5, _CELL - 5, _ROW - 5, stroke=svg.INK if column < done else svg.PURPLE, radius=3,
                     dash="4 2")


def _chart(drawing: Drawing, steps: Steps, done: int, top: float) -> None:
    """The running errors of the output under the columns, what is to come drawn thin."""
    drawing.text(8, top - 14, "Output error of all rows so far: rounded to nearest (dashed), by GPTQ (solid). 100%: "
                 "nearest, at the end", size=12)
    bottom, highest = top + _CHART, max(steps.nearest.max(), steps.repaired.max(), 1e-9)
    drawing.line(_x(0), bottom, _x(len(steps.columns)), bottom)
    for share in (0.0, 0.5, 1.0):
        y = bottom - (_CHART - 8) * share / highest
        drawing.text(_LEFT - 8, y + 4, f"{share:.0%}", size=11, anchor="end")
        drawing.line(_x(0) - 4, y, _x(0), y)
    for errors, colour, dash in ((steps.nearest, svg.VERMILLION, "7 4"), (steps.repaired, svg.GREEN, "")):
        ys = bottom - (_CHART - 8) * errors / highest
        for i in range(len(steps.columns)):
            drawing.line(_x(i), ys[i], _x(i + 1), ys[i + 1], stroke=colour if i < done else svg.GREY,
                         width=2.5 if i < done else 1, dash=dash)
        drawing.rect(_x(done) - 3, ys[done] - 3, 6, 6, fill=colour)
    words = f"so far: nearest {steps.nearest[done]:.1%}, GPTQ {steps.repaired[done]:.1%}"
    drawing.text(_x(0) + 8, top + 6, words, bold=True)
    mark = " Dashed: the followed weight." if steps.followed else ""
    drawing.text(8, bottom + 24, "Blue: a code, below it the error just made. Others: free weights, below them the "
                 f"push of this step.{mark}", size=11)


def _signed(value: float) -> str:
    """A number of two decimals with its sign, without the zero before the point."""
    return f"{value:+.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:+.1f}"

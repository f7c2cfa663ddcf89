"""The cell that is not graded: "Yours" beside "Spec", and a picture of what the learner's code does.

How it works
    An exercise's ``show`` calls the answer on an example and hands back ``Bars`` or ``Curves``. Jupyter asks them for
    HTML: a picture (an image that carries itself, so it is there in a notebook nobody trusts yet) and a table with the
    same numbers. ``print`` shows the table alone. Where the answer fails, the Spec stands alone; why it fails
    is the check's business.

What we leave out
    Widgets. An exercise notebook runs anywhere, also where nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from .checking import Local
from .source import Miss, exercise
from .variant import COURSE

if TYPE_CHECKING:
    from ..svg import Drawing

WIDTH, LEFT, BAR, LETTER = 640, 120, 15, 6.8  # pixels; a letter of a label is about so wide
X0, X1, Y0, Y1 = 70, 520, 250, 50      # the frame of a plot; y grows downwards
T = TypeVar("T")


def yours(ask: Callable[[], T]) -> T | None:
    """What asking the learner's answer gives, or None where it gives nothing yet."""
    try:
        return ask()
    except Miss:
        return None


@dataclass(frozen=True)
class Bars:
    """Pairs of bars: rows of (label, yours or None, spec)."""

    title: str
    unit: str
    rows: Sequence[tuple[str, float | None, float]]
    other: str = "Spec"

    def table(self) -> list[tuple[str, ...]]:
        """The numbers as words, a head first."""
        unit = f" ({self.unit})" if self.unit else ""
        return [("", f"Yours{unit}", f"{self.other}{unit}"),
                *((label, _figure(mine), _figure(spec)) for label, mine, spec in self.rows)]

    def svg(self) -> str:
        """The picture."""
        from ..svg import BLUE, ORANGE, Drawing

        drawing = Drawing(WIDTH, 44 + len(self.rows) * (2 * BAR + 12), f"{self.title}: yours beside {self.other}")
        drawing.text(8, 20, self.title, bold=True)
        longest = max((max(mine or 0, spec) for _, mine, spec in self.rows), default=0) or 1
        left = max([LEFT, *(16 + round(LETTER * len(label)) for label, _, _ in self.rows)])
        for n, (label, *pair) in enumerate(self.rows):
            top = 36 + n * (2 * BAR + 12)
            drawing.text(8, top + BAR + 5, label, size=12)
            for i, (value, name, colour) in enumerate(zip(pair, ("Yours", self.other), (BLUE, ORANGE), strict=True)):
                length = max(value or 0, 0) / longest * (WIDTH - left - 170)
                drawing.rect(left, top + i * BAR, length, BAR - 2, fill=colour)
                unit = "" if value is None or not self.unit else f" {self.unit}"
                drawing.text(left + length + 6, top + (i + 1) * BAR - 4, f"{name}: {_figure(value)}{unit}", size=11)
        return str(drawing)


@dataclass(frozen=True)
class Curves:
    """One or two curves over the same x, and a mark at ``yours`` on the x axis where it is a number."""

    title: str
    x_label: str
    y_label: str
    x: Sequence[float]
    curves: Sequence[tuple[str, Sequence[float]]]
    yours: float | None = None

    def table(self) -> list[tuple[str, ...]]:
        """Five points of the curves as words, a head first."""
        picks = [round(i * (len(self.x) - 1) / 4) for i in range(5)]
        head = (self.x_label, *(f"{name} ({self.y_label})" for name, _ in self.curves))
        return [head, *((_figure(self.x[p]), *(_figure(ys[p]) for _, ys in self.curves)) for p in picks)]

    def svg(self) -> str:
        """The picture."""
        from ..svg import BLUE, ORANGE, Drawing

        drawing = Drawing(WIDTH, 300, f"{self.title}: {' and '.join(name for name, _ in self.curves)}")
        drawing.text(8, 20, self.title, bold=True)
        right, top = max(self.x) or 1, max(max(ys) for _, ys in self.curves) or 1
        self._axes(drawing, right, top)
        ends = []
        for (name, ys), colour, dash in zip(self.curves, (BLUE, ORANGE), ("", "6 4"), strict=False):
            points = [(X0 + x / right * (X1 - X0), Y0 - y / top * (Y0 - Y1)) for x, y in zip(self.x, ys, strict=True)]
            for (x1, y1), (x2, y2) in pairwise(points):
                drawing.line(x1, y1, x2, y2, stroke=colour, width=3, dash=dash)
            ends.append((points[-1][1], name))
        lowest = 0.0
        for y, name in sorted(ends):  # names stand at the ends of their curves, never on each other
            lowest = max(y + 4, lowest + 15)
            drawing.text(X1 + 8, lowest, name, size=12)
        return str(drawing)

    def _axes(self, drawing: Drawing, right: float, top: float) -> None:
        from ..svg import GREY

        drawing.line(X0, Y0, X1, Y0)
        drawing.line(X0, Y1, X0, Y0)
        drawing.text(X0 - 6, Y1 + 4, _figure(top), size=11, anchor="end")
        drawing.text(X0 - 6, Y0, "0", size=11, anchor="end")
        drawing.text(X0, Y1 - 8, self.y_label, size=11)
        drawing.text((X0 + X1) / 2, Y0 + 34, self.x_label, size=12, anchor="middle")
        marked = isinstance(self.yours, (int, float)) and 0 <= self.yours <= right
        if not marked or self.yours < 0.8 * right:  # the two figures would overlap
            drawing.text(X1, Y0 + 16, _figure(right), size=11, anchor="middle")
        if marked:
            x = X0 + self.yours / right * (X1 - X0)
            drawing.line(x, Y1, x, Y0, stroke=GREY, width=2, dash="2 3")
            drawing.text(x, Y0 + 16, f"Yours: {_figure(self.yours)}", size=12, anchor="middle")


class Beside:
    """What ``show`` returns: Jupyter displays it as a picture and a table, ``print`` as text."""

    def __init__(self, picture: Bars | Curves | None):
        self.picture = picture

    def __repr__(self) -> str:
        if self.picture is None:
            return "There is no picture of this answer."
        rows = self.picture.table()
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        body = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([self.picture.title, *body])

    def _repr_html_(self) -> str:
        if self.picture is None:
            return f"<pre>{escape(repr(self))}</pre>"
        from ..svg import img

        head, *body = self.picture.table()
        cells = "".join(f"<th>{escape(c)}</th>" for c in head)
        rows = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in body)
        picture = img(self.picture.svg(), f"{self.picture.title}. The table below has the same numbers.")
        return f"<div>{picture}</div><table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"


def show(id: str, namespace: Mapping[str, Any], key: str = COURSE) -> Beside:
    """Yours beside Spec for the example of an exercise; ``namespace`` is ``globals()`` of the notebook."""
    found = exercise(id)
    try:
        return Beside(found.show(found.drawn(key), Local(namespace)) if found.show else None)
    except Exception:  # an answer of a form no picture was made for; the check below says what is wrong
        return Beside(None)


def _figure(value: float | None) -> str:
    if value is None:
        return "nothing yet"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.4g}"

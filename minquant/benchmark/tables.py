"""Figures as text: aligned columns for a terminal, Markdown for a README.

A cell is a string; ``None`` prints as ``-``. The first column is text and stands left, all others hold figures and
stand right. A figure that was measured several times is printed as its median with the 10th and 90th percentile.
"""

from __future__ import annotations

import math
from typing import Sequence

Cells = Sequence[Sequence[str | None]]


def aligned(headers: Sequence[str], rows: Cells, indent: str = "") -> str:
    """Columns padded with spaces. A header may hold several lines, separated by ``\\n``."""
    titles = [header.split("\n") for header in headers]
    depth = max(map(len, titles))
    head = [[""] * (depth - len(t)) + t for t in titles]                    # titles stand on the bottom line
    lines = [[column[i] for column in head] for i in range(depth)]
    body = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [*lines, *body]) for i in range(len(headers))]
    rule = ["-" * width for width in widths]
    return "\n".join(indent + _padded(line, widths) for line in [*lines, rule, *body])


def markdown(headers: Sequence[str], rows: Cells) -> str:
    """The same table in Markdown (pipes in cells are escaped)."""
    titles = [_escaped(" ".join(header.split())) for header in headers]
    marks = [":--"] + ["--:"] * (len(titles) - 1)
    body = [[_escaped(_cell(cell)) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in [titles, marks, *body])


def size(count: float | None) -> str | None:
    """Bytes in decimal units, as memory bandwidth is: 57 MB, 1.62 GB."""
    if count is None:
        return None
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{figure(count / scale)} {unit}"
    return f"{count:.0f} B"


def figure(value: float | None, digits: int = 3) -> str | None:
    """At least ``digits`` significant digits: 1.62, 57.3, 1234; small ones as 5.7e-4."""
    if value is None or not math.isfinite(value):
        return None
    if 0 < abs(value) < 1e-3:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    for _ in range(2):  # the second pass counts the digits of the rounded value: 9.999 is 10.0, not 10.00
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
        value = float(f"{value:.{decimals}f}")
    return f"{value:.{decimals}f}"


def percent(share: float | None) -> str | None:
    """A share as a whole percentage."""
    return None if share is None else f"{100 * share:.0f}%"


def _cell(cell: str | None) -> str:
    return "-" if cell is None else cell


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _padded(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (text.ljust(width) if i == 0 else text.rjust(width)
                      for i, (text, width) in enumerate(zip(line, widths)))
    return "  ".join([first, *others]).rstrip()

"""One code of a number format as a picture: its value worked out from its bits, its neighbours, its place among all.

How it works
    ``code_card(fmt, code)`` draws, from top to bottom: the bits in their fields
    (left out where clickable ones stand above), the value with its formula
    filled in, and three number lines. The first is an ordinary ruler over the
    whole range; on the second every power of two is as wide as the next; the
    third shows the neighbours, close up. Codes are bit patterns, ``0 .. 2**bits - 1``,
    for integers too. A ``wanted`` number, if given, is the one the code was
    rounded from.

What we leave out
    Single values of 16-bit formats on the first two lines: 65,000 ticks would be
    one grey bar, so powers of two stand for them. Code books and scales.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import formats
from . import svg
from .bits import bit_boxes
from .one_weight import fields
from .svg import Drawing

WIDTH, LEFT, RIGHT = 720, 30, 690
LINE_HEIGHT, BOXES_HEIGHT = 80, 96
NEAR = 3  # neighbours on either side in the close-up


@dataclass(frozen=True)
class Reading:
    """One code, read: its format, its bit pattern, and its value (which may be infinite or NaN)."""

    fmt: formats.Format
    code: int

    @property
    def value(self) -> float:
        """Value of the code; a zero with its sign."""
        return float(self.fmt.values[self.code])

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """(name, bits) of each field, from the top bit down."""
        return fields(self.fmt, f"{self.code:0{self.fmt.bits}b}")

    @property
    def neighbours(self) -> tuple[float | None, float | None]:
        """Next value below and above on the grid; None at its ends and for what is no finite number."""
        if not math.isfinite(self.value):
            return None, None
        grid = self.fmt.grid
        place = int(np.searchsorted(grid, self.value))
        return (float(grid[place - 1]) if place else None,
                float(grid[place + 1]) if place + 1 < grid.size else None)


def title(fmt: formats.Format) -> str:
    """A format's name as people write it: "fp8 E4M3", "bf16"."""
    family, _, layout = fmt.name.partition("_")
    return f"{family} {layout.upper()}".rstrip()


def pattern(fmt: formats.Format, number: float) -> int:
    """Bit pattern of the code nearest to a finite number."""
    return int(fmt.encode(np.float32(number))) & ((1 << fmt.bits) - 1)


def formula(reading: Reading) -> str:
    """The value of a code worked out from its bits, in one line of text."""
    if isinstance(reading.fmt, formats.FloatFormat):
        return _float_formula(reading.fmt, *(int(bits, 2) for _, bits in reading.fields))
    top, rest = reading.code >> reading.fmt.bits - 1, reading.code & (1 << reading.fmt.bits - 1) - 1
    return f"top bit {top} × -{1 << reading.fmt.bits - 1}  +  the other bits {rest}  =  {reading.value:g}"


def _float_formula(fmt: formats.FloatFormat, sign: int, exponent: int, mantissa: int) -> str:
    code, steps = exponent << fmt.mantissa_bits | mantissa, 1 << fmt.mantissa_bits
    if fmt.infinity_code is not None and code == fmt.infinity_code:
        return "exponent all ones, mantissa 0: this code is kept for infinity"
    if code > fmt.max_code:
        return "this code is kept for NaN, \"not a number\""
    power = f"({exponent} - {fmt.bias})" if exponent else f"(1 - {fmt.bias})"
    value = (bool(exponent) + mantissa / steps) * 2.0 ** (max(exponent, 1) - fmt.bias) * (-1) ** sign
    kind = "" if exponent else ",  subnormal: no leading 1"
    return f"(-1)^{sign} × ({int(exponent > 0)} + {mantissa}/{steps}) × 2^{power}  =  {value:.10g}{kind}"


def code_card(fmt: formats.Format, code: int, wanted: float | None = None, *, boxes: bool = True) -> str:
    """SVG of one code (a bit pattern of ``fmt``). Raises ValueError for a pattern the format does not have.

    ``boxes=False`` leaves the bits out. ``wanted`` is the finite number that was rounded to this code.
    """
    if not 0 <= code < 1 << fmt.bits:
        raise ValueError(f"{fmt.name} has the codes 0 to {(1 << fmt.bits) - 1}, not {code}")
    reading, top = Reading(fmt, code), BOXES_HEIGHT * boxes
    drawing = Drawing(WIDTH, top + 104 + 3 * LINE_HEIGHT, _label(reading))
    if boxes:
        bit_boxes(drawing, LEFT - 10, 8, reading)
    _words(drawing, top, reading, wanted)
    _ruler(drawing, top + 130, reading)
    _octaves(drawing, top + 130 + LINE_HEIGHT, reading)
    _close_up(drawing, top + 130 + 2 * LINE_HEIGHT, reading, wanted)
    return str(drawing)


def _words(drawing: Drawing, y: float, reading: Reading, wanted: float | None) -> None:
    """Name, value, formula, and the distance to the neighbours or to the number that was rounded."""
    head = f"{title(reading.fmt)}, code {reading.code} of 0 to {(1 << reading.fmt.bits) - 1}"
    drawing.text(LEFT - 10, y + 22, head, size=14)
    drawing.text(RIGHT + 10, y + 24, f"{reading.value:.10g}", size=20, anchor="end", bold=True, mono=True)
    drawing.text(LEFT - 10, y + 50, formula(reading), mono=True)
    below, above = reading.neighbours
    steps = [f"{way} by {abs(beside - reading.value):.6g}" for way, beside in (("down", below), ("up", above))
             if beside is not None]
    words = f"next value: {', '.join(steps)}" if steps else "no neighbours: not a finite number"
    drawing.text(LEFT - 10, y + 74, words)
    if wanted is not None:
        drawing.text(RIGHT + 10, y + 74, f"{wanted:.10g} rounds to this: {_off(reading.value, wanted)}", anchor="end")


def _off(value: float, wanted: float) -> str:
    error = abs(value - wanted)
    return "exact" if error == 0 else f"{100 * error / abs(wanted):.2g}% off"


def _ruler(drawing: Drawing, y: float, reading: Reading) -> None:
    """The whole range on an ordinary ruler, a tick for every value (16 bits: for every power of two)."""
    fmt = reading.fmt
    drawing.text(LEFT - 10, y - 26, _caption(fmt, "on a ruler"), size=12)
    low, high = float(fmt.grid[0]), float(fmt.grid[-1])

    def place(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (value - low) / (high - low)

    ticks = fmt.grid if fmt.bits <= 8 else [s * p for p in _powers(fmt) for s in (-1, 1)]
    _line(drawing, y, [place(float(v)) for v in ticks], [(place(0.0), "0")])
    for value, anchor in ((low, "start"), (high, "end")):
        drawing.text(place(value) + (-10 if anchor == "start" else 10), y + 24, _figure(value), size=12, anchor=anchor)
    if math.isfinite(reading.value):
        _mark(drawing, y, place(reading.value))


def _octaves(drawing: Drawing, y: float, reading: Reading) -> None:
    """Magnitudes on a line where each power of two is as wide as the next; zero stands at its left end."""
    fmt = reading.fmt
    caption = _caption(fmt, "with every power of two as wide as the next, without signs")
    drawing.text(LEFT - 10, y - 26, caption, size=12)
    low, high = math.log2(fmt.smallest_subnormal), math.log2(np.abs(fmt.grid).max())
    zero = LEFT + 24  # the lowest power of two begins to the right of zero

    def place(value: float) -> float:
        return LEFT if value == 0 else zero + (RIGHT - zero) * (math.log2(value) - low) / (high - low)

    powers = _powers(fmt)
    ticks = np.abs(fmt.grid) if fmt.bits <= 8 else [0.0, *powers]
    every = -(-len(powers) // 8)
    anchor = powers.index(1.0) % every  # so that 1 is among the powers that get a label
    labels = [(place(p), _figure(p)) for p in powers[anchor::every] if zero + 20 < place(p) < RIGHT - 20]
    _line(drawing, y, [place(float(v)) for v in ticks], [(LEFT, "0"), *labels])
    if math.isfinite(reading.value):
        _mark(drawing, y, place(abs(reading.value)))


def _close_up(drawing: Drawing, y: float, reading: Reading, wanted: float | None) -> None:
    """The nearest values on a ruler of their own, with the number that was rounded if it lies among them."""
    drawing.text(LEFT - 10, y - 26, "Close up, on a ruler", size=12)
    if not math.isfinite(reading.value):
        drawing.text(LEFT - 10, y + 10, "nothing: this code has no place on the number line", size=12)
        return
    grid = reading.fmt.grid
    here = int(np.searchsorted(grid, reading.value))
    near = [float(v) for v in grid[max(here - NEAR, 0):here + NEAR + 1]]
    low, high = near[0], near[-1]

    def place(value: float) -> float:
        return LEFT + 40 + (RIGHT - LEFT - 80) * ((value - low) / (high - low))

    beside = [v for v in reading.neighbours if v is not None]
    _line(drawing, y, [place(v) for v in near], [(place(v), f"{v:.6g}") for v in (*beside, reading.value)])
    if wanted is not None and low < wanted < high and wanted != reading.value:
        drawing.line(place(wanted), y - 7, place(wanted), y + 30, stroke=svg.GREEN, width=2.5)
        drawing.text(place(wanted), y + 44, "wanted", size=12, anchor="middle")
    _mark(drawing, y, place(reading.value))


def _line(drawing: Drawing, y: float, ticks: list[float], labels: list[tuple[float, str]]) -> None:
    """A number line with a tick at every x of ``ticks`` and words under it."""
    drawing.line(LEFT, y, RIGHT, y, stroke="currentColor")
    for x in sorted(set(ticks)):
        drawing.line(x, y - 7, x, y + 7)
    for x, words in labels:
        drawing.text(x, y + 24, words, size=12, anchor="middle")


def _mark(drawing: Drawing, y: float, x: float) -> None:
    """Where the value lies: an arrow from above and a bar over the ticks."""
    drawing.line(x, y - 10, x, y + 10, stroke=svg.VERMILLION, width=3)
    drawing.line(x, y - 20, x, y - 13, stroke=svg.VERMILLION, width=2, arrow=True)


def _powers(fmt: formats.Format) -> list[float]:
    """Every power of two between the smallest value above zero and the largest magnitude."""
    low, high = math.log2(fmt.smallest_subnormal), math.log2(np.abs(fmt.grid).max())
    return [2.0**e for e in range(math.ceil(low), math.floor(high) + 1)]


def _figure(value: float) -> str:
    """A number for an axis: plain where that is short, else as a power of two or in powers of ten."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:,.6g}"
    return f"2^{math.log2(value):g}" if math.frexp(value)[0] == 0.5 else f"{value:.3g}"


def _caption(fmt: formats.Format, how: str) -> str:
    count = f"All {fmt.grid.size} values" if fmt.bits <= 8 else f"{fmt.grid.size:,} values (a tick per power of two)"
    return f"{count}, {how}"


def _label(reading: Reading) -> str:
    """What a screen reader says of the picture."""
    below, above = reading.neighbours
    beside = "" if below is None and above is None else ", next values " + " and ".join(
        f"{v:.6g}" for v in (below, above) if v is not None)
    bits = " ".join(bits for _, bits in reading.fields)
    return f"{title(reading.fmt)}, bits {bits}: {reading.value:.10g}{beside}"

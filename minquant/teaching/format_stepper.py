"""The format stepper: walk down the ladder of formats and watch everything move together.

How it works
    ``format_card(row, ...)`` draws one level: the bits of one real weight with
    the scale it shares, and bars for what the level costs and buys: bytes per
    weight, the size of a 0.8B model, decode speed, loss of quality. Every bar is
    drawn on the scale of the *largest* level, and faint marks show where the
    other levels end, so a bar can be read against its neighbours at every step.
    ``stepper(rows, model)`` puts the cards behind Previous, Next and a slider.

Where the numbers come from
    ``rows`` is what ``minquant.benchmark.ladder`` measured on this machine:
    speed on a large random model, quality on the trained one. Nothing here
    knows a figure. A level without a kernel has no speed, and the card says so.

What we leave out
    Ranks and stars. Text books put the formats in order of quality; a measured
    number says how far apart they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import svg
from .bits import bit_boxes, scale_box
from .one_weight import OneWeight, encoded, followed
from .svg import Drawing
from .widgets import explore

WIDTH, HEIGHT = 720, 452
_LEFT, _TRACK, _RIGHT = 20, 300, 706  # bars begin and end here; words stand left of and right of them
KL_FLOOR = 1e-5  # nats per token: a KL this small draws no bar


@dataclass(frozen=True)
class _Bar:
    """One figure of a level: what it is called, its value (None: not measured), and how to write it."""

    title: str
    note: str
    colour: str
    value: Callable[[dict], float | None]
    words: Callable[[dict], str]
    length: Callable[[float, float], float]
    spread: tuple[str, str] | None = None


def _share(value: float, largest: float) -> float:
    return value / largest if largest > 0 else 0.0


def _log_share(value: float, largest: float) -> float:
    """Length of a bar on a logarithmic axis from KL_FLOOR to the largest value."""
    if value <= KL_FLOOR or largest <= KL_FLOOR:
        return 0.0
    return math.log(value / KL_FLOOR) / math.log(largest / KL_FLOOR)


_BARS = (
    _Bar("bytes per weight", "scales counted", svg.SKY, lambda r: r["bits_per_weight"] / 8,
         lambda r: f"{r['bits_per_weight'] / 8:.2f} bytes ({r['bits_per_weight']:.3g} bits)", _share),
    _Bar("size of a 0.8B model", "all its weights", svg.SKY, lambda r: r["footprint_bytes_0_8b"],
         lambda r: f"{r['footprint_bytes_0_8b'] / 1e9:.2f} GB", _share),
    _Bar("decode speed", "measured here", svg.GREEN, lambda r: r["tokens_per_s"],
         lambda r: f"{r['tokens_per_s']:.3g} tok/s ({r['gb_per_s']:.3g} GB/s)", _share,
         ("tokens_per_s_p10", "tokens_per_s_p90")),
    _Bar("quality lost", "KL to float, log scale", svg.ORANGE, lambda r: r["kl"],
         lambda r: f"KL {_figure(r['kl'])} ± {_figure(r['kl_stderr'])} nats, perplexity {r['perplexity']:.4g} "
                   f"± {r['perplexity_stderr']:.2g}", _log_share),
)


def stepper(rows: Sequence[dict[str, Any]], model: Any) -> None:
    """Show the format stepper: one card per row, a slider (arrow keys move it), Previous and Next.

    ``rows``: the rows of a measured ladder, finest level first. ``model``: the Transformer whose weight is followed.
    Raises ValueError for no rows.
    """
    draw = stepper_drawing(rows, model)
    explore(draw, buttons="format", format=[(_name(row), position) for position, row in enumerate(rows)])


def stepper_drawing(rows: Sequence[dict[str, Any]], model: Any) -> Callable[[int], str]:
    """The function behind the stepper: position in ``rows`` -> SVG card. Raises ValueError for no rows."""
    if not rows:
        raise ValueError("the stepper needs at least one measured row: pass the rows of minquant.benchmark.ladder()")
    weight = followed(model)
    matrix = model.weights[weight.tensor]

    def draw(format: int) -> str:
        return format_card(rows[format], rows, matrix, weight)

    return draw


def format_card(row: dict[str, Any], rows: Sequence[dict[str, Any]], matrix: Any, weight: OneWeight) -> str:
    """One level as SVG: the followed ``weight`` of ``matrix`` in its bits, and the level's bars beside ``rows``."""
    code = encoded(matrix, weight, row["weights"])
    drawing = Drawing(WIDTH, HEIGHT, _label(row))
    _steps(drawing, row, rows)
    drawing.text(_LEFT, 66, "One weight of the tiny model", bold=True)
    drawing.text(_LEFT + 236, 66, str(weight), size=12, mono=True, opacity=0.85)
    scale_box(drawing, bit_boxes(drawing, _LEFT, 80, code) + 18, 80, code)
    _arithmetic(drawing, 182, code, weight.value)
    for position, bar in enumerate(_BARS):
        _bar(drawing, 210 + 54 * position, bar, row, rows)
    drawing.text(_TRACK, HEIGHT - 12, "The small marks under a bar: where the other levels end.", size=12, opacity=0.85)
    return str(drawing)


def _steps(drawing: Drawing, row: dict, rows: Sequence[dict]) -> None:
    """The levels in a row at the top, the present one filled."""
    width = (_RIGHT - _LEFT) / len(rows)
    for position, other in enumerate(rows):
        x, here = _LEFT + position * width, other is row
        drawing.rect(x, 10, width - 6, 28, fill=svg.ORANGE if here else "none", stroke=svg.INK if here else svg.GREY,
                     radius=14)
        drawing.text(x + (width - 6) / 2, 29, _name(other), size=13, anchor="middle", bold=here,
                     fill=svg.INK if here else "currentColor")


def _arithmetic(drawing: Drawing, y: float, code: Any, value: float) -> None:
    """The weight's way there and back, in numbers."""
    if code.code is None:
        way = "its upper 16 bits" if code.scale is None else f"{code.value / code.scale:.4g} × scale"
    else:
        shifted = f"({code.code} - {code.zero_point})" if code.zero_point is not None else f"{code.code}"
        way = f"code {shifted} × scale"
    error = abs(code.value - value) / abs(value) if value else 0.0
    drawing.text(_LEFT, y, f"float {value:.6g}  →  {way}  →  {code.value:.6g}   ({_percent(error)})", mono=True)


def _bar(drawing: Drawing, y: float, bar: _Bar, row: dict, rows: Sequence[dict]) -> None:
    """One bar with its name, its value, and marks where the other levels end."""
    values = [value for other in rows if (value := bar.value(other)) is not None]
    tops = [other.get(bar.spread[1]) or 0 for other in rows] if bar.spread else []
    largest = max([*values, *tops], default=0.0)
    width = _RIGHT - _TRACK
    drawing.text(_LEFT, y + 13, bar.title, bold=True)
    drawing.text(_LEFT, y + 29, bar.note, size=12, opacity=0.85)
    drawing.line(_TRACK, y + 34, _RIGHT, y + 34, stroke=svg.GREY)
    for value in values:
        x = _TRACK + width * bar.length(value, largest)
        drawing.line(x, y + 30, x, y + 38, stroke=svg.GREY, width=1.5)
    value = bar.value(row)
    if value is None:
        drawing.text(_TRACK, y + 13, "no kernel yet, so no speed")
        return
    drawing.text(_TRACK, y + 13, bar.words(row) + _spread_words(bar, row))
    drawing.rect(_TRACK, y + 20, width * bar.length(value, largest), 14, fill=bar.colour)
    if bar.spread:
        _whisker(drawing, y + 27, *(_TRACK + width * bar.length(row[key], largest) for key in bar.spread))


def _whisker(drawing: Drawing, y: float, low: float, high: float) -> None:
    """The spread of a measurement: a line from its 10th to its 90th percentile."""
    drawing.line(low, y, high, y, stroke="currentColor", width=1.5)
    for x in (low, high):
        drawing.line(x, y - 5, x, y + 5, stroke="currentColor", width=1.5)


def _spread_words(bar: _Bar, row: dict) -> str:
    return f", p10 to p90: {row[bar.spread[0]]:.3g} to {row[bar.spread[1]]:.3g}" if bar.spread else ""


def _name(row: dict) -> str:
    """Short name of a level: its format, in the words of its scheme."""
    return {"fp8_e4m3": "fp8"}.get(short := row["weights"].partition(":")[0], short)


def _figure(value: float) -> str:
    """Two significant digits, never in powers of ten unless it must be."""
    return f"{value:.2g}" if value == 0 or abs(value) >= 1e-4 else f"{value:.1e}"


def _percent(share: float) -> str:
    return "exact" if share == 0 else f"{100 * share:.2g}% off"


def _label(row: dict) -> str:
    """What a screen reader says of the card."""
    speed = f"{row['tokens_per_s']:.3g} tokens per second" if row["tokens_per_s"] is not None else "no kernel yet"
    return (f"{row['weights']}: {row['bits_per_weight']:.3g} bits per weight, "
            f"{row['footprint_bytes_0_8b'] / 1e9:.2f} GB for a 0.8B model, {speed}, "
            f"KL {_figure(row['kl'])} nats per token, perplexity {row['perplexity']:.4g}")

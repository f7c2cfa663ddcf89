"""Choose how quantized weights are used, and see what the bytes predict and what was measured.

How it works
    ``path_card(rows, path, format, threads)`` draws one way: the bytes that one
    weight moves, bf16's two beside them; how many weights a second that allows
    and how many were measured; and the bytes moved per second under the read
    bandwidth of the same moment. All cards share one scale, so that a bar can
    be held against the one before. ``pick_path(rows)`` puts three rows of
    buttons above the cards.

Where the numbers come from
    ``rows`` is what ``minquant.benchmark.matvec_paths`` counted and measured on
    this machine. Nothing here knows a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from . import svg
from .svg import Drawing
from .widgets import explore

WIDTH, HEIGHT = 720, 366
_LEFT, _TRACK, _RIGHT = 20, 130, 540  # names begin, bars begin, the longest bar ends; words follow a bar
_COLOURS = {"read bf16": svg.GREY, "read codes": svg.SKY, "read scales": svg.PURPLE, "write float32": svg.VERMILLION,
            "read float32": svg.ORANGE}
Row = dict[str, Any]


def pick_path(rows: Sequence[Row]) -> None:
    """Show the cards of ``rows`` (of ``benchmark.matvec_paths``) under buttons for path, format and threads.

    Raises ValueError for rows without a quantized format.
    """
    quantized = [row for row in rows if row["format"] != "bf16"]
    if not quantized:
        raise ValueError("pick_path needs measured rows: pass those of minquant.benchmark.matvec_paths()")

    def draw(path: str, format: str, threads: int) -> str:
        return path_card(rows, path, format, threads)

    counts = list(dict.fromkeys(row["threads"] for row in quantized))
    explore(draw, path=_buttons("path", dict.fromkeys(row["path"] for row in quantized), "190px"),
            format=_buttons("format", dict.fromkeys(row["format"] for row in quantized), "80px"),
            threads=_buttons("threads", {f"{count}": count for count in counts}, "80px"))


def _buttons(name: str, options: dict[str, Any], width: str) -> widgets.ToggleButtons:
    """A row of buttons; an option without a value stands for itself."""
    pairs = [(label, label if value is None else value) for label, value in options.items()]
    return widgets.ToggleButtons(options=pairs, description=name, style={"button_width": width},
                                 layout=widgets.Layout(width="auto", max_width="100%"))


def path_card(rows: Sequence[Row], path: str, format: str, threads: int) -> str:
    """One way as SVG, beside bf16 with as many threads. Raises ValueError where no row is of that way."""
    found = {(row["path"], row["format"], row["threads"]): row for row in rows}
    if (path, format, threads) not in found:
        raise ValueError(f"no measured row is of {path!r} for {format!r} on {threads} threads")
    row = found[path, format, threads]
    bf16 = next(r for r in rows if r["format"] == "bf16" and r["threads"] == threads)
    drawing = Drawing(WIDTH, HEIGHT, _label(row))
    drawing.text(_LEFT, 26, f"{format}, {path}", size=16, bold=True)
    drawing.text(WIDTH - _LEFT, 26, f"{row['speedup_over_bf16']:.2f} × the speed of bf16", size=16, anchor="end",
                 bold=True)
    _ledger(drawing, row, bf16, max(r["bytes_per_weight"] for r in rows))
    _speeds(drawing, row, bf16, max(max(_speed(r, "predicted_ms"), _speed(r, "ms_p10")) for r in rows))
    _under_the_roof(drawing, row, max(max(_moved(r), r["read_gb_per_s"]) for r in rows))
    drawing.text(_LEFT, HEIGHT - 16, _verdict(row), size=13)
    return str(drawing)


def _speed(row: Row, key: str) -> float:
    """Billions of weights per second, from a time in milliseconds."""
    return row["shape"][0] * row["shape"][1] / row[key] / 1e6


def _moved(row: Row) -> float:
    """GB per second that the ledger's bytes make of the measured time."""
    return row["bytes_per_weight"] * _speed(row, "ms")


def _head(drawing: Drawing, y: float, title: str) -> None:
    drawing.line(_LEFT, y - 20, WIDTH - _LEFT, y - 20, stroke=svg.GREY)
    drawing.text(_LEFT, y, title, bold=True)


def _bar(drawing: Drawing, y: float, name: str, length: float, colour: str, words: str, dash: str = "") -> None:
    """A bar of a length between 0 and 1, its name before it and words behind it."""
    width = length * (_RIGHT - _TRACK)
    drawing.text(_LEFT, y + 12, name)
    drawing.rect(_TRACK, y, width, 15, fill="none" if dash else colour, stroke=colour if dash else "none", dash=dash)
    drawing.text(_TRACK + width + 12, y + 12, words)


def _ledger(drawing: Drawing, row: Row, bf16: Row, largest: float) -> None:
    """What one weight moves: bf16's bytes, then this way's, part by part."""
    _head(drawing, 62, "Bytes that one weight moves")
    _bar(drawing, 72, "bf16", bf16["bytes_per_weight"] / largest, svg.GREY, f"{bf16['bytes_per_weight']:.4g}")
    _bar(drawing, 94, "this way", row["bytes_per_weight"] / largest, "none", f"{row['bytes_per_weight']:.4g}")
    x, word = _TRACK, _TRACK
    for part, size in row["moved"].items():
        width = size / largest * (_RIGHT - _TRACK)
        drawing.rect(x, 94, width, 15, fill=_COLOURS[part])
        drawing.rect(word, 120, 11, 11, fill=_COLOURS[part])
        drawing.text(word + 16, 130, f"{part} {size:.4g}", size=12)
        x, word = x + width, word + 36 + 7 * len(f"{part} {size:.4g}")


def _speeds(drawing: Drawing, row: Row, bf16: Row, largest: float) -> None:
    """Weights per second: bf16 measured, this way as its bytes allow, this way measured."""
    _head(drawing, 166, f"Billions of weights per second, threads: {row['threads']}")
    _bar(drawing, 176, "bf16", _speed(bf16, "ms") / largest, svg.GREY, f"{_speed(bf16, 'ms'):.3g} measured")
    allowed, measured = _speed(row, "predicted_ms"), _speed(row, "ms")
    _bar(drawing, 198, "this way", allowed / largest, svg.GREEN, f"{allowed:.3g} predicted by the bytes", dash="4 3")
    _bar(drawing, 220, "", measured / largest, svg.GREEN, f"{measured:.3g} measured")
    low, high = (_TRACK + _speed(row, key) / largest * (_RIGHT - _TRACK) for key in ("ms_p90", "ms_p10"))
    drawing.line(low, 227.5, high, 227.5, stroke="currentColor", width=1.5)
    for x in (low, high):
        drawing.line(x, 222.5, x, 232.5, stroke="currentColor", width=1.5)


def _under_the_roof(drawing: Drawing, row: Row, largest: float) -> None:
    """Bytes moved per second, and the bandwidth measured beside it."""
    _head(drawing, 272, "GB moved per second, under the roof")
    share = _moved(row) / row["read_gb_per_s"]
    roof = _TRACK + row["read_gb_per_s"] / largest * (_RIGHT - _TRACK)
    _bar(drawing, 286, "this way", _moved(row) / largest, svg.SKY, "")
    drawing.line(roof, 280, roof, 307, stroke=svg.VERMILLION, width=3)
    drawing.text(max(roof, _TRACK + _moved(row) / largest * (_RIGHT - _TRACK)) + 12, 298,
                 f"{_moved(row):.3g} of {row['read_gb_per_s']:.3g} ({share:.0%})")


def _verdict(row: Row) -> str:
    """What the two bars of this way say together."""
    reached = row["predicted_ms"] / row["ms"]
    if reached > 0.8:
        return f"It reaches {reached:.0%} of what its bytes allow: the bytes explain this speed."
    return f"It reaches {reached:.0%} of what its bytes allow: something else takes time, or moves bytes, as well."


def _label(row: Row) -> str:
    """What a screen reader says of the card."""
    return (f"{row['format']}, {row['path']}, threads: {row['threads']}: {row['bytes_per_weight']:.4g} bytes a weight, "
            f"predicted {row['predicted_speedup']:.2f}, measured {row['speedup_over_bf16']:.2f} times the speed of bf16")

"""Measured points, drawn with matplotlib in one style.

How it works
    Every function takes the rows a measurement returned and draws what is in
    them, no more. ``new`` makes a figure on a white card (readable in a light
    and in a dark theme), with text of at least 11 px and the colours of Okabe
    and Ito; a meaning carried by a colour is also carried by a marker or a word.
    A lesson's cell ends with ``plt.show()``.

What we leave out
    Error bars that were not measured: a row without a spread gets none.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib import ticker

from . import svg

COLOURS = (svg.BLUE, svg.ORANGE, svg.GREEN, svg.VERMILLION, svg.PURPLE, svg.SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
_STYLE = {"font.size": 11, "axes.titlesize": 12, "axes.labelsize": 11, "xtick.labelsize": 11, "ytick.labelsize": 11,
          "legend.fontsize": 11, "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "white",
          "axes.facecolor": "white", "savefig.facecolor": "white", "text.color": svg.INK, "axes.labelcolor": svg.INK,
          "xtick.color": svg.INK, "ytick.color": svg.INK, "axes.edgecolor": svg.GREY, "grid.color": "#d9d9d9",
          "figure.dpi": 100}


def new(height: float = 3.6, width: float = 7.2):
    """A figure with one pair of axes, in the style of the course: (figure, axes). Sizes in inches."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    axes.grid(True, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def save(figure, path: str | os.PathLike) -> None:
    """Write a figure to a .png or .svg file and close it; the file appears under its name when it is whole."""
    path = Path(path)
    handle, part = tempfile.mkstemp(dir=path.absolute().parent, suffix=path.suffix)
    os.close(handle)
    try:
        with plt.rc_context({"svg.hashsalt": "minquant"}):  # with this and no date, equal figures make equal files
            figure.savefig(part, dpi=150, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
    finally:
        plt.close(figure)


def lines(series: dict[str, tuple[Sequence[float], Sequence[float]]], x: str, y: str, title: str = "", *,
          log_x: bool = False):
    """Curves by name, each with its own marker: ``{"name": (xs, ys)}``."""
    figure, axes = new()
    for (name, (xs, ys)), colour, marker in zip(series.items(), COLOURS, MARKERS):
        axes.plot(xs, ys, color=colour, marker=marker, label=name)
    if log_x:
        _plain_log(axes.xaxis, axes.set_xscale, sorted({x for xs, _ in series.values() for x in xs}))
    axes.set(xlabel=x, ylabel=y, title=title, ylim=(0, None))
    if len(series) > 1:
        _legend(axes, loc="upper left")
    return figure, axes


def bars(labels: Sequence[str], values: Sequence[float], unit: str, title: str = "", *,
         spreads: Sequence[tuple[float, float]] | None = None, limits: Sequence[float] | None = None):
    """Horizontal bars, each with its value; whiskers for spreads, a mark for each bar's limit."""
    figure, axes = new(height=0.9 + 0.5 * len(labels))
    places = range(len(labels))
    axes.barh(places, values, color=svg.SKY, height=0.62)
    if spreads is not None:
        below = [max(value - low, 0) for value, (low, _) in zip(values, spreads)]
        above = [max(high - value, 0) for value, (_, high) in zip(values, spreads)]
        axes.errorbar(values, places, xerr=[below, above], fmt="none", ecolor=svg.INK, capsize=3, linewidth=1.2)
    if limits is not None:
        axes.plot(limits, places, linestyle="none", marker="|", markersize=22, markeredgewidth=2.5,
                  color=svg.VERMILLION, label="speed of light")
        _legend(axes, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    axes.set_yticks(list(places), [f"{label}: {value:.3g}" for label, value in zip(labels, values)])
    axes.invert_yaxis()
    axes.set(xlabel=unit)
    axes.set_title(title, loc="left")
    axes.set_xlim(left=0)
    return figure, axes


def speed_of_light(rows: Sequence[dict[str, Any]], read_gb_per_s: float):
    """Rows of ``benchmark.measure_decode``: measured speed, its spread, and the bandwidth divided by the bytes."""
    limits = [1e9 * read_gb_per_s / row["bytes_per_token"] for row in rows]
    spreads = [(row["tokens_per_s_p10"], row["tokens_per_s_p90"]) for row in rows]
    title = f"Decode speed, {rows[0]['shape']} model, threads: {rows[0]['threads']}"
    return bars([row["weights"] for row in rows], [row["tokens_per_s"] for row in rows], "tokens per second", title,
                spreads=spreads, limits=limits)


def batch_curve(rows: Sequence[dict[str, Any]]):
    """Rows of ``benchmark.batch_sweep``: the time of a pass over the batch, between its two extremes."""
    batches = [row["batch"] for row in rows]
    return lines({"measured": (batches, [row["price"] for row in rows]),
                  "if only arithmetic took time": (batches, [b / batches[0] for b in batches]),
                  "if only reading took time": (batches, [1] * len(batches))},
                 "tokens in the batch", "time, in passes with one token", "One pass over the weights", log_x=True)


def roofline(points: Sequence[dict[str, Any]], bandwidth: float, peak: float, title: str = ""):
    """Measured points under the two roofs of a machine.

    ``points``: dictionaries with ``name`` (a line of equal names is joined), ``flops_per_byte`` and ``gflops``.
    ``bandwidth`` in GB/s is the slanted roof, ``peak`` in GFLOP/s the flat one; both as measured.
    """
    figure, axes = new(height=4.4)
    ridge = peak / bandwidth
    low = min(0.5, ridge / 6, *(p["flops_per_byte"] for p in points)) / 1.5
    high = max(ridge, *(p["flops_per_byte"] for p in points)) * 3
    axes.plot([low, ridge, high], [low * bandwidth, peak, peak], color=svg.INK, linewidth=2)
    for words, x, shift in ((f"memory: {bandwidth:.0f} GB/s", ridge, (-12, -4)),
                            (f"arithmetic: {peak:.0f} GFLOP/s", high, (0, 6))):
        axes.annotate(words, (x, peak), xytext=shift, textcoords="offset points", ha="right", fontsize=11)
    for name, colour, marker in zip(dict.fromkeys(p["name"] for p in points), COLOURS, MARKERS):
        mine = [p for p in points if p["name"] == name]
        axes.plot([p["flops_per_byte"] for p in mine], [p["gflops"] for p in mine], color=colour, marker=marker,
                  markersize=7, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(ticker.NullLocator())
        axis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.set(xlabel="arithmetic done per byte read (FLOP/byte)", ylabel="arithmetic done (GFLOP/s)", title=title,
             ylim=(None, 2 * max(peak, *(p["gflops"] for p in points))))
    _legend(figure, loc="outside lower center", ncols=3)
    return figure, axes


def _legend(owner, **where) -> None:
    """A legend of a figure or of axes, in the style of the course."""
    owner.legend(fontsize=11, frameon=False, labelcolor=svg.INK, **where)


def _plain_log(axis, set_scale, values: Sequence[float]) -> None:
    """A logarithmic axis to base 2 that is labelled with the plain values."""
    set_scale("log", base=2)
    axis.set_major_locator(ticker.FixedLocator(list(values)))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(ticker.FormatStrFormatter("%g"))

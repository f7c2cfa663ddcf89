"""Decode speed as one picture: measured points under the roof, and the time of a token against context.

How it works
    *Under the roof*: every row is a point at (bytes of a token, tokens per second), both axes logarithmic. Memory
    allows read bandwidth / bytes, a straight line there: one roof for each number of threads, at the median of the
    bandwidths measured beside the rows. The distance of a point below its roof is what is lost; the points of a format
    move right as the cache grows.
    *Against context*, where several were measured, with the most threads: milliseconds of a token, and dotted what
    reading its bytes takes.

What we leave out
    Spreads: they are in the table, and on logarithmic axes smaller than the markers.
"""

from __future__ import annotations

import os
from statistics import median

from matplotlib import pyplot as plt
from matplotlib import ticker

from . import figures, svg

Rows = list[dict]


def draw(rows: Rows):
    """The picture of rows of ``benchmark.measure_decode``: a matplotlib Figure of one panel, or two side by side."""
    contexts = sorted({row["context"] for row in rows})
    panels = 2 if len(contexts) > 1 else 1
    series = _series(rows)
    with plt.rc_context(figures._STYLE):
        figure, axes = plt.subplots(1, panels, squeeze=False, layout="constrained", figsize=(1.6 + 5.0 * panels, 5.0))
        _under_the_roof(axes[0, 0], rows, series)
        if panels == 2:
            _against_context(axes[0, 1], rows, series, contexts)
        for panel in axes[0]:
            panel.grid(True, linewidth=0.6)
            panel.set_axisbelow(True)
        figures._legend(figure, handles=axes[0, 0].get_legend_handles_labels()[0], loc="outside lower center",
                        ncols=3 if panels == 2 else 2)
    return figure


def save(rows: Rows, path: str | os.PathLike) -> None:
    """Write the picture to a .png or .svg file."""
    figures.save(draw(rows), path)


def _series(rows: Rows) -> dict[tuple[str, str], dict]:
    """(weights, kv) to how it is drawn. The cache is named where there are several formats of it."""
    several = len({row["kv"] for row in rows}) > 1
    names = dict.fromkeys((row["weights"], row["kv"]) for row in rows)
    styles = [(colour, marker) for marker_shift in range(len(figures.MARKERS)) for colour, marker in
              zip(figures.COLOURS, figures.MARKERS[marker_shift:] + figures.MARKERS[:marker_shift])]
    return {name: {"color": colour, "marker": marker, "label": f"{name[0]}, cache {name[1]}" if several else name[0]}
            for name, (colour, marker) in zip(names, styles)}


def _under_the_roof(axes, rows: Rows, series: dict) -> None:
    sizes = [row["bytes_per_token"] / 1e6 for row in rows]
    ends = [min(sizes) / 1.4, max(sizes) * 1.4]
    counts = sorted({row["threads"] for row in rows})
    for count in counts:
        bandwidth = median(row["read_gb_per_s"] for row in rows if row["threads"] == count)
        most, words = count == counts[-1], f"{count} thread{'s' if count > 1 else ''}: {bandwidth:.1f} GB/s"
        axes.plot(ends, [1e3 * bandwidth / size for size in ends], color=svg.INK, linewidth=2 if most else 1)
        side, where = (ends[0], {"ha": "left", "va": "bottom"}) if most else (ends[1], {"ha": "right", "va": "top"})
        axes.annotate(words, (side, 1e3 * bandwidth / side), xytext=(10 if most else -10, 0),
                      textcoords="offset points", **where)
    for name, style in series.items():
        for count in counts:
            mine = [row for row in rows if (row["weights"], row["kv"]) == name and row["threads"] == count]
            filled = {} if count == counts[-1] else {"markerfacecolor": "white"}
            axes.plot([row["bytes_per_token"] / 1e6 for row in mine], [row["tokens_per_s"] for row in mine],
                      linestyle="none", markersize=8, **style | ({"label": None} if filled else {}), **filled)
    axes.set_xscale("log")
    axes.set_yscale("log")
    _plain(axes.xaxis), _plain(axes.yaxis)
    hollow = "\nhollow: fewer threads" if len(counts) > 1 else ""
    axes.set(xlabel=f"bytes read per token (MB){hollow}", ylabel="tokens per second")
    axes.set_title(f"Under the roof ({rows[0]['shape']} model)", loc="left")


def _against_context(axes, rows: Rows, series: dict, contexts: list[int]) -> None:
    most = max(row["threads"] for row in rows)
    for name, style in series.items():
        mine = sorted((row for row in rows if (row["weights"], row["kv"]) == name and row["threads"] == most),
                      key=lambda row: row["context"])
        xs = [row["context"] for row in mine]
        axes.plot(xs, [1e3 / row["tokens_per_s"] for row in mine], **style)
        axes.plot(xs, [row["bytes_per_token"] / row["read_gb_per_s"] / 1e6 for row in mine], color=style["color"],
                  linestyle=":", linewidth=1.5)
    if min(contexts) > 0:
        figures._plain_log(axes.xaxis, axes.set_xscale, contexts)
    axes.set(xlabel="tokens in the cache\ndotted: if only reading took time", ylabel="milliseconds per token",
             ylim=(0, None))
    axes.set_title(f"Against context ({most} thread{'s' if most > 1 else ''})", loc="left")


def _plain(axis) -> None:
    """A logarithmic axis labelled with plain values at 1, 2 and 5."""
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(ticker.FormatStrFormatter("%g"))

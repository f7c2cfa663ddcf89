"""Plots of lesson 04: error against bits for many group sizes, and where two formats change places.

How it works
    ``bits_against_error`` joins the group sizes of one code width to a line; of several lines over the same price, the
    lowest is the better use of it. ``ratios`` draws one error divided by another over the group size: above 1 the
    second format is better, below it the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import ticker

from . import figures, svg

STYLES = ("-", "--", "-.", ":")


def bits_against_error(lines: Mapping[str, Sequence[tuple[str, float, float]]], y: str, title: str = ""):
    """``{"int4": [("g32", bits per weight, error), ...]}``: a line per code width, its two ends named."""
    figure, axes = figures.new(height=4.4)
    for (name, points), colour, marker in zip(lines.items(), figures.COLOURS, figures.MARKERS):
        axes.plot([bits for _, bits, _ in points], [error for _, _, error in points], color=colour, marker=marker,
                  label=name)
        for (words, bits, error), side, shift in ((points[0], "right", -7), (points[-1], "left", 7)):
            axes.annotate(words, (bits, error), xytext=(shift, 0), textcoords="offset points", ha=side, va="center",
                          fontsize=11)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    axes.xaxis.set_major_locator(ticker.MultipleLocator(0.5))
    axes.set(xlabel="bits per weight, scales counted", ylabel=y, title=title)
    axes.margins(x=0.12)
    _legend(figure)
    return figure, axes


def ratios(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], above: str, below: str, y: str,
           title: str = ""):
    """``{"name": (group sizes, ratios)}`` over a logarithmic axis, with a line at 1 and what either side of it means."""
    figure, axes = figures.new(height=4.4)
    for place, (name, (sizes, values)) in enumerate(curves.items()):
        axes.plot(sizes, values, color=figures.COLOURS[place], marker=figures.MARKERS[place],
                  linestyle=STYLES[place % len(STYLES)], label=name)
    axes.axhline(1, color=svg.INK, linewidth=1.5)
    for words, place, ha, va in ((above, (0.02, 0.97), "left", "top"), (below, (0.98, 0.03), "right", "bottom")):
        axes.annotate(words, place, xycoords="axes fraction", ha=ha, va=va, fontsize=11)
    everything = sorted({size for sizes, _ in curves.values() for size in sizes})
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(ticker.FixedLocator(everything))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%d"))
    axes.set(xlabel="numbers that share a scale", ylabel=y, title=title)
    _legend(figure)
    return figure, axes


def _legend(figure) -> None:
    figure.legend(loc="outside lower center", ncols=3, fontsize=11, frameon=False, labelcolor=svg.INK)

"""Plots of number formats: where their values lie, and how far from them a number can be. Drawn with matplotlib.

How it works
    ``value_lines`` draws one line per format with a tick for every value, all
    stretched to the same width, so that only the pattern differs. ``error_curves``
    draws relative errors over magnitudes, both on logarithmic axes.
    ``magnitudes`` draws how the sizes of numbers are spread over powers of two
    below the largest; sizes below ``2**-LOWEST`` of it are not drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import ticker

from . import figures, svg

STYLES = ("-", "--", "-.", ":")
LOWEST = 14  # octaves below the largest


def value_lines(lines: Mapping[str, np.ndarray]):
    """``{"name": values}``: a row of ticks per name, divided by its largest magnitude, so from -1 to 1."""
    figure, axes = figures.new(height=0.9 + 0.42 * len(lines))
    scaled = [np.asarray(values, np.float64) / np.max(np.abs(values)) for values in lines.values()]
    axes.eventplot(scaled, lineoffsets=range(len(lines)), linelengths=0.62, linewidths=0.8, colors=svg.BLUE)
    axes.set_yticks(range(len(lines)), [f"{name}: {len(values)}" for name, values in lines.items()])
    axes.invert_yaxis()
    axes.grid(False)
    axes.set(xlabel="value, as a share of the largest", xlim=(-1.02, 1.02))
    axes.set_title("Where the values lie (and how many there are)", loc="left")
    return figure, axes


def error_curves(x: np.ndarray, curves: Mapping[str, np.ndarray], title: str = "", y: str = "largest relative error"):
    """Relative errors (shares, above 0) of each name over the magnitudes ``x``; a line style and a colour each."""
    figure, axes = figures.new(height=4.8)
    for place, (name, errors) in enumerate(curves.items()):
        axes.plot(x, errors, color=figures.COLOURS[place % len(figures.COLOURS)], linestyle=STYLES[place % len(STYLES)],
                  linewidth=1.6, label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(base=2, numticks=12))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.set(xlabel="magnitude of the number", ylabel=y, title=title)
    figure.legend(loc="outside lower center", ncols=3, fontsize=11, frameon=False, labelcolor=svg.INK)
    return figure, axes


def magnitudes(data: Mapping[str, np.ndarray], boundary: float, below: str, above: str, title: str = ""):
    """Spread of |numbers| over octaves below each array's largest; a line at the share ``boundary`` of it, named."""
    figure, axes = figures.new(height=3.8)
    edges = np.arange(-LOWEST, 0.01, 0.5)
    tallest = 0.0
    for (name, values), colour, style in zip(data.items(), figures.COLOURS, STYLES):
        sizes = np.abs(np.asarray(values, np.float64)).ravel()
        counts, _ = np.histogram(np.log2(sizes[sizes > 0] / sizes.max()), edges)
        axes.stairs(100 * counts / sizes.size, edges, color=colour, linestyle=style, linewidth=2, label=name)
        tallest = max(tallest, 100 * counts.max() / sizes.size)
    mark = np.log2(boundary)
    axes.axvline(mark, color=svg.INK, linewidth=1.2)
    for words, shift, side in ((below, -6, "right"), (above, 6, "left")):
        axes.annotate(words, (mark, 1), xycoords=("data", "axes fraction"), xytext=(shift, -4),
                      textcoords="offset points", ha=side, va="top", fontsize=11)
    axes.xaxis.set_major_locator(ticker.MultipleLocator(2))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(_share_of_largest))
    axes.set(xlabel="size, as a share of the largest", ylabel="% of the numbers", title=title, ylim=(0, 1.2 * tallest))
    figure.legend(loc="outside lower center", ncols=2, fontsize=11, frameon=False, labelcolor=svg.INK)
    return figure, axes


def _share_of_largest(octave: float, _position: int) -> str:
    """An octave below the largest as a fraction: -4 is 1/16."""
    return "1" if octave == 0 else f"1/{2**-octave:,.0f}"

"""Plots of lesson 09: how uneven the columns are, the error over alpha, and methods beside each other on two models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import ticker

from . import figures, svg


def uneven(columns: Mapping[str, np.ndarray], y: str, title: str = ""):
    """Mean magnitudes of columns, largest first, in units of their median: ``{"name": (columns,)}``."""
    figure, axes = figures.new(height=3.8)
    for (name, values), colour, style in zip(columns.items(), figures.COLOURS, ("-", "--", ":", "-.")):
        values = np.sort(values)[::-1] / np.median(values)
        axes.plot(np.arange(1, len(values) + 1), values, color=colour, linestyle=style, linewidth=2, label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.set_minor_locator(ticker.NullLocator())
    axes.set(xlabel="columns, largest first", ylabel=y, title=title)
    axes.legend(fontsize=11, frameon=False, labelcolor=svg.INK)
    return figure, axes


def alpha_curves(searches: Mapping[str, Sequence[np.ndarray]], title: str = ""):
    """Errors over alpha, as shares of the error at alpha = 0: ``{"name": one array (grid,) per place}``."""
    figure, axes = figures.new(height=4.4)
    for (name, curves), colour, marker in zip(searches.items(), figures.COLOURS, figures.MARKERS):
        for number, errors in enumerate(curves):
            shares, alphas = errors / errors[0], np.arange(len(errors)) / len(errors)
            best = int(np.argmin(shares))
            axes.plot(alphas, shares, color=colour, linewidth=1, alpha=0.8)
            axes.plot(alphas[best], shares[best], color=colour, marker=marker, linestyle="none",
                      label="" if number else f"{name}: the smallest error")
    axes.axhline(1, color=svg.INK, linewidth=1, linestyle=":")
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda share, _: f"{share:.3g}"))
    axes.set(xlabel="alpha; 0 is round to nearest", ylabel="output error, alpha = 0 is 1", title=title)
    figure.legend(loc="outside lower center", ncols=2, fontsize=11, frameon=False, labelcolor=svg.INK)
    return figure, axes


def beside(series: Mapping[str, Mapping[str, tuple[float, float]]], x: str, title: str = ""):
    """Values with whiskers, a row per label and a marker per series: ``{"series": {"label": (value, half width)}}``.

    Every series names the labels it has; rows are in the order of the first one that names them.
    """
    labels = list(dict.fromkeys(label for values in series.values() for label in values))
    figure, axes = figures.new(height=1.3 + 0.36 * len(labels))
    for number, ((name, values), colour, marker) in enumerate(zip(series.items(), figures.COLOURS, figures.MARKERS)):
        places = [labels.index(label) + 0.2 * (number - (len(series) - 1) / 2) for label in values]
        axes.errorbar([value for value, _ in values.values()], places, xerr=[half for _, half in values.values()],
                      color=colour, marker=marker, linestyle="none", capsize=3, label=name)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set(xlabel=x, title=title, xlim=(0, None))
    figure.legend(loc="outside lower center", ncols=len(series), fontsize=11, frameon=False, labelcolor=svg.INK)
    return figure, axes

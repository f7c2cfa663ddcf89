"""Plots of lesson 03: signal to noise over bits, and how an error grows with the length of a sum.

How it works
    ``noise_over_bits`` draws measured decibels beside the line of 6.02 dB per bit. ``growth`` draws many repetitions
    of an error over a length, both axes logarithmic: the root mean square as points, the 10th to 90th percentile as
    whiskers, so that a power of the length is a straight line; ``slopes`` gives that power.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import ticker

from . import figures, svg

PER_BIT = 20 * np.log10(2)  # 6.02 dB: half the step


def noise_over_bits(bits: Sequence[int], decibels: Mapping[str, Sequence[float]], title: str = ""):
    """Curves by name over the bits of a code, and the line through 0 that gains 6.02 dB with each bit."""
    figure, axes = figures.new(height=4)
    axes.plot(bits, [PER_BIT * b for b in bits], color=svg.INK, linestyle="--", label="6.02 dB per bit")
    for (name, values), colour, marker in zip(decibels.items(), figures.COLOURS, figures.MARKERS):
        axes.plot(bits, values, color=colour, marker=marker, label=name)
    axes.set(xlabel="bits of a code", ylabel="signal to noise (dB)", title=title, ylim=(0, None))
    axes.set_xticks(list(bits))
    axes.legend(fontsize=11, frameon=False, labelcolor=svg.INK, loc="upper left")
    return figure, axes


def growth(lengths: Sequence[int], errors: Mapping[str, np.ndarray], x: str, y: str, title: str = ""):
    """Errors by name, (lengths, repetitions) each: the root mean square of each length, and its spread."""
    figure, axes = figures.new(height=4.4)
    for place, (name, found) in enumerate(errors.items()):
        colour, marker = figures.COLOURS[place], figures.MARKERS[place]
        beside = np.asarray(lengths) * 1.07 ** (place - (len(errors) - 1) / 2)  # whiskers beside each other
        middle = _root_mean_square(found)
        low, high = np.percentile(np.abs(found), (10, 90), axis=1)
        axes.errorbar(beside, middle, yerr=[np.maximum(middle - low, 0), np.maximum(high - middle, 0)], color=colour,
                      marker=marker, capsize=3, label=name)
    axes.set_xscale("log", base=4)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(ticker.FixedLocator(list(lengths)))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.set(xlabel=x, ylabel=y, title=title)
    figure.legend(fontsize=11, frameon=False, labelcolor=svg.INK, loc="outside lower center", ncols=2)
    return figure, axes


def slopes(lengths: Sequence[int], errors: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The power of the length that each error grows with: least squares through the logarithms."""
    return {name: float(np.polyfit(np.log(lengths), np.log(_root_mean_square(found)), 1)[0])
            for name, found in errors.items()}


def _root_mean_square(found: np.ndarray) -> np.ndarray:
    return np.sqrt((np.asarray(found, np.float64) ** 2).mean(axis=1))

"""Pictures of lesson 08: two inputs as arrows, and what repairing does to the error of weights and of outputs.

How it works
    The values an input takes over all samples are the components of one long arrow. Two inputs span a plane, however
    many samples there are, so ``two_inputs`` draws them truly: an error of 1 in the first weight moves the output by
    the first arrow, a change of the second weight moves it along the second, and the best change leaves what stands at
    a right angle. ``two_errors`` draws many matrices, each with two errors held against rounding to nearest, and
    ``how_much_text`` one error over the length of the calibration text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from . import figures, svg
from .svg import Drawing

WIDTH, HEIGHT = 720, 236
_X, _Y, _LENGTH = 250, 172, 140  # where the arrows begin, and how long the first one is


def two_inputs(likeness: float) -> str:
    """Two inputs of equal length as arrows, as SVG, and what is left of an error of 1 in the first one's weight.

    ``likeness``: the cosine of the angle between them, -1 to 1. Raises ValueError outside.
    """
    if not -1 <= likeness <= 1:
        raise ValueError(f"likeness is the cosine of an angle, from -1 to 1, not {likeness}")
    left = 1 - likeness**2
    drawing = Drawing(WIDTH, HEIGHT, f"Two inputs, likeness {likeness:+.2f}: the second weight takes over "
                      f"{likeness:+.2f} of the error, {left:.0%} of the squared error is left")
    tip = _X + _LENGTH * likeness, _Y - _LENGTH * math.sqrt(left)  # of input 1; input 2 points to the right
    drawing.line(_X - _LENGTH, _Y, _X + _LENGTH, _Y, stroke=svg.GREY, dash="2 4")
    drawing.line(_X, _Y, _X + _LENGTH, _Y, stroke=svg.BLUE, width=2, arrow=True)
    drawing.line(*tip, tip[0], _Y, stroke=svg.PURPLE, width=4)
    if abs(likeness) > 0.02:
        drawing.line(_X, _Y + 8, tip[0], _Y + 8, stroke=svg.GREEN, width=4)
    drawing.line(_X, _Y, *tip, stroke=svg.VERMILLION, width=2, arrow=True)
    drawing.text(_X + _LENGTH + 12, _Y + 5, "input 2", size=12)
    drawing.text(tip[0], tip[1] - 10, "input 1", size=12, anchor="middle")
    for place, (colour, words, value) in enumerate((
            (svg.VERMILLION, "error: too little of input 1", "1"),
            (svg.GREEN, "answer of weight 2", f"{likeness:+.2f}"),
            (svg.PURPLE, "left, at a right angle", f"{math.sqrt(left):.2f}"))):
        y = 60 + 28 * place
        drawing.rect(460, y - 9, 14, 8, fill=colour)
        drawing.text(482, y, words)
        drawing.text(706, y, value, anchor="end", bold=True)
    drawing.text(460, 158, f"squared error left: {left:.0%}", bold=True)
    drawing.text(8, HEIGHT - 10, "Likeness 0: a right angle, nothing to answer with. Likeness 1 or -1: one line, all "
                 "is made good.", size=12)
    return str(drawing)


def two_errors(matrices: Mapping[str, Sequence[tuple[float, float]]], title: str = ""):
    """``{"kind": [(weight error, output error), ...]}`` in shares of rounding to nearest, a row of points per kind."""
    figure, axes = figures.new(height=0.45 * len(matrices) + 1.7)
    for place, points in enumerate(matrices.values()):
        heights = [place + 0.16 * (n - (len(points) - 1) / 2) for n in range(len(points))]
        for height, (weight, output) in zip(heights, points):
            axes.plot([output, weight], [height, height], color=svg.GREY, linewidth=0.8, zorder=1)
        for values, colour, marker, label in ((0, figures.COLOURS[1], "s", "squared error of the weights"),
                                              (1, figures.COLOURS[0], "o", "squared error of the outputs")):
            axes.plot([p[values] for p in points], heights, color=colour, marker=marker, linestyle="none",
                      label=label if place == 0 else None)
    axes.axvline(1, color=svg.INK, linewidth=1.5)
    axes.set_xscale("log")
    ticks = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(matrices)), list(matrices))
    axes.invert_yaxis()
    axes.set(xlabel="times the error of rounding to nearest", title=title)
    figure.legend(loc="outside lower center", ncols=2, fontsize=11, frameon=False, labelcolor=svg.INK)
    return figure, axes


def how_much_text(sizes: Sequence[int], curves: Mapping[str, Sequence[float]], inputs: int, title: str = ""):
    """Errors in shares of rounding to nearest, ``{"name": values}``, over tokens; a mark at as many tokens as inputs."""
    figure, axes = figures.lines({name: (sizes, values) for name, values in curves.items()},
                                 "tokens of calibration text", "times the error of nearest", title, log_x=True)
    axes.get_legend().remove()
    axes.axhline(1, color=svg.INK, linewidth=1.5)
    axes.axvline(inputs, color=svg.GREY, linewidth=1.2, linestyle="--")
    axes.annotate(f"as many tokens as inputs ({inputs})", (inputs, axes.get_ylim()[1]), xytext=(6, -12), fontsize=11,
                  textcoords="offset points")
    figure.set_figheight(4.4)
    figure.legend(loc="outside lower center", ncols=2, fontsize=11, frameon=False, labelcolor=svg.INK)
    return figure, axes

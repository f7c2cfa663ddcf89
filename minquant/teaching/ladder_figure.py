"""The ladder as one picture: bytes, speed and quality side by side, one row per level.

How it works
    Three panels share their rows. *Size* is a bar: what a model of 0.8 billion
    weights takes. *Speed* is a bar with the spread of its repetitions and a mark
    at the speed of light: the read bandwidth measured beside it divided by the
    bytes of a token, which no loop can beat unless bytes come from a cache. *Loss* is KL to
    the float model on a logarithmic axis, where a bar would have no honest
    beginning: a dot with its standard error.

What we leave out
    Perplexity: on this text it cannot tell 8 bits from float, KL can. The table
    has both.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from matplotlib import pyplot as plt
from matplotlib import ticker

from ..benchmark.tables import figure, percent
from . import figures, svg

if TYPE_CHECKING:
    from ..benchmark.ladder import LadderResult

KL_FLOOR = 1e-7  # nats per token; what is closer to float than this is drawn here


def draw(result: "LadderResult"):
    """The picture of a measured ladder: a matplotlib Figure, 9.6 by about 4 inches."""
    rows, places = result.rows, range(len(result.rows))
    with plt.rc_context(figures._STYLE):
        picture, (size, speed, loss) = plt.subplots(1, 3, sharey=True, layout="constrained", width_ratios=(5, 6, 6),
                                                    figsize=(9.6, 1.7 + 0.4 * len(rows)))
        _size(size, rows, places)
        _speed(speed, rows, places)
        _loss(loss, rows, places)
        for axes in (size, speed, loss):
            axes.grid(True, axis="x", linewidth=0.6)
            axes.set_axisbelow(True)
        size.set_yticks(list(places), [row["weights"] for row in rows])
        size.invert_yaxis()
    return picture


def save(result: "LadderResult", path: str | os.PathLike) -> None:
    """Write the picture to a .png or .svg file."""
    figures.save(draw(result), path)


def _size(axes, rows: list[dict], places: range) -> None:
    gigabytes = [row["footprint_bytes_0_8b"] / 1e9 for row in rows]
    axes.barh(places, gigabytes, color=svg.SKY, height=0.62)
    _words(axes, places, gigabytes, [f"{value:.2f}" for value in gigabytes])
    axes.set(title="Size", xlabel="GB\n(at the 0.8b shape)", xlim=(0, 1.25 * max(gigabytes)))


def _speed(axes, rows: list[dict], places: range) -> None:
    """Bars with spreads, and the speed of light of each row."""
    timed = [(place, row) for place, row in zip(places, rows) if row["tokens_per_s"] is not None]
    for place, row in timed:
        value, low, high = (row[f"tokens_per_s{end}"] for end in ("", "_p10", "_p90"))
        axes.barh(place, value, color=svg.GREEN, height=0.62)
        axes.errorbar(value, place, xerr=[[max(value - low, 0)], [max(high - value, 0)]], fmt="none", ecolor=svg.INK,
                      capsize=4, linewidth=1.5)
    if timed:
        limits = [row["read_gb_per_s"] * 1e9 / row["bytes_per_token"] for _, row in timed]
        axes.plot(limits, [place for place, _ in timed], linestyle="none", marker="|", markersize=20,
                  markeredgewidth=2.5, color=svg.VERMILLION)
        ends = [max(limit, row["tokens_per_s_p90"]) for limit, (_, row) in zip(limits, timed)]
        _words(axes, [place for place, _ in timed], ends, [
            f"{figure(row['tokens_per_s'])} ({percent(row['share_of_read'])})" for _, row in timed])
        axes.set_xlim(0, 1.45 * max(ends))
    untimed = [place for place, row in zip(places, rows) if row["tokens_per_s"] is None]
    _words(axes, untimed, [0] * len(untimed), ["no kernel"] * len(untimed))
    where, s = rows[0], "" if rows[0]["threads"] == 1 else "s"
    axes.set(title="Speed", xlabel="tok/s (share of the read bandwidth);\nred mark: at all of the bandwidth\n"
             f"(random {where['shape']} model, {where['threads']} thread{s})")


def _loss(axes, rows: list[dict], places: range) -> None:
    """Dots with standard errors on a logarithmic axis."""
    values = [max(row["kl"], KL_FLOOR) for row in rows]
    below = [min(row["kl_stderr"], 0.9 * value) for row, value in zip(rows, values)]
    above = [row["kl_stderr"] for row in rows]
    axes.set_xscale("log")
    axes.errorbar(values, places, xerr=[below, above], fmt="o", color=svg.ORANGE, ecolor=svg.INK, capsize=3, markersize=8)
    _words(axes, places, [v + e for v, e in zip(values, above)], [figure(row["kl"], 2) for row in rows], gap=8)
    axes.set(title="Loss", xlabel="KL to float, nats per token\n(trained tiny model)",
             xlim=(min(values) / 4, max(values) * 60))
    axes.xaxis.set_major_locator(ticker.LogLocator(numticks=5))


def _words(axes, places, ends, words: list[str], gap: int = 5) -> None:
    """Write each value beside the point where its bar ends."""
    for place, end, word in zip(places, ends, words):
        axes.annotate(word, (end, place), xytext=(gap, 0), textcoords="offset points", va="center")

"""Plots of lesson 05: what a flipped bit costs, bit by bit, and how fast each layout is unpacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib import ticker

from . import figures, svg

_FIELDS = {"code": ("bit of a code", svg.SKY, "o"), "mantissa": ("mantissa of a scale", svg.GREEN, "s"),
           "exponent": ("exponent of a scale", svg.ORANGE, "^"), "sign": ("sign of a scale", svg.PURPLE, "D")}


def field_of(row: dict[str, Any]) -> str:
    """Where the bit of a row of ``bit_flips.flips`` lies: "code", or a field of the float16 scale."""
    if row["kind"] == "code":
        return "code"
    return "sign" if row["bit"] == 15 else "exponent" if row["bit"] >= 10 else "mantissa"


def flip_costs(rows: Sequence[dict[str, Any]], whole: float):
    """KL after one flip, over the bit that was flipped: median over seeds, whiskers from the least to the most.

    ``rows``: from ``bit_flips.flips``. ``whole``: the KL that quantizing the whole matrix cost, for comparison.
    """
    figure, axes = figures.new(height=4.2)
    places = [place + (row["kind"] == "scale") for place, row in enumerate(rows)]  # a gap between codes and scales
    for field, (name, colour, marker) in _FIELDS.items():
        mine = [(place, row) for place, row in zip(places, rows, strict=True) if field_of(row) == field]
        xs, ys = [place for place, _ in mine], [row["kl"] for _, row in mine]
        spread = [[row["kl"] - row["kl_low"] for _, row in mine], [row["kl_high"] - row["kl"] for _, row in mine]]
        axes.errorbar(xs, ys, yerr=spread, color=colour, marker=marker, markeredgecolor=svg.INK, linestyle="none",
                      ecolor=svg.INK, capsize=3, markersize=8, label=name)
    axes.axhline(whole, color=svg.INK, linestyle="--", linewidth=1.2)
    axes.annotate("what 4 bits cost this matrix at all", (places[len(rows) // 2], whole), xytext=(0, 5),
                  textcoords="offset points", ha="center", fontsize=11, color=svg.INK)
    axes.set_yscale("log")
    axes.set_xticks(places, [str(row["bit"]) for row in rows])
    axes.set(xlabel="the bit that was flipped: on the left of a code, on the right of a scale (0 is the lowest)",
             ylabel="KL, nats per token")
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.legend(fontsize=11, frameon=False, loc="upper left", labelcolor=svg.INK)
    return figure, axes


def unpacking(rows: Sequence[dict[str, Any]]):
    """Rows of ``benchmark.unpacking_speed``: packed bytes read per second, with what one thread reads at best."""
    figure, axes = figures.bars([row["layout"] for row in rows], [row["gb_per_s"] for row in rows],
                                "GB of packed bytes per second, one thread", "",
                                spreads=[(row["gb_per_s_p10"], row["gb_per_s_p90"]) for row in rows])
    read = sorted(row["read_gb_per_s"] for row in rows)[len(rows) // 2]
    axes.axvline(read, color=svg.VERMILLION, linewidth=2.5)
    axes.set_xlim(0, 1.04 * max(read, *(row["gb_per_s_p90"] for row in rows)))
    axes.annotate(f"reading alone: {read:.3g}", (read, len(rows) - 1), xytext=(-6, 0), textcoords="offset points",
                  ha="right", va="center", fontsize=11, color=svg.INK)
    return figure, axes

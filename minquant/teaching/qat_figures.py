"""Plots of lesson 13: stored runs of training against rounding afterwards, and where weights gather.

How it works
    ``stored()`` reads data/qat.json, which ``tools/compare_qat.py`` wrote; ``afterwards`` finds the best method without
    training in it. ``bits_against_kl`` draws every run as a point, two seeds beside each other, so that the distance of
    seeds can be compared with the distance of methods. ``near_edges`` counts weights close to the middle between two
    codes in a ``comb.Moment``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from .._paths import data_path
from . import figures
from .comb import Moment

SCHEMES = {"int4:g32:asym": "4 bits", "int3:g32:asym": "3 bits", "int2:g32:asym": "2 bits",
           "ternary:g32:absmean": "1.58 bits"}
METHODS = {"rtn": "to nearest", "awq": "AWQ", "gptq": "GPTQ", "qat": "trained (QAT)"}


def stored() -> dict:
    """The settings and rows of data/qat.json. Raises FileNotFoundError where it is missing."""
    return json.loads(data_path("qat.json").read_text(encoding="utf-8"))


def of(rows: Sequence[dict], scheme: str, method: str) -> list[float]:
    """KL in nats per token of all runs of a method, one for each seed."""
    return [row["kl"] for row in rows if (row["scheme"], row["method"]) == (scheme, method)]


def afterwards(rows: Sequence[dict], scheme: str) -> tuple[str, float]:
    """The best method that does not train, and its mean KL over the seeds."""
    methods = {row["method"] for row in rows if row["scheme"] == scheme} - {"qat"}
    means = {method: fmean(of(rows, scheme, method)) for method in methods}
    best = min(means, key=means.get)
    return best, means[best]


def bits_against_kl(rows: Sequence[dict], title: str = ""):
    """KL of every run, by scheme; one marker for each seed."""
    figure, axes = figures.new(height=4.2)
    for place, ((method, words), colour, marker) in enumerate(zip(METHODS.items(), figures.COLOURS, figures.MARKERS)):
        points = [(x + 0.16 * (place - 1.5), kl) for x, scheme in enumerate(SCHEMES) for kl in of(rows, scheme, method)]
        axes.plot(*zip(*points), linestyle="none", marker=marker, markersize=8, color=colour, label=words)
    axes.set_xticks(range(len(SCHEMES)), list(SCHEMES.values()))
    axes.set(yscale="log", ylabel="KL to the float model, nats per token", title=title)
    axes.set_yticks([0.01, 0.03, 0.1, 0.3, 1, 3], ["0.01", "0.03", "0.1", "0.3", "1", "3"])
    axes.legend(fontsize=11, frameon=False, loc="upper left")
    return figure, axes


def near_edges(m: Moment, within: float = 0.05) -> float:
    """Share of the weights less than ``within`` steps from the middle between two codes of their grid."""
    low, high = m.codes.min(), m.codes.max()
    inside = (m.places > low) & (m.places < high)
    return float((np.abs(m.places % 1 - 0.5) < within)[inside].sum() / m.places.size)

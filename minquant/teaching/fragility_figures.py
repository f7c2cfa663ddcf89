"""Plots and orders of lesson 14: which part of the model minds rounding, by the figures of data/fragility.json.

How it works
    ``stored()`` reads what ``tools/fragility.py`` measured: one row per part, sharing and bits. ``orders`` ranks the four
    parts under each definition of *fragile* that the rows allow. ``bits_against_kl`` draws KL over bits, and
    ``error_against_kl`` asks why: KL over the relative squared error of what was rounded. On the second, both axes
    logarithmic, parts that the model minds equally lie on one line of slope 1, however coarse their grids are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .._paths import data_path
from ..evaluation.fragility import BUDGET, TEXTBOOK
from ..evaluation.fragility_text import NAMES
from . import figures

Row = Mapping[str, Any]
_TICKS = [1e-4, 1e-3, 0.01, 0.1, 1]


def stored() -> dict[str, Any]:
    """The settings of data/fragility.json and its rows, under "fragility". Raises FileNotFoundError where it is missing."""
    return json.loads(data_path("fragility.json").read_text(encoding="utf-8"))


def of(rows: Sequence[Row], part: str, sharing: str) -> list[Row]:
    """The rows of a part under a sharing, fewest bits first."""
    return sorted((r for r in rows if (r["part"], r["sharing"]) == (part, sharing)), key=lambda r: r["bits"])


def by_kl(rows: Sequence[Row], sharing: str, bits: int) -> list[str]:
    """The parts, least KL at these bits first."""
    return sorted(TEXTBOOK, key=lambda part: _at(rows, part, sharing, bits)["kl"])


def by_bits(rows: Sequence[Row], sharing: str, budget: float = BUDGET) -> dict[str, int]:
    """For each part the fewest bits, of those measured, that keep KL within the budget, least first. Raises ValueError
    where a part has none."""
    return dict(sorted(((part, min(r["bits"] for r in of(rows, part, sharing) if r["kl"] <= budget))
                        for part in TEXTBOOK), key=lambda found: found[1]))


def by_minding(rows: Sequence[Row], sharing: str, bits: int) -> dict[str, float]:
    """KL per unit of relative squared error of what is rounded, least first."""
    found = {part: _at(rows, part, sharing, bits) for part in TEXTBOOK}
    return dict(sorted(((part, r["kl"] / r["error"]) for part, r in found.items()), key=lambda pair: pair[1]))


def orders(rows: Sequence[Row], bits: int = 4) -> list[tuple[str, str]]:
    """(definition, order in words, least fragile first) under six definitions. Parts that need equal bits stand beside
    each other with "=" between them."""
    needed = by_bits(rows, "group")
    ties = " < ".join(" = ".join(NAMES[p] for p, b in needed.items() if b == level)
                      for level in dict.fromkeys(needed.values()))
    return [(f"KL at {bits} bits, a scale per row", in_words(by_kl(rows, "row", bits))),
            (f"KL at {bits} bits, a scale per 32", in_words(by_kl(rows, "group", bits))),
            (f"KL at {bits} bits, as practised", in_words(by_kl(rows, "practised", bits))),
            (f"bits for a KL of {BUDGET:g}, a scale per 32", ties),
            (f"KL per error at {bits} bits, a scale per row", in_words(by_minding(rows, "row", bits))),
            (f"KL per error at {bits} bits, a scale per 32", in_words(by_minding(rows, "group", bits)))]


def in_words(parts: Sequence[str] | Mapping[str, Any]) -> str:
    """Parts as an order: "weights < activations < KV cache < attention"."""
    return " < ".join(NAMES[part] for part in parts)


def bits_against_kl(rows: Sequence[Row], title: str = ""):
    """KL of each part alone over the bits of a code: a scale per row, and a scale per 32 numbers."""
    figure, both = figures.side_by_side()
    for axes, (sharing, words) in zip(both, (("row", "one scale per row"), ("group", "one scale per 32 numbers"))):
        for part, colour, marker in zip(TEXTBOOK, figures.COLOURS, figures.MARKERS):
            mine = of(rows, part, sharing)
            axes.errorbar([r["bits"] for r in mine], [r["kl"] for r in mine], [r["kl_stderr"] for r in mine],
                          color=colour, marker=marker, markersize=7, capsize=3, label=NAMES[part])
        axes.set(xlabel="bits of a code", yscale="log", ylim=(4e-5, 2), title=words)
        axes.set_xticks(sorted({r["bits"] for r in rows if r["sharing"] == sharing}))
        axes.set_yticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    both[0].set_ylabel("KL to the float model, nats per token")
    both[1].legend(fontsize=11, frameon=False)
    figure.suptitle(title, fontsize=12)
    return figure, both


def error_against_kl(rows: Sequence[Row], sharing: str = "row", title: str = ""):
    """KL of each part over the relative squared error of what it rounds; grey lines of equal KL per error."""
    figure, axes = figures.new(height=4.6)
    for slope in (2, 5):
        axes.plot([2e-5, 0.25], [slope * 2e-5, slope * 0.25], "--", color="0.75", linewidth=1, zorder=0)
        axes.annotate(f"{slope} nats per unit", (2.2e-5, slope * 2.2e-5), xytext=(0, 5 if slope > 2 else -13),
                      textcoords="offset points", color="0.4", fontsize=11)
    for part, colour, marker in zip(TEXTBOOK, figures.COLOURS, figures.MARKERS):
        mine = [r for r in of(rows, part, sharing) if r["error"] is not None]
        axes.plot([r["error"] for r in mine], [r["kl"] for r in mine], color=colour, marker=marker, markersize=7,
                  label=NAMES[part])
    axes.set(xscale="log", yscale="log", xlabel="relative squared error of what is rounded",
             ylabel="KL, nats per token", title=title)
    axes.set_yticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axes.set_xticks([1e-4, 1e-3, 0.01, 0.1], ["0.0001", "0.001", "0.01", "0.1"])
    axes.legend(fontsize=11, frameon=False, loc="lower right")
    return figure, axes


def _at(rows: Sequence[Row], part: str, sharing: str, bits: int) -> Row:
    """The row of a part; KeyError where there is none."""
    for row in of(rows, part, sharing):
        if row["bits"] == bits:
            return row
    raise KeyError(f"{part} was not measured with sharing {sharing} at {bits} bits")

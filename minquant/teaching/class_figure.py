"""What many machines measured, drawn: how much faster each level is, and int4 against cores and bandwidth.

Every machine is a point; beside the points of a level stand their median and the 10th to 90th percentile. The band of
30 to 50% is the rule of thumb that lesson 01 begins with. A part nobody measured says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import class_results, figures, svg

RULE = (30, 50)  # per cent faster per level, as the rule of thumb has it


def draw(machines: list[dict[str, Any]]):
    """A figure of two parts, made from what ``class_results.read`` gave."""
    figure, (left, right) = figures.side_by_side()
    _steps(left, class_results.steps(machines))
    _int4(right, class_results.int4_points(machines))
    return figure


def save(machines: list[dict[str, Any]], path: Path) -> None:
    """Draw to a .png or .svg file."""
    figures.save(draw(machines), path)


def _steps(axes, steps: dict[tuple[str, str], list[float]]) -> None:
    axes.set(title="Faster than the level above", xlabel="% more tokens per second")
    axes.axvspan(*RULE, color=svg.SKY, alpha=0.25, label=f"rule of thumb: {RULE[0]} to {RULE[1]}%")
    axes.axvline(0, color=svg.GREY, linewidth=1)
    names = list(steps)[::-1]
    for place, name in enumerate(names):
        values = steps[name]
        spread = [0.25 * ((n * 0.618034) % 1 - 0.5) for n in range(len(values))]  # so that equal points stay apart
        axes.plot(values, [place - 0.12 + s for s in spread], "o", color=svg.BLUE, markersize=4, alpha=0.7)
        low, middle, high = class_results.quantiles(values)
        axes.plot([low, high], [place + 0.25] * 2, color=svg.ORANGE, linewidth=3)
        axes.plot([middle], [place + 0.25], "D", color=svg.ORANGE, markersize=6,
                  label="median, p10 to p90" if place == 0 else None)
    axes.set_yticks(range(len(names)), [f"{a}\nto {b} (n = {len(steps[a, b])})" for a, b in names])
    axes.set_ylim(-0.6, max(len(names), 0.6))
    axes.legend(frameon=False, loc="upper left", ncols=2)
    if not names:
        axes.text(0.5, 0.5, "no ladder in these files", transform=axes.transAxes, ha="center")


def _int4(axes, points: list[tuple[float, float, float]]) -> None:
    axes.set(title="int4 beside bf16, one point per machine", xlabel="read bandwidth, GB/s", ylabel="times as fast")
    axes.axhline(1, color=svg.GREY, linewidth=1)
    groups = {"up to 4 cores": (0, 4), "5 to 8 cores": (4, 8), "more than 8": (8, float("inf"))}
    for (name, (low, high)), colour, marker in zip(groups.items(), figures.COLOURS, figures.MARKERS, strict=False):
        chosen = [(bandwidth, ratio) for cores, bandwidth, ratio in points if low < cores <= high]
        if chosen:
            axes.plot(*zip(*chosen, strict=True), marker, color=colour, label=f"{name} (n = {len(chosen)})", linestyle="")
    if points:
        axes.set_ylim(0, None)
        axes.set_xlim(0, None)
        axes.legend(frameon=False, loc="lower right")
    else:
        axes.text(0.5, 0.5, "no machine with all three figures", transform=axes.transAxes, ha="center")

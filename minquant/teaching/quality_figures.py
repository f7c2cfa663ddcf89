"""Plots of lesson 07: what each figure of quality sees, how often a verdict is right, and how long two models agree.

How it works
    ``what_each_sees`` puts KL and the paired difference of losses on one axis, because both are nats per token, and
    beside them the error that a comparison of two perplexities would have. ``verdicts`` and ``agreement`` draw shares.
    Whiskers are two standard errors, or 95% intervals, as the y axis says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import ticker

from ..evaluation import Difference, Evaluation, GreedyRuns
from . import figures, svg

LOWEST = 3e-5  # nats; a loss whose whiskers reach below is drawn as what it is at most


def what_each_sees(curve: Mapping[str, Evaluation], differences: Mapping[str, Difference], bits: Mapping[str, int],
                   title: str = ""):
    """KL and paired loss over the bits of a code, whiskers of two standard errors, and the error of two perplexities.

    ``bits``: name of a point -> bits of its codes. The dotted line grows fourfold with each bit, from the second
    point from the right: what KL does while errors are small.
    """
    figure, axes = figures.new(height=4.6)
    names = sorted(bits, key=bits.__getitem__)
    x = [bits[name] for name in names]
    kl = [curve[name].kl for name in names]
    axes.errorbar(x, kl, yerr=[2 * curve[name].kl_stderr for name in names], color=figures.COLOURS[0], marker="o",
                  capsize=3, label="KL to the float model")
    seen = [(bits[name], differences[name]) for name in names]
    clear = [(b, d) for b, d in seen if d.value - 2 * d.stderr > LOWEST]
    axes.errorbar([b for b, _ in clear], [d.value for _, d in clear], yerr=[2 * d.stderr for _, d in clear],
                  color=figures.COLOURS[1], marker="s", linestyle="--", capsize=3, label="loss above float, paired")
    at_most = [(b, d.value + 2 * d.stderr) for b, d in seen if d.value - 2 * d.stderr <= LOWEST]
    axes.plot([b for b, _ in at_most], [high for _, high in at_most], color=figures.COLOURS[1], marker="v",
              linestyle="none", markersize=9, markerfacecolor="none",
              label="loss above float, at most (not told from 0)")
    noise = 2 * max(d.unpaired_stderr for name, d in differences.items() if bits[name] >= 4)
    axes.axhline(noise, color=svg.VERMILLION, linewidth=1.5, label="two perplexities on two texts: two standard errors")
    axes.plot(x, [kl[-2] * 4.0 ** (x[-2] - b) for b in x], color=svg.INK, linewidth=1, linestyle=":",
              label="four times for each bit less")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(ticker.LogLocator(numticks=12))
    axes.set_xticks(x)
    axes.invert_xaxis()
    axes.set(xlabel="bits of a code", ylabel="nats per token", title=title)
    _legend(figure, columns=1)
    return figure, axes


def verdicts(shares: Mapping[str, tuple[Sequence[int], Sequence[float]]], title: str = ""):
    """``{"name": (tokens, share of pieces that name the worse model rightly)}``, with a line at guessing."""
    figure, axes = figures.new(height=4.2)
    for place, (name, (tokens, share)) in enumerate(shares.items()):
        axes.plot(tokens, share, color=figures.COLOURS[place], marker=figures.MARKERS[place], label=name)
    axes.axhline(0.5, color=svg.INK, linewidth=1, linestyle=":", label="guessing")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%d"))
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
    axes.set(xlabel="tokens of a piece of text", ylabel="pieces with the right verdict", title=title, ylim=(0.25, 1.03))
    _legend(figure, columns=2)
    return figure, axes


def agreement(runs: Mapping[str, GreedyRuns], lengths: Sequence[int], title: str = ""):
    """Share of runs still the same after n tokens, a line per model, whiskers for the 95% intervals."""
    figure, axes = figures.new(height=4.4)
    for place, (name, found) in enumerate(runs.items()):
        x = [n * 1.035 ** (place - len(runs) / 2) for n in lengths]  # beside each other, so that whiskers can be read
        shares = [found.share(n) for n in lengths]
        ends = [found.interval(n) for n in lengths]
        axes.errorbar(x, shares, yerr=[[s - low for s, (low, _) in zip(shares, ends)],
                                       [high - s for s, (_, high) in zip(shares, ends)]],
                      color=figures.COLOURS[place % len(figures.COLOURS)], capsize=2, label=name,
                      marker=figures.MARKERS[place % len(figures.MARKERS)])
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(lengths), [str(n) for n in lengths])
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
    axes.set(xlabel="tokens written", ylabel="texts still the same, 95% interval", title=title, ylim=(-0.03, 1.03))
    _legend(figure, columns=4)
    return figure, axes


def _legend(figure, columns: int) -> None:
    figure.legend(loc="outside lower center", ncols=columns, fontsize=11, frameon=False, labelcolor=svg.INK)

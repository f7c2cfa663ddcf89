"""Plots of lesson 12: keys and values as they lie in a cache, and KL against the position in a text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import pyplot as plt

from . import figures

BIN = 64  # positions that are averaged into one point


def keys_and_values(keys: np.ndarray, values: np.ndarray, title: str = ""):
    """Magnitudes of one head's keys and values, (tokens, channels) each, beside each other in one scale of grey."""
    with plt.rc_context(figures._STYLE):
        figure, both = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharey=True)
    largest = float(max(np.abs(keys).max(), np.abs(values).max()))
    for axes, name, x in zip(both, ("keys", "values"), (keys, values)):
        image = axes.imshow(np.abs(x), cmap="Greys", vmin=0, vmax=largest, aspect="auto", interpolation="nearest")
        axes.set(title=f"{name}{title and ', '}{title}", xlabel="channel")
    both[0].set_ylabel("token")
    figure.colorbar(image, ax=both, label="magnitude")
    return figure, both


def kl_by_position(curves: Mapping[str, np.ndarray], title: str = ""):
    """KL against position, ``{"name": (windows, positions)}``: means over BIN positions and all windows, whiskers of one
    standard error over the windows; the axis is logarithmic."""
    figure, axes = figures.new(height=4.2)
    for (name, kl), colour, marker in zip(curves.items(), figures.COLOURS, figures.MARKERS):
        parts = kl[:, :kl.shape[1] // BIN * BIN].reshape(len(kl), -1, BIN).mean(axis=2)  # (windows, points)
        error = parts.std(axis=0, ddof=1) / np.sqrt(len(parts)) if len(parts) > 1 else np.zeros(parts.shape[1])
        axes.errorbar((np.arange(parts.shape[1]) + 0.5) * BIN, parts.mean(axis=0), yerr=error, color=colour, marker=marker,
                      capsize=3, label=name)
    axes.set_yscale("log")
    axes.set(xlabel="position in the text", ylabel="KL, nats per token", title=title)
    figures._legend(figure, loc="outside lower center", ncols=3)
    return figure, axes

"""Plots of lesson 12: what was given is what is drawn."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402 (the backend is chosen first)

from minquant.teaching import cache_figures  # noqa: E402


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_keys_and_values_share_a_scale():
    k, v = np.full((6, 4), -3.0), np.full((6, 4), 1.0)
    _, both = cache_figures.keys_and_values(k, v, "head 0")
    images = [axes.images[0] for axes in both]
    assert [image.get_clim() for image in images] == [(0, 3), (0, 3)]
    assert [float(image.get_array().max()) for image in images] == [3, 1]


def test_positions_are_averaged_over_windows_and_bins():
    kl = np.concatenate([np.full((3, 64), 0.1), np.full((3, 64), 0.2)], axis=1) * np.array([[1], [2], [3]])
    _, axes = cache_figures.kl_by_position({"a": kl, "b": 2 * kl})
    lines = [container.lines[0] for container in axes.containers]
    assert lines[0].get_xdata() == pytest.approx([32, 96]) and lines[0].get_ydata() == pytest.approx([0.2, 0.4])
    assert lines[1].get_ydata() == pytest.approx([0.4, 0.8])

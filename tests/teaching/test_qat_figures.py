"""Lesson 13's plots: what they read is what the tool stored, and what they count is counted."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402

from minquant.teaching import qat_figures  # noqa: E402
from minquant.teaching.comb import Moment  # noqa: E402

ROWS = [{"scheme": scheme, "method": method, "seed": seed, "kl": kl * (1 + 0.1 * seed)}
        for scheme in qat_figures.SCHEMES for method, kl in (("rtn", 0.9), ("awq", 0.5), ("gptq", 0.3), ("qat", 0.2))
        for seed in (0, 1)]


def test_the_best_method_without_training():
    assert qat_figures.afterwards(ROWS, "int2:g32:asym") == ("gptq", pytest.approx(0.315))
    assert qat_figures.of(ROWS, "int3:g32:asym", "qat") == pytest.approx([0.2, 0.22])


def test_every_run_is_a_point():
    _, axes = qat_figures.bits_against_kl(ROWS)
    assert [len(line.get_xdata()) for line in axes.get_lines()] == [8, 8, 8, 8]
    assert sorted(axes.get_lines()[3].get_ydata()) == pytest.approx([0.2] * 4 + [0.22] * 4)
    plt.close("all")


def test_stored_runs_are_complete_and_training_wins_where_few_codes_are_left():
    kept = qat_figures.stored()
    for scheme in qat_figures.SCHEMES:
        assert len(qat_figures.of(kept["rows"], scheme, "qat")) == 2
    for scheme in ("int2:g32:asym", "ternary:g32:absmean"):
        assert max(qat_figures.of(kept["rows"], scheme, "qat")) < 0.9 * qat_figures.afterwards(kept["rows"], scheme)[1]
    assert "tools/compare_qat.py" in kept["command"]


def test_weights_near_the_middle_between_two_codes():
    places = np.array([-1.0, -0.52, -0.4, 0.0, 0.46, 0.9, 1.52])  # 1.52 lies beyond the grid
    m = Moment(0, places, np.array([-1, -1, 0, 0, 0, 1, 1]), 0.0, 0)
    assert qat_figures.near_edges(m) == pytest.approx(2 / 7)

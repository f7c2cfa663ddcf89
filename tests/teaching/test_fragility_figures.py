"""Lesson 14's figures of fragility: orders by plain loops over the stored rows, and a point for every row."""

import itertools

import matplotlib
import pytest

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402

from minquant.evaluation.fragility import TEXTBOOK  # noqa: E402
from minquant.teaching import fragility_figures  # noqa: E402

ROWS = fragility_figures.stored()["fragility"]


def value(part, sharing, bits, what):
    found = [r[what] for r in ROWS if (r["part"], r["sharing"], r["bits"]) == (part, sharing, bits)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("sharing, bits", [("row", 8), ("row", 3), ("group", 4), ("practised", 2)])
def test_the_order_by_kl_is_the_only_one_that_rises(sharing, bits):
    rising = [list(order) for order in itertools.permutations(TEXTBOOK)
              if all(value(a, sharing, bits, "kl") < value(b, sharing, bits, "kl")
                     for a, b in itertools.pairwise(order))]
    assert [fragility_figures.by_kl(ROWS, sharing, bits)] == rising


@pytest.mark.parametrize("budget", [0.001, 0.01, 0.1])
def test_the_fewest_bits_within_a_budget(budget):
    for part, bits in fragility_figures.by_bits(ROWS, "row", budget).items():
        assert value(part, "row", bits, "kl") <= budget
        assert all(r["kl"] > budget for r in fragility_figures.of(ROWS, part, "row") if r["bits"] < bits)


def test_a_budget_that_nothing_keeps_is_an_error():
    with pytest.raises(ValueError):
        fragility_figures.by_bits(ROWS, "row", 0.0)
    with pytest.raises(KeyError, match="7 bits"):
        fragility_figures.by_kl(ROWS, "row", 7)


def test_kl_per_error_rises():
    found = fragility_figures.by_minding(ROWS, "group", 4)
    assert list(found.values()) == sorted(found.values()) and set(found) == set(TEXTBOOK)
    for part, minded in found.items():
        assert minded == pytest.approx(value(part, "group", 4, "kl") / value(part, "group", 4, "error"))


def test_six_definitions_name_every_part_once():
    found = fragility_figures.orders(ROWS)
    assert len(dict(found)) == 6
    for _, order in found:
        assert sorted(order.replace(" = ", " < ").split(" < ")) == ["KV cache", "activations", "attention", "weights"]


def test_every_row_is_a_point():
    _, both = fragility_figures.bits_against_kl(ROWS, "all of them")
    for axes, sharing in zip(both, ("row", "group")):
        drawn = [container.lines[0] for container in axes.containers]
        assert [list(line.get_xdata()) for line in drawn] == [[3, 4, 5, 6, 8]] * 4
        assert list(drawn[1].get_ydata()) == [value("activations", sharing, b, "kl") for b in (3, 4, 5, 6, 8)]
    _, axes = fragility_figures.error_against_kl(ROWS)
    points = {line.get_label(): line for line in axes.get_lines()}
    assert list(points["KV cache"].get_xdata()) == [value("kv", "row", b, "error") for b in (3, 4, 5, 6, 8)]
    plt.close("all")

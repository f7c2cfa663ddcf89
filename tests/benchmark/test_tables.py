"""Figures as text."""

from __future__ import annotations

import pytest

from minquant.benchmark.tables import aligned, figure, markdown, percent, size


@pytest.mark.parametrize("value, digits, text", [
    (1.618, 3, "1.62"), (57.26, 3, "57.3"), (1234.4, 3, "1234"), (9.999, 3, "10.0"), (0.00057, 2, "5.7e-4"),
    (0.0009999, 2, "1.0e-3"), (0.05, 2, "0.050"), (0.0, 3, "0"), (-2.5, 2, "-2.5"), (99.96, 3, "100"), (None, 3, None),
    (float("nan"), 3, None), (float("inf"), 3, None),
])
def test_figure(value, digits, text):
    if text == "0":
        assert float(figure(value, digits)) == 0
    else:
        assert figure(value, digits) == text


@pytest.mark.parametrize("count, text", [(1.62e9, "1.62 GB"), (56.7e6, "56.7 MB"), (32768, "32.8 kB"), (12, "12 B"),
                                         (None, None)])
def test_size_in_decimal_units(count, text):
    assert size(count) == text


def test_percent():
    assert percent(0.456) == "46%" and percent(None) is None


def test_columns_are_aligned_figures_to_the_right():
    assert aligned(["name", "two\nlines"], [["a", "1.5"], ["long name", None]]) == "\n".join([
        "             two",
        "name       lines",
        "---------  -----",
        "a            1.5",
        "long name      -"])


def test_markdown_is_one_line_per_row_with_pipes_escaped():
    assert markdown(["name", "two\nlines"], [["a|b", None]]) == "\n".join([
        "| name | two lines |", "| :-- | --: |", "| a\\|b | - |"])

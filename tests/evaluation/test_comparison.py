"""Methods beside each other: every figure again by hand, and errors that mean what they say."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from minquant.evaluation import Gap, MethodRow, Reference, compare_methods, comparison, evaluate, standard_error
from minquant.model import METHODS, Recipe

SCHEMES, METHODS_HERE, SEEDS = ("int4:g8:asym", "int3:g8:asym"), ("rtn", "hqq", "gptq"), (4, 0, 7)


def draw(seed: int) -> np.ndarray:
    """Calibration tokens of the small model."""
    return np.random.default_rng(seed).integers(0, 260, 40)


@pytest.fixture(scope="module")
def reference(model, tokens):
    return Reference(model, tokens, 8, 4)


@pytest.fixture(scope="module")
def rows(model, reference):
    return compare_methods(model, SCHEMES, METHODS_HERE, SEEDS, reference, draw)


def kl(model, reference, scheme, method, seed=None) -> np.ndarray:
    rounded = model.quantize(Recipe(weights=scheme, method=method), None if seed is None else draw(seed))
    return evaluate(rounded, reference).kl_per_token


def test_a_row_per_scheme_and_method_with_a_run_per_seed(model, reference, rows):
    assert [(row.scheme, row.method) for row in rows] == [(s, m) for s in SCHEMES for m in METHODS_HERE]
    for row in rows:
        expected = [kl(model, reference, row.scheme, row.method, seed)
                    for seed in (SEEDS if row.method == "gptq" else (None,))]
        assert np.array_equal(row.kl_per_token, expected) and row.kl == pytest.approx(np.mean(expected))
        assert row.seeds == (SEEDS if row.method == "gptq" else ())
        assert row.bits_per_weight == model.quantize(Recipe(weights=row.scheme)).bits_per_weight


def test_the_gap_to_the_baseline_is_paired_and_has_both_errors(rows):
    base, _, row = rows[:3]
    difference = row.kl_per_token - base.kl_per_token  # (3, N) - (1, N)
    assert row.gap.value == pytest.approx(difference.mean())
    assert row.gap.stderr_text == pytest.approx(standard_error(difference.mean(axis=0)))
    assert row.gap.stderr_seeds == pytest.approx(difference.mean(axis=1).std(ddof=1) / math.sqrt(3))
    assert row.gap.stderr == pytest.approx(math.hypot(row.gap.stderr_text, row.gap.stderr_seeds))
    assert row.kl_spread == pytest.approx(row.kl_per_token.mean(axis=1).std(ddof=1)) and row.kl_spread > 0
    assert base.gap is None and base.kl_spread == 0 and rows[1].gap.stderr_seeds == 0
    assert rows[5].gap.value == pytest.approx((rows[5].kl_per_token - rows[3].kl_per_token).mean())  # its own scheme


def test_two_calibrated_methods_are_paired_seed_by_seed():
    shift = np.array([[0.0], [1.0], [5.0]])  # a draw is good or bad for both
    a = MethodRow("s", "awq", 4.0, SEEDS, 2 + shift + np.zeros((3, 64)))
    b = MethodRow("s", "gptq", 4.0, SEEDS, 1.5 + shift + np.zeros((3, 64)))
    gap = b.minus(a)
    assert gap == Gap(pytest.approx(-0.5), pytest.approx(0), pytest.approx(0)) and gap.significant
    with pytest.raises(ValueError, match=r"awq was calibrated with seeds \(1, 2, 3\), gptq with \(4, 0, 7\)"):
        MethodRow("s", "awq", 4.0, (1, 2, 3), a.kl_per_token).minus(b)


def test_significant_is_more_than_three_errors_of_both_kinds():
    assert Gap(-1.0, 0.2, 0.2).significant and not Gap(-1.0, 0.2, 0.3).significant
    assert not Gap(1.0, 0.4, 0.0).significant
    assert Gap(1.0, 0.3, 0.0).significant and not Gap(0.0, 0.0, 0.0).significant
    assert not Gap(-5.0, 0.1, math.nan).significant  # one seed shows no spread


def test_where_nothing_differs_nothing_is_significant():
    """Two methods that are only luck apart: few of many comparisons call them different."""
    rng, found = np.random.default_rng(0), 0
    for _ in range(200):
        runs = [0.1 + 0.02 * rng.normal(size=(5, 1)) + 0.05 * rng.normal(size=(5, 640)) for _ in range(2)]
        a, b = (MethodRow("s", method, 4.0, tuple(range(5)), run) for method, run in zip(("awq", "gptq"), runs))
        found += b.minus(a).significant
    assert found <= 10  # 4% is what Student's t gives for 3 errors and 4 degrees of freedom


def test_one_seed_has_no_spread(model, reference):
    _, row = compare_methods(model, SCHEMES[:1], ("rtn", "gptq"), (0,), reference, draw)
    assert math.isnan(row.kl_spread) and math.isnan(row.gap.stderr) and not row.gap.significant


def test_any_pair_on_one_scheme(rows):
    pairs = comparison.pairs(rows)
    assert [(a.scheme, a.method, b.method) for a, b, _ in pairs] == [
        (s, a, b) for s in SCHEMES for a, b in (("rtn", "hqq"), ("rtn", "gptq"), ("hqq", "gptq"))]
    assert all(gap.value == pytest.approx(b.kl - a.kl) for a, b, gap in pairs)


def test_the_table_and_the_json_hold_the_figures(rows):
    lines = comparison.as_markdown(rows).split("\n")
    assert len(lines) == 2 + len(rows) and len({line.count("|") for line in lines}) == 1
    assert "baseline" in lines[2] and lines[4].endswith("| yes |" if rows[2].gap.significant else "| no |")
    assert f"{1e3 * rows[2].gap.value:+.2f} | {1e3 * rows[2].gap.stderr_text:.2f}" in lines[4]
    figures = rows[2].figures()
    assert figures["difference"] == rows[2].gap.value and figures["seeds"] == [4, 0, 7]
    assert figures["kl_of_runs"] == rows[2].kl_per_token.mean(axis=1).tolist()
    assert "difference" not in rows[0].figures()


def test_progress_wraps_the_runs(model, reference):
    steps = []
    compare_methods(model, SCHEMES[:1], METHODS_HERE, SEEDS, reference, draw,
                    progress=lambda runs: (steps.append(run) or run for run in runs))
    assert len(steps) == 1 + 1 + 3


@pytest.mark.parametrize("given, said", [
    ({"schemes": ()}, "at least one scheme"), ({"methods": ()}, "at least one method"), ({"seeds": ()}, "one seed"),
    ({"schemes": "int4:g8:asym"}, "a list of at least one scheme, each once"), ({"seeds": (1, 1)}, "each once"),
    ({"methods": ("rtn", "magic")}, "'magic' is unknown"), ({"schemes": ("int4:g8",)}, "HQQ moves the zero point"),
])
def test_what_is_refused_before_anything_runs(model, reference, monkeypatch, given, said):
    monkeypatch.setattr(comparison, "evaluate", lambda *_: pytest.fail("something was run"))
    settings = {"schemes": SCHEMES, "methods": METHODS_HERE, "seeds": SEEDS} | given
    with pytest.raises(ValueError, match=said):
        compare_methods(model, **settings, reference=reference, calibration=draw)


def test_the_tool_knows_the_methods_and_says_what_it_cannot_tell_apart(rows, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "tools"))
    import compare_methods as tool

    assert all(method in METHODS for _, methods in tool.CELLS for method in methods)
    equal = [MethodRow("s", method, 4.0, (), np.ones((1, 64))) for method in ("rtn", "hqq")]
    assert "- s: hqq - rtn = +0.00 ± 0.00" in tool.verdict(equal)
    other = MethodRow("s", "hqq", 4.0, (), np.full((1, 64), 0.5))
    assert tool.verdict([equal[0], other]).startswith("Every method differs significantly")
    monkeypatch.setattr(sys, "argv", ["compare_methods.py", "--seeds", "1"])
    with pytest.raises(SystemExit):
        tool.main()

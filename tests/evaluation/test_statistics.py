"""The standard error holds for correlated values too, where the usual one does not; differences; shares of hits."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from minquant.evaluation import binomial_interval, paired_difference, standard_error
from minquant.evaluation.statistics import BLOCK, LEAST_BLOCKS


def correlated(seed: int, n: int, keep: float) -> np.ndarray:
    """x_t = keep * x_{t-1} + normal noise: each value remembers ``keep`` of the one before."""
    noise = np.random.default_rng(seed).standard_normal(n + 500)
    x = np.zeros(n + 500)
    for t in range(1, n + 500):
        x[t] = keep * x[t - 1] + noise[t]
    return x[500:]


@pytest.mark.parametrize("n, block", [(1024, 64), (1000, 64), (777, 10), (64, 8)])
def test_against_the_definition(n, block):
    values = np.random.default_rng(n).gamma(2.0, size=n)
    assert standard_error(values, block) == pytest.approx(naive.block_standard_error(list(values), block), rel=1e-12)


def test_short_texts_get_shorter_blocks():
    values = np.random.default_rng(0).standard_normal(100)
    assert standard_error(values) == pytest.approx(naive.block_standard_error(list(values), 100 // LEAST_BLOCKS))
    few = np.array([1.0, 4.0, 2.0])
    assert standard_error(few) == pytest.approx(few.std(ddof=1) / math.sqrt(3))  # fewer than LEAST_BLOCKS: one by one
    assert standard_error([2.0, 2.0]) == 0
    assert math.isnan(standard_error([1.0])) and math.isnan(standard_error([]))


def test_independent_values_have_the_usual_error():
    n = 200 * BLOCK
    errors = [standard_error(np.random.default_rng(seed).standard_normal(n)) for seed in range(20)]
    assert np.mean(errors) == pytest.approx(1 / math.sqrt(n), rel=0.05)


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_correlated_values_have_a_larger_one_and_it_is_found(keep):
    n, runs = 40 * BLOCK, 60
    series = [correlated(seed, n, keep) for seed in range(runs)]
    true = 1 / (1 - keep) / math.sqrt(n)  # standard deviation of the mean of this process, for large n
    spread = np.std([x.mean() for x in series], ddof=1)
    assert spread == pytest.approx(true, rel=0.3)  # the formula holds (60 runs know it to a tenth)
    usual = np.mean([x.std(ddof=1) / math.sqrt(n) for x in series])
    blocks = np.mean([standard_error(x) for x in series])
    assert blocks == pytest.approx(true, rel=0.12)
    assert usual < 0.7 * true  # the control: blind to correlation


def test_two_error_bars_hold_the_true_mean_nineteen_times_in_twenty():
    inside = [abs(x.mean()) < 2 * standard_error(x) for x in (correlated(seed, 30 * BLOCK, 0.8) for seed in range(120))]
    assert 0.88 <= np.mean(inside) <= 0.99


def two_models(seed: int, n: int = 64 * BLOCK) -> tuple[np.ndarray, np.ndarray]:
    """Losses that share what is hard about a text; the first is worse by 0.01."""
    rng = np.random.default_rng(seed)
    hard = rng.gamma(2.0, size=n)
    return hard + 0.05 * rng.standard_normal(n) + 0.01, hard + 0.05 * rng.standard_normal(n)


def test_a_paired_difference_is_the_mean_of_the_differences():
    worse, better = two_models(0)
    got = paired_difference(worse, better)
    assert got.value == pytest.approx(worse.mean() - better.mean())
    assert got.stderr == pytest.approx(naive.block_standard_error(list(worse - better), BLOCK), rel=1e-9)
    assert got.unpaired_stderr == pytest.approx(math.hypot(standard_error(worse), standard_error(better)))
    assert got.z == got.value / got.stderr and got.count == len(worse)
    swapped = paired_difference(better, worse)
    assert (swapped.value, swapped.stderr) == (-got.value, got.stderr)


def test_pairing_sees_what_separate_errors_hide():
    """The control: of two models with the same loss, pairing finds a difference one time in twenty."""
    found = [paired_difference(*two_models(seed)) for seed in range(40)]
    assert all(d.z > 4 for d in found)
    assert sum(abs(d.value) > 2 * d.unpaired_stderr for d in found) <= 4
    same = [paired_difference(worse - 0.01, better) for worse, better in (two_models(seed) for seed in range(100))]
    assert sum(abs(d.z) > 2 for d in same) <= 12


def test_nothing_between_a_model_and_itself():
    values = two_models(1)[0]
    got = paired_difference(values, values)
    assert (got.value, got.stderr, got.z) == (0, 0, 0) and got.unpaired_stderr > 0
    assert got.tokens_needed() == got.tokens_needed(paired=False) == math.inf
    steady = paired_difference([3.0, 2.0, 5.0], [2.0, 1.0, 4.0])
    assert (steady.value, steady.stderr, steady.z) == (1, 0, math.inf)
    assert math.isnan(paired_difference([1.0], [2.0]).z)


def test_as_many_tokens_as_it_needs_are_enough():
    worse, better = two_models(2)
    got = paired_difference(worse, better)
    n = got.tokens_needed(z=3.0)
    assert got.stderr * math.sqrt(got.count / n) == pytest.approx(got.value / 3)
    assert got.tokens_needed(z=3.0, paired=False) / n == pytest.approx((got.unpaired_stderr / got.stderr) ** 2)


@pytest.mark.parametrize("values, others", [([1.0, 2.0], [1.0]), ([], []), ([[1.0]], [[1.0]]), (1.0, 2.0)])
def test_only_the_same_tokens_can_be_paired(values, others):
    with pytest.raises(ValueError, match="same text"):
        paired_difference(values, others)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
       st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_interval_is_every_share_that_makes_the_hits_unsurprising(trials, confidence):
    z = {0.5: 0.6744897501960817, 0.9: 1.6448536269514722, 0.95: 1.959963984540054, 0.99: 2.5758293035489004}
    got = binomial_interval(*trials, confidence)
    assert got == pytest.approx(naive.wilson(*trials, z[confidence]), abs=1e-9)
    assert 0 <= got[0] <= trials[0] / trials[1] <= got[1] <= 1


def test_the_interval_holds_the_true_share_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for share in (0.05, 0.5, 0.9):
        inside = [low <= share <= high for low, high in
                  (binomial_interval(int(hits), 40) for hits in rng.binomial(40, share, size=2000))]
        assert 0.92 <= np.mean(inside) <= 0.99


@pytest.mark.parametrize("hits, count, confidence, error", [
    (-1, 5, 0.95, ValueError), (6, 5, 0.95, ValueError), (0, 0, 0.95, ValueError), (1, 5, 0.0, ValueError),
    (1, 5, 1.0, ValueError), (1, 5, float("nan"), ValueError), (1.5, 5, 0.95, TypeError), (1, 5.0, 0.95, TypeError)])
def test_shares_that_cannot_be(hits, count, confidence, error):
    with pytest.raises(error):
        binomial_interval(hits, count, confidence)

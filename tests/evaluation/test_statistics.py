"""The standard error holds for correlated values too, where the usual one does not."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest

from minquant.evaluation import standard_error
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

"""KL and agreement of quantized caches against position; bytes of a cache."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.evaluation import ByPosition, GreedyRuns, binomial_interval, by_position, cache_bytes, kl_divergence
from minquant.evaluation.by_position import leaving_rate
from minquant.model import Config, Recipe, Transformer, random_model

CONFIG = Config(vocab_size=50, hidden=32, layers=2, heads=2, kv_heads=1, head_dim=32, ffn=64, context=40)


@pytest.fixture(scope="module")
def model():
    return Transformer(CONFIG, dict(random_model(CONFIG, seed=4).weights))


def test_windows_are_read_by_themselves(model):
    text, recipe = np.random.default_rng(0).integers(0, 50, 130), Recipe(kv="int3:token")
    prompts = text[:20].reshape(2, 10)
    written = np.array([model.generate(p, 12) for p in prompts])
    found = by_position(model, {"kv": recipe, "none": Recipe()}, text, prompts, written)
    rounded = model.quantize(recipe)
    ref = [kl_divergence(rounded, model, text[i:i + 40]) for i in (0, 40, 80)]
    np.testing.assert_allclose(found["kv"].kl, ref, atol=1e-12)
    assert found["none"].kl.max() < 1e-12 and found["none"].runs.share(12) == 1
    assert found["kv"].bytes_per_token == cache_bytes(CONFIG, "int3:token", 40) / 40 == 2 * 2 * (12 + 4)
    assert found["none"].bytes_per_token == 2 * 2 * 64
    with pytest.raises(ValueError, match="39 tokens holds no window of 40"):
        by_position(model, {}, text[:39], prompts, written)


def test_means_growth_and_its_error():
    rng = np.random.default_rng(1)
    own = np.repeat([[1.0, 3.0]], 200, axis=0).repeat(4, axis=1) * rng.uniform(0.5, 1.5, (200, 1))
    other = np.ones((200, 8)) * rng.uniform(0.5, 1.5, (200, 1))
    runs = GreedyRuns(np.array([1]), 1)
    a, b = ByPosition(own, runs, 1), ByPosition(other, runs, 1)
    mean, error = a.kl_between(0, 4)
    assert mean == pytest.approx(own[:, :4].mean()) and error == pytest.approx(own[:, 0].std(ddof=1) / 200 ** 0.5)
    factor, error = a.growth(b, (0, 4), (4, 8))
    assert factor == pytest.approx(3) and error < 1e-9, "what a window does to both cancels"
    noisy = ByPosition(own * rng.uniform(0.9, 1.1, own.shape), runs, 1)
    factor, error = noisy.growth(b, (0, 4), (4, 8))
    draws = [noisy_factor(noisy, b, rng.integers(0, 200, 200)) for _ in range(300)]
    assert error == pytest.approx(np.std(draws), rel=0.25)  # the bootstrap's


def noisy_factor(a, b, rows):
    return a.kl[rows, 4:].mean() / a.kl[rows, :4].mean() / (b.kl[rows, 4:].mean() / b.kl[rows, :4].mean())


def test_rates_count_tokens_at_risk():
    runs = GreedyRuns(np.array([0, 2, 5, 8, 8]), 8)
    rate, low, high = leaving_rate(runs, 0, 4)  # tokens tried: 1, 3, 4, 4, 4; two runs leave
    assert rate == 2 / 16 and (low, high) == binomial_interval(2, 16)
    assert leaving_rate(runs, 4, 8)[0] == 1 / (2 + 4 + 4)
    assert np.isnan(leaving_rate(GreedyRuns(np.array([0]), 8), 4, 8)[0])
    with pytest.raises(ValueError, match="runs of 8 tokens"):
        leaving_rate(runs, 4, 9)


def test_bytes_of_a_cache_are_those_it_holds(model):
    for kv in (None, "bf16", "int8:token", "kivi2", "int4:token:keychannel", "mxfp8"):
        cache = model.quantize(Recipe(kv=kv)).new_cache()
        model.quantize(Recipe(kv=kv)).run(np.arange(37), cache)
        assert cache_bytes(CONFIG, kv, 37) == cache.nbytes

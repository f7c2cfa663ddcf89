"""The optimizer, clipping and the learning rate against their definitions."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest

from minquant.training import AdamW, clip_gradients, learning_rate


def test_adamw_moves_each_weight_as_the_paper_says():
    rng = np.random.default_rng(0)
    weights = {"matrix": rng.standard_normal((3, 4)), "gain": rng.standard_normal(4)}
    start, rates = {name: w.copy() for name, w in weights.items()}, [0.1, 0.3, 0.2, 0.05]
    gradients = [{name: rng.standard_normal(w.shape) for name, w in weights.items()} for _ in rates]
    optimizer = AdamW(betas=(0.8, 0.95), eps=1e-6, decay=0.2)
    path = []
    for rate, given in zip(rates, gradients):
        weights = optimizer.step(weights, given, rate)
        path.append(weights)
    for name, decay in (("matrix", 0.2), ("gain", 0.0)):  # gains are not drawn towards 0
        for index in np.ndindex(start[name].shape):
            expected = naive.adamw(start[name][index], [g[name][index] for g in gradients], rates, (0.8, 0.95), 1e-6,
                                   decay)
            assert [w[name][index] for w in path] == pytest.approx(expected, rel=1e-12)


def test_the_first_step_is_as_long_as_the_learning_rate_whatever_the_gradient():
    for size in (1e-4, 1.0, 1e4):
        moved = AdamW(decay=0.0).step({"w": np.zeros(2)}, {"w": np.array([size, -size])}, 0.01)
        assert moved["w"] == pytest.approx([-0.01, 0.01], rel=1e-3)


def test_decay_acts_without_a_gradient_and_nothing_is_mutated():
    weights = {"w": np.ones((2, 2), np.float32)}
    moved = AdamW(decay=0.5).step(weights, {"w": np.zeros((2, 2), np.float32)}, 0.1)
    assert np.allclose(moved["w"], 0.95) and moved["w"].dtype == np.float32
    assert (weights["w"] == 1).all()


def test_clipping_shortens_all_gradients_by_one_factor():
    gradients = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    clipped, norm = clip_gradients(gradients, 1.0)
    assert norm == 5.0
    assert clipped["a"] == pytest.approx([0.6, 0.0]) and clipped["b"][0, 0] == pytest.approx(0.8)
    kept, norm = clip_gradients(gradients, 6.0)
    assert norm == 5.0 and all(np.array_equal(kept[name], gradients[name]) for name in gradients)
    assert clip_gradients({"a": np.zeros(3)}, 1.0) == ({"a": pytest.approx([0, 0, 0])}, 0.0)


def test_the_learning_rate_rises_then_falls_linearly():
    rates = [learning_rate(step, 10, 2.0, 4) for step in range(10)]
    assert rates[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert rates[4:] == pytest.approx([2.0 * (10 - step) / 6 for step in range(4, 10)])
    assert max(rates) == 2.0 and rates[-1] > 0
    assert learning_rate(0, 1, 2.0, 0) == 2.0
    assert math.isclose(learning_rate(9, 10, 3.0, 0), 0.3)

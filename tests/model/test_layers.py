"""The parts of the transformer, each against its formula."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minquant.model import layers

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def test_rms_norm_divides_by_the_root_mean_square_and_multiplies_by_the_gain():
    x, gain = normal(5, 16) * 30, normal(16)
    got = layers.rms_norm(x, gain, 1e-5)
    assert got.dtype == np.float32
    assert_allclose(np.sqrt(np.mean((got / gain) ** 2, axis=-1)), 1, rtol=1e-5)
    assert_allclose(got[0], x[0] / np.sqrt(np.mean(x[0].astype(float) ** 2) + 1e-5) * gain, rtol=1e-5)


def test_rms_norm_of_a_zero_row_is_zero():
    assert np.array_equal(layers.rms_norm(np.zeros((2, 8), np.float32), normal(8), 1e-5), np.zeros((2, 8)))


def test_silu_matches_its_formula_and_never_overflows():
    x = np.array([-1e4, -20, -1, 0, 1, 20, 1e4], np.float32)
    with np.errstate(all="raise", under="ignore"):
        got = layers.silu(x)
    assert_allclose(got, [0, -20 / (1 + np.exp(20)), -1 / (1 + np.e), 0, 1 / (1 + 1 / np.e), 20, 1e4], atol=2e-6)


def test_softmax_survives_large_scores():
    got = layers.softmax(np.array([[1e4, 1e4, -1e4], [0, -np.inf, 0]], np.float32))
    assert_allclose(got, [[0.5, 0.5, 0], [0.5, 0, 0.5]])


def test_rope_pairs_a_component_with_the_one_half_a_head_later():
    """A vector with only component 1 of 8 turns within components 1 and 5; neighbouring pairs would turn 0 and 1."""
    x = np.zeros((1, 1, 8), np.float32)
    x[0, 0, 1] = 1
    turned = layers.rope(x, *layers.rope_angles(np.array([3]), 8, 10000.0))[0, 0]
    angle = 3 * 10000.0 ** (-2 / 8)
    expected = np.zeros(8)
    expected[1], expected[5] = np.cos(angle), np.sin(angle)
    assert_allclose(turned, expected, atol=1e-7)


def test_rope_makes_scores_depend_on_the_distance_alone():
    q, k = normal(1, 1, 32), normal(1, 1, 32)

    def score(i: int, j: int) -> float:
        turn = lambda x, p: layers.rope(x, *layers.rope_angles(np.array([p]), 32, 10000.0))  # noqa: E731
        return float((turn(q, i) * turn(k, j)).sum())

    assert score(2, 0) == pytest.approx(score(302, 300), abs=1e-4)
    assert score(2, 0) != pytest.approx(score(3, 0), abs=1e-3)
    assert_allclose(layers.rope(q, *layers.rope_angles(np.array([0]), 32, 10000.0)), q)


def test_heads_are_cut_from_the_row_in_order():
    x = np.arange(12, dtype=np.float32).reshape(2, 6)  # (T = 2, 3 heads * 2)
    assert np.array_equal(layers.split_heads(x, 3), [[[0, 1], [6, 7]], [[2, 3], [8, 9]], [[4, 5], [10, 11]]])
    assert np.array_equal(layers.merge_heads(layers.split_heads(x, 3)), x)


def plain_attention(q, k, v):
    """One (H, T, S) product in float64 with keys and values repeated for every query head."""
    repeat = len(q) // len(k)
    k, v = np.repeat(k, repeat, axis=0).astype(float), np.repeat(v, repeat, axis=0).astype(float)
    scores = q.astype(float) @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
    T, S = scores.shape[1:]
    scores = np.where(np.tril(np.ones((T, S)), S - T) > 0, scores, -np.inf)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True) @ v


@pytest.mark.parametrize("T, S", [(1, 1), (1, 9), (9, 9), (4, 9), (11, 30), (30, 30)])
def test_attention_in_blocks_is_attention(T, S, monkeypatch):
    monkeypatch.setattr(layers, "QUERY_BLOCK", 4)
    q, k, v = normal(6, T, 8), normal(2, S, 8), normal(2, S, 8)
    assert_allclose(layers.attention(q, k, v), plain_attention(q, k, v), atol=1e-6)


def test_attention_does_not_look_ahead():
    q, k, v = normal(4, 10, 8), normal(2, 10, 8), normal(2, 10, 8)
    before = layers.attention(q, k, v)
    k[:, 6:], v[:, 6:] = 1e3, 1e3
    assert np.array_equal(layers.attention(q, k, v)[:, :6], before[:, :6])


def test_attention_hands_its_probabilities_to_the_quantizer_row_by_row():
    seen = []
    q, k, v = normal(4, 5, 8), normal(2, 5, 8), normal(2, 5, 8)
    layers.attention(q, k, v, lambda p: seen.append(p) or p)
    assert_allclose(np.concatenate([p.reshape(-1, p.shape[-1]) for p in seen]).sum(-1), np.ones(20), rtol=1e-6)

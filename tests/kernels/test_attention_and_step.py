"""Attention over the cache, and the small parts of a step."""

from __future__ import annotations

import numpy as np
import pytest

import naive
from minquant.kernels import attention, bandwidth, step


def bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("heads, kv_heads, length", [(4, 4, 1), (6, 2, 5), (4, 1, 9)])
def test_attention_of_one_token(heads, kv_heads, length):
    rng, size, context = np.random.default_rng(0), 16, 9
    q = 3 * rng.standard_normal((heads, size), np.float32)
    keys, values = (rng.integers(0x3C00, 0x4080, (kv_heads, context, size), np.uint16) for _ in range(2))
    keys[:, ::2] |= 0x8000  # negative ones too
    out, scores = np.full((heads, size), np.nan, np.float32), np.zeros((heads, context), np.float32)
    attention.attend(out, q, keys, values, length, scores)
    expected = naive.attend(q, bf16(keys)[:, :length], bf16(values)[:, :length])
    np.testing.assert_allclose(out, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_attention_does_not_overflow():
    q = np.full((1, 4), 1e18, np.float32)
    keys = np.full((1, 2, 4), 0x5000, np.uint16)
    out, scores = np.zeros((1, 4), np.float32), np.zeros((1, 2), np.float32)
    attention.attend(out, q, keys, np.full((1, 2, 4), 0x3F80, np.uint16), 2, scores)
    np.testing.assert_allclose(out, 1, rtol=1e-6)


def test_append_writes_one_position_of_one_layer():
    keys, values = np.zeros((2, 3, 4), np.uint16), np.zeros((2, 3, 4), np.uint16)
    k, v = np.random.default_rng(0).standard_normal((2, 2, 4), np.float32)
    attention.append(keys, values, 1, k, v)
    np.testing.assert_allclose(bf16(keys[:, 1]), k, rtol=2.0**-8)
    np.testing.assert_allclose(bf16(values[:, 1]), v, rtol=2.0**-8)
    assert not keys[:, [0, 2]].any() and not values[:, [0, 2]].any()


def test_rms_norm():
    x, gain = np.random.default_rng(0).standard_normal((2, 48), np.float32)
    out = np.empty(48, np.float32)
    step.rms_norm(out, x, gain, 1e-5)
    np.testing.assert_allclose(out, x / np.sqrt(np.mean(x.astype(np.float64) ** 2) + 1e-5) * gain, rtol=1e-6)


def test_rotate_turns_halves_and_keeps_lengths():
    x = np.random.default_rng(0).standard_normal((2, 8), np.float32)
    angle = np.linspace(0, 2, 4)
    turned = x.copy()
    step.rotate(turned, np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32))
    for head in range(2):
        for d in range(4):
            expected = complex(x[head, d], x[head, d + 4]) * complex(np.cos(angle[d]), np.sin(angle[d]))
            assert abs(complex(turned[head, d], turned[head, d + 4]) - expected) < 1e-6


def test_swiglu():
    gate = np.array([-1e4, -100, -88, -5, -0.0, 0.5, 20, 1e4], np.float32)
    up, out = np.full(8, 2, np.float32), np.empty(8, np.float32)
    step.swiglu(out, gate, up)
    exact = gate.astype(np.float64)
    np.testing.assert_allclose(out, 2 * exact / (1 + np.exp(np.minimum(-exact, 700))), rtol=1e-6, atol=1e-30)


@pytest.mark.filterwarnings("ignore:overflow encountered")  # sums are modulo 2^64; only Python's NumPy warns
def test_reading_reads_everything():
    buffer = np.random.default_rng(0).integers(0, 2**64, (5, 33), np.uint64)
    out = np.zeros(5, np.uint64)
    bandwidth.sum_blocks(out, buffer)
    np.testing.assert_array_equal(out, buffer.sum(axis=1, dtype=np.uint64))

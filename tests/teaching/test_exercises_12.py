"""Exercises 12: the rules against oracles of their own, the package's cache among them, and the facts their texts state."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minquant.model import CacheFormat
from minquant.scaling import Offset
from minquant.teaching.exercises import source
from minquant.teaching.exercises.e12_kv_cache import append, attend, axes, cost, diagnose

KEYS = [f"key{n}" for n in range(8)]


@pytest.mark.parametrize("kv, key_bits, value_bits, scale_bits", [("int8:g32", 8, 8, 16), ("int4:g32", 4, 4, 16),
                                                                  ("mxfp8", 8, 8, 8)])
def test_costs_are_those_of_the_packages_formats(kv, key_bits, value_bits, scale_bits):
    spec = {"key_bits": key_bits, "value_bits": value_bits, "group": 32, "scale_bits": scale_bits, "plain": 0}
    config = {"layers": 5, "kv_heads": 3, "head_dim": 64}
    got, tokens = cost.right(spec, config, 10**7)
    assert got == 5 * CacheFormat.parse(kv).nbytes(1, 3, 64)
    assert (tokens - 1) * got < 10**7 <= tokens * got


def test_plain_layers_cost_what_bf16_does():
    spec = {"key_bits": 2, "value_bits": 3, "group": 16, "scale_bits": 8, "plain": 4}
    assert cost.right(spec, {"layers": 4, "kv_heads": 2, "head_dim": 64}, 1)[0] == 4 * CacheFormat.parse("bf16").nbytes(1, 2, 64)


@pytest.mark.parametrize("key", KEYS)
def test_appended_codes_are_within_half_a_step_and_written_once(key):
    spec = source.exercise("12.2").drawn(key)
    tokens, n = np.array(spec["tokens"]), spec["group"]
    states = [append.filled(spec, spec["tokens"][:count]) for count in range(len(tokens) + 1)]
    for count, state in enumerate(states):
        old = max(count - spec["window"], 0) // n * n
        assert len(state["codes"]) == old // n and state["waiting"] == spec["tokens"][old:count]
        for group, (codes, scales) in enumerate(zip(state["codes"], state["scales"])):
            x = tokens[group * n:(group + 1) * n]
            assert np.abs(np.array(codes) * scales - x).max(axis=0) == pytest.approx(np.array(scales) / 2, abs=max(scales) / 2)
            assert (np.abs(codes).max(axis=0) == spec["top"]).all()
    for before, after in zip(states, states[1:]):
        assert after["codes"][:len(before["codes"])] == before["codes"]


@pytest.mark.parametrize("key", KEYS)
def test_both_axes_as_the_packages_grid_has_them(key):
    """Offset keeps minima and scales in float16, which is closer than half a step of the coarsest grid."""
    spec = source.exercise("12.3").drawn(key)
    keys, values = (np.array(part, np.float32) for part in spec["second"])
    K, V, nbytes = axes.cached(spec, *spec["second"])
    n, share, old = spec["group"], spec["share"], (len(keys) - spec["window"]) // spec["group"] * spec["group"]
    assert 0 < old < len(keys) and K[old:] == spec["second"][0][old:] and V[old:] == spec["second"][1][old:]
    by_channel = Offset(spec["bits"], n).quantize(keys[:old].T).dequantize().T
    by_token = Offset(spec["bits"], share).quantize(values[:old]).dequantize()
    assert np.allclose(K[:old], by_channel, atol=0.01) and np.allclose(V[:old], by_token, atol=0.01)
    bits = 2 * old * 4 * spec["bits"] + (old * 4 // n + old * 4 // share) * 2 * spec["stored"]
    assert nbytes == (bits + 2 * (len(keys) - old) * 4 * spec["float_bits"]) / 8


@pytest.mark.parametrize("key", KEYS)
def test_two_caches_break_the_rules_and_each_as_its_cause_says(key):
    spec = source.exercise("12.4").drawn(key)
    assert len(spec["wrong"]) == 2 and len(set(spec["wrong"].values())) == 2
    for run in spec["runs"]:
        x = np.array(run["x"])
        scale = np.repeat(np.abs(x.reshape(2, 3, 3)).max(axis=1), 3, axis=0) / run["top"]
        sound = np.allclose(scale * np.rint(x / scale), run["back"], atol=1e-4)
        assert sound == (run["row"] not in spec["wrong"])
        made = {cause: diagnose.kept(run["x"], run["top"], cause) for cause in diagnose.CAUSES}
        fitting = [cause for cause, back in made.items() if np.allclose(back, run["back"], atol=1e-3)]
        assert fitting == ([] if sound else [spec["wrong"][run["row"]]])


def test_rounding_again_moves_old_numbers():
    """The mistake is real: with a new maximum in every token, the first number leaves its code."""
    held = diagnose.kept([[1.0, 1, 1], [1.4, 1, 1], [1.9, 1, 1], [2.6, 1, 1], [3.5, 1, 1], [4.9, 1, 1]], 7, "again")
    assert abs(held[0][0] - 1.0) > 0.2


@pytest.mark.parametrize("key", KEYS)
def test_attention_with_many_bits_is_attention(key):
    spec = source.exercise("12.5").drawn(key)
    fine = spec | {"top": 2**20, "p_top": 2**20}
    q, K, V = (np.array(part) for part in spec["first"])
    scores = K @ q / math.sqrt(len(q))
    p = np.exp(scores - scores.max())
    p /= p.sum()
    got, out = attend.attended(fine, *spec["first"])
    assert np.ptp(np.array(got) - scores) < 1e-4  # all off by the same: what was taken off the keys
    assert np.allclose(out, p @ V, atol=1e-4)
    assert not np.allclose(attend.attended(spec, *spec["first"])[1], out, atol=1e-4)

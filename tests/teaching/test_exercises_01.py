"""Exercises 01: the rules against brute-force oracles of their own, and the facts their texts state."""

from __future__ import annotations

import pytest

from minquant.teaching.exercises import source
from minquant.teaching.exercises.e01_cost_of_a_token import (
    diagnose,
    matrix_bytes,
    speculation,
    token_bytes,
    turning_batch,
)

KEYS = [f"key{n}" for n in range(12)]


@pytest.mark.parametrize("key", KEYS)
def test_matrix_bytes_by_walking_over_every_weight(key):
    spec = source.exercise("01.1").drawn(key)
    bits = 0
    for _row in range(5):
        for column in range(3 * spec["group"] + 7):
            bits += spec["bits"] + (spec["scale_bits"] + spec["zero_bits"] if column % spec["group"] == 0 else 0)
    assert matrix_bytes.bytes_of(spec, 5, 3 * spec["group"] + 7) == bits / 8


@pytest.mark.parametrize("key", KEYS)
def test_token_bytes_by_listing_every_matrix_and_vector(key):
    spec = source.exercise("01.2").drawn(key)
    c = token_bytes.SHOWN | {"tied": False}
    context, bits = 3000, 0
    wide, narrow = c["heads"] * c["head_dim"], c["kv_heads"] * c["head_dim"]
    for layer in range(c["layers"]):
        shapes = [(wide, c["hidden"]), (narrow, c["hidden"]), (narrow, c["hidden"]), (c["hidden"], wide)]
        shapes += [(c["ffn"], c["hidden"])] * spec["ffn_matrices"]
        for rows, columns in shapes:
            bits += rows * columns * spec["bits"] + rows * columns // spec["group"] * spec["scale_bits"]
        for token in range(context):
            if layer % spec["every"] == 0 or token >= context - spec["window"]:
                bits += 2 * c["kv_heads"] * (c["head_dim"] * spec["kv_bits"] + spec["kv_scale_bits"])
    bits += c["vocab_size"] * (c["hidden"] * spec["head_bits"] + spec["head_scale_bits"])
    assert token_bytes.total(spec, c, context) == pytest.approx(bits / 8, rel=1e-12)


@pytest.mark.parametrize("key", KEYS)
def test_turning_batch_by_trying_every_batch(key):
    spec = source.exercise("01.3").drawn(key)
    for case in (*turning_batch.PLAIN, *turning_batch.CACHED, turning_batch.AT_ONCE):
        first = next(b for b in range(1, 10_000) if turning_batch.times(spec, case, b)[1]
                     >= turning_batch.times(spec, case, b)[0])
        assert turning_batch.turning_point(spec, *case) == first
    assert turning_batch.turning_point(spec, *turning_batch.NEVER) is None
    reading, computing = turning_batch.times(spec, turning_batch.NEVER, 10**9)
    assert computing < reading


@pytest.mark.parametrize("key", KEYS)
def test_the_table_has_two_wrong_rows_and_only_those(key):
    spec = source.exercise("01.4").drawn(key)
    assert len(spec["runs"]) == diagnose.ROWS and len(spec["wrong"]) == 2 == len(set(spec["wrong"].values()))
    for run in spec["runs"]:
        ratio = run["gb_per_token"] / diagnose.gigabytes(spec, run)
        assert (abs(ratio - 1) > diagnose.APART / 2) == (run["row"] in spec["wrong"])
        assert run["gb_per_s"] == pytest.approx(run["gb_per_token"] * run["tokens_per_s"], abs=0.06)


def test_the_causes_move_the_figure_as_their_names_say():
    spec = source.exercise("01.4").drawn()
    run = dict(bits=4, group=32, scale_bits=16, context=2000)
    right = {cause: diagnose.gigabytes(spec, run, cause) for cause in (None, *diagnose.CAUSES)}
    cache = 2000 * spec["layers"] * 2 * spec["kv_heads"] * 128 * 2 / 1e9
    assert right[None] - right["cache"] == pytest.approx(cache)
    assert right["heads"] - right["cache"] == pytest.approx(cache * spec["heads"] / spec["kv_heads"])
    assert right[None] / right["unit"] == pytest.approx(1.073741824)
    assert right["embedding"] - right[None] == pytest.approx(spec["head"] * 4.5 / 8e9)
    assert right[None] - right["scales"] == pytest.approx((spec["blocks"] + spec["head"]) / 16e9)


@pytest.mark.parametrize("key", KEYS[:4])
def test_speculation_by_playing_many_rounds(key):
    import numpy as np

    spec = source.exercise("01.5").drawn(key)
    accept, read_ms, token_ms, draft_ms = 0.7, 20.0, 1.5, 2.0
    k = 4
    accepted = np.random.default_rng(0).random((200_000, k)) < accept
    tokens = 1 + np.cumprod(accepted, axis=1).sum(axis=1).mean()
    work = (k + 1) * token_ms
    ms = k * draft_ms + spec["overhead"] + (max(read_ms, work) if spec["overlap"] else read_ms + work)
    played = 1000 * tokens / ms
    assert speculation.speed(spec, k, accept, read_ms, token_ms, draft_ms) == pytest.approx(played, rel=0.01)


def test_the_example_in_the_text_is_the_one_the_picture_shows():
    exercise = source.exercise("01.1")
    for key in KEYS:
        spec = exercise.drawn(key)
        assert float(spec["example"]) == matrix_bytes.bytes_of(spec, spec["rows"], spec["columns"])

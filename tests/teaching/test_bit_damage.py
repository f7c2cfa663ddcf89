"""Flipped bits, misread layouts: a flip is one bit, the short way to the logits is the long one, controls cost 0."""

import numpy as np
import pytest

import minquant as mq
from minquant.evaluation import heldout_tokens
from minquant.model import Transformer
from minquant.packing import gguf
from minquant.teaching import bit_flips, misreadings
from minquant.teaching.bit_flips import BITS, LastMatrix, flip, flips


@pytest.fixture(scope="module")
def model():
    return mq.load("tiny")


@pytest.fixture(scope="module")
def last(model):
    return LastMatrix(model, tokens=48)


def test_the_short_way_is_the_whole_model(model, last):
    tokens = heldout_tokens(model)[:48]
    rounded = Transformer(model.config, {**model.weights, last.name: last.value})
    assert last.kl(last.weights) == pytest.approx(mq.kl_divergence(model, rounded, tokens).mean(), rel=1e-4)
    assert last.kl(last.value) == 0 and last.rms(last.value) == 0


@pytest.mark.parametrize("kind, bit", BITS)
def test_a_flip_turns_over_one_bit_and_changes_what_it_should(last, kind, bit):
    for seed in range(4):
        damaged = flip(last.raw, kind, bit, seed)
        assert np.unpackbits(damaged ^ last.raw).sum() == 1
        d, codes = gguf.unpack_blocks(damaged, "Q4_0")
        d0, codes0 = gguf.unpack_blocks(last.raw, "Q4_0")
        changed, before = (codes, codes0) if kind == "code" else (d.view(np.uint16), d0.view(np.uint16))
        other, other_before = (d, d0) if kind == "code" else (codes, codes0)
        (place,) = np.argwhere(changed != before)
        now, then = (int(v[tuple(place)]) + 8 * (kind == "code") for v in (changed, before))
        assert now ^ then == 1 << bit and np.array_equal(other, other_before)


def test_seeds_pick_other_places_and_bad_bits_are_named(last):
    places = {int(np.flatnonzero(flip(last.raw, "scale", 3, seed) != last.raw)[0]) for seed in range(20)}
    assert len(places) > 15
    assert np.array_equal(flip(last.raw, "code", 2, 7), flip(last.raw, "code", 2, 7))
    for kind, bit in (("code", 4), ("scale", 16), ("zero", 0)):
        with pytest.raises(ValueError, match="not " + kind):
            flip(last.raw, kind, bit, 0)


def test_one_bit_of_a_scale_destroys_and_no_bit_of_a_code_does(last):
    rows = {(row["kind"], row["bit"]): row for row in flips(last, seeds=2)}
    assert set(rows) == set(BITS)
    assert all(row["kl_low"] <= row["kl"] <= row["kl_high"] for row in rows.values())
    assert rows["scale", 14]["kl_low"] > 1 > 1e-3 > rows["code", 3]["kl_high"] > rows["scale", 0]["kl_high"]
    assert max(rows, key=lambda bit: rows[bit]["rms"]) == ("scale", 14)


def test_damage_that_leaves_no_number_is_infinite(last):
    assert last.kl(np.full_like(last.value, np.nan)) == np.inf


def test_every_misreading_keeps_legal_codes_and_the_control_changes_nothing(last):
    rows = misreadings.misreadings(last)
    assert (rows[0]["mistake"], rows[0]["rms"], rows[0]["kl"]) == ("none (control)", 0, 0)
    assert all(0.1 < row["rms"] < 3 and row["kl"] > 2 * last.kl(last.weights) for row in rows[1:])


def test_the_mistakes_are_those_they_are_called():
    codes = np.arange(64, dtype=np.int8).reshape(2, 32) % 16 - 8
    raw = gguf.pack_blocks(np.ones((2, 1), np.float16), codes, "Q4_0")
    assert np.array_equal(misreadings._body(raw), codes)
    halves = np.concatenate([codes[:, 16:], codes[:, :16]], axis=1)
    assert np.array_equal(misreadings._body(raw, swapped=True), halves)
    together = np.stack([codes[:, :16], codes[:, 16:]], axis=2).reshape(2, 32)
    assert np.array_equal(misreadings._body(raw, neighbours=True), together)
    unsigned = np.tile(np.arange(16, dtype=np.uint8), (8, 2))
    assert np.array_equal(misreadings._gptq(unsigned), unsigned.astype(int) - 8)
    assert np.array_equal(misreadings._gptq(unsigned, version=2), unsigned.astype(int) - 7)
    signed = misreadings._gptq(unsigned, signed=True) - (unsigned.astype(int) - 8)
    assert set(np.argwhere(signed)[:, 1]) == {15, 31} and signed[0, 15] == -16
    by_row = np.tile(np.arange(8, dtype=np.uint8)[:, None], (1, 32))
    assert misreadings._awq_in_plain_order(by_row)[:, 0].tolist() == [c - 8 for c in (0, 2, 4, 6, 1, 3, 5, 7)]


def test_a_common_shift_costs_more_than_the_same_steps_by_lot(model):
    found = misreadings.every_zero_point(model, seeds=1, tokens=48)
    (right,), (forgotten,), (lot,) = found["right"], found["forgotten"], found["by lot"]
    assert right < lot < forgotten / 20


def test_rms_is_the_root_of_the_mean_square():
    assert bit_flips.rms(np.array([3.0, -4.0])) == pytest.approx(12.5**0.5)

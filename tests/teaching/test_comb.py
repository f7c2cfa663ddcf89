"""The comb of lesson 13: places and codes as training has them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np

from minquant.scaling import quantize
from minquant.teaching import comb
from minquant.teaching.one_weight import OneWeight
from minquant.training import rounder

RNG = np.random.default_rng(0)
W = RNG.standard_normal((4, 32)).astype(np.float32)
FOLLOWED = OneWeight("w", 2, 5, float(W[2, 5]))


def taken(scheme: str, step: int, weight: np.ndarray) -> comb.Moment:
    r = rounder(W, scheme)
    return comb.moment(step, r, weight, r.first, FOLLOWED)


def test_a_moment_has_the_codes_of_the_rounder_without_their_zero_point():
    q = quantize(W, "int2:g16:asym")
    m = taken("int2:g16:asym", 0, W)
    signed = q.codes.reshape(8, 16).astype(int) - q.zero_point.reshape(8, 1)
    assert np.array_equal(m.codes, signed.reshape(-1)) and m.code == signed.reshape(4, 32)[2, 5]
    assert np.isclose(m.place, W[2, 5] / q.scale.astype(float).reshape(4, 2)[2, 0], rtol=1e-6)


def test_the_drawing_says_how_many_codes_have_changed():
    moved = W.copy()
    moved[0] *= -3
    moments = [taken("int2:g16:asym", 0, W), taken("int2:g16:asym", 5, moved)]
    share = comb.changed(*moments)
    text = comb.comb_drawing(moments)(5)
    assert 0.05 < share <= 0.25 and f"{share:.1%}" in text and ElementTree.fromstring(text) is not None
    assert comb.comb_drawing(moments)(0) != text and "0.0%" in comb.comb_drawing(moments)(0)


def test_the_watcher_keeps_every_so_manyth_step():
    kept, r = [], rounder(W, "ternary:g16:absmean")
    watch = comb.watcher(FOLLOWED, kept, 5)
    for step in range(11):
        watch(step, {"w": r}, {"w": W})
    assert [m.step for m in kept] == [0, 5, 10]

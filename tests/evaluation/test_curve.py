"""Bits against quality: the points are those of evaluate, in the order of their bits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minquant.evaluation import Reference, evaluate, frontier, growth, paired_difference, quality_curve
from minquant.model import Recipe

SCHEMES = ("int8:channel", "int2:channel", "int4:channel", "int4:tensor")


@pytest.fixture(scope="module")
def reference(model, tokens):
    return Reference(model, tokens, 8, 4)


@pytest.fixture(scope="module")
def curve(model, reference):
    return quality_curve(model, {s: Recipe(weights=s, head=s) for s in SCHEMES}, reference)


def test_each_point_is_an_evaluation_of_its_own(model, reference, curve):
    for scheme in SCHEMES:
        alone = evaluate(model.quantize(Recipe(weights=scheme, head=scheme)), reference)
        assert curve[scheme].figures() == alone.figures()


def test_points_are_in_the_order_of_their_bits(curve):
    bits = [point.bits_per_weight for point in curve.values()]
    assert bits == sorted(bits) and list(curve) == ["int2:channel", "int4:tensor", "int4:channel", "int8:channel"]


def test_any_two_points_can_be_compared_token_by_token(curve):
    got = paired_difference(curve["int2:channel"].nll, curve["int8:channel"].nll)
    assert got.value == pytest.approx(math.log(curve["int2:channel"].perplexity / curve["int8:channel"].perplexity))


def test_growth_is_from_a_point_to_the_one_below(curve):
    got = growth(curve)
    assert list(got) == ["int2:channel", "int4:tensor", "int4:channel"]
    assert got["int4:channel"] == curve["int4:channel"].kl / curve["int8:channel"].kl > 10
    assert growth({"int8:channel": curve["int8:channel"]}) == {}


def test_growth_from_nothing_is_infinite(model, reference):
    curve = quality_curve(model, {"four": Recipe(weights="int4:channel"), "float": Recipe()}, reference)
    assert curve["float"].kl == 0 and growth(curve) == {"four": math.inf}


def test_the_frontier_holds_what_no_other_beats(curve):
    """By the definition, pair by pair."""
    def beaten(name):
        own = curve[name]
        return any(p.bits_per_weight <= own.bits_per_weight and p.kl <= own.kl
                   and (p.bits_per_weight < own.bits_per_weight or p.kl < own.kl) for p in curve.values())

    assert frontier(curve) == [name for name in curve if not beaten(name)]
    worst = {**curve, "twice": curve["int8:channel"]}
    assert {"twice", "int8:channel"} <= set(frontier(worst))  # equals do not beat each other
    assert frontier({}) == []


def test_a_point_with_more_bits_and_more_loss_is_off_the_frontier(curve):
    class Point:
        def __init__(self, bits, kl):
            self.bits_per_weight, self.kl = bits, kl

    points = {"a": Point(4, 0.1), "b": Point(5, 0.2), "c": Point(8, 0.01), "d": Point(8, 0.02), "e": Point(9, 0.01)}
    assert frontier(points) == ["a", "c"]


def test_calibrated_recipes_get_their_text(model, reference):
    recipe = {"gptq": Recipe(weights="int3:channel", method="gptq")}
    seen = np.arange(1, 61)
    got = quality_curve(model, recipe, reference, calibration=seen)
    assert got["gptq"].kl == evaluate(model.quantize(recipe["gptq"], seen), reference).kl
    with pytest.raises(ValueError, match="calibration"):
        quality_curve(model, recipe, reference)


def test_no_recipes_no_curve(model, reference):
    with pytest.raises(ValueError, match="no recipe"):
        quality_curve(model, {}, reference)

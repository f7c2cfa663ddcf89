"""The block slider of lesson 11: what it draws is what the schemes do."""

from __future__ import annotations

import numpy as np
import pytest

import minquant as mq
from minquant.scaling import fake_quantize
from minquant.teaching import exponent_card


@pytest.fixture
def block():
    return np.random.default_rng(3).standard_normal(32).astype(np.float32)


@pytest.mark.parametrize("rule", exponent_card.RULES)
@pytest.mark.parametrize("largest", [4.0, 5.5, 6.0, 6.5, 7.5, 8.0])
def test_rounds_as_the_scheme_does(block, largest, rule):
    x = exponent_card.stretched(block, largest)
    assert np.abs(x).max() == pytest.approx(largest, rel=1e-6)
    assert np.array_equal(exponent_card.rounded(x, exponent_card.mx_scales(x, rule)),
                          fake_quantize(x[None], f"mxfp4:{rule}")[0])


def test_nvfp4_as_in_a_tensor_whose_largest_number_is_8(block):
    x = exponent_card.stretched(block, 5.0)
    tensor = np.concatenate([x, np.full(16, exponent_card.HIGH, np.float32)])[None]
    expected = mq.quantize(tensor, "nvfp4").dequantize()[0, :32]
    assert np.allclose(exponent_card.rounded(x, exponent_card.nv_scales(x)), expected, rtol=1e-6)


def test_the_card_says_what_it_shows(block):
    card = exponent_card.exponent_card(block, 7.0, "floor")
    assert card.startswith("<svg") and "largest magnitude is 7." in card and "clipped: " in card
    assert card != exponent_card.exponent_card(block, 7.0, "ceil")


def test_errors_rise_where_the_floor_rule_clips(block):
    errors = [exponent_card.error(x, exponent_card.mx_scales(x, "floor"))
              for x in (exponent_card.stretched(block, a) for a in (6.0, 7.9))]
    assert errors[1] > errors[0]

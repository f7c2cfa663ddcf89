"""Groups with a minimum and a scale, against number by number."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minquant.scaling import Offset

FLOATS = st.floats(-1e4, 1e4, width=32)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
@given(x=arrays(np.float32, (3, 64), elements=FLOATS))
def test_codes_match_the_loop(bits, x):
    q = Offset(bits).quantize(x)
    ref = [[v for first in (0, 32) for v in naive.offset_group(row[first:first + 32], bits)] for row in x]
    np.testing.assert_allclose(q.dequantize(), ref, rtol=3e-7, atol=1e-6 * max(1, np.abs(x).max()))
    assert q.codes.dtype == np.uint8 and q.codes.max() < 1 << bits


def test_a_group_far_from_zero_keeps_its_differences():
    x = (1000 + np.arange(32) % 4).astype(np.float32)
    assert np.array_equal(Offset(2).quantize(x).dequantize(), x)


@pytest.mark.parametrize("x", [np.zeros(32), np.full(32, 7.0), np.full(32, 1e30), np.r_[-1e30, np.zeros(30), 1e30]])
def test_extremes_stay_finite(x):
    got = Offset(2).quantize(x.astype(np.float32)).dequantize()
    assert np.isfinite(got).all()
    if x.max() < 65504:
        assert np.array_equal(got, x)


@pytest.mark.parametrize("bits, per_number", [(2, 3), (4, 5)])
def test_bytes_reported_are_bytes_packed(bits, per_number):
    q = Offset(bits).quantize(np.random.default_rng(0).standard_normal((5, 64)).astype(np.float32))
    assert q.nbytes == sum(part.nbytes for part in q.pack().values()) == 5 * 64 * per_number // 8
    assert np.array_equal(q.pack()["minimum"].view("<f2"), q.minimum.ravel())


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="groups of 32 do not divide a last axis of 31"):
        Offset(2).quantize(np.zeros((2, 31)))
    with pytest.raises(ValueError, match="NaN or infinite"):
        Offset(2).quantize(np.full(32, np.nan))

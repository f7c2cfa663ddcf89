"""Scales, zero points and codes against brute force, one value at a time."""

from itertools import pairwise

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minquant.scaling import grids, quantize

BLOCKS = {
    "normal": np.random.default_rng(0).normal(0, 1, 32),
    "heavy tails": np.random.default_rng(1).standard_t(2, 32),
    "all positive": np.random.default_rng(2).uniform(3, 4, 32),
    "all negative": -np.random.default_rng(3).uniform(3, 4, 32),
    "zeros": np.zeros(32),
    "constant": np.full(32, 0.3),
    "one outlier": np.r_[np.random.default_rng(4).normal(0, 0.01, 31), 5],
    "ties": np.arange(-16, 16) / 4 + 0.125,
    "scale subnormal in float16": np.random.default_rng(5).normal(0, 1e-5, 32),
    "scale below float16": np.random.default_rng(6).normal(0, 1e-8, 32),
    "scale beyond float16": np.random.default_rng(7).normal(0, 1e9, 32),
}


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("options", ["channel", "g32", "channel:asym", "g32:asym"])
@pytest.mark.parametrize("bits", [8, 4, 3, 2])
def test_a_block_by_hand(bits, options, block):
    x = BLOCKS[block].astype(np.float32)
    q = quantize(x[None], f"int{bits}:{options}")
    symmetric = q.scheme.symmetric
    scale, zero = naive.integer_grid(x.min(), x.max(), bits, symmetric, q.scheme.granularity == "group")
    assert q.scale.item() == scale and (symmetric or q.zero_point.item() == zero)
    assert q.codes[0].tolist() == naive.integer_codes(x, scale, zero, bits, symmetric)


@pytest.mark.parametrize("text", ["int4:tensor", "int4:channel", "int4:g16", "int3:g16:asym", "int8:tensor:asym",
                                  "int4:g1"])
def test_a_tensor_block_by_block(text):
    x = np.random.default_rng(8).normal(0, 1, (3, 5, 32)).astype(np.float32)
    q = quantize(x, text)
    scheme = q.scheme
    length = scheme.block_length(x.shape)
    blocks, codes = x.reshape(-1, length), q.codes.reshape(-1, length)
    for i, block in enumerate(blocks):
        scale, zero = naive.integer_grid(block.min(), block.max(), scheme.bits, scheme.symmetric, length in (1, 16))
        assert q.scale.reshape(-1)[i] == scale
        assert codes[i].tolist() == naive.integer_codes(block, scale, zero, scheme.bits, scheme.symmetric)


def test_full_range_uses_the_code_without_a_partner():
    x = np.float32([[-8, 7, 0.5, -7.4]])  # scale is amax / 7, not amax / 8: -8 is then exactly code -7
    q = quantize(x, "int4:channel:full")
    assert q.scale.item() == np.float32(8) / np.float32(7)
    assert q.codes.tolist() == [naive.integer_codes(x[0], q.scale.item(), 0, 4, True, True)]
    rounded = np.float32([[-1.0015, 1.0, 0.3, 0.1]])  # where the stored scale is smaller than amax / qmax
    codes = [quantize(rounded * 600, f"int8:g4{o}").codes.min() for o in ("", ":full")]
    assert codes[0] >= -127 and codes[1] >= -128


def test_asymmetric_range_contains_zero():
    """Values far above zero do not collapse onto one code, and zero stays exact."""
    x = np.float32([[3.0, 3.5, 4.0, 0.0]])
    q = quantize(x, "int8:channel:asym")
    assert q.zero_point.item() == 0 and len(set(q.codes[0])) == 4 and q.dequantize()[0, 3] == 0


@pytest.mark.parametrize("calibrator, power", [("mse", 2.4), ("l2", 2.0)])
@pytest.mark.parametrize("text", ["int4:channel", "int3:g32", "int4:g32:asym", "int2:channel", "int2:channel:asym"])
def test_the_search_by_hand(text, calibrator, power):
    rng = np.random.default_rng(9)
    rows = [rng.normal(0, 1, 32), rng.standard_t(2, 32), rng.uniform(0, 1, 32), np.zeros(32)]
    rows.append(np.r_[1, np.full(31, 0.17)])  # at 2 bits, by l2, best at the last p, 0.21
    rows.append(rng.normal(0, 1e-25, 32))     # every error vanishes: none is strictly better than p = 1
    x = np.stack(rows).astype(np.float32)
    q = quantize(x, f"{text}:{calibrator}")
    assert q.scale[-1] == quantize(x, text).scale[-1]
    for i, block in enumerate(x[:-1]):
        scale, zero = naive.searched_grid(block, q.scheme.bits, q.scheme.symmetric, "g32" in text, power)
        assert q.scale[i].item() == scale and (q.scheme.symmetric or q.zero_point[i].item() == zero)


def test_the_search_helps_where_bits_are_few():
    x = np.random.default_rng(10).normal(0, 1, (16, 512)).astype(np.float32)

    def error(text):
        return float(np.square(quantize(x, text).dequantize() - x).mean())

    for bits, gain in ((2, 3.0), (3, 1.5), (4, 1.1)):  # measured 4.4, 1.9 and 1.2
        assert error(f"int{bits}:channel") > gain * error(f"int{bits}:channel:l2")
    assert error("int8:channel:l2") <= error("int8:channel")
    assert error("int3:channel:l2") <= error("int3:channel:mse")  # each is best by its own measure


def test_the_search_works_on_float_formats_and_whole_tensors():
    x = np.random.default_rng(11).normal(0, 1, (4, 64)).astype(np.float32)
    for text in ("fp4_e2m1:channel", "fp4_e2m1:tensor", "int4:tensor"):
        plain, searched = (np.square(quantize(x, t).dequantize() - x).sum() for t in (text, f"{text}:l2"))
        assert searched <= plain


@given(st.integers(0, 3000), st.integers(0, 300_000))
def test_pieces_cover_everything_once(count, length):
    for total, pieces in ((count, list(grids.row_chunks(count, length))), (length, list(grids.column_chunks(length)))):
        assert sum(len(range(total)[piece]) for piece in pieces) == total
        assert all(a.stop == b.start for a, b in pairwise(pieces))


HUGE = np.finfo(np.float32).max


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", ["int8:channel", "int4:channel", "int2:tensor", "int4:channel:full", "int4:channel:asym",
                                  "nf4:channel", "nf4", "ternary:channel", "fp4_e2m1:channel", "fp8_e4m3:tensor"])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_float32_is_on_its_own_grid(text, sign):
    x = np.full((1, 64), sign * HUGE)
    np.testing.assert_allclose(quantize(x, text).dequantize(), x, rtol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bits", [8, 4, 2])
def test_a_range_wider_than_float32_keeps_both_ends(bits):
    x = np.float32([[-HUGE, -0.3 * HUGE, 0, 0.6 * HUGE, HUGE]])
    q = quantize(x, f"int{bits}:channel:asym")
    step = 2 * float(HUGE) / (2**bits - 1)
    values = q.dequantize().astype(np.float64)
    assert values[0, 2] == 0 and (np.abs(values - x) <= step).all()  # an end would need half a step beyond float32


@pytest.mark.parametrize("calibrator", ["p90", "kl", "mse", "l2"])
def test_full_range_stays_finite_where_the_calibrator_clips(calibrator):
    x = -np.linspace(0.5, 1, 64, dtype=np.float32)[None] * HUGE
    values = quantize(x, f"int4:channel:full:{calibrator}").dequantize()
    assert np.isfinite(values).all() and (values < 0).all()

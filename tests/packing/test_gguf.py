"""GGUF blocks, byte for byte against the gguf package and against one block at a time."""

import gguf as oracle
import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minquant.packing import gguf

NAIVE = {"Q8_0": naive.q8_0_block, "Q4_0": naive.q4_0_block}
every_type = pytest.mark.parametrize("type", NAIVE)


def reference(x: np.ndarray, type: str) -> np.ndarray:
    return oracle.quants.quantize(x, oracle.GGMLQuantizationType[type])


def awkward() -> np.ndarray:
    """Rows where rounding, ties of the largest value, zeros of both signs and tiny scales matter."""
    rng = np.random.default_rng(0)
    rows = [
        rng.integers(-8, 9, (200, 64)),                       # equal magnitudes of both signs
        rng.integers(-254, 255, (200, 64)) / 2,               # halves
        np.zeros((1, 64)), -np.zeros((1, 64)),
        rng.normal(0, 1e-7, (20, 64)), rng.normal(0, 1e-30, (20, 64)),  # scale subnormal or zero in float16
        rng.normal(0, 1e4, (20, 64)),
        np.eye(64),
    ]
    x = np.concatenate(rows).astype(np.float32)
    near = np.nextafter(x[:400], np.float32(np.inf)), np.nextafter(x[:400], np.float32(-np.inf))
    return np.concatenate([x, *near])


@every_type
def test_bytes_equal_the_gguf_package(type):
    x = np.random.default_rng(1).normal(0, 0.02, (300, 512)).astype(np.float32)
    for rows in (x, awkward(), x.reshape(2, 3, 50, 512), x[:0], x[0]):
        np.testing.assert_array_equal(gguf.quantize(rows, type), reference(rows, type).reshape(*rows.shape[:-1], -1)
                                      if rows.size else np.empty((0, 16 * gguf.TYPES[type].nbytes)))


@every_type
def test_decoding_equals_the_gguf_package(type):
    raw = np.random.default_rng(2).integers(0, 256, (100, 4 * gguf.TYPES[type].nbytes)).astype(np.uint8)
    raw = raw.reshape(-1, gguf.TYPES[type].nbytes)
    raw[:, 1] &= 0xBB  # any finite float16
    raw = raw.reshape(100, -1)
    expected = oracle.quants.dequantize(raw, oracle.GGMLQuantizationType[type])
    np.testing.assert_array_equal(gguf.dequantize(raw, type), expected)


@every_type
@given(data=st.data())
def test_one_block_by_hand(type, data):
    values = st.floats(-100, 100, width=32) | st.integers(-9, 9).map(float)
    x = data.draw(arrays.arrays(np.float32, 32, elements=values)) + np.float32(0)  # of a block of -0.0 C and the
    # package make different bytes; the test above holds us to the package
    if 0 < np.abs(x).max() < 1e-30:
        x[:] = 0  # 1/d overflows: ggml's result is undefined there, ours is tested below
    with np.errstate(all="ignore"):
        assert gguf.quantize(x, type).tobytes() == NAIVE[type](x)


@every_type
def test_bytes_to_codes_and_back(type):
    raw = gguf.quantize(awkward(), type)
    d, codes = gguf.unpack_blocks(raw, type)
    assert d.dtype == np.float16 and codes.dtype == np.int8
    np.testing.assert_array_equal(gguf.pack_blocks(d, codes, type), raw)


@every_type
def test_error_is_at_most_a_step(type):
    """Q8_0: half a step, and what rounding d to float16 moves. Q4_0: a whole step at the positive end."""
    x = np.random.default_rng(3).normal(0, 1, (100, 256)).astype(np.float32)
    step = np.abs(x.reshape(100, 8, 32)).max(-1, keepdims=True) / {"Q8_0": 127, "Q4_0": 8}[type]
    worst = {"Q8_0": 0.5 + 127 * 2**-11, "Q4_0": 1 + 8 * 2**-11}[type] * step
    assert (np.abs(gguf.dequantize(gguf.quantize(x, type), type) - x).reshape(100, 8, 32) <= worst).all()


@every_type
def test_finite_input_stays_finite(type):
    x = np.zeros((4, 32), np.float32)
    x[0, 3], x[1, :] = 3e38, -3e38     # scale beyond float16: held at 65504
    x[2, 5], x[3, :] = 1e-45, 1e-40    # 1/d beyond float32: codes 0
    with np.errstate(invalid="raise"):  # no NaN on the way either: what a cast makes of it depends on the machine
        back = gguf.dequantize(gguf.quantize(x, type), type)
    assert np.isfinite(back).all() and not back[2:].any()
    assert np.abs(gguf.unpack_blocks(gguf.quantize(x, type), type)[0][:2]).max() == 65504


@every_type
def test_size(type):
    assert gguf.TYPES[type].bits_per_weight == {"Q8_0": 8.5, "Q4_0": 4.5}[type]
    assert gguf.quantize(np.ones((6, 96)), type).shape == (6, 3 * gguf.TYPES[type].nbytes)


@every_type
def test_bad_input(type):
    x = np.ones((2, 64), np.float32)
    x[1, 7] = np.nan
    x[1, 9] = np.inf
    with pytest.raises(ValueError, match=r"2 of 128 values .* first at index \(1, 7\)"):
        gguf.quantize(x, type)
    with pytest.raises(ValueError, match=r"blocks of 32: .*\(2, 33\)"):
        gguf.quantize(np.ones((2, 33)), type)
    with pytest.raises(ValueError, match=r"not whole blocks"):
        gguf.dequantize(np.ones((2, 33), np.uint8), type)
    with pytest.raises(TypeError, match="uint8, got dtype int8"):
        gguf.dequantize(np.ones((2, gguf.TYPES[type].nbytes), np.int8), type)
    with pytest.raises(ValueError, match=r"one scale per 32"):
        gguf.pack_blocks(np.ones((2, 3), np.float16), np.ones((2, 64), np.int8), type)


def test_an_unknown_type_lists_what_exists():
    for call in (gguf.quantize, gguf.dequantize):
        with pytest.raises(ValueError, match="'Q9_0'.*Q8_0, Q4_0"):
            call(np.ones((1, 32), np.uint8), "Q9_0")

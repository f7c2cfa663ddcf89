"""Five ternary codes to a byte."""

from itertools import product

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minquant.packing import ternary

codes_of_any_length = st.lists(st.integers(-1, 1), max_size=60)


@given(codes_of_any_length)
def test_packs_as_defined_and_comes_back(codes):
    packed = ternary.pack(np.array(codes, np.int8))
    assert packed.dtype == np.uint8 and packed.tolist() == naive.ternary_bytes(codes)
    back = ternary.unpack(packed, len(codes))
    assert back.dtype == np.int8 and back.shape == (len(codes),) and back.tolist() == codes
    np.testing.assert_array_equal(ternary.unpack(packed.tobytes(), len(codes)), back)


def test_every_byte_is_five_codes():
    """All 243 patterns, counted up with the first code fastest, are the bytes 0 to 242."""
    patterns = np.array([p[::-1] for p in product((-1, 0, 1), repeat=5)], np.int8)
    assert ternary.pack(patterns).tolist() == list(range(243))
    np.testing.assert_array_equal(ternary.unpack(bytes(range(243)), 1215).reshape(243, 5), patterns)


def test_the_example_in_the_docstring():
    assert ternary.pack(np.array([1, 0, -1, 0, 1], np.int8)).tolist() == [194]


def test_the_last_byte_is_filled_up_with_zeros():
    packed = ternary.pack(np.array([[-1, -1], [1, 1], [0, 1]], np.int8))  # any shape, in C order
    assert ternary.unpack(packed, 10).tolist() == [-1, -1, 1, 1, 0, 1, 0, 0, 0, 0]
    assert ternary.pack(np.zeros((0, 3), np.int8)).shape == (0,)


def test_size_in_bits_per_weight():
    codes = np.ones((16, 320), np.int8)
    assert 8 * ternary.pack(codes).nbytes / codes.size == ternary.BITS_PER_WEIGHT == 1.6
    assert np.log2(3) < 1.6 < 1.01 * np.log2(3)


def test_a_byte_that_is_no_five_codes_is_named():
    packed = np.array([0, 242, 243, 255], np.uint8)
    with pytest.raises(ValueError, match="byte 2 is 243: five ternary codes make at most 242"):
        ternary.unpack(packed, 20)
    assert ternary.unpack(packed, 10).tolist() == [-1] * 5 + [1] * 5  # what is not asked for is not looked at


def test_bad_input():
    with pytest.raises(TypeError, match="int8, -1, 0 or 1, got dtype float32"):
        ternary.pack(np.zeros(5, np.float32))
    for bad in (2, -2, -128):
        with pytest.raises(ValueError, match=rf"-1, 0 or 1, got values from {min(bad, 0)} to {max(bad, 0)}"):
            ternary.pack(np.array([0, bad], np.int8))
    with pytest.raises(ValueError, match="11 ternary codes need 3 bytes, the buffer has 2"):
        ternary.unpack(b"\0\0", 11)
    with pytest.raises(ValueError, match="cannot unpack -1 codes"):
        ternary.unpack(b"", -1)
    with pytest.raises(TypeError, match="uint8, got dtype int8"):
        ternary.unpack(np.zeros(2, np.int8), 10)

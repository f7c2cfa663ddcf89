"""Dense n-bit packing against one big integer."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minquant.packing import pack_bits, sign_extend, unpack_bits

every_width = pytest.mark.parametrize("bits", range(1, 9))


@every_width
@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 31, 32, 1000])
def test_packs_as_the_definition_says(bits, count):
    codes = np.random.default_rng(count).integers(0, 1 << bits, count)
    packed = pack_bits(codes.astype(np.uint8), bits)
    assert packed.dtype == np.uint8 and packed.ndim == 1
    assert packed.tobytes() == naive.pack_bits(codes, bits)
    np.testing.assert_array_equal(unpack_bits(packed, bits, count), codes)
    assert unpack_bits(packed.tobytes(), bits, count).tolist() == naive.unpack_bits(packed.tobytes(), bits, count)


@every_width
def test_more_codes_than_one_piece(bits):
    codes = np.random.default_rng(bits).integers(0, 1 << bits, 300_011).astype(np.uint8)
    packed = pack_bits(codes, bits)
    np.testing.assert_array_equal(unpack_bits(packed, bits, codes.size), codes)
    flags = (codes[:, None] >> np.arange(bits, dtype=np.uint8) & 1).reshape(-1)
    np.testing.assert_array_equal(packed, np.packbits(flags, bitorder="little"))


@given(st.integers(1, 8), st.data())
def test_signed_codes_are_twos_complement(bits, data):
    codes = data.draw(st.lists(st.integers(-(1 << bits - 1), (1 << bits - 1) - 1), max_size=40))
    packed = pack_bits(np.array(codes, np.int8), bits)
    assert packed.tobytes() == naive.pack_bits(codes, bits)
    assert sign_extend(unpack_bits(packed, bits, len(codes)), bits).tolist() == codes


def test_the_picture_in_the_docstring():
    a, b, c, d, e, f, g, h = codes = [1, 2, 3, 4, 5, 6, 7, 1]
    by_hand = [a | b << 3 | (c & 3) << 6, c >> 2 | d << 1 | e << 4 | (f & 1) << 7, f >> 1 | g << 2 | h << 5]
    assert pack_bits(np.array(codes), 3).tolist() == by_hand
    assert pack_bits(np.array([1, 2, 3]), 4).tolist() == [0x21, 0x03]  # first code in the low nibble


def test_any_shape_and_any_integer_type():
    codes = np.arange(24).reshape(2, 3, 4) % 7
    expected = naive.pack_bits(codes.reshape(-1), 3)
    for dtype in (np.int8, np.uint8, np.int32, np.int64, np.uint16):
        assert pack_bits(codes.astype(dtype), 3).tobytes() == expected
    turned = np.ascontiguousarray(codes.T.astype(np.uint8)).T  # same codes, other memory order
    assert pack_bits(turned, 3).tobytes() == expected


def test_a_buffer_may_be_longer_but_not_shorter():
    packed = pack_bits(np.arange(8), 3)
    assert unpack_bits(np.append(packed, np.uint8(255)), 3, 7).tolist() == list(range(7))
    assert unpack_bits(np.repeat(packed, 2)[::2], 3, 8).tolist() == list(range(8))  # a view with gaps
    with pytest.raises(ValueError, match="9 codes of 3 bits need 4 bytes, the buffer has 3"):
        unpack_bits(packed, 3, 9)


@pytest.mark.parametrize("codes, bits", [([16], 4), ([-9], 4), ([-1, 8], 4), ([2], 1), ([256], 8)])
def test_a_code_that_does_not_fit_is_named(codes, bits):
    with pytest.raises(ValueError, match=f"from {min(codes)} to {max(codes)} do not fit in {bits} bits"):
        pack_bits(np.array(codes), bits)


def test_bad_arguments():
    for bits in (0, 9, 2.5, "4"):
        with pytest.raises(ValueError, match="1 to 8 bits"):
            pack_bits(np.zeros(8, np.uint8), bits)
    with pytest.raises(TypeError, match="codes to pack are integers, got dtype float32"):
        pack_bits(np.zeros(8, np.float32), 4)
    with pytest.raises(TypeError, match="uint8, got dtype int8"):
        unpack_bits(np.zeros(8, np.int8), 4, 2)
    with pytest.raises(ValueError, match="cannot unpack -1 codes"):
        unpack_bits(b"", 4, -1)

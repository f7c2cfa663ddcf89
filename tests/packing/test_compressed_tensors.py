"""compressed-tensors' pack-quantized layout, against one bit at a time and words spelled out by hand."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minquant.packing import compressed_tensors, gptq

every_width = pytest.mark.parametrize("bits", range(1, 9))


def random_codes(out: int, n: int, bits: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-(1 << bits - 1), 1 << bits - 1, (out, n)).astype(np.int8)


@given(st.integers(0, 12), st.integers(0, 70), st.integers(1, 8), st.integers(0, 99))
def test_every_shape_packs_as_defined_and_comes_back(out, n, bits, seed):
    codes = random_codes(out, n, bits, seed)
    packed = compressed_tensors.pack(codes, bits)
    assert packed.dtype == np.int32 and packed.shape == (out, -(-n * bits // 32))
    fields = codes.astype(int) + 2 ** (bits - 1)
    for o in range(out):
        assert packed[o].tolist() == [naive.int32_word(fields[o], bits, word) for word in range(packed.shape[1])]
    back = compressed_tensors.unpack(packed, bits, (out, n))
    assert back.dtype == np.int8
    np.testing.assert_array_equal(back, codes)


def test_words_spelled_out():
    codes = np.array([[-8, -7, -6, -1, 0, 1, 6, 7, -8, 7]], np.int8)
    assert compressed_tensors.pack(codes, 4).view(np.uint32).tolist() == [[0xFE987210, 0x000000F0]]
    codes = np.array([[-128, -1, 0, 127]], np.int8)
    assert compressed_tensors.pack(codes, 8).view(np.uint32).tolist() == [[0xFF807F00]]


def test_three_bits_are_dense():
    """Eleven codes of 3 bits are 33: the last one straddles. The older rule would put it into a word of its own."""
    codes = np.full((1, 11), -4, np.int8)
    codes[0, 10] = 3  # field 111: two bits end word 0, one begins word 1
    assert compressed_tensors.pack(codes, 3).view(np.uint32).tolist() == [[0b11 << 30, 0b1]]


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_it_is_the_transpose_of_gptq(bits):
    codes = random_codes(5, 64, bits)
    shifted = (codes.astype(np.int16) + (1 << bits - 1)).astype(np.uint8)
    qweight, _ = gptq.pack(shifted, np.zeros((5, 1), np.uint8), bits)
    np.testing.assert_array_equal(compressed_tensors.pack(codes, bits), qweight.T)


@every_width
def test_size_in_bits_per_weight(bits):
    codes = random_codes(8, 256, bits)
    nbytes = compressed_tensors.pack(codes, bits).nbytes + np.ones((8, 2), np.float16).nbytes
    assert 8 * nbytes / codes.size == compressed_tensors.bits_per_weight(bits, 128) == bits + 0.125


def test_bad_input():
    codes = random_codes(4, 16, 4)
    packed = compressed_tensors.pack(codes, 4)
    for bits in (0, 9, 2.5):
        with pytest.raises(ValueError, match="1 to 8 bits, not"):
            compressed_tensors.pack(codes, bits)
    with pytest.raises(TypeError, match=r"codes must be int8, -8..7, got dtype uint8"):
        compressed_tensors.pack(codes.view(np.uint8), 4)
    with pytest.raises(ValueError, match=r"codes must lie in -8..7, got values from -9 to -9"):
        compressed_tensors.pack(np.full((1, 2), -9, np.int8), 4)
    with pytest.raises(ValueError, match=r"codes must be a matrix, got shape \(2, 2, 16\)"):
        compressed_tensors.pack(codes.reshape(2, 2, 16), 4)
    with pytest.raises(ValueError, match=r"weight_packed has shape \(4, 2\), but 4 x 17 codes .* of shape \(4, 3\)"):
        compressed_tensors.unpack(packed, 4, (4, 17))
    with pytest.raises(TypeError, match="weight_packed must be int32 words, got dtype uint32"):
        compressed_tensors.unpack(packed.view(np.uint32), 4, (4, 16))

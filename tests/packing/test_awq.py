"""The AWQ layout, against one nibble at a time, a word spelled out by hand, and what the GPU does with it."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minquant as mq
from minquant.packing import awq, gptq


def random_matrix(out: int, n: int, groups: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 16, (out, n)).astype(np.uint8), rng.integers(0, 16, (out, groups)).astype(np.uint8)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5), st.integers(0, 99))
def test_every_shape_packs_as_defined_and_comes_back(out, n, groups, seed):
    codes, zero = random_matrix(out, n, groups, seed)
    qweight, qzeros = awq.pack(codes, zero)
    assert qweight.dtype == qzeros.dtype == np.int32
    assert qweight.shape == (n, -(-out // 8)) and qzeros.shape == (groups, -(-out // 8))
    for packed, matrix in ((qweight, codes), (qzeros, zero)):
        for row in range(len(packed)):
            assert packed[row].tolist() == [naive.awq_word(matrix[:, row], c) for c in range(packed.shape[1])]
    for got, expected in zip(awq.unpack(qweight, qzeros, (out, n)), (codes, zero), strict=True):
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, expected)


def test_a_word_spelled_out():
    codes = np.arange(8, dtype=np.uint8).reshape(8, 1)  # output o has code o
    qweight, qzeros = awq.pack(codes, codes[::-1] + np.uint8(8))
    assert qweight.view(np.uint32).tolist() == [[0x75316420]]
    assert qzeros.view(np.uint32).tolist() == [[0x8ACE9BDF]]  # 15 - o, and nothing subtracted


def test_the_order_unpacks_neighbours_into_one_register():
    """What dequantize_s4_to_fp16x2 does with a word: a mask, an OR, and both halves are float16 near 1024."""
    codes, zero = random_matrix(8, 1, 1)
    word = awq.pack(codes, zero)[0].view(np.uint32)[0, 0]
    values = []
    for shifted in (word, word >> np.uint32(8)):
        for mask, factor in ((0x000F000F, 1), (0x00F000F0, 16)):
            register = np.array([shifted & np.uint32(mask) | np.uint32(0x64006400)], "<u4")
            values += ((register.view("<f2").astype(np.float32) - 1024) / factor).tolist()
    assert values == codes[:, 0].tolist()


def test_a_quantized_tensor_survives_the_checkpoint():
    W = np.random.default_rng(2).standard_normal((33, 192)).astype(np.float32)
    q = mq.quantize(W, "int4:g32:asym")
    got = awq.dequantize(*awq.pack(q.codes, q.zero_point), q.scale.T)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, q.dequantize())
    from_gptq = gptq.dequantize(*gptq.pack(q.codes, q.zero_point, 4), q.scale.T, gptq.g_idx(192, 32), 4)
    np.testing.assert_array_equal(got, from_gptq)


def test_size_in_bits_per_weight():
    codes, zero = random_matrix(64, 256, 2)
    nbytes = sum(words.nbytes for words in awq.pack(codes, zero)) + np.ones((2, 64), np.float16).nbytes
    assert 8 * nbytes / codes.size == awq.bits_per_weight(128) == 4.15625


def test_bad_input_to_pack():
    codes, zero = random_matrix(4, 16, 2)
    with pytest.raises(TypeError, match=r"AWQ codes must be uint8, 0..15, got dtype int8"):
        awq.pack(codes.astype(np.int8), zero)
    with pytest.raises(ValueError, match=r"AWQ codes must lie in 0..15, got values from 16 to 16"):
        awq.pack(np.full((4, 16), 16, np.uint8), zero)
    with pytest.raises(ValueError, match=r"AWQ zero points must be a matrix, got shape \(8,\)"):
        awq.pack(codes, zero.reshape(-1))
    with pytest.raises(ValueError, match=r"got zero points \(2, 4\)"):
        awq.pack(codes, zero.T)


def test_bad_input_to_unpack_and_dequantize():
    qweight, qzeros = awq.pack(*random_matrix(4, 16, 2))
    with pytest.raises(ValueError, match=r"qweight has shape \(16, 1\), but 9 x 16 codes of 4 bits .* shape \(16, 2\)"):
        awq.unpack(qweight, qzeros, (9, 16))
    with pytest.raises(ValueError, match=r"qzeros has shape \(2, 2\)"):
        awq.unpack(qweight, np.zeros((2, 2), np.int32), (4, 16))
    with pytest.raises(TypeError, match="qzeros must be int32 words, got dtype int64"):
        awq.unpack(qweight, qzeros.astype(np.int64), (4, 16))
    with pytest.raises(ValueError, match=r"one group per row of qzeros \(2, 1\), got shape \(1, 4\)"):
        awq.dequantize(qweight, qzeros, np.ones((1, 4), np.float16))
    with pytest.raises(ValueError, match="15 inputs cannot be split into 2 groups"):
        awq.dequantize(qweight[:15], qzeros, np.ones((2, 4), np.float16))

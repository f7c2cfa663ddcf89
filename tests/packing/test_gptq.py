"""The GPTQ layout, against one bit at a time, words spelled out by hand, and a checkpoint read back."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minquant as mq
from minquant.packing import gptq

every_width = pytest.mark.parametrize("bits", [2, 3, 4, 8])
every_version = pytest.mark.parametrize("version", [1, 2])


def random_matrix(out: int, n: int, groups: int, bits: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.integers(0, 1 << bits, shape).astype(np.uint8)  # noqa: E731
    return draw(out, n), draw(out, groups)


@given(st.integers(0, 40), st.integers(0, 70), st.integers(0, 5), st.sampled_from([2, 3, 4, 8]), st.integers(1, 2),
       st.integers(0, 99))
def test_every_shape_packs_as_defined_and_comes_back(out, n, groups, bits, version, seed):
    codes, zero = random_matrix(out, n, groups, bits, seed)
    qweight, qzeros = gptq.pack(codes, zero, bits, version=version)
    assert qweight.dtype == qzeros.dtype == np.int32
    assert qweight.shape == (-(-n * bits // 32), out) and qzeros.shape == (groups, -(-out * bits // 32))
    for word in range(len(qweight)):
        for o in range(out):
            assert int(qweight[word, o]) == naive.int32_word(codes[o], bits, word)
    stored = (zero.astype(int) - (version == 1)) % 2**bits
    for g in range(groups):
        assert qzeros[g].tolist() == [naive.int32_word(stored[:, g], bits, word) for word in range(qzeros.shape[1])]
    for got, expected in zip(gptq.unpack(qweight, qzeros, bits, (out, n), version=version), (codes, zero), strict=True):
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, expected)


def test_words_spelled_out():
    codes = np.array([[1, 2, 3, 4, 5, 6, 7, 8], [15, 14, 13, 12, 11, 10, 9, 0]], np.uint8)  # two outputs, eight inputs
    qweight, qzeros = gptq.pack(codes, np.array([[8], [1]], np.uint8), 4)
    assert qweight.view(np.uint32).tolist() == [[0x87654321, 0x09ABCDEF]]
    assert qweight[0, 0] < 0  # bit 31 is set: a shift to the right as int32 would fill with ones
    assert qzeros.view(np.uint32).tolist() == [[0x07]]  # 8 - 1 of output 0, 1 - 1 of output 1
    assert gptq.pack(codes, np.array([[8], [1]], np.uint8), 4, version=2)[1].tolist() == [[0x18]]
    assert gptq.pack(codes[:, :4], np.zeros((2, 1), np.uint8), 8)[0].tolist() == [[0x04030201, 0x0C0D0E0F]]
    assert gptq.pack(np.array([[3, 0, 2, 1]], np.uint8), np.zeros((1, 1), np.uint8), 2)[0].tolist() == [[0b01_10_00_11]]


def test_three_bits_straddle_words_as_drawn():
    """Values 10 and 21 alone: 5 = 101 is 01 at the top of word 0 and 1 at the foot of word 1; 6 = 110 is 0 and 11."""
    codes = np.zeros((1, 32), np.uint8)
    codes[0, 10], codes[0, 21] = 5, 6
    qweight, _ = gptq.pack(codes, np.zeros((1, 1), np.uint8), 3)
    assert qweight.view(np.uint32)[:, 0].tolist() == [0b01 << 30, 0b1 | 0 << 31, 0b11]
    codes[0, 22], codes[0, 31] = 7, 1
    qweight, _ = gptq.pack(codes, np.zeros((1, 1), np.uint8), 3)
    assert qweight.view(np.uint32)[2, 0] == 0b11 | 7 << 2 | 1 << 29


@every_width
def test_a_zero_point_of_zero_wraps_in_version_1(bits):
    zero = np.array([[0, 1, 2**bits - 1]], np.uint8)
    _, qzeros = gptq.pack(np.zeros((1, 3), np.uint8), zero, bits)
    assert qzeros[:, 0].tolist() == [2**bits - 1, 0, 2**bits - 2]


def test_symmetric_zeros_are_all_sevens():
    _, qzeros = gptq.pack(np.zeros((16, 8), np.uint8), np.full((16, 2), 8, np.uint8), 4)
    assert (qzeros == 0x77777777).all()


@every_width
@every_version
@pytest.mark.parametrize("ordered", [False, True])
def test_a_checkpoint_reads_as_the_formula_says(bits, version, ordered):
    out, n, size = 5, 24, 6
    codes, zero = random_matrix(out, n, n // size, bits)
    rng = np.random.default_rng(1)
    scales = rng.uniform(0.01, 2, (n // size, out)).astype(np.float16)
    groups = gptq.g_idx(n, size, rng.permutation(n) if ordered else None)
    got = gptq.dequantize(*gptq.pack(codes, zero, bits, version=version), scales, groups, bits, version=version)
    assert got.dtype == np.float32 and got.shape == (out, n)
    for o in range(out):
        for i in range(n):
            g = groups[i]
            assert got[o, i] == np.float32(int(codes[o, i]) - int(zero[o, g])) * np.float32(scales[g, o])


@pytest.mark.parametrize("scheme, bits", [("int4:g32:asym", 4), ("int3:g32:asym", 3), ("int8:g16:asym", 8),
                                          ("int2:g64:asym", 2)])
def test_a_quantized_tensor_survives_the_checkpoint(scheme, bits):
    W = np.random.default_rng(2).standard_normal((33, 192)).astype(np.float32)
    q = mq.quantize(W, scheme)
    groups = gptq.g_idx(192, 192 // q.scale.shape[1])
    for version in (1, 2):
        packed = gptq.pack(q.codes, q.zero_point, bits, version=version)
        got = gptq.dequantize(*packed, q.scale.T, groups, bits, version=version)
        np.testing.assert_array_equal(got, q.dequantize())


def test_activation_order_by_hand():
    assert gptq.g_idx(6, 2).tolist() == [0, 0, 1, 1, 2, 2]
    # processed: 4, 0 (group 0), 5, 2 (group 1), 1, 3 (group 2)
    order = np.array([4, 0, 5, 2, 1, 3])
    groups = gptq.g_idx(6, 2, order)
    assert groups.dtype == np.int32 and groups.tolist() == [0, 2, 1, 2, 0, 1]
    assert groups[order].tolist() == [0, 0, 1, 1, 2, 2]
    assert gptq.g_idx(0, 8).shape == (0,)


@every_width
def test_size_in_bits_per_weight(bits):
    codes, zero = random_matrix(64, 256, 2, bits)
    qweight, qzeros = gptq.pack(codes, zero, bits)
    scales = np.ones((2, 64), np.float16)
    nbytes = qweight.nbytes + qzeros.nbytes + scales.nbytes
    assert 8 * nbytes / codes.size == gptq.bits_per_weight(bits, 128)
    assert gptq.bits_per_weight(4, 128) == 4.15625


def test_bad_input_to_pack():
    codes, zero = random_matrix(4, 16, 2, 4)
    for bits in (1, 5, "4"):
        with pytest.raises(ValueError, match="2, 3, 4 or 8 bits, not"):
            gptq.pack(codes, zero, bits)
    with pytest.raises(ValueError, match=r"version is 1 .* or 2 .*, not 3"):
        gptq.pack(codes, zero, 4, version=3)
    with pytest.raises(TypeError, match=r"GPTQ codes must be uint8, 0..15, got dtype int8"):
        gptq.pack(codes.astype(np.int8), zero, 4)
    with pytest.raises(ValueError, match=r"GPTQ codes must lie in 0..7, got values from 0 to 9"):
        gptq.pack(codes // 15 * 9, zero % 8, 3)
    with pytest.raises(ValueError, match=r"GPTQ zero points must lie in 0..15, got values from 16 to 16"):
        gptq.pack(codes, np.full((4, 2), 16, np.uint8), 4)
    with pytest.raises(ValueError, match=r"GPTQ codes must be a matrix, got shape \(64,\)"):
        gptq.pack(codes.reshape(-1), zero, 4)
    with pytest.raises(ValueError, match=r"codes \(4, 16\) are \(out, in\).* got zero points \(2, 4\)"):
        gptq.pack(codes, zero.T, 4)


def test_bad_input_to_unpack_and_dequantize():
    codes, zero = random_matrix(4, 16, 2, 4)
    qweight, qzeros = gptq.pack(codes, zero, 4)
    scales, groups = np.ones((2, 4), np.float16), gptq.g_idx(16, 8)
    with pytest.raises(ValueError, match=r"qweight has shape \(2, 4\), but 4 x 17 codes of 4 bits .* shape \(3, 4\)"):
        gptq.unpack(qweight, qzeros, 4, (4, 17))
    with pytest.raises(ValueError, match=r"qzeros has shape \(2, 1\), but 9 x 16 codes .* shape \(any, 2\)"):
        gptq.unpack(np.zeros((2, 9), np.int32), qzeros, 4, (9, 16))
    with pytest.raises(TypeError, match="qweight must be int32 words, got dtype uint32"):
        gptq.unpack(qweight.view(np.uint32), qzeros, 4, (4, 16))
    with pytest.raises(ValueError, match=r"one group per row of qzeros \(2, 1\), got shape \(3, 4\)"):
        gptq.dequantize(qweight, qzeros, np.ones((3, 4), np.float16), groups, 4)
    with pytest.raises(ValueError, match="g_idx names groups 0 to 3, the scales have 2"):
        gptq.dequantize(qweight, qzeros, scales, gptq.g_idx(16, 4), 4)
    with pytest.raises(TypeError, match=r"g_idx must be integers of shape \(in,\), got float64"):
        gptq.dequantize(qweight, qzeros, scales, np.zeros(16), 4)


@pytest.mark.parametrize("size", [0, -1, 5])
def test_a_group_size_that_does_not_divide(size):
    with pytest.raises(ValueError, match=f"group size {size} does not divide 16 inputs"):
        gptq.g_idx(16, size)


@pytest.mark.parametrize("order", [[0, 1, 1, 2], [0, 1, 2], [1, 2, 3, 4], [0.0, 1.0, 2.0, 3.0]])
def test_an_order_that_is_no_permutation(order):
    with pytest.raises(ValueError, match="must name each of the 4 columns once"):
        gptq.g_idx(4, 2, np.array(order))

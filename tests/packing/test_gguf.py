"""GGUF blocks, byte for byte: against the gguf package, ggml's C (stored), and one block at a time."""

import hashlib
import json
from pathlib import Path

import gguf as oracle
import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minquant.packing import gguf
from tests.packing.gguf_inputs import inputs

VECTORS = json.loads(Path(__file__).with_name("gguf_vectors.json").read_text(encoding="utf-8"))
FLOATS = ("F32", "F16", "BF16")
SUPER = ("Q4_K", "Q5_K", "Q6_K")  # the package reads them only
WRITTEN = [name for name, type in gguf.TYPES.items() if type.writable]
BLOCKS = [name for name in WRITTEN if name not in FLOATS]
NAIVE = {"Q8_0": naive.q8_0_block, "Q4_0": naive.q4_0_block}
NAIVE_SUPER = {"Q4_K": naive.q4_k_block, "Q6_K": naive.q6_k_block}

every_type = pytest.mark.parametrize("type", gguf.TYPES)
every_written = pytest.mark.parametrize("type", WRITTEN)
every_simple = pytest.mark.parametrize("type", [name for name in WRITTEN if name not in SUPER])


def reference(x: np.ndarray, type: str) -> np.ndarray:
    raw = oracle.quants.quantize(x, oracle.GGMLQuantizationType[type])
    return np.ascontiguousarray(raw).view(np.uint8).reshape(*x.shape[:-1], -1)


def awkward() -> np.ndarray:
    """Rows where rounding, ties of the largest value, zeros of both signs and tiny scales matter."""
    rng = np.random.default_rng(0)
    rows = [
        rng.integers(-8, 9, (200, 512)),                       # equal magnitudes of both signs
        rng.integers(-254, 255, (200, 512)) / 2,               # halves
        np.zeros((1, 512)), -np.zeros((1, 512)),
        np.full((1, 512), 0.7), np.full((1, 512), -0.7), np.full((1, 512), -65504),  # constant
        rng.normal(0, 1e-7, (20, 512)), rng.normal(0, 1e-30, (20, 512)),  # scale subnormal or zero in float16
        rng.normal(0, 1e3, (20, 512)), rng.normal(0, 1, (20, 512)) * 2.0 ** rng.integers(-20, 10, (20, 1)),
        -np.abs(rng.normal(0, 1, (20, 512))), np.abs(rng.normal(0, 1, (20, 512))),
        np.eye(64, 512),
        (1 - 2.0**-24 * np.arange(64))[:, None] * 2.0 ** np.arange(-8, 8).repeat(32),  # below powers of two
    ]
    x = np.concatenate(rows).astype(np.float32)
    near = np.nextafter(x[:400], np.float32(np.inf)), np.nextafter(x[:400], np.float32(-np.inf))
    return np.concatenate([x, *near])


def random_blocks(type: str, count: int) -> np.ndarray:
    """Random bytes, but finite floats: uint8 (count, bytes)."""
    rng = np.random.default_rng(2)
    raw = rng.integers(0, 256, (count, gguf.TYPES[type].nbytes)).astype(np.uint8)
    blocks = raw.reshape(-1).view(gguf.TYPES[type].struct)
    for name in {"d", "m", "dmin", "x"} & set(blocks.dtype.names):
        if blocks.dtype[name].kind == "f":
            blocks[name] = rng.normal(0, 1, count) * 2.0 ** rng.integers(-20, 10, count)
    if type == "BF16":
        blocks["x"] &= np.uint16(0xBFFF)
    return raw


@every_simple
@pytest.mark.filterwarnings("ignore:overflow")
def test_bytes_equal_the_gguf_package(type):
    x = np.random.default_rng(1).normal(0, 0.02, (300, 512)).astype(np.float32)
    hard = awkward()
    if type in ("Q4_1", "Q5_1"):
        hard += np.float32(0)  # with zeros of both signs the package's bytes depend on the machine
    if type == "MXFP4":
        hard[np.abs(hard).max(axis=1) < 1e-28] = 0  # exponents below zero are undefined there
    for rows in (x, hard, x.reshape(2, 3, 50, 512), x[0]):
        np.testing.assert_array_equal(gguf.quantize(rows, type), reference(rows, type))
    assert gguf.quantize(x[:0], type).shape == (0, gguf.quantize(x[:1], type).shape[1])


@every_type
@pytest.mark.filterwarnings("ignore:overflow")
def test_decoding_equals_the_gguf_package(type):
    raw = random_blocks(type, 400).reshape(100, -1)
    expected = oracle.quants.dequantize(raw, oracle.GGMLQuantizationType[type])
    np.testing.assert_array_equal(gguf.dequantize(raw, type).view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize("type", VECTORS)
def test_bytes_equal_those_of_ggml(type):
    """Made by ggml's C with tools/make_gguf_vectors.py."""
    kinds = inputs()
    first = gguf.quantize(kinds["bell"], type).reshape(-1)[: gguf.TYPES[type].nbytes]
    assert first.tobytes().hex() == VECTORS[type]["first block of bell"]
    ours = {kind: hashlib.sha256(gguf.quantize(x, type).tobytes()).hexdigest() for kind, x in kinds.items()}
    assert ours == VECTORS[type]["sha256"]


def test_every_block_type_is_compared_with_ggml():
    assert set(VECTORS) == set(BLOCKS)


@pytest.mark.parametrize("type", NAIVE)
@given(data=st.data())
def test_one_block_by_hand(type, data):
    values = st.floats(-100, 100, width=32) | st.integers(-9, 9).map(float)
    x = data.draw(arrays.arrays(np.float32, 32, elements=values)) + np.float32(0)  # of a block of -0.0 C and the
    # package make different bytes; the test above holds us to the package
    if 0 < np.abs(x).max() < 1e-30:
        x[:] = 0  # 1/d overflows: ggml's result is undefined there, ours is tested below
    with np.errstate(all="ignore"):
        assert gguf.quantize(x, type).tobytes() == NAIVE[type](x)


@pytest.mark.parametrize("type", NAIVE_SUPER)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), tails=st.sampled_from([1, 2, 30]), zeros=st.sampled_from([0, 0.5, 0.99]),
       shift=st.integers(-3, 3), scale=st.integers(-30, 10))
def test_one_super_block_by_hand(type, seed, tails, zeros, shift, scale):
    rng = np.random.default_rng(seed)
    x = (rng.standard_t(tails, 256).clip(-1e4, 1e4) + shift) * (rng.random(256) >= zeros) * 2.0**scale
    assert gguf.quantize(x, type).tobytes() == NAIVE_SUPER[type](x)


@every_type
def test_bytes_to_parts_and_back(type):
    raw = gguf.quantize(awkward(), type) if type == "TQ1_0" else random_blocks(type, 100)  # not all bytes are digits
    parts = gguf.unpack_blocks(raw, type)
    np.testing.assert_array_equal(gguf.pack_blocks(*parts, type), raw)


@every_written
def test_quantize_is_choosing_and_packing(type):
    x = np.random.default_rng(4).normal(0, 0.02, (3, 5, 1024)).astype(np.float32)
    *scales, codes = gguf.choose_codes(x, type)
    assert codes.shape == x.shape
    assert all(scale.shape[:3] == (3, 5, 1024 // gguf.TYPES[type].elements) for scale in scales)
    raw = gguf.quantize(x, type)
    np.testing.assert_array_equal(gguf.pack_blocks(*scales, codes, type), raw)
    for chosen, read in zip((*scales, codes), gguf.unpack_blocks(raw, type), strict=True):
        assert chosen.dtype == read.dtype
        np.testing.assert_array_equal(chosen, read)


@pytest.mark.parametrize("type, steps", [("Q8_0", 254), ("Q4_0", 16), ("Q4_1", 15), ("Q5_0", 32), ("Q5_1", 31),
                                         ("Q4_K", 15), ("Q5_K", 31), ("Q6_K", 63)])
def test_error_is_a_fraction_of_the_range(type, steps):
    """Half a step, or a whole one at the positive end of Q4_0 and Q5_0, and what rounding the scales moves."""
    x = np.random.default_rng(3).normal(0, 1, (100, 256)).astype(np.float32)
    sub = {"Q6_K": 16}.get(type, 32)
    blocks = x.reshape(-1, sub)
    error = np.abs(gguf.dequantize(gguf.quantize(x, type), type).reshape(-1, sub) - blocks).max(axis=1)
    span = 2 * np.abs(blocks).max(axis=1) if "1" not in type else np.ptp(blocks, axis=1)
    allowed = 1 if type in ("Q4_0", "Q5_0") else 0.5
    loss = 2**-10 if type not in SUPER else 1 / 40  # of the range, by the rounded scale
    assert (error <= span * (allowed / steps + loss)).all()
    assert error.mean() > 0.2 * (span / steps).mean() * allowed  # and it is no better than its bits allow


@every_written
def test_finite_input_stays_finite(type):
    x = np.zeros((4, 256), np.float32)
    x[0, 3], x[1, :] = 3e38, -3e38     # scale beyond float16: held at 65504
    x[0, 4] = -3e38                    # and max - min beyond float32
    x[2, 5], x[3, :] = 1e-45, 1e-40    # 1/d beyond float32: codes 0
    with np.errstate(invalid="raise"):  # no NaN on the way either: what a cast makes of it depends on the machine
        back = gguf.dequantize(gguf.quantize(x, type), type)
    assert np.isfinite(back).all()
    assert type == "F32" or np.abs(back[2:]).max() < 1e-37
    if "d" in gguf.TYPES[type].struct.names:
        assert np.abs(gguf.unpack_blocks(gguf.quantize(x, type), type)[0][:2]).max() == 65504


def test_mxfp4_sends_ties_down_and_never_writes_minus_zero():
    x = np.array([0.25, -0.25, 0.75, -0.75, 1.25, 1.75, 2.5, 3.5, -5.0, 6.0, -0.1, 7.99] + [0] * 20, np.float32)
    e, codes = gguf.choose_codes(x, "MXFP4")
    assert e == 127
    np.testing.assert_array_equal(codes[:12], [0, 0, 1, 9, 2, 3, 4, 5, 14, 7, 0, 7])
    np.testing.assert_array_equal(gguf.dequantize(gguf.quantize(x, "MXFP4"), "MXFP4")[:12],
                                  [0, 0, 0.5, -0.5, 1, 1.5, 2, 3, -4, 6, 0, 6])


def test_mxfp4_exponent_is_one_too_large_just_below_a_power_of_two():
    """As in ggml: log2 in float32 rounds up to a whole number there."""
    x = np.zeros((3, 32), np.float32)
    x[:, 0] = [np.nextafter(np.float32(1024), np.float32(0)), 1000, 1024]
    np.testing.assert_array_equal(gguf.choose_codes(x, "MXFP4")[0][:, 0], [127 + 10 - 2, 127 + 9 - 2, 127 + 10 - 2])


def test_ternary_keeps_ternary_weights_exactly():
    codes = np.random.default_rng(5).integers(-1, 2, (7, 512))
    codes[:, ::256] = 1
    for type in ("TQ1_0", "TQ2_0"):
        np.testing.assert_array_equal(gguf.dequantize(gguf.quantize(codes * 0.375, type), type), codes * 0.375)


@pytest.mark.parametrize("type", SUPER)
def test_many_super_blocks_at_once_are_as_each_alone(type):
    x = np.random.default_rng(6).standard_t(3, (300, 256)).astype(np.float32)  # more than a chunk
    together = gguf.quantize(x, type)
    for i in (0, 1, 255, 256, 299):
        np.testing.assert_array_equal(gguf.quantize(x[i], type), together[i])


def test_searched_scales_beat_the_plain_grid_of_their_size():
    """Q4_K and Q4_0 both take 4.5 bits per weight."""
    x = np.random.default_rng(7).normal(0, 0.02, (64, 1024)).astype(np.float32)
    error = {type: np.square(gguf.dequantize(gguf.quantize(x, type), type) - x).mean() for type in ("Q4_0", "Q4_K")}
    assert gguf.TYPES["Q4_K"].bits_per_weight == gguf.TYPES["Q4_0"].bits_per_weight == 4.5
    assert error["Q4_K"] < 0.8 * error["Q4_0"]


@every_type
def test_size_and_number_are_those_of_ggml(type):
    block = gguf.TYPES[type]
    assert (block.elements, block.nbytes) == oracle.GGML_QUANT_SIZES[oracle.GGMLQuantizationType[type]]
    assert block.number == oracle.GGMLQuantizationType[type]
    assert block.bits_per_weight == 8 * block.nbytes / block.elements


@every_type
def test_bad_blocks(type):
    block = gguf.TYPES[type]
    if block.nbytes > 1:
        with pytest.raises(ValueError, match=rf"{block.nbytes} bytes each: .*not whole blocks"):
            gguf.dequantize(np.ones((2, block.nbytes * 2 + 1), np.uint8), type)
    with pytest.raises(TypeError, match="uint8, got dtype int8"):
        gguf.dequantize(np.ones((2, block.nbytes), np.int8), type)
    parts = gguf.unpack_blocks(random_blocks(type, 6).reshape(2, -1), type)
    with pytest.raises(ValueError, match=rf"{len(parts)} arrays, scales first, codes last"):
        gguf.pack_blocks(*parts, parts[-1], type)
    for i in range(len(parts) - 1):
        with pytest.raises(ValueError, match=rf"need one scale per {block.elements}"):
            gguf.pack_blocks(*parts[:i], parts[i][:1], *parts[i + 1 :], type)
    if block.codes:
        low, high = block.codes
        wrong = parts[-1].astype(np.int32)
        wrong[1, 3] = high + 1
        with pytest.raises(ValueError, match=rf"codes lie in {low}\.\.{high}, got .*{high + 1}"):
            gguf.pack_blocks(*parts[:-1], wrong, type)


@pytest.mark.parametrize("type, part, wrong, limits", [("Q2_K", 3, 16, "0..15"), ("Q3_K", 1, -33, "-32..31"),
                                                       ("Q4_K", 2, 64, "0..63"), ("Q5_K", 3, 64, "0..63")])
def test_scales_of_sub_blocks_that_do_not_fit_their_bits(type, part, wrong, limits):
    parts = list(gguf.unpack_blocks(random_blocks(type, 3), type))
    parts[part] = parts[part].copy()
    parts[part][2, 0, 5] = wrong
    with pytest.raises(ValueError, match=f"{type}: scales and minima of sub-blocks lie in {limits}, got .*{wrong}"):
        gguf.pack_blocks(*parts, type)


@every_written
def test_bad_numbers(type):
    x = np.ones((2, 256), np.float32)
    x[1, 7] = np.nan
    x[1, 9] = np.inf
    with pytest.raises(ValueError, match=r"2 of 512 values .* first at index \(1, 7\)"):
        gguf.quantize(x, type)
    if gguf.TYPES[type].elements > 1:
        with pytest.raises(ValueError, match=rf"blocks of {gguf.TYPES[type].elements}: .*\(2, 33\)"):
            gguf.quantize(np.ones((2, 33)), type)
    with pytest.raises(ValueError, match=r"does not divide|are NaN"):
        gguf.quantize(np.float32("nan"), type)


@pytest.mark.parametrize("bad", ["a", None, [1j] * 32, [True] * 32])
def test_only_real_numbers_are_written(bad):
    with pytest.raises(TypeError, match="expected an array of real numbers, got dtype"):
        gguf.quantize(bad, "Q4_0")


@pytest.mark.filterwarnings("error")
def test_a_float64_beyond_float32_is_refused_without_a_warning():
    with pytest.raises(ValueError, match="32 of 32 values"):
        gguf.quantize(np.full(32, 1e39), "Q4_0")


@pytest.mark.parametrize("type", [name for name in gguf.TYPES if name not in WRITTEN])
def test_types_that_are_only_read_say_so(type):
    for call in (gguf.quantize, gguf.choose_codes):
        with pytest.raises(ValueError, match=f"{type} blocks can be read, not written: choose one of .*Q6_K"):
            call(np.ones((1, 256)), type)


def test_an_unknown_type_lists_what_exists():
    for call in (gguf.quantize, gguf.dequantize):
        with pytest.raises(ValueError, match="'Q9_0'.*Q8_0, Q4_0"):
            call(np.ones((1, 32), np.uint8), "Q9_0")

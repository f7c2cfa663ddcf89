"""Every version of the ladder, and every detour, against a sum written out in float64."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.kernels import bits, detours, ladder
from tests import naive
from tests.kernels.packs import input_of

ROWS, COLUMNS = 5, 128
HALVES = {"int4_v2": ladder.pack_halves, "int4_v3": ladder.pack_halves}


def matrix(width, seed=0):
    """Codes that take every value, and float16 scales."""
    rng = np.random.default_rng(seed)
    most = 1 << (width - 1)
    codes = rng.integers(-most, most, (ROWS, COLUMNS)).astype(np.int8)
    codes[0, :2] = -most, most - 1
    scale = rng.uniform(0.001, 0.1, (ROWS, COLUMNS // 32)).astype(np.float16)
    return codes, scale, rng.standard_normal(COLUMNS).astype(np.float32)


def stored(name, codes):
    """Codes in the layout that a version reads."""
    return HALVES.get(name, ladder.pack_neighbours)(codes) if "int4" in name else codes


@pytest.mark.parametrize("width", [8, 4])
@pytest.mark.parametrize("version", ["v0", "v1", "v2"])
def test_versions_with_float_activations(width, version):
    codes, scale, x = matrix(width)
    name = f"int{width}_{version}"
    arguments, out = (stored(name, codes), scale.view(np.int16), x), np.empty(ROWS, np.float32)
    if version == "v0":
        out = getattr(ladder, name)(*arguments)
    else:
        getattr(ladder, name)(out, *arguments, *([np.empty(COLUMNS // 32, np.float32)] if version == "v2" else []))
    want, size = naive.grouped_matvec(codes, scale, x)
    assert out.dtype == np.float32 and (abs(out - want) <= 1e-6 * size).all()


@pytest.mark.parametrize("width", [8, 4])
def test_versions_with_8_bit_activations(width):
    codes, scale, x = matrix(width, seed=1)
    rounded, name, out = input_of(x, "int8:g32"), f"int{width}_v3", np.empty(ROWS, np.float32)
    getattr(ladder, name)(out, stored(name, codes), scale.view(np.int16), rounded.codes, rounded.scale,
                          np.empty(COLUMNS // 32, np.float32))
    want, size = naive.grouped_matvec(codes, scale, rounded.codes * np.repeat(rounded.scale, 32))
    assert (abs(out - want) <= 1e-6 * size).all()


def test_layouts_by_hand():
    codes = np.array([[-8, 7, 0, 1]], np.int8)  # plus 8: 0, 15, 8, 9
    assert ladder.pack_neighbours(codes).tolist() == [[0xF0, 0x98]]
    assert ladder.pack_halves(codes).tolist() == [[0x80, 0x9F]]


@pytest.mark.parametrize("width", [8, 4])
def test_dequantized_copies_and_their_product(width):
    codes, scale, x = matrix(width, seed=2)
    copy, out = np.empty((ROWS, COLUMNS), np.float32), np.empty(ROWS, np.float32)
    dequantize = detours.dequantize_int8 if width == 8 else detours.dequantize_int4
    dequantize(copy, codes if width == 8 else ladder.pack_halves(codes), scale.view(np.int16))
    assert np.array_equal(copy, codes.astype(np.float32) * np.repeat(scale, 32, axis=1).astype(np.float32))
    detours.float32_matvec(out, copy, x)
    want, size = naive.grouped_matvec(codes, scale, x)
    assert (abs(out - want) <= 1e-6 * size).all()


def test_fake_quantization_rounds_and_clips():
    codes, scale, x = matrix(4, seed=3)
    scale = scale.astype(np.float32)
    w = np.random.default_rng(4).standard_normal((ROWS, COLUMNS)).astype(np.float32)
    stored_bits = (w.view(np.uint32) >> 16).astype(np.uint16)
    floats = np.vectorize(bits.bf16_to_float)(stored_bits).astype(np.float32)
    q = np.clip(np.rint(floats / np.repeat(scale, 32, axis=1)), -7, 7)
    assert (abs(q) == 7).any() and (abs(q) < 7).any()
    out = np.empty(ROWS, np.float32)
    detours.fake_quant_matvec(out, stored_bits, scale, x, np.float32(7))
    want, size = naive.grouped_matvec(q, scale, x)
    assert (abs(out - want) <= 1e-6 * size).all()


@pytest.mark.parametrize("pieces", [1, 2, 8])
def test_pieces_make_the_same_product(pieces):
    w = np.random.default_rng(5).standard_normal((8, 64)).astype(np.float32)
    stored_bits, x = (w.view(np.uint32) >> 16).astype(np.uint16), np.ones(64, np.float32)
    whole, cut = np.empty(8, np.float32), np.zeros(8, np.float32)
    detours.bf16_matvec(whole, stored_bits, x)
    detours.bf16_in_pieces(cut, stored_bits, x, pieces)
    assert np.array_equal(whole, cut)

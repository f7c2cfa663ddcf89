"""The followed weight: found by its rule, and encoded as the quantizer encodes it."""

import ml_dtypes
import numpy as np
import pytest

import minquant as mq
from minquant.teaching import one_weight
from minquant.teaching.one_weight import OneWeight, encoded, followed


@pytest.fixture(scope="module")
def tiny():
    return mq.load("tiny")


def test_the_weight_is_the_second_largest_of_its_group(tiny):
    weight = followed(tiny)
    group = np.abs(tiny.weights[weight.tensor][weight.row, :one_weight.GROUP])
    assert sorted(group)[-2] == abs(np.float32(weight.value)) == group[weight.column]
    assert "layers.3.mlp.down_proj" in str(weight)


def test_the_weight_is_worth_following(tiny):
    """It must change on the way down: not zero at int4, and visibly off at int2."""
    weight = followed(tiny)
    matrix = tiny.weights[weight.tensor]
    assert abs(encoded(matrix, weight, "int4:g32").code) >= 2
    assert encoded(matrix, weight, "int2:g32").value != weight.value


def test_a_model_too_narrow_is_named():
    class Narrow:
        config = type("Config", (), {"layers": 1})
        weights = {"model.layers.0.mlp.down_proj.weight": np.zeros((8, 64), np.float32)}
    with pytest.raises(ValueError, match="101 rows"):
        followed(Narrow())


MATRIX = np.random.default_rng(0).normal(size=(4, 64)).astype(np.float32)
WEIGHT = OneWeight("w", 2, 40, float(MATRIX[2, 40]))


def test_bf16_shows_the_upper_half_of_float32():
    code = encoded(MATRIX, WEIGHT, "bf16")
    bits = np.float32(WEIGHT.value).astype(ml_dtypes.bfloat16).view(np.uint16)
    assert code.bits == f"{int(bits):016b}"
    assert [(n, len(b)) for n, b in code.fields] == [("sign", 1), ("exponent", 8), ("mantissa", 7)]
    assert code.scale is None and code.code is None and code.scale_bits == 0


@pytest.mark.parametrize("scheme", ["int8:channel", "int8:tensor", "int4:g32", "int3:g32", "int2:g32"])
def test_integers_show_their_two_complement(scheme):
    code, q = encoded(MATRIX, WEIGHT, scheme), mq.quantize(MATRIX, scheme)
    assert code.code == q.codes[2, 40]
    assert int(code.bits, 2) - (1 << len(code.bits)) * (code.bits[0] == "1") == code.code
    assert code.value == q.dequantize()[2, 40]
    assert np.float32(code.scale) * np.float32(code.code) == np.float32(code.value)
    assert code.shared_by == {"channel": 64, "tensor": 256, "g32": 32}[scheme.split(":")[1]]
    assert code.scale_bits == (16 if scheme.endswith("g32") else 32)


def test_fp8_and_zero_points():
    fp8 = encoded(MATRIX, WEIGHT, "fp8_e4m3:channel")
    as_float = np.array([int(fp8.bits, 2)], np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float32)[0]
    assert np.float32(as_float) * np.float32(fp8.scale) == np.float32(fp8.value)
    asym = encoded(MATRIX, WEIGHT, "int4:g32:asym")
    assert asym.zero_point is not None
    assert np.float32(asym.scale) * np.float32(asym.code - asym.zero_point) == np.float32(asym.value)


@pytest.mark.parametrize("scheme, field, bits, shared", [
    ("nf4", "index", 32, 64), ("mxint8", "integer", 8, 32), ("mxfp4", "mantissa", 8, 32), ("nvfp4", "mantissa", 8, 16)])
def test_other_formats_have_no_integer_code(scheme, field, bits, shared):
    code, q = encoded(MATRIX, WEIGHT, scheme), mq.quantize(MATRIX, scheme)
    assert (code.fields[-1][0], code.scale_bits, code.shared_by, code.code) == (field, bits, shared, None)
    assert code.value == q.dequantize()[2, 40]

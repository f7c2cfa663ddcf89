"""QTensor: its size, its bytes, and that it refuses parts that do not fit."""

import ml_dtypes
import naive
import numpy as np
import pytest

from minquant import packing
from minquant.scaling import QTensor, Scheme, quantize

X = np.random.default_rng(0).normal(0, 1, (64, 256)).astype(np.float32)


@pytest.mark.parametrize("scheme, bits", [
    ("int4:g128", 4 + 16 / 128), ("int4:g128:asym", 4 + 20 / 128), ("int4:g32", 4.5), ("int4:g32:asym", 4.625),
    ("int2:g32:asym", 2 + 18 / 32), ("int8:g32", 8.5), ("int3:g64", 3.25), ("q8_0", 8.5), ("q4_0", 4.5), ("bf16", 16),
    ("fp16", 16), ("int8:channel", 8 + 32 / 256), ("int8:channel:asym", 8 + 40 / 256), ("fp4_e2m1:g32", 4.5),
    ("int8:tensor", 8 + 32 / (64 * 256)), ("fp6_e2m3:channel", 6.125), ("q5_0", 5.5), ("q4_1", 5.0), ("mxfp8", 8.25),
    ("mxfp6_e3m2", 6.25), ("mxfp4:even", 4.25), ("mxint8", 8.25), ("nf4", 4.5), ("nf4:g32", 4.5), ("ternary:g64", 1.85),
    ("nvfp4", 4.5 + 32 / (64 * 256)), ("nf4_dq", 4.125 + (32 + 32) / (64 * 256)), ("int7:channel", 7.125),
])
def test_true_size(scheme, bits):
    q = quantize(X, scheme)
    assert q.bits_per_weight == pytest.approx(bits, abs=1e-3 if "ternary" in scheme else 0)
    assert q.nbytes == -(-bits * X.size // 8) if "ternary" in scheme else q.nbytes == bits * X.size / 8
    assert sum(part.nbytes for part in q.pack().values()) == q.nbytes
    assert all(part.dtype == np.uint8 for part in q.pack().values())


@pytest.mark.parametrize("scheme", [
    "int8:tensor", "int4:g32", "int4:g32:asym", "int3:channel", "int2:token:asym", "int5:g64:full", "bf16", "fp16",
    "fp8_e4m3:channel", "fp6_e3m2:tensor", "fp4_e2m1:g32", "nf4", "nf4_dq", "nvfp4", "mxfp8_e5m2", "mxfp6_e2m3",
    "mxfp4:ceil", "mxint8", "ternary:channel:absmean", "q8_0", "q5_0", "q4_0", "q4_1"])
def test_what_is_packed_comes_back_bit_for_bit(scheme):
    x = X.copy()
    x[3, 32:64] = 0  # a group of zeros
    x[5] *= 1e-6
    q = quantize(x, scheme)
    assert {name: part.nbytes for name, part in q.pack().items()} == q.scheme.packed_sizes(x.shape)
    back = QTensor.unpack(q.pack(), scheme, x.shape)
    assert back.scheme == q.scheme and back.extra.keys() == q.extra.keys()
    for own, other in [(q.codes, back.codes), (q.scale, back.scale), (q.zero_point, back.zero_point),
                       *((q.extra[name], back.extra[name]) for name in q.extra)]:
        assert own is None and other is None or own.dtype == other.dtype and own.tobytes() == other.tobytes()
    assert back.dequantize().tobytes() == q.dequantize().tobytes()


@pytest.mark.parametrize("scheme, shape", [
    ("int3:channel:asym", (1, 5)), ("ternary:tensor", (3, 7)), ("int4:g2", (2, 3, 4)), ("q4_1", (2, 2, 32)),
    ("int4:g4", (0, 4)), ("q4_0", (0, 32))])
def test_odd_shapes_come_back_too(scheme, shape):
    q = quantize(np.random.default_rng(1).normal(size=shape), scheme)
    back = QTensor.unpack(q.pack(), scheme, shape)
    assert back.shape == shape and back.dequantize().tobytes() == q.dequantize().tobytes()


def test_parts_that_are_not_those_of_a_packed_tensor():
    parts = quantize(X, "int4:g32").pack()
    with pytest.raises(ValueError, match=r"has parts of {'codes': 8192, 'scale': 1024} bytes, not {'codes': 8191, "):
        QTensor.unpack(parts | {"codes": parts["codes"][1:]}, "int4:g32", X.shape)
    with pytest.raises(ValueError, match="'zero_point': 256} bytes, not"):
        QTensor.unpack(parts, "int4:g32:asym", X.shape)
    with pytest.raises(ValueError, match="byte 7 is 255: five ternary codes"):
        packed = quantize(X, "ternary:tensor").pack()
        QTensor.unpack(packed | {"codes": np.where(np.arange(packed["codes"].size) == 7, 255, 0).astype(np.uint8)},
                       "ternary:tensor", X.shape)


def test_odd_counts_fill_up_a_byte():
    q = quantize(np.ones((1, 5)), "int3:channel:asym")
    assert q.nbytes == 2 + 4 + 1 and q.bits_per_weight == 8 * 7 / 5
    assert sum(part.nbytes for part in q.pack().values()) == 7


@pytest.mark.parametrize("scheme", ["int4:g32", "int3:channel", "int4:g32:asym", "fp6_e3m2:tensor"])
def test_parts_of_the_packed_tensor(scheme):
    q = quantize(X, scheme)
    parts, bits = q.pack(), q.scheme.bits
    assert parts["codes"].tobytes() == naive.pack_bits(q.codes.reshape(-1), bits)
    kind = "<f2" if q.scheme.granularity == "group" else "<f4"
    np.testing.assert_array_equal(np.frombuffer(parts["scale"].tobytes(), kind), q.scale.reshape(-1))
    assert ("zero_point" in parts) == (not q.scheme.symmetric)
    if "zero_point" in parts:
        assert parts["zero_point"].tobytes() == naive.pack_bits(q.zero_point.reshape(-1), bits)


def test_a_plain_cast_packs_to_its_codes():
    q = quantize(X, "bf16")
    assert q.pack().keys() == {"codes"} and q.scale is None
    assert q.pack()["codes"].tobytes() == X.astype(ml_dtypes.bfloat16).tobytes()


def test_types_and_shapes():
    shapes = {"int8:tensor": (), "int8:channel": (64, 1), "int8:token": (64, 1), "int4:g32": (64, 8), "q4_0": (64, 8)}
    for scheme, shape in shapes.items():
        q = quantize(X, scheme)
        assert (q.shape, q.codes.shape, q.scale.shape, q.zero_point) == (X.shape, X.shape, shape, None)
        assert q.codes.dtype == np.int8
        assert q.scale.dtype == (np.float16 if len(shape) and shape[-1] > 1 else np.float32)
    q = quantize(X, "int4:g32:asym")
    assert q.codes.dtype == q.zero_point.dtype == np.uint8 and q.zero_point.shape == q.scale.shape
    assert quantize(X, "fp8_e4m3:tensor").codes.dtype == np.uint8 and quantize(X, "fp16").codes.dtype == np.uint16


@pytest.mark.parametrize("scheme", ["int4:g32:asym", "fp4_e2m1:g32", "nvfp4"])
def test_codes_may_lie_in_memory_in_any_order(scheme):
    q = quantize(X, scheme)
    view = QTensor(np.asfortranarray(q.codes), q.scale, q.zero_point, q.scheme, q.extra)
    np.testing.assert_array_equal(view.dequantize(), q.dequantize())
    assert all(np.array_equal(part, q.pack()[name]) for name, part in view.pack().items())


def test_ternary_packs_five_to_a_byte():
    q = quantize(X, "ternary:channel:absmean")
    np.testing.assert_array_equal(packing.ternary.unpack(q.pack()["codes"], X.size), q.codes.reshape(-1))
    assert q.pack()["codes"].nbytes == -(-X.size // 5)


def test_parts_beside_must_be_those_of_the_preset():
    q = quantize(X, "nvfp4")
    with pytest.raises(ValueError, match="nvfp4 keeps global_scale; got nothing"):
        QTensor(q.codes, q.scale, None, q.scheme)
    with pytest.raises(ValueError, match=r"global_scale must be float32 of shape \(\), got float64"):
        QTensor(q.codes, q.scale, None, q.scheme, {"global_scale": np.array(1.0)})
    with pytest.raises(ValueError, match="int8:channel keeps nothing; got odd"):
        p = quantize(X, "int8:channel")
        QTensor(p.codes, p.scale, None, p.scheme, {"odd": np.zeros(1)})


def test_it_says_what_it_is():
    assert repr(quantize(X, "int4:g128")) == "QTensor(int4:g128, shape (64, 256), 4.125 bits per weight)"


@pytest.mark.parametrize("change, why", [
    ({"codes": np.zeros((64, 256), np.uint8)}, "codes must be int8 .* got uint8"),
    ({"codes": np.zeros((64, 128), np.int8)}, r"scale must be float16 of shape \(64, 4\), got float16 .* \(64, 8\)"),
    ({"codes": np.zeros((64, 250), np.int8)}, "group size 32 does not divide the last axis of length 250"),
    ({"scale": np.zeros((64, 8), np.float32)}, "scale must be float16"),
    ({"scale": np.zeros((64, 1), np.float16)}, r"scale must be float16 of shape \(64, 8\)"),
    ({"scale": None}, "scale is missing"),
    ({"zero_point": np.zeros((64, 8), np.uint8)}, "has no zero_point"),
    ({"scheme": Scheme.parse("int4:g32:asym"), "codes": np.zeros((64, 256), np.uint8)}, "zero_point is missing"),
    ({"scheme": Scheme.parse("bf16"), "codes": np.zeros((64, 256), np.uint16)}, "has no scale"),
])
def test_parts_that_do_not_fit(change, why):
    q = quantize(X, "int4:g32")
    parts = {"codes": q.codes, "scale": q.scale, "zero_point": q.zero_point, "scheme": q.scheme}
    with pytest.raises(ValueError, match=why):
        QTensor(**parts | change)

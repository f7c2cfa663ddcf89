"""Schemes: the string, its parts, and what a wrong one says."""

import dataclasses

import pytest

from minquant import formats
from minquant.scaling import Scheme
from minquant.scaling.names import PRESETS

CANONICAL = [
    "int8:tensor", "int8:channel", "int8:token", "int4:g128", "int4:g32:asym", "int3:channel:mse", "int2:g16:asym:l2",
    "int8:channel:full", "int5:tensor:full:mse", "fp8_e4m3:tensor", "fp8_e4m3:channel:mse", "fp4_e2m1:g32",
    "fp8_e5m2:token", "bf16", "fp16", "q8_0", "q4_0", "q4_1", "q5_0", "int8:tensor:kl", "int4:channel:asym:p99.9",
    "fp8_e4m3:tensor:p99.99", "ternary:tensor:absmean", "ternary:g64", "nf4:g32", "nf4:channel:l2", "nf4", "nf4_dq",
    "nvfp4", "mxfp8", "mxfp8_e5m2", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp4", "mxint8", "mxfp4:ceil", "mxfp8:even",
    "mxint8:rceil", "mxfp4:mse", "mxfp6_e3m2:l2", "int7:channel",
]


@pytest.mark.parametrize("text", CANONICAL)
def test_string_to_scheme_and_back(text):
    scheme = Scheme.parse(text)
    assert str(scheme) == text
    assert Scheme.parse(scheme) is scheme and Scheme.parse(str(scheme)) == scheme
    assert hash(Scheme.parse(text)) == hash(scheme)


def test_every_format_of_at_most_8_bits_makes_a_scheme():
    for name in set(formats.names()) - {"e8m0"}:
        text = name if formats.get(name).bits == 16 else f"{name}:channel"
        assert Scheme.parse(text).format is formats.get(name)


def test_options_in_any_order():
    assert str(Scheme.parse("int4:mse:asym:g32")) == "int4:g32:asym:mse"


def test_entropy_is_another_name_of_kl():
    assert Scheme.parse("int8:tensor:entropy") is not None
    assert str(Scheme.parse("int8:tensor:entropy")) == "int8:tensor:kl"


def test_presets_say_what_they_store():
    stored = {"mxfp4": (32, 8, "float32", "uint8"), "mxint8": (32, 8, "float32", "int8"),
              "nvfp4": (16, 8, "float32", "uint8"), "nf4": (64, 32, "float32", "uint8"),
              "nf4_dq": (64, 0, "float32", "uint8"), "q4_1": (32, 16, "float16", "uint8"),
              "q5_0": (32, 16, "float16", "int8"), "q8_0": (32, 16, "float16", "int8")}
    for name, parts in stored.items():
        s = Scheme.parse(name)
        assert (s.group_size, s.scale_bits, s.scale_dtype.name, s.code_dtype.name) == parts
        assert not s.has_zero_point
    assert Scheme.parse("int4:g32:asym").has_zero_point
    assert Scheme.parse("mxfp4").is_mx and not Scheme.parse("nf4").is_mx and Scheme.parse("q4_1").is_ggml


def test_the_parts():
    s = Scheme.parse("int4:g32:asym:mse")
    assert (s.format.name, s.granularity, s.group_size) == ("int4", "group", 32)
    assert (s.symmetric, s.calibrator, s.full_range, s.preset) == (False, "mse", False, "")
    assert (s.bits, s.code_range, s.code_dtype.name, s.scale_dtype.name) == (4, (0, 15), "uint8", "float16")
    s = Scheme("int8", "channel")
    assert s == Scheme.parse("int8:channel") and s.is_integer and s.code_range == (-127, 127)
    assert (s.code_dtype.name, s.scale_dtype.name) == ("int8", "float32")
    assert Scheme.parse("int8:channel:full").code_range == (-128, 127)
    assert [Scheme.parse(f"int{b}:tensor").code_range[1] for b in (8, 4, 3, 2)] == [127, 7, 3, 1]
    assert Scheme.parse("bf16").scale_dtype is None and Scheme.parse("bf16").code_dtype.name == "uint16"


@pytest.mark.parametrize("text, shape, scales, length", [
    ("int8:tensor", (4, 6), (), 24), ("int8:channel", (4, 6), (4, 1), 6), ("int8:token", (2, 4, 6), (2, 4, 1), 6),
    ("int8:g3", (2, 4, 6), (2, 4, 2), 3), ("int8:g6", (6,), (1,), 6), ("int8:channel", (0, 6), (0, 1), 0),
])
def test_who_shares_a_scale(text, shape, scales, length):
    scheme = Scheme.parse(text)
    assert scheme.scale_shape(shape) == scales and scheme.block_length(shape) == length


@pytest.mark.parametrize("text", ["int9:channel", "", "INT8:channel", "int8 :channel", "mxfp5", "q9_0", "q8_0:channel",
                                  "nvfp4:g16", "mxfp4:even:l2", "mxfp4:g32:even"])
def test_an_unknown_scheme_lists_what_exists(text):
    with pytest.raises(ValueError, match="unknown scheme .*mxfp8.*q8_0.*fp8_e4m3.*int8.*channel"):
        Scheme.parse(text)


@pytest.mark.parametrize("option", ["row", "p", "p0", "p101", "p9.9.9", "p-1", "pN", "g", "g-1", "g3.5", "sym", "", "g³"])
def test_an_unknown_option_lists_what_exists(option):
    with pytest.raises(ValueError, match="unknown option .*tensor, channel, token.*asym"):
        Scheme.parse(f"int4:{option}")


@pytest.mark.parametrize("text, why", [
    ("int8", "int8 needs a scale.*int8:channel"),
    ("int8:asym", "int8 needs a scale"),
    ("fp8_e4m3", "fp8_e4m3 needs a scale"),
    ("bf16:channel", "bf16 is a plain cast"),
    ("bf16:mse", "bf16 needs a scale|plain cast"),
    ("int4:g0", "group size 0"),
    ("fp8_e4m3:channel:asym", "'asym' and 'full' are for integers"),
    ("fp8_e4m3:channel:full", "'asym' and 'full' are for integers"),
    ("int4:channel:asym:full", "'full' is for symmetric"),
    ("int4:channel:g32", "'g32'.* set already"),
    ("int4:channel:mse:l2", "'l2'.* set already"),
    ("int4:channel:asym:asym", "'asym'.* set already"),
    ("e8m0:channel", "e8m0 has no sign and no zero"),
    ("ternary:channel:asym", "not for ternary"),
    ("ternary:channel:full", "not for ternary"),
    ("int4:channel:absmean", "'absmean' is for ternary"),
    ("fp8_e4m3:tensor:kl", "'kl' counts the levels of an even grid, which fp8_e4m3 has not"),
    ("nf4:channel:kl", "'kl' counts the levels"),
    ("int4:channel:mse:p99", "'p99'.* set already"),
    ("mxfp4:minmax", "unknown calibrator 'minmax': choose one of floor, ceil, even, rceil, mse, l2"),
    ("mxfp4:p99", "unknown calibrator 'p99': choose one of floor"),
    ("bf16:p99", "bf16 needs a scale|plain cast"),
])
def test_parts_that_do_not_fit(text, why):
    with pytest.raises(ValueError, match=why):
        Scheme.parse(text)


@pytest.mark.parametrize("parts, why", [
    ({"granularity": "row"}, "unknown granularity 'row': choose one of tensor"),
    ({"calibrator": "best"}, "unknown calibrator 'best': choose one of minmax"),
    ({"granularity": "channel", "group_size": 32}, "do not fit"),
    ({"granularity": "group"}, "do not fit"),
    ({"format": "int1"}, "unknown number format 'int1'"),
])
def test_parts_given_by_hand(parts, why):
    with pytest.raises(ValueError, match=why):
        Scheme(**{"format": "int8"} | parts)


def test_only_strings_are_parsed():
    with pytest.raises(TypeError, match="a scheme is a string such as 'int4:g32'.* not int"):
        Scheme.parse(8)


def test_a_scheme_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS["q8_0"].group_size = 64

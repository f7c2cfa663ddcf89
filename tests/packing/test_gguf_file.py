"""The GGUF file: round trips, the gguf package reading ours and we its files, every byte named, damage of all kinds."""

import struct
from pathlib import Path

import gguf as oracle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minquant.packing import gguf
from minquant.packing.gguf import file

X = np.random.default_rng(0).normal(0, 0.02, (6, 512)).astype(np.float32)
METADATA = {
    "general.architecture": "llama", "general.name": "é, ü and 漢",
    "llama.block_count": 4, "below": -3, "long": 2**40, "below and long": -(2**40), "yes": True, "no": False,
    "epsilon": 2.0**-20, "exact": np.float64(0.1), "small": np.uint8(3), "half": np.int16(-7), "signed": np.int32(5),
    "tokens": ["a", "", "漢"], "scores": np.array([1.5, -2], np.float32), "ids": np.array([1, 2, 3], np.int32),
    "flags": np.array([True, False]), "doubles": np.array([0.1]), "none": [], "nothing": np.array([], np.uint16),
}
SMALL = {"general.architecture": "llama", "list": ["ab", "c"], "numbers": np.array([1, 2], np.int32), "on": True}


def tensors() -> dict[str, file.Tensor]:
    written = {name: (gguf.quantize(X, name), name, X.shape) for name, type in gguf.TYPES.items() if type.writable}
    row = X[0, :96]
    return {**written, "one row": (gguf.quantize(row, "Q8_0"), "Q8_0", row.shape),
            "no rows": (X[:0].view(np.uint8), "F32", (0, 512)),
            "four axes": (gguf.quantize(X.reshape(2, 3, 4, 128), "F16"), "F16", (2, 3, 4, 128))}


def small_file(tmp_path: Path) -> bytes:
    file.write(tmp_path / "small.gguf", SMALL, {"w": (gguf.quantize(X[:1, :32], "Q4_0"), "Q4_0", (1, 32)),
                                                "v": (gguf.quantize(X[:2, :32], "Q8_0"), "Q8_0", (2, 32))})
    return (tmp_path / "small.gguf").read_bytes()


@pytest.fixture
def small(tmp_path) -> bytes:
    return small_file(tmp_path)


def same(a, b) -> bool:
    return type(a) is type(b) and np.array_equal(a, b) and getattr(a, "dtype", None) == getattr(b, "dtype", None)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "model.gguf"
    file.write(path, METADATA, tensors())
    metadata, read = file.read(path)
    assert list(metadata) == list(METADATA) and list(read) == list(tensors())
    assert all(same(metadata[key], value) for key, value in METADATA.items())
    for name, (raw, type, shape) in tensors().items():
        assert read[name][1:] == (type, shape)
        np.testing.assert_array_equal(read[name][0], raw.reshape(read[name][0].shape))
        np.testing.assert_array_equal(gguf.dequantize(read[name][0], type), gguf.dequantize(raw, type).reshape(shape))
    assert [p.name for p in tmp_path.iterdir()] == ["model.gguf"]
    file.write(tmp_path / "again.gguf", metadata, read)
    assert (tmp_path / "again.gguf").read_bytes() == path.read_bytes()
    assert same(file.read(path.read_bytes())[0]["long"], 2**40)


def test_plain_lists_get_the_types_llama_cpp_uses(tmp_path):
    file.write(tmp_path / "m.gguf", {"i": [1, -2], "f": [0.5, 2.0], "b": [True, False], "l": [2**40], "t": ("x",)}, {})
    read = file.read(tmp_path / "m.gguf")[0]
    assert [read[key].dtype for key in "ifbl"] == [np.int32, np.float32, np.bool_, np.int64] and read["t"] == ["x"]


def test_the_gguf_package_reads_ours(tmp_path):
    file.write(tmp_path / "model.gguf", METADATA | {"general.alignment": 64}, tensors())
    reader = oracle.GGUFReader(tmp_path / "model.gguf")
    assert reader.alignment == 64
    for key, value in METADATA.items():
        if np.size(value):  # of empty arrays the package forgets the type
            np.testing.assert_array_equal(reader.fields[key].contents(), value)
    for tensor, (name, (raw, type, shape)) in zip(reader.tensors, tensors().items(), strict=True):
        assert (tensor.name, tensor.tensor_type.name, tuple(tensor.shape.tolist()[::-1])) == (name, type, shape)
        assert tensor.data.tobytes() == raw.tobytes()


@pytest.mark.parametrize("alignment", [None, 64])
def test_we_read_what_the_gguf_package_writes(tmp_path, alignment):
    writer = oracle.GGUFWriter(tmp_path / "theirs.gguf", "llama")
    if alignment:
        writer.add_custom_alignment(alignment)
    writer.add_block_count(4)
    writer.add_layer_norm_rms_eps(2.0**-20)
    writer.add_token_list(["a", "bc", "ü"])
    writer.add_array("ids", [1, 2, 3])
    writer.add_bool("yes", True)
    writer.add_tensor("plain", X)
    writer.add_tensor("half", X.astype(np.float16))
    for type in ("Q4_0", "TQ1_0", "BF16"):
        raw = gguf.quantize(X, type)
        writer.add_tensor(type, raw, raw_shape=raw.shape, raw_dtype=oracle.GGMLQuantizationType[type])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    metadata, read = file.read(tmp_path / "theirs.gguf")
    assert metadata["llama.block_count"] == 4 and metadata["llama.attention.layer_norm_rms_epsilon"] == 2.0**-20
    assert metadata["tokenizer.ggml.tokens"] == ["a", "bc", "ü"] and metadata["yes"] is True
    np.testing.assert_array_equal(metadata["ids"], [1, 2, 3])
    for name, type in (("plain", "F32"), ("half", "F16"), ("Q4_0", "Q4_0"), ("TQ1_0", "TQ1_0"), ("BF16", "BF16")):
        raw, found, shape = read[name]
        assert (found, shape) == (type, X.shape)
        np.testing.assert_array_equal(raw, gguf.quantize(X, type))
    covered = file.spans(tmp_path / "theirs.gguf")
    assert covered[-1].stop == (tmp_path / "theirs.gguf").stat().st_size


@pytest.mark.parametrize("tensors", [{}, tensors()], ids=["header alone", "tensors"])
def test_spans_cover_every_byte_once(tmp_path, tensors):
    file.write(tmp_path / "m.gguf", METADATA, tensors)
    data = (tmp_path / "m.gguf").read_bytes()
    spans = file.spans(data)
    assert spans[0].start == 0 and spans[-1].stop == len(data)
    assert all(a.stop == b.start and a.stop > a.start for a, b in zip(spans, spans[1:], strict=False))
    assert all(span.name and span.meaning for span in spans)
    assert spans == file.spans(tmp_path / "m.gguf")


def test_spans_say_what_the_bytes_say(small):
    by_name = {span.name: span for span in file.spans(small)}
    for name, form in (("version", "<I"), ("tensor count", "<Q"), ("key count", "<Q"), ("key 0: length", "<Q"),
                       ("list: count", "<Q"), ("w: axes", "<I"), ("w: length 0", "<Q"), ("v: offset", "<Q"),
                       ("w: type", "<I")):
        span = by_name[name]
        assert struct.unpack(form, small[span.start : span.stop]) == (span.value,)
    for name, text in (("magic", "GGUF"), ("key 0", "general.architecture"), ("general.architecture: value", "llama"),
                       ("list[0]", "ab"), ("tensor 1", "v")):
        assert small[by_name[name].start : by_name[name].stop].decode() == by_name[name].value == text
    assert by_name["v: offset"].value == 32 and by_name["v: length 1"].value == 2
    data = by_name["v: data"]
    assert small[data.start : data.stop] == gguf.quantize(X[:2, :32], "Q8_0").tobytes()
    assert data.meaning.startswith("2 blocks Q8_0, each 34 bytes for 32 weights")
    assert not any(small[span.start : span.stop].strip(b"\0") for span in file.spans(small) if span.name == "padding")


# ---- damage --------------------------------------------------------------------------------------------------------


def try_to_read(data: bytes) -> None:
    """It is read, or refused with ValueError: nothing else may happen."""
    try:
        file.read(data)
        file.spans(data)
    except ValueError as error:
        assert str(error).startswith("GGUF file, ")


def test_cut_anywhere(small):
    end = max(span.stop for span in file.spans(small) if span.name != "padding")
    for length in range(end):
        with pytest.raises(ValueError, match=r"GGUF file, .* at byte \d+"):
            file.read(small[:length])
    assert file.read(small[:end])[1].keys() == {"w", "v"}  # padding after the last tensor may be missing


@given(data=st.data())
def test_any_bytes_changed(data, tmp_path_factory):
    damaged = bytearray(small_file(tmp_path_factory.getbasetemp()))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255) | st.sampled_from([0, 127, 128, 255]))
    try_to_read(bytes(damaged))


def test_every_byte_of_the_header_changed(small):
    header = next(span.start for span in file.spans(small) if span.name == "w: data")
    for at in range(header):
        for value in (0, 1, small[at] ^ 0x80, 255):
            try_to_read(small[:at] + bytes([value]) + small[at + 1 :])


@given(st.binary(max_size=200))
def test_bytes_that_are_no_file(data):
    try_to_read(data)
    try_to_read(struct.pack("<4sIQQ", b"GGUF", 3, 1, 1) + data)


def patch(data: bytes, values: dict[str, bytes]) -> bytes:
    """The bytes of a file with other ones in the spans of these names."""
    patched = bytearray(data)
    for span in file.spans(data):
        if span.name in values:
            assert span.stop - span.start == len(values[span.name])
            patched[span.start : span.stop] = values[span.name]
    assert patched != data
    return bytes(patched)


@pytest.mark.parametrize("field, value, message", [
    ("magic", b"GGML", r"magic at byte 0: a GGUF file starts with b'GGUF', this one with b'GGML'"),
    ("version", struct.pack("<I", 2), r"version at byte 4: .*version 3, got 2$"),
    ("version", struct.pack(">I", 3), r"version at byte 4: .*big-endian"),
    ("tensor count", struct.pack("<Q", 2**63), r"tensor count at byte 8: 9223372036854775808 of them"),
    ("key count", struct.pack("<Q", 2**40), r"key count at byte 16: 1099511627776 of them"),
    ("key 0: length", struct.pack("<Q", 2**64 - 1), r"key 0: length at byte 24: .*cut short or damaged"),
    ("key 0", b"\xff" * 20, r"key 0 at byte 32: no UTF-8"),
    ("key 1", b"\0\0\0\xff", r"key 1 at byte \d+: no UTF-8"),
    ("general.architecture: type", struct.pack("<I", 13), r"type at byte 52: there is no type 13"),
    ("list: element type", struct.pack("<I", 9), r"element type at byte \d+: arrays of arrays"),
    ("list: count", struct.pack("<Q", 2**61), r"list: count at byte \d+: 2305843009213693952 of them, at 8 bytes"),
    ("numbers: count", struct.pack("<Q", 2**62), r"numbers: count at byte \d+: .*at 4 bytes"),
    ("on: value", b"\2", r"on: value at byte \d+: a bool is 0 or 1, got 2"),
    ("w: axes", struct.pack("<I", 5), r"w: axes at byte \d+: a tensor has 1 to 4, got 5"),
    ("w: axes", struct.pack("<I", 0), r"w: axes at byte \d+: a tensor has 1 to 4, got 0"),
    ("w: length 0", struct.pack("<Q", 33), r"w: length 0 at byte \d+: 33 columns are not whole Q4_0 blocks of 32"),
    ("w: length 1", struct.pack("<Q", 2**63), r"w: length 0 at byte \d+: no memory can hold shape .922337203685477580"),
    ("w: length 1", struct.pack("<Q", 2**40), r"v: offset at byte \d+: its data must follow"),
    ("v: length 1", struct.pack("<Q", 2**40), r"data of v at byte \d+: \d+ bytes are needed, 96 are left"),
    ("w: type", struct.pack("<I", 16), r"w: type at byte \d+: blocks of type 16 are not read here, only those of F32"),
    ("v: offset", struct.pack("<Q", 64), r"v: offset at byte \d+: .*at 32, not at 64"),
    ("tensor 1", b"w", r"tensor 1 at byte \d+: the name 'w' is there already"),
])
def test_each_field_is_checked(small, field, value, message):
    with pytest.raises(ValueError, match=message):
        file.read(patch(small, {field: value}))


def test_a_length_of_zero_hides_no_other(small):
    with pytest.raises(ValueError, match=r"w: length 0 at byte \d+: no memory can hold shape .0, 4611686018427387904."):
        file.read(patch(small, {"w: length 1": bytes(8), "w: length 0": struct.pack("<Q", 2**62)}))


def test_more_bytes_than_accounted_for(small):
    with pytest.raises(ValueError, match=r"end of file at byte \d+: 3 bytes more"):
        file.read(small + b"abc")


@pytest.mark.parametrize("alignment", [0, 24, 2**31])
def test_alignment_of_a_file(small, alignment):
    key = b"\x11\0\0\0\0\0\0\0general.alignment\4\0\0\0" + struct.pack("<I", alignment)
    data = patch(small, {"key count": struct.pack("<Q", 5)})
    data = data[:24] + key + data[24:]
    with pytest.raises(ValueError, match="general.alignment at byte 24: must be a power of two" if alignment < 32
                       else r"(padding|offset) at byte"):
        file.read(data)


@pytest.mark.parametrize("metadata, tensors, message", [
    ({"a": 2**64}, {}, "metadata a: 18446744073709551616 does not fit"),
    ({"a": 1e300}, {}, "metadata a: 1e.300 is beyond float32"),
    ({"a": None}, {}, "metadata a: a value is a bool, a number, a text or a list"),
    ({"a": 1j}, {}, "metadata a: a value is"),
    ({"a": [1, "b"]}, {}, "metadata a: a list holds"),
    ({"a": [[1], [2]]}, {}, "metadata a: a list holds"),
    ({"a": np.ones((2, 2))}, {}, "metadata a: arrays have one axis"),
    ({"a": np.ones(2, np.float16)}, {}, "metadata a: GGUF has no type for float16"),
    ({"": 1}, {}, "a key is a text of 1 to"),
    ({1: 1}, {}, "a key is a text of 1 to"),
    ({"general.alignment": 24}, {}, "power of two, uint32, got 24"),
    ({"general.alignment": "x"}, {}, "power of two, uint32, got 'x'"),
    ({}, {"w": (X.view(np.uint8), "F33", X.shape)}, "tensor w: unknown GGUF block type 'F33'"),
    ({}, {"w": (X.view(np.uint8), "F32", (6, 511))}, "tensor w: F32 of shape .6, 511. is 12264 bytes, uint8, got"),
    ({}, {"w": (X, "F32", X.shape)}, "tensor w: .* got 3072 of dtype float32"),
    ({}, {"w": (X.view(np.uint8), "Q4_0", (6, 33))}, "tensor w: Q4_0 needs 1 to 4 axes, the last one a multiple of 32"),
    ({}, {"w": (X.view(np.uint8), "F32", (1, 1, 1, 6, 512))}, "tensor w: F32 needs 1 to 4 axes"),
    ({}, {"w" * 64: (X.view(np.uint8), "F32", X.shape)}, "names have at most 63 bytes"),
])
def test_what_cannot_be_written(tmp_path, metadata, tensors, message):
    with pytest.raises(ValueError, match=message):
        file.write(tmp_path / "m.gguf", metadata, tensors)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, small):
    def refuse(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(file.os, "replace", refuse)
    with pytest.raises(OSError, match="no space"):
        file.write(tmp_path / "small.gguf", {}, {})
    monkeypatch.undo()
    assert (tmp_path / "small.gguf").read_bytes() == small and len(list(tmp_path.iterdir())) == 1

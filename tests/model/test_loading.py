"""Folders in Hugging Face's layout: read, written, and damaged in every way we thought of."""

from __future__ import annotations

import dataclasses
import json
import shutil
import struct

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from minquant._paths import data_dir
from minquant.model import Transformer, load, random_model, save, tensor_shapes
from minquant.model.safetensors import SafetensorsFile, write

from .conftest import SMALL, in_memory

Q = "model.layers.0.self_attn.q_proj.weight"


@pytest.fixture
def folder(tmp_path, small):
    """A saved small model without a tokenizer."""
    save(small, tmp_path / "saved")
    return tmp_path / "saved"


def parts(path) -> tuple[dict, bytes]:
    """Header and bytes of a safetensors file, read by hand."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8:8 + length]), raw[8 + length:]


def put_together(path, header, body: bytes) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def edit_config(folder, **changes) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# ---- what works


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_survives_the_way_through_a_folder(tmp_path, tied, tokens):
    model = in_memory(dataclasses.replace(SMALL, tied=tied))  # its weights are exact in bf16
    save(model, tmp_path)
    again = load(tmp_path)
    assert again.config == model.config and list(again.weights) == list(tensor_shapes(model.config))
    assert all(np.array_equal(again.weights[name], w) and again.weights[name].dtype == np.float32
               for name, w in model.weights.items())
    assert np.array_equal(again.logits(tokens), model.logits(tokens)) and again.tokenizer is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json", "model.safetensors"], "no temporary files"


def test_other_tools_read_what_we_write(folder, small):
    with open(folder / "model.safetensors", "rb") as file:
        read = safetensors.deserialize(file.read())
    assert {name for name, _ in read} == set(small.weights)
    for name, entry in read:
        assert entry["dtype"] == "BF16"
        values = np.frombuffer(bytes(entry["data"]), ml_dtypes.bfloat16).reshape(entry["shape"]).astype(np.float32)
        assert np.array_equal(values, small.weights[name])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_we_read_what_other_tools_write(folder, small, dtype):
    given = {name: (w * 1.001).astype(dtype) for name, w in small.weights.items()}
    safetensors.numpy.save_file(given, folder / "model.safetensors", metadata={"format": "np"})
    read = load(folder).weights
    assert all(np.array_equal(read[name], w.astype(np.float32)) for name, w in given.items())


def test_saving_rounds_to_bf16(tmp_path, small):
    model = Transformer(SMALL, {name: w * np.float32(1.001) for name, w in small.weights.items()})
    save(model, tmp_path)
    expected = model.weights[Q].astype(ml_dtypes.bfloat16).astype(np.float32)
    assert np.array_equal(load(tmp_path).weights[Q], expected)


def test_a_model_with_lazy_weights_is_saved(tmp_path):
    save(random_model(SMALL), tmp_path)
    assert np.array_equal(load(tmp_path).weights[Q], random_model(SMALL).weights[Q])


@pytest.mark.parametrize("kind, dtype", [("F32", np.float32), ("F16", np.float16), ("BF16", ml_dtypes.bfloat16)])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("qk_norm", [True, False])
def test_every_dtype_in_several_files_of_both_families(tmp_path, kind, dtype, tied, qk_norm, tokens):
    """Files put together by hand; what we read is what NumPy, or ml_dtypes, makes of the numbers."""
    model = in_memory(dataclasses.replace(SMALL, tied=tied, qk_norm=qk_norm))
    given = {name: (w * np.float32(1.001)).astype(dtype) for name, w in model.weights.items()}
    places = {name: f"model-{i % 3}.safetensors" for i, name in enumerate(given)}
    for file in set(places.values()):
        entries, body = {}, b""
        for name, w in given.items():
            if places[name] == file:
                entries[name] = {"dtype": kind, "shape": w.shape, "data_offsets": [len(body), len(body) + w.nbytes]}
                body += w.tobytes()
        put_together(tmp_path / file, entries, body)
    (tmp_path / "config.json").write_text(json.dumps(model.config.to_huggingface()))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    for lazy in (False, True):
        read = load(tmp_path, lazy=lazy)
        assert read.config == model.config
        assert all(np.array_equal(read.weights[name], w.astype(np.float32)) for name, w in given.items())
    assert np.isfinite(read.logits(tokens)).all()


@pytest.fixture
def sharded(folder, small):
    """The same model in two files and an index, as large checkpoints are."""
    names = list(small.weights)
    places = {name: f"model-0000{1 + (i % 3 == 0)}-of-00002.safetensors" for i, name in enumerate(names)}
    for file in set(places.values()):
        safetensors.numpy.save_file({name: small.weights[name] for name in names if places[name] == file}, folder / file)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


@pytest.mark.parametrize("lazy", [True, False])
def test_weights_may_be_spread_over_several_files(sharded, small, tokens, lazy):
    model = load(sharded, lazy=lazy)
    assert isinstance(model.weights, dict) != lazy and list(model.weights) == list(small.weights)
    assert np.array_equal(model.logits(tokens), small.logits(tokens))


@pytest.mark.parametrize("name, file, words", [
    (Q, "../model-00001-of-00002.safetensors", "only safetensors files of the same folder"),
    (Q, 3, "only safetensors files of the same folder"),
    (Q, "model-00003-of-00002.safetensors", "model-00003-of-00002.safetensors is missing"),
    ("model.norm.bias", "model-00001-of-00002.safetensors", "puts tensor model.norm.bias into"),
    (Q, None, "index.json does not say so"),
])
def test_an_index_that_lies_is_refused(sharded, name, file, words):
    path = sharded / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"] |= {name: file}
    if file is None:
        del index["weight_map"][name]
    path.write_text(json.dumps(index))
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        load(sharded)


@pytest.mark.parametrize("change", [{"qk_norm": True, "tied": False}, {"rope_scaling": (8.0, 1.0, 4.0, 8)}])
def test_qwen3_and_scaled_rope_survive_the_way_through_a_folder(tmp_path, change, tokens):
    model = in_memory(dataclasses.replace(SMALL, **change))
    save(model, tmp_path)
    again = load(tmp_path)
    assert again.config == model.config and np.array_equal(again.logits(tokens), model.logits(tokens))
    plain = in_memory(SMALL)
    assert not np.allclose(plain.logits(tokens), model.logits(tokens), rtol=1e-3), "the setting makes a difference"


def test_rows_are_read_alone(folder, small):
    weights = load(folder, lazy=True).weights
    assert np.array_equal(weights.rows(Q, 3, 7), small.weights[Q][3:7])
    with pytest.raises(KeyError):
        weights["lm_head.weight"]


def test_a_tied_model_may_hold_its_output_matrix_twice_if_both_agree(folder, small):
    twice = {**small.weights, "lm_head.weight": small.weights["model.embed_tokens.weight"]}
    safetensors.numpy.save_file(twice, folder / "model.safetensors")
    assert "lm_head.weight" not in load(folder).weights
    safetensors.numpy.save_file(twice | {"lm_head.weight": twice["lm_head.weight"] + 1}, folder / "model.safetensors")
    with pytest.raises(ValueError, match="lm_head.weight differs from model.embed_tokens.weight"):
        load(folder)


def test_the_trained_model_loads_and_writes_its_own_files_again(tmp_path):
    model = load("tiny")
    assert model.config.layers == 4 and model.config.parameters == 3_541_248 and model.tokenizer.vocab_size == 2048
    save(model, tmp_path)
    again = load(tmp_path)
    assert all(np.array_equal(again.weights[name], w) for name, w in model.weights.items())
    text = "Return a new list — naïve, 42.\n"
    assert np.array_equal(again.tokenizer.encode(text), model.tokenizer.encode(text))


# ---- folders that are not right


def test_missing_files_are_named(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match="no model 'nowhere': give 'tiny'"):
        load("nowhere")
    with pytest.raises(FileNotFoundError, match="config.json is missing"):
        load(tmp_path)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="model.safetensors is missing"):
        load(folder)


@pytest.mark.parametrize("other, words", [("model.safetensors.index.json", "index.json is damaged"),
                                          ("pytorch_model.bin", "a pickle can run code")])
def test_other_ways_to_store_weights_are_refused_by_name(folder, other, words):
    (folder / "model.safetensors").rename(folder / other)
    with pytest.raises(ValueError, match=words):
        load(folder)


@pytest.mark.parametrize("text, words", [
    ("{", "config.json is no valid JSON"), ("[" * 100_000, "config.json is no valid JSON"),
    ("[1]", "config.json is no JSON object"), ("{}", "not supported"),
])
def test_a_damaged_config_is_named(folder, text, words):
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match=words):
        load(folder)


def test_a_shape_that_is_not_the_files_is_named(folder):
    edit_config(folder, intermediate_size=32)
    with pytest.raises(ValueError, match=r"model.safetensors: tensor model.layers.0.mlp.gate_proj.weight has shape "
                                         r"\(24, 16\); config.json asks for \(32, 16\)"):
        load(folder)
    edit_config(folder, intermediate_size=24, num_hidden_layers=3)
    with pytest.raises(ValueError, match="tensor model.layers.2.input_layernorm.weight is missing"):
        load(folder)


def test_tensors_without_a_place_are_named(folder, small):
    bias = {**small.weights, "model.layers.0.self_attn.q_proj.bias": np.zeros(24, np.float32)}
    safetensors.numpy.save_file(bias, folder / "model.safetensors")
    with pytest.raises(ValueError, match="tensor model.layers.0.self_attn.q_proj.bias has no place in this model"):
        load(folder)


def test_a_type_that_is_no_float_is_named(folder, small):
    safetensors.numpy.save_file({**small.weights, Q: np.zeros((24, 16), np.int32)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=f"tensor {Q} has dtype I32; this version reads F32, F16, BF16"):
        load(folder)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_weight_that_is_not_finite_is_named(folder, dtype, value):
    header, body = parts(folder / "model.safetensors")
    weights = {name: w.astype(dtype) for name, w in load(folder).weights.items()}
    weights[Q][2, 3] = value
    entries, body = {}, b""
    for name, w in weights.items():
        kind = {2: "F16", 4: "F32"}[w.dtype.itemsize] if dtype is not ml_dtypes.bfloat16 else "BF16"
        entries[name] = {"dtype": kind, "shape": w.shape, "data_offsets": [len(body), len(body) + w.nbytes]}
        body += w.tobytes()
    put_together(folder / "model.safetensors", entries, body)
    with pytest.raises(ValueError, match=rf"model.safetensors: tensor {Q} holds {value} at \(2, 3\)"):
        load(folder)


def test_a_tokenizer_of_another_model_is_refused(folder):
    shutil.copy(data_dir() / "tokenizer.json", folder)
    with pytest.raises(ValueError, match="token 2047.*vocabulary of 19.*different models"):
        load(folder)


def test_a_tokenizer_we_cannot_read_leaves_the_model_without_one(folder):
    (folder / "tokenizer.json").write_text('{"model": {"type": "Unigram"}}')
    with pytest.warns(UserWarning, match="without its tokenizer: tokenizer.json: its model is 'Unigram'"):
        assert load(folder).tokenizer is None


# ---- safetensors files that are not right


@pytest.mark.parametrize("keep", [0, 7, 8, 100, -1, -1000])
def test_a_file_cut_short_is_refused(folder, keep):
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    path.write_bytes(raw[:keep])
    with pytest.raises(ValueError, match="model.safetensors is (cut short|no safetensors file)"):
        load(folder)


def test_every_cut_is_refused(folder):
    """Not one length of a cut file loads, and none fails in another way."""
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    for keep in range(0, len(raw), 97):
        path.write_bytes(raw[:keep])
        with pytest.raises(ValueError, match="model.safetensors"):
            SafetensorsFile(path)


def test_bytes_behind_the_last_tensor_are_refused(folder):
    with open(folder / "model.safetensors", "ab") as file:
        file.write(b"more")
    with pytest.raises(ValueError, match="model.safetensors is damaged: its header describes"):
        load(folder)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**9])
def test_an_enormous_header_is_refused_before_it_is_read(folder, length):
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    with pytest.raises(ValueError, match=f"announces a header of {length} bytes"):
        load(folder)


@pytest.mark.parametrize("header", [b"not JSON", b"[]", b"\xff\xfe", b'{"a": 1}', b"[" * 50_000,
                                    b'{"x": {"dtype": "F32"}}'])
def test_a_damaged_header_is_refused(folder, header):
    put_together(folder / "model.safetensors", header, b"")
    with pytest.raises(ValueError, match="model.safetensors: the header is damaged"):
        load(folder)


def test_a_name_that_stands_twice_is_refused(tmp_path):
    entry = '"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    put_together(tmp_path / "model.safetensors", f"{{{entry}}}".encode(), bytes(4))
    assert SafetensorsFile(tmp_path / "model.safetensors")["x"] == 0
    put_together(tmp_path / "model.safetensors", f"{{{entry}, {entry}}}".encode(), bytes(4))
    with pytest.raises(ValueError, match="header is damaged: a name stands in it twice"):
        SafetensorsFile(tmp_path / "model.safetensors")


@pytest.mark.parametrize("changes, words", [
    ({"data_offsets": [0, 10]}, "cannot lie in bytes 0 to 10"),
    ({"data_offsets": [8, 0]}, "cannot lie in bytes 8 to 0"),
    ({"data_offsets": [8, 0], "dtype": "I64"}, "cannot lie in bytes 8 to 0"),
    ({"data_offsets": [-8, 760]}, "no valid dtype, shape and offsets"),
    ({"data_offsets": [0]}, "no valid dtype, shape and offsets"),
    ({"data_offsets": [0.0, 768.0]}, "no valid dtype, shape and offsets"),
    ({"shape": [2**40, 2**40]}, "cannot lie in bytes"),
    ({"shape": [-24, -16]}, "no valid dtype, shape and offsets"),
    ({"shape": [True, 384]}, "no valid dtype, shape and offsets"),
    ({"shape": [1] * 9}, "no valid dtype, shape and offsets"),
    ({"shape": None}, "no valid dtype, shape and offsets"),
    ({"dtype": "F32"}, "cannot lie in bytes"),
    ({"dtype": 3}, "no valid dtype, shape and offsets"),
])
def test_a_damaged_entry_is_named(folder, changes, words):
    path = folder / "model.safetensors"
    header, body = parts(path)
    header[Q] |= changes
    put_together(path, header, body)
    with pytest.raises(ValueError, match=f"tensor {Q}.*{words}"):
        load(folder)


def test_tensors_that_overlap_or_leave_a_gap_are_refused(folder):
    path = folder / "model.safetensors"
    header, body = parts(path)
    k, v = (header[f"model.layers.0.self_attn.{letter}_proj.weight"] for letter in "kv")
    v["data_offsets"] = k["data_offsets"]
    put_together(path, header, body)
    with pytest.raises(ValueError, match="starts at byte"):
        load(folder)


def test_a_flipped_bit_anywhere_in_the_header_gives_a_clear_error_or_the_same_tensors(folder):
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    rng = np.random.default_rng(0)
    for position in rng.integers(0, 8 + length, 300):
        damaged = bytearray(raw)
        damaged[position] ^= 1 << rng.integers(0, 8)
        path.write_bytes(damaged)
        try:
            load(folder)
        except ValueError as error:
            assert "model.safetensors" in str(error)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, small):
    path = tmp_path / "model.safetensors"
    shapes = tensor_shapes(SMALL)
    write(path, shapes, small.weights)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="was not written: tensor model.norm.weight holds NaN"):
        write(path, shapes, {**small.weights, "model.norm.weight": np.full(16, np.nan, np.float32)})
    with pytest.raises(ValueError, match=r"model.norm.weight has shape \(3,\), not \(16,\)"):
        write(path, shapes, {**small.weights, "model.norm.weight": np.zeros(3, np.float32)})
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_saving_a_broken_model_leaves_no_file(tmp_path, small):
    small.weights[Q][0, 0] = np.inf
    with pytest.raises(ValueError, match=f"tensor {Q} holds NaN or infinity"):
        save(small, tmp_path)
    assert list(tmp_path.iterdir()) == []

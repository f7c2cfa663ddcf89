"""Beside llama.cpp: what is asked of it, what is made of its answer, and what happens when there is none.

``llama-bench`` is played by a small Python program.
"""

from __future__ import annotations

import json
import math
import sys

import gguf as oracle
import numpy as np
import pytest

from minquant import benchmark
from minquant.benchmark import random_gguf as files
from minquant.benchmark import versus as function
from minquant.interop import gguf_out
from minquant.model import Config, random_model
from minquant.packing import gguf

module = sys.modules["minquant.benchmark.versus"]  # the name in the package is the function
MINI = Config(vocab_size=64, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=128, context=64)
ANSWER = '''
words = sys.argv[1:]
asked = dict(zip(words[::2], words[1::2]))
open(__file__ + ".log", "a").write(json.dumps(asked) + chr(10))
print(json.dumps([{"build_commit": "abc123", "n_prompt": int(asked["-p"]), "n_gen": int(asked["-n"]),
                   "n_depth": int(asked["-d"]), "n_threads": int(asked["-t"]), "avg_ts": SPEED}]))
'''


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """``bench(text)`` writes a program that runs this Python text; ``bench()`` one that answers 50 tok/s."""
    monkeypatch.setattr(module, "TOKENS", 4)

    def write(text: str = ANSWER.replace("SPEED", "50.0")):
        path = tmp_path / "llama-bench"
        path.write_text(f"#!{sys.executable}\nimport json, sys, time\n{text}")
        path.chmod(0o755)
        return path

    return write


def compare(program, tmp_path, **settings):
    return function(program, MINI, **{"weights": ["q8_0"], "context": [3], "threads": 1, "repetitions": 2,
                                      "folder": tmp_path / "gguf", **settings})


def test_rows_and_what_was_asked(bench, tmp_path):
    program, said = bench(), []
    rows = compare(program, tmp_path, weights=["bf16", "q4_0"], context=[0, 5], progress=said.append)
    assert [(r["weights"], r["blocks"], r["activations"], r["context"]) for r in rows] == [
        ("bf16", "BF16", None, 0), ("bf16", "BF16", None, 5), ("q4_0", "Q4_0", "int8:g32", 0),
        ("q4_0", "Q4_0", "int8:g32", 5)]
    for row in rows:
        assert row["build"] == "abc123" and row["their_tokens_per_s"] == 50 and row["tokens"] == 4
        for name in ("tokens_per_s", "ratio"):
            assert 0 < row[f"{name}_p10"] <= row[name] <= row[f"{name}_p90"] < math.inf
        np.testing.assert_allclose(row["ratio"], row["tokens_per_s"] / 50)
    json.dumps(rows)
    asked = [json.loads(line) for line in (tmp_path / "llama-bench.log").read_text().splitlines()]
    assert len(asked) == 2 * 2 * 2
    assert [(a["-p"], a["-n"], a["-d"], a["-t"], a["-r"]) for a in asked[:4]] == [("0", "4", "0", "1", "1")] * 2 + [
        ("0", "4", "5", "1", "1")] * 2
    assert [a["-m"].rsplit("-", 1)[1] for a in asked] == ["BF16.gguf"] * 4 + ["Q4_0.gguf"] * 4
    assert any("round 2 of 2" in line for line in said)


def test_rounds_alternate_and_ratios_are_paired(monkeypatch):
    """Ours and theirs slow down together in the second round: the ratio stays."""
    order, speeds = [], {"ours": iter([40.0, 10.0, 40.0]), "theirs": iter([(20.0, "b"), (5.0, "b"), (20.0, "b")])}
    monkeypatch.setattr(module, "_our_tokens_per_s", lambda *a: order.append("ours") or next(speeds["ours"]))
    monkeypatch.setattr(module, "_their_tokens_per_s", lambda *a: order.append("theirs") or next(speeds["theirs"]))
    decoder = type("Fake", (), {"weights": "bf16", "threads": 1})()
    row = module._rounds(None, None, decoder, 3, 3, lambda line: None)
    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert row["ratio_p10"] == row["ratio"] == row["ratio_p90"] == 2


@pytest.mark.parametrize("text, said", [
    ("print('failed to load model', file=sys.stderr); sys.exit(3)", "exit code 3: failed to load model"),
    ("sys.exit(3)", r"exit code 3: \(nothing\)"),
    ("print('| model | size |')", r"did not print what llama-bench prints .* but: \| model"),
    ("print('[]')", "did not print"),
    ("print('[{\"avg_ts\": 5}]')", "did not print"),
    (ANSWER.replace("SPEED", "0.0"), "that cannot be compared"),
    (ANSWER.replace("SPEED", "50.0").replace('int(asked["-n"])', "128"), "that cannot be compared"),
])
def test_answers_that_are_none(bench, tmp_path, text, said):
    with pytest.raises(RuntimeError, match=said):
        compare(bench(text), tmp_path)


def test_a_program_that_hangs_is_stopped(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    with pytest.raises(RuntimeError, match="did not answer within 0.5 s"):
        compare(bench("time.sleep(60)"), tmp_path)


def test_programs_that_cannot_be_run(bench, tmp_path):
    program = bench()
    with pytest.raises(FileNotFoundError, match="there is no program .*missing"):
        compare(tmp_path / "missing", tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no program"):
        compare(tmp_path, tmp_path)
    program.chmod(0o644)
    with pytest.raises(PermissionError, match="is not executable"):
        compare(program, tmp_path)
    program.chmod(0o755)
    program.write_bytes(b"\x7fELF of another machine")
    with pytest.raises(PermissionError, match="is it built for this machine"):
        compare(program, tmp_path)


@pytest.mark.parametrize("settings, said", [
    ({"weights": ["int4:g32"]}, "some of bf16, q8_0, q4_0.*not int4:g32"), ({"weights": []}, "not none"),
    ({"weights": ["bf16", "bf16"]}, "each once"), ({"context": []}, "at least one length"),
    ({"context": [-1]}, "at least one length"), ({"repetitions": 0}, "repetitions at least 1"),
    ({"threads": 9999}, "9999 threads asked for"),
])
def test_bad_arguments_are_refused_before_a_file_is_written(bench, tmp_path, settings, said):
    with pytest.raises(ValueError, match=said):
        compare(bench(), tmp_path, **settings)
    assert not (tmp_path / "gguf").exists()


@pytest.mark.parametrize("blocks", ("BF16", "Q8_0", "Q4_0"))
@pytest.mark.parametrize("tied", (True, False))
def test_the_file_holds_the_model(tmp_path, blocks, tied):
    """As the ``gguf`` package reads it: every tensor, its blocks, and metadata llama.cpp wants."""
    config = Config(**{**vars(MINI), "tied": tied})
    path = files.random_gguf(config, blocks, tmp_path)
    reader, weights = oracle.GGUFReader(path), random_model(config).weights
    found = {tensor.name: tensor for tensor in reader.tensors}
    assert len(found) == len(weights) and ("output.weight" in found) != tied
    for name, ours in (("token_embd.weight", "model.embed_tokens.weight"),
                       ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight")):
        tensor = found[name]
        assert tensor.tensor_type.name == blocks
        np.testing.assert_array_equal(np.asarray(tensor.data).view(np.uint8), gguf.quantize(weights[ours], blocks))
    norm = found["blk.0.attn_norm.weight"]
    assert norm.tensor_type.name == "F32"
    np.testing.assert_array_equal(norm.data, weights["model.layers.0.input_layernorm.weight"])
    fields = {key: field.contents() for key, field in reader.fields.items()}
    assert fields["llama.attention.key_length"] == 16 and fields["llama.vocab_size"] == 64
    assert fields["tokenizer.ggml.model"] == "no_vocab" and fields["general.architecture"] == "llama"


def test_rows_of_q_are_in_the_order_of_llama_cpp(tmp_path):
    """Row i of a head stands at 2i, row i + half at 2i + 1; v keeps its order."""
    reader, weights = oracle.GGUFReader(files.random_gguf(MINI, "BF16", tmp_path)), random_model(MINI).weights
    found = {tensor.name: gguf.dequantize(np.asarray(tensor.data).view(np.uint8), "BF16") for tensor in reader.tensors}
    for part in ("q", "k"):
        matrix = weights[f"model.layers.0.self_attn.{part}_proj.weight"]
        for row in range(len(matrix)):
            head, i = divmod(row, MINI.head_dim)
            place = head * MINI.head_dim + (2 * i if i < 8 else 2 * (i - 8) + 1)
            np.testing.assert_array_equal(found[f"blk.0.attn_{part}.weight"][place], matrix[row])
    np.testing.assert_array_equal(found["blk.0.attn_v.weight"], weights["model.layers.0.self_attn.v_proj.weight"])


def test_a_file_is_written_once_in_pieces_and_another_shape_has_another_name(tmp_path, monkeypatch):
    whole = files.random_gguf(MINI, "Q8_0", tmp_path / "a").read_bytes()
    monkeypatch.setattr(gguf_out, "ROWS_AT_ONCE", 5)
    path = files.random_gguf(MINI, "Q8_0", tmp_path / "b")
    assert path.read_bytes() == whole
    monkeypatch.setattr(gguf.file, "write", lambda *a: pytest.fail("it was there"))
    assert files.random_gguf(MINI, "Q8_0", tmp_path / "b") == path
    monkeypatch.undo()
    assert files.random_gguf(Config(**{**vars(MINI), "rope_theta": 5.0}), "Q8_0", tmp_path / "b") != path
    assert [p.suffix for p in (tmp_path / "b").iterdir()] == [".gguf"] * 2


def test_files_that_cannot_be_written(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no random model is written in 'Q4_K'"):
        files.random_gguf(MINI, "Q4_K", tmp_path)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    with pytest.raises(OSError, match="name another folder"):
        files.random_gguf(MINI, "Q8_0", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_piece_too_many_leaves_no_file(tmp_path):
    raw = gguf.quantize(np.ones((2, 32), np.float32), "Q8_0")
    with pytest.raises(ValueError, match="tensor w: Q8_0 of shape .* is 68 bytes, and 102 came"):
        gguf.file.write(tmp_path / "m.gguf", {}, {"w": (lambda: iter([raw, raw[:1]]), "Q8_0", (2, 32))})
    assert list(tmp_path.iterdir()) == []


def test_the_package_hands_out_the_function():
    assert benchmark.versus is function and callable(function)

"""``minquant decode``: one row per combination, names as given, and the keys that others read."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

import minquant.benchmark

KEYS = {"weights", "kv", "threads", "context", "shape", "bytes_per_token", "speedup_over_bf16"} | {
    f"{key}{end}" for key in ("tokens_per_s", "gb_per_s", "share_of_read", "outside_ms") for end in ("", "_p10", "_p90")}


def row(weights: str, kv: str, context: int, threads: int) -> dict:
    figures = {"tokens_per_s": 100.0, "gb_per_s": 20.0, "read_gb_per_s": 25.0 * threads, "share_of_read": 0.8,
               "outside_ms": 0.75, "speedup_over_bf16": 2.0 if weights != "bf16" else 1.0}
    return {"shape": "model", "weights": weights, "activations": None, "kv": kv, "context": context, "threads": threads,
            "repetitions": 3, "nbytes": 1, "bytes_per_token": 2, "warning": f"small beside {threads}" if weights == "int4:g32" else None,
            **{f"{key}{end}": value for key, value in figures.items() for end in ("", "_p10", "_p90")}}


@pytest.fixture
def asked(monkeypatch) -> dict:
    """Nothing is measured; what was asked for is kept here."""
    seen = {}

    def measure(shape, weights, kv, context, threads, progress, **settings):
        seen.update(shape=shape, threads=threads, **settings)
        return [row(w, k, c, t) for w in weights for k in kv for c in context for t in threads or [4]]

    monkeypatch.setattr(minquant.benchmark, "measure_decode", measure)
    def versus(program, shape, weights, context, threads, folder, progress, **settings):
        seen["versus"] = {"program": str(program), "shape": shape, "weights": weights, "context": context,
                          "threads": threads, "folder": folder and str(folder), **settings}
        figures = {"tokens_per_s": 60.0, "their_tokens_per_s": 40.0, "ratio": 1.5}
        return [{"weights": w, "blocks": w.upper(), "context": 128, "threads": 2, "tokens": 32, "repetitions": 5,
                 "build": "abc123", **{f"{key}{end}": value for key, value in figures.items()
                                       for end in ("", "_p10", "_p90")}} for w in weights]

    monkeypatch.setattr(minquant.benchmark, "versus", versus)
    monkeypatch.setattr(minquant.benchmark, "machine", lambda: {"cpu": "a processor"})
    return seen


def test_one_row_per_combination_with_the_names_as_given(command, asked):
    done = command("decode", "--shape", "0.6b", "--weights", "bf16,q8_0,int4:g32", "--kv", "bf16", "--context", "16,128",
                   "--threads", "1,2", "--repetitions", 3, "--json")
    assert done.code == 0 and done.err == ""
    report = json.loads(done.out)
    assert set(report) == {"machine", "read_gb_per_s", "rows"}
    got = [(r["weights"], r["kv"], r["context"], r["threads"], r["shape"]) for r in report["rows"]]
    assert got == [(w, "bf16", c, t, "0.6b") for w in ("bf16", "q8_0", "int4:g32") for c in (16, 128) for t in (1, 2)]
    assert all(KEYS <= set(r) for r in report["rows"])
    assert report["read_gb_per_s"] == 50.0, "of the rows with the most threads"
    assert asked == {"shape": "0.6b", "threads": [1, 2], "repetitions": 3, "activations": None}


def test_defaults_are_all_threads_bf16_cache_and_128_tokens(command, asked):
    rows = json.loads(command("decode", "--json").out)["rows"]
    assert asked == {"shape": "0.1b", "threads": None, "activations": None}
    assert {(r["kv"], r["context"], r["shape"]) for r in rows} == {("bf16", 128, "0.1b")}
    assert [r["weights"] for r in rows] == ["bf16", "fp8_e4m3:channel", "int8:channel", "int4:g32"]


def test_the_table_prints_speed_beside_bandwidth_and_each_warning_once(command, asked):
    text = command("decode", "--threads", "1,1").out
    assert "a processor; 0.1b model, batch 1, medians of 3 rounds" in text
    assert text.count("100 (20.0)") == 8 and "80%" in text and "2.00x" in text
    assert text.count("int4:g32: small beside 1") == 1


def test_activations_in_eight_bits_are_asked_for_by_name(command, asked):
    assert command("decode", "--activations", "int8:g32", "--json").code == 0
    assert asked["activations"] == "int8:g32"


def test_a_checkpoint_is_loaded_and_named_as_given(command, asked, checkpoint):
    report = json.loads(command("decode", "--shape", checkpoint, "--json").out)
    assert asked["shape"].config.hidden == 64 and report["rows"][0]["shape"] == checkpoint


def test_parts_stand_below_the_table_where_they_are_asked_for(command, asked, monkeypatch):
    def measure(shape, weights, kv, context, threads, **settings):
        asked["parts"] = settings | {"progress": None}
        return [{"weights": w, "kv": "bf16", "context": 128, "threads": 4, "parts_ms": {"norms": 0.1234, "attention": 2.0}}
                for w in weights]

    monkeypatch.setattr(minquant.benchmark, "measure_parts", measure)
    text = command("decode", "--parts", "--weights", "q8_0,q4_0", "--repetitions", 2).out
    assert text.count("0.123") == 2 and "norms" in text and "milliseconds" in text
    assert asked["parts"] == {"progress": None, "repetitions": 2, "activations": None}
    assert "norms" not in command("decode", "--weights", "q8_0").out


def test_beside_llama_cpp(command, asked):
    done = command("decode", "--shape", "0.6b", "--versus", "llama-bench", "--gguf-dir", "there", "--threads", "1,2",
                   "--repetitions", 5, "--json")
    assert asked["versus"] == {"program": "llama-bench", "shape": "0.6b", "weights": ["bf16", "q8_0", "q4_0"],
                               "context": [128], "threads": [1, 2], "folder": "there", "repetitions": 5}
    assert asked["activations"] == "int8:g32", "as llama.cpp does it"
    report = json.loads(done.out)
    assert [r["weights"] for r in report["versus"]] == ["bf16", "q8_0", "q4_0"] and len(report["rows"]) == 6
    text = command("decode", "--versus", "llama-bench", "--activations", "float").out
    assert asked["activations"] is None and asked["versus"]["folder"] is None
    assert "Beside llama.cpp (build abc123): 32 tokens" in text and text.count("1.50x") == 3


@pytest.mark.needs_jit
def test_what_llama_cpp_cannot_be_compared_in_is_refused(command, checkpoint, tmp_path):
    for words, said in ((["--versus", tmp_path / "missing"], "there is no program"),
                        (["--versus", __file__], "not executable"),
                        (["--versus", "x", "--shape", checkpoint], "--versus compares random models")):
        done = command("decode", *words)
        assert (done.code, done.out) == (2, "") and said in done.err.splitlines()[-1], done


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")
@pytest.mark.parametrize("name, start", [("decode.png", b"\x89PNG"), ("decode.svg", b"<?xml")])
def test_a_picture_is_written_whole(command, asked, tmp_path, name, start):
    done = command("decode", "--context", "16,128", "--json", "--picture", tmp_path / name)
    assert done.code == 0 and json.loads(done.out) and name in done.err
    assert (tmp_path / name).read_bytes().startswith(start) and [p.name for p in tmp_path.iterdir()] == [name]


def test_a_picture_that_cannot_be_written_is_refused_before_anything_is_measured(refused, asked, tmp_path):
    assert ".png or .svg" in refused("decode", "--picture", tmp_path / "decode.txt")
    assert "no folder" in refused("decode", "--picture", tmp_path / "no" / "decode.png")
    assert asked == {}


@pytest.mark.parametrize("words, said", [
    (["--shape", "7b"], "choose one of tiny, 0.1b, 0.6b, 0.8b"),
    (["--weights", "int5:g32"], "no kernel for 'int5:g32'"),
    (["--weights", "int9"], "unknown scheme 'int9'"),
    (["--kv", "int5:token"], "cache in 'int5:token'"),
    (["--threads", "4096"], "4096 threads"),
    (["--weights", "bf16,bf16"], "each once"),
])
def test_what_cannot_be_measured_is_refused_in_one_line(command, words, said):
    words = words if "--shape" in words else ["--shape", "tiny", *words]
    done = command("decode", *words)
    assert (done.code, done.out) == (2, "") and said in done.err.splitlines()[-1], done


@pytest.mark.needs_jit
def test_a_real_measurement_of_a_small_model(command):
    done = command("decode", "--shape", "tiny", "--weights", "bf16,int4:g32", "--context", "8", "--threads", "1",
                   "--repetitions", 1, "--parts", "--json")
    assert done.code == 0
    parts = json.loads(done.out)["parts"]
    assert [(p["weights"], p["kv"], p["context"], p["threads"]) for p in parts] == [("bf16", "bf16", 8, 1),
                                                                                   ("int4:g32", "bf16", 8, 1)]
    assert all(ms > 0 for p in parts for ms in p["parts_ms"].values())
    for got in json.loads(done.out)["rows"]:
        assert KEYS <= set(got) and got["shape"] == "tiny" and got["tokens_per_s"] > 0
        assert got["gb_per_s"] == pytest.approx(got["tokens_per_s"] * got["bytes_per_token"] / 1e9)
        assert got["warning"], "a model of a few megabytes lies in any cache"

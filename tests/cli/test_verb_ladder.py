"""``minquant ladder``: settings that reach the measurement, the three ways to print it, the picture."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec

import pytest

import minquant.benchmark
from minquant.cli import ladder as verb

module = import_module("minquant.benchmark.ladder")


def made_up(levels=module.DEFAULT_LEVELS) -> module.LadderResult:
    rows = []
    for place, level in enumerate(levels):
        timed = {"tokens_per_s": 100.0 + 50 * place, "gb_per_s": 20.0, "read_gb_per_s": 25.0, "share_of_read": 0.8,
                 "speedup_over_bf16": 1 + place / 2}
        speed = {f"{key}{end}": value for key, value in timed.items() for end in ("", "_p10", "_p90")}
        row = module._size_row(level, "0.1b") | {"kl": 10.0 ** (place - 8), "kl_stderr": 10.0 ** (place - 9)}
        rows.append(row | {"shape": "0.1b", "kv": "bf16", "context": 128, "threads": 1, "warning": None, "perplexity": 20.0,
                           "perplexity_stderr": 1.0, "top1_agreement": 0.9, "bytes_per_token": row["footprint_bytes"],
                           **(speed if module._has_kernel(level) else dict.fromkeys(speed))})
    module._add_level_above(rows)
    return module.LadderResult({"cpu": "a processor"}, 25.0, rows, ["a note"], {"perplexity": 20.0})


@pytest.fixture
def asked(monkeypatch) -> list[dict]:
    """Nothing is measured; what was asked for is kept here."""
    seen = []

    def ladder(shape, *, threads, progress, **settings):
        progress("timing")
        seen.append({"shape": shape, "threads": threads, **settings})
        return made_up(settings.get("levels", module.DEFAULT_LEVELS))

    monkeypatch.setattr(minquant.benchmark, "ladder", ladder)
    return seen


def test_what_is_not_given_is_left_to_the_ladder(command, asked):
    assert command("ladder").code == 0
    assert asked == [{"shape": "0.1b", "threads": None}]


def test_every_setting_reaches_the_ladder(command, asked):
    command("ladder", "--shape", "0.6b", "--threads", 2, "--repetitions", 3, "--limit-bytes", 900, "--levels", "bf16,int4:g64")
    assert asked == [{"shape": "0.6b", "threads": 2, "repetitions": 3, "limit_bytes": 900, "levels": ["bf16", "int4:g64"]}]


def test_quick_gives_way_to_what_is_given(command, asked):
    command("ladder", "--quick", "--repetitions", 5)
    assert asked == [{"shape": "0.1b", "threads": None, "repetitions": 5, "limit_bytes": verb.QUICK["limit_bytes"]}]


def test_table_json_and_markdown(command, asked):
    levels = ["bf16", "int4:g32", "int5:g32"]  # the last has no kernel
    table, text, mark = (command("ladder", "--levels", ",".join(levels), *flag)
                         for flag in ([], ["--json"], ["--markdown"]))
    assert table.out.startswith("a processor, 1 thread, 25.0 GB/s") and "no kernel" in table.out and "a note" in table.out
    assert json.loads(text.out) == json.loads(json.dumps(made_up(levels).to_dict()))
    assert "| int5:g32 |" in mark.out and "- a note" in mark.out
    assert all("timing" in done.err and "timing" not in done.out for done in (table, text, mark))


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")
@pytest.mark.parametrize("name, start", [("ladder.png", b"\x89PNG"), ("ladder.svg", b"<?xml")])
def test_a_picture_is_written_whole(command, asked, tmp_path, name, start):
    done = command("ladder", "--json", "--picture", tmp_path / name)
    assert done.code == 0 and json.loads(done.out) and name in done.err
    assert (tmp_path / name).read_bytes().startswith(start) and [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name, said", [("ladder.txt", ".png or .svg"), ("no/folder/ladder.png", "no folder")])
def test_a_picture_that_cannot_be_written_is_refused_before_anything_is_measured(refused, asked, tmp_path, name, said):
    assert said in refused("ladder", "--picture", tmp_path / name)
    assert asked == []


def test_a_picture_without_matplotlib_names_the_command(refused, asked, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'minquant[lessons]'" in refused("ladder", "--picture", tmp_path / "x.png")


@pytest.mark.parametrize("words, said", [
    (["--shape", "7b"], "unknown shape '7b'"), (["--levels", "bf16,bf16"], "given twice"),
    (["--levels", "int9:channel"], "unknown scheme 'int9:channel'"), (["--levels", "int4:g100"], "100 does not divide"),
])
def test_what_cannot_be_measured_is_refused_in_one_line(refused, words, said):
    assert said in refused("ladder", *words)


@pytest.mark.needs_jit
def test_a_real_ladder_of_a_small_model(command):
    done = command("ladder", "--shape", "tiny", "--levels", "bf16,int4:g32,int5:g32", "--repetitions", 1, "--limit-bytes", 600,
                   "--json")
    assert done.code == 0
    bf16, int4, int5 = json.loads(done.out)["rows"]
    assert bf16["kl"] < int5["kl"] < int4["kl"] and int5["tokens_per_s"] is None
    assert int4["tokens_per_s"] > 0 and int4["bits_per_weight"] == 4.5 and int4["level_above"] == "bf16"

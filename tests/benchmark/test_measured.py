"""What the benchmarks hand out: complete rows, figures that fit each other, clear errors. No speed is asserted."""

from __future__ import annotations

import getpass
import json
import math
import re
import socket
from importlib import import_module

import numba
import numpy as np
import pytest

from minquant import benchmark
from minquant.benchmark import bandwidth, decode, statistics
from minquant.model import Config, random_model

machine_module = import_module("minquant.benchmark.machine")  # the name in the package is the function
MINI = Config(vocab_size=64, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=128, context=32)
ALL_THREADS = numba.config.NUMBA_NUM_THREADS
SMALL_BUFFER = 4 << 20
MEASURED = ("tokens_per_s", "gb_per_s", "read_gb_per_s", "share_of_read", "speedup_over_bf16")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Small buffers and short measurements."""
    monkeypatch.setattr(bandwidth, "SMALLEST", SMALL_BUFFER)
    monkeypatch.setattr(bandwidth, "CACHES", 0)
    monkeypatch.setattr(decode, "SECONDS", 0.005)


def spread_is_ordered(row, name):
    assert 0 < row[f"{name}_p10"] <= row[name] <= row[f"{name}_p90"] < math.inf


def test_summary_is_the_median_and_two_percentiles():
    assert statistics.summary("x", list(range(11))) == {"x": 5, "x_p10": 1, "x_p90": 9}
    with pytest.raises(ValueError, match="x: nothing was measured"):
        statistics.summary("x", [])


def test_machine_says_what_it_can_and_nothing_private():
    report = benchmark.machine()
    assert set(report) == {"cpu", "cores", "threads", "last_level_cache_bytes", "memory_bytes", "threading_layer", "system",
                           "versions"}
    assert report["threads"] == ALL_THREADS and report["versions"]["numba"] == numba.__version__
    words = set(re.findall(r"[\w.-]+", json.dumps(report)))
    assert not words & {socket.gethostname(), getpass.getuser()}


@pytest.mark.parametrize("text, expected", [("32768K", 32 << 20), ("64M", 64 << 20), ("512", 512), ("1G", 1 << 30)])
def test_cache_sizes_as_linux_writes_them(text, expected):
    assert machine_module._size(text) == expected


def test_the_largest_cache_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(machine_module.sys, "platform", "linux")
    monkeypatch.setattr(machine_module, "_CACHES", tmp_path)
    assert machine_module.last_level_cache() is None
    for index, size in enumerate(("32K", "1024K", "8M")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(size + "\n")
    assert machine_module.last_level_cache() == 8 << 20


def test_macos_is_asked_by_sysctl(monkeypatch):
    answers = {"hw.l3cachesize": "0", "hw.perflevel0.l2cachesize": "16777216", "machdep.cpu.brand_string": "Some CPU"}
    monkeypatch.setattr(machine_module.sys, "platform", "darwin")
    monkeypatch.setattr(machine_module, "_sysctl", answers.get)
    assert machine_module.last_level_cache() == 16 << 20 and machine_module._cpu() == "Some CPU"


def test_read_bandwidth_rows():
    rows = benchmark.read_bandwidth(repetitions=3)
    assert [row["threads"] for row in rows] == sorted({1, ALL_THREADS})
    for row in rows:
        spread_is_ordered(row, "read_gb_per_s")
        assert row["buffer_bytes"] == SMALL_BUFFER and row["repetitions"] == 3
    assert [row["threads"] for row in benchmark.read_bandwidth(1, 1, 1)] == [1]
    json.dumps(rows)


def test_a_loop_that_skips_bytes_is_noticed():
    loop = bandwidth.ReadLoop(2 << 20)
    loop.buffer[1, 5] = 0
    with pytest.raises(RuntimeError, match="did not read everything"):
        loop.gb_per_s(1)


def test_the_roof_is_the_loop_that_reads_fastest(monkeypatch):
    """Median of three rounds, the round before them being thrown away."""
    seen, speeds = [], {1: [9, 1, 5, 4], 2: [1, 6, 2, 7], 4: [1, 3, 3, 3]}
    monkeypatch.setattr(bandwidth.ReadLoop, "_read",
                        lambda self, threads, places: (seen.append(places), speeds[places].pop(0))[1])
    loop = bandwidth.ReadLoop(1)
    assert loop.places(2) == 2 and loop.tried == {2: {1: 4, 2: 6, 4: 3}} and seen == [1, 2, 4] * 4
    speeds[2].append(8)
    assert loop.gb_per_s(2) == 8  # and is not tried again


@pytest.mark.parametrize("call", (lambda: benchmark.read_bandwidth(0), lambda: benchmark.read_bandwidth([1, 9999]),
                                  lambda: benchmark.measure_decode(random_model(MINI), threads=9999)))
def test_more_threads_than_there_are(call):
    with pytest.raises(ValueError, match="threads asked for: this machine has 1 to"):
        call()


def test_decode_rows():
    said = []
    weights = ["bf16", "int8:channel"]
    rows = benchmark.measure_decode(random_model(MINI), weights, context=[3, 9], threads=1, repetitions=2,
                                    progress=said.append)
    assert [(r["weights"], r["context"]) for r in rows] == [("bf16", 3), ("bf16", 9), ("int8:channel", 3), ("int8:channel", 9)]
    for row in rows:
        assert row["shape"] == "model" and row["kv"] == "bf16" and row["threads"] == 1 and row["repetitions"] == 2
        for name in MEASURED:
            spread_is_ordered(row, name)
        np.testing.assert_allclose(row["gb_per_s"], row["tokens_per_s"] * row["bytes_per_token"] / 1e9)
        assert row["weights"] != "bf16" or row["speedup_over_bf16"] == 1
    assert rows[1]["bytes_per_token"] - rows[0]["bytes_per_token"] == 6 * 2 * 2 * 2 * 2 * 16
    assert any("packing int8:channel" in line for line in said) and any("round 2 of 2" in line for line in said)
    json.dumps(rows)


def test_without_bf16_there_is_no_speed_up():
    row, = benchmark.measure_decode(random_model(MINI), ["int8:channel"], threads=1, repetitions=1)
    assert row["speedup_over_bf16"] is None and row["speedup_over_bf16_p10"] is None


def test_a_model_that_fits_the_cache_carries_a_warning(monkeypatch):
    monkeypatch.setattr(decode, "last_level_cache", lambda: 10**6)
    row, = benchmark.measure_decode(random_model(MINI), ["bf16"], threads=1, repetitions=1)
    assert "smaller than 3 times the last-level cache" in row["warning"]
    monkeypatch.setattr(decode, "last_level_cache", lambda: 1000)
    assert benchmark.measure_decode(random_model(MINI), ["bf16"], threads=1, repetitions=1)[0]["warning"] is None


def test_speed_ups_are_paired_by_round():
    """Medians of ratios, not ratios of medians: a slow second round does not count."""
    samples = {("bf16", "bf16", 1, 1): {0: (10.0, 1.0, 0.5), 1: (1.0, 1.0, 0.5), 2: (10.0, 1.0, 0.5), 3: (5.0, 1.0, 0.5)},
               ("int8:channel", "bf16", 1, 1): {1: (3.0, 1.0, 0.5), 2: (20.0, 1.0, 0.5), 3: (10.0, 1.0, 0.5)}}
    facts = {"nbytes": 1, "bytes_per_token": 1, "warning": None}
    row = decode._row("x", ("int8:channel", "bf16", 1, 1), samples, facts, 3)
    assert row["speedup_over_bf16"] == row["speedup_over_bf16_p10"] == 2 and row["speedup_over_bf16_p90"] > 2.5


def test_a_cache_is_compared_with_a_bf16_cache_beside_the_same_weights():
    measured = {0: (10.0, 1.0, 0.5), 1: (1.0, 1.0, 0.5), 2: (10.0, 1.0, 0.5)}
    faster = {round_: (1.5 * speed, *rest) for round_, (speed, *rest) in measured.items()}
    samples = {("int4:g32", "bf16", 1, 1): measured, ("int4:g32", "int8:token", 1, 1): faster}
    facts = {"nbytes": 1, "bytes_per_token": 1, "warning": None}
    row, base = (decode._row("x", key, samples, facts, 3) for key in reversed(samples))
    assert row["speedup_over_bf16_cache"] == row["speedup_over_bf16_cache_p10"] == row["speedup_over_bf16_cache_p90"] == 1.5
    assert base["speedup_over_bf16_cache"] == 1 and row["speedup_over_bf16"] is None
    alone = decode._row("x", ("int4:g32", "int8:token", 1, 1), {("int4:g32", "int8:token", 1, 1): faster}, facts, 3)
    assert alone["speedup_over_bf16_cache"] is None and alone["speedup_over_bf16_cache_p90"] is None


def test_formats_are_split_where_memory_is_short_and_bf16_stays(monkeypatch):
    formats = [(w, "bf16") for w in ("bf16", "fp8_e4m3:channel", "int8:channel", "int4:g32")]
    assert decode._groups(formats, 10**6) == [formats]
    monkeypatch.setattr(decode, "MEMORY", 3.4e6)
    groups = decode._groups(formats, 10**6)
    assert groups == [formats[:2], [formats[0], formats[2]], [formats[0], formats[3]]]


def test_rows_of_split_formats_are_paired_with_their_own_rounds(monkeypatch):
    monkeypatch.setattr(decode, "MEMORY", 1)
    rows = benchmark.measure_decode(random_model(MINI), ["bf16", "int8:channel", "int4:g32"], threads=1, repetitions=2)
    assert [row["speedup_over_bf16"] is not None for row in rows] == [True] * 3


@pytest.mark.parametrize("arguments, message", [
    ({"weights": ["int5:g32"]}, "no kernel for 'int5:g32'"),
    ({"weights": []}, "weights: name at least one format"),
    ({"weights": ["bf16", "bf16"]}, "each once"),
    ({"context": []}, "context: at least one length"),
    ({"context": [-1]}, "context: at least one length"),
    ({"context": [16, 10**12]}, "a context of 1000000000000 tokens needs .* GB beside the weights"),
    ({"repetitions": 0}, "repetitions must be at least 1"),
    ({"shape": "0.9b"}, "unknown shape '0.9b'"),
])
def test_bad_arguments_are_refused_before_anything_is_packed(arguments, message, monkeypatch):
    monkeypatch.setattr(decode, "available_memory", lambda: 8 * 10**9)
    with pytest.raises(ValueError, match=message):
        benchmark.measure_decode(**{"shape": random_model(MINI), **arguments}, progress=lambda line: pytest.fail(line))


def test_batch_rows():
    rows = benchmark.batch_sweep(random_model(MINI), batches=(4, 1), threads=1, repetitions=2)
    count = 2 * 64 * (2 * 64 + 2 * 32 + 3 * 128) + 64 * 64
    assert [row["batch"] for row in rows] == [1, 4]
    for row in rows:
        for name in ("ms_per_pass", "ms_per_token", "tokens_per_s", "gb_per_s", "read_gb_per_s", "share_of_read",
                     "gflop_per_s", "price"):
            spread_is_ordered(row, name)
        assert row["bytes_per_pass"] == 2 * count and row["flop_per_byte"] == row["batch"]
        np.testing.assert_allclose(row["ms_per_token"] * row["batch"], row["ms_per_pass"])
    assert rows[0]["price"] == 1
    json.dumps(rows)


def test_batches_must_be_numbers_of_vectors():
    for batches in ((), (0, 1)):
        with pytest.raises(ValueError, match="batches: at least one number of vectors"):
            benchmark.batch_sweep(random_model(MINI), batches=batches)

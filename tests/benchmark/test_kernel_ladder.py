"""The kernel ladder and the paths: complete rows, figures that fit each other, clear errors. No speed is asserted."""

from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import pytest

from minquant import benchmark
from minquant.benchmark import bandwidth, paths

kernel_ladder = import_module("minquant.benchmark.kernel_ladder")  # the name in the package is the function
SHAPE = (64, 128)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A small buffer to read."""
    monkeypatch.setattr(bandwidth, "SMALLEST", 4 << 20)
    monkeypatch.setattr(bandwidth, "CACHES", 0)


def spread_is_ordered(row, name):
    assert 0 < row[f"{name}_p10"] <= row[name] <= row[f"{name}_p90"] < math.inf


def test_every_version_gives_the_same_product():
    w, x = kernel_ladder.random_product(SHAPE)
    for (bits, name, _), version in kernel_ladder.versions(w, x, (8, 4), 1).items():
        share = np.linalg.norm(version.call() - w @ x) / np.linalg.norm(w @ x)
        assert share < {16: 0.01, 8: 0.02, 4: 0.3}[bits], (bits, name)


@pytest.mark.needs_jit
def test_rows_of_the_ladder():
    rows = benchmark.kernel_ladder(SHAPE, repetitions=2, threads=1)
    names = [(bits, f"v{version}") for bits in (8, 4) for version in range(6)]
    assert [(r["bits"], r["version"]) for r in rows] == [(16, "bf16"), *names]
    for row in rows:
        for name in ("ms", "gb_per_s", "read_gb_per_s", "share_of_read", "speedup_over_bf16"):
            spread_is_ordered(row, name)
        assert row["nbytes"] == SHAPE[0] * SHAPE[1] * (2 if row["bits"] == 16 else row["bits"] / 8 + 2 / 32)
        assert (row["speedup_over_v0"] is None) == (row["bits"] == 16)


@pytest.mark.needs_jit
def test_rows_of_the_paths():
    rows = benchmark.matvec_paths(SHAPE, threads=1, repetitions=2)
    assert len({(r["path"], r["format"]) for r in rows}) == len(rows) == 7
    for row in rows:
        for name in ("ms", "predicted_ms", "read_gb_per_s", "speedup_over_bf16"):
            spread_is_ordered(row, name)
        assert row["bytes_per_weight"] == pytest.approx(sum(row["moved"].values()))
        assert row["predicted_speedup"] == pytest.approx(2 / row["bytes_per_weight"])


def test_the_byte_ledger():
    assert sum(benchmark.bytes_moved("fused", "bf16").values()) == 2
    assert sum(benchmark.bytes_moved("fused", "int4").values()) == 0.5625
    assert sum(benchmark.bytes_moved("dequantize, then multiply", "int8").values()) == 9.0625
    assert sum(benchmark.bytes_moved("fake quantization", "int8").values()) == 2.125
    with pytest.raises(ValueError, match="no path 'fused' for 'int3'"):
        benchmark.bytes_moved("fused", "int3")
    with pytest.raises(ValueError, match="no path"):
        benchmark.bytes_moved(paths.FAKE, "bf16")


@pytest.mark.needs_jit
def test_rows_of_launches():
    rows = benchmark.launch_cost((1, 4), (64, 64), repetitions=2)
    assert [row["pieces"] for row in rows] == [1, 4]
    for row in rows:
        spread_is_ordered(row, "ms")
        spread_is_ordered(row, "ms_from_python")


def test_bad_input():
    with pytest.raises(ValueError, match="multiples of 64"):
        benchmark.kernel_ladder((4, 100))
    with pytest.raises(ValueError, match="8, 4 or both"):
        benchmark.kernel_ladder(SHAPE, bits=(3,), threads=1)
    with pytest.raises(ValueError, match="at least 1"):
        benchmark.kernel_ladder(SHAPE, repetitions=0, threads=1)
    with pytest.raises(ValueError, match="divide 64 rows"):
        benchmark.launch_cost((3,), (64, 64))

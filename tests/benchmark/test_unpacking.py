"""Unpacking speed: what is timed, what is counted, and that the rows are whole."""

import json
import math

import numpy as np
import pytest

from minquant import benchmark
from minquant.benchmark import bandwidth, unpacking

MEASURED = ("ms", "gb_per_s", "gcodes_per_s", "read_gb_per_s", "share_of_read", "times_copy")
OUT, IN = 160, 64  # fills every word and every byte
BITS = {"copy float32": 32, "dense int4": 4, "dense int3": 3, "GPTQ int4": 4 + 4 / 32, "GPTQ int3": 3 + 3 / 32,
        "AWQ int4": 4 + 4 / 32, "compressed-tensors int4": 4, "GGUF Q4_0": 4.5, "GGUF Q8_0": 8.5, "ternary": 1.6,
        "quantize + pack int4:g32": 32}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A small buffer to read."""
    monkeypatch.setattr(bandwidth, "SMALLEST", 4 << 20)
    monkeypatch.setattr(bandwidth, "CACHES", 0)


def test_rows():
    said = []
    rows = benchmark.unpacking_speed((OUT, IN), repetitions=3, progress=said.append)
    assert {row["layout"]: row["bits_per_weight"] for row in rows} == BITS
    for row in rows:
        assert row["shape"] == (OUT, IN) and row["repetitions"] == 3
        for name in MEASURED:
            assert 0 < row[f"{name}_p10"] <= row[name] <= row[f"{name}_p90"] < math.inf
        np.testing.assert_allclose(row["gb_per_s"] * row["ms"], row["bytes_read"] / 1e6)
        np.testing.assert_allclose(row["gcodes_per_s"] * row["ms"], OUT * IN / 1e6)
    assert rows[0]["times_copy"] == 1
    assert "round 3 of 3" in said[-1]
    json.dumps(rows)


def test_what_is_timed_gives_the_codes_back():
    layouts = unpacking._layouts(OUT, IN)
    results = {name: run() for name, (_, run) in layouts.items()}
    for bits in (4, 3):
        codes = results[f"dense int{bits}"].reshape(OUT, IN)
        assert codes.max() == (1 << bits) - 1 and codes.min() == 0
        np.testing.assert_array_equal(results[f"GPTQ int{bits}"][0], codes)
    codes = results["dense int4"].reshape(OUT, IN)
    np.testing.assert_array_equal(results["AWQ int4"][0], codes)
    np.testing.assert_array_equal(results["compressed-tensors int4"], codes.astype(np.int8) - 8)
    assert (results["AWQ int4"][1] == 4).all() and results["AWQ int4"][1].shape == (OUT, IN // 32)
    assert set(results["ternary"].tolist()) == {-1, 0, 1}
    for type_ in ("Q4_0", "Q8_0"):
        assert results[f"GGUF {type_}"][-1].shape == (OUT, IN)


def test_ratios_are_taken_within_a_round():
    """Medians of ratios, not ratios of medians: a slow second round does not count."""
    seconds, read, copying = np.array([3.0, 30.0, 3.0]), np.array([1.0, 2.0, 4.0]), np.array([1.0, 10.0, 1.0])
    row = unpacking._figures(np.stack([read, seconds], axis=1), 6 * 10**9, 9 * 10**9, copying)
    assert row["times_copy"] == row["times_copy_p10"] == row["times_copy_p90"] == 3
    assert row["gb_per_s"] == 2 and row["gcodes_per_s"] == 3 and row["share_of_read"] == 0.5


@pytest.mark.parametrize("arguments, message", [
    ({"shape": (8, 40)}, r"columns in multiples of 32, not \(8, 40\)"),
    ({"shape": (0, 32)}, "at least one row"),
    ({"repetitions": 0}, "repetitions must be at least 1, not 0"),
])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        benchmark.unpacking_speed(**arguments)


def test_quantizing_and_packing_costs_at_most_sixty_copies():
    """The bound on `quantize(x, "int4:g32").pack()`: 11 to 19 were measured. Best of several, as others may run."""
    layouts = unpacking._layouts(1024, 3072)
    best = {name: min(unpacking._seconds(layouts[name][1]) for _ in range(5))
            for name in (unpacking.COPY, unpacking.WAY_IN)}
    assert best[unpacking.WAY_IN] <= 60 * best[unpacking.COPY]

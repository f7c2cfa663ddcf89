"""Generated sentences say what the rows say."""

import pytest

from minquant.teaching import sentences
from minquant.teaching.sentences import decode_line, machine_lines, with_spread


def row(weights, low, middle, high):
    return {"weights": weights, "speed": middle, "speed_p10": low, "speed_p90": high}


def test_figures_carry_their_spread_and_their_bandwidth():
    assert with_spread(row("bf16", 9.04, 10.2, 11.0), "speed", "GB/s") == "10.2 GB/s (p10 to p90: 9.04 to 11)"
    line = decode_line({"weights": "int8", "tokens_per_s": 40.04, "gb_per_s": 20.5, "share_of_read": 0.81,
                        "speedup_over_bf16": 1.7})
    assert "40.0 tok/s (20.5 GB/s)" in line and "81%" in line and "1.70 x bf16" in line


def test_a_machine_that_tells_nothing_is_unknown():
    silent = dict.fromkeys(("cpu", "cores", "memory_bytes", "last_level_cache_bytes"))
    assert machine_lines(silent).count("unknown") == 3
    assert "32 MiB" in machine_lines(silent | {"last_level_cache_bytes": 32 << 20})


def cache_row(kv, size, times, context=4096):
    return {"kv": kv, "context": context, "bytes_per_token": size, "speedup_over_bf16_cache": times,
            "speedup_over_bf16_cache_p10": times - 0.1, "speedup_over_bf16_cache_p90": times + 0.1}


def test_what_a_cache_gains_is_said_as_measured():
    rows = [cache_row("bf16", 200, 1.0), cache_row("int8:token", 150, 1.3), cache_row("int4:token", 100, 0.8),
            cache_row("kivi2", 80, 1.05), cache_row("int8:token", 150, 9.0, context=128)]
    faster, slower, neither = sentences.cache_gains(rows).splitlines()
    assert "bytes promise 1.33" in faster and "1.3 (p10 to p90: 1.2 to 1.4): it is faster" in faster
    assert "bytes promise 2.00" in slower and "SLOWER" in slower and "no difference" in neither
    with pytest.raises(ValueError, match="measure both"):
        sentences.cache_gains(rows[1:])


def test_growth_needs_two_standard_errors():
    assert "it grows" in sentences.growth("x", 1.3, 0.1) and "no growth" in sentences.growth("x", 1.3, 0.2)
    assert "it falls" in sentences.growth("x", 0.7, 0.1) and "one window" in sentences.growth("x", 2.0, float("nan"))

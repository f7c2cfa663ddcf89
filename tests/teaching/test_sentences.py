"""Generated sentences say what the rows say."""

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

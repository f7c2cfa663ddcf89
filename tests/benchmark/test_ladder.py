"""The ladder: what is counted, what is joined, and the sentences generated from it."""

from __future__ import annotations

import json
import math
from importlib import import_module

import numpy as np
import pytest

from minquant import quantize
from minquant.benchmark import ladder_text as text
from minquant.model import SHAPES, tensor_shapes

module = import_module("minquant.benchmark.ladder")  # the attribute of that name is the function
MACHINE = {"cpu": "a processor", "threads": 2}
REFERENCE = {"perplexity": 20.0, "perplexity_stderr": 0.5, "bits_per_byte": 1.5, "tokens": 3000}
SPEED = {"bf16": (100.0, 0.9), "fp8_e4m3:channel": (140.0, 0.7), "int8:channel": (180.0, 0.8), "int4:g32": (160.0, 0.4)}
QUALITY = {"bf16": (20.0, 1e-7), "fp8_e4m3:channel": (20.1, 1e-3), "int8:channel": (20.01, 1e-4), "int4:g32": (20.4, 0.02),
           "int3:g32": (23.0, 0.2), "int2:g32": (400.0, 3.0)}


def spread(name: str, value: float) -> dict:
    return {name: value, f"{name}_p10": 0.97 * value, f"{name}_p90": 1.02 * value}


def speed_row(level: str, base: float | None = 100.0) -> dict:
    """A row as measure_decode gives it."""
    tokens, share = SPEED[level]
    size = module.footprint(level, "0.1b")[0]
    over = spread("speedup_over_bf16", tokens / base if base else float("nan"))
    return {"weights": level, "kv": "bf16", "threads": 2, "context": 128, "shape": "0.1b", "repetitions": 7, "nbytes": size,
            "bytes_per_token": size, "warning": "small" if size < 100e6 else None, **spread("tokens_per_s", tokens),
            **spread("gb_per_s", tokens * size / 1e9), **spread("read_gb_per_s", tokens * size / 1e9 / share),
            **spread("share_of_read", share), **(over if base else dict.fromkeys(over))}


def quality_row(level: str) -> dict:
    perplexity, kl = QUALITY[level]
    return {"perplexity": perplexity, "perplexity_stderr": 0.5, "bits_per_byte": 1.5, "kl": kl, "kl_stderr": kl / 10,
            "top1_agreement": 0.97, "nll_difference": kl / 2, "nll_difference_stderr": 0.004}


@pytest.fixture
def measure(monkeypatch):
    """Run the ladder with measurements that are known beforehand."""
    def speed(shape, levels, threads, repetitions, say):
        base = 100.0 if "bf16" in levels else None
        return MACHINE, 50.0, {level: speed_row(level, base) for level in levels if level in SPEED}

    monkeypatch.setattr(module, "_measure_speed", speed)
    monkeypatch.setattr(module, "_measure_quality",
                        lambda levels, limit, say: (REFERENCE, {level: quality_row(level) for level in levels}))
    return module.ladder


KEYS = {"level", "weights", "kv", "threads", "context", "shape", "bits_per_weight", "footprint_bytes",
        "footprint_bytes_0_8b", "bytes_per_token", "tokens_per_s", "tokens_per_s_p10", "tokens_per_s_p90", "gb_per_s",
        "share_of_read", "speedup_over_bf16", "speedup_over_level_above", "level_above", "perplexity",
        "perplexity_stderr", "kl", "kl_stderr", "top1_agreement", "bits_per_byte"}


def test_every_row_has_every_key_and_survives_json(measure):
    result = measure()
    assert [row["weights"] for row in result.rows] == list(module.DEFAULT_LEVELS)
    assert all(KEYS <= set(row) for row in result.rows)
    again = json.loads(json.dumps(result.to_dict()))
    assert set(again) == {"machine", "read_gb_per_s", "reference", "rows", "notes"}


@pytest.mark.parametrize("scheme", ["bf16", "fp8_e4m3:channel", "int8:channel", "int8:tensor", "int4:g32", "int3:g32",
                                    "int2:g32", "int4:g32:asym", "q4_0", "q8_0"])
def test_packed_bytes_are_those_of_a_real_tensor(scheme):
    x = np.random.default_rng(0).standard_normal((24, 96), np.float32)
    assert module.packed_bytes(scheme, x.shape) == quantize(x, scheme).nbytes


def test_footprint_counts_every_tensor_once():
    weights = sum(math.prod(shape) for shape in tensor_shapes(SHAPES["0.8b"]).values() if len(shape) == 2)
    gains = sum(shape[0] for shape in tensor_shapes(SHAPES["0.8b"]).values() if len(shape) == 1)
    size, bits = module.footprint("int4:g32", "0.8b")
    assert bits == 4.5 and size == weights * 4.5 / 8 + 2 * gains
    assert 0.75e9 < weights < 0.85e9  # 0.8b is what it is called


def test_a_group_that_does_not_divide_is_refused_before_anything_is_measured(measure):
    with pytest.raises(ValueError, match="group size 33 does not divide"):
        measure(levels=["int4:g33"])
    with pytest.raises(ValueError, match="group size 640 does not divide"):
        measure(shape="0.8b", levels=["int4:g640"])  # suits the model that is timed, not the trained one


@pytest.mark.parametrize("levels, said", [([], "at least one level"), (["bf16", "bf16"], "given twice"),
                                          (["int9"], "unknown scheme"), (["int8"], "int8")])
def test_wrong_levels_are_refused(measure, levels, said):
    with pytest.raises(ValueError, match=said):
        measure(levels=levels)


def test_an_unknown_shape_is_refused(measure):
    with pytest.raises(ValueError, match="unknown shape '7b'"):
        measure(shape="7b")


def test_the_level_above_has_at_least_one_more_bit(measure):
    rows = {row["weights"]: row for row in measure().rows}
    assert [row["level_above"] for row in rows.values()] == [None, "bf16", "bf16", "int8:channel", None, None]
    assert rows["int8:channel"]["speedup_over_level_above"] == pytest.approx(1.8)
    assert rows["int4:g32"]["speedup_over_level_above"] == pytest.approx(160 / 180)
    assert rows["int4:g32"]["speedup_over_bf16"] == pytest.approx(1.6)


def test_a_level_without_a_kernel_has_quality_and_no_speed(measure):
    row = measure().rows[-1]
    assert row["weights"] == "int2:g32" and row["perplexity"] == 400.0 and row["threads"] == 2 and row["shape"] == "0.1b"
    assert all(row[key] is None for key in ("tokens_per_s", "gb_per_s", "share_of_read", "speedup_over_bf16"))


def test_without_bf16_there_is_no_speedup_over_it(measure):
    rows = measure(levels=["int8:channel", "int4:g32"]).rows
    assert [row["speedup_over_bf16"] for row in rows] == [None, None]
    assert rows[1]["speedup_over_level_above"] == pytest.approx(160 / 180)


def test_only_levels_without_a_kernel(measure):
    result = measure(levels=["int3:g32", "int2:g32"])
    assert "No step was measured" in result.notes[0] and "no kernel" in result.table()


def test_the_rule_stands_beside_each_measured_step(measure):
    sentence = measure().notes[0]
    assert "30 to 50% faster per precision level" in sentence
    assert "bf16 to fp8_e4m3:channel +40% (as the rule says)" in sentence
    assert "bf16 to int8:channel +80% (more than the rule)" in sentence
    assert "int8:channel to int4:g32 -11% (slower)" in sentence
    assert "int3" not in sentence


@pytest.mark.parametrize("tokens, verdict", [(104.0, "no clear difference"), (120.0, "less than the rule"),
                                             (90.0, "slower"), (151.0, "more than the rule")])
def test_verdicts_follow_the_figures(measure, monkeypatch, tokens, verdict):
    monkeypatch.setitem(SPEED, "int8:channel", (tokens, 0.8))
    assert verdict in measure(levels=["bf16", "int8:channel"]).notes[0]


def test_a_step_that_gains_less_than_its_bytes_promise_is_explained_and_only_then(measure, monkeypatch):
    explained = [note for note in measure().notes if "What holds it up is not memory" in note]
    assert [note.split()[0] for note in explained] == ["fp8_e4m3:channel", "int4:g32"]
    assert "reads 1.79 times fewer bytes per token than int8:channel, yet its speed is 0.89 times" in explained[1]
    assert "40%, not 80%" in explained[1]
    monkeypatch.setitem(SPEED, "int4:g32", (300.0, 0.79))
    assert not any(note.startswith("int4") for note in measure().notes)


def test_a_gain_hidden_in_the_spread_is_not_explained(measure, monkeypatch):
    """Where the spread allows the whole gain, there is nothing to explain."""
    slow, wide = speed_row("int8:channel"), {"speedup_over_bf16_p10": 0.5, "speedup_over_bf16_p90": 4.0}
    rows = [speed_row("bf16"), slow | wide | {"speedup_over_bf16": 1.2}]
    for row in rows:
        row.update(module._size_row(row["weights"], "0.1b"))
    module._add_level_above(rows)
    assert list(text.arithmetic_sentences(rows)) == []
    rows[1] |= {"speedup_over_bf16_p10": 1.1, "speedup_over_bf16_p90": 1.3}
    assert len(list(text.arithmetic_sentences(rows))) == 1


def test_a_machine_that_was_not_quiet_is_named(measure, monkeypatch):
    monkeypatch.setitem(SPEED, "bf16", (100.0, 0.9))
    quiet = {level: (tokens, tokens * module.footprint(level, "0.1b")[0] / 50e9) for level, (tokens, _) in SPEED.items()}
    for level, value in quiet.items():
        monkeypatch.setitem(SPEED, level, value)
    assert not any("was quiet" in note or "bandwidth moved" in note for note in measure().notes)
    monkeypatch.setitem(SPEED, "bf16", (100.0, 2 * quiet["bf16"][1]))
    assert any("bandwidth moved between 24.2 and 51.0 GB/s" in note for note in measure().notes)


def test_levels_within_a_standard_error_of_float_are_named(measure):
    notes = measure().notes
    near = next(note for note in notes if note.startswith("Within one standard error"))
    assert "bf16, fp8_e4m3:channel, int8:channel, int4:g32." in near and "int3" not in near
    assert "compared token by token with float, int4:g32 still loses measurably" in near
    far = next(note for note in notes if note.startswith("Outside it"))
    assert "int3:g32 1.15 times" in far and "int2:g32 20.00 times" in far


def test_a_model_that_may_lie_in_the_cache_is_named(measure):
    assert any(note.startswith("Careful with int4:g32: a packed model smaller than 3 times") for note in measure().notes)
    assert not any(note.startswith("Careful") for note in measure(levels=["bf16", "int8:channel"]).notes)


def test_two_models_are_named_as_two(measure):
    text_ = measure().table()
    assert "random weights of the 0.1b shape" in text_.replace("\n", " ") and "Two different models" in text_.replace("\n", " ")


def test_grids_are_described_as_they_are(measure):
    assert any("fp8 and int8 differ in the format alone" in note for note in measure().notes)
    other = measure(levels=["bf16", "int8:channel", "int4:g32"]).notes
    assert not any("format alone" in note for note in other) and any("more than their format" in note for note in other)


def test_table_and_markdown_hold_the_same_cells(measure):
    result = measure()
    for row in text.cells(result.rows):
        line = next(line for line in result.markdown().splitlines() if line.startswith(f"| {row[0]} "))
        assert line == "| " + " | ".join(cell or "-" for cell in row) + " |"
        plain = next(line for line in result.table().splitlines() if line.startswith(f"{row[0]} "))
        assert all(cell in plain for cell in row if cell)
    assert "a processor, 2 threads, 50.0 GB/s" in result.markdown() and "a processor" in result.table()
    assert max(map(len, result.table().splitlines())) <= 145

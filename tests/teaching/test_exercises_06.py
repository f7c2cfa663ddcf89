"""Exercises 06: the rules against brute-force oracles of their own, compiled answers, the facts their texts state."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from minquant.teaching import racing
from minquant.teaching.exercises import checking, source
from minquant.teaching.exercises.e06_fused_kernels import copy_bytes, diagnose, fused4, fused8, whole_numbers
from minquant.teaching.exercises.remote import Remote
from minquant.teaching.exercises.variant import Draw

KEYS = [f"key{n}" for n in range(12)]
EVERY_KEY = pytest.mark.parametrize("key", KEYS)
ROOT = Path(__file__).parents[2]


@EVERY_KEY
def test_bytes_of_a_copy_by_counting_transfers(key):
    spec = source.exercise("06.1").drawn(key)
    bits = 0
    for i in range(256):  # weights
        bits += spec["bits"] + (spec["scale_bits"] if i % spec["group"] == 0 else 0)  # read once
        bits += 8 * spec["copy_bytes"] * (2 if "twice" in spec["write_words"] else 1)
        for _ in range(5):
            bits += 8 * spec["copy_bytes"]
    assert copy_bytes.bytes_of(spec, 256, 5) == bits / 8


@EVERY_KEY
def test_eight_bits_by_one_weight_at_a_time(key):
    spec = source.exercise("06.2").drawn(key)
    codes, scale, zero, x = fused8.random_matrix(spec, 3, spec["group"] + 5, 1)
    assert scale.shape == zero.shape == ((2, 3) if spec["shape"] == "(groups, rows)" else (3, 2))
    for r, total in enumerate(fused8.product(spec, codes, scale, zero, x)[0]):
        want = 0.0
        for c in range(codes.shape[1]):
            at = (c // spec["group"], r) if spec["by_groups"] else (r, c // spec["group"])
            want += float(scale[at]) * (int(codes[r, c]) - int(zero[at]) - spec["plus"]) * float(x[c])
        assert math.isclose(total, want, rel_tol=1e-9, abs_tol=1e-9)


@EVERY_KEY
def test_four_bits_by_the_digits_of_each_byte(key):
    spec = source.exercise("06.3").drawn(key)
    nibbles, scale, x = fused4.random_matrix(spec, 2, 4)
    packed = fused4.pack(spec, nibbles)
    for r, total in enumerate(fused4.product(spec, nibbles, scale, x)[0]):
        want = 0.0
        for j, byte in enumerate(packed[r]):
            high, low = (int(digit, 16) for digit in f"{byte:02x}")
            first, second = (low, high) if spec["first_nibble"] == "low" else (high, low)
            columns = (j, j + len(packed[r])) if "columns" in spec["pair"] else (2 * j, 2 * j + 1)
            for c, nibble in zip(columns, (first, second)):
                want += float(scale[r, c // spec["group"]]) * (nibble - spec["zero"]) * float(x[c])
        assert math.isclose(total, want, rel_tol=1e-9, abs_tol=1e-9)


def compiled(exercise, key):
    """The reference with @njit above it, as a learner would write it."""
    return exercise.code(exercise.reference.replace("def fused", "@njit\ndef fused"), key)


@pytest.mark.needs_jit
@pytest.mark.parametrize("key", ["course", "spring-2027", "autumn/ü"])
@pytest.mark.parametrize("id", ["06.2", "06.3"])
def test_compiled_answers_get_full_marks(id, key):
    exercise, names = source.exercise(id), {}
    for cell in (source.exercise_set("06").setup, exercise.given, compiled(exercise, key)):
        exec(cell, names)
    assert isinstance(names["fused8" if id == "06.2" else "fused4"], numba.core.registry.CPUDispatcher)
    found = checking.run_checks(exercise, checking.Local(names), key)
    assert [o.lines for o in found if o.lines] == []


@pytest.mark.needs_jit
def test_compiled_answers_are_graded_in_a_worker():
    exercise = source.exercise("06.3")
    with Remote(seconds=60) as answers:
        for cell in (source.exercise_set("06").setup, exercise.given, compiled(exercise, "course")):
            assert answers.run(cell) is None
        found = checking.run_checks(exercise, answers, "course")
    assert sum(o.earned for o in found) == exercise.points, [o.lines for o in found if o.lines]


def test_compiled_answers_with_the_jit_switched_off():
    code = ("from minquant.teaching.exercises import checking, source\n"
            "for id in ('06.2', '06.3'):\n"
            "    e, names = source.exercise(id), {}\n"
            "    body = e.code(e.reference.replace('def fused', '@njit\\ndef fused'))\n"
            "    for cell in (source.exercise_set('06').setup, e.given, body):\n"
            "        exec(cell, names)\n"
            "    print(sum(o.earned for o in checking.run_checks(e, checking.Local(names))) == e.points)")
    env = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert run.stdout.split() == ["True", "True"], run.stderr[-2000:]


def test_memory_is_that_of_arrays_and_of_python_lists():
    assert racing.peak_bytes(lambda: None) < 1000
    assert 80_000 <= racing.peak_bytes(lambda: np.zeros(10_000) + 1) < 400_000
    assert racing.peak_bytes(lambda: [float(i) for i in range(10_000)]) > 200_000
    assert racing.peak_bytes(lambda n: [np.zeros(n).sum() for _ in range(100)], 1000) < 40_000, "the peak, not the sum"


@pytest.mark.needs_jit
def test_memory_of_a_compiled_function_is_that_of_its_source():
    function = numba.njit(lambda n: np.zeros(n).sum())
    function(10)
    assert racing.peak_bytes(function, 10_000) > 80_000


def test_a_race_has_a_winner(capsys):
    slow, fast = (lambda n: sum(range(n * 2000))), (lambda n: None)
    assert racing.race(fast, slow, 10) > 1 > racing.race(slow, fast, 10)
    assert "times as fast" in capsys.readouterr().out


@EVERY_KEY
def test_two_runs_are_slow_and_the_others_are_not(key):
    spec = source.exercise("06.4").drawn(key)
    for run in spec["runs"]:
        weights = run["rows"] * run["columns"]
        packed = sum(run["bits"] / 8 + 2 / run["group"] for _ in range(1000)) / 1000 * weights
        needed = packed / (spec["bandwidth"] * 1e9) * 1e3
        assert diagnose.milliseconds(spec, run) == pytest.approx(needed)
        slowdown, cause = run["ms"] / needed, spec["wrong"].get(run["run"])
        assert (slowdown > 1.5) == (cause is not None) and slowdown >= 0.999
        each = run["mb"] * 1e6 / weights
        launching = run["launches"] * spec["launch_us"] / 1e3
        calculating = weights * run["operations"] / (spec["rate"] * 1e9) * 1e3
        seen = {"copy": 8 < each < 10, "fake": each == pytest.approx(2, rel=1e-3), "columns": each > 60,
                "launches": each < 2 and launching > 1.9 * needed,
                "arithmetic": each < 2 and calculating > 1.7 * needed}
        named = [name for name, shows in seen.items() if shows]
        assert (named == [cause]) if cause else not set(named) - {"fake"}, (run, named)


@EVERY_KEY
def test_a_fake_run_moves_other_bytes_than_its_format(key):
    for run in source.exercise("06.4").drawn(key)["runs"]:
        assert abs(diagnose.packed_bytes(run) / run["rows"] / run["columns"] / 2 - 1) > 0.4


@EVERY_KEY
def test_inputs_by_trying_every_code(key):
    spec = source.exercise("06.5").drawn(key)
    x = np.arange(-2 * spec["group"], 2 * spec["group"]).astype(np.float32) / 4
    x[:spec["group"]] = 0
    codes, scale = whole_numbers.rounded(spec, x)
    for i, value in enumerate(x.tolist()):
        group = x[i // spec["group"] * spec["group"]:][:spec["group"]]
        largest = max(abs(float(v)) for v in group)
        step = largest / spec["top"] if largest else 1.0
        assert scale[i // spec["group"]] == pytest.approx(step)
        away = [abs(value / step - code) for code in range(-spec["top"], spec["top"] + 1)]
        assert abs(value / step - codes[i]) == pytest.approx(min(away), abs=1e-9)


def test_half_way_cases_as_the_words_say():
    halves = np.array([2.5, -2.5, 3.5, -3.5], np.float32)
    for rule, want in {"away": [3, -3, 4, -4], "up": [3, -2, 4, -3], "zero": [2, -2, 3, -3]}.items():
        x = np.concatenate([halves, [31], np.zeros(3)]).astype(np.float32)
        codes, _ = whole_numbers.rounded({"group": 8, "top": 31, "rule": rule}, x)
        assert codes[:4].tolist() == want
        assert whole_numbers.RULES[rule].endswith(f"2.5 becomes {want[0]}, -2.5 becomes {want[1]}")


def test_keys_reach_every_layout():
    seen = {(s["halves"], s["low_first"]) for s in (fused4.spec(Draw("06.3", key)) for key in map(str, range(60)))}
    assert len(seen) == 4
    causes = {c for key in map(str, range(60)) for c in diagnose.spec(Draw("06.4", key))["wrong"].values()}
    assert causes == set(diagnose.CAUSES)

"""The museum of planted bugs: right programs are right, broken ones are broken, and the judge is no easier to please."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.teaching.exercises import checking, source
from minquant.teaching.exercises.e03_affine_grids import museum as quantizers
from minquant.teaching.exercises.source import Miss

KEYS = [f"key{n}" for n in range(8)]
EXERCISE = source.exercise("03.6")
BUGS = [(room.name, name, bug) for room in quantizers.ROOMS for name, bug in room.bugs.items()]


def names(body, key="course"):
    found: dict = {"np": np}
    exec(EXERCISE.code(body, key), found)
    return found


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("program", quantizers.MUSEUM.right)
def test_right_programs_take_a_nearest_code_of_the_stored_grid(program, key):
    spec = EXERCISE.drawn(key)
    half = 2 ** (spec["bits"] - 1)
    stored = range(-half + (spec["rule"] == "restricted"), half)
    for amax in (0.013, 1.0, 7.7):
        x = np.linspace(-2 * amax, 2 * amax, 301)
        codes, scale = program(spec, x, amax)
        steps = {"restricted": half - 1, "halves": half - 0.5, "full": half}[spec["rule"]]
        assert scale == float(np.float16(amax / steps)) == np.float16(scale)
        values = scale * np.array(stored)
        for value, code in zip(x, codes - spec["shift"], strict=True):
            assert code in stored and abs(scale * code - value) <= np.abs(values - value).min() + 1e-12
    codes, scale = program(spec, np.zeros(3), 0.0)
    assert scale == 1 and set(codes.tolist()) == {spec["shift"]}


def test_the_right_programs_differ_in_half_way_cases_and_nowhere_else():
    spec = EXERCISE.drawn("course")
    scale = float(np.float16(1 / spec["divisor"]))
    x = np.arange(-4, 4.5, 0.25) * scale
    one, other = (program(spec, x, 1.0)[0] for program in quantizers.MUSEUM.right)
    assert set((x / scale % 1)[one != other]) == {0.5}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("room, name, bug", BUGS, ids=[f"{r}: {n}" for r, n, _ in BUGS])
def test_every_bug_shows_and_not_everywhere(room, name, bug, key):
    spec, differs = EXERCISE.drawn(key), []
    for x, amax in [(np.linspace(-1.7, 1.7, 6003) * a, a) for a in (0.37, 5.3)] + [(np.zeros(3), 0.0), (np.array([0.0] * 8), 1.0)]:
        (codes, scale), (right, want) = bug(spec, x, amax), quantizers.to_even(spec, x, amax)
        differs.append(scale != want or bool((codes != right).any()))
    assert any(differs) and not all(differs), "a bug that always shows tests nobody"


@pytest.mark.parametrize("body, said", [
    ("return []", "a list of 1 to 50"), ("return [3]", "not a pair"), ("return [(3, 1.0)]", "no input of these"),
    ("return [([], 1.0)]", "no input of these"), ("return [([float('nan')], 1.0)]", "no input of these"),
    ("return [([1.0], -1.0)]", "no input of these"), ("return [([1.0], 1e-9)]", "amax is 1e-09"), ("return [([1.0], 0)]", "amax is 0"),
    ("return [(['a'], 1.0)]", "no input of these"), ("return [([1.0], 1.0)] * 51", "a list of 1 to 50"),
    ("return [([0.0] * 20_001, 1.0)]", "no input of these"), ("return 'x'", "a list of 1 to 50")])
def test_inputs_that_are_none_are_refused_in_words(body, said):
    found = checking.run_checks(EXERCISE, checking.Local(names(f"def inputs():\n    {body}\n\n\ndef accepts(*a):\n    return True")))
    assert all(outcome.earned == 0 and said in " ".join(outcome.lines) for outcome in found)


def test_a_test_is_told_which_right_program_it_refuses_by_the_input_and_nothing_more():
    body = EXERCISE.reference.replace("< 0.5001", "< 0.3")
    found = checking.run_checks(EXERCISE, checking.Local(names(body)))
    assert {outcome.lines[0] for outcome in found} == {"your test refuses a right program, at input number 0 (from 0)"}


def test_yes_is_not_true():
    with pytest.raises(Miss, match="returned 1"):
        quantizers.MUSEUM._accepts(checking.Local({"accepts": lambda *a: 1}), (np.zeros(1), 0.0), (np.zeros(1), 1.0))


def test_the_picture_counts_what_is_caught():
    spec = EXERCISE.drawn()
    shown = EXERCISE.show(spec, checking.Local(names(EXERCISE.reference)))
    assert [row[1:] for row in shown.rows] == [(3.0, 3.0), (3.0, 3.0), (2.0, 2.0), (2.0, 2.0)]
    assert {row[1] for row in EXERCISE.show(spec, checking.Local({})).rows} == {None}
    assert sum(row[2] for row in shown.rows) == 10 and "Ten quantizers are broken" in EXERCISE.prose

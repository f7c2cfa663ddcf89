"""Every exercise against its own answers: the checks are what is tested here."""

from __future__ import annotations

import re

import pytest

from minquant.teaching.exercises import checking, source
from minquant.teaching.exercises.e01_cost_of_a_token import matrix_bytes

KEYS = ("course", "spring-2027", "autumn/ü")
EXERCISES = [e for number in source.numbers() for e in source.exercise_set(number).exercises]
EVERY = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
EVERY_KEY = pytest.mark.parametrize("key", KEYS)


def namespace(exercise, body, key):
    """What a notebook holds after its setup, given and answer cells."""
    names: dict = {}
    exec(source.exercise_set(exercise.id[:2]).setup, names)
    exec(source.fill(source.dedent(exercise.given), exercise.drawn(key)), names)
    exec(exercise.code(body, key), names)
    return names


def outcomes(exercise, body, key, checked_under=None):
    return checking.run_checks(exercise, checking.Local(namespace(exercise, body, key)), checked_under or key)


def points(*args, **kwargs):
    return sum(outcome.earned for outcome in outcomes(*args, **kwargs))


@EVERY
@EVERY_KEY
@pytest.mark.parametrize("answer", ["reference", "second"])
def test_right_answers_get_full_marks(exercise, key, answer):
    found = outcomes(exercise, getattr(exercise, answer), key)
    assert [o.lines for o in found if o.lines] == []
    assert sum(o.earned for o in found) == exercise.points


@EVERY
@EVERY_KEY
def test_every_wrong_answer_loses_exactly_its_points(exercise, key):
    lost = {w.name: exercise.points - points(exercise, w.body, key) for w in exercise.wrong}
    assert lost == {w.name: w.loses for w in exercise.wrong}


@EVERY
@EVERY_KEY
def test_the_untouched_release_gets_nothing(exercise, key):
    assert points(exercise, exercise.starter, key) == 0


@EVERY
def test_nothing_at_all_gets_nothing(exercise):
    assert sum(o.earned for o in checking.run_checks(exercise, checking.Local({}))) == 0


@EVERY
def test_the_table_of_wrong_answers_is_worth_having(exercise):
    names = [w.name for w in exercise.wrong]
    assert len(names) == len(set(names)) >= 5
    assert all(0 < w.loses <= exercise.points for w in exercise.wrong)
    assert exercise.code(exercise.reference) != exercise.code(exercise.second)
    caught = {outcome.name for w in exercise.wrong for outcome in outcomes(exercise, w.body, "course") if outcome.lines}
    assert caught == {check.name for check in exercise.checks}, "a check that no wrong answer fails proves nothing"


@EVERY
@pytest.mark.parametrize("answer", ["reference", "second"])
def test_an_answer_for_one_variant_fails_another(exercise, answer):
    tried = 0
    for made_for in KEYS:
        for key in KEYS:
            if exercise.drawn(made_for) != exercise.drawn(key):
                tried += 1
                assert points(exercise, getattr(exercise, answer), made_for, key) < exercise.points
    assert tried >= 4, "the keys of this test draw nearly the same variants"


@EVERY
def test_the_minutes_and_lines_are_those_of_its_kind(exercise):
    minutes = {"warm-up": (5, 5), "core": (12, 20), "diagnose": (10, 10), "stretch": (30, 30)}[exercise.kind]
    lines = {"warm-up": (1, 3), "core": (5, 12), "diagnose": (1, 12), "stretch": (5, 20)}[exercise.kind]
    assert minutes[0] <= exercise.minutes <= minutes[1]
    assert lines[0] <= exercise.lines_to_write() <= lines[1]
    assert all(1 <= check.points <= 2 for check in exercise.checks)
    assert 1 <= exercise.difficulty <= 5 and 1 <= exercise.importance <= 5
    assert exercise.objective.startswith("You can ") and exercise.hints and exercise.explanation


def test_a_set_takes_about_three_quarters_of_an_hour():
    for number in source.numbers():
        exercises = source.exercise_set(number).exercises
        assert 40 <= sum(e.minutes for e in exercises if not e.optional) <= 50
        assert {e.kind for e in exercises} == {"warm-up", "core", "diagnose", "stretch"}
        assert [e.id for e in exercises] == [f"{number}.{n}" for n in range(1, len(exercises) + 1)]


class Recorded(checking.Local):
    """Answers that write down what the checks saw."""

    def __init__(self, names):
        super().__init__(names)
        self.seen: list = []

    def call(self, name, *args):
        self.seen.append(super().call(name, *args))
        return self.seen[-1]

    def value(self, name):
        self.seen.append(super().value(name))
        return self.seen[-1]


def figures(value):
    """Every number in a value with three or more digits, as messages would write it."""
    if isinstance(value, (list, tuple)):
        return {f for item in value for f in figures(item)}
    if isinstance(value, dict):
        return {f for item in value.values() for f in figures(item)}
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return set()
    texts = {f"{value:g}", f"{value:.2f}", f"{value:,.0f}", f"{value:.0f}", str(value)}
    return {t for t in texts if len(re.sub(r"\D", "", t)) >= 3}


NUMBER = re.compile(r"\d[\d,.]*\d")


def told(exercise, key):
    """Right figures that a failure tells somebody who neither passed them in nor computed them."""
    right = Recorded(namespace(exercise, exercise.reference, key))
    checking.run_checks(exercise, right, key)
    found = []
    for wrong in exercise.wrong:
        own = Recorded(namespace(exercise, wrong.body, key))
        for outcome in checking.run_checks(exercise, own, key):
            text = " ".join(outcome.lines)
            arguments = set(NUMBER.findall(" ".join(re.findall(r"\(.*?\)", text))))
            found += (set(NUMBER.findall(text)) - arguments) & (figures(right.seen) - figures(own.seen))
    return found


@EVERY
@EVERY_KEY
def test_a_failure_never_reveals_the_right_number(exercise, key):
    assert told(exercise, key) == []


def test_a_check_that_reveals_the_right_number_would_be_seen():
    def loud(spec, answers):
        got, want = answers.call("matrix_bytes", 8, 200), matrix_bytes.bytes_of(spec, 8, 200)
        if got != want:
            raise source.Miss(f"matrix_bytes(8, 200) should be {want:g}", "because", "type it in")

    exercise = source.exercise("01.1")
    twin = type(exercise)(**{**exercise.__dict__, "checks": (source.Check("loud", 1, loud),)})
    assert told(twin, "course")


@EVERY
def test_a_failure_says_three_lines(exercise):
    for body in [exercise.starter, *(w.body for w in exercise.wrong)]:
        for outcome in outcomes(exercise, body, "course"):
            assert len(outcome.lines) == (0 if outcome.earned == outcome.points else 3)
            assert all(10 < len(line) <= checking.LONGEST_LINE for line in outcome.lines)
            assert not any("\n" in line for line in outcome.lines)


@EVERY
@pytest.mark.parametrize("returned", ["None", "'many'", "float('nan')", "float('inf')", "10**5000", "[]", "{}", "-1",
                                      "object()", "10**600", "True", "lambda: 1", "1j", "[[1, 2], 3]", "{None: []}"])
def test_any_value_at_all_is_judged_without_a_crash(exercise, returned):
    body = f"return {returned}" if exercise.head.strip().startswith("def ") else (
        "\n".join(f"{name} = {returned}" for name in ("findings", "corrected")))
    assert 0 <= points(exercise, body, "course") < exercise.points

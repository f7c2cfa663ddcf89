"""Draws, templates, values and checks: the parts every exercise is made with."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import warnings
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minquant.teaching import exercises
from minquant.teaching.exercises import checking, source, values, variant

PLAIN = st.recursive(st.none() | st.booleans() | st.integers(-2**200, 2**200) | st.text() | st.floats(allow_nan=False),
                     lambda inner: (st.lists(inner, max_size=4)
                                    | st.dictionaries(st.integers() | st.text(), inner, max_size=4)), max_leaves=12)


def test_draws_are_the_same_on_every_platform_for_ever():
    draw = variant.Draw("01.1", "course")
    assert [draw.integer(f"n{i}", 0, 999) for i in range(8)] == [360, 126, 364, 828, 560, 67, 240, 403]
    assert draw.order("cards", "abcdef") == list("aebcdf")
    assert draw.fraction("x") == variant.Draw("01.1", "course").fraction("x")
    assert draw.fraction("x") != variant.Draw("01.2", "course").fraction("x")


def test_draws_are_even():
    counts = Counter(variant.Draw("e", f"key{n}").choice("c", "abcd") for n in range(4000))
    assert all(900 < counts[letter] < 1100 for letter in "abcd")
    assert {variant.Draw("e", str(n)).integer("i", 3, 5) for n in range(50)} == {3, 4, 5}
    assert all(2.0 <= variant.Draw("e", str(n)).between("b", 2.0, 3.0) < 3.0 for n in range(50))


@pytest.mark.parametrize("key", ["", " a", "a ", "a\nb", "x" * 65, "\x00"])
def test_a_bad_key_is_refused(key):
    with pytest.raises(ValueError, match="cannot be a variant key"):
        variant.checked_key(key)
    with pytest.raises(TypeError, match="a variant key is a word"):
        variant.checked_key(7)


def test_templates_name_a_place_that_nothing_fills():
    assert source.fill("a <<b>> c << d", {"b": 3}) == "a 3 c << d"
    with pytest.raises(KeyError, match="nothing fills <<x>>"):
        source.fill("<<x>>", {"b": 3})


@pytest.mark.parametrize("ask", [lambda: source.exercise_set("99"), lambda: source.exercise("01.9"),
                                 lambda: source.exercise("99.1"), lambda: exercises.check("nonsense", {})])
def test_unknown_exercises_are_named(ask):
    with pytest.raises(ValueError, match="has no exercises here|there is no exercise"):
        ask()
    assert source.exercise_set("1") is source.exercise_set("01")


@settings(max_examples=40)
@given(PLAIN)
def test_plain_values_travel_unchanged(value):
    assert values.loads(values.dumps(values.plain(value))) == values.plain(value)


def test_minus_zero_keeps_its_sign():
    assert str(values.loads(values.dumps(values.plain([-0.0, 0.0])))) == "[-0.0, 0.0]"


@pytest.mark.parametrize("array", [np.arange(6, dtype=np.int8).reshape(2, 3), np.float32([[1.5], [2]]),
                                   np.zeros((0, 4)), np.array(True), np.array([1, 2], dtype=">u2")])
def test_arrays_travel_with_dtype_and_shape(array):
    back = values.loads(values.dumps(values.plain(array)))
    assert back.dtype == array.dtype.newbyteorder("=") and back.shape == array.shape and (back == array).all()


def test_numbers_of_other_kinds_become_plain():
    assert [values.plain(v) for v in (np.float32(0.5), np.int64(7), np.bool_(True), Fraction(1, 4), (1, 2))] == \
           [0.5, 7, True, 0.25, [1, 2]]


class Yes(float):
    """A number that claims to equal everything."""

    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0.0

    __hash__ = float.__hash__


def test_a_number_that_equals_everything_is_only_a_number():
    assert type(values.plain(Yes(3))) is float and values.plain({1: [Yes(3)]}) != {1: [4.0]}
    found = source.exercise("01.1")
    assert sum(o.earned for o in checking.run_checks(found, checking.Local({"matrix_bytes": lambda r, c: Yes(3)}))) == 0


def endless():
    loop: list = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize("value", [object(), 1j, {1}, b"x", lambda: 1, endless(), 2**5000, [0] * 1_000_001,
                                   np.array(["a"]), np.array([None]), np.zeros(2, dtype=[("a", int)])])
def test_other_values_are_refused(value):
    with pytest.raises((TypeError, ValueError)):
        values.plain(value)


@pytest.mark.parametrize("line", [
    "", "{", '{"x": 1}', '{"dict": 3}', '{"array": "<f4", "shape": [9], "bytes": "AAAA"}', "[" * 100_000,
    '{"array": "O", "shape": [], "bytes": ""}', '{"array": "<f4", "shape": [-1], "bytes": ""}'])
def test_lines_that_are_no_values_are_refused(line):
    with pytest.raises(ValueError):
        values.loads(line)


def checked(**names):
    """(points, what was printed on stdout, on stderr) of a check cell."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        points = exercises.check("01.1", names)
    return points, out.getvalue(), err.getvalue()


def test_a_check_prints_its_points_and_ends_on_a_float():
    names: dict = {}
    exec(source.exercise("01.1").code(source.exercise("01.1").reference), names)
    points, printed, _ = checked(**names)
    assert points == 3.0 and type(points) is float
    assert printed.splitlines()[-1] == "01.1: 3 of 3 points" and "Why" not in printed


def test_a_failed_check_prints_what_why_and_what_next():
    points, printed, _ = checked(matrix_bytes=lambda rows, columns: 7)
    lines = printed.splitlines()
    first = next(i for i, line in enumerate(lines) if "What happened:" in line)
    assert points == 0 and "7 bytes" in lines[first + 3 + 1]
    assert [line.split(":")[0].strip() for line in lines[first: first + 3]] == ["What happened", "Why", "Try next"]


def noisy(rows, columns):
    print("loud")
    print("loud", file=sys.stderr)
    warnings.warn("loud", stacklevel=1)
    return np.float64(rows) / np.float64(0)


def test_noise_and_warnings_of_an_answer_stay_out_of_the_cell():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        points, printed, errors = checked(matrix_bytes=noisy)
    assert (points, errors) == (0, "") and "loud" not in printed and "returned inf" in printed


@pytest.mark.parametrize("answer, said", [
    (lambda rows: 1, "raised TypeError"), (lambda r, c: sys.exit(0), "raised SystemExit"), (3, "is not a function"),
    (lambda r, c: 1 / 0, "raised ZeroDivisionError: division by zero"), (lambda r, c: None, "returned None"),
    (lambda r, c: object(), "that no check can compare"), (lambda r, c: noisy.nothing, "raised AttributeError")])
def test_what_went_wrong_is_said(answer, said):
    points, printed, errors = checked(matrix_bytes=answer)
    assert points == 0 and said in printed and errors == ""


def test_an_answer_cannot_change_the_arguments_of_the_next_check():
    found = source.exercise("01.2")
    names: dict = {}
    exec(found.code("config = dict(config); " + "\n".join(source.dedent(found.reference).splitlines())), names)
    honest = names["token_bytes"]

    def spoils(config, context):
        try:
            return honest(config, context)
        finally:
            config.clear()

    assert sum(o.earned for o in checking.run_checks(found, checking.Local({"token_bytes": spoils}))) == found.points


def test_a_check_that_breaks_on_a_strange_value_costs_its_points_alone():
    def broken(spec, answers):
        raise RuntimeError("a fault of the check")

    found = source.exercise("01.1")
    twin = type(found)(**{**found.__dict__, "checks": (source.Check("broken", 1, broken), *found.checks)})
    names: dict = {}
    exec(found.code(found.reference), names)
    outcomes = checking.run_checks(twin, checking.Local(names))
    assert [o.earned for o in outcomes] == [0, 1, 1, 1] and "could not be judged" in outcomes[0].lines[0]


def test_importing_the_exercises_is_light():
    code = ("import sys; from minquant.teaching.exercises import check, exercise; exercise('01.1'); "
            "print({'numpy', 'numba', 'matplotlib', 'IPython', 'ipywidgets', 'nbformat'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "set()"


def test_every_public_name_is_there_and_no_file_hides_one():
    folder = Path(exercises.__file__).parent
    for name in exercises.__all__:
        assert callable(getattr(exercises, name)), name
        assert not (folder / f"{name}.py").exists(), f"{name}.py would take the place of {name}()"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        exercises.nonsense


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_call_in_a_message_can_be_repeated(x):
    (again,) = eval(checking.written("", (x, "")))[:1]
    assert again == x and np.signbit(again) == np.signbit(x)

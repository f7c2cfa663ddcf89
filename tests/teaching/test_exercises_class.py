"""A class: keys per student, vivas, marks, weights, gradebooks, and the made-up class that shows all of it."""

from __future__ import annotations

import csv
import json
import shutil
import time
from pathlib import Path

import pytest

from minquant.teaching import exercises
from minquant.teaching.exercises import canvas, cli, demo_class, gradebook, notebook, policy, source, students, viva
from minquant.teaching.exercises.variant import checked_key
from tests.teaching.handing_in import KEY, hand_in, submission

KEYS = ("course", "spring-2027", "autumn/ü")


def test_every_student_has_numbers_of_their_own(tmp_path):
    (tmp_path / "names.txt").write_text("anna\n\nben  # in the second row\n", encoding="utf-8")
    assert students.read_students(tmp_path / "names.txt") == ["anna", "ben"]
    paths = exercises.release(["01"], KEY, tmp_path / "out", students=["anna", "ben"])
    assert [p.parts[-3] for p in paths] == ["anna", "ben"]
    first, second = (p.read_text(encoding="utf-8") for p in paths)
    assert first == notebook.notebook_text("01", "release", "spring/anna") != second


def test_a_copied_notebook_is_graded_under_the_copiers_key(tmp_path):
    hand_in(tmp_path, "anna", submission(key="spring/anna"))
    shutil.copytree(tmp_path / "anna", tmp_path / "ben")
    hand_in(tmp_path, "x" * 70, submission())
    rows = {r["student"]: r for r in exercises.grade(tmp_path, variant=KEY, per_student=True)["submissions"]}
    assert rows["anna"]["score"] == 22 and rows["anna"]["notes"] == []
    assert rows["ben"]["score"] < 15 and "it was graded under 'spring/ben'" in rows["ben"]["notes"][0]
    assert "cannot be a variant key" in rows["x" * 70]["problem"]
    with pytest.raises(ValueError, match="needs the term's key"):
        exercises.grade(tmp_path, per_student=True)


@pytest.mark.parametrize("text, said", [("anna\nanna", "line 2: 'anna' is there twice"), ("", "names no student"),
                                        ("a/b", "line 1: 'a/b' cannot be"), ("..", "cannot be"), ("# x", "no student")])
def test_lists_that_cannot_be_a_class_are_refused(text, said, tmp_path):
    (tmp_path / "names.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        students.read_students(tmp_path / "names.txt")


@pytest.mark.parametrize("number", source.numbers())
@pytest.mark.parametrize("key", KEYS)
def test_a_viva_asks_three_questions_with_an_answer_each(number, key):
    found = viva.questions(number, key)
    assert len(found) == 3 and all(q.expected and q.exercise.startswith(number) for q in found)
    assert found == viva.questions(number, key)
    plain, copy = viva.sheet(number, key), viva.sheet(number, key, expected=True)
    assert not any(q.expected in plain for q in found) and all(q.expected in copy for q in found)
    assert {source.exercise(q.exercise).kind for q in found[:2]} <= {"warm-up", "core"}
    assert source.exercise(found[2].exercise).kind == "diagnose"


def test_what_a_viva_expects_is_what_the_reference_gives():
    for student in range(20):
        key = f"spring/{student}"
        for question in viva.questions("01", key)[:2]:
            exercise = source.exercise(question.exercise)
            names: dict = {"math": __import__("math")}
            exec(exercise.code(exercise.reference, key), names)
            got = viva.in_words(eval(question.text.split("`")[1], names))
            assert question.expected.startswith(f"{got}.") or question.expected.endswith(f"instead of {got}.")
            assert not question.expected.startswith(f"{got} instead")


def test_neighbours_are_asked_different_questions():
    assert len({tuple(q.text for q in viva.questions("01", f"spring/{n}")) for n in range(12)}) == 12


@pytest.mark.parametrize("value, words", [(1 / 3, "0.333333"), (8709280.0, "8,709,280"), ({"a": [1.0, None]}, "{'a': [1, None]}"),
                                          ("x", "'x'"), ((True, 2), "[True, 2]")])
def test_values_are_said_in_few_digits(value, words):
    assert viva.in_words(value) == words


def test_what_a_learner_wrote_is_kept_for_the_marker_and_never_written_over(tmp_path):
    book = submission()
    book["cells"][-1]["source"] = ["It is faster,\n", "by 2 (1.9 to 2.1).\x1b[2K"]
    path = hand_in(tmp_path, "anna", book)
    (row,) = exercises.grade(tmp_path)["submissions"]
    assert row["explanation"] == "It is faster, by 2 (1.9 to 2.1). [2K"
    (other,) = exercises.release(["01"], KEY, tmp_path / "r")
    untouched = json.loads(other.read_text(encoding="utf-8"))
    assert untouched["cells"][-1]["source"] == [notebook.EXPLAIN_HERE]
    untouched["cells"][-1]["source"] = "Somebody's own words."
    other.write_text(json.dumps(untouched), encoding="utf-8")
    with pytest.raises(FileExistsError):
        exercises.release(["01"], KEY, tmp_path / "r")
    assert path.exists()


SHIPPED = policy.read_policy()
FILLED = dict.fromkeys(("claim", "figure with its spread", "cause", "question 1", "question 2", "question 3"), 2.0)


def report(code=1.0, diagnose=1.0, stretch=0.0, student="anna", **more):
    """A graded notebook with these shares of its points."""
    share = {"diagnose": diagnose, "stretch": stretch}
    found = {e.id: {"earned": e.points * share.get(e.kind, code), "points": e.points}
             for e in source.exercise_set("01").exercises}
    return {"submissions": [{"student": student, "lesson": "01", "file": f"{student}.ipynb", "exercises": found, "notes": [],
                             "problem": None, "explanation": "=words"} | more]}


@pytest.mark.parametrize("shares, marks, mark, so_far", [
    ((1, 1, 0), FILLED, 100, 100), ((0.5, 0, 0), FILLED, 60, 60), ((0, 1, 0), {}, None, 33.33),
    ((1, 1, 1), FILLED, 100, 100), ((0.5, 0.5, 1), FILLED, 74, 74), ((1, 1, 0), FILLED | {"cause": 0.0}, 93.33, 93.33),
    ((1, 1, 0), {"claim": 2.0}, None, 100)])
def test_the_weights_are_those_of_the_policy(shares, marks, mark, so_far):
    (row,) = gradebook.gradebook(report(*shares), SHIPPED, {("anna", "01"): marks})
    assert (row["mark"], row["so_far"]) == (mark, so_far)


def test_an_instructor_changes_weights_and_rubric_in_one_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[weights]\ncode = 100\ndiagnose = 0\nexplanation = 0\nviva = 0\n[rubric]\nmost = 3\nexplanation = ['why']\n"
                    "viva = ['talk']\n[bonus]\ncode = 0\n", encoding="utf-8")
    mine = policy.read_policy(path)
    assert gradebook.gradebook(report(0.5, 0, 1), mine)[0]["mark"] == 50
    assert "why,talk,what the learner wrote\nanna,01,,,'=words" in gradebook.marks_template(report(), mine)


@pytest.mark.parametrize("old, new, said", [
    ("code = 40", "code = 30", "sum to 90"), ("code = 40", "code = 'much'", "weights.code is 'much'"), ("[weights]", "[w]", "lacks"),
    ("viva = 20 ", "talk = 20 ", "lacks 'viva'"), ("most = 2", "most = 0", "nobody could"), ("[weights]", "[weights", "not TOML"),
    ('"claim"', '"cause"', "name of its own"), ("code = 10 ", "code = true ", "bonus.code is True")])
def test_a_policy_that_cannot_be_meant_is_refused(old, new, said, tmp_path):
    text = policy.SHIPPED.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        policy.read_policy(tmp_path / "mine.toml")


def test_marks_are_read_back_from_the_template(tmp_path):
    path = tmp_path / "marks.csv"
    text = gradebook.marks_template(report(student="=anna"), SHIPPED)
    path.write_text(text.replace("01,,,", '01,2,"1,5",'), encoding="utf-8-sig")
    assert gradebook.read_marks(path, SHIPPED) == {("=anna", "01"): {"claim": 2.0, "figure with its spread": 1.5}}
    for cell, said in (("3", "line 2, claim: '3' is no mark"), ("-1", "no mark"), ("nan", "no mark"), ("good", "no mark")):
        path.write_text(text.replace("01,,", f"01,{cell},"), encoding="utf-8")
        with pytest.raises(ValueError, match=said):
            gradebook.read_marks(path, SHIPPED)
    path.write_text(text + text.splitlines()[1] + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="there twice"):
        gradebook.read_marks(path, SHIPPED)
    path.write_text("student,lesson\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no column 'claim'"):
        gradebook.read_marks(path, SHIPPED)


def test_of_two_notebooks_the_better_one_counts():
    both = {"submissions": [*report(0.2, file="old.ipynb")["submissions"], *report(1, file="new.ipynb")["submissions"]]}
    (row,) = gradebook.gradebook(both, SHIPPED)
    assert row["file"] == "new.ipynb" and row["notes"] == ["two notebooks: new.ipynb counts, old.ipynb does not"]


def test_a_notebook_that_could_not_be_graded_keeps_its_row():
    bad = {"submissions": [{"student": "carl", "lesson": None, "file": "carl/x.ipynb", "exercises": {}, "notes": [],
                            "problem": "not a notebook"}]}
    (row,) = gradebook.gradebook(bad, SHIPPED)
    assert (row["so_far"], row["problem"]) == (0, "not a notebook") and "not a notebook" in gradebook.as_csv([row])


EXPORT = ('Student,ID,SIS Login ID,Section,"Exercises 01: a token (12)",Exercises 1,Final Score\n'
          '    Points Possible,,,,20,,(read only)\n"Ü, Anna",1,anna,A,,x,\nBen,2,ben,A,7,,\nZoe,3,zoe,A\n')


def test_an_exported_gradebook_is_filled_and_otherwise_left_alone(tmp_path):
    path = tmp_path / "export.csv"
    path.write_text(EXPORT, encoding="utf-8-sig")
    rows = [{"student": "Anna", "lesson": "01", "mark": 50.0}, {"student": "ben", "lesson": "01", "mark": None},
            {"student": "3", "lesson": "01", "mark": 100.0}, {"student": "who", "lesson": "01", "mark": 1.0},
            {"student": "anna", "lesson": "02", "mark": 1.0}]
    text, left = canvas.filled(path, rows)
    table = list(csv.reader(text.splitlines()))
    assert [line[4] for line in table] == ["Exercises 01: a token (12)", "20", "10.00", "7", "20.00"]
    assert table[2] == ["Ü, Anna", "1", "anna", "A", "10.00", "x", ""] and table[3][:4] == ["Ben", "2", "ben", "A"]
    assert left == ["lesson 02: no assignment begins with \"Exercises 02\"", "ben, lesson 01: not fully marked yet",
                    "who: not in export.csv, or there more than once"]


@pytest.mark.parametrize("text, said", [("", "not a gradebook"), ("Name\nx\n", "not a gradebook"),
                                        ("Student,Quiz\nx,1\n", "make one in Canvas")])
def test_other_files_are_not_filled(text, said, tmp_path):
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        canvas.filled(tmp_path / "x.csv", [{"student": "a", "lesson": "01", "mark": 1.0}])


def test_a_name_that_two_people_share_is_nobodys(tmp_path):
    (tmp_path / "x.csv").write_text("Student,Exercises 01\nAda,\nAda,\n", encoding="utf-8")
    text, left = canvas.filled(tmp_path / "x.csv", [{"student": "ada", "lesson": "01", "mark": 9.0}])
    assert text == "Student,Exercises 01\nAda,\nAda,\n" and "more than once" in left[0]


@pytest.mark.parametrize("lesson", source.numbers())
def test_the_made_up_class_gets_the_marks_it_should(lesson, tmp_path, note):
    said, start = [], time.monotonic()
    rows = {r["student"]: r for r in demo_class.demo_class(tmp_path / "demo", lesson, said.append)}
    note(f"demo-class {lesson}: {time.monotonic() - start:.0f} s")
    assert set(rows) == set(demo_class.STUDENTS)
    assert rows["right"]["mark"] == 100 and rows["blank"]["mark"] == 0 and all(r["problem"] is None for r in rows.values())
    assert 0 < rows["crashing"]["mark"] < 60 and 0 < rows["partial"]["mark"] < 90
    found = source.exercise_set(lesson).exercises
    lost = {e.id: 0 if e.kind == "warm-up" else e.wrong[0].loses for e in found if not e.optional}
    graded = json.loads((tmp_path / "demo" / "grades.json").read_text(encoding="utf-8"))["submissions"]
    right = next(r for r in graded if r["student"] == "right")
    assert (right["score"], right["bonus"]) == (right["max"], right["bonus_max"])
    assert next(r for r in graded if r["student"] == "partial")["score"] == sum(
        e.points - lost[e.id] for e in found if not e.optional)
    assert all("process ended" in n for r in graded for n in r["notes"]) and any(r["notes"] for r in graded)
    assert (tmp_path / "demo" / "canvas.csv").read_text(encoding="utf-8").splitlines()[-1].endswith(",20.00,")
    with pytest.raises(FileExistsError, match="not empty"):
        demo_class.demo_class(tmp_path / "demo", lesson, said.append)


def test_the_command_line_of_a_class(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("anna\nben\n", encoding="utf-8")
    assert cli.main(["release", "01", "--variant", KEY, "--students", "names.txt", "--out", "submitted"]) == 0
    assert cli.main(["grade", "--variant", KEY, "--per-student"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("around each notebook: ") and "anna/" in captured.out
    assert cli.main(["gradebook"]) == 0
    assert "open" in capsys.readouterr().out and Path("marks.csv").read_text(encoding="utf-8").count("\n") == 3
    Path("export.csv").write_text("Student,Exercises 01\nanna,\n", encoding="utf-8")
    assert cli.main(["gradebook", "--canvas", "export.csv"]) == 0
    assert "left as it was: anna, lesson 01: not fully marked yet" in capsys.readouterr().out
    assert cli.main(["gradebook", "--json"]) == 0 and json.loads(capsys.readouterr().out)["rows"][0]["student"] == "anna"
    assert cli.main(["viva", "01", "--students", "names.txt", "--variant", KEY]) == 0
    out = capsys.readouterr().out
    assert out.count("## Viva") == 2 and "Expected" not in out and "`spring/ben`" in out
    assert cli.main(["viva", "01", "--expected"]) == 0 and capsys.readouterr().out.count("*Expected:*") == 3
    assert cli.main(["policy"]) == 0 and capsys.readouterr().out == policy.SHIPPED.read_text(encoding="utf-8")
    assert cli.main(["demo-class", "--json"]) == 0 and len(json.loads(capsys.readouterr().out)["rows"]) == 4
    assert cli.main(["demo-class", "--out", "again"]) == 0 and "6. gradebook.csv" in capsys.readouterr().out
    Path("grades.json").write_text("[]")
    with pytest.raises(ValueError, match="grades.json is not what"):
        cli.main(["gradebook"])
    with pytest.raises(ValueError, match="nbgrader hands the same"):
        cli.main(["release", "--nbgrader", "--students", "names.txt"])
    assert checked_key(students.student_key(KEY, "anna")) == "spring/anna"

"""Grading: every kind of notebook people hand in, and what it may not do."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minquant.teaching import exercises
from minquant.teaching.exercises import cli, grading, notebook, remote, source, submissions, worker
from tests.teaching.handing_in import FULL, KEY, SET, earned, hand_in, submission

LIMIT = 6.0  # seconds; a busy machine needs two or three of them to start a worker


def test_right_partial_blank_and_other_variants(tmp_path):
    partial = submission(None, e01_1=source.exercise("01.1").code(source.exercise("01.1").wrong[0].body, KEY))
    for name, book in (("anna", submission()), ("ben", submission("second")), ("cleo", partial),
                       ("dora", submission(None)), ("emil", submission(key="course"))):
        hand_in(tmp_path / "in", name, book)
    report = exercises.grade(tmp_path / "in", tmp_path / "out")
    rows = {r["student"]: r for r in report["submissions"]}
    assert {n: r["score"] for n, r in rows.items()} == {"anna": 22, "ben": 22, "cleo": 1, "dora": 0, "emil": 22}
    assert {n: r["bonus"] for n, r in rows.items()} == {"anna": 4, "ben": 4, "cleo": 0, "dora": 0, "emil": 4}
    assert all(r["problem"] is None and r["max"] == 22 and r["bonus_max"] == 4 for r in rows.values())
    assert rows["anna"]["notes"] == [] and rows["emil"]["variant"] == "course"
    strict = {r["student"]: r for r in exercises.grade(tmp_path / "in", variant=KEY)["submissions"]}
    assert strict["anna"]["score"] == 22 and strict["emil"]["score"] < 15
    assert strict["emil"]["notes"] == ["the notebook says key 'course'; it was graded under 'spring'"]


def test_csv_and_json_say_the_same_and_twice_the_same(tmp_path):
    hand_in(tmp_path / "in", "=SUM(A1)", submission())
    hand_in(tmp_path / "in", "zoe", submission(None))
    exercises.grade(tmp_path / "in", tmp_path / "first")
    exercises.grade([tmp_path / "in" / "zoe" / "exercises.ipynb", tmp_path / "in" / "=SUM(A1)" / "exercises.ipynb"])
    report = exercises.grade(tmp_path / "in", tmp_path / "second")
    for name in ("grades.csv", "grades.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert json.loads((tmp_path / "first" / "grades.json").read_text(encoding="utf-8")) == report
    with (tmp_path / "first" / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["student"] for r in rows] == ["'=SUM(A1)", "zoe"], "a spreadsheet must not run a name"
    assert {id: float(rows[0][id]) for id in FULL} == FULL and float(rows[0]["score"]) == 22
    assert "/" not in report["submissions"][0]["student"] and str(tmp_path) not in json.dumps(report)


BAD = {"empty": ("", "not JSON"), "half": (json.dumps(submission())[:3000], "not JSON"),
       "list": ("[]", "has no cells"), "other": ('{"cells": [], "metadata": {}}', "not an exercise notebook"),
       "deep": ("[" * 200_000, "not JSON"), "lesson": (json.dumps(
           {"cells": [], "metadata": {"minquant": {"exercises": "77"}}}), "has no exercises here"),
       "key": (json.dumps({"cells": [], "metadata": {"minquant": {"exercises": "01", "variant": "\n"}}}),
               "cannot be a variant key")}


def test_bad_notebooks_are_named_and_stop_nobody(tmp_path):
    for name, (book, _) in BAD.items():
        hand_in(tmp_path, name, book)
    hand_in(tmp_path, "good", submission())
    (tmp_path / "binary.ipynb").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "folder.ipynb" / "x.ipynb").symlink_to(tmp_path / "nowhere")
    with (tmp_path / "large.ipynb").open("wb") as file:
        file.truncate(submissions.LARGEST + 1)
    rows = {r["student"]: r for r in exercises.grade(tmp_path, tmp_path / "out")["submissions"]}
    assert rows["good"]["score"] == 22
    for name, (_, said) in BAD.items():
        assert said in rows[name]["problem"] and rows[name]["score"] == 0
    assert "not JSON" in rows["binary"]["problem"] and "more than a notebook may have" in rows["large"]["problem"]
    assert any("cannot be read" in (r["problem"] or "") for r in rows.values())
    assert len((tmp_path / "out" / "grades.csv").read_text(encoding="utf-8").splitlines()) == len(rows) + 1


@pytest.mark.parametrize("cells", [[None], [{}], [3], [{"cell_type": "code"}], [{"cell_type": "code", "source": 5}],
                                   [{"cell_type": "code", "source": [None], "metadata": []}],
                                   [{"cell_type": "code", "source": "x = \x00"}]])
def test_cells_of_no_shape_are_survived(cells, tmp_path):
    points, row = earned({"cells": cells, "metadata": {"minquant": {"exercises": "01", "variant": KEY}}}, tmp_path)
    assert row["problem"] is None and set(points.values()) == {0}
    assert sum("removed" in note for note in row["notes"]) == len(SET.exercises)


ENDLESS = "while True:\n    pass"


def test_a_cell_that_never_ends_costs_its_own_exercise(tmp_path):
    start = time.monotonic()
    points, row = earned(submission(e01_2=ENDLESS), tmp_path, seconds=LIMIT)
    assert points == FULL | {"01.2": 0}
    assert any("stopped: it took longer than 6 s" in note for note in row["notes"])
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("body, said", [
    ("    while True: pass", "took longer than 6 s"), ("    import os; os._exit(1)", "its process ended"),
    ("    return 'x' * 10**6 * 40", ""), ("    return [0] * 10**10", ""), ("    raise SystemExit", "raised SystemExit"),
    ("    return matrix_bytes(rows, columns)", "raised RecursionError"),
    ("    import sys; sys.exit(3)", "raised SystemExit"),
    ("    print('{\"value\": \"3\"}' * 1000, flush=True); input()", "raised EOFError"),
    ("    import sys; sys.stdin.close(); sys.stdout.close(); return 3", "")])
def test_a_function_that_misbehaves_costs_its_own_exercise(body, said, tmp_path):
    points, row = earned(submission(e01_1=f"def matrix_bytes(rows, columns):\n{body}"), tmp_path, seconds=LIMIT)
    assert points["01.1"] == 0 and {k: v for k, v in points.items() if k != "01.1"} == {
        k: v for k, v in FULL.items() if k != "01.1"}
    assert said in row["exercises"]["01.1"]["checks"][0]["lines"][0]
    assert all(len(c["lines"]) == 3 for c in row["exercises"]["01.1"]["checks"])


ATTACKS = {
    "the checks": "from minquant.teaching.exercises import checking as c\n"
                  "c.run_checks = c.check = lambda *a, **k: 99.0\nc.close = lambda *a: True\nc.number = lambda *a: 0.0",
    "the exercise": "import minquant.teaching.exercises.source as s\ne = s.exercise('01.1')\n"
                    "object.__setattr__(e, 'checks', ())\ns._SETS.clear()",
    "builtins": "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.float = lambda x=0: 3.0\n"
                "builtins.isinstance = lambda *a: True",
    "the worker": "from minquant.teaching.exercises import worker\nworker.answer = lambda *a: {'value': '3'}\n"
                  "worker._plain = lambda v: {'value': '3'}",
    "the worker that runs": "import __main__\n__main__._plain = lambda v: {'value': '3', 'earned': 3, 'points': 3}",
    "json": "import json\njson.dumps = lambda *a, **k: '{\"value\": \"3\", \"score\": 22}'",
    "replies": "import os\nfor fd in range(3, 30):\n    try: os.write(fd, b'{\"value\": \"3\"}\\n' * 50)\n"
               "    except OSError: pass",
    "equality": "class Yes(float):\n    __eq__ = __le__ = __ge__ = lambda *a: True\n    __sub__ = __rsub__ = __abs__ = "
                "lambda *a: 0.0\n    __hash__ = None\nanswer = Yes(3)",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_submission_does_to_its_own_process_earns_nothing(attack, tmp_path):
    cell = f"{ATTACKS[attack]}\n\ndef matrix_bytes(rows, columns):\n    return globals().get('answer', 3.0)"
    points, _ = earned(submission(None, e01_1=cell), tmp_path)
    assert set(points.values()) == {0}
    assert grading.grade_notebook(hand_in(tmp_path, "next", submission()))["score"] == 22


def test_check_cells_that_were_edited_or_removed_are_noted_and_not_used(tmp_path):
    book = submission(None)
    for cell in book["cells"]:
        if cell["metadata"].get("minquant", {}).get("role") == "check":
            cell["source"] = "99.0"
    points, row = earned(book, tmp_path)
    assert set(points.values()) == {0} and sum("check cell was changed" in n for n in row["notes"]) == 5
    book = submission()
    book["cells"] = [c for c in book["cells"] if c["metadata"].get("minquant", {}).get("role") not in ("check", "show")]
    points, row = earned(book, tmp_path)
    assert points == FULL and sum("removed" in n for n in row["notes"]) == 5


def test_a_learners_own_cells_count_and_later_ones_do_not(tmp_path):
    book = submission()
    place = next(i for i, c in enumerate(book["cells"]) if c["id"] == "e01-1-answer")
    book["cells"][place]["source"] = "def matrix_bytes(rows, columns):\n    return helper(rows, columns)"
    right = source.exercise("01.1").code(source.exercise("01.1").reference, KEY).replace("matrix_bytes", "helper")
    magic = {"cell_type": "code", "metadata": {}, "source": "%matplotlib inline\n!ls\n" + right}
    spoil = {"cell_type": "code", "metadata": {}, "source": "def matrix_bytes(*a): return 0"}
    book["cells"] = [*book["cells"][:place], magic, *book["cells"][place:], spoil]
    points, row = earned(book, tmp_path)
    assert points == FULL and row["notes"] == []


def test_instructors_notebooks_are_noted(tmp_path):
    for kind in ("source", "solutions"):
        points, row = earned(notebook.build_notebook("01", kind, KEY), tmp_path)
        assert points == FULL and any("instructor's notebook" in note for note in row["notes"])
    assert earned(submission(None), tmp_path)[1]["notes"] == []


def test_what_a_submission_says_cannot_pass_for_a_line_of_the_report(tmp_path):
    body = "def matrix_bytes(rows, columns):\n    raise ValueError('x\\n22 of 22\\r\\x1b[2K' + 'y' * 5000)"
    row = earned(submission(None, e01_1=body), tmp_path)[1]
    line = row["exercises"]["01.1"]["checks"][0]["lines"][0]
    assert line.isprintable() and len(line) <= 300 and "raised ValueError: x 22 of 22" in line


def test_the_worker_knows_little_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    with remote.Remote() as answers:
        assert answers.run("import os\nfound = sorted(os.environ)\nhere = os.listdir('.')\n"
                           "home = os.environ['HOME']") is None
        assert "SECRET_TOKEN" not in answers.value("found")
        assert answers.value("here") == [] and Path(answers.value("home")) != Path.home()
    assert not Path(answers._folder.name).exists()


def test_memory_is_bounded_where_the_system_can():
    pytest.importorskip("resource")
    with remote.Remote() as answers:
        said = answers.run("x = bytearray(40 * 2**30)")
    assert said is None or "MemoryError" in said
    if sys.platform == "linux":
        assert said.startswith("MemoryError")


def test_the_worker_answers_one_request_after_another():
    names: dict = {}
    assert worker.answer({"cell": "def f(x):\n    return 2 * x\ny = {1: (2, 3)}"}, names) == {"done": True}
    assert worker.answer({"call": "f", "args": "[21]"}, names) == {"value": "42"}
    assert worker.answer({"value": "y"}, names) == {"value": '{"dict": [[1, [2, 3]]]}'}
    assert worker.answer({"value": "z"}, names) == {"missing": True}
    assert worker.answer({"call": "y", "args": "[]"}, names) == {"not_a_function": True}
    assert worker.answer({"cell": "1 / 0"}, names) == {"raised": ["ZeroDivisionError", "division by zero"]}
    assert "unusable" in worker.answer({"value": "__builtins__"}, names)


@pytest.mark.parametrize("places, said", [(["nowhere"], "nowhere is not there"), (["."], "holds no notebook")])
def test_nothing_to_grade_is_said(places, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=said):
        exercises.grade(places)
    assert list(tmp_path.iterdir()) == []


def test_status_says_how_far_a_learner_is(tmp_path):
    path = tmp_path / SET.folder / "exercises.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(submission(None, key="course", e01_1=source.exercise("01.1").code(
        source.exercise("01.1").reference))), encoding="utf-8")
    rows = exercises.status(tmp_path)
    assert [(r["exercise"], r["earned"], r["points"]) for r in rows if r["exercise"].startswith("01")] == [
        ("01.1", 3, 3), ("01.2", 0, 8), ("01.3", 0, 5), ("01.4", 0, 6), ("01.5", 0, 4)]
    assert [r["exercise"] for r in rows] == [e.id for n in source.numbers() for e in source.exercise_set(n).exercises]
    none = exercises.status(tmp_path / "elsewhere")
    assert {r["earned"] for r in none} == {None} and "no notebook at 01_" in none[0]["problem"]


def test_the_command_line_from_release_to_grades(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["release", "01", "--variant", KEY]) == 0
    assert cli.main(["solutions", "1", "--variant", KEY, "--json"]) == 0
    printed = capsys.readouterr().out
    assert f"wrote release/{SET.folder}/exercises.ipynb (key spring)" in printed
    assert json.loads(printed[printed.index("{"):]) == {"variant": KEY,
                                                        "files": [f"solutions/{SET.folder}/exercises.ipynb"]}
    assert cli.main(["grade", "release", "solutions", "--out", "out"]) == 0
    printed = capsys.readouterr().out
    assert f"release/{SET.folder}/exercises.ipynb" in printed
    assert "0 of 22" in printed and "22 of 22 + 4 bonus" in printed
    (tmp_path / "release" / "bad.ipynb").write_text("no")
    assert cli.main(["grade", "release", "--json"]) == 1
    assert [r["problem"] for r in json.loads(capsys.readouterr().out)["submissions"]] == [
        None, "not a notebook: the file is not JSON"]
    assert cli.main(["status", "release", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["exercises"]
    assert [r["earned"] for r in rows if r["exercise"].startswith("01")] == [0] * 5
    assert cli.main(["status", "release"]) == 0
    assert "01.2  Bytes of one token" in capsys.readouterr().out


@pytest.mark.parametrize("words, said", [
    (["release", "44"], "has no exercises"), (["release", "--variant", " "], "variant key"),
    (["grade"], "submitted is not there"), (["grade", "--seconds", "0"], "more than 0")])
def test_requests_that_cannot_be_met_are_explained(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=said):
        cli.main(words)
    assert list(tmp_path.iterdir()) == []


def test_the_module_runs_by_name():
    done = subprocess.run([sys.executable, "-m", "minquant.teaching.exercises", "--help"], capture_output=True,
                          text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0 and "release" in done.stdout and done.stderr == ""

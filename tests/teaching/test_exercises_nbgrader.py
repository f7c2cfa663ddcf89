"""The whole way through nbgrader: make an assignment, release, fetch, submit, collect, grade, give feedback, export.

The exchange is a folder of the test. All run under one account here, so each student's configuration says who they are;
on a shared machine nbgrader takes that from the account.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minquant.teaching import exercises
from minquant.teaching.exercises import files, notebook, source

pytest.importorskip("nbgrader")

ROOT = Path(__file__).parents[2]
SET = source.exercise_set("01")
KEY = "spring"
COURSE = "quant101"
ANSWERS = {"right": lambda e: e.reference, "partial": lambda e: e.wrong[0].body, "blank": None}


class Place:
    """A course folder, an exchange, and the commands of nbgrader run there by one person."""

    def __init__(self, folder: Path):
        self.folder, self.exchange = folder, folder / "exchange"
        self.exchange.mkdir()
        self.exchange.chmod(0o777)

    def home(self, person: str) -> Path:
        """The folder this person works in, with their configuration."""
        home = self.folder / person
        if not home.exists():
            home.mkdir()
            who = "" if person == "teacher" else f"c.CourseDirectory.student_id = {person!r}\n"
            (home / "nbgrader_config.py").write_text(
                f'c = get_config()\nc.CourseDirectory.course_id = {COURSE!r}\nc.Exchange.root = {str(self.exchange)!r}\n'
                f'c.Exchange.cache = {str(home / "cache")!r}\n' + who, encoding="utf-8")
        return home

    def __call__(self, person: str, *words: str) -> str:
        home = self.home(person)
        env = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")} | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(home)}
        done = subprocess.run([sys.executable, "-m", "nbgrader", *words], cwd=home, env=env, text=True, capture_output=True,
                              timeout=600)
        assert done.returncode == 0, f"{person}: nbgrader {' '.join(words)}\n{done.stderr[-3000:]}"
        return done.stderr


def fill_in(path: Path, pick) -> None:
    book = json.loads(path.read_text(encoding="utf-8"))
    for cell in book["cells"]:
        marks = cell["metadata"].get("minquant", {})
        if marks.get("role") == "answer" and pick:
            exercise = source.exercise(marks["exercise"])
            cell["source"] = exercise.code(pick(exercise), KEY)
        if marks.get("role") == "check" and pick is None:
            cell["source"] = "99.0"  # nbgrader puts locked cells back
        if marks.get("role") == "explanation" and pick:
            cell["source"] = "It is faster, by 2 (1.9 to 2.1), because it reads less."
    files.write_atomically(path, json.dumps(book))


def test_from_the_assignment_to_feedback_and_grades(tmp_path):
    run = Place(tmp_path)
    exercises.release(["01"], KEY, run.home("teacher") / "source", nbgrader=True)
    name, file = SET.folder, notebook.FILE
    run("teacher", "generate_assignment", name)
    released = (run.home("teacher") / "release" / name / file).read_text(encoding="utf-8")
    assert "SOLUTION" not in released and "YOUR CODE HERE" in released and "Choose one claim" in released
    run("teacher", "release_assignment", name)
    for student, pick in ANSWERS.items():
        run(student, "fetch_assignment", name)
        fill_in(run.home(student) / name / file, pick)
        run(student, "submit", name)
    run("teacher", "collect", name)
    assert {p.name for p in (run.home("teacher") / "submitted").iterdir()} == set(ANSWERS)
    run("teacher", "autograde", name)
    run("teacher", "generate_feedback", name)
    run("teacher", "release_feedback", name)
    run("right", "fetch_feedback", name)
    (page,) = (run.home("right") / name / "feedback").rglob("*.html")
    assert "01.2: 8 of 8 points" in page.read_text(encoding="utf-8").replace("8.0", "8")
    run("teacher", "export")
    with (run.home("teacher") / "grades.csv").open(encoding="utf-8", newline="") as table:
        rows = {row["student_id"]: row for row in csv.DictReader(table)}
    lost = sum(e.wrong[0].loses for e in SET.exercises if not e.optional)
    assert {n: float(row["score"]) for n, row in rows.items()} == {
        "right": SET.points, "partial": SET.points - lost, "blank": 0}
    assert {float(row["max_score"]) for row in rows.values()} == {SET.points + notebook.EXPLAIN_POINTS}

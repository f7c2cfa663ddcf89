"""Notebooks as somebody would hand them in, for the tests of grading."""

from __future__ import annotations

import json
from pathlib import Path

from minquant.teaching.exercises import grading, notebook, source

KEY = "spring"
SET = source.exercise_set("01")
FULL = {e.id: float(e.points) for e in SET.exercises}


def submission(answers="reference", key=KEY, **changes):
    """A filled-in notebook of lesson 01. ``changes``: id with "_" for "." -> text of the answer cell."""
    book = notebook.build_notebook("01", "release", key)
    for cell in book["cells"]:
        marks = cell["metadata"].get("minquant", {})
        if marks.get("role") == "answer":
            exercise = source.exercise(marks["exercise"])
            if answers:
                cell["source"] = exercise.code(getattr(exercise, answers), key)
            cell["source"] = changes.get("e" + exercise.id.replace(".", "_"), cell["source"])
    return book


def hand_in(folder: Path, student: str, book) -> Path:
    """Write it where grading looks for this student's."""
    path = folder / student / "exercises.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(book if isinstance(book, str) else json.dumps(book), encoding="utf-8")
    return path


def earned(book, tmp_path, seconds=grading.SECONDS, **options):
    """(points per exercise, the row of the report) of one notebook."""
    row = grading.grade_notebook(hand_in(tmp_path, "x", book), seconds=seconds, **options)
    return {id: e["earned"] for id, e in row["exercises"].items()}, row

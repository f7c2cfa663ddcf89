"""Grading: a folder of notebooks in, one CSV and one JSON out. nbgrader is not needed.

How it works
    A worker runs the learner's cells above the check of an exercise; then the package's own checks ask the worker
    (``remote.Remote``); then it runs on to the next. What a notebook prints, edits or deletes cannot reach the checks.
    Where an answer ends the worker (no time left, a crash), the next exercise gets a new one, in which the cells run
    again; a cell that ended one is left out from then on, so it costs one time limit and not one per exercise.

    Every notebook and every exercise is read before the first cell of any runs: what a submission might do to a file
    comes too late for this batch, whoever's file it is. ``fence`` says what it can do at all.

    Rows are in the order of the file names, without dates or durations: the same folder gives the same bytes.

Under which key
    The notebook's own, unless ``variant`` names one: then that one, and a notebook that says otherwise is noted.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..._paths import lessons_dir
from .checking import Outcome, run_checks, tidy
from .files import write_atomically
from .notebook import FILE
from .remote import Remote, WorkerEnded
from .source import Exercise, exercise_set, numbers
from .students import student_key
from .submissions import BadNotebook, Submission, find, read
from .variant import checked_key

SECONDS = 20.0
Report = dict[str, Any]


def grade(places: str | Path | Iterable[str | Path], out: str | Path | None = None, *, variant: str | None = None,
          seconds: float = SECONDS, per_student: bool = False,
          progress: Callable[[str], None] | None = None) -> Report:
    """Grade every notebook in a folder (or folders and files); write ``grades.csv`` and ``grades.json`` into ``out``.

    ``variant``: key to grade under, default each notebook's own; ``per_student``: under that key and the student's name
    (``students.student_key``), whatever the notebook says. ``seconds``: limit per exercise. Returns what the JSON
    holds: {"submissions": [{"student", "file", "score", "max", "bonus", "exercises", "notes", "problem", ...}]}.
    A notebook that cannot be graded has its ``problem`` in words and scores 0; it never stops the others.
    Raises ValueError where there is nothing to grade.
    """
    paths = [Path(p) for p in ([places] if isinstance(places, (str, Path)) else places)]
    if variant is not None:
        checked_key(variant)
    elif per_student:
        raise ValueError("grading per student needs the term's key: name the variant the notebooks were released under")
    found = [(student, name, _read(path)) for student, name, path in find(paths)]
    for number in numbers():
        exercise_set(number)
    rows = []
    for student, name, submission in found:
        if progress:
            progress(f"grading {tidy(name)}")
        try:
            key = student_key(variant, student) if per_student else variant
        except ValueError as error:  # a folder whose name is no key: the row says so
            submission, key = BadNotebook(str(error)), variant
        rows.append({"student": tidy(student), "file": tidy(name), **_graded(submission, key, seconds)})
    report = {"submissions": rows}
    if out is not None:
        write_atomically(Path(out) / "grades.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        write_atomically(Path(out) / "grades.csv", as_csv(rows))
    return report


def grade_notebook(path: Path, variant: str | None = None, seconds: float = SECONDS) -> Report:
    """Points of one notebook. Never raises for what the file holds."""
    return _graded(_read(path), variant, seconds)


def _read(path: Path) -> Submission | BadNotebook:
    try:
        return read(path)
    except BadNotebook as error:
        return error


def _graded(submission: Submission | BadNotebook, variant: str | None, seconds: float) -> Report:
    if isinstance(submission, BadNotebook):
        return _row(None, variant, {}, [], str(submission))
    key, notes = variant or submission.variant, submission.notes()
    if key != submission.variant:
        notes.append(f"the notebook says key {submission.variant!r}; it was graded under {key!r}")
    results = {}
    with _Session(submission, seconds) as session:
        try:
            for exercise in exercise_set(submission.lesson).exercises:
                results[exercise.id] = run_checks(exercise, session.at(exercise.id), key)
        except OSError as error:  # no process could be started: this notebook's problem, not the batch's
            return _row(submission, key, results, notes, f"could not be run: {error.strerror or error}")
    notes += [f"cell {number}: {words}" for number, words in sorted(session.broken.items())]
    return _row(submission, key, results, notes, None)


class _Session:
    """The workers of one submission, one at a time."""

    def __init__(self, submission: Submission, seconds: float):
        self.submission, self.seconds = submission, seconds
        self.broken: dict[int, str] = {}  # number of a cell -> what it raised, or how it ended the worker
        self._ended: set[int] = set()     # cells that ended a worker
        self._done: set[int] = set()      # cells that ran in the present worker
        self._worker: Remote | None = None

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def at(self, exercise: str) -> Remote:
        """A worker in which the cells above the check of an exercise have run, with its full time ahead."""
        while True:
            if self._worker is None or self._worker.ended is not None:
                self._close()
                self._worker, self._done = Remote(self.seconds).open(), set()
            if self._run_cells(exercise):
                self._worker.restart_clock()
                return self._worker

    def _run_cells(self, exercise: str) -> bool:
        for cell in self.submission.cells_for(exercise):
            if cell.number in self._done | self._ended:
                continue
            try:
                failed = self._worker.run(cell.source, f"<cell {cell.number}>")
            except WorkerEnded as end:
                self._ended.add(cell.number)
                self.broken[cell.number] = f"stopped: {end}"
                return False
            self._done.add(cell.number)
            if failed:
                self.broken[cell.number] = tidy(failed)
        return True

    def _close(self) -> None:
        if self._worker is not None:
            self._worker.close()


def _row(submission: Submission | None, variant: str | None, results: dict[str, list[Outcome]], notes: list[str],
         problem: str | None) -> Report:
    exercises = exercise_set(submission.lesson).exercises if submission else ()
    earned = {e.id: sum(o.earned for o in results.get(e.id, ())) for e in exercises}

    def total(optional: bool, of: Callable[[Exercise], float]) -> float:
        return float(sum(of(e) for e in exercises if e.optional == optional))

    return {"lesson": submission.lesson if submission else None, "variant": variant,
            "score": total(False, lambda e: earned[e.id]), "max": total(False, lambda e: e.points),
            "bonus": total(True, lambda e: earned[e.id]), "bonus_max": total(True, lambda e: e.points),
            "exercises": {e.id: {"earned": earned[e.id], "points": e.points, "optional": e.optional,
                                 "checks": [asdict(o) | {"lines": list(o.lines)}
                                            for o in results.get(e.id, ())]} for e in exercises},
            "explanation": submission.explanation if submission else "",
            "notes": [tidy(note) for note in notes], "problem": tidy(problem) if problem else None}


def as_csv(rows: list[Report]) -> str:
    """One line per notebook, one column per exercise. A word that a spreadsheet would run as a formula is quoted."""
    ids = sorted({id for row in rows for id in row["exercises"]})
    plain = ["student", "file", "lesson", "variant", "score", "max", "bonus", "bonus_max"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*plain, *ids, "problem", "notes"])
    for row in rows:
        points = [row["exercises"][id]["earned"] if id in row["exercises"] else None for id in ids]
        values = (*(row[column] for column in plain), *points, row["problem"], "; ".join(row["notes"]))
        writer.writerow([spreadsheet_cell(value) for value in values])
    return text.getvalue()


def spreadsheet_cell(value: Any) -> str:
    """A value as a cell of a CSV file: numbers short, nothing as nothing, no word that runs as a formula."""
    if isinstance(value, float):
        return f"{value:g}"
    text = "" if value is None else str(value)
    return "'" + text if text.startswith(("=", "+", "-", "@")) else text


def status(folder: str | Path | None = None, *, seconds: float = SECONDS) -> list[Report]:
    """How far a learner is: one row per exercise, from the notebooks under ``folder`` (default: the lessons).

    Rows: exercise, title, kind, minutes, points, earned (None where there is no notebook), problem.
    """
    rows = []
    for exercises in map(exercise_set, numbers()):
        path = Path(folder or lessons_dir()) / exercises.folder / FILE
        graded = grade_notebook(path, None, seconds) if path.exists() else None
        for e in exercises.exercises:
            found = (graded or {"exercises": {}})["exercises"].get(e.id)
            rows.append({"exercise": e.id, "title": e.title, "kind": e.kind, "minutes": e.minutes, "points": e.points,
                         "earned": found["earned"] if found else None,
                         "problem": graded["problem"] if graded else f"no notebook at {exercises.folder}/{FILE}"})
    return rows

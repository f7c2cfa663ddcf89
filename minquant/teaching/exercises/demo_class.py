"""A class of four made-up students, from the release to the gradebook: see it work before you trust it.

How it works
    Everything here is what the commands of ``minquant exercises`` do, one after the other, in a folder of its own. Each
    student has a key of their own. ``right`` hands in reference answers, ``partial`` mistakes the checks are tested with
    beside right answers, ``blank`` the untouched release, ``crashing`` right answers below one that ends its process.
    What a person would mark, and the export of a learning platform, are made up as well.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import canvas, files, gradebook, grading, viva
from .policy import Policy, read_policy
from .source import exercise, exercise_set
from .students import student_key

STUDENTS = ("blank", "crashing", "partial", "right")
KEY = "demo"
CRASH = "import os\nos._exit(1)  # as a fault in compiled code would"
EXPLANATION = ("I predicted 4 times; int4 was 2.1 times as fast as bf16 (1.9 to 2.3). It reads 3.6 times fewer bytes, and "
               "unpacking them keeps the cores busy: with twice the threads the gain would be larger.")
MARKS = {"right": 2.0, "partial": 1.0, "blank": 0.0, "crashing": 0.0}  # of 2, for everything on the rubric


def demo_class(out: Path, lesson: str = "01", say: Callable[[str], None] = print) -> list[dict[str, Any]]:
    """Run the whole flow in ``out`` and return the rows of the gradebook. Raises FileExistsError where it has run."""
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: choose another --out, or remove it")
    number, policy = exercise_set(lesson).number, read_policy()
    say("1. release: every student gets other numbers")
    for path in files.release([number], KEY, out / "submitted", students=STUDENTS):
        fill_in(path, path.parts[-3])
        say(f"   {path.relative_to(out).as_posix()}")
    say("2. they are filled in: right, partly right, not at all, and with an answer that ends its process")
    say("3. grade, each under the student's own key")
    report = grading.grade(out / "submitted", out, variant=KEY, per_student=True)
    for row in report["submissions"]:
        say(f"   {row['student']:<9} {row['score']:g} of {row['max']:g} + {row['bonus']:g} bonus"
            + "".join(f"; {note}" for note in row["notes"]))
    keys = [(name, student_key(KEY, name)) for name in STUDENTS]
    for name, expected in (("viva.md", False), ("viva-expected.md", True)):
        files.write_atomically(out / name, viva.sheets([number], keys, expected))
    say("4. viva: three questions for each in viva.md; what should be answered in viva-expected.md")
    files.write_atomically(out / "marks.csv", marked(gradebook.marks_template(report, policy), policy))
    say("5. marks.csv: explanations and vivas, marked by a person (made up here)")
    rows = gradebook.gradebook(report, policy, gradebook.read_marks(out / "marks.csv", policy))
    gradebook.write(rows, out)
    files.write_atomically(out / "canvas-export.csv", canvas_export(number))
    text, left = canvas.filled(out / "canvas-export.csv", rows)
    files.write_atomically(out / "canvas.csv", text)
    say("6. gradebook.csv, and canvas.csv to import" + "".join(f"\n   {words}" for words in left))
    return rows


def fill_in(path: Path, student: str) -> None:
    """Fill a released notebook in as one of the four would."""
    book = json.loads(path.read_text(encoding="utf-8"))
    key = book["metadata"]["minquant"]["variant"]
    for cell in book["cells"]:
        marks = cell["metadata"].get("minquant", {})
        if marks.get("role") == "explanation" and student in ("right", "partial"):
            cell["source"] = EXPLANATION
        if marks.get("role") == "answer" and (body := answer_of(student, marks["exercise"])):
            cell["source"] = exercise(marks["exercise"]).code(body, key)
            if student == "crashing" and marks["exercise"].endswith(".2"):
                cell["source"] = CRASH
    files.write_atomically(path, json.dumps(book, indent=1, ensure_ascii=False) + "\n")


def answer_of(student: str, id: str) -> str | None:
    """The lines this student writes; None leaves the cell as it was."""
    found = exercise(id)
    if student == "blank" or (student == "partial" and found.optional):
        return None
    return found.wrong[0].body if student == "partial" and found.kind != "warm-up" else found.reference


def marked(template: str, policy: Policy) -> str:
    """The template with the made-up marks in it."""
    head, *lines = csv.reader(io.StringIO(template))
    text = io.StringIO()
    blank = range(2, len(head) - 1)
    csv.writer(text, lineterminator="\n").writerows(
        [head, *([f"{MARKS[line[0]]:g}" if i in blank else cell for i, cell in enumerate(line)] for line in lines)])
    return text.getvalue()


def canvas_export(number: str) -> str:
    """What the platform of a made-up school would export."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Student", "ID", "SIS Login ID", "Section", f"Exercises {number} (4711)", "Final Score"])
    writer.writerow(["    Points Possible", "", "", "", "20.00", "(read only)"])
    for n, name in enumerate(STUDENTS, 1):
        writer.writerow([f"Student, {name.title()}", 100 + n, name, "A", "", ""])
    return text.getvalue()

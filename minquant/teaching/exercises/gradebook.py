"""From points to marks: ``grades.json`` and what a person marked in, one gradebook out.

How it works
    Grading by program gives the points of code and diagnose exercises. Explanations and vivas are marked by a person in
    ``marks.csv``: one row per notebook, one column per thing on the rubric, and beside them what the learner wrote. The
    policy (``course.toml``) weighs the parts. A mark stays open until every part of it is there; beside it stands what
    has been earned so far.

    Of two notebooks of one student for one lesson the better one counts, and the row says so.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from .files import write_atomically
from .policy import BY_HAND, PARTS, Policy
from .source import exercise_set

Row = dict[str, Any]
Marks = dict[tuple[str, str], dict[str, float]]


def gradebook(report: dict[str, Any], policy: Policy, marks: Marks | None = None) -> list[Row]:
    """One row per student and lesson: shares of each part from 0 to 1 (None: not marked yet), ``mark``, ``so_far``."""
    best: dict[tuple[str, str], Row] = {}
    for graded in report["submissions"]:
        row = _row(graded, policy, marks or {})
        place = (row["student"], row["lesson"])
        if place in best:
            row, other = sorted((row, best[place]), key=lambda r: r["so_far"], reverse=True)
            row["notes"] = [*row["notes"], f"two notebooks: {row['file']} counts, {other['file']} does not"]
        best[place] = row
    return [best[place] for place in sorted(best)]


def _row(graded: Row, policy: Policy, marks: Marks) -> Row:
    lesson = graded["lesson"] or ""
    points: dict[str, list[float]] = {"code": [0, 0], "diagnose": [0, 0], "stretch": [0, 0]}
    for e in exercise_set(lesson).exercises if lesson else ():
        part = {"diagnose": "diagnose", "stretch": "stretch"}.get(e.kind, "code")
        points[part][0] += graded["exercises"][e.id]["earned"]
        points[part][1] += e.points
    share = {part: got / of if of else 0.0 for part, (got, of) in points.items()}
    given = marks.get((graded["student"], lesson), {})
    shares: dict[str, float | None] = {
        "code": min(1.0, share["code"] + policy.bonus / 100 * share["stretch"]), "diagnose": share["diagnose"]}
    for part in BY_HAND:
        found = [given[name] for name in policy.rubric[part] if name in given]
        shares[part] = sum(found) / policy.most / len(found) if len(found) == len(policy.rubric[part]) else None
    mark, so_far = policy.mark(shares)
    return {"student": graded["student"], "lesson": lesson, "file": graded["file"], **shares, "mark": mark,
            "so_far": so_far, "notes": list(graded["notes"]), "problem": graded["problem"]}


def as_csv(rows: list[Row]) -> str:
    """Parts and marks in per cent; what is not marked yet is blank."""
    from .grading import spreadsheet_cell

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["student", "lesson", *PARTS, "mark", "so_far", "problem", "notes"])
    for row in rows:
        shares = [None if row[part] is None else round(100 * row[part], 2) for part in PARTS]
        writer.writerow(map(spreadsheet_cell, (row["student"], row["lesson"], *shares, row["mark"], row["so_far"],
                                               row["problem"], "; ".join(row["notes"]))))
    return text.getvalue()


def read_report(path: Path) -> dict[str, Any]:
    """What ``grade`` wrote to grades.json. Raises ValueError where it is something else, OSError."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if all({"student", "lesson", "exercises", "file"} <= set(row) for row in report["submissions"]):
            return report
    except (ValueError, KeyError, TypeError):
        pass
    raise ValueError(f"{path.name} is not what  minquant exercises grade  writes to grades.json")


def marks_template(report: dict[str, Any], policy: Policy) -> str:
    """A ``marks.csv`` to fill in: the learner's words beside empty columns."""
    from .grading import spreadsheet_cell

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [name for part in BY_HAND for name in policy.rubric[part]]
    writer.writerow(["student", "lesson", *columns, "what the learner wrote"])
    places = {(row["student"], row["lesson"]): row for row in report["submissions"] if row["lesson"]}
    for (student, lesson), row in sorted(places.items()):
        writer.writerow([spreadsheet_cell(student), lesson, *[""] * len(columns),
                         spreadsheet_cell(row.get("explanation", ""))])
    return text.getvalue()


def read_marks(path: Path, policy: Policy) -> Marks:
    """A filled-in ``marks.csv``; blank cells are marks still to come.

    Raises ValueError, with line and column, for a mark that is no number from 0 to ``most``, a column that is missing,
    and a row that comes twice.
    """
    found: Marks = {}
    columns = [name for part in BY_HAND for name in policy.rubric[part]]
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if missing := [c for c in ("student", "lesson", *columns) if c not in (reader.fieldnames or ())]:
            raise ValueError(f"{path.name} has no column {', '.join(map(repr, missing))}; the policy asks for "
                             f"{', '.join(columns)}")
        for row in reader:
            place = (row["student"].removeprefix("'"), row["lesson"].strip("' ").zfill(2))
            if place in found:
                raise ValueError(f"{path.name}, line {reader.line_num}: {place[0]}, lesson {place[1]} is there twice")
            found[place] = {c: _mark(row[c], policy.most, f"{path.name}, line {reader.line_num}, {c}")
                            for c in columns if (row[c] or "").strip()}
    return found


def _mark(text: str, most: float, where: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise ValueError(f"{where}: {text!r} is no mark; a number from 0 to {most:g} was expected, or nothing yet")
    return value


def write(rows: list[Row], out: Path) -> list[Path]:
    """Write gradebook.csv and gradebook.json; returns their paths."""
    paths = [out / "gradebook.csv", out / "gradebook.json"]
    write_atomically(paths[0], as_csv(rows))
    write_atomically(paths[1], json.dumps({"rows": rows}, indent=1, ensure_ascii=False) + "\n")
    return paths

"""Marks into a gradebook that was exported from Canvas, ready to be imported there again.

How it works
    A Canvas export is a CSV file: a head, one or two rows that are nobody's ("Points Possible" among them), a row per
    student. The column of lesson 01 is the assignment whose name begins with "Exercises 01"; its cells get the mark,
    scaled to the points possible. Students are found by SIS Login ID, SIS User ID, ID or name, whichever a folder of
    submissions was called. Every other cell stays as it was.

Source
    The columns of an export: Canvas, "How do I import grades in the Gradebook?" (instructor guide).
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

IDENTITIES = ("SIS Login ID", "SIS User ID", "ID", "Student")


def filled(path: Path, rows: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """(the exported gradebook with our marks in it, what could not be filled in, in words).

    Raises ValueError where the file is no such export or has no column for any of the lessons.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.reader(file))
    if not table or "Student" not in table[0]:
        raise ValueError(f"{path.name} is not a gradebook exported from Canvas: its first line has no column Student")
    head, width = table[0], len(table[0])
    table = [line + [""] * (width - len(line)) for line in table]
    lessons = sorted({row["lesson"] for row in rows if row["lesson"]})
    columns = {n: i for n in lessons for i, name in reversed(list(enumerate(head))) if name.startswith(f"Exercises {n}")}
    if not columns:
        raise ValueError(f"{path.name} has no assignment that begins with \"Exercises {lessons[0] if lessons else 'NN'}\"; "
                         f"make one in Canvas and export again. Its columns: {', '.join(head)}")
    left = [f"lesson {n}: no assignment begins with \"Exercises {n}\"" for n in lessons if n not in columns]
    possible = next((line for line in table[1:4] if line[0].strip() == "Points Possible"), None)
    people = _people(table)
    for row in rows:
        line, column = people.get(row["student"].casefold()), columns.get(row["lesson"])
        if column is None:
            continue
        if line is None:
            left.append(f"{row['student']}: not in {path.name}, or there more than once")
        elif row["mark"] is None:
            left.append(f"{row['student']}, lesson {row['lesson']}: not fully marked yet")
        else:
            table[line][column] = f"{row['mark'] / 100 * _points(possible, column):.2f}"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue(), left


def _people(table: list[list[str]]) -> dict[str, int]:
    """Identity in small letters -> line; one that two people share is nobody's."""
    found: dict[str, set[int]] = {}
    for name in (n for n in IDENTITIES if n in table[0]):
        column = table[0].index(name)
        for number, line in enumerate(table[1:], 1):
            if line[column].strip() and line[0].strip() != "Points Possible":
                found.setdefault(line[column].strip().casefold(), set()).add(number)
    return {identity: next(iter(lines)) for identity, lines in found.items() if len(lines) == 1}


def _points(possible: list[str] | None, column: int) -> float:
    try:
        return float(possible[column]) if possible else 100.0
    except ValueError:
        return 100.0

"""A notebook somebody handed in: read with suspicion, reduced to the cells that hold answers.

How it works
    Any file may be anything: no JSON, no notebook, 2 GB. ``read`` gives a ``Submission`` or says in one line, as a
    ``BadNotebook``, what is wrong. Of its cells only the source of code is kept, without our own check and show cells:
    the checks that count come from the package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checking import tidy
from .notebook import EXPLAIN_HERE, FILE, check_source
from .source import exercise_set
from .variant import COURSE, checked_key

LARGEST = 20 * 2**20
LONGEST_EXPLANATION = 4000
NOT_RUN = {"check", "show"}


class BadNotebook(ValueError):
    """The file cannot be graded; the message says why in one line."""


@dataclass(frozen=True)
class Cell:
    """A code cell: its number in the file (from 1), exercise and role ("" where it is the learner's own), source."""

    number: int
    exercise: str
    role: str
    source: str


@dataclass(frozen=True)
class Submission:
    """What was handed in for one lesson."""

    lesson: str
    variant: str
    kind: str
    cells: tuple[Cell, ...]
    explanation: str = ""  # what a person will mark, on one line

    def cells_for(self, exercise: str) -> list[Cell]:
        """Cells to run before this exercise is checked: those above its check, or all where that is gone."""
        end = next((c.number for c in self.cells if (c.exercise, c.role) == (exercise, "check")), float("inf"))
        return [c for c in self.cells if c.number < end and c.role not in NOT_RUN]

    def notes(self) -> list[str]:
        """What an instructor may want to know about the file; none of it changes a point."""
        ours = self.kind == "solutions" or any("### BEGIN SOLUTION" in c.source for c in self.cells)
        found = ["this is an instructor's notebook: it came with answers"] if ours else []
        for exercise in exercise_set(self.lesson).exercises:
            checks = [c.source for c in self.cells if (c.exercise, c.role) == (exercise.id, "check")]
            if checks != [check_source(exercise, self.variant)]:
                found.append(f"{exercise.id}: the check cell was {'changed' if checks else 'removed'}; "
                             "the package's own checks were used")
        return found


def read(path: Path) -> Submission:
    """One notebook. Raises BadNotebook, with the cause, for whatever cannot be graded."""
    try:
        if path.is_dir() and path.suffix != ".ipynb":
            raise BadNotebook("no notebook in this folder")
        size = path.stat().st_size
        if not path.is_file() or size > LARGEST:
            raise BadNotebook(f"{size:,} bytes is more than a notebook may have ({LARGEST:,})" if path.is_file()
                              else "not a file")
        book = json.loads(path.read_text(encoding="utf-8"))
    except BadNotebook:
        raise
    except OSError as error:
        raise BadNotebook(f"cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise BadNotebook("not a notebook: the file is not JSON") from None
    return _submission(book)


def _submission(book: Any) -> Submission:
    if not isinstance(book, dict) or not isinstance(book.get("cells"), list):
        raise BadNotebook("not a notebook: the file has no cells")
    marks = _dict(_dict(book.get("metadata")).get("minquant"))
    if "exercises" not in marks:
        raise BadNotebook("not an exercise notebook: its metadata name no exercises (minquant.exercises)")
    try:
        lesson = exercise_set(str(marks["exercises"])).number
        variant = checked_key(marks.get("variant", COURSE))
    except (ValueError, TypeError) as error:
        raise BadNotebook(f"its metadata cannot be right: {error}") from None
    cells = (_cell(number, cell) for number, cell in enumerate(book["cells"], 1))
    return Submission(lesson, variant, str(marks.get("kind", "release"))[:20], tuple(c for c in cells if c),
                      _explanation(book["cells"]))


def _explanation(cells: list) -> str:
    texts = (_source(_dict(c)) for c in cells
             if _dict(_dict(_dict(c).get("metadata")).get("minquant")).get("role") == "explanation")
    return tidy(" ".join(text for text in texts if text.strip() != EXPLAIN_HERE), LONGEST_EXPLANATION)


def _source(cell: dict) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _cell(number: int, cell: Any) -> Cell | None:
    cell = _dict(cell)
    if cell.get("cell_type") != "code":
        return None
    marks = _dict(_dict(cell.get("metadata")).get("minquant"))
    return Cell(number, str(marks.get("exercise", "")), str(marks.get("role", "")), _source(cell))


def _dict(value: Any) -> dict:
    return value if isinstance(value, dict) else {}


def find(places: list[Path]) -> Iterator[tuple[str, str, Path]]:
    """(student, name of the file in reports, path) of every notebook in these folders and files, in a fixed order.

    In a folder the student is the first folder below it, or the file's own name. Of several folders, names in reports
    start with the folder's. A folder directly below with nothing to grade in it is handed on as it is: a notebook is
    missing there, and ``read`` says so. Raises ValueError for a place that is not there and for a folder without
    notebooks.
    """
    for place in places:
        if not place.exists():
            raise ValueError(f"{place} is not there: name a folder of notebooks, or notebooks")
        if not place.is_dir():
            yield (place.parent.name if place.name == FILE else place.stem), place.name, place
            continue
        found = sorted(p for p in place.rglob("*.ipynb")
                       if not any(part.startswith(".") for part in p.relative_to(place).parts))
        if not found:
            raise ValueError(f"{place} holds no notebook (*.ipynb)")
        empty = [p for p in place.iterdir() if p.is_dir() and not p.name.startswith(".") and not any(
            p in path.parents or p == path for path in found)]
        for path in sorted([*found, *empty]):
            inside = path.relative_to(place)
            name = inside if len(places) == 1 else Path(place.name) / inside
            yield (inside.parts[0] if len(inside.parts) > 1 or path in empty else path.stem), name.as_posix(), path

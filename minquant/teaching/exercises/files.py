"""Writing notebooks: whole or not at all, and never over somebody's work.

How it works
    A file is written under a temporary name in its own folder and renamed; an interrupted run leaves the old file. A
    notebook whose answers somebody has begun to fill in is not replaced, unless ``force`` says so.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..._paths import lessons_dir
from .notebook import FILE, notebook_text
from .source import dedent, exercise_set, numbers
from .students import student_key
from .variant import COURSE, checked_key


def release(lessons: Iterable[str] | None = None, variant: str = COURSE, out: str | Path | None = None, *,
            nbgrader: bool = False, force: bool = False, students: Iterable[str] = ()) -> list[Path]:
    """Write the notebooks that learners fill in, one folder per lesson, and return their paths.

    With ``students``, each gets a folder with notebooks under a key of their own (``students.student_key``).

    ``lessons``: numbers such as ["01"], default all. ``variant``: key of the numbers and rules. ``out``: default
    ``release/``. ``nbgrader=True`` writes what nbgrader's generate_assignment takes instead, with the answers between
    its marks, to ``source/`` by default: not for learners.
    Raises ValueError for a lesson without exercises or a bad key, FileExistsError where answers would be lost.
    """
    kind = "source" if nbgrader else "release"
    if nbgrader and students:
        raise ValueError("nbgrader hands the same notebook to everybody: release for students without it")
    return _write(lessons, variant, Path(out or kind), kind, force, students)


def solutions(lessons: Iterable[str] | None = None, variant: str = COURSE, out: str | Path | None = None, *,
              force: bool = False, students: Iterable[str] = ()) -> list[Path]:
    """Write the notebooks with all answers (default: to ``solutions/``), return their paths. Raises as ``release``."""
    return _write(lessons, variant, Path(out or "solutions"), "solutions", force, students)


def build(lessons: Iterable[str] | None = None, *, force: bool = False) -> list[Path]:
    """For maintainers: write the course's own notebooks again, into the lessons of this checkout."""
    return _write(lessons, COURSE, lessons_dir(), "release", force)


def _write(lessons: Iterable[str] | None, variant: str, out: Path, kind: str, force: bool,
           students: Iterable[str] = ()) -> list[Path]:
    chosen = [exercise_set(n) for n in (lessons or numbers())]
    keys = {out / name: student_key(variant, name) for name in students} or {out: checked_key(variant)}
    planned = [(folder / s.folder / FILE, notebook_text(s.number, kind, key))
               for folder, key in keys.items() for s in chosen]
    for path, _ in planned:
        if path.exists() and not force and begun(path):
            raise FileExistsError(f"{path} holds answers that are not ours: choose another --out, move it away, or say "
                                  "--force to replace it")
    for path, text in planned:
        write_atomically(path, text)
    return [path for path, _ in planned]


def begun(path: Path) -> bool:
    """Whether a notebook may hold somebody's work: it cannot be read, or an answer is none of those we wrote."""
    try:
        book = json.loads(path.read_text(encoding="utf-8"))
        marks = book["metadata"]["minquant"]
        ours = json.loads(notebook_text(marks["exercises"], marks["kind"], marks["variant"]))
        return _answers(book) != _answers(ours)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True


def _answers(book: dict) -> list[str]:
    roles = ((c, c["metadata"].get("minquant", {}).get("role")) for c in book["cells"])
    return [dedent("".join(c["source"])) for c, role in roles if role == "explanation" or (
        c["cell_type"] == "code" and role not in ("setup", "show", "check", "given"))]


def write_atomically(path: Path, text: str) -> None:
    """Write UTF-8 text to a file by way of a temporary one beside it; makes the folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
